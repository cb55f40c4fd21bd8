//! Throttles: the client refuses a share of its own calls while the database refuses them.
//!
//! [`Throttle`] is Google's adaptive throttling: it lets through about `accepts_factor` times what is accepted, so a
//! database in trouble sees little and one that recovers sees more at once, without a half-open state. [`Tokens`] is
//! gRPC's retry throttle: half-empty, it stops every retry and hedge, never a first attempt.

use super::window::{Counts, Window};
use crate::clock::{Instant, Millis};

const BUCKETS: u32 = 24;

/// `p = max(0, (requests − K · accepts) / (requests + 1))` over a window. ("Site Reliability Engineering", chapter
/// 21.) With K = 2 and ten of twenty accepted it refuses nothing; with ten of forty, 49 %.
#[derive(Clone, Debug)]
pub struct Throttle {
    accepts_factor: f64,
    /// Requests, and as failures those that were not accepted.
    window: Window,
}

impl Throttle {
    /// Nothing counted: refuses nothing. `accepts_factor` is K, at least 1.
    #[must_use]
    pub fn new(accepts_factor: f64, window_ms: Millis) -> Self {
        Self { accepts_factor: accepts_factor.max(1.0), window: Window::new(window_ms, BUCKETS) }
    }

    /// Counts a request that was accepted, or was not: refused by the database, or by this throttle.
    pub fn observe(&mut self, is_accepted: bool, now: Instant) {
        self.window.record(Counts { calls: 1, failures: u32::from(!is_accepted), slow: 0 }, now);
    }

    /// The share of calls to refuse, 0 to 1.
    pub fn refused_share(&mut self, now: Instant) -> f64 {
        let counts = self.window.totals(now);
        let (requests, accepts) = (f64::from(counts.calls), f64::from(counts.calls.saturating_sub(counts.failures)));
        ((requests - self.accepts_factor * accepts) / (requests + 1.0)).max(0.0)
    }
}

/// `tokens` from 0 to `max`: a failure takes one, a success gives `ratio` back; more than half allows a retry.
/// (gRPC proposal A6.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tokens {
    tokens: f64,
    max: f64,
    ratio: f64,
}

impl Tokens {
    /// A full bucket.
    #[must_use]
    pub const fn new(max: f64, ratio: f64) -> Self {
        Self { tokens: max, max, ratio }
    }

    /// Counts an attempt.
    pub fn observe(&mut self, is_success: bool) {
        let change = if is_success { self.ratio } else { -1.0 };
        self.tokens = (self.tokens + change).clamp(0.0, self.max.max(0.0));
    }

    /// Whether a retry or a hedge may start. Takes nothing.
    #[must_use]
    pub fn allows(&self) -> bool {
        self.tokens > self.max / 2.0
    }

    /// What is in the bucket.
    #[must_use]
    pub const fn balance(&self) -> f64 {
        self.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_nothing_until_less_than_half_is_accepted() {
        let mut throttle = Throttle::new(2.0, 120_000);
        for is_accepted in [true, false] {
            (0..10).for_each(|_| throttle.observe(is_accepted, Instant(0)));
            assert!(throttle.refused_share(Instant(0)) <= 0.0);
        }
        (0..20).for_each(|_| throttle.observe(false, Instant(1)));
        assert!((throttle.refused_share(Instant(1)) - 20.0 / 41.0).abs() < 1e-9);
        assert!(throttle.refused_share(Instant(200_000)) <= 0.0, "the window has passed");
    }

    #[test]
    fn half_a_bucket_of_tokens_stops_retries_and_successes_fill_it() {
        let mut tokens = Tokens::new(10.0, 0.5);
        (0..4).for_each(|_| tokens.observe(false));
        assert!(tokens.allows());
        tokens.observe(false);
        assert!(!tokens.allows());
        tokens.observe(true);
        assert!(tokens.allows());
    }
}
