//! How many isolates there are, told from a few of their random ids.
//!
//! A k-minimum-values sketch (Bar-Yossef and others, 2002): ids are uniform, so the `j`-th smallest of `n` ids lies near
//! `j / n` of the range. Merging keeps the smallest of both, which is commutative, associative and idempotent. Ids are
//! kept per [`EPOCH_S`], because isolates come and go.
//!
//! Only isolates that write put in their ids, so some of the smallest may be missing and greater ones be there instead.
//! That can only make `j / (j-th id)` smaller for the `j` concerned; the greatest of them is the estimate. It rather is
//! too high than too low: then fewer isolates take turns, and one probes each time anyway.

use litemap::LiteMap;

/// Ids kept per epoch.
pub const IDS_MAX: usize = 16;

/// Epochs kept; the newest stay.
pub const EPOCHS_MAX: usize = 2;

/// Length of an epoch, in seconds.
pub const EPOCH_S: u32 = 600;

/// The smallest ids of those that reported, per epoch (`floor(unix seconds / 600)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// At most [`EPOCHS_MAX`] epochs of at most [`IDS_MAX`] ids, in ascending order and each once.
    pub epochs: LiteMap<u32, Vec<u32>>,
}

impl Sketch {
    /// Adds one isolate that was alive at `seconds`.
    pub fn add(&mut self, id: u32, seconds: u32) {
        self.epochs.entry(seconds / EPOCH_S).or_default().push(id);
        self.trim();
    }

    /// Takes in another copy.
    pub fn merge(&mut self, other: &Self) {
        for (epoch, ids) in &other.epochs {
            self.epochs.entry(*epoch).or_default().extend(ids);
        }
        self.trim();
    }

    /// Brings a copy that was not made by merging within the bounds.
    pub fn trim(&mut self) {
        for (_, ids) in self.epochs.iter_mut() {
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(IDS_MAX);
        }
        if let Some((&newest_out, _)) =
            self.epochs.len().checked_sub(EPOCHS_MAX + 1).and_then(|at| self.epochs.get_indexed(at))
        {
            self.epochs.retain(|epoch, _| *epoch > newest_out);
        }
    }

    /// Isolates alive in the epoch of which most ids are known, of several the latest; 0 if none is.
    #[must_use]
    #[inline(never)] // A copy in each caller is 0.2 KB of what JavaScript loads.
    pub fn estimate(&self) -> f64 {
        let best = |ids: &Vec<u32>| {
            let estimates = ids.iter().enumerate().map(|(index, id)| (index as f64 + 1.0) / share(*id));
            estimates.fold(0.0, f64::max)
        };
        self.epochs.values().max_by_key(|ids| ids.len()).map_or(0.0, best)
    }

    /// Whether this id, of an isolate alive at `seconds`, would show the estimate to be much too low.
    #[must_use]
    pub fn lacks(&self, id: u32, seconds: u32) -> bool {
        const MUCH: u32 = 4;
        let smallest = self.epochs.get(&(seconds / EPOCH_S)).and_then(|ids| ids.first());
        smallest.is_some_and(|smallest| id < smallest / MUCH)
    }
}

/// An id as a share of the range of ids, greater than 0.
fn share(id: u32) -> f64 {
    const RANGE: f64 = 4_294_967_296.0;
    (f64::from(id) + 1.0) / RANGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, SplitMix};

    fn ids(isolates: u32, rng: &mut SplitMix) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..isolates).map(|_| (rng.bits() >> 32) as u32).collect();
        ids.sort_unstable();
        ids
    }

    /// The middle of 200 estimates, as a multiple of the truth.
    fn median(isolates: u32, known: impl Fn(&[u32]) -> Vec<u32>) -> f64 {
        let mut rng = SplitMix::new(u64::from(isolates));
        let mut errors: Vec<f64> = (0..200)
            .map(|_| {
                let mut sketch = Sketch::default();
                known(&ids(isolates, &mut rng)).iter().for_each(|id| sketch.add(*id, 0));
                sketch.estimate() / f64::from(isolates)
            })
            .collect();
        errors.sort_by(f64::total_cmp);
        errors[100]
    }

    #[test]
    fn a_few_of_the_smallest_ids_tell_five_hundred_from_fifty_thousand() {
        for isolates in [500, 5_000, 50_000] {
            for count in [1, 2, 4, 16] {
                let error = median(isolates, |ids| ids[..count].to_vec());
                assert!((1.0..3.0).contains(&error), "{count} of {isolates}: {error}");
            }
        }
    }

    #[test]
    fn ids_of_others_than_the_smallest_spoil_nothing() {
        let error = median(5_000, |ids| [&ids[..2], &ids[2_000..2_014]].concat());
        assert!((1.0..3.0).contains(&error), "{error}");
    }

    #[test]
    fn a_much_smaller_id_shows_that_there_are_more() {
        let mut sketch = Sketch::default();
        assert!(!sketch.lacks(0, 0), "nothing is known that it could contradict");
        sketch.add(4_000, 0);
        assert!(sketch.lacks(999, 0));
        assert!(!sketch.lacks(1_000, 0) && !sketch.lacks(999, EPOCH_S));
    }

    #[test]
    fn an_old_epoch_gives_way_to_newer_ones() {
        let mut sketch = Sketch::default();
        for epoch in 0..5 {
            sketch.add(epoch, epoch * EPOCH_S);
        }
        assert_eq!(sketch.epochs.keys().copied().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(Sketch::default().estimate(), 0.0);
    }
}
