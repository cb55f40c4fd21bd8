//! Budgets for retries that are shared by many calls: over a window of time, or by what is in flight.
//!
//! [`super::retry::Retries`] keeps a token bucket, which suits an isolate that lives for seconds. These two suit a
//! process that lives for long, and say what Finagle and Envoy say.

use super::window::{Counts, Window};
use crate::clock::{Instant, Millis};

/// How much a [`WindowBudget`] allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowBudgetConfig {
    /// How long a call, or a retry, counts, in milliseconds.
    pub ttl_ms: Millis,
    /// Slices of that time; a slice leaves as a whole.
    pub slots: u32,
    /// Retries per second that are allowed whatever the calls were.
    pub min_per_s: f64,
    /// Retries that each call pays in.
    pub ratio: f64,
}

/// `balance = min_per_s · ttl + ratio · calls − retries`, both counted over the last `ttl_ms`; a retry needs 1.
///
/// (Finagle's `RetryBudget`, tower's `TpsBudget`.) With 10 s, 10 per second and 0.2, 100 calls a second may be joined
/// by 30 retries a second.
#[derive(Clone, Debug)]
pub struct WindowBudget {
    config: WindowBudgetConfig,
    /// Calls, and as failures the retries.
    window: Window,
}

impl WindowBudget {
    /// Nothing counted: only the reserve.
    #[must_use]
    pub fn new(config: WindowBudgetConfig) -> Self {
        Self { window: Window::new(config.ttl_ms, config.slots), config }
    }

    /// Counts calls, not their retries.
    pub fn deposit(&mut self, calls: u32, now: Instant) {
        self.window.record(Counts { calls, ..Counts::default() }, now);
    }

    /// Takes one retry, or answers false and takes nothing.
    pub fn withdraw(&mut self, now: Instant) -> bool {
        let is_allowed = self.balance(now) >= 1.0;
        if is_allowed {
            self.window.record(Counts { failures: 1, ..Counts::default() }, now);
        }
        is_allowed
    }

    /// Retries that could be taken at `now`; negative when the calls that paid for them have left.
    pub fn balance(&mut self, now: Instant) -> f64 {
        /// A tenth, ten times, is a whole one.
        const ROUNDING: f64 = 1e-9;
        let counts = self.window.totals(now);
        let reserve = self.config.min_per_s * self.config.ttl_ms as f64 / 1_000.0;
        reserve + self.config.ratio * f64::from(counts.calls) - f64::from(counts.failures) + ROUNDING
    }
}

/// Retries in flight may be at most a share of all that is in flight. (Envoy's `RetryBudget`.)
///
/// With 20 % and at least 3, 100 calls in flight allow 20 retries in flight among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcurrencyBudget {
    /// The share, in per cent.
    pub percent: f64,
    /// Retries that may be in flight whatever else is.
    pub min: u32,
}

impl ConcurrencyBudget {
    /// Whether one more retry may start beside `retries` that are in flight, of `active` calls in all.
    #[must_use]
    pub fn allows(&self, active: u32, retries: u32) -> bool {
        f64::from(retries) < (self.percent / 100.0 * f64::from(active)).max(f64::from(self.min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: WindowBudgetConfig = WindowBudgetConfig { ttl_ms: 10_000, slots: 10, min_per_s: 0.0, ratio: 0.2 };

    #[test]
    fn five_calls_pay_for_one_retry_until_they_leave() {
        let mut budget = WindowBudget::new(CONFIG);
        budget.deposit(4, Instant(0));
        assert!(!budget.withdraw(Instant(1)));
        budget.deposit(6, Instant(2));
        assert!(budget.withdraw(Instant(3)));
        assert!(budget.balance(Instant(3)) >= 1.0);
        assert!(!budget.withdraw(Instant(10_000)));
    }

    #[test]
    fn the_reserve_is_there_at_birth_and_grows_back() {
        let mut budget = WindowBudget::new(WindowBudgetConfig { min_per_s: 1.0, ..CONFIG });
        let taken = |budget: &mut WindowBudget, now| (0..100).filter(|_| budget.withdraw(now)).count();
        assert_eq!(taken(&mut budget, Instant(0)), 10);
        assert_eq!(taken(&mut budget, Instant(9_999)), 0);
        assert_eq!(taken(&mut budget, Instant(10_000)), 10);
    }

    #[test]
    fn retries_in_flight_are_a_share_with_a_floor() {
        let budget = ConcurrencyBudget { percent: 20.0, min: 3 };
        assert!(budget.allows(5, 2) && !budget.allows(5, 3));
        assert!(budget.allows(100, 19) && !budget.allows(100, 20));
    }
}
