use serde_json::{Value, json};

use super::*;
use crate::access::Principal;
use crate::audit::fake::{Fault, Host};
use crate::http::Request;

fn call(method: &str, body: &Value, headers: &[(&str, &str)]) -> Call {
    let all = [("content-type", "application/json")].iter().chain(headers);
    let headers = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Request { method: method.to_owned(), headers, body: body.to_string(), ..Request::default() };
    Call { principal: Principal::admin(), ..Call::open(&request, "") }
}

fn revised(revision: u64) -> Value {
    json!({ "version": 1, "revision": revision })
}

fn given(host: &mut Host, name: Name, value: Value) {
    let (by, reason) = ("ada".to_owned(), "a test".to_owned());
    let current = host.strong.get(&name.key()).cloned();
    let proposal = Proposal { name, condition: Condition::Any, value, by, reason };
    host.random += 1;
    let swap = decide(current.as_deref(), proposal, Instant(host.now), host.random).unwrap();
    host.strong.insert(name.key(), swap.text);
}

fn kept(host: &mut Host) -> Value {
    let response = host.carry_out(|cx| make(&call("GET", &Value::Null, &[]), cx)).unwrap();
    assert_eq!(response.status, 200);
    serde_json::from_str(&response.body).unwrap()
}

fn put_back(host: &mut Host, body: &Value, headers: &[(&str, &str)]) -> (u16, Value) {
    let response = host.carry_out(|cx| restore(&call("POST", body, headers), cx)).unwrap();
    (response.status, serde_json::from_str(&response.body).unwrap())
}

fn value_of(host: &Host, name: Name) -> Value {
    Order::read(name, &host.strong[&name.key()]).unwrap().value
}

/// A host, and a backup of what it held before other orders were given.
fn changed() -> (Host, Value) {
    let mut host = Host::default();
    given(&mut host, Name::Flags, revised(1));
    given(&mut host, Name::Tenants, json!({ "tenants": { "acme": { "tier": "PRO" } } }));
    given(&mut host, Name::Kill, json!({}));
    let backup = kept(&mut host);
    given(&mut host, Name::Flags, revised(2));
    given(&mut host, Name::Tenants, json!({}));
    given(&mut host, Name::Config, json!({ "retry": { "attempts": 3 } }));
    (host, backup)
}

/// CFG-10: a backup comes back, as new versions, in one step, with one record that says what was changed.
#[test]
fn a_backup_comes_back() {
    let (mut host, backup) = changed();
    let before = host.strong.clone();
    let body = json!({ "backup": backup, "reason": "a bad deployment", "dryRun": true });
    let (status, would) = put_back(&mut host, &body, &[]);
    assert_eq!((status, &host.strong), (200, &before), "a dry run changes nothing");
    let body = json!({ "backup": backup, "reason": "a bad deployment" });
    let (status, report) = put_back(&mut host, &body, &[]);
    assert_eq!(status, 200);
    let changes = json!([{ "name": "flags", "from": 2, "to": 3 }, { "name": "tenants", "from": 2, "to": 3 }]);
    assert_eq!((&report["changed"], &would["changed"]), (&changes, &changes));
    assert_eq!(report["unchanged"], json!(["kill"]));
    assert_eq!(report["untouched"], json!(["config", "phase", "control"]));
    assert_eq!(value_of(&host, Name::Flags), revised(1));
    assert_eq!(value_of(&host, Name::Tenants), json!({ "tenants": { "acme": { "tier": "PRO" } } }));
    assert_eq!(host.strong[&history_key(Name::Flags, 2)], before[&Name::Flags.key()]);
    let head = Head::read(&host.strong[HEAD_KEY]).unwrap();
    assert_eq!((head.seq, head.orders["flags"].version, head.orders.len()), (1, 3, 2));
    let record: Value = serde_json::from_str(&host.strong[&crate::audit::key(1)]).unwrap();
    assert_eq!((&record["action"], &record["before"]), (&json!("restore"), &json!({ "flags": 2, "tenants": 2 })));
    assert_eq!((&record["after"]["backup"], &record["reason"]), (&backup["sha256"], &json!("a bad deployment")));
}

