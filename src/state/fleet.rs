//! One breaker as all data centres together see it: derived from what each of them stored, never written back.
//!
//! A colo votes when its cell is fresh, or when somebody there counted requests in the last minute; its weight is the
//! number of those requests, at least 1. The view is open when the open colos hold at least a share `quorum` of all
//! weight, so that one bad colo is one vote and no more. Votes are compared as whole numbers: another open colo never
//! turns an open view into a closed one.
//!
//! A healthy colo stores nothing, so it does not vote, and a lone bad one may be the only voter. Hence
//! [`FleetView::is_widespread`], which takes two open colos, is what others act on.
//!
//! With a quorum of 0.5 and three colos of one weight, two open ones make the view open.

use serde::Serialize;

use super::codec;
use super::schema::{Cell, Phase, SLICES_MAX, Snapshot, slice_of};
use crate::clock::{Instant, Millis};

/// Colos in one view; those whose names come first stay.
pub const COLOS_MAX: usize = 400;

/// The longest name of a colo, in bytes.
pub const COLO_LENGTH_MAX: usize = 32;

/// Open colos of which others hear: one may be its own trouble.
const WIDESPREAD_MIN: usize = 2;

/// A quorum is compared in ten-thousandths.
const WHOLE: f64 = 10_000.0;

/// What is asked of the colos.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ballot {
    /// Which breaker.
    pub breaker_id: u32,
    /// No honest cell stays open for longer than this, in milliseconds.
    pub open_max_ms: Millis,
    /// Share of the weight that must be open, 0 to 1; what lies outside is taken for the nearer end. At 0 one open colo
    /// is enough.
    pub quorum: f64,
}

/// A breaker in all colos.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetView {
    /// Whether the open colos reach the quorum. Never without an open colo.
    pub is_open: bool,
    /// Weight of the open colos.
    pub open_weight: u64,
    /// Weight of all colos that vote.
    pub total_weight: u64,
    /// Texts that were no snapshot, or of which the colo's name cannot be one.
    pub skipped: u32,
    /// In the order of their names, at most [`COLOS_MAX`], those that do not vote included.
    pub colos: Vec<ColoView>,
}

/// A breaker in one colo.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColoView {
    /// Its name; empty for isolates that do not know where they are.
    pub colo: String,
    /// `OPEN`, `CLOSED`, or `UNKNOWN` for a colo that does not vote. Probing is still open.
    pub state: &'static str,
    /// Since when it is open or closed, if a fresh cell says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<Millis>,
    /// What its vote weighs; 0 if it does not vote.
    pub weight: u64,
    /// Attempts in the last minute, of the isolates that reported.
    pub requests: u64,
    /// Of those, attempts that failed.
    pub failures: u64,
    /// Isolates there, as far as is known; 0 if nothing is.
    pub isolates: u32,
}

impl FleetView {
    /// The view at `now` from pairs of a colo's name and the text that is stored for it. Two texts of one colo are merged.
    ///
    /// A text that is no snapshot counts for nothing, and what no honest clock could have written says nothing.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>, ballot: &Ballot, now: Instant) -> Self {
        let mut view = Self::default();
        let mut known: Vec<(&str, Snapshot)> = Vec::new();
        for (colo, text) in texts {
            match codec::from_text(text) {
                Ok(mut snapshot) if colo.len() <= COLO_LENGTH_MAX => {
                    snapshot.drop_garbage(now, ballot.open_max_ms);
                    match known.binary_search_by(|(known, _)| known.cmp(&colo)) {
                        Ok(at) => known[at].1.merge(&snapshot),
                        Err(at) => known.insert(at, (colo, snapshot)),
                    }
                    known.truncate(COLOS_MAX);
                }
                _ => view.skipped += 1,
            }
        }
        view.colos =
            known.iter().map(|(colo, snapshot)| ColoView::of(colo, snapshot, ballot.breaker_id, now)).collect();
        view.total_weight = view.colos.iter().map(|colo| colo.weight).sum();
        view.open_weight = view.open().map(|colo| colo.weight).sum();
        // Bounded snapshots of so many colos weigh less than 2^49 together, so neither product overflows.
        let quorum = (ballot.quorum.clamp(0.0, 1.0) * WHOLE + 0.5) as u64;
        let is_reached = view.open_weight * WHOLE as u64 >= quorum * view.total_weight;
        view.is_open = view.open_weight > 0 && is_reached;
        view
    }

    /// Whether it is open, and not by the word of one colo alone.
    #[must_use]
    pub fn is_widespread(&self) -> bool {
        self.is_open && self.open().count() >= WIDESPREAD_MIN
    }

    fn open(&self) -> impl Iterator<Item = &ColoView> {
        self.colos.iter().filter(|colo| colo.state == OPEN)
    }
}

const OPEN: &str = "OPEN";

impl ColoView {
    fn of(colo: &str, snapshot: &Snapshot, breaker_id: u32, now: Instant) -> Self {
        let oldest = slice_of(now).saturating_sub(SLICES_MAX as u32 - 1);
        let slices = snapshot.health.slices.iter().filter(|(slice, _)| **slice >= oldest);
        let (mut healthy, mut failures) = (0, 0);
        for seen in slices.flat_map(|(_, reporters)| reporters.values()) {
            healthy += u64::from(seen.healthy);
            failures += u64::from(seen.failing);
        }
        let requests = healthy + failures;
        let cell = snapshot.cells.get(&breaker_id).filter(|cell| cell.is_fresh(now));
        let (state, since) = match cell {
            Some(Cell { phase: Phase::Open, opened_at, .. }) => (OPEN, Some(opened_at.0)),
            Some(Cell { until, .. }) => ("CLOSED", Some(until.0)),
            None if requests > 0 => ("CLOSED", None),
            None => ("UNKNOWN", None),
        };
        Self {
            colo: colo.to_owned(),
            state,
            since_ms: since,
            weight: requests.max(u64::from(cell.is_some())),
            requests,
            failures,
            isolates: (snapshot.sketch.estimate() + 0.5) as u32,
        }
    }
}
