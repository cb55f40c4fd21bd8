//! Neutral scenarios, recorded from other libraries, replayed against this engine on a hand-set clock.
//!
//! `scenarios.json` holds them; `SCENARIOS=<file> cargo test --test conformance scenarios` replays another file. A
//! scenario is a configuration, events and expectations. At one instant the order is: what is due (timers, calls
//! that end), the events as they are written, what came due through them, the expectations. Every field must be
//! read by somebody: an unknown kind, setting, event or expectation fails the scenario.
//!
//! One in three ends is good: **passed**; **differs**, when the scenario records a defect of its source and this
//! engine does not share it; **listed**, when it asks for something that this engine does not offer, with the reason.

mod balancer;
mod breaker;
mod bulkhead;
mod cache;
mod pool;
mod retry;
mod script;
mod timeout;

use std::collections::BTreeMap;
use std::{env, fs};

use script::{Answer, Fields};
use seawall::clock::{Instant, Millis};
use seawall::config::Config;
use seawall::config::parse::parse;
use serde::Deserialize;
use serde_json::{Map, Value};

/// When a scenario starts that does not say: a whole number of every bucket's width.
const START: Millis = 1_700_000_000_000;

/// What a scenario is told to, one per kind. It translates; what it is asked, the policies of this engine answer.
pub(crate) trait Subject {
    /// Carries out all that comes due until `now`, `now` included, in the order of time.
    fn advance(&mut self, now: Instant);

    /// Takes one event. `now` is past everything that was due.
    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit>;

    /// Answers one expectation with what is the case; comparing is the frame's.
    fn look(&mut self, expectation: &Fields, now: Instant) -> Result<Answer, Misfit>;
}

/// Why a subject cannot take part.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// This engine does not offer it, for a reason that a stranger would accept. The scenario is listed.
    NotOffered(&'static str),
    /// Nobody knows the word. The scenario fails.
    Unknown(String),
}

impl Misfit {
    /// A word that is not in the vocabulary.
    pub(crate) fn unknown(what: &str, word: &str) -> Self {
        Self::Unknown(format!("unknown {what} \"{word}\""))
    }
}

/// This engine's own defaults, as a client without settings has them.
pub(crate) fn settings() -> Config {
    parse("{}").expect("the defaults")
}

/// What [`Subject`] a kind of scenario is told to, configured.
fn subject(kind: &str, config: &Fields, start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    match kind {
        "balancer" => balancer::subject(config, start),
        "breaker" => breaker::subject(config, start),
        "bulkhead" => bulkhead::subject(config, start),
        "cache" => cache::subject(config, start),
        "pool" => pool::subject(config, start),
        "retry" => retry::subject(config, start),
        "timeout" => timeout::subject(config, start),
        other => Err(Misfit::unknown("kind", other)),
    }
}

/// One scenario of the file. Times count from its start.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    id: String,
    #[serde(rename = "source")]
    _source: String,
    kind: String,
    title: String,
    config: Map<String, Value>,
    events: Vec<Map<String, Value>>,
    expect: Vec<Map<String, Value>>,
    #[serde(default, rename = "verified")]
    _verified: Value,
    #[serde(default, rename = "notes")]
    _notes: Value,
    /// The expectations are a defect of the source; this text says what is right.
    ours_must_differ: Option<String>,
    /// How far a number may be off.
    #[serde(default)]
    tolerance: f64,
    /// How far a duration may be off. The expectations of these scenarios already leave room on both sides.
    #[serde(default, rename = "tolerance_ms")]
    _tolerance_ms: Value,
    start_epoch_ms: Option<Millis>,
}

/// How a scenario ended.
#[derive(Debug, PartialEq)]
enum Verdict {
    Passed,
    Differs,
    Listed(&'static str),
    Failed(String),
}

/// How one run of events and expectations ended.
enum Run {
    Met,
    Missed(String),
    Misfit(Misfit),
}

impl Scenario {
    fn judge(&self, instead: &BTreeMap<String, Vec<Map<String, Value>>>) -> Verdict {
        let must_differ = self.ours_must_differ.as_deref();
        match (self.run(&self.expect), must_differ) {
            (Run::Met, None) => Verdict::Passed,
            (Run::Missed(miss), None) => Verdict::Failed(miss),
            (Run::Met, Some(text)) => Verdict::Failed(format!("shares the defect of its source; instead: {text}")),
            (Run::Missed(_), Some(_)) => match instead.get(&self.id).map(|expect| self.run(expect)) {
                None | Some(Run::Met) => Verdict::Differs,
                Some(Run::Missed(miss)) => Verdict::Failed(format!("differs, but not as it should: {miss}")),
                Some(Run::Misfit(misfit)) => Verdict::Failed(format!("{misfit:?}")),
            },
            (Run::Misfit(Misfit::NotOffered(reason)), _) => Verdict::Listed(reason),
            (Run::Misfit(Misfit::Unknown(what)), _) => Verdict::Failed(what),
        }
    }

