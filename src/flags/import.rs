//! Documents of other engines, as ours. From Unleash exactly: no user whose id is ASCII moves. From others by meaning: who is
//! in and what they get is hashed in another way, so users move once, and a warning says so.

pub mod flagd;
mod foreign;
pub mod growthbook;
pub mod launchdarkly;
pub mod unleash;

use serde_json::Value;

use super::fault::Fault;
use super::model::FlagSet;
use crate::orders::json::{self, Problem};

/// What became of a document of another engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Ours. It compiles.
    pub flags: FlagSet,
    /// What is not as it was there.
    pub warnings: Vec<Fault>,
}

/// What is said where users move.
pub const MOVES: &str = "users will move: this engine hashes them in another way, so another share of them is in, and they get other variants";

/// Reads a document of another engine.
pub(super) fn read(text: &str) -> Result<Value, Vec<Fault>> {
    let whole = |problem: String| vec![Fault { path: String::new(), problem }];
    if text.len() > super::model::TEXT_MAX {
        return Err(whole(format!(
            "the document has {} bytes, and at most {} are taken",
            text.len(),
            super::model::TEXT_MAX
        )));
    }
    json::read(text).map_err(|problem| match problem {
        Problem::Malformed(problem) => whole(format!("this is no JSON: {problem}")),
        Problem::Unusable(problem) => whole(problem),
    })
}

/// Reads our form of a document that was translated, which checks all of it: what an importer gives is never less checked.
pub(super) fn checked(document: &Value, mut warnings: Vec<Fault>) -> Result<Imported, Vec<Fault>> {
    let (flags, more) = FlagSet::from_value(document)?;
    warnings.extend(more);
    Ok(Imported { flags, warnings })
}

#[cfg(test)]
mod tests;
