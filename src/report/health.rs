//! How healthy the database is, as a document for monitors.
//!
//! The state is decided here and nowhere else, from four checks: with all of them true it is `healthy`. Without
//! `connectivity`, or with an open circuit, it is `unhealthy`; otherwise it is `degraded`.
//!
//! The counts under `performance` run from the start of the isolate and include statements that the database
//! refused. The state looks at the last minute instead, and only at failures that are the database's: an outage that
//! is over and a user's typing error must not keep it degraded.

use std::borrow::Cow;

use serde::Serialize;

use super::facts::{DatabaseFacts, Facts};
use super::short_number;
use super::status::Status;
use super::timestamp::iso8601;
use crate::clock::{Instant, Millis};

/// Above this share of leases in use the pool is not well, in percent.
pub const UTILIZATION_MAX: f64 = 80.0;
/// Above this mean duration queries are not well, in milliseconds.
pub const QUERY_TIME_MAX_MS: f64 = 1_000.0;
/// Above this share of failures queries are not well, in percent.
pub const ERROR_RATE_MAX: f64 = 5.0;

/// What the document is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthFacts {
    /// When.
    pub now: Instant,
    /// Milliseconds since the isolate started.
    pub uptime_ms: Millis,
    /// Whether the last probe was answered.
    pub is_connected: bool,
    /// Most leases at once.
    pub leases_max: u32,
    /// Leases in use.
    pub leases_in_use: u32,
    /// Calls that have begun and not ended.
    pub operations: u32,
    /// Mean duration in the last minute, in milliseconds.
    pub recent_average_ms: f64,
    /// Share of attempts in the last minute that the database did not carry out, 0 to 1.
    pub recent_failure_ratio: f64,
    /// Slow attempts since the start.
    pub slow: u64,
    /// Attempts that succeeded since the start.
    pub successful: u64,
    /// Attempts that did not, since the start.
    pub failed: u64,
    /// Of those, the ones that outlived their deadline.
    pub timeouts: u64,
    /// The breaker.
    pub circuit: CircuitFacts,
}

/// The breaker's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CircuitFacts {
    /// `CLOSED`, `HALF_OPEN` or `OPEN`.
    pub state: Cow<'static, str>,
    /// Failures in its window.
    pub failures: u32,
    /// Attempts since the start that found the database healthy.
    pub successes: u64,
    /// Attempts since the start that it admitted.
    pub requests: u64,
}

impl HealthFacts {
    /// What is known of the first database; `None` if there is none.
    #[must_use]
    pub fn of(facts: &Facts) -> Option<Self> {
        facts.databases.first().map(|database| Self::of_one(facts, database))
    }

    /// What is known of one of the databases.
    #[must_use]
    pub fn of_one(facts: &Facts, database: &DatabaseFacts) -> Self {
        let DatabaseFacts { probe, operations, status, .. } = database;
        let Status { breaker, pool, totals, recent, .. } = status;
        let timeouts = totals.by_outcome.iter().find(|(name, _)| *name == "timeout").map_or(0, |(_, count)| *count);
        Self {
            now: facts.now(),
            uptime_ms: facts.uptime_ms,
            is_connected: probe.is_some_and(|probe| probe.is_connected),
            leases_max: pool.max,
            leases_in_use: pool.borrowed,
            operations: *operations,
            recent_average_ms: recent.average_ms(),
            recent_failure_ratio: ratio(recent.failing, recent.healthy + recent.failing),
            slow: totals.slow,
            successful: totals.successful,
            failed: totals.failed,
            timeouts,
            circuit: CircuitFacts {
                state: breaker.state.clone(),
                failures: breaker.failures,
                successes: breaker.successes,
                requests: breaker.requests,
            },
        }
    }
}

