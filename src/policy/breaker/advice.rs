//! What the breaker tells other isolates, and what it makes of their word.
//!
//! A [`Cell`] is made when the circuit opens and when it closes again; between them only its age is a reason to tell it
//! anew. Half-open and failed probes follow from it. Others' cells are advice. They open this circuit only if it knows nothing better, and for no
//! longer than until the next probe window.

use super::{Breaker, Change, State};
use crate::clock::{Instant, Millis};
use crate::note::Note;
use crate::policy::Cx;
use crate::state::schema::{Cell, Phase};

/// An outage that goes on is told again when the last telling is this old, in milliseconds.
const RENEWAL_MS: Millis = 60_000;

impl Breaker {
    /// What other isolates should know.
    #[must_use]
    pub const fn cell(&self) -> Cell {
        self.cell
    }

    /// Whether something happened here that the store does not know yet.
    #[must_use]
    pub const fn is_cell_news(&self) -> bool {
        self.is_cell_news
    }

    /// Notes that the store holds at least this cell.
    pub fn stored(&mut self, cell: Cell) {
        if self.cell <= cell {
            self.is_cell_news = false;
        }
    }

    /// Takes other isolates' knowledge as advice.
    ///
    /// An open cell refuses here too, unless an attempt made here after that opening found the database healthy.
    /// A close that is later than our own opening ends it. An older generation changes nothing, and a cell that no
    /// honest clock could have made is dropped: returns false, with nothing changed.
    pub fn advise(&mut self, cell: Cell, cx: &mut Cx<'_>) -> bool {
        if !cell.is_plausible(cx.now, self.longest_open_ms()) {
            cx.notes.push(Note::HintRefused, cx.now);
            return false;
        }
        if cell <= self.cell && !self.yields_to(cell) {
            self.stored(cell);
            return true;
        }
        self.cell = cell;
        self.is_cell_news = false;
        cx.notes.push(Note::HintMerged, cx.now);
        if self.forced.is_some() {
            return true;
        }
        match cell.phase {
            Phase::Closed if self.state != State::Closed => {
                self.settle();
                self.enter(State::Closed, Change::Advice, cx);
            }
            Phase::Open if self.state == State::Closed && cell.is_fresh(cx.now) && !self.is_healthier_than(cell) => {
                self.opened_at = cell.opened_at;
                self.round = u32::from(cell.round);
                self.until = cell.next_window(&self.config.open, cx.now);
                self.enter(State::Open, Change::Advice, cx);
            }
            Phase::Open | Phase::Closed => {}
        }
        true
    }

    /// Makes the cell that tells others. An opening starts a generation; a close ends the one it closes.
    pub(super) fn publish(&mut self, phase: Phase, now: Instant) {
        self.cell = match phase {
            Phase::Open => Cell {
                generation: self.cell.generation.saturating_add(1).max(now.seconds()),
                phase,
                round: self.round_number(),
                until: self.until,
                opened_at: self.opened_at,
                writer: self.writer,
            },
            Phase::Closed => Cell { phase, until: now, writer: self.writer, ..self.cell },
        };
        self.is_cell_news = true;
    }

    /// Tells of an outage that goes on, if it was not told of for a while: other isolates forget stale hints.
    pub(super) fn publish_again(&mut self, now: Instant) {
        if now.since(self.cell.until) > RENEWAL_MS {
            self.cell = Cell { round: self.round_number(), until: self.until, writer: self.writer, ..self.cell };
            self.is_cell_news = true;
        }
    }

    /// Gives up an opening that nobody was told of, when a close later than it, or the outage that it is part of,
    /// turns up: otherwise its newer generation would outlive the recovery that others share.
    fn yields_to(&self, cell: Cell) -> bool {
        self.is_cell_news
            && self.cell.phase == Phase::Open
            && match cell.phase {
                Phase::Closed => cell.until > self.opened_at,
                Phase::Open => cell.until >= self.opened_at,
            }
    }

    fn round_number(&self) -> u8 {
        u8::try_from(self.round).unwrap_or(u8::MAX)
    }

    fn is_healthier_than(&self, cell: Cell) -> bool {
        self.healthy_at.is_some_and(|at| at > cell.opened_at)
    }

    fn longest_open_ms(&self) -> Millis {
        (self.config.open.max_ms as f64 * (1.0 + self.config.open.jitter)).ceil() as Millis
    }
}
