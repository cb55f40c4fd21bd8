//! The view over all colos, and what an isolate makes of it.

use super::Engine;
use crate::clock::Instant;
use crate::policy::Cx;
use crate::state::fleet::{Ballot, FleetView};

impl Engine {
    /// This engine's breaker in all colos, from pairs of a colo's name and the text that is stored for it. Changes nothing.
    #[must_use]
    pub fn fleet<'a>(&self, texts: impl IntoIterator<Item = (&'a str, &'a str)>, now: Instant) -> FleetView {
        let ballot = Ballot {
            breaker_id: self.config.breaker_id,
            open_max_ms: self.config.breaker.open.max_ms.saturating_mul(2),
            quorum: self.config.quorum,
        };
        FleetView::of(texts, &ballot, now)
    }

    /// Takes the fleet's view as advice: [`Breaker::advise_globally`](crate::policy::breaker::Breaker::advise_globally).
    /// Returns whether it changed anything.
    pub fn advise_globally(&mut self, is_open: bool, now: Instant) -> bool {
        is_open && self.breaker.advise_globally(&mut Cx { now, rng: &mut self.rng, notes: &mut self.notes })
    }
}
