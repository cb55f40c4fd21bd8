//! Raw settings to [`Config`], all problems at once.
//!
//! Raw settings are nested objects with the names of [`KEYS`](super::keys::KEYS). The host adds what it knows of itself
//! under `platform`: `{"isProduction": bool, "isPolling": bool, "connectionsMax": n, "hasConnections": bool,
//! "database": name}`.

use std::fmt;

use serde_json::Value;

use super::Config;
use super::keys::{ALIASES, Default, KEYS, Key, Shape};
use super::raw::{Given, Raw, Setting};
use crate::policy::backoff::Backoff;
use crate::policy::breaker::{BreakerConfig, Corners, FleetConfig, Weights};
use crate::policy::cache::CacheConfig;
use crate::policy::deadline::DeadlineConfig;
use crate::policy::hedge::HedgeConfig;
use crate::policy::lease::{Order, PoolConfig, Strategy};
use crate::policy::rate::RateConfig;
use crate::policy::read_through::ReadConfig;
use crate::policy::retry::RetryConfig;
use crate::policy::single_flight::FlightConfig;
use crate::policy::tier::Tier;
use crate::state::codec::checksum;
use crate::state::sync::SyncConfig;

/// Longer settings are refused unread, in bytes.
const BYTES_MAX: usize = 65_536;

/// A read and one copy of it: a third would find the database no faster.
const LEGS_MAX: u32 = 2;

/// Reads that are shared at once, and those who wait for one of them. Beyond it, each reads for itself.
const FLIGHTS_MAX: u32 = 1_000;
const FOLLOWERS_MAX: u32 = 10_000;

/// How long a write without a deadline counts as under way when it is not heard of, in milliseconds.
const WRITE_MS_MAX: u64 = 300_000;

/// Settings that cannot be used, with every reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "invalid configuration: {}", self.0.join("; "))
    }
}

impl std::error::Error for Problems {}

/// Reads settings from JSON text.
///
/// # Errors
///
/// [`Problems`] as [`check`] finds them, or that it is no JSON object of at most 65,536 bytes.
pub fn parse(text: &str) -> Result<Config, Problems> {
    let one = |problem: &str| Problems(vec![problem.to_owned()]);
    if text.len() > BYTES_MAX {
        return Err(one("settings are longer than 65,536 bytes"));
    }
    let json: Value = serde_json::from_str(text).map_err(|error| one(&format!("not JSON: {error}")))?;
    check(&Raw::from_json(&json).ok_or_else(|| one("settings must be an object"))?)
}

/// Checks settings, all at once.
///
/// # Errors
///
/// [`Problems`] with the path, what was found and what was expected, for each setting that is unknown, of the wrong
/// type or out of range. Values are shown up to 40 characters.
pub fn check(raw: &Raw<'_>) -> Result<Config, Problems> {
    let mut reader = Reader { raw, problems: Vec::new(), tier: None };
    reader.refuse_unknown();
    reader.tier = Tier::from_number(reader.whole("tenant.tier"));
    let config = reader.config();
    if reader.problems.is_empty() { Ok(config) } else { Err(Problems(reader.problems)) }
}

struct Reader<'a> {
    raw: &'a Raw<'a>,
    problems: Vec<String>,
    tier: Option<Tier>,
}

