//! What the breaker tells other isolates, and what it makes of their word.
//!
//! A [`Cell`] is made when the circuit opens and when it closes again; between them only its age is a reason to tell it
//! anew. Half-open and failed probes follow from it. Others' cells are advice. They open this circuit only if it knows
//! nothing better, and until its turn to probe, which comes before the hint is stale.
//!
//! What the colos think together, told by nobody's cell, is weaker advice: it never opens and never closes anything.

use super::schedule::{SMALL_FLEET, retelling_due};
use super::{Breaker, Change, Search, State, Windows};
use crate::clock::{Instant, Millis};
use crate::note::Note;
use crate::policy::Cx;
use crate::state::schema::{Cell, HINT_LIFE_MS, Phase};

/// An isolate that found the database healthy within this, in milliseconds, knows better than the fleet.
const OWN_WORD_MS: Millis = 60_000;

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

    /// Whether something happened here that the store near by does not know yet; asking answers for it.
    pub const fn take_near_news(&mut self) -> bool {
        std::mem::replace(&mut self.is_near_news, false)
    }

    /// The same, without answering for it.
    #[must_use]
    pub const fn is_near_news(&self) -> bool {
        self.is_near_news
    }

    /// Isolates that share the store, as far as is known; 0 if nothing is.
    #[must_use]
    pub fn fleet_size(&self) -> f64 {
        self.fleet_size.max(f64::from(self.config.fleet.expected))
    }

    /// Takes in how many isolates share the store; 0 if nobody knows. When they are more than was thought, this one may
    /// have to wait longer for its turn.
    pub fn set_fleet_size(&mut self, isolates: f64, now: Instant) {
        let is_larger = isolates > self.fleet_size;
        self.fleet_size = isolates;
        if is_larger && self.state == State::Open && self.cell.phase == Phase::Open && self.until > now {
            self.schedule(Search::After(self.probes.latest_at()), now);
        }
    }

    /// Whether so many isolates share the store that they take turns to probe.
    #[must_use]
    pub fn is_in_fleet(&self) -> bool {
        self.share() < 1.0
    }

    /// Notes that the store holds at least this cell, or another isolate's word for the same recovery.
    pub fn stored(&mut self, cell: Cell) {
        let is_same_close =
            cell.phase == Phase::Closed && (self.cell.generation, self.cell.phase) == (cell.generation, cell.phase);
        if self.cell <= cell || is_same_close {
            self.is_cell_news = false;
            self.known = (self.cell.generation, self.cell.phase);
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
        if cell <= self.cell && !self.yields_to(cell, cx.now) {
            return true;
        }
        let is_another_outage = cell.generation != self.cell.generation;
        self.cell = cell;
        self.known = (cell.generation, cell.phase);
        self.is_cell_news = false;
        self.is_near_news = false;
        cx.notes.push(Note::HintMerged, cx.now);
        if self.forced.is_some() {
            return true;
        }
        let is_taking_calls = self.state == State::Closed || self.ramp.is_some();
        let is_probing = self.state == State::HalfOpen && !is_taking_calls;
        match cell.phase {
            Phase::Closed if !is_taking_calls => self.take_up(Change::Advice, cx),
            Phase::Open
                if is_taking_calls && cell.is_fresh(cx.now) && !self.is_healthier_than(cell)
                    // What was probed under one outage says nothing of the next.
                    || is_probing && is_another_outage =>
            {
                self.opened_at = cell.opened_at;
                self.round = u32::from(cell.round);
                self.until = self.windows(&cell).after(cx.now).start;
                self.schedule(Search::Running, cx.now);
                self.enter(State::Open, Change::Advice, cx);
            }
            Phase::Open if self.state == State::Open && self.until > cx.now => self.schedule(Search::Running, cx.now),
            Phase::Open | Phase::Closed => {}
        }
        true
    }

    /// Takes to heart that the circuit is open in most colos: a closed circuit admits a growing share of its calls for
    /// `ramp_ms`, never none, until its own successes or the end of that time show that all is well here.
    ///
    /// Only where nobody knows better: it changes nothing, and returns false, unless the circuit is closed by itself,
    /// the cell of its own colo is stale or missing, and no attempt of the last minute found the database healthy.
    /// Others are not told.
    pub fn advise_globally(&mut self, cx: &mut Cx<'_>) -> bool {
        let is_closed = self.state == State::Closed && self.forced.is_none() && self.config.has_rule();
        let knows_colo = self.cell != Cell::BOTTOM && self.cell.is_fresh(cx.now);
        let has_own_word = self.healthy_at.is_some_and(|at| cx.now.since(at) < OWN_WORD_MS);
        let is_taken = is_closed && !knows_colo && !has_own_word && self.config.fleet.ramp_ms > 0;
        if is_taken {
            self.take_precaution(cx);
        }
        is_taken
    }

    const fn windows<'a>(&self, cell: &'a Cell) -> Windows<'a> {
        Windows::of(cell, &self.config.open, self.config.fleet.has_near)
    }

    /// Sets the next probe to this isolate's turn, when it is one of a fleet. Where all of a few probe in each window, who
    /// was told of the outage does so at a point of its own, in its first half: there may be more of them than is known.
    pub(super) fn schedule(&mut self, search: Search, now: Instant) {
        let share = self.share();
        if share < 1.0 || (self.fleet_size() > 0.0 && self.cell.writer != self.writer) {
            let windows = self.windows(&self.cell);
            self.until = windows.next_ticket(self.writer, share, search, now);
        }
    }

    /// Makes the cell that tells others. An opening starts a generation; a close ends the one it closes.
    pub(super) fn publish(&mut self, phase: Phase, now: Instant) {
        self.cell = match phase {
            Phase::Open => Cell {
                generation: self.cell.generation.saturating_add(1).max(now.seconds()),
                phase,
                round: 0,
                until: self.until,
                opened_at: self.opened_at,
                writer: self.writer,
            },
            Phase::Closed => Cell { phase, until: now, writer: self.writer, ..self.cell },
        };
        self.is_cell_news = true;
        self.is_near_news = true;
    }

    /// Tells of an outage that goes on, when the time for it has come: others forget stale hints, and take silence
    /// for a sign that nobody probes. A store near by is told of each failed probe.
    pub(super) fn publish_again(&mut self, now: Instant) {
        let is_due = now >= retelling_due(&self.cell);
        if !is_due && !self.config.fleet.has_near {
            return;
        }
        let (round, until) = if self.is_in_fleet() {
            let next = self.windows(&self.cell).after(now);
            (next.number, next.start)
        } else {
            (self.round, self.until)
        };
        let round = u8::try_from(round).unwrap_or(u8::MAX);
        self.cell = Cell { round, until, writer: self.writer, ..self.cell };
        self.is_cell_news |= is_due;
        self.is_near_news = true;
    }

    /// Gives up what nobody was told of, when what turns up makes it needless: an opening when there is a close later
    /// than it, or the outage that it is part of (otherwise its newer generation would outlive the recovery that others
    /// share), and a failed probe when another one was told of lately.
    ///
    /// An outage of which somebody told lately has not ended, so an opening found meanwhile is a part of it.
    fn yields_to(&self, cell: Cell, now: Instant) -> bool {
        self.is_cell_news
            && self.cell.phase == Phase::Open
            && (cell.generation, cell.phase) >= self.known
            && match cell.phase {
                Phase::Closed => cell.until > self.opened_at,
                Phase::Open if (cell.generation, cell.opened_at) == (self.cell.generation, self.cell.opened_at) => {
                    cell.writer != self.writer && now < retelling_due(&cell)
                }
                Phase::Open => self.opened_at.since(cell.until) <= HINT_LIFE_MS / 2,
            }
    }

    /// The share of isolates that hold a ticket at first; 1 and more when each of them does.
    fn share(&self) -> f64 {
        let fleet = self.fleet_size();
        if fleet > SMALL_FLEET {
            return self.config.fleet.probes / fleet;
        }
        // All of them, over the less of a window the fewer they are: half of it for the most.
        2.0 * (SMALL_FLEET - 1.0) / (fleet - 1.0).max(0.001)
    }

    fn is_healthier_than(&self, cell: Cell) -> bool {
        self.healthy_at.is_some_and(|at| at > cell.opened_at)
    }

    fn longest_open_ms(&self) -> Millis {
        let usual = (self.config.open.max_ms as f64 * (1.0 + self.config.open.jitter)).ceil() as Millis;
        self.config.corners().longest_open_ms(usual)
    }
}
