use serde_json::{Value, json};

use super::*;
use crate::audit::fake::Host;
use crate::http::Request;
use crate::orders::write::{Condition, Proposal, decide};

const DAY_MS: u64 = 86_400_000;

/// A host with so many versions of an order, one given each day.
fn host(count: u64) -> Host {
    let mut host = Host::default();
    for version in 1..=count {
        let current = host.strong.get(&Name::Flags.key()).cloned();
        let proposal = Proposal {
            name: Name::Flags,
            condition: Condition::Any,
            value: json!({ "version": 1, "revision": version }),
            by: "ada".to_owned(),
            reason: format!("reason {version}"),
        };
        let swap = decide(current.as_deref(), proposal, Instant(host.now), version).unwrap();
        host.strong.insert(Name::Flags.key(), swap.text);
        host.strong.extend(current.map(|text| (history_key(Name::Flags, version - 1), text)));
        host.now += DAY_MS;
    }
    host
}

fn asked(host: &mut Host, rest: &str, query: &str) -> (u16, Value) {
    let request = Request { query: query.to_owned(), ..Request::default() };
    let response = host.carry_out(|cx| list(&Call::open(&request, rest), cx)).unwrap();
    (response.status, serde_json::from_str(&response.body).unwrap())
}

fn versions(host: &Host) -> Vec<u64> {
    host.strong.keys().filter_map(|key| version_of(Name::Flags, key)).collect()
}

/// AUD-13: why an order was given is kept and shown with each version that was replaced.
#[test]
fn versions_are_listed_with_who_and_why() {
    let mut host = host(6);
    let (status, page) = asked(&mut host, "flags", "limit=2");
    assert_eq!((status, &page["next"]), (200, &json!(4)));
    assert_eq!(
        page["versions"][0],
        json!({ "version": 5, "updatedAt": "2024-01-05T00:00:00.000Z", "by": "ada", "reason": "reason 5" })
    );
    let (_, page) = asked(&mut host, "flags", "before=3");
    let numbers: Vec<_> =
        page["versions"].as_array().unwrap().iter().map(|version| version["version"].clone()).collect();
    assert_eq!((numbers, &page["next"]), (vec![json!(2), json!(1)], &Value::Null));
    assert_eq!(asked(&mut host, "kill", "").1["versions"], json!([]));
    for (rest, query, status) in
        [("tokens", "", 404), ("nothing", "", 404), ("flags", "limit=51", 400), ("flags", "before=x", 400)]
    {
        assert_eq!(asked(&mut host, rest, query).0, status, "{rest} {query}");
    }
}

#[test]
fn a_version_is_read_whether_it_holds_or_was_replaced() {
    let mut host = host(3);
    let mut read = |version| {
        let response = host.carry_out(|_| show(Name::Flags, version)).unwrap();
        (response.status, serde_json::from_str::<Value>(&response.body).unwrap())
    };
    for version in 1..=3 {
        let (status, order) = read(version);
        assert_eq!(
            (status, &order["value"], &order["version"]),
            (200, &json!({ "version": 1, "revision": version }), &json!(version))
        );
    }
    assert_eq!(read(4).0, 404);
}

/// AUD-10: what was replaced too long ago goes, and what held until lately stays.
#[test]
fn what_was_replaced_too_long_ago_goes() {
    let mut host = host(40);
    let given = host.now;
    let mut at = |days: u64| {
        host.now = given + days * DAY_MS;
        host.carry_out(forget);
        versions(&host)
    };
    assert_eq!(at(0).len(), 39);
    // Version 21 was given 380 days ago now, and held until 379 days ago.
    let kept = at(380);
    assert_eq!((kept.first(), kept.len()), (Some(&17), 23));
    assert_eq!(at(380).len(), 23, "an hour later at the soonest");
    host.now += DAY_MS;
    host.carry_out(forget);
    assert_eq!(versions(&host).first(), Some(&21));
}
