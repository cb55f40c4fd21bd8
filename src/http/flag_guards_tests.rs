use serde_json::json;

use super::*;
use crate::audit::fake::{Host, operated, request};
use crate::report::facts::DatabaseFacts;

fn host(guard: &Value) -> Host {
    let mut host = operated(crate::access::Settings { writes_per_minute: 1_000, ..crate::access::Settings::default() });
    let flags = json!({ "x": { "guard": guard, "rules": [{ "rollout": 50, "serve": "on" }] }, "y": {} });
    let body = json!({ "value": { "version": 1, "flags": flags }, "reason": "a test" });
    let response = host.ask(&request("PUT", "/orders/flags", &[("if-match", "*")], &body.to_string()));
    assert_eq!(response.status, 200, "{}", response.body);
    host
}

fn facts(is_open: bool, failing: u64) -> Facts {
    let mut database = DatabaseFacts { name: "primary".to_owned(), ..DatabaseFacts::default() };
    database.status.breaker.state = if is_open { "OPEN" } else { "CLOSED" }.into();
    database.status.recent.healthy = 100 - failing;
    database.status.recent.failing = failing;
    Facts { databases: vec![database], ..Facts::default() }
}

/// Has the host judge; its facts are these.
fn judged(host: &mut Host, facts: Facts) {
    host.now += INTERVAL_MS;
    host.facts = Some(facts);
    assert!(host.carry_out(begin).is_none_or(|response| [200, 204].contains(&response.status)));
}

fn value_of(host: &Host, name: Name) -> (u64, Value, String) {
    let order = host.strong.get(&name.key()).map(|text| crate::orders::order::Order::read(name, text).unwrap());
    order.map(|order| (order.version, order.value, order.reason)).unwrap_or_default()
}

#[test]
fn a_flag_whose_guard_is_crossed_is_killed_once_with_the_comparison_in_the_record() {
    let mut host = host(&json!({ "errorRate": 5 }));
    judged(&mut host, facts(false, 5));
    assert_eq!(value_of(&host, Name::Kill).0, 0);
    for _ in 0..3 {
        judged(&mut host, facts(true, 12));
    }
    let (version, value, reason) = value_of(&host, Name::Kill);
    assert_eq!((version, value), (1, json!({ "flags": ["x"] })));
    let comparison = "\"x\": 12.0 % of 100 attempts on primary failed in the last minute, more than 5 %";
    assert_eq!(reason, comparison);
    let record = host.strong.iter().rfind(|(key, _)| key.starts_with("audit/0")).map(|(_, text)| text.clone());
    let record: Value = serde_json::from_str(&record.unwrap_or_default()).unwrap_or_default();
    let told = record.to_string();
    assert!(told.contains(&comparison.replace('"', "\\\"")) && told.contains("\"actor\":\"guard\""), "{told}");
}

#[test]
fn a_flag_that_says_to_what_is_lowered_and_stays_there() {
    let mut host = host(&json!({ "circuit": "open", "lowerTo": 2.5 }));
    for _ in 0..3 {
        judged(&mut host, facts(true, 0));
    }
    let (version, value, reason) = value_of(&host, Name::Flags);
    assert_eq!((version, &value["flags"]["x"]["rules"][0]["rollout"]), (2, &json!(2.5)));
    assert_eq!(reason, "\"x\": the circuit of primary is open");
    assert_eq!(value_of(&host, Name::Kill).0, 0);
}

#[test]
fn two_isolates_that_find_the_same_write_it_once() {
    let mut one = host(&json!({ "circuit": "open" }));
    let mut other = host(&json!({ "circuit": "open" }));
    judged(&mut one, facts(true, 0));
    other.strong = one.strong.clone();
    // It has not followed yet, and judges for itself.
    judged(&mut other, facts(true, 0));
    assert_eq!((value_of(&other, Name::Kill).0, other.strong.len()), (1, one.strong.len()));
}

#[test]
fn what_is_let_go_while_its_guard_is_crossed_is_killed_again() {
    let mut host = host(&json!({ "circuit": "open" }));
    judged(&mut host, facts(true, 0));
    let body = json!({ "reason": "try again" }).to_string();
    assert_eq!(host.ask(&request("POST", "/kill/release", &[], &body)).status, 200);
    judged(&mut host, facts(true, 0));
    assert_eq!((value_of(&host, Name::Kill).0, value_of(&host, Name::Kill).1), (3, json!({ "flags": ["x"] })));
    assert_eq!(host.ask(&request("POST", "/kill/release", &[], &body)).status, 200);
    judged(&mut host, facts(false, 0));
    assert_eq!(value_of(&host, Name::Kill).1, json!({}));
}

#[test]
fn without_guards_nobody_is_asked_and_with_them_not_more_often_than_every_five_seconds() {
    let mut unguarded = operated(crate::access::Settings::default());
    unguarded.facts = Some(facts(true, 0));
    assert!(unguarded.carry_out(begin).is_none());
    assert_eq!(unguarded.asked, 0);
    let mut host = host(&json!({ "circuit": "open" }));
    host.facts = Some(facts(false, 0));
    let asked = (0..100)
        .filter(|_| {
            host.now += 100;
            host.carry_out(begin);
            host.asked > 0
        })
        .count();
    assert_eq!(asked, 2);
}
