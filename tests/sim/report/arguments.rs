//! What the command line asks for.

use crate::fleet::clock::Ms;
use crate::fleet::plan::{Expected, Plan, Policy};

/// How the rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Table,
    Json,
}

/// What is run and how it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) form: Form,
    pub(crate) isolates: Vec<u32>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) seed: u64,
    /// Whether the page and the chart in `docs` are written.
    pub(crate) is_writing: bool,
    outage_ms: Ms,
    life_ms: Option<f64>,
    expected: Expected,
}

const USAGE: &str = "usage: npm run sim -- [--json] [--write] [--quick] [--seed=1] [--isolates=100,1000] [--policy=none,local,naive,cells,cells-near]\n       [--outage-s=180] [--life-s=600] [--expected=1 (times the true number of isolates)]";

impl Arguments {
    /// Reads the words of a command line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and how it should look.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            form: Form::Table,
            isolates: vec![100, 1_000, 10_000, 100_000],
            policies: Policy::ALL.to_vec(),
            seed: 1,
            is_writing: false,
            outage_ms: 180_000,
            life_ms: None,
            expected: Expected::Unknown,
        };
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            let is_known = match name {
                "--json" => {
                    arguments.form = Form::Json;
                    true
                }
                "--write" => {
                    arguments.is_writing = true;
                    true
                }
                "--quick" => {
                    arguments.isolates = vec![100, 1_000];
                    true
                }
                "--isolates" => list(value, &mut arguments.isolates, |text| {
                    text.replace('_', "").parse().ok().filter(|count| (1..=1_000_000).contains(count))
                }),
                "--policy" => list(value, &mut arguments.policies, |text| {
                    Policy::ALL.into_iter().find(|policy| policy.name() == text)
                }),
                "--seed" => value.parse().map(|seed| arguments.seed = seed).is_ok(),
                "--outage-s" => value.parse().map(|s: Ms| arguments.outage_ms = s * 1_000).is_ok(),
                "--life-s" => value.parse().map(|s: f64| arguments.life_ms = Some(s * 1_000.0)).is_ok(),
                "--expected" => value.parse().map(|times| arguments.expected = Expected::Times(times)).is_ok(),
                _ => false,
            };
            if !is_known {
                return Err(format!("{word}: not understood\n{USAGE}"));
            }
        }
        Ok(arguments)
    }

    /// The world of one row.
    pub(crate) fn plan(&self, policy: Policy, isolates: u32) -> Plan {
        let mut plan = Plan::outage(policy, isolates, self.seed, self.outage_ms);
        plan.expected = self.expected;
        if let Some(life_ms) = self.life_ms {
            plan.life_ms = life_ms;
        }
        plan
    }
}

/// Reads a list with commas; false when an element cannot be read.
fn list<T>(text: &str, into: &mut Vec<T>, read: impl Fn(&str) -> Option<T>) -> bool {
    match text.split(',').map(read).collect::<Option<Vec<T>>>() {
        Some(found) => {
            *into = found;
            true
        }
        None => false,
    }
}