impl Reader<'_> {
    fn config(&mut self) -> Config {
        let is_breaker_on = self.switch("circuitBreaker.enabled");
        let recovery_ms = self.whole("circuitBreaker.recoveryTimeout");
        let mut config = Config {
            breaker_id: checksum(self.raw.host.database.as_bytes()),
            is_pool_on: self.switch("connectionPool.enabled"),
            pool: self.pool(),
            breaker: BreakerConfig {
                failures_max: if is_breaker_on { self.failures_max() } else { 0 },
                failure_ratio: if is_breaker_on { self.number("circuitBreaker.failureRate") } else { 0.0 },
                slow_ratio: if is_breaker_on { self.number("circuitBreaker.slowRate") } else { 0.0 },
                consecutive_max: if is_breaker_on {
                    small(self.whole("circuitBreaker.consecutiveFailures"))
                } else {
                    0
                },
                calls_min: small(self.whole("circuitBreaker.minimumCalls")),
                slow_ms: self.whole("circuitBreaker.timeoutThreshold"),
                slow_is_failure: self.switch("circuitBreaker.slowIsFailure"),
                window_ms: self.whole("circuitBreaker.monitorWindow"),
                window_buckets: small(self.whole("circuitBreaker.monitorBuckets")),
                window_calls: small(self.whole("circuitBreaker.windowCalls")),
                weights: Weights {
                    timeout: self.weight("circuitBreaker.timeoutWeight"),
                    network: self.weight("circuitBreaker.networkWeight"),
                    server_error: self.weight("circuitBreaker.serverErrorWeight"),
                    rate_limited: self.weight("circuitBreaker.rateLimitedWeight"),
                    bad_response: self.weight("circuitBreaker.badResponseWeight"),
                    is_rate_limited_soft: self.switch("circuitBreaker.rateLimitedIsSoft"),
                },
                open: Backoff {
                    initial_ms: recovery_ms,
                    max_ms: self.whole("circuitBreaker.recoveryTimeoutMax").max(recovery_ms),
                    multiplier: self.number("circuitBreaker.recoveryMultiplier"),
                    jitter: self.number("circuitBreaker.recoveryJitter"),
                },
                probes_max: small(self.whole("circuitBreaker.halfOpenMaxCalls")),
                successes_to_close: small(self.whole("circuitBreaker.successThreshold")),
                corners: Corners::OURS,
                fleet: FleetConfig {
                    expected: small(self.whole("state.expectedIsolates")),
                    probes: self.number("state.probesPerWindow"),
                    ramp_ms: self.whole("state.rampTime"),
                    has_near: self.switch("state.near"),
                },
            },
            hedge: HedgeConfig { delay_ms: self.whole("hedge.delay"), legs_max: LEGS_MAX },
            hedge_ratio: self.number("hedge.maxRatio"),
            retry: RetryConfig {
                attempts_max: small(self.whole("retry.attempts")),
                backoff: Backoff {
                    initial_ms: self.whole("retry.initialDelay"),
                    max_ms: self.whole("retry.maxDelay"),
                    multiplier: self.number("retry.backoffMultiplier"),
                    jitter: self.number("retry.jitter"),
                },
                total_max_ms: self.whole("retry.maxTotal"),
                budget_initial: self.number("retry.budgetInitial"),
                budget_max: self.number("retry.budgetMax"),
                budget_ratio: self.number("retry.budgetRatio"),
            },
            deadlines: DeadlineConfig {
                query_ms: self.whole("timeouts.query"),
                transaction_ms: self.whole("timeouts.transaction"),
                batch_ms: self.whole("timeouts.batchInsert"),
                health_check_ms: self.whole("timeouts.healthCheck"),
            },
            is_cache_on: self.switch("queryCache.enabled"),
            reads: self.reads(),
            sync: SyncConfig {
                read_interval_ms: self.whole("state.readInterval"),
                write_interval_ms: self.whole("state.writeInterval"),
                write_jitter_ms: self.whole("state.writeJitter"),
                has_near: self.switch("state.near"),
            },
            slow_query_ms: if self.switch("slowQuery.enabled") { self.whole("slowQuery.threshold") } else { 0 },
            quorum: self.number("state.quorum"),
            rate: RateConfig::per_second(self.number("rateLimit.rate"), small(self.whole("rateLimit.burst"))),
            concurrent_max: small(self.whole("tenant.maxConcurrent")),
        };
        if config.pool.connections_min > config.pool.leases_max
            && self.raw.find("connectionPool.minConnections").is_some()
        {
            self.problems.push(format!(
                "connectionPool.minConnections is {}, above connectionPool.maxConnections, which is {}",
                config.pool.connections_min, config.pool.leases_max
            ));
        }
        // A tier's own minimum yields to what the runtime can carry.
        if self.tier.is_some() {
            config.pool.connections_min = config.pool.connections_min.min(config.pool.leases_max);
        }
        config
    }

    fn pool(&mut self) -> PoolConfig {
        let or_never = |value: u64| if value == 0 { u64::MAX } else { value };
        // Checked, though the pool always counts and always keeps histories.
        _ = [self.switch("connectionPool.enableMetrics"), self.switch("connectionPool.enableTracing")];
        PoolConfig {
            strategy: Strategy::from_number(self.whole("connectionPool.strategy")),
            leases_max: small(self.whole("connectionPool.maxConnections").min(self.raw.host.connections_max)),
            connections_min: small(self.whole("connectionPool.minConnections")),
            connections_initial: small(self.whole("connectionPool.initialConnections")),
            is_warming_on: self.switch("connectionPool.connectionWarming"),
            acquire_timeout_ms: self.whole("connectionPool.acquireTimeout"),
            queue_max: small(self.whole("connectionPool.maxQueue")),
            order: match self.whole("connectionPool.queueOrder") {
                1 => Order::Fifo,
                2 => Order::Lifo,
                _ => Order::Adaptive,
            },
            overload_after_ms: self.whole("connectionPool.overloadAfter"),
            overload_timeout_ms: self.whole("connectionPool.overloadTimeout"),
            lease_ttl_ms: self.whole("connectionPool.leaseTtl"),
            idle_ttl_ms: self.whole("connectionPool.idleTimeout"),
            age_max_ms: or_never(self.whole("connectionPool.maxAge")),
            uses_max: or_never(self.whole("connectionPool.maxUses")),
            validate_after_ms: self.whole("connectionPool.validationInterval"),
            upkeep_interval_ms: self.whole("connectionPool.healthCheckInterval"),
            setup_retries: small(self.whole("connectionPool.maxRetries")),
            setup_delay_ms: self.whole("connectionPool.retryDelay"),
            setup_timeout_ms: self.whole("connectionPool.connectionTimeout"),
            has_connections: self.raw.host.has_connections,
            is_enforced: self.whole("connectionPool.stateMachine") == 0,
            is_polling: self.raw.host.is_polling,
        }
    }

    fn reads(&mut self) -> ReadConfig {
        let writes = ["timeouts.query", "timeouts.transaction", "timeouts.batchInsert"].map(|path| self.whole(path));
        ReadConfig {
            cache: CacheConfig {
                entries_max: small(self.whole("queryCache.maxSize")),
                size_max: self.whole("queryCache.maxBytes"),
                ttl_ms: self.whole("queryCache.ttl"),
                is_sliding: false,
                stale_ms: self.whole("queryCache.staleWhileRevalidate"),
                stale_if_error_ms: self.whole("queryCache.staleIfError"),
                is_stale_served_once: false,
            },
            flights: FlightConfig {
                flights_max: FLIGHTS_MAX,
                followers_max: FOLLOWERS_MAX,
                lead_ms: self.whole("queryCache.loadLease"),
                is_taken_over: true,
                is_polling: self.raw.host.is_polling,
            },
            is_shared: self.switch("queryCache.shared"),
            // Whoever wrote has been told by then, or nobody will be. Without a deadline, a guess.
            write_ms: if writes.contains(&0) { WRITE_MS_MAX } else { writes.into_iter().fold(0, u64::max) },
        }
    }

    /// Who sets a share and no count wants the share alone: five failures of a thousand calls must not open it.
    fn failures_max(&mut self) -> u32 {
        let count = small(self.whole("circuitBreaker.failureThreshold"));
        let is_set = self.is_set("circuitBreaker.failureThreshold");
        if !is_set && self.number("circuitBreaker.failureRate") > 0.0 { 0 } else { count }
    }

    /// Whether a setting has a value of its own, under any of its names.
    fn is_set(&self, path: &str) -> bool {
        let mut aliases = ALIASES.iter().filter(|alias| alias.of == path);
        self.raw.find(path).is_some() || aliases.any(|alias| self.raw.find(alias.path).is_some())
    }

    fn refuse_unknown(&mut self) {
        for Setting { group, name, given, .. } in &self.raw.settings {
            let is_group = KEYS.iter().any(|key| key.path.split_once('.').is_some_and(|(known, _)| known == *group));
            if !is_group || (name.is_empty() && *given != Given::Group) {
                self.problem(unknown(group, "no such group of settings, or not an object"));
            } else if !name.is_empty() {
                let path = format!("{group}.{name}");
                if !KEYS.iter().any(|key| key.path == path) && !ALIASES.iter().any(|alias| alias.path == path) {
                    self.problem(unknown(&path, "no such setting"));
                }
            }
        }
    }

    fn whole(&mut self, path: &str) -> u64 {
        self.value(path) as u64
    }

    fn weight(&mut self, path: &str) -> u16 {
        self.value(path) as u16
    }

    fn number(&mut self, path: &str) -> f64 {
        self.value(path)
    }

    fn switch(&mut self, path: &str) -> bool {
        self.value(path) != 0.0
    }

    #[inline(never)]
    fn value(&mut self, path: &str) -> f64 {
        let Some(key) = KEYS.iter().find(|key| key.path == path) else { return 0.0 };
        let mut value = self.read(key).map(|value| (key.path, value));
        for alias in ALIASES.iter().filter(|alias| alias.of == path) {
            let Some(other) = self.read(&alias.takes(key)).map(|value| alias.to_setting(value)) else { continue };
            match value {
                Some((name, first)) if first != other => self.problem(format!(
                    "{name} and {} are two names of one setting and differ: {} and {}{}",
                    alias.path,
                    plain(first),
                    plain(other),
                    unit(key)
                )),
                Some(_) => {}
                None => value = Some((alias.path, other)),
            }
        }
        value.map_or_else(|| self.default_of(key), |(_, value)| value)
    }

    /// What is set under this one name, if it is set and can be used.
    fn read(&mut self, key: &Key) -> Option<f64> {
        let found = self.raw.find(key.path)?;
        let value = match (key.shape, found.given) {
            (Shape::Whole { min, max }, Given::Number(number)) => {
                Some(number).filter(|value| value.fract() == 0.0 && *value >= min as f64 && *value <= max as f64)
            }
            (Shape::Number { min, max }, Given::Number(number)) => {
                Some(number).filter(|value| (min..=max).contains(value))
            }
            (Shape::Switch, Given::Switch(is_on)) => Some(f64::from(u8::from(is_on))),
            (Shape::Choice(words), Given::Other) => {
                let word = found.shown.trim_matches('"');
                words.iter().position(|known| *known == word).map(|place| place as f64)
            }
            _ => None,
        };
        if value.is_none() {
            self.problem(format!("{} must be {}, got {}", key.path, expected(key), found.shown));
        }
        value
    }

    /// A setting that is another's default is read twice, and its problem told once.
    fn problem(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn default_of(&mut self, key: &Key) -> f64 {
        let value = match key.default {
            Default::Fixed(value) => value,
            Default::ByEnvironment { production, .. } if self.raw.host.is_production => production,
            Default::ByEnvironment { development, .. } => development,
            Default::SameAs(path) => self.value(path),
        };
        self.tier.map_or(value, |tier| tier.preset(key.path, value))
    }
}

fn unknown(path: &str, what: &str) -> String {
    format!("{}: {what}", path.chars().take(60).collect::<String>())
}

/// The range of a setting, in words.
#[must_use]
pub fn expected(key: &Key) -> String {
    let unit = unit(key);
    match key.shape {
        Shape::Whole { min, max } => format!("a whole number from {min} to {max}{unit}"),
        Shape::Number { min, max } => format!("a number from {} to {}{unit}", plain(min), plain(max)),
        Shape::Switch => "true or false".to_owned(),
        Shape::Choice(words) => format!("one of {}", words.join(", ")),
    }
}

/// A number with at most six digits after the point, without zeros at its end. (The formatting of floats in Rust's
/// library would add its 14 KB to the core.)
fn plain(number: f64) -> String {
    let millionths = (number.abs() * 1e6).round() as u64;
    let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{whole}.{rest:06}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn unit(key: &Key) -> String {
    if key.unit.is_empty() { String::new() } else { format!(" {}", key.unit) }
}

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
