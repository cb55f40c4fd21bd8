//! What a closed circuit counts, and the rules that open it.
//!
//! The window reaches back a length of time or a number of calls. A window of calls is a window of time whose clock
//! is the call's number. Failures are counted in hundredths, so that a class may weigh more or less than one.

use super::weights::{WHOLE, Weight};
use super::{BreakerConfig, Change, ProbeRule};
use crate::clock::{Instant, Millis};
use crate::policy::window::{Counts, Window};

/// Counts of the recent past.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    window: Window,
    /// Calls so far: the clock of a window of calls.
    calls: u64,
    /// Failures in a row, in hundredths.
    row: u32,
}

impl Tally {
    /// Nothing counted.
    pub(super) fn new(config: &BreakerConfig) -> Self {
        let window = match config.window_calls {
            0 => Window::new(config.window_ms, config.window_buckets),
            calls => Window::new(Millis::from(calls), calls),
        };
        Self { window, calls: 0, row: 0 }
    }

    /// Failures in the window; a started one counts.
    pub(super) fn failures(&mut self, config: &BreakerConfig, now: Instant) -> u32 {
        self.counts(config, now).failures.div_ceil(u32::from(WHOLE))
    }

    /// What is in the window, failures in hundredths.
    pub(super) fn counts(&mut self, config: &BreakerConfig, now: Instant) -> Counts {
        self.window.totals(self.clock(config, now))
    }

    /// Failures in a row, in hundredths.
    pub(super) const fn row(&self) -> u32 {
        self.row
    }

    /// Takes over what another breaker counted up to `at`.
    pub(super) fn restore(&mut self, config: &BreakerConfig, counts: Counts, row: u32, at: Instant) {
        self.window.record(counts, self.clock(config, at));
        self.row = row;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.row = 0;
    }

    /// Counts one result and names the first rule that says "open". Asked after every result, because a slow success
    /// can break one too.
    #[inline]
    pub(super) fn observe(
        &mut self,
        config: &BreakerConfig,
        failure: Weight,
        is_slow: bool,
        now: Instant,
    ) -> Option<Change> {
        self.calls = self.calls.saturating_add(1);
        let at = self.clock(config, now);
        let is_failure = failure.hundredths > 0;
        if !failure.is_soft {
            self.row = if is_failure { self.row.saturating_add(u32::from(failure.hundredths)) } else { 0 };
        }
        if is_failure || is_slow {
            let counts = Counts { calls: 1, failures: u32::from(failure.hundredths), slow: u32::from(is_slow) };
            self.window.record(counts, at);
        } else {
            self.window.record_call(at);
            // A plain success breaks no rule but a share that waited for its minimum of calls.
            if config.failure_ratio <= 0.0 && config.slow_ratio <= 0.0 {
                return None;
            }
        }
        if config.corners().asks_failures_only && !is_failure {
            return None;
        }
        self.broken_rule(config, at)
    }

    fn clock(&self, config: &BreakerConfig, now: Instant) -> Instant {
        if config.window_calls > 0 { Instant(self.calls) } else { now }
    }

    fn broken_rule(&mut self, config: &BreakerConfig, at: Instant) -> Option<Change> {
        let totals = self.window.totals(at);
        let reaches = |hundredths: u32, max: u32| max > 0 && hundredths >= max.saturating_mul(u32::from(WHOLE));
        if reaches(self.row, config.consecutive_max) {
            Some(Change::Consecutive)
        } else if reaches(totals.failures, config.failures_max) {
            Some(Change::FailureCount)
        } else {
            let calls_min = match config.window_calls {
                0 => config.calls_min,
                // A minimum that the window can never hold would turn the rule off.
                calls => config.calls_min.min(calls),
            };
            if totals.calls >= calls_min { broken_ratio(config, totals) } else { None }
        }
    }
}

/// The ratio rule that these counts break, if they break one.
fn broken_ratio(config: &BreakerConfig, counts: Counts) -> Option<Change> {
    let breaks = |part: f64, ratio: f64| {
        let limit = ratio * f64::from(counts.calls);
        ratio > 0.0 && part > 0.0 && if config.corners().is_above { part > limit } else { part >= limit }
    };
    if breaks(f64::from(counts.failures) / f64::from(WHOLE), config.failure_ratio) {
        Some(Change::FailureRatio)
    } else if breaks(f64::from(counts.slow), config.slow_ratio) {
        Some(Change::SlowRatio)
    } else {
        None
    }
}

/// What the results of a half-open phase so far decide: `Some(true)` to close, `Some(false)` to open.
pub(super) fn verdict(config: &BreakerConfig, results: Counts, probes_max: u32) -> Option<bool> {
    let is_failure = results.failures > 0;
    let has_all = results.calls >= probes_max;
    match config.corners().probes {
        ProbeRule::InARow | ProbeRule::InARowOf if is_failure => Some(false),
        ProbeRule::InARow => (results.calls >= config.successes_to_close).then_some(true),
        ProbeRule::InARowOf => (results.calls >= config.successes_to_close.min(probes_max)).then_some(true),
        ProbeRule::Ratios if config.failure_ratio <= 0.0 && config.slow_ratio <= 0.0 => has_all.then_some(!is_failure),
        ProbeRule::Ratios => has_all.then(|| broken_ratio(config, results).is_none()),
        ProbeRule::AtMost(share) => {
            let is_over = f64::from(results.failures) > share * f64::from(probes_max) * f64::from(WHOLE);
            if is_over { Some(false) } else { has_all.then_some(true) }
        }
    }
}
