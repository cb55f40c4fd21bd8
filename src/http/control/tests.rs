use super::*;
use crate::access;
use crate::audit::fake::{Host, operated, request};
use crate::orders::order::REASON_MAX;

fn operator() -> Host {
    operated(access::Settings { writes_per_minute: 10_000, ..access::Settings::default() })
}

fn told(host: &mut Host, path: &str, body: &Value) -> (u16, Value) {
    let response = host.ask(&request("POST", path, &[], &body.to_string()));
    (response.status, serde_json::from_str(&response.body).unwrap())
}

fn value_after(host: &mut Host, path: &str, body: &Value) -> Value {
    let (status, order) = told(host, path, body);
    assert_eq!(status, 200, "{order}");
    order["value"].clone()
}

#[test]
fn flags_are_turned_off_and_on_again() {
    let mut host = operator();
    let mut value = |path: &str, body: Value| value_after(&mut host, path, &body);
    assert_eq!(value("/kill", json!({ "reason": "x", "flags": ["a", "b", "a"] })), json!({ "flags": ["a", "b"] }));
    assert_eq!(value("/kill", json!({ "reason": "x", "flags": ["b", "c"] })), json!({ "flags": ["a", "b", "c"] }));
    assert_eq!(value("/kill/release", json!({ "reason": "x", "flags": ["b", "z"] })), json!({ "flags": ["a", "c"] }));
    assert_eq!(value("/kill", json!({ "reason": "x" })), json!({ "all": true, "flags": ["a", "c"] }));
    assert_eq!(value("/kill/release", json!({ "reason": "x" })), json!({}));
}

#[test]
fn circuits_are_held_released_and_reset_and_pools_drained() {
    let mut host = operator();
    let mut value = |path: &str, body: Value| value_after(&mut host, path, &body);
    let reason = || json!({ "reason": "x" });
    let held = value("/circuits/*/hold", json!({ "reason": "x", "state": "closed" }));
    assert_eq!(held["circuits"], json!({ "*": { "hold": "closed", "resets": 0 } }));
    assert_eq!(value("/circuits/*/reset", reason())["circuits"], json!({ "*": { "resets": 1 } }));
    assert_eq!(value("/circuits/*/release", reason())["circuits"], json!({ "*": { "resets": 1 } }));
    let drained = value("/pools/a:1@b.c-d_e/drain", json!({ "reason": "x", "all": true }));
    assert_eq!(drained["pools"], json!({ "a:1@b.c-d_e": { "drains": 1, "all": true } }));
}

/// What nobody has named is free already: it takes none of the places that there are.
#[test]
fn a_release_of_what_was_never_held_takes_no_place() {
    let mut host = operator();
    for number in 0..=DATABASES_MAX {
        let path = format!("/circuits/database-{number}/release");
        assert_eq!(value_after(&mut host, &path, &json!({ "reason": "x" }))["circuits"], json!({}));
    }
    let (status, _) = told(&mut host, "/circuits/primary/hold", &json!({ "reason": "x", "state": "open" }));
    assert_eq!(status, 200);
}

/// H106: a name in the path that is none leads nowhere.
#[test]
fn names_that_are_none_are_not_there() {
    let mut host = operator();
    let long = "a".repeat(NAME_MAX + 1);
    for name in ["%2A", "%2e", "a%2fb", "a b", "a;b", "é", "__proto__", "a\\b", "a\0", "{database}", "**%", &long] {
        let (status, problem) = told(&mut host, &format!("/pools/{name}/drain"), &json!({ "reason": "x" }));
        assert_eq!((status, &problem["code"]), (404, &json!("NOT_FOUND")), "{name}");
    }
    assert!(host.strong.is_empty());
}

/// H062: lists and names of flags, and reasons, have bounds; at the bound a list is taken in no more than linear time.
#[test]
fn lists_of_flags_have_bounds() {
    let mut host = operator();
    let many = |count: usize| (0..count).map(|number| format!("flag {number}")).collect::<Vec<_>>();
    for flags in [
        json!([]),
        json!([""]),
        json!(["a".repeat(crate::flags::model::NAME_MAX + 1)]),
        json!(many(KILLED_MAX + 1)),
        json!([7]),
    ] {
        assert_eq!(told(&mut host, "/kill", &json!({ "reason": "x", "flags": flags })).0, 422);
    }
    assert_eq!(told(&mut host, "/kill", &json!({ "reason": "x", "flags": many(KILLED_MAX) })).0, 200);
    assert_eq!(told(&mut host, "/kill", &json!({ "reason": "x", "flags": ["one more"] })).0, 422);
    assert_eq!(told(&mut host, "/kill", &json!({ "reason": "x", "flags": ["flag 7"] })).0, 200);
    for reason in [json!(""), json!(" \n"), json!("a".repeat(REASON_MAX + 1)), json!(null), json!(7)] {
        assert_eq!(told(&mut host, "/kill", &json!({ "reason": reason })).0, 422, "{reason}");
    }
    for body in [json!({}), json!([]), json!({ "reason": "x", "flag": [] }), json!({ "reason": "x", "constructor": 1 })]
    {
        assert_eq!(told(&mut host, "/kill", &body).0, 422, "{body}");
    }
}

/// H088: too many writes are refused with the time at which there is room, and the kill switch has a budget of its own.
#[test]
fn a_flood_of_circuits_leaves_the_kill_switch_alone() {
    let mut host = operated(access::Settings::default());
    let reset = request("POST", "/circuits/primary/reset", &[], r#"{"reason":"x"}"#);
    let statuses: Vec<u16> = (0..200).map(|_| host.ask(&reset).status).collect();
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 60);
    let limited = host.ask(&reset);
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("1")));
    assert_eq!(told(&mut host, "/kill", &json!({ "reason": "x" })).0, 200);
    assert_eq!(host.strong.keys().filter(|key| crate::audit::seq_of(key).is_some()).count(), 61);
}
