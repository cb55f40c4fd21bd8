//! What can be set about a breaker.

use super::corners::Corners;
use super::schedule::FleetConfig;
use super::weights::Weights;
use crate::clock::Millis;
use crate::policy::backoff::Backoff;

/// When the breaker opens and how it recovers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerConfig {
    /// Opens on this many failures in the window; 0 turns the rule off.
    pub failures_max: u32,
    /// Opens when failures / calls reaches this; 0 turns the rule off.
    pub failure_ratio: f64,
    /// Opens when slow / calls reaches this; 0 turns the rule off.
    pub slow_ratio: f64,
    /// Opens on this many failures in a row; 0 turns the rule off.
    pub consecutive_max: u32,
    /// The ratio rules need at least this many calls in the window.
    pub calls_min: u32,
    /// A call that takes longer is slow, in milliseconds; 0 turns slowness off.
    pub slow_ms: Millis,
    /// Whether a slow success counts as a failure.
    pub slow_is_failure: bool,
    /// How far back the window reaches, in milliseconds.
    pub window_ms: Millis,
    /// Buckets in the window.
    pub window_buckets: u32,
    /// Reaches back this many calls instead, at most 1 024; 0 for a window of time. `calls_min` is at most this then.
    pub window_calls: u32,
    /// How much a failure of each class counts.
    pub weights: Weights,
    /// How long it stays open: the first time, and longer each time that a probe fails.
    pub open: Backoff,
    /// Probes in flight at once while half-open; at most [`PROBES_MAX`](super::PROBES_MAX).
    pub probes_max: u32,
    /// Successes in a row that close it again.
    pub successes_to_close: u32,
    /// Where it may differ from what it does by default. Not with the feature `bindings`, whose settings do not reach it.
    pub corners: Corners,
    /// What isolates that share a store do together.
    pub fleet: FleetConfig,
}

impl BreakerConfig {
    /// No setting reaches the corners, so what JavaScript loads does without them: 1 KB less.
    pub(super) const fn corners(&self) -> &Corners {
        if cfg!(feature = "bindings") { &Corners::OURS } else { &self.corners }
    }

    /// Whether anything can open it. Without a rule it is off: others' hints and an earlier opening refuse nothing.
    pub(super) const fn has_rule(&self) -> bool {
        self.failures_max > 0 || self.failure_ratio > 0.0 || self.slow_ratio > 0.0 || self.consecutive_max > 0
    }
}
