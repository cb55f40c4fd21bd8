//! What a closed circuit counts, and the rules that open it.

use super::{BreakerConfig, Change};
use crate::clock::Instant;
use crate::policy::window::{Counts, Window};

/// Counts of the recent past.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    window: Window,
    consecutive_failures: u32,
}

impl Tally {
    /// Nothing counted.
    pub(super) fn new(config: &BreakerConfig) -> Self {
        Self { window: Window::new(config.window_ms, config.window_buckets), consecutive_failures: 0 }
    }

    /// Failures in the window.
    pub(super) fn failures(&mut self, now: Instant) -> u32 {
        self.window.totals(now).failures
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.consecutive_failures = 0;
    }

    /// Counts one result and names the first rule that says "open". Asked after every result, because a slow success
    /// can break one too.
    pub(super) fn observe(
        &mut self,
        config: &BreakerConfig,
        is_failure: bool,
        is_slow: bool,
        now: Instant,
    ) -> Option<Change> {
        if is_failure || is_slow {
            let counts = Counts { calls: 1, failures: u32::from(is_failure), slow: u32::from(is_slow) };
            self.window.record(counts, now);
            self.consecutive_failures = if is_failure { self.consecutive_failures.saturating_add(1) } else { 0 };
        } else {
            self.window.record_call(now);
            self.consecutive_failures = 0;
            // A plain success breaks no rule but a share that waited for its minimum of calls.
            if config.failure_ratio <= 0.0 && config.slow_ratio <= 0.0 {
                return None;
            }
        }
        self.broken_rule(config, now)
    }

    fn broken_rule(&mut self, config: &BreakerConfig, now: Instant) -> Option<Change> {
        let totals = self.window.totals(now);
        let reaches = |part: u32, ratio: f64| {
            ratio > 0.0
                && part > 0
                && totals.calls >= config.calls_min
                && f64::from(part) >= ratio * f64::from(totals.calls)
        };
        if config.consecutive_max > 0 && self.consecutive_failures >= config.consecutive_max {
            Some(Change::Consecutive)
        } else if config.failures_max > 0 && totals.failures >= config.failures_max {
            Some(Change::FailureCount)
        } else if reaches(totals.failures, config.failure_ratio) {
            Some(Change::FailureRatio)
        } else if reaches(totals.slow, config.slow_ratio) {
            Some(Change::SlowRatio)
        } else {
            None
        }
    }
}
