//! What is told of evaluations: counts, metrics and the status.

use super::*;
use crate::http::exchange::{Answer, Cx, Next};
use crate::http::routes;
use crate::report::facts::{DatabaseFacts, ExposureFacts, Facts};

#[test]
fn what_is_served_is_counted_and_contexts_are_not() {
    let mut host = served();
    for _ in 0..3 {
        host.flag("all", &about("somebody"));
    }
    host.flag("dark", &about("somebody"));
    host.flag("no-such-flag", &about("somebody"));
    host.ask(&request("POST", ALL, &about("somebody")));
    let now = crate::clock::Instant(host.now);
    let counts: Vec<_> =
        host.monitor.flags(now).exposures.iter().map(|(f, v, n)| (f.to_owned(), v.to_owned(), n)).collect();
    assert_eq!(counts, [("all".to_owned(), "on".to_owned(), 3), ("dark".to_owned(), String::new(), 1)]);
}

/// FLG-07: what was served is a counter by flag and variant, and the flags of the host count as well.
#[test]
fn exposures_are_metrics() {
    let mut host = served();
    host.flag("all", &about("u"));
    host.flag("left", &about("u"));
    let exposure = ExposureFacts { flag: "all".to_owned(), variant: "on".to_owned(), count: 4 };
    let facts = Facts { flag_exposures: vec![exposure], ..Facts::default() };
    let samples = host.monitor.measured(&facts);
    let of =
        |flag: &str, variant: &str| samples.get("seawall_flag_exposures_total", &[flag.to_owned(), variant.to_owned()]);
    assert_eq!(of("all", "on"), Some(&crate::metrics::samples::Value::Count(5.0)));
    assert_eq!(of("left", ""), Some(&crate::metrics::samples::Value::Count(1.0)));
}

/// FLG-12: the status says which flags hold, how old they are, and what was refused.
#[test]
fn the_status_tells_of_flags() {
    let mut host = served();
    host.flag("all", &about("u"));
    let status = |host: &mut Host| {
        let now = crate::clock::Instant(host.now + 70);
        let mut cx = Cx { monitor: &mut host.monitor, now, random: 0 };
        let Next::Ask(_, then) = routes::begin(&request("GET", "/api/status", &Value::Null), &mut cx) else { panic!() };
        let facts = Facts { databases: vec![DatabaseFacts::default()], ..Facts::default() };
        let Next::Respond(response) = then(Answer::Facts(facts), &mut cx) else { panic!() };
        json_of(&response)["flags"].clone()
    };
    let count = document()["flags"].as_object().unwrap().len();
    let sound = json!({
        "ready": true, "revision": 42, "version": 1, "kill_version": 0, "age_ms": 70, "count": count, "failing": [],
    });
    assert_eq!(status(&mut host), sound);
    // What is there is no kind that the flag can have.
    host.monitor = world(json!({ "definitions": document(), "variables": { "FEATURE_NEW": "7" } })).monitor;
    host.order("flags", &json!({ "version": 1, "flags": { "new": {} } }));
    let refused = status(&mut host);
    assert_eq!((&refused["version"], &refused["count"], &refused["warnings"]), (&json!(0), &json!(count), &json!(0)));
    assert_eq!(refused["refused"], json!({ "version": 2, "faults": 1 }));
}
