//! Everything worth counting or logging, as one enum. Never formats.
//!
//! A frequent note only moves a counter. A rare one is also kept, with its time, in a bounded ring until the host
//! takes it for its log.

pub mod times;

use std::collections::VecDeque;

use crate::clock::{Instant, Millis};
use crate::error::{CODES, Code};
use crate::outcome::{OUTCOMES, Outcome};
use crate::policy::breaker::{Change, State};
use times::{Row, Times};

/// Rare notes kept until the host takes them; the oldest make room.
pub const EVENTS_MAX: usize = 128;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// An attempt ended.
    AttemptEnded {
        /// How.
        outcome: Outcome,
        /// Whether that was longer than the slow limit.
        is_slow: bool,
    },
    /// A policy ended a call.
    Refused(Code),
    /// A call waits for a lease.
    Queued,
    /// A failed attempt is made again.
    Retried,
    /// A slow read got a second leg.
    Hedged,
    /// A second leg answered before the first.
    HedgeWon,
    /// A retry was wanted and the budget was empty.
    RetryBudgetSpent,
    /// The breaker changed its state.
    CircuitChanged {
        /// Before.
        from: State,
        /// After.
        to: State,
        /// Why.
        change: Change,
    },
    /// A lease was not given back in time; its slot is free again.
    LeaseLapsed,
    /// A transition that the table does not know was asked for and refused.
    TransitionRefused,
    /// Another isolate's hint was merged.
    HintMerged,
    /// A hint held garbage and was dropped.
    HintRefused,
    /// The store failed or was slow; nothing but the hint is lost.
    StoreFailed,
}

/// Counters since the engine was made. They never decrease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ended attempts by outcome, in the order of [`OUTCOMES`].
    pub outcomes: [u64; OUTCOMES.len()],
    /// Calls that a policy ended, in the order of [`CODES`].
    pub refusals: [u64; CODES.len()],
    /// Attempts that took longer than the slow limit.
    pub slow: u64,
    /// Calls that had to wait for a lease.
    pub queued: u64,
    /// Attempts beyond a call's first.
    pub retries: u64,
    /// Second legs of slow reads.
    pub hedged: u64,
    /// Second legs that answered before the first.
    pub hedges_won: u64,
    /// Retries that the budget did not allow.
    pub retries_denied: u64,
    /// Leases that lapsed.
    pub leases_lapsed: u64,
    /// Refused transitions.
    pub transitions_refused: u64,
    /// State changes of the breaker.
    pub circuit_changes: u64,
    /// Hints merged.
    pub hints_merged: u64,
    /// Hints dropped as garbage.
    pub hints_refused: u64,
    /// Failures of the store.
    pub store_failures: u64,
}

impl Tally {
    /// Ended attempts with this outcome.
    #[must_use]
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Calls ended with this code.
    #[must_use]
    pub const fn refused(&self, code: Code) -> u64 {
        self.refusals[code as usize - 1]
    }

    /// Attempts that the database answered as asked.
    #[must_use]
    pub const fn successful(&self) -> u64 {
        self.of(Outcome::Success)
    }

    /// Attempts that ended in any other way, except that the caller went away.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.outcomes.iter().sum::<u64>() - self.successful() - self.of(Outcome::Aborted)
    }
}

/// The counters and the recent rare notes.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    tally: Tally,
    times: Times,
    events: VecDeque<(Instant, Note)>,
    dropped: u64,
}

impl Notes {
    /// Counts a [`Note::AttemptEnded`]: [`Notes::push`] for what every call notes.
    #[inline]
    pub fn attempt_ended(&mut self, outcome: Outcome, is_slow: bool) {
        let tally = &mut self.tally;
        tally.outcomes[outcome as usize] += 1;
        tally.slow += u64::from(is_slow);
    }

    /// Counts how long something took.
    #[inline]
    pub fn took(&mut self, row: Row, ms: Millis) {
        self.times.took(row, ms);
    }

    /// Counts a retry, by how the attempt before ended.
    pub fn retried_after(&mut self, outcome: Outcome) {
        self.times.retried(outcome);
    }

    /// Counts a note, and keeps it if it is rare.
    pub fn push(&mut self, note: Note, now: Instant) {
        let tally = &mut self.tally;
        match note {
            Note::AttemptEnded { outcome, is_slow } => {
                self.attempt_ended(outcome, is_slow);
                return;
            }
            Note::Refused(code) => {
                tally.refusals[code as usize - 1] += 1;
                return;
            }
            Note::Queued => {
                tally.queued += 1;
                return;
            }
            Note::Retried => {
                tally.retries += 1;
                return;
            }
            Note::Hedged => {
                tally.hedged += 1;
                return;
            }
            Note::HedgeWon => {
                tally.hedges_won += 1;
                return;
            }
            Note::RetryBudgetSpent => tally.retries_denied += 1,
            Note::CircuitChanged { from, to, .. } => {
                tally.circuit_changes += 1;
                self.times.changed(from, to);
            }
            Note::LeaseLapsed => tally.leases_lapsed += 1,
            Note::TransitionRefused => tally.transitions_refused += 1,
            Note::HintMerged => tally.hints_merged += 1,
            Note::HintRefused => tally.hints_refused += 1,
            Note::StoreFailed => tally.store_failures += 1,
        }
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back((now, note));
    }

    /// The counters.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How long things took.
    #[must_use]
    pub const fn times(&self) -> &Times {
        &self.times
    }

    /// Whether rare notes wait to be taken.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Hands over the oldest change of the circuit, and drops the rare notes before it.
    pub fn take_change(&mut self) -> Option<(Instant, State, State, Change)> {
        while let Some((at, note)) = self.events.pop_front() {
            if let Note::CircuitChanged { from, to, change } = note {
                return Some((at, from, to, change));
            }
        }
        None
    }

    /// Hands over the kept notes, oldest first, with how many had to make room since the last time.
    pub fn take_events(&mut self) -> (Vec<(Instant, Note)>, u64) {
        (self.events.drain(..).collect(), std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_notes_are_counted_and_rare_ones_kept_within_a_bound() {
        let mut notes = Notes::default();
        notes.push(Note::AttemptEnded { outcome: Outcome::Busy, is_slow: true }, Instant(1));
        for at in 0..200 {
            notes.push(Note::LeaseLapsed, Instant(at));
        }
        assert_eq!(notes.tally().of(Outcome::Busy), 1);
        assert_eq!(notes.tally().failed(), 1);
        let (events, dropped) = notes.take_events();
        assert_eq!((events.len(), dropped), (EVENTS_MAX, 72));
        assert_eq!(events[0].0, Instant(72));
        assert_eq!(notes.take_events(), (vec![], 0));
    }
}
