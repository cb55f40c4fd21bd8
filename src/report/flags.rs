//! The flags of an isolate at a glance: what holds, what is wrong with it, and whose users were not split as they should be.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Millis;
use crate::flags::ratio::{Mismatch, RuleRatio};

/// Flags that do not evaluate, of which the names are shown.
pub const FAILING_MAX: usize = 20;
/// Flags whose users were not split as they should be that are shown.
pub const MISMATCHES_MAX: usize = 20;
/// Variants that are named in one sentence.
const NAMED_MAX: usize = 10;
/// The flags that hold in this isolate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FlagsSeen {
    /// Whether definitions were ever taken.
    pub ready: bool,
    /// The edition that its document says.
    pub revision: u64,
    /// The version of the order that holds; 0 for what was deployed with the code.
    pub version: u64,
    /// The version of the list of kills.
    pub kill_version: u64,
    /// How long ago they were last known to be current.
    pub age_ms: Millis,
    /// How many there are.
    pub count: usize,
    /// How many warnings there are about their document, where it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<usize>,
    /// Those that do not evaluate, whoever asks; at most [`FAILING_MAX`].
    pub failing: Vec<String>,
    /// Those whose users were not split as their rules say; at most [`MISMATCHES_MAX`]. It is about experiments, and no database
    /// is worse for it: scores and states are as they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<MismatchSeen>,
    /// The newest edition, if it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedSeen>,
}

/// A flag whose users were not split as its rules say: what an experiment says about them means nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MismatchSeen {
    /// The key of the flag.
    pub flag: String,
    /// By whom it was served: `ofrep`, or `application`.
    pub served_by: &'static str,
    /// What is wrong, in a sentence.
    pub reason: String,
    /// How likely chance is to do that, or worse, over all rules; from 0 to 1.
    pub p_value: f64,
    /// Its rules that were tested, the least likely first.
    pub rules: Vec<SplitSeen>,
}

/// Users of one rule, by variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitSeen {
    /// The rule's `id`, or `#` and its place from 0.
    pub rule: String,
    /// How likely chance is to do that, or worse; from 0 to 1.
    pub p_value: f64,
    /// Those of the sample.
    pub observed: BTreeMap<String, u32>,
    /// Those that there should be.
    pub expected: BTreeMap<String, f64>,
}

impl MismatchSeen {
    /// A mismatch as it is shown.
    #[must_use]
    pub fn of(Mismatch { flag, p_value, rules }: Mismatch, served_by: &'static str) -> Self {
        let reason = reason(&flag, p_value, &rules);
        let split = |RuleRatio { rule, p_value, observed, expected }| SplitSeen { rule, p_value, observed, expected };
        Self { flag, served_by, reason, p_value, rules: rules.into_iter().map(split).collect() }
    }
}

/// `Users of button are not split as rule half says: A 20 of 10, B 0 of 10 (p = 7.7e-6).`
fn reason(flag: &str, p_value: f64, rules: &[RuleRatio]) -> String {
    let Some(worst) = rules.first() else {
        return format!("Users of {flag} are not split as its rules say (p = {p_value:.1e}).");
    };
    let counts = worst.observed.iter().take(NAMED_MAX).map(|(variant, count)| {
        let expected = worst.expected.get(variant).copied().unwrap_or_default();
        format!("{variant} {count} of {expected}")
    });
    let more = if worst.observed.len() > NAMED_MAX { ", …" } else { "" };
    let counts = counts.collect::<Vec<_>>().join(", ");
    let rule = &worst.rule;
    format!("Users of {flag} are not split as rule {rule} says: {counts}{more} (p = {p_value:.1e}).")
}

/// An edition that was not taken, and the one before holds on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefusedSeen {
    /// The version of the order.
    pub version: u64,
    /// How many faults it has.
    pub faults: usize,
}
