//! What is worth an alert: the circuit, the pool, the time of queries, failures, timeouts, the score, and burn rates.
//!
//! Each is judged from what the host knows at one time, and from what was known the last time. "Above" never means
//! "equal": a pool at exactly 80 % is well.

use std::collections::VecDeque;

use litemap::LiteMap;

use super::burn::{Attempts, Budget};
use super::conditions::{CIRCUIT, Condition, Severity, cut};
use super::settings::Settings;
use crate::clock::{Instant, Millis};
use crate::report::facts::{DatabaseFacts, Facts};

/// Databases that are remembered; more are judged without a memory.
const DATABASES_MAX: usize = 100;
/// The time that counts of timeouts are looked at, in milliseconds.
const RECENT_MS: Millis = 60_000;
/// Looks at a count that are remembered.
const LOOKS_MAX: usize = 64;

/// What was seen of the databases before.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    databases: LiteMap<String, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    circuit: String,
    circuit_changes: u64,
    attempts: Attempts,
    timeouts: VecDeque<(Instant, u64)>,
    budget: Budget,
}

/// What was found at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What is worth an alert now.
    pub conditions: Vec<Condition>,
    /// Circuits that changed and changed back since the last time, as they were in between: they are told as well.
    pub passed: Vec<Condition>,
}

impl Watch {
    /// Judges what a host knows. `scores` has the health score of each database, in the same order, where one is known.
    pub fn look(&mut self, facts: &Facts, scores: &[Option<f64>], settings: &Settings) -> Found {
        let now = facts.now();
        let mut found = Found::default();
        for (index, database) in facts.databases.iter().enumerate() {
            let score = scores.get(index).copied().flatten();
            if !self.databases.contains_key(&database.name) && self.databases.len() < DATABASES_MAX {
                self.databases.insert(database.name.clone(), Seen::default());
            }
            let mut spare = Seen::default();
            let seen = self.databases.get_mut(&database.name).unwrap_or(&mut spare);
            seen.look(database, score, settings, now, &mut found);
        }
        found.conditions = found.conditions.into_iter().map(Condition::bounded).collect();
        found.passed = found.passed.into_iter().map(Condition::bounded).collect();
        found
    }
}

impl Seen {
    fn look(
        &mut self,
        facts: &DatabaseFacts,
        score: Option<f64>,
        settings: &Settings,
        now: Instant,
        found: &mut Found,
    ) {
        let thresholds = &settings.thresholds;
        let name = facts.name.as_str();
        self.circuit(facts, found);
        let pool = &facts.status.pool;
        found.conditions.extend(pool_utilization(name, pool.borrowed, pool.max, thresholds.pool_utilization));
        let recent = &facts.status.recent;
        found.conditions.extend(query_time(name, recent.average_ms(), thresholds.query_time));
        found.conditions.extend(error_rate(
            name,
            recent.failing,
            recent.healthy + recent.failing,
            thresholds.error_rate,
        ));
        found.conditions.extend(score.and_then(|score| health_score(name, score, thresholds.health_score)));
        let timeouts = self.recent_timeouts(facts, now);
        found.conditions.extend(connection_timeouts(name, timeouts, thresholds.connection_timeouts));
        self.burn(facts, settings, now, found);
    }

    fn circuit(&mut self, facts: &DatabaseFacts, found: &mut Found) {
        let breaker = &facts.status.breaker;
        let changes = facts.status.totals.circuit_changes;
        let is_closed = breaker.state == "CLOSED" || breaker.state.is_empty();
        let was_closed = self.circuit.is_empty() || self.circuit == "CLOSED";
        let unseen = changes.saturating_sub(self.circuit_changes);
        if !is_closed {
            found.conditions.push(circuit(&facts.name, &breaker.state, breaker.failures));
        } else if was_closed && unseen >= 2 {
            found.passed.push(circuit(&facts.name, "OPEN", breaker.failures));
        }
        self.circuit = cut(breaker.state.to_string(), 20);
        self.circuit_changes = changes;
    }

