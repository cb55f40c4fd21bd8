//! A sample of distinct units: the k smallest of all hashes, each with the variant that it got (a "bottom-k sketch").
//!
//! Which units those are depends on nothing but their ids, so a unit that asks a thousand times is in once, what many isolates
//! have seen is the k smallest of all that they keep, and a share of the sample is that share of all.

/// Most units of a sample. With 1,024 and two halves, 45 : 55 is found, and 48 : 52 is not.
pub const SAMPLE_MAX: usize = 1_024;

/// A sample of units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Hashes, rising, each with the place of a variant.
    units: Vec<(u32, u16)>,
}

impl Sample {
    /// Sees a unit. Two with one hash are one, and the smaller variant is its own: so it comes to the same in any order.
    pub fn add(&mut self, hash: u32, variant: u16) {
        let is_full = self.units.len() >= SAMPLE_MAX;
        if is_full && self.units.last().is_some_and(|(greatest, _)| hash > *greatest) {
            return;
        }
        match self.units.binary_search_by(|(found, _)| found.cmp(&hash)) {
            Ok(place) => {
                if let Some((_, found)) = self.units.get_mut(place) {
                    *found = variant.min(*found);
                }
            }
            Err(place) => {
                if is_full {
                    self.units.pop();
                }
                self.units.insert(place, (hash, variant));
            }
        }
    }

    /// Sees all units that another has kept.
    pub fn merge(&mut self, other: &Self) {
        other.units.iter().for_each(|(hash, variant)| self.add(*hash, *variant));
    }

    /// How many of the units got the variant at each place, of so many.
    #[must_use]
    pub fn observed(&self, variants: usize) -> Vec<u32> {
        let mut found = vec![0; variants];
        for (_, variant) in &self.units {
            if let Some(count) = found.get_mut(usize::from(*variant)) {
                *count += 1;
            }
        }
        found
    }
}
