//! What a deployment writes, step by step, before anything is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Steps of a plan at most.
pub const STEPS_MAX: usize = 32;
/// Keys that a plan writes at most.
pub const KEYS_MAX: usize = 32;
/// Longest value, in bytes.
pub const VALUE_MAX: usize = 1_000;
/// The share of the canary, in percent.
pub const CANARY_PERCENT: u8 = 5;
/// The shares of the gradual rollout, in percent.
pub const GRADUAL_PERCENT: [u8; 5] = [10, 25, 50, 75, 100];

/// Exact values by key; none where there is no value.
pub type Values = BTreeMap<String, Option<String>>;

/// The phases of a deployment, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Nothing is written: what is counted becomes the baseline.
    Validation,
    /// Monitoring alone is on.
    Monitoring,
    /// A small share gets the new.
    Canary,
    /// A growing share does.
    Gradual,
    /// All do; judged a last time.
    Full,
}

/// One step: what is written when it begins, and for how many that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// Which phase it is of.
    pub phase: Phase,
    /// The share of the traffic that gets the new, 0 to 100.
    pub percent: u8,
    /// What is written, in this order.
    pub writes: Vec<(String, String)>,
    /// Whether somebody must approve before it begins.
    pub needs_approval: bool,
}

/// The usual steps: validation, monitoring, the canary, the gradual rollout and full. `monitoring` is written when monitoring
/// begins; `share` makes what is written for a share in percent.
#[must_use]
pub fn usual(monitoring: &[(String, String)], share: impl Fn(u8) -> Vec<(String, String)>) -> Vec<Step> {
    let step = |phase, percent, writes| Step { phase, percent, writes, needs_approval: false };
    let mut steps = vec![
        step(Phase::Validation, 0, Vec::new()),
        step(Phase::Monitoring, 0, monitoring.to_vec()),
        step(Phase::Canary, CANARY_PERCENT, share(CANARY_PERCENT)),
    ];
    steps.extend(GRADUAL_PERCENT.map(|percent| step(Phase::Gradual, percent, share(percent))));
    steps.push(step(Phase::Full, 100, share(100)));
    steps
}

/// What is wrong with a plan; nothing if it may be carried out.
#[must_use]
pub fn problem(steps: &[Step], before: &Values) -> Option<&'static str> {
    let pairs = || steps.iter().zip(steps.iter().skip(1));
    let writes = || steps.iter().flat_map(|step| &step.writes);
    let is_long = |text: &str| text.len() > VALUE_MAX;
    [
        (steps.is_empty() || steps.len() > STEPS_MAX, "a plan has 1 to 32 steps"),
        (before.len() > KEYS_MAX, "a plan writes at most 32 keys"),
        (steps.first().is_some_and(|step| step.phase != Phase::Validation), "a plan begins with validation"),
        (pairs().any(|(one, next)| one.phase > next.phase), "phases are in order"),
        (pairs().any(|(one, next)| one.percent > next.percent), "shares never fall"),
        (steps.iter().any(|step| step.percent > 100), "shares are 0 to 100"),
        (
            steps.iter().any(|step| step.phase == Phase::Validation && !(step.writes.is_empty() && step.percent == 0)),
            "validation writes nothing",
        ),
        (writes().any(|(key, _)| !before.contains_key(key)), "the value before is known of every key that is written"),
        (
            writes().any(|(key, value)| is_long(key) || is_long(value))
                || before.iter().any(|(key, value)| is_long(key) || value.as_deref().is_some_and(is_long)),
            "keys and values have at most 1000 bytes",
        ),
    ]
    .into_iter()
    .find_map(|(is_wrong, problem)| is_wrong.then_some(problem))
}
