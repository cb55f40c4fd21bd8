//! Second legs of hedged reads. They are rare, so they stand beside the calls and cost those nothing.

use super::step::CallId;
use crate::clock::Instant;
use crate::policy::breaker::Admission;
use crate::policy::hedge::Race;
use crate::policy::lease::Lease;

/// Reads that may be hedged at once.
const LEGS_MAX: usize = 64;

/// An attempt that is out: what comes back when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Out {
    pub(super) admission: Admission,
    pub(super) lease: Option<Lease>,
    pub(super) since: Instant,
}

/// The second leg of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub(super) call: CallId,
    pub(super) out: Out,
    pub(super) race: Race,
}

/// The second legs of one engine, at most one for each call.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs(Vec<Leg>);

impl Legs {
    /// Whether there is none: asked at the end of every attempt.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no more fit.
    pub(super) const fn is_full(&self) -> bool {
        self.0.len() >= LEGS_MAX
    }

    pub(super) fn put(&mut self, leg: Leg) {
        self.0.push(leg);
    }

    pub(super) fn of(&self, call: CallId) -> Option<&Leg> {
        self.0.iter().find(|leg| leg.call == call)
    }

    pub(super) fn take(&mut self, call: CallId) -> Option<Leg> {
        let index = self.0.iter().position(|leg| leg.call == call)?;
        Some(self.0.swap_remove(index))
    }

    /// Forgets legs whose calls are gone: those of cancelled requests, whose leases lapse by themselves.
    pub(super) fn keep(&mut self, is_running: impl Fn(CallId) -> bool) {
        self.0.retain(|leg| is_running(leg.call));
    }
}
