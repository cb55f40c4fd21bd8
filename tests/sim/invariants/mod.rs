//! The ten laws, one per file. Each has a `check` that runs worlds of one seed and returns what broke, and a test that
//! breaks the law on purpose, to show that it would be noticed.

use std::collections::BTreeMap;

use crate::fleet::watch::Moment;

pub(crate) mod advice_harms_nobody;
pub(crate) mod clocks_may_lie;
pub(crate) mod close_on_own_evidence;
pub(crate) mod everybody_comes_back;
pub(crate) mod knowledge_only_grows;
pub(crate) mod merge_in_any_order;
pub(crate) mod probes_are_few;
pub(crate) mod stores_may_die;
pub(crate) mod versions_only_rise;
pub(crate) mod writes_are_rare;

/// Runs the worlds of one seed and returns what broke.
pub(crate) type Check = fn(u64) -> Findings;

/// Every law by its name, as the kept seeds call it.
pub(crate) const LAWS: [(&str, Check); 10] = [
    ("advice_harms_nobody", advice_harms_nobody::check),
    ("clocks_may_lie", clocks_may_lie::check),
    ("close_on_own_evidence", close_on_own_evidence::check),
    ("everybody_comes_back", everybody_comes_back::check),
    ("knowledge_only_grows", knowledge_only_grows::check),
    ("merge_in_any_order", merge_in_any_order::check),
    ("probes_are_few", probes_are_few::check),
    ("stores_may_die", stores_may_die::check),
    ("versions_only_rise", versions_only_rise::check),
    ("writes_are_rare", writes_are_rare::check),
];

/// What broke a law; the first few of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    const MAX: usize = 8;

    /// Writes down what broke, unless enough is written down.
    pub(crate) fn add(&mut self, found: impl FnOnce() -> String) {
        if self.0.len() < Self::MAX {
            self.0.push(found());
        }
    }

    /// Writes down what broke, if it did.
    pub(crate) fn expect(&mut self, holds: bool, found: impl FnOnce() -> String) {
        if !holds {
            self.add(found);
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        other.0.into_iter().for_each(|found| self.add(|| found));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ends the test if anything broke, with what is needed to see it again.
    pub(crate) fn assert_none(&self, law: &str, seed: u64) {
        assert!(
            self.is_empty(),
            "SEED={seed} breaks {law}; keep it as tests/sim/seeds/{law}-{seed}.json\n{}",
            self.0.join("\n")
        );
    }
}

/// One isolate: its slot, and which of those that lived there.
pub(crate) type Who = (u32, u32);

/// What a law remembers of each isolate.
pub(crate) type PerIsolate<T> = BTreeMap<Who, T>;

pub(crate) const fn who(moment: &Moment<'_>) -> Who {
    (moment.slot, moment.life)
}

/// Checks a law for these seeds.
pub(crate) fn hold(law: &str, seeds: std::ops::RangeInclusive<u64>) {
    let check = LAWS.iter().find(|(name, _)| *name == law).unwrap().1;
    for seed in seeds {
        check(seed).assert_none(law, seed);
    }
}
