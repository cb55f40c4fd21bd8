//! The operator's hand: holding a circuit open or closed, letting it go, opening it, starting it anew.

use super::{Breaker, Change, State};
use crate::clock::Instant;
use crate::note::Note;
use crate::policy::Cx;

/// What an operator holds the circuit in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// Open by hand: refuses everything until it is let go.
    Open,
    /// Closed by hand: admits everything and counts nothing.
    Closed,
    /// Admits everything and counts, but never opens.
    Counting,
}

impl Breaker {
    /// Holds the circuit in a state by hand, or lets it go. Let go, it is what it was learning to be: closed and
    /// empty after [`Forced::Closed`], ready to probe after [`Forced::Open`]. Every [`Breaker::isolate`] ends.
    pub fn force(&mut self, forced: Option<Forced>, cx: &mut Cx<'_>) {
        let before = self.state;
        let was_open = self.forced == Some(Forced::Open);
        self.forced = forced;
        self.holders = 0;
        self.ramp = None;
        self.epoch = self.epoch.wrapping_add(1).max(1);
        if let Some(forced) = forced {
            self.settle();
            self.until = cx.now;
            self.state = if forced == Forced::Open { State::Open } else { State::Closed };
        } else if was_open {
            self.probes.begin();
            self.state = if self.config.has_rule() { State::HalfOpen } else { State::Closed };
        }
        if before != self.state {
            cx.notes.push(Note::CircuitChanged { from: before, to: self.state, change: Change::Forced }, cx.now);
        }
    }

    /// Holds the circuit open until as many [`Breaker::release`] have come, or another hand takes over. Changes nothing
    /// while [`Breaker::force`] holds it open.
    pub fn isolate(&mut self, cx: &mut Cx<'_>) {
        if self.forced == Some(Forced::Open) && self.holders == 0 {
            return;
        }
        let holders = self.holders.saturating_add(1);
        if holders == 1 {
            self.force(Some(Forced::Open), cx);
        }
        self.holders = holders;
    }

    /// Ends one [`Breaker::isolate`]; the last lets the circuit go. One too many changes nothing.
    pub fn release(&mut self, cx: &mut Cx<'_>) {
        match self.holders {
            0 => {}
            1 => self.force(None, cx),
            _ => self.holders -= 1,
        }
    }

    /// Opens the circuit for its usual time, as a broken rule would: for an operator, or a health check that failed.
    /// Open or held already, it stays as it is.
    pub fn trip(&mut self, change: Change, cx: &mut Cx<'_>) {
        if self.forced.is_some() || self.state == State::Open {
            return;
        }
        if self.state == State::Closed {
            self.round = 0;
        }
        self.open(change, cx);
    }

    /// Only counts until `at`: a newborn isolate whose first calls pay for its connections does not open.
    pub const fn warm_up(&mut self, at: Instant) {
        self.opens_from = at;
    }

    /// What the circuit is held in, if it is.
    #[must_use]
    pub const fn forced(&self) -> Option<Forced> {
        self.forced
    }

    /// Closes the circuit and forgets counts, force and schedule. Shared knowledge of an open circuit is closed too.
    pub fn reset(&mut self, cx: &mut Cx<'_>) {
        self.forced = None;
        self.holders = 0;
        self.successes = 0;
        self.requests = 0;
        self.close(Change::Reset, cx);
        self.epoch = self.epoch.wrapping_add(1).max(1);
    }
}