/// CFG-10 and H092: whatever is refused leaves every byte as it was.
#[test]
fn what_is_refused_changes_nothing() {
    let (mut host, backup) = changed();
    let before = host.strong.clone();
    let with = |member: &str, value: Value| {
        let mut backup = backup.clone();
        backup[member] = value;
        json!({ "backup": backup, "reason": "why" })
    };
    let table = [
        (with("schema", json!(2)), "BACKUP_NEWER"),
        (with("schema", json!(0)), "BACKUP_UNUSABLE"),
        (with("sha256", json!("0")), "BACKUP_DAMAGED"),
        (with("createdAt", json!("")), "BACKUP_DAMAGED"),
        (with("more", json!(1)), "BACKUP_UNUSABLE"),
        (json!({ "backup": backup }), "BODY_UNUSABLE"),
        (json!({ "backup": backup, "reason": " " }), "BODY_UNUSABLE"),
        (json!({ "backup": backup, "reason": "why", "dryRun": 1 }), "BODY_UNUSABLE"),
        (json!({ "backup": backup, "reason": "why", "force": true }), "BODY_UNUSABLE"),
        (json!({ "reason": "why" }), "BODY_UNUSABLE"),
    ];
    for (body, code) in table {
        let (status, problem) = put_back(&mut host, &body, &[]);
        assert_eq!((status, &problem["code"]), (422, &json!(code)), "{body}");
        assert_eq!(host.strong, before, "{body}");
    }
}

/// What changes between looking and writing is never written over, whether between two requests or within one.
#[test]
fn an_order_that_changed_meanwhile_stays() {
    let (mut host, backup) = changed();
    let dry = json!({ "backup": backup, "reason": "why", "dryRun": true });
    let looked = host.carry_out(|cx| restore(&call("POST", &dry, &[]), cx)).unwrap();
    let etag = looked.header("etag").unwrap().to_owned();
    let body = json!({ "backup": backup, "reason": "why" });
    given(&mut host, Name::Flags, revised(3));
    let before = host.strong.clone();
    let (status, problem) = put_back(&mut host, &body, &[("if-match", &etag)]);
    assert_eq!((status, &problem["code"], &host.strong), (412, &json!("ORDERS_CHANGED"), &before));
    host.before_swap = |swap, strong| {
        if swap == 0 {
            let text = strong[&Name::Tenants.key()].clone();
            let proposal = Proposal {
                name: Name::Tenants,
                condition: Condition::Any,
                value: json!({}),
                by: "bob".to_owned(),
                reason: "first".to_owned(),
            };
            let swap = decide(Some(&text), proposal, Instant(1), 99).unwrap();
            strong.insert(Name::Tenants.key(), swap.text);
        }
    };
    let (status, problem) = put_back(&mut host, &body, &[]);
    assert_eq!((status, &problem["code"]), (409, &json!("RESTORE_CONFLICT")));
    assert_eq!(host.strong[&Name::Flags.key()], before[&Name::Flags.key()], "all of it, or nothing");
    assert!(!host.strong.contains_key(HEAD_KEY));
}

/// Wherever the host dies or an answer gets lost: all orders are put back, or none.
#[test]
fn a_restore_is_whole_wherever_it_ends() {
    for fault in [Fault::Died, Fault::Refused, Fault::Lost] {
        for at in 0..8 {
            let (mut host, backup) = changed();
            let body = json!({ "backup": backup, "reason": "why" });
            host.fault = Some((at, fault));
            let response = host.carry_out(|cx| restore(&call("POST", &body, &[]), cx));
            let is_back = [Name::Flags, Name::Tenants]
                .map(|name| Order::read(name, &host.strong[&name.key()]).unwrap().version == 3);
            assert_eq!(is_back[0], is_back[1], "{fault:?} at {at}");
            assert_eq!(host.strong.contains_key(&crate::audit::key(1)), is_back[0], "{fault:?} at {at}");
            if let Some(response) = response {
                let is_unknown = response.body.contains("OUTCOME_UNKNOWN");
                assert!(is_unknown || (response.status == 200) == is_back[0], "{fault:?} at {at}: {response:?}");
            }
        }
    }
}

/// A damaged order is what a backup is for: what takes its place has a version above any that it had.
#[test]
fn a_damaged_order_is_replaced() {
    let (mut host, backup) = changed();
    let damaged = host.strong[&Name::Flags.key()].replace("ada", "bob");
    host.strong.insert(Name::Flags.key(), damaged);
    let unread = host.carry_out(|cx| make(&call("GET", &Value::Null, &[]), cx)).unwrap();
    assert!(unread.body.contains("ORDER_DAMAGED"));
    let (status, report) = put_back(&mut host, &json!({ "backup": backup, "reason": "why" }), &[]);
    assert_eq!((status, &report["changed"][0]), (200, &json!({ "name": "flags", "from": null, "to": 2 })));
    assert_eq!(value_of(&host, Name::Flags), revised(1));
}