/// The state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// All checks are true.
    Healthy,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl HealthState {
    /// Whether traffic should be sent here.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        !matches!(self, Self::Unhealthy)
    }
}

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// The state in one word.
    pub status: HealthState,
    timestamp: String,
    uptime: Millis,
    database: Database,
    checks: Checks,
    alerts: Vec<Alert>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Database {
    connected: bool,
    connection_pool: ConnectionPool,
    performance: Performance,
    reliability: Reliability,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ConnectionPool {
    total: u32,
    active: u32,
    idle: u32,
    #[serde(serialize_with = "short_number")]
    utilization: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Performance {
    #[serde(serialize_with = "short_number")]
    average_query_time: f64,
    slow_queries: u64,
    successful_queries: u64,
    failed_queries: u64,
    #[serde(serialize_with = "short_number")]
    error_rate: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reliability {
    circuit_breaker: CircuitFacts,
    active_operations: u32,
    timeouts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checks {
    connectivity: bool,
    query_performance: bool,
    pool_health: bool,
    circuit_breaker_state: bool,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Alert {
    name: Cow<'static, str>,
    severity: &'static str,
    message: String,
}

impl Health {
    /// What somebody should look at, in words.
    pub fn alerts(&self) -> impl Iterator<Item = &str> {
        self.alerts.iter().map(|alert| alert.message.as_str())
    }

    /// Adds something that somebody should look at, unless there is something of its name.
    pub fn add(&mut self, name: &str, severity: &'static str, message: String) {
        if !self.alerts.iter().any(|alert| alert.name == name) {
            self.alerts.push(Alert { name: Cow::Owned(name.to_owned()), severity, message });
        }
    }

    /// Judges the facts and writes them down.
    #[must_use]
    pub fn of(facts: &HealthFacts) -> Self {
        let idle = facts.leases_max.saturating_sub(facts.leases_in_use);
        let utilization = percent(ratio(u64::from(facts.leases_in_use), u64::from(facts.leases_max)));
        let recent_error_rate = percent(facts.recent_failure_ratio);
        let is_slow = facts.recent_average_ms > QUERY_TIME_MAX_MS;
        let is_failing = recent_error_rate > ERROR_RATE_MAX;
        let checks = Checks {
            connectivity: facts.is_connected,
            query_performance: !is_slow && !is_failing,
            pool_health: utilization <= UTILIZATION_MAX,
            circuit_breaker_state: facts.circuit.state == "CLOSED",
        };
        let mut alerts = Vec::new();
        let mut alert = |is_raised: bool, name, severity, message: &dyn Fn() -> String| {
            if is_raised {
                alerts.push(Alert { name: Cow::Borrowed(name), severity, message: message() });
            }
        };
        let is_open = facts.circuit.state == "OPEN";
        let severity = if is_open { "critical" } else { "warning" };
        alert(!checks.connectivity, "connectivity", "critical", &|| "The database does not answer.".to_owned());
        alert(!checks.circuit_breaker_state, "circuitBreakerState", severity, &|| {
            format!("The circuit is {} after {} failures.", facts.circuit.state, facts.circuit.failures)
        });
        alert(!checks.pool_health, "poolUtilization", "warning", &|| {
            format!("{utilization} % of the leases are in use, more than {UTILIZATION_MAX} %.")
        });
        alert(is_slow, "queryTime", "warning", &|| {
            let average = facts.recent_average_ms.round();
            format!("Queries of the last minute took {average} ms on average, more than {QUERY_TIME_MAX_MS} ms.")
        });
        alert(is_failing, "errorRate", "warning", &|| {
            format!("{recent_error_rate} % of the attempts of the last minute failed, more than {ERROR_RATE_MAX} %.")
        });
        Self {
            status: state_of(checks, is_open),
            timestamp: iso8601(facts.now),
            uptime: facts.uptime_ms,
            database: Database {
                connected: facts.is_connected,
                connection_pool: ConnectionPool {
                    total: facts.leases_max,
                    active: facts.leases_in_use,
                    idle,
                    utilization,
                },
                performance: Performance {
                    average_query_time: to_tenth(facts.recent_average_ms),
                    slow_queries: facts.slow,
                    successful_queries: facts.successful,
                    failed_queries: facts.failed,
                    error_rate: percent(ratio(facts.failed, facts.failed.saturating_add(facts.successful))),
                },
                reliability: Reliability {
                    circuit_breaker: facts.circuit.clone(),
                    active_operations: facts.operations,
                    timeouts: facts.timeouts,
                },
            },
            checks,
            alerts,
        }
    }
}

const fn state_of(checks: Checks, is_open: bool) -> HealthState {
    if !checks.connectivity || is_open {
        HealthState::Unhealthy
    } else if checks.query_performance && checks.pool_health && checks.circuit_breaker_state {
        HealthState::Healthy
    } else {
        HealthState::Degraded
    }
}

/// Zero of zero is zero.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

pub(super) fn percent(ratio: f64) -> f64 {
    to_tenth(ratio * 100.0)
}

pub(super) fn to_tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