    fn run(&self, expectations: &[Map<String, Value>]) -> Run {
        let start = Instant(self.start_epoch_ms.unwrap_or(START));
        let config = Fields::new(&self.config);
        let mut subject = match subject(&self.kind, &config, start) {
            Ok(subject) => subject,
            Err(misfit) => return Run::Misfit(misfit),
        };
        if let Err(what) = config.all_read() {
            return Run::Misfit(Misfit::Unknown(format!("config: {what}")));
        }
        let mut steps: Vec<(Millis, bool, usize)> = Vec::new();
        for (is_expectation, list) in [(false, self.events.as_slice()), (true, expectations)] {
            for (index, fields) in list.iter().enumerate() {
                let Some(at) = fields.get("t_ms").and_then(Value::as_u64) else {
                    return Run::Misfit(Misfit::Unknown(format!("a step without a whole t_ms: {fields:?}")));
                };
                steps.push((at, is_expectation, index));
            }
        }
        // Stable: events before expectations, each as written.
        steps.sort_by_key(|(at, is_expectation, _)| (*at, *is_expectation));
        let mut met = Ok(());
        for (at, is_expectation, index) in steps {
            let now = start.plus(at);
            subject.advance(now);
            let fields = Fields::new(if is_expectation { &expectations[index] } else { &self.events[index] });
            fields.skip("t_ms");
            let taken = if is_expectation {
                subject.look(&fields, now).and_then(|answer| {
                    let compared = answer.compare(&fields, self.tolerance).map_err(Misfit::Unknown)?;
                    if met.is_ok() {
                        met = compared.map_err(|miss| format!("t {at}: expectation {index}: {miss}"));
                    }
                    Ok(())
                })
            } else {
                subject.event(&fields, now).map(|()| subject.advance(now))
            };
            let step = if is_expectation { "expectation" } else { "event" };
            let read = taken.and_then(|()| fields.all_read().map_err(Misfit::Unknown));
            match read {
                Ok(()) => {}
                Err(Misfit::Unknown(what)) => {
                    return Run::Misfit(Misfit::Unknown(format!("t {at}: {step} {index}: {what}")));
                }
                Err(misfit) => return Run::Misfit(misfit),
            }
        }
        met.map_or_else(Run::Missed, |()| Run::Met)
    }
}

/// Replays every scenario of a file's text and tells of each that failed, with a summary of the others.
fn replay(text: &str, instead: &str) -> Result<String, String> {
    let scenarios: Vec<Value> =
        serde_json::from_str(text).map_err(|error| format!("not a list of scenarios: {error}"))?;
    let instead = serde_json::from_str(instead).map_err(|error| format!("what ours does instead: {error}"))?;
    let (mut passed, mut differs) = (0, 0);
    let mut listed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut failures = Vec::new();
    for scenario in &scenarios {
        let id = scenario["id"].as_str().unwrap_or("without an id").to_owned();
        let (title, verdict) = match Scenario::deserialize(scenario) {
            Ok(scenario) => (scenario.title.clone(), scenario.judge(&instead)),
            Err(error) => (String::new(), Verdict::Failed(error.to_string())),
        };
        match verdict {
            Verdict::Passed => passed += 1,
            Verdict::Differs => differs += 1,
            Verdict::Listed(reason) => listed.entry(reason).or_default().push(id),
            Verdict::Failed(why) => failures.push(format!("FAILED {id} ({title})\n  {why}")),
        }
    }
    let count: usize = listed.values().map(Vec::len).sum();
    let mut report: Vec<String> =
        listed.iter().map(|(reason, ids)| format!("LISTED {}\n  {reason}", ids.join(", "))).collect();
    let is_good = failures.is_empty();
    report.extend(failures.iter().cloned());
    report.push(format!(
        "{} scenarios: {passed} passed, {differs} differ as they must, {count} listed, {} failed",
        scenarios.len(),
        scenarios.len() - passed - differs - count
    ));
    if is_good { Ok(report.join("\n")) } else { Err(report.join("\n")) }
}

const INSTEAD: &str = include_str!("scenarios/instead.json");

#[test]
#[expect(clippy::print_stdout, reason = "the summary is for whoever replays a file")]
fn scenarios_are_met_or_differ_as_they_must() {
    let text = match env::var("SCENARIOS") {
        Ok(path) => fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")),
        Err(_) => include_str!("scenarios.json").to_owned(),
    };
    match replay(&text, INSTEAD) {
        Ok(report) => println!("{report}"),
        Err(report) => panic!("\n{report}"),
    }
}
