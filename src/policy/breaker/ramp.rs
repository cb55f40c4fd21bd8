//! Coming back together: an isolate that learns of a recovery from others admits a growing share of its calls.
//!
//! The share doubles three times on its way, `p(t) = 2^(3 · (t / length - 1))`: an eighth at first, all at the end. A
//! fleet that learns within a second that the database is back would otherwise return as one wave. What this isolate
//! sees for itself decides sooner: enough successes end the ramp, failures are counted as in a closed circuit.
//!
//! A **precaution** is the same ramp from a closed circuit, when most colos are open and this one has not heard: see
//! [`Breaker::advise_globally`]. It belongs to the closed circuit's epoch, before and after, so that calls that were
//! already out still count.

use std::f64::consts::LN_2;

use super::{Breaker, BreakerAnswer, Change, State, Weight};
use crate::clock::{Instant, Millis};
use crate::policy::Cx;
use crate::rng::Rng;

/// So few isolates are no wave.
const ISOLATES_MIN: f64 = 32.0;
/// Doublings on the way.
const DOUBLINGS: f64 = 3.0;

/// A ramp under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    began_at: Instant,
    successes: u32,
    /// Whether it keeps the epoch of the closed circuit.
    is_precaution: bool,
}

impl Breaker {
    /// Starts to take up traffic, at once where there is no fleet to come back with.
    pub(super) fn take_up(&mut self, change: Change, cx: &mut Cx<'_>) {
        self.settle();
        if self.fleet_size() >= ISOLATES_MIN && self.config.fleet.ramp_ms > 0 {
            self.until = cx.now.plus(self.config.fleet.ramp_ms);
            self.enter(State::HalfOpen, change, cx);
            self.ramp = Some(Ramp { began_at: cx.now, successes: 0, is_precaution: false });
        } else {
            self.enter(State::Closed, change, cx);
        }
    }

    /// Admits a share of the calls of a closed circuit for a while.
    pub(super) fn take_precaution(&mut self, cx: &mut Cx<'_>) {
        let epoch = self.epoch;
        self.until = cx.now.plus(self.config.fleet.ramp_ms);
        self.enter(State::HalfOpen, Change::Advice, cx);
        self.epoch = epoch;
        self.ramp = Some(Ramp { began_at: cx.now, successes: 0, is_precaution: true });
    }

    fn end_ramp(&mut self, cx: &mut Cx<'_>) {
        let epoch = self.epoch;
        let is_precaution = self.ramp.is_some_and(|ramp| ramp.is_precaution);
        self.enter(State::Closed, Change::Recovered, cx);
        if is_precaution {
            self.epoch = epoch;
        }
    }

    pub(super) fn decide_ramping(&mut self, cx: &mut Cx<'_>) -> BreakerAnswer {
        if cx.now >= self.until {
            self.end_ramp(cx);
            return BreakerAnswer::Admit;
        }
        let began_at = self.ramp.map_or(cx.now, |ramp| ramp.began_at);
        if cx.rng.unit() < share(cx.now.since(began_at), self.config.fleet.ramp_ms) {
            BreakerAnswer::Admit
        } else {
            BreakerAnswer::Refuse { retry_at: self.until }
        }
    }

    pub(super) fn observe_ramping(&mut self, failure: Weight, is_slow: bool, cx: &mut Cx<'_>) {
        if failure == Weight::NONE
            && let Some(ramp) = &mut self.ramp
        {
            ramp.successes += 1;
            if ramp.successes >= self.config.successes_to_close {
                self.end_ramp(cx);
                return;
            }
        }
        self.observe_counted(failure, is_slow, cx);
    }
}

/// The share of calls admitted after so long: `2^(DOUBLINGS · (elapsed / length − 1))`, at most 1.
///
/// By whole doublings and a rest. The `exp2` of Rust's library brings a table of 4 KB, and would be its only user.
fn share(elapsed_ms: Millis, length_ms: Millis) -> f64 {
    let doublings = DOUBLINGS * (elapsed_ms as f64 / length_ms as f64 - 1.0);
    let whole = doublings.floor();
    (2.0_f64.powi(whole as i32) * ((doublings - whole) * LN_2).exp()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_from_an_eighth_to_all() {
        let shares = [0, 500, 1_000, 1_500, 2_000, 9_000].map(|ms| share(ms, 1_500));
        assert_eq!(shares[0], 0.125);
        assert_eq!(shares[1], 0.25);
        assert_eq!(shares[2], 0.5);
        assert_eq!(shares[3..], [1.0, 1.0, 1.0]);
    }
}
