//! Hedging: a second copy of a slow read, and the first success wins.
//!
//! A copy may start when the newest leg has been out for `delay_ms`, or at once when a leg failed in a way that may
//! not happen again. Only reads are copied, and every copy takes a token from the budget that retries take theirs
//! from: the engine asks [`super::retry::Retries::withdraw`] before it starts one. A leg that ends in a success or in
//! an answer that repeating cannot change ends the call; the host cancels the others. (gRPC proposal A6; Dean and
//! Barroso, "The Tail at Scale", 2013: after the 95th percentile a second copy adds 5 % of load.)
//!
//! With 50 ms and two legs, a read whose first leg takes 200 ms and its second 30 ms is answered after 80 ms.

use crate::clock::{Instant, Millis};
use crate::outcome::Outcome;

/// When, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeConfig {
    /// How long the newest leg may be out before the next may start, in milliseconds.
    pub delay_ms: Millis,
    /// Legs in all, the first included; below 2 nothing is hedged.
    pub legs_max: u32,
}

/// The legs of one call: the memory that [`HedgeConfig`] decides from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    started: u32,
    running: u32,
    newest_at: Instant,
    is_hedged: bool,
}

/// Whether another leg may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAnswer {
    /// Now, if the budget allows; [`Race::start`] makes it so.
    Start,
    /// Not before this point in time.
    At(Instant),
    /// Never: the call is not a read, or all legs are out.
    Never,
}

/// What the end of a leg means for its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaceAnswer {
    /// The call ends as this leg did; the host cancels every other leg.
    Ends,
    /// The next leg may start at once, if the budget allows. Without it: [`Race::is_over`] says whether others run.
    Next,
    /// Other legs are still out.
    Waits,
    /// It was the last leg: the call ends as this leg did.
    Over,
}

impl Race {
    /// The first leg starts. `is_read`: a call that is not a read never has a second.
    #[must_use]
    pub const fn new(is_read: bool, now: Instant) -> Self {
        Self { started: 1, running: 1, newest_at: now, is_hedged: is_read }
    }

    /// Another leg starts.
    pub const fn start(&mut self, now: Instant) {
        self.started += 1;
        self.running += 1;
        self.newest_at = now;
    }

    /// Legs started so far.
    #[must_use]
    pub const fn started(&self) -> u32 {
        self.started
    }

    /// Whether no leg is out.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.running == 0
    }

    /// Stops hedging this call: the budget was empty. Legs that are out go on.
    pub const fn stop(&mut self) {
        self.is_hedged = false;
    }
}

impl HedgeConfig {
    /// Whether another leg may start at `now`.
    #[must_use]
    pub fn decide(&self, race: &Race, now: Instant) -> HedgeAnswer {
        if !race.is_hedged || race.started >= self.legs_max || race.is_over() {
            return HedgeAnswer::Never;
        }
        match race.newest_at.plus(self.delay_ms) {
            due if now >= due => HedgeAnswer::Start,
            due => HedgeAnswer::At(due),
        }
    }

    /// Takes in how a leg ended.
    pub fn observe(&self, race: &mut Race, outcome: Outcome) -> RaceAnswer {
        race.running = race.running.saturating_sub(1);
        if !outcome.is_transient() {
            return RaceAnswer::Ends;
        }
        if race.is_hedged && race.started < self.legs_max {
            RaceAnswer::Next
        } else if race.is_over() {
            RaceAnswer::Over
        } else {
            RaceAnswer::Waits
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEDGES: HedgeConfig = HedgeConfig { delay_ms: 50, legs_max: 2 };

    #[test]
    fn a_second_leg_starts_after_the_delay_and_the_first_success_ends_the_call() {
        let mut race = Race::new(true, Instant(0));
        assert_eq!(HEDGES.decide(&race, Instant(49)), HedgeAnswer::At(Instant(50)));
        assert_eq!(HEDGES.decide(&race, Instant(50)), HedgeAnswer::Start);
        race.start(Instant(50));
        assert_eq!(HEDGES.decide(&race, Instant(500)), HedgeAnswer::Never);
        assert_eq!(HEDGES.observe(&mut race, Outcome::Success), RaceAnswer::Ends);
    }

    #[test]
    fn a_write_has_one_leg() {
        let mut race = Race::new(false, Instant(0));
        assert_eq!(HEDGES.decide(&race, Instant(1_000)), HedgeAnswer::Never);
        assert_eq!(HEDGES.observe(&mut race, Outcome::Network), RaceAnswer::Over);
    }

    #[test]
    fn a_failure_starts_the_next_leg_at_once_and_the_last_one_ends_the_call() {
        let mut race = Race::new(true, Instant(0));
        assert_eq!(HEDGES.observe(&mut race, Outcome::ServerError), RaceAnswer::Next);
        race.start(Instant(10));
        assert_eq!(HEDGES.observe(&mut race, Outcome::ServerError), RaceAnswer::Over);
    }

    #[test]
    fn a_failure_beside_a_running_leg_waits_for_it() {
        let mut race = Race::new(true, Instant(0));
        race.start(Instant(50));
        assert_eq!(HEDGES.observe(&mut race, Outcome::Timeout), RaceAnswer::Waits);
        assert!(!race.is_over());
    }

    #[test]
    fn what_repeating_cannot_change_ends_the_call_whatever_else_is_out() {
        let mut race = Race::new(true, Instant(0));
        race.start(Instant(50));
        assert_eq!(HEDGES.observe(&mut race, Outcome::Statement), RaceAnswer::Ends);
    }

    #[test]
    fn an_empty_budget_leaves_the_legs_that_are_out() {
        let mut race = Race::new(true, Instant(0));
        race.stop();
        assert_eq!(HEDGES.decide(&race, Instant(1_000)), HedgeAnswer::Never);
        assert_eq!(HEDGES.observe(&mut race, Outcome::Network), RaceAnswer::Over);
    }
}
