//! How often somebody got which variant of which flag.

use std::collections::BTreeMap;

use crate::metrics::samples::OTHER;

/// Most pairs of a flag and a variant; what comes after is counted as `other`.
pub const PAIRS_MAX: usize = 1_000;

/// Counts since the isolate's start.
#[derive(Clone, Debug, Default)]
pub struct Exposures {
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    pairs: usize,
}

impl Exposures {
    /// Counts one. `variant` is empty where what was served has no name.
    pub fn count(&mut self, flag: &str, variant: &str) {
        if let Some(known) = self.counts.get_mut(flag).and_then(|variants| variants.get_mut(variant)) {
            *known = known.saturating_add(1);
            return;
        }
        let is_full = self.pairs >= PAIRS_MAX;
        let (flag, variant) = if is_full { (OTHER, OTHER) } else { (flag, variant) };
        let count = self.counts.entry(flag.to_owned()).or_default().entry(variant.to_owned()).or_insert_with(|| {
            self.pairs += 1;
            0
        });
        *count = count.saturating_add(1);
    }

    /// All of them, none of them 0: flag, variant, count.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.counts.iter().flat_map(|(flag, variants)| {
            variants.iter().map(move |(variant, count)| (flag.as_str(), variant.as_str(), *count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_bounded_and_nothing_is_lost() {
        let mut exposures = Exposures::default();
        for number in 0..2 * PAIRS_MAX {
            exposures.count(&format!("flag-{number}"), "on");
            exposures.count("flag-0", "on");
        }
        let counts: Vec<_> = exposures.iter().collect();
        assert_eq!(counts.len(), PAIRS_MAX + 1);
        assert_eq!(counts.iter().map(|(_, _, count)| count).sum::<u64>(), 4 * PAIRS_MAX as u64);
        assert!(counts.contains(&(OTHER, OTHER, PAIRS_MAX as u64)));
        assert!(counts.contains(&("flag-0", "on", 1 + 2 * PAIRS_MAX as u64)));
    }
}
