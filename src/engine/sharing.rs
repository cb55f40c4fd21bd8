//! What isolates tell each other through a store: when to read and write it, and what is in the text.
//!
//! Everything here is a hint. A host claims a read or a write, does it when it likes, and says how it went; losing or
//! repeating one changes nothing but what is known how soon.

use super::Engine;
use crate::clock::{Instant, Millis};
use crate::note::Note;
use crate::policy::breaker::State;
use crate::state::codec::{self, Malformed};
use crate::state::schema::{Cell, Phase, Snapshot};
use crate::state::sync::News;

impl Engine {
    /// Claims the one read of the shared state that a cold isolate makes before its first attempt.
    pub fn claim_cold_read(&mut self, now: Instant) -> bool {
        self.sync.claim_cold_read(now)
    }

    /// Claims a read of the shared state, if one is due because of a failure or an open circuit.
    pub fn claim_read(&mut self, now: Instant) -> bool {
        let is_closed = self.breaker.state(now) == State::Closed;
        self.sync.claim_read(is_closed, self.breaker.fleet_size(), now)
    }

    /// Claims a write of the shared state: after how many milliseconds the host should read, merge and write.
    pub fn claim_write(&mut self, now: Instant) -> Option<Millis> {
        const IDS: f64 = 4_294_967_296.0;
        let place = (f64::from(self.id) + 0.5) / IDS;
        self.sync.claim_write(self.news(), place, self.breaker.fleet_size(), now)
    }

    const fn news(&self) -> News {
        match self.breaker.cell().phase {
            _ if self.is_stored() => News::None,
            Phase::Open => News::Outage,
            Phase::Closed => News::Recovery,
        }
    }

    /// Claims a read of the store near by, if there is one and a read is due.
    pub fn claim_near_read(&mut self, now: Instant) -> bool {
        let is_closed = self.breaker.state(now) == State::Closed;
        self.sync.claim_near_read(is_closed, now)
    }

    /// Claims a write of the store near by, if there is one and it does not know the latest news: the host reads,
    /// merges and writes at once. Should that fail, the news is told near by no more.
    pub const fn claim_near_write(&mut self) -> bool {
        self.config.sync.has_near && self.breaker.take_near_news()
    }

    /// Whether it may be time to claim a read or a write of the shared state; cheap enough to ask every time.
    #[must_use]
    pub const fn wants_store(&self) -> bool {
        !self.is_stored()
            || self.sync.is_suspicious()
            || self.breaker.is_troubled()
            || (self.config.sync.has_near && self.breaker.is_near_news())
    }

    /// The text to store: all that this isolate knows.
    #[must_use]
    pub fn export(&self) -> String {
        codec::to_text(&self.snapshot())
    }

    /// Merges text that the store held.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is not a snapshot; nothing is changed then.
    pub fn import(&mut self, text: &str, now: Instant) -> Result<(), Malformed> {
        if let Some(cell) = self.merge(text, now)? {
            self.breaker.stored(cell);
        }
        Ok(())
    }

    /// Merges text that the store near by held. What it holds is still to be told to the other one.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is not a snapshot; nothing is changed then.
    pub fn import_near(&mut self, text: &str, now: Instant) -> Result<(), Malformed> {
        self.merge(text, now).map(|_| ())
    }

    /// Returns the cell of this engine's breaker, if there was one that an honest clock could have made.
    fn merge(&mut self, text: &str, now: Instant) -> Result<Option<Cell>, Malformed> {
        let mut theirs = match codec::from_text(text) {
            Ok(snapshot) => snapshot,
            Err(malformed) => {
                self.notes.push(Note::HintRefused, now);
                return Err(malformed);
            }
        };
        let cell = theirs.cells.get(&self.config.breaker_id).copied();
        theirs.drop_garbage(now, self.config.breaker.open.max_ms.saturating_mul(2));
        self.shared.merge(&theirs);
        self.breaker.set_fleet_size(self.shared.sketch.estimate(), now);
        let cell = cell.filter(|cell| self.breaker.advise(*cell, cx!(self, now)));
        let told = self.breaker.cell();
        self.is_uncounted = told.phase == Phase::Open && self.shared.sketch.lacks(self.id, told.opened_at.seconds());
        Ok(cell)
    }

    /// Whether the store already holds all that this isolate could tell it, after [`Engine::import`].
    #[must_use]
    pub const fn is_stored(&self) -> bool {
        !self.breaker.is_cell_news() && !self.is_uncounted
    }

    /// Notes that the store took `text`, which [`Engine::export`] gave. What happened since is still to be told.
    pub fn stored(&mut self, text: &str) {
        let cell = codec::from_text(text).ok().and_then(|kept| kept.cells.get(&self.config.breaker_id).copied());
        if let Some(cell) = cell {
            self.breaker.stored(cell);
            self.is_uncounted = false;
        }
    }

    /// Counts that the store failed: only the hint is lost.
    pub fn store_failed(&mut self, now: Instant) {
        self.notes.push(Note::StoreFailed, now);
    }

    /// The same for a write, which may have been refused because another isolate was just served: an outage is told
    /// again later, if others did not tell of it.
    pub fn write_failed(&mut self, now: Instant) {
        self.store_failed(now);
        self.sync.write_failed(self.news(), now);
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.shared.clone();
        let mut ours = Snapshot { health: self.health.to_health(), ..Snapshot::default() };
        let cell = self.breaker.cell();
        if cell != Cell::BOTTOM {
            ours.cells.insert(self.config.breaker_id, cell);
            ours.sketch.add(self.id, cell.opened_at.seconds());
        }
        snapshot.merge(&ours);
        // An opening that was given up must not come back from the last merge.
        if cell != Cell::BOTTOM {
            snapshot.cells.insert(self.config.breaker_id, cell);
        }
        snapshot
    }
}
