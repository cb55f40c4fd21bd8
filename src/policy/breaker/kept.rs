//! What one breaker hands to its successor: an isolate that is about to go, to the one that takes its place.
//!
//! Unlike a cell, which many isolates read, this goes to one: it holds the counts as well. An open circuit keeps its
//! point in time, so that handing it on makes the outage neither longer nor shorter.

use super::{Breaker, State};
use crate::clock::Instant;
use crate::policy::Cx;
use crate::policy::window::Counts;
use crate::state::schema::Cell;

/// A breaker's knowledge at one point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What other isolates would be told.
    pub cell: Cell,
    /// What was in the window, failures in hundredths.
    pub counts: Counts,
    /// Failures in a row, in hundredths.
    pub row: u32,
    /// When it was kept.
    pub at: Instant,
}

impl Breaker {
    /// What a successor should know. Not what an operator's hand holds.
    #[must_use]
    pub fn keep(&mut self, now: Instant) -> Kept {
        Kept { cell: self.cell, counts: self.tally.counts(&self.config, now), row: self.tally.row(), at: now }
    }

    /// Takes over from another breaker, if this one is closed: its counts, and its outage as advice.
    ///
    /// Returns false, with nothing changed, for what no honest clock could have made.
    pub fn restore(&mut self, kept: Kept, cx: &mut Cx<'_>) -> bool {
        if self.state != State::Closed || kept.at > cx.now || !self.advise(kept.cell, cx) {
            return false;
        }
        if self.state == State::Closed {
            self.tally.restore(&self.config, kept.counts, kept.row, kept.at);
        }
        true
    }
}
