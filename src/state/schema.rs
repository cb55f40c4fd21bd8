//! The shapes of stored hints, version 1.
//!
//! A breaker is a [`Cell`]; recent health is a [`Health`]; a [`Sketch`] tells how many isolates there are. Half-open is
//! never stored: it follows from the cell and the time. So an outage costs a write when it begins, ever fewer while it
//! lasts, and one when it ends.

use litemap::LiteMap;

use super::sketch::{EPOCH_S, Sketch};
use crate::clock::{Instant, Millis};

/// Clocks of honest isolates differ by at most this, in milliseconds; what lies further ahead is garbage.
pub const SKEW_MAX_MS: Millis = 5_000;

/// An open cell says something about the present for this long after its `until`, in milliseconds.
pub const HINT_LIFE_MS: Millis = 300_000;

/// Breakers in one snapshot; those with the smallest ids stay.
pub const CELLS_MAX: usize = 64;

/// Slices of health in one snapshot; the newest stay.
pub const SLICES_MAX: usize = 6;

/// Length of one slice of health, in milliseconds.
pub const SLICE_MS: Millis = 10_000;

/// Reporters in one slice; those with the smallest ids stay, a uniform sample because ids are random.
pub const REPORTERS_MAX: usize = 16;

/// Latency buckets: bucket `i` counts answers that took less than `2^i` ms, the last one all others.
pub const LATENCY_BUCKETS: usize = 14;

/// What a cell says of the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It opened.
    Open = 0,
    /// It closed again: greater than open, so that within a generation the close wins.
    Closed = 1,
}

/// What isolates know of one breaker. Ordered field by field; merging takes the greater.
///
/// A generation is a hybrid logical second: `max(known + 1, unix seconds)`. A newcomer without knowledge therefore
/// still outranks an old close, and a value ahead of every clock shows itself as garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// One per opening.
    pub generation: u32,
    /// Open or closed.
    pub phase: Phase,
    /// Probe windows of this generation that had passed when the cell was made.
    pub round: u8,
    /// Open: when probing may begin. Closed: when it closed.
    pub until: Instant,
    /// When this generation opened.
    pub opened_at: Instant,
    /// Random id of the isolate that made it.
    pub writer: u32,
}

impl Cell {
    /// Knows nothing; merging it changes nothing.
    pub const BOTTOM: Self =
        Self { generation: 0, phase: Phase::Closed, round: 0, until: Instant(0), opened_at: Instant(0), writer: 0 };

    /// Whether an honest isolate could have made it by `now`, if none stays open for longer than `open_max_ms`.
    #[must_use]
    pub fn is_plausible(&self, now: Instant, open_max_ms: Millis) -> bool {
        let latest = now.plus(SKEW_MAX_MS);
        let until_max = match self.phase {
            Phase::Open => latest.plus(open_max_ms),
            Phase::Closed => latest,
        };
        self.generation <= latest.seconds() && self.opened_at <= latest && self.until <= until_max
    }

    /// Whether an open cell still says something about the present.
    #[must_use]
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.since(self.until) <= HINT_LIFE_MS
    }
}

/// What one reporter saw in one slice. Counts only grow while the slice lasts, so the greater copy is the newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Attempts that found the database healthy.
    pub healthy: u32,
    /// Attempts that did not.
    pub failing: u32,
    /// Attempts slower than the limit.
    pub slow: u32,
    /// Sum of durations, in milliseconds.
    pub duration_ms: u32,
    /// Durations, as counts per bucket.
    pub latency: [u16; LATENCY_BUCKETS],
}

/// What reporters saw in the recent past: slice number (`floor(ms / 10 000)`) to reporter id to counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// At most [`SLICES_MAX`] slices of at most [`REPORTERS_MAX`] reporters.
    pub slices: LiteMap<u32, LiteMap<u32, Seen>>,
}

/// Everything that isolates share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Breaker id to cell, at most [`CELLS_MAX`].
    pub cells: LiteMap<u32, Cell>,
    /// Recent health.
    pub health: Health,
    /// Some of the isolates that wrote.
    pub sketch: Sketch,
    /// Sections of a newer version, kept as they came.
    pub unknown: LiteMap<u8, Vec<u8>>,
}

impl Snapshot {
    /// Drops what no honest isolate could have written by `now`.
    pub fn drop_garbage(&mut self, now: Instant, open_max_ms: Millis) {
        self.cells.retain(|_, cell| cell.is_plausible(now, open_max_ms));
        let newest = slice_of(now.plus(SKEW_MAX_MS));
        self.health.slices.retain(|slice, _| *slice <= newest);
        let epoch = now.plus(SKEW_MAX_MS).seconds() / EPOCH_S;
        self.sketch.epochs.retain(|known, _| *known <= epoch);
    }
}

/// The slice that holds a point in time.
#[must_use]
pub fn slice_of(at: Instant) -> u32 {
    u32::try_from(at.0 / SLICE_MS).unwrap_or(u32::MAX)
}

/// The latency bucket of a duration.
#[must_use]
pub fn latency_bucket(duration_ms: Millis) -> usize {
    let bits = Millis::BITS - duration_ms.leading_zeros();
    (bits as usize).min(LATENCY_BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell {
            generation: 100,
            phase: Phase::Open,
            round: 0,
            until: Instant(102_000),
            opened_at: Instant(100_000),
            writer: 1,
        }
    }

    #[test]
    fn a_cell_from_the_future_is_garbage() {
        let now = Instant(100_000);
        assert!(cell().is_plausible(now, 8_000));
        let ahead = [
            Cell { generation: 106, ..cell() },
            Cell { opened_at: Instant(105_001), ..cell() },
            Cell { until: Instant(113_001), ..cell() },
            Cell { phase: Phase::Closed, until: Instant(105_001), ..cell() },
        ];
        for cell in ahead {
            assert!(!cell.is_plausible(now, 8_000), "{cell:?}");
        }
    }

    #[test]
    fn durations_fall_into_powers_of_two() {
        let buckets: Vec<usize> = [0, 1, 2, 3, 4, 4_095, 4_096, u64::MAX].map(latency_bucket).into();
        assert_eq!(buckets, [0, 1, 2, 2, 3, 12, 13, 13]);
    }
}
