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
mod caller;
mod pool;
mod retry;
mod script;
mod timeout;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

    /// What happened in this run that this engine does not offer to do as the source does. A scenario that misses its
    /// expectations then is listed; one that meets them all the same has passed.
    fn caveat(&self) -> Option<&'static str> {
        None
    }
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
    Missed(String, Option<&'static str>),
    Misfit(Misfit),
}

impl Scenario {
    fn judge(&self, instead: &BTreeMap<String, Vec<Map<String, Value>>>) -> Verdict {
        let must_differ = self.ours_must_differ.as_deref();
        match (self.run(&self.expect), must_differ) {
            (Run::Met, None) => Verdict::Passed,
            (Run::Missed(miss, None), None) => Verdict::Failed(miss),
            (Run::Missed(_, Some(reason)), None) => Verdict::Listed(reason),
            (Run::Met, Some(text)) => Verdict::Failed(format!("shares the defect of its source; instead: {text}")),
            (Run::Missed(..), Some(_)) => match instead.get(&self.id).map(|expect| self.run(expect)) {
                None | Some(Run::Met) => Verdict::Differs,
                Some(Run::Missed(miss, _)) => Verdict::Failed(format!("differs, but not as it should: {miss}")),
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
        match met {
            Ok(()) => Run::Met,
            Err(miss) => Run::Missed(miss, subject.caveat()),
        }
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
            Ok(scenario) => {
                let judged = catch_unwind(AssertUnwindSafe(|| scenario.judge(&instead)));
                let verdict = judged.unwrap_or_else(|panic| Verdict::Failed(format!("panicked: {}", told(&*panic))));
                (scenario.title, verdict)
            }
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

fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// What this engine does where its source has a defect, by scenario, as expectations of the same form.
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

/// The runner itself: what it must notice, in a file that nobody's library produced.
mod of_the_runner {
    use std::process::Command;

    use super::{Map, Value, env, fs, replay};
    use serde_json::json;

    const MADE_UP: &str = include_str!("scenarios/made-up.json");

    fn made_up() -> Vec<Value> {
        serde_json::from_str(MADE_UP).unwrap()
    }

    /// The report on the first made-up scenario after a change to it.
    fn changed(change: impl FnOnce(&mut Map<String, Value>)) -> Result<String, String> {
        let mut scenario = made_up().remove(0);
        change(scenario.as_object_mut().unwrap());
        replay(&json!([scenario]).to_string(), "{}")
    }

    #[test]
    fn a_file_whose_expectations_hold_passes() {
        let report = replay(MADE_UP, "{}").unwrap();
        assert!(report.ends_with("3 scenarios: 1 passed, 1 differ as they must, 1 listed, 0 failed"), "{report}");
    }

    /// Runs this binary's own replay on a file, as `SCENARIOS=<file> cargo test --test conformance scenarios` does.
    fn replay_file(name: &str, scenarios: &Value) -> (bool, String) {
        let path = env::temp_dir().join(format!("{name}-{}.json", std::process::id()));
        fs::write(&path, scenarios.to_string()).unwrap();
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "scenarios::scenarios_are_met_or_differ_as_they_must", "--nocapture"])
            .env("SCENARIOS", &path)
            .output()
            .unwrap();
        fs::remove_file(&path).unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), text)
    }

    #[test]
    fn another_file_is_replayed_and_its_wrong_expectation_fails_the_test() {
        let mut scenarios = Value::from(made_up());
        let (is_good, text) = replay_file("seawall-made-up", &scenarios);
        assert!(is_good && text.contains("3 scenarios: 1 passed"), "{text}");
        scenarios[0]["expect"][1]["state"] = json!("closed");
        let (is_good, text) = replay_file("seawall-made-up-wrong", &scenarios);
        assert!(!is_good && text.contains("FAILED made-up-opens"), "{text}");
    }

    #[test]
    fn a_wrong_expectation_fails_with_step_and_both_values() {
        let report = changed(|scenario| scenario["expect"][1]["state"] = json!("closed")).unwrap_err();
        assert!(report.contains("FAILED made-up-opens"), "{report}");
        assert!(report.contains("t 1: expectation 1: state: expected \"closed\", got \"open\""), "{report}");
    }

    #[test]
    fn a_shared_defect_fails_and_so_does_one_that_is_avoided_in_another_way() {
        let mut scenario = made_up().remove(1);
        let id = scenario["id"].as_str().unwrap().to_owned();
        let instead = |state: &str| json!({ &id: [{ "t_ms": 1, "state": state }] }).to_string();
        let text = json!([scenario]).to_string();
        assert!(replay(&text, &instead("open")).is_ok());
        assert!(replay(&text, &instead("half_open")).unwrap_err().contains("differs, but not as it should"));
        scenario["expect"][0]["state"] = json!("open");
        assert!(replay(&json!([scenario]).to_string(), "{}").unwrap_err().contains("shares the defect"));
    }

    #[test]
    fn an_unknown_word_fails_wherever_it_stands() {
        type Change = fn(&mut Map<String, Value>);
        let changes: [(&str, Change); 7] = [
            ("unknown kind \"teapot\"", |scenario| scenario["kind"] = json!("teapot")),
            ("unknown field \"colour\"", |scenario| scenario["config"]["colour"] = json!(1)),
            ("unknown field \"window.colour\"", |scenario| scenario["config"]["window"]["colour"] = json!(1)),
            ("unknown window \"moon\"", |scenario| scenario["config"]["window"]["type"] = json!("moon")),
            ("unknown event \"sing\"", |scenario| scenario["events"][0]["op"] = json!("sing")),
            ("unknown field \"colour\"", |scenario| scenario["events"][0]["colour"] = json!(1)),
            ("unknown field \"colour\"", |scenario| scenario["expect"][0]["colour"] = json!(1)),
        ];
        for (what, change) in changes {
            let report = changed(change).unwrap_err();
            assert!(report.contains(what), "{what}: {report}");
        }
        assert!(changed(|scenario| drop(scenario.insert("colour".to_owned(), json!(1)))).is_err());
    }

    #[test]
    fn a_tolerance_bounds_how_far_a_number_may_be_off() {
        let scenario = |tolerance: f64| {
            json!([{
                "id": "made-up-throttle", "source": "made up", "kind": "retry", "title": "", "tolerance": tolerance,
                "config": { "throttle": { "type": "sre", "k": 2, "window_ms": 1000 } },
                "events": [{ "t_ms": 0, "op": "record", "outcome": "failure", "n": 1 }],
                "expect": [{ "t_ms": 0, "reject_p": 0.49 }]
            }])
            .to_string()
        };
        assert!(replay(&scenario(0.011), "{}").is_ok());
        assert!(replay(&scenario(0.009), "{}").is_err());
    }
}
