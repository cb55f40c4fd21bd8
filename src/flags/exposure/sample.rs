//! A sample of distinct units: the k smallest of all hashes, each with the variant that it got (a "bottom-k sketch").
//!
//! Which units those are depends on nothing but their ids, so a unit that asks a thousand times is in once, what many isolates
//! have seen is the k smallest of all that they keep, and a share of the sample is that share of all.
//!
//! Units lie in a table by their hash (open addressing, one place after the other), so that one that is in is found at once. There
//! may be more than k of them: those beyond are left out when anybody looks, and dropped when the table is full.

/// Most units of a sample. With 1,024 and two halves, 45 : 55 is found, and 48 : 52 is not.
pub const SAMPLE_MAX: usize = 1_024;

const SLOTS_MIN: usize = 64;
const SLOTS_MAX: usize = 2 * SAMPLE_MAX;

/// A sample of units.
#[derive(Clone, Debug)]
pub struct Sample {
    /// A power of two of them, at most three quarters taken: the hash, and one more than the place of the variant; 0 for nobody.
    slots: Vec<(u32, u16)>,
    count: usize,
    /// No greater hash is among the k smallest.
    greatest: u32,
}

impl Default for Sample {
    fn default() -> Self {
        Self { slots: Vec::new(), count: 0, greatest: u32::MAX }
    }
}

/// Whether they are samples of the same units.
impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.smallest() == other.smallest()
    }
}

impl Sample {
    /// Sees a unit. Two with one hash are one, and the smaller variant is its own: so it comes to the same in any order.
    #[inline]
    pub fn add(&mut self, hash: u32, variant: u16) {
        if hash > self.greatest {
            return;
        }
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        // Never full: an empty place ends it.
        while let Some((found, kept)) = self.slots.get_mut(at) {
            if *kept == 0 {
                *found = hash;
                *kept = variant.saturating_add(1);
                self.count += 1;
                return self.make_room();
            }
            if *found == hash {
                *kept = variant.saturating_add(1).min(*kept);
                return;
            }
            at = (at + 1) & mask;
        }
        self.slots = vec![(0, 0); SLOTS_MIN];
        self.add(hash, variant);
    }

    /// Grows, or drops what is not among the smallest, when three of four places are taken.
    #[inline]
    fn make_room(&mut self) {
        if 4 * self.count >= 3 * self.slots.len() {
            self.rebuild();
        }
    }

    #[inline(never)]
    fn rebuild(&mut self) {
        let (length, mut units) = (self.slots.len(), self.units());
        if length == SLOTS_MAX {
            units.sort_unstable();
            units.truncate(SAMPLE_MAX);
            self.greatest = units.last().map_or(u32::MAX, |(hash, _)| *hash);
        }
        self.slots = vec![(0, 0); SLOTS_MAX.min(2 * length)];
        self.count = 0;
        units.into_iter().for_each(|(hash, variant)| self.add(hash, variant));
    }

    /// Sees all units that another has kept.
    pub fn merge(&mut self, other: &Self) {
        other.units().into_iter().for_each(|(hash, variant)| self.add(hash, variant));
    }

    /// All that are kept, in no order.
    fn units(&self) -> Vec<(u32, u16)> {
        let unit = |(hash, kept): &(u32, u16)| kept.checked_sub(1).map(|variant| (*hash, variant));
        self.slots.iter().filter_map(unit).collect()
    }

    /// The sample itself.
    fn smallest(&self) -> Vec<(u32, u16)> {
        let mut units = self.units();
        units.sort_unstable();
        units.truncate(SAMPLE_MAX);
        units
    }

    /// How many of the units got the variant at each place, of so many.
    #[must_use]
    pub fn observed(&self, variants: usize) -> Vec<u32> {
        let mut found = vec![0; variants];
        for (_, variant) in self.smallest() {
            if let Some(count) = found.get_mut(usize::from(variant)) {
                *count += 1;
            }
        }
        found
    }
}
