//! Adaptive limits: how many calls at once a database can take, found from how long it takes for them.
//!
//! Each rule compares a latency with what it is when nothing queues, and moves the limit: [`Gradient2`] and [`Vegas`]
//! after Netflix's concurrency-limits, [`Gradient`] after Envoy's adaptive concurrency. A host feeds one sample per
//! call, or one per window (a percentile of it), which is steadier; what the limit is used for is the bulkhead's.
//!
//! A limit that is not used says nothing: while fewer than half of it are in flight, the first two do not move.

mod gradient;
mod gradient2;
mod vegas;

pub use gradient::{Gradient, GradientConfig};
pub use gradient2::{Gradient2, Gradient2Config};
pub use vegas::{Vegas, VegasConfig};

use crate::clock::Instant;
use crate::rng::Rng;

/// What a call, or a window of calls, tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How long it took, in milliseconds; above 0.
    pub rtt_ms: f64,
    /// How many were in flight when it began, itself included.
    pub in_flight: u32,
    /// Whether it was dropped: timed out, or refused for overload.
    pub is_dropped: bool,
}

/// A limit and the rule that moves it.
#[derive(Clone, Debug)]
pub enum AdaptiveLimit {
    /// Long average against the latest.
    Gradient2(Gradient2),
    /// Calls that seem to queue.
    Vegas(Vegas),
    /// Measured minimum against the latest.
    Gradient(Gradient),
}

impl AdaptiveLimit {
    /// Takes a sample. One whose time is not a number above 0 changes nothing.
    pub fn observe(&mut self, sample: Sample, now: Instant, rng: &mut impl Rng) {
        if !(sample.rtt_ms.is_finite() && sample.rtt_ms > 0.0) {
            return;
        }
        match self {
            Self::Gradient2(rule) => rule.observe(sample),
            Self::Vegas(rule) => rule.observe(sample, rng),
            Self::Gradient(rule) => rule.observe(sample, now, rng),
        }
    }

    /// The limit as the rule knows it, with its fraction.
    #[must_use]
    pub const fn estimate(&self) -> f64 {
        match self {
            Self::Gradient2(rule) => rule.estimate(),
            Self::Vegas(rule) => rule.estimate(),
            Self::Gradient(rule) => rule.estimate(),
        }
    }

    /// Calls at once; at least 1.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        let whole = self.estimate() as u32;
        if whole == 0 { 1 } else { whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    #[test]
    fn a_time_that_is_none_changes_nothing() {
        let config = VegasConfig { initial: 20, max: 1_000, smoothing: 1.0, no_load_rtt_ms: Some(100.0) };
        let mut it = AdaptiveLimit::Vegas(Vegas::new(config));
        for rtt_ms in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let sample = Sample { rtt_ms, in_flight: 20, is_dropped: true };
            it.observe(sample, Instant(0), &mut SplitMix::new(1));
        }
        assert_eq!(it.limit(), 20);
    }
}
