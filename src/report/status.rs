//! The state of one engine as a plain document.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::clock::{Instant, Millis};
use crate::engine::Engine;
use crate::error::CODES;
use crate::note::Tally;
use crate::outcome::OUTCOMES;
use crate::policy::breaker::{Forced, State};
use crate::policy::connection::{Connection, ConnectionState};
use crate::state::schema::{SLICES_MAX, slice_of};

/// Everything that status pages, health checks and debugging show of one engine.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Milliseconds since the engine was made.
    pub uptime_ms: Millis,
    /// The breaker.
    pub breaker: BreakerStatus,
    /// The pool.
    pub pool: PoolStatus,
    /// Counters since the engine was made.
    pub totals: Totals,
    /// What this isolate saw in the last minute.
    pub recent: Recent,
}

/// The breaker's state and counts.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BreakerStatus {
    /// `CLOSED`, `HALF_OPEN` or `OPEN`.
    pub state: Cow<'static, str>,
    /// Failures in the window.
    pub failures: u32,
    /// Attempts that found the database healthy.
    pub successes: u64,
    /// Attempts that were admitted.
    pub requests: u64,
    /// When asking again can help, if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<Millis>,
    /// `OPEN` or `CLOSED` when an operator holds it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<Cow<'static, str>>,
    /// Generation of the shared cell; 0 when nothing was ever shared.
    pub generation: u32,
}

/// The pool's size and use.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolStatus {
    /// Open connections.
    pub size: u32,
    /// Idle, and may be leased.
    pub available: u32,
    /// Leased.
    pub borrowed: u32,
    /// Calls that wait for a lease.
    pub pending: u32,
    /// Fewest idle connections kept.
    pub min: u32,
    /// Most leases at once.
    pub max: u32,
    /// Leases that their holders never gave back.
    pub leaked: u64,
    /// Most leases at once as the strategy has it at the moment, between `min` and `max`.
    pub limit: u32,
    /// Connections ever made.
    pub created: u64,
    /// Connections that were set up ahead of demand.
    pub warmed: u64,
    /// Connections that were checked before they were used.
    pub validated: u64,
    /// Connections that were replaced: worn, or found broken by a check.
    pub recycled: u64,
    /// Connections that were given up, for whatever reason.
    pub retired: u64,
}

/// Counters that never decrease.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Attempts that the database answered as asked.
    pub successful: u64,
    /// Attempts that ended otherwise.
    pub failed: u64,
    /// Of those, by outcome: name and count, where not zero.
    pub by_outcome: Vec<(Cow<'static, str>, u64)>,
    /// Calls that a policy ended: name of the code and count, where not zero.
    pub by_refusal: Vec<(Cow<'static, str>, u64)>,
    /// Attempts slower than the limit.
    pub slow: u64,
    /// Attempts beyond a call's first.
    pub retries: u64,
    /// Second legs of slow reads.
    pub hedged: u64,
    /// Second legs that answered before the first.
    pub hedges_won: u64,
    /// Retries that the budget did not allow.
    pub retries_denied: u64,
    /// Calls that had to wait for a lease.
    pub queued: u64,
    /// State changes of the breaker.
    pub circuit_changes: u64,
    /// Hints of other isolates that were merged.
    pub hints_merged: u64,
    /// Hints that were garbage.
    pub hints_refused: u64,
    /// Failures of the store.
    pub store_failures: u64,
}

/// The last minute, in one isolate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recent {
    /// Attempts that found the database healthy.
    pub healthy: u64,
    /// Attempts that did not.
    pub failing: u64,
    /// Attempts slower than the limit.
    pub slow: u64,
    /// Sum of their durations, in milliseconds.
    pub duration_ms: u64,
}

/// One connection with its history.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// Its number.
    pub id: u32,
    /// Where it is in its life.
    pub state: &'static str,
    /// When it was made.
    pub created_at_ms: Millis,
    /// When it was last taken or given back.
    pub last_used_at_ms: Millis,
    /// How often it was taken.
    pub uses: u64,
    /// How often it broke or lapsed.
    pub errors: u64,
    /// Its last changes, oldest first.
    pub history: Vec<PassageStatus>,
}

/// One change of a connection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassageStatus {
    /// Before.
    pub from: &'static str,
    /// After.
    pub to: &'static str,
    /// When.
    pub at_ms: Millis,
    /// Why.
    pub reason: &'static str,
}

