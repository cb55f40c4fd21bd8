//! What all isolates have counted together, as one of eight texts in the strong store.
//!
//! ```text
//! isolate ── delta 7 ──> [ totals + delta 7 │ isolate: 7 ]     swapped in one piece with the number
//!         ── delta 7 ──> known: nothing changes                the answer to the first was lost
//!         ── delta 8 ──> [ totals + delta 8 │ isolate: 8 ]
//! ```
//!
//! An isolate is forgotten [`FORGET_MS`] after it was last heard of, far later than it sends a delta again, so that
//! clocks may differ by minutes. When there is no room for one more, it keeps what it has counted and asks again later.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::business::Declared;
use super::delta::Delta;
use super::samples::Samples;
use crate::clock::{Instant, Millis};

/// Texts in the store.
pub const SHARDS: u64 = 8;
/// Isolates that one text remembers at most.
pub const ISOLATES_MAX: usize = 500;
/// Names of applications' own metrics that one text remembers at most.
const DECLARED_MAX: usize = 100;
/// Longest text, in bytes.
pub const TEXT_MAX: usize = 500_000;
/// An isolate that was not heard of for so long is forgotten, in milliseconds.
pub const FORGET_MS: Millis = 600_000;
/// Levels that are older are those of nobody, in milliseconds.
pub const LEVELS_MS: Millis = 90_000;
/// The version of the text.
const VERSION: u8 = 1;

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in the totals.
    Counted,
    /// It was before.
    Known,
    /// It is of an isolate that is unknown, and may have been counted before that was forgotten.
    Doubtful,
    /// There is no room for one more isolate at the moment. Nothing changed.
    Full,
}

/// One of the texts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Aggregate {
    version: u8,
    #[serde(with = "as_map")]
    isolates: LiteMap<String, Teller>,
    counts: Samples,
    declared: Vec<Declared>,
}

/// What is known of one isolate.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Teller {
    /// Its latest number.
    n: u64,
    /// When it was heard of, by its own clock.
    at: Millis,
    /// Its levels; empty when they are old.
    #[serde(default, skip_serializing_if = "Samples::is_empty")]
    l: Samples,
}

impl Default for Aggregate {
    fn default() -> Self {
        Self { version: VERSION, isolates: LiteMap::new(), counts: Samples::default(), declared: Vec::new() }
    }
}

/// The key of the text in which an isolate of this name is counted.
#[must_use]
pub fn key_of(isolate: &str) -> String {
    let number = u64::from_str_radix(isolate, 16).unwrap_or_default();
    key(number % SHARDS)
}

/// The key of a text.
#[must_use]
pub fn key(shard: u64) -> String {
    format!("metrics/{shard}")
}

impl Aggregate {
    /// Reads a text; nothing is an empty one. `None` for what is no text of this version: it is left as it is.
    #[must_use]
    pub fn read(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::default()) };
        serde_json::from_str(text).ok().filter(|read: &Self| read.version == VERSION)
    }

    /// The text.
    #[must_use]
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Counts a delta, once. `is_doubtful`: it was sent before, longer ago than isolates are remembered for certain.
    pub fn apply(&mut self, delta: &Delta, is_doubtful: bool, now: Instant) -> Applied {
        self.forget(&delta.isolate, now);
        let known = self.isolates.get(&delta.isolate).map(|teller| teller.n);
        match known {
            Some(number) if number >= delta.number => return Applied::Known,
            None if is_doubtful => return Applied::Doubtful,
            None if self.isolates.len() >= ISOLATES_MAX => return Applied::Full,
            _ => {}
        }
        self.counts.merge(&delta.counts);
        for declared in &delta.declared {
            let is_known = self.declared.iter().any(|known| known.name == declared.name);
            if !is_known && self.declared.len() < DECLARED_MAX {
                self.declared.push(declared.clone());
            }
        }
        let teller = Teller { n: delta.number, at: now.0, l: delta.levels.clone() };
        self.isolates.insert(delta.isolate.clone(), teller);
        Applied::Counted
    }

    /// Forgets isolates, and the levels of others, when they are old. `except` is heard of at the moment.
    fn forget(&mut self, except: &str, now: Instant) {
        self.isolates.retain(|isolate, teller| isolate == except || now.since(Instant(teller.at)) < FORGET_MS);
        for (_, teller) in self.isolates.iter_mut() {
            if now.since(Instant(teller.at)) >= LEVELS_MS {
                teller.l = Samples::default();
            }
        }
    }

    /// Adds its totals, and the levels of isolates that were heard of of late, to `samples`; returns of how many.
    /// `except` tells its own levels.
    pub fn add_to(&self, samples: &mut Samples, except: &str, now: Instant) -> usize {
        samples.merge(&self.counts);
        let of_late = self
            .isolates
            .iter()
            .filter(|(isolate, teller)| isolate.as_str() != except && now.since(Instant(teller.at)) < LEVELS_MS);
        of_late.map(|(_, teller)| samples.merge(&teller.l)).count()
    }

    /// Names of applications' own metrics.
    #[must_use]
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// What all have counted.
    #[must_use]
    pub const fn counts(&self) -> &Samples {
        &self.counts
    }
}

/// Isolates as an object.
mod as_map {
    use std::collections::BTreeMap;

    use litemap::LiteMap;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Teller;

    pub(super) fn serialize<S: Serializer>(map: &LiteMap<String, Teller>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LiteMap<String, Teller>, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}
