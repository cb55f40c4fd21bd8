//! Two copies into one. Commutative, associative and idempotent, so copies may meet in any order, any number of times.
//!
//! Cells: the greater. Health: the pointwise maximum per slice and reporter, then the newest slices and, in each
//! slice on its own, the reporters with the smallest ids. (A bound over all slices at once would not be
//! associative: an old slice could push a reporter out before a newer slice pushes the old slice out.) Unknown
//! sections: the greater bytes. Ids of the sketch: the smallest of both, per epoch.

use litemap::LiteMap;

use super::schema::{CELLS_MAX, Cell, Health, LATENCY_BUCKETS, REPORTERS_MAX, SLICES_MAX, Seen, Snapshot};

impl Cell {
    /// The greater of two cells.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Seen {
    /// The pointwise maximum.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let mut latency = [0; LATENCY_BUCKETS];
        for (merged, (left, right)) in latency.iter_mut().zip(self.latency.into_iter().zip(other.latency)) {
            *merged = left.max(right);
        }
        Self {
            healthy: self.healthy.max(other.healthy),
            failing: self.failing.max(other.failing),
            slow: self.slow.max(other.slow),
            duration_ms: self.duration_ms.max(other.duration_ms),
            latency,
        }
    }
}

impl Health {
    /// Takes in another copy.
    pub fn merge(&mut self, other: &Self) {
        for (slice, reporters) in &other.slices {
            let ours = self.slices.entry(*slice).or_default();
            for (reporter, seen) in reporters {
                let known = ours.entry(*reporter).or_default();
                *known = known.merge(*seen);
            }
        }
        self.trim();
    }

    /// Brings a copy that was not made by merging within the bounds.
    pub fn trim(&mut self) {
        for (_, reporters) in self.slices.iter_mut() {
            keep_smallest(reporters, REPORTERS_MAX);
        }
        if let Some((&newest, _)) = self.slices.last() {
            let oldest = newest.saturating_sub(SLICES_MAX as u32 - 1);
            self.slices.retain(|slice, _| *slice >= oldest);
        }
    }
}

impl Snapshot {
    /// Takes in another copy.
    pub fn merge(&mut self, other: &Self) {
        for (id, cell) in &other.cells {
            let known = self.cells.get(id).map_or(*cell, |known| known.merge(*cell));
            self.cells.insert(*id, known);
        }
        keep_smallest(&mut self.cells, CELLS_MAX);
        self.health.merge(&other.health);
        self.sketch.merge(&other.sketch);
        for (tag, bytes) in &other.unknown {
            let ours = self.unknown.entry(*tag).or_default();
            if bytes > ours {
                ours.clone_from(bytes);
            }
        }
    }
}

fn keep_smallest<V>(map: &mut LiteMap<u32, V>, count: usize) {
    if let Some((&first_out, _)) = map.get_indexed(count) {
        map.retain(|key, _| *key < first_out);
    }
}