impl Status {
    /// The state of `engine` at `now`. Sweeps idle connections on the way.
    #[must_use]
    pub fn of(engine: &mut Engine, now: Instant) -> Self {
        Self {
            uptime_ms: now.since(engine.started_at()),
            breaker: BreakerStatus::of(engine, now),
            pool: PoolStatus::of(engine, now),
            totals: Totals::of(engine.notes().tally()),
            recent: Recent::of(engine, now),
        }
    }
}

impl BreakerStatus {
    fn of(engine: &mut Engine, now: Instant) -> Self {
        let failures = engine.breaker_failures(now);
        let breaker = engine.breaker();
        let state = breaker.state(now);
        let retry_at = breaker.retry_at();
        Self {
            state: state.name().into(),
            failures,
            successes: breaker.successes(),
            requests: breaker.requests(),
            retry_at_ms: (state == State::Open && retry_at != Instant::NEVER).then_some(retry_at.0),
            forced: breaker.forced().map(|forced| match forced {
                Forced::Open => State::Open.name().into(),
                Forced::Closed => State::Closed.name().into(),
                Forced::Counting => "METRICS_ONLY".into(),
            }),
            generation: breaker.cell().generation,
        }
    }
}

impl PoolStatus {
    fn of(engine: &mut Engine, now: Instant) -> Self {
        let leaked = engine.notes().tally().leases_lapsed;
        let pool = engine.pool(now);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let is_ready = |connection: &&Connection| connection.state() == ConnectionState::Ready;
        Self {
            size: count(pool.connections().count()),
            available: count(pool.connections().filter(is_ready).count()),
            borrowed: pool.in_use(),
            pending: count(pool.waiting()),
            min: pool.config().connections_min,
            max: pool.config().leases_max,
            leaked,
            limit: pool.limit(),
            created: pool.lives().created,
            warmed: pool.lives().warmed,
            validated: pool.lives().validated,
            recycled: pool.lives().recycled,
            retired: pool.lives().retired,
        }
    }
}

impl Totals {
    fn of(tally: &Tally) -> Self {
        let counted = |(name, count): (&'static str, u64)| (count > 0).then_some((name.into(), count));
        Self {
            successful: tally.successful(),
            failed: tally.failed(),
            by_outcome: OUTCOMES.iter().map(|it| (it.name(), tally.of(*it))).filter_map(counted).collect(),
            by_refusal: CODES.iter().map(|it| (it.name, tally.refused(it.code))).filter_map(counted).collect(),
            slow: tally.slow,
            retries: tally.retries,
            hedged: tally.hedged,
            hedges_won: tally.hedges_won,
            retries_denied: tally.retries_denied,
            queued: tally.queued,
            circuit_changes: tally.circuit_changes,
            hints_merged: tally.hints_merged,
            hints_refused: tally.hints_refused,
            store_failures: tally.store_failures,
        }
    }
}

impl Recent {
    fn of(engine: &Engine, now: Instant) -> Self {
        let oldest = slice_of(now).saturating_sub(SLICES_MAX as u32 - 1);
        let mut recent = Self::default();
        let health = engine.health();
        for seen in
            health.slices.iter().filter(|(slice, _)| **slice >= oldest).flat_map(|(_, reporters)| reporters.values())
        {
            recent.healthy += u64::from(seen.healthy);
            recent.failing += u64::from(seen.failing);
            recent.slow += u64::from(seen.slow);
            recent.duration_ms += u64::from(seen.duration_ms);
        }
        recent
    }

    /// Mean duration, in milliseconds; 0 without attempts. Not in JSON, whose reader divides: writing a fraction would
    /// bring JavaScript 5 KB of float formatting.
    #[must_use]
    pub fn average_ms(&self) -> f64 {
        let attempts = self.healthy + self.failing;
        if attempts == 0 { 0.0 } else { self.duration_ms as f64 / attempts as f64 }
    }
}

impl ConnectionStatus {
    /// What one connection shows.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        Self {
            id: connection.id(),
            state: connection.state().name(),
            created_at_ms: connection.created_at().0,
            last_used_at_ms: connection.last_used_at().0,
            uses: connection.uses(),
            errors: connection.errors(),
            history: connection
                .history()
                .map(|passage| PassageStatus {
                    from: passage.from.name(),
                    to: passage.to.name(),
                    at_ms: passage.at.0,
                    reason: passage.reason.name(),
                })
                .collect(),
        }
    }
}
