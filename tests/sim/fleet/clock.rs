//! Time: one true clock, and one wrong one per isolate.

use seawall::clock::Instant;
use seawall::rng::{Rng, SplitMix};

/// Milliseconds since the world began.
pub(crate) type Ms = u64;

/// What the true clock shows when the world begins: 2026-01-01, in milliseconds since the Unix epoch.
pub(crate) const EPOCH_MS: Ms = 1_767_225_600_000;

/// How wrong clocks are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClockErrors {
    /// No clock is ahead or behind by more than this, in milliseconds.
    pub(crate) skew_max_ms: Ms,
    /// The share of isolates whose clock is set once, by up to twice the skew, so that it stays within it.
    pub(crate) stepping: f64,
    /// A clock moves only every so many milliseconds, as one does that stands still between two answers.
    pub(crate) standstill_ms: Ms,
}

impl ClockErrors {
    /// Clocks that a time service keeps.
    pub(crate) const KEPT: Self = Self { skew_max_ms: 50, stepping: 0.0, standstill_ms: 1 };
    /// As wrong as the core must bear.
    pub(crate) const WILD: Self = Self { skew_max_ms: 5_000, stepping: 0.5, standstill_ms: 40 };
}

/// The clock of one isolate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    skew_ms: i64,
    step_at: Ms,
    stepped_skew_ms: i64,
    standstill_ms: Ms,
}

impl Clock {
    /// A clock that is wrong in a way of its own; it is set, if ever, within `run_ms`.
    pub(crate) fn new(errors: ClockErrors, run_ms: Ms, rng: &mut SplitMix) -> Self {
        let mut skew = || {
            let spread = errors.skew_max_ms as f64;
            (spread * (2.0 * rng.unit() - 1.0)) as i64
        };
        let (skew_ms, stepped_skew_ms) = (skew(), skew());
        let is_stepping = rng.unit() < errors.stepping;
        let step_at = if is_stepping { (rng.unit() * run_ms as f64) as Ms } else { Ms::MAX };
        Self { skew_ms, step_at, stepped_skew_ms, standstill_ms: errors.standstill_ms.max(1) }
    }

    /// What it shows at `at`.
    pub(crate) fn read(&self, at: Ms) -> Instant {
        let skew_ms = if at >= self.step_at { self.stepped_skew_ms } else { self.skew_ms };
        let shown = (EPOCH_MS + at).saturating_add_signed(skew_ms);
        Instant(shown / self.standstill_ms * self.standstill_ms)
    }
}

/// A time between two others, both included.
pub(crate) fn between(low: Ms, high: Ms, rng: &mut SplitMix) -> Ms {
    low + (rng.unit() * (high - low + 1) as f64) as Ms
}

/// A time with this mean, as between two events that know nothing of each other; at least 1 ms.
pub(crate) fn exponential(mean_ms: f64, rng: &mut SplitMix) -> Ms {
    ((-mean_ms * (1.0 - rng.unit()).ln()) as Ms).max(1)
}
