//! A cache in each colo: quick, free, and allowed to forget.

use seawall::rng::SplitMix;

use super::clock::{Ms, between, exponential};
use super::faults::{Faults, Trouble};
use super::kv::Text;

/// Mean time until a value is forgotten, in milliseconds.
const LIFE_MS: f64 = 60_000.0;

/// What the near layers were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NearCounts {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// The near layers of all colos.
pub(crate) struct Near {
    values: Vec<Option<(Text, Ms)>>,
    pub(crate) counts: NearCounts,
}

impl Near {
    pub(crate) fn new(colos: usize) -> Self {
        Self { values: vec![None; colos], counts: NearCounts::default() }
    }

    /// Reads; the time that it takes comes first.
    pub(crate) fn get(&mut self, colo: u16, at: Ms, faults: &Faults, rng: &mut SplitMix) -> (Ms, Option<Text>) {
        self.counts.reads += 1;
        let is_gone = faults.at(at, colo).any(|trouble| matches!(trouble, Trouble::NearGone));
        let value = self.values.get(usize::from(colo)).and_then(Option::as_ref);
        let text = value.filter(|(_, forgotten_at)| at < *forgotten_at && !is_gone).map(|(text, _)| text.clone());
        (between(1, 5, rng), text)
    }

    /// Writes; the last writer wins.
    pub(crate) fn put(&mut self, colo: u16, text: Text, at: Ms, rng: &mut SplitMix) {
        self.counts.writes += 1;
        if let Some(value) = self.values.get_mut(usize::from(colo)) {
            *value = Some((text, at + exponential(LIFE_MS, rng)));
        }
    }
}