    /// Operations of the last minute that got no connection in time.
    fn recent_timeouts(&mut self, facts: &DatabaseFacts, now: Instant) -> u64 {
        let count = named(&facts.status.totals.by_refusal, "POOL_TIMEOUT");
        let looks = &mut self.timeouts;
        // A look that is older than a minute stays, as what the count was when the minute began.
        while looks.get(1).is_some_and(|(at, _)| now.since(*at) >= RECENT_MS) {
            looks.pop_front();
        }
        let before = looks.front().map_or(0, |(_, count)| *count);
        if looks.back().is_none_or(|(at, _)| now.since(*at) >= 1_000) {
            looks.push_back((now, count));
        }
        if looks.len() > LOOKS_MAX {
            looks.pop_front();
        }
        count.saturating_sub(before)
    }

    fn burn(&mut self, facts: &DatabaseFacts, settings: &Settings, now: Instant, found: &mut Found) {
        let totals = &facts.status.totals;
        // What a statement itself got wrong is no failure of the database.
        let failed = ["timeout", "network", "server_error", "rate_limited", "bad_response"];
        let failed = failed.iter().map(|name| named(&totals.by_outcome, name)).sum::<u64>();
        let seen = Attempts { all: totals.successful.saturating_add(totals.failed), failed };
        let news = Attempts {
            all: seen.all.saturating_sub(self.attempts.all),
            failed: seen.failed.saturating_sub(self.attempts.failed),
        };
        self.attempts = seen;
        self.budget.record(news, now);
        for rule in &settings.rules {
            let Some(rate) = self.budget.judge(rule, settings.objective, now) else { continue };
            found.conditions.push(Condition {
                rule: format!("burnRate.{}", rule.name),
                database: facts.name.clone(),
                severity: rule.severity,
                message: format!(
                    "The error budget burns {rate:.1} times as fast as it may, more than {}.",
                    rule.factor
                ),
                value: rate,
                threshold: rule.factor,
                state: String::new(),
            });
        }
    }
}

fn named(counts: &[(std::borrow::Cow<'static, str>, u64)], name: &str) -> u64 {
    counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
}

fn condition(rule: &str, database: &str, severity: Severity, message: String, value: f64, threshold: f64) -> Condition {
    let (rule, database, state) = (rule.to_owned(), database.to_owned(), String::new());
    Condition { rule, database, severity, message, value, threshold, state }
}

fn circuit(database: &str, state: &str, failures: u32) -> Condition {
    let severity = if state == "OPEN" { Severity::Critical } else { Severity::Warning };
    let message = format!("The circuit is {state} after {failures} failures.");
    Condition { state: state.to_owned(), ..condition(CIRCUIT, database, severity, message, f64::from(failures), 0.0) }
}

fn pool_utilization(database: &str, borrowed: u32, max: u32, threshold: f64) -> Option<Condition> {
    if max == 0 {
        return None;
    }
    let percent = f64::from(borrowed) * 100.0 / f64::from(max);
    let message = format!("{percent:.1} % of the connections are in use, more than {threshold} %.");
    (percent > threshold)
        .then(|| condition("poolUtilization", database, Severity::Warning, message, percent, threshold))
}

fn query_time(database: &str, average_ms: f64, threshold: f64) -> Option<Condition> {
    let message = format!("Queries of the last minute took {average_ms:.1} ms on average, more than {threshold} ms.");
    (average_ms > threshold)
        .then(|| condition("queryTime", database, Severity::Warning, message, average_ms, threshold))
}

fn error_rate(database: &str, failing: u64, all: u64, threshold: f64) -> Option<Condition> {
    if all == 0 {
        return None;
    }
    let percent = failing as f64 * 100.0 / all as f64;
    let message = format!("{percent:.1} % of the attempts of the last minute failed, more than {threshold} %.");
    (percent > threshold).then(|| condition("errorRate", database, Severity::Warning, message, percent, threshold))
}

fn health_score(database: &str, score: f64, threshold: f64) -> Option<Condition> {
    let message = format!("The health score is {score:.1}, less than {threshold}.");
    (score < threshold).then(|| condition("healthScore", database, Severity::Warning, message, score, threshold))
}

fn connection_timeouts(database: &str, timeouts: u64, threshold: u64) -> Option<Condition> {
    let message = format!("{timeouts} operations of the last minute got no connection in time, at least {threshold}.");
    let (value, limit) = (timeouts as f64, threshold as f64);
    (threshold > 0 && timeouts >= threshold)
        .then(|| condition("connectionTimeouts", database, Severity::Warning, message, value, limit))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
