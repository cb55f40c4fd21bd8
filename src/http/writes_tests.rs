//! Laws that hold for each operation of the table that changes something.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::alerts::conditions::{Condition, Severity};
use crate::alerts::lifecycle::Look;
use crate::alerts::state::{Document, KEY};
use crate::audit::entry::Entry;
use crate::audit::fake::{Fault, Host};
use crate::audit::seq_of;
use crate::clock::Instant;
use crate::http::auth::Access;
use crate::monitor::{Monitor, Settings};
use crate::orders::Name;
use crate::orders::backup::Backup;
use crate::orders::order::Order;

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";

/// One operation of the table, with a request that it carries out.
struct Write {
    id: &'static str,
    request: Request,
}

/// A host with an alert, a tenant, and somebody who may do everything.
fn world() -> Host {
    let admin = crate::access::Settings { migration_approved: Some("true".to_owned()), ..Default::default() };
    let settings = Settings { admin_token: Access::by_token(TOKEN), admin, ..Settings::default() };
    let mut host = Host::with(Monitor::new(settings));
    host.strong.insert(KEY.to_owned(), alerts().encode());
    let made = host.ask(&request("PUT", "/tenants/acme", &json!({ "tier": "PRO", "reason": "new" })));
    assert_eq!(made.status, 200, "{made:?}");
    let made = host.ask(&request("POST", "/tokens", &body_of("createToken")));
    assert_eq!(made.status, 201, "{made:?}");
    host
}

/// The id of the one token that there is.
fn token_id(host: &mut Host) -> String {
    let listed = host.ask(&request("GET", "/tokens", &Value::Null));
    let listed: Value = serde_json::from_str(&listed.body).unwrap();
    listed["tokens"][0]["id"].as_str().unwrap().to_owned()
}

fn alerts() -> Document {
    let mut document = Document::default();
    let condition = Condition {
        rule: "errorRate".to_owned(),
        database: "primary".to_owned(),
        severity: Severity::Warning,
        message: "It fails.".to_owned(),
        value: 6.0,
        threshold: 5.0,
        state: String::new(),
    };
    let look = Look { isolate: "a", token: 1, now: Instant(1_704_067_200_000), cool_down_ms: 0 };
    document.book.observe(&[condition], &look);
    document
}

fn request(method: &str, path: &str, body: &Value) -> Request {
    let headers = [
        ("authorization", format!("Bearer {TOKEN}")),
        ("content-type", "application/json".to_owned()),
        ("if-match", "*".to_owned()),
    ];
    Request {
        method: method.to_owned(),
        path: [ADMIN_PATH, path].concat(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        body: body.to_string(),
        ..Request::default()
    }
}

/// What each operation is asked to do. One that is not here fails the test.
fn body_of(id: &str) -> Value {
    let order = |value: Value| json!({ "value": value, "reason": "a test" });
    let flags = Order {
        version: 1,
        id: 1,
        updated_at: Instant(0),
        by: "ada".to_owned(),
        reason: "why".to_owned(),
        previous: None,
        value: json!({ "version": 1, "flags": { "a": {} } }),
        compiled: None,
    };
    match id {
        "replaceConfig" => order(json!({ "retry": { "attempts": 3 } })),
        "replaceFlags" => order(json!({ "version": 1, "flags": { "a": {} } })),
        "replaceKill" => order(json!({ "flags": ["a"] })),
        "replacePhase" => order(json!({ "a": true })),
        "holdCircuit" => json!({ "state": "open", "reason": "a test" }),
        "acknowledgeAlert" => json!({}),
        "silenceAlert" => json!({ "durationMs": 60_000, "reason": "a test" }),
        "silenceAlerts" => json!({ "durationMs": 60_000, "match": { "database": "primary" }, "reason": "a test" }),
        "replaceTenant" => json!({ "suspended": true, "reason": "a test" }),
        "restore" => json!({ "backup": Backup::of(&[(Name::Flags, flags)], Instant(0)), "reason": "a test" }),
        "createToken" => json!({ "label": "a test", "role": "viewer", "reason": "a test" }),
        "kill" | "rotateToken" | "revokeToken" | "releaseKill" | "releaseCircuit" | "resetCircuit" | "drainPool"
        | "forgetTenant" => {
            json!({ "reason": "a test" })
        }
        other => panic!("{other} is new: say how it is asked"),
    }
}

fn writes() -> Vec<Write> {
    let (alert, token) = (&alerts().book.alerts[0].id, &token_id(&mut world()));
    let all = ROUTES.iter().flat_map(|route| route.operations.iter().map(move |operation| (route, operation)));
    let writes = all.filter(|(route, operation)| {
        route.root == Root::Admin && operation.method != Method::Get && !operation.is_question
    });
    writes
        .map(|(route, operation)| {
            let in_braces = match route.path.split('/').nth(1) {
                Some("alerts") => alert,
                Some("tokens") => token,
                _ => "acme",
            };
            let path = match (route.path.split_once('{'), route.path.split_once('}')) {
                (Some((before, _)), Some((_, after))) => [before, in_braces, after].concat(),
                _ => route.path.to_owned(),
            };
            Write { id: operation.id, request: request(operation.method.text(), &path, &body_of(operation.id)) }
        })
        .collect()
}

fn records(strong: &BTreeMap<String, String>) -> Vec<Entry> {
    let texts = strong.iter().filter(|(key, _)| seq_of(key).is_some());
    texts.map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
}

impl Host {
    fn is_whole(&mut self) -> bool {
        let verified = self.ask(&request("GET", "/audit/verify", &Value::Null));
        serde_json::from_str::<Value>(&verified.body).unwrap()["isWhole"] == true
    }
}

/// SEC-04 and AUD-12: each operation that changes something leaves one record of it, which hangs on the one before.
#[test]
fn each_write_leaves_one_record() {
    let writes = writes();
    assert!(writes.len() >= 19);
    for Write { id, request } in writes {
        let mut host = world();
        let before = records(&host.strong).len();
        let response = host.ask(&request);
        assert!((200..300).contains(&response.status), "{id}: {response:?}");
        let records = records(&host.strong);
        assert_eq!(records.len(), before + 1, "{id}");
        let record = &records[before];
        assert_eq!((record.action.as_str(), record.actor.as_str()), (id, "admin"));
        assert_eq!(Some(record.request_id.as_str()), response.header("x-request-id"), "{id}");
        assert!(!record.target.is_empty() && record.before != record.after, "{id}");
        assert!(host.is_whole(), "{id}");
    }
}

/// AUD-13: the reason that comes with a change is in its record, and a change of an order without one is refused.
#[test]
fn the_reason_is_in_the_record() {
    for Write { id, mut request } in writes() {
        let mut host = world();
        host.ask(&request);
        let reason = &records(&host.strong).pop().unwrap().reason;
        assert_eq!(reason, if id == "acknowledgeAlert" { "" } else { "a test" }, "{id}");
        if !id.contains("Alert") {
            let mut host = world();
            let before = host.strong.clone();
            request.body = request.body.replace("a test", " ");
            assert_eq!((host.ask(&request).status, &host.strong), (422, &before), "{id}");
        }
    }
}

/// SEC-04: what is refused leaves no record, and nothing else.
#[test]
fn what_is_refused_leaves_nothing() {
    for Write { id, request } in writes() {
        let mut host = world();
        let before = host.strong.clone();
        let without = |name: &str| {
            let mut request = request.clone();
            request.headers.retain(|(known, _)| known != name);
            request
        };
        let with = |name: &str, value: &str| {
            let mut request = without(name);
            request.headers.push((name.to_owned(), value.to_owned()));
            request
        };
        let body = |body: &str| Request { body: body.to_owned(), ..request.clone() };
        for (refused, status) in [
            (without("authorization"), 401),
            (with("authorization", "Bearer another"), 401),
            (without("content-type"), 415),
            (with("content-encoding", "gzip"), 415),
            (with("idempotency-key", ""), 400),
            (with("idempotency-key", &"k".repeat(129)), 400),
            (body("{"), 400),
            (body("[]"), 422),
            (body("{\"reason\":\"why\",\"unknown\":1}"), 422),
            (body(&" ".repeat(body_max(&request.method, &request.path) + 1)), 413),
        ] {
            let response = host.ask(&refused);
            assert_eq!(response.status, status, "{id}: {response:?}");
            assert!(host.strong == before, "{id}: {status}");
        }
        // Others have used up what may be written.
        for _ in 0..200 {
            host.ask(&self::request("POST", "/circuits/a/reset", &json!({ "reason": "flood" })));
            host.ask(&self::request("POST", "/kill", &json!({ "reason": "flood" })));
        }
        let before = host.strong.clone();
        let response = host.ask(&request);
        assert_eq!((response.status, host.strong == before), (429, true), "{id}");
        assert!(response.header("retry-after").is_some());
    }
}

/// A write that is sent again with its key is done once, and answered alike; with its key and another body it is refused.
#[test]
fn each_write_is_done_once_with_its_key() {
    for Write { id, mut request } in writes() {
        let mut host = world();
        request.headers.push(("idempotency-key".to_owned(), "once".to_owned()));
        let first = host.ask(&request);
        let done = host.strong.clone();
        let again = host.ask(&request);
        // The secret of a token is shown once.
        let told = |response: &Response| {
            let mut told: Value = serde_json::from_str(&response.body).unwrap();
            told.as_object_mut().unwrap().remove("secret");
            told
        };
        assert_eq!((again.status, told(&again)), (first.status, told(&first)), "{id}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{id}");
        assert!(host.strong == done, "{id}");
        request.body.push(' ');
        assert_eq!((host.ask(&request).status, host.strong == done), (422, true), "{id}");
    }
}

/// Wherever the host dies, or whatever answer gets lost: the change and its record are both there, or neither is.
#[test]
fn each_write_and_its_record_are_one() {
    for Write { id, request } in writes() {
        for fault in [Fault::Died, Fault::Refused, Fault::Lost] {
            for at in 0..9 {
                let mut host = world();
                let before = host.strong.clone();
                host.fault = Some((at, fault));
                let response = host.carry_out(|cx| begin(&request, cx));
                host.fault = None;
                let is_recorded = records(&host.strong).len() > records(&before).len();
                assert_eq!(host.strong != before, is_recorded, "{id}: {fault:?} at {at}");
                assert!(host.is_whole(), "{id}: {fault:?} at {at}");
                let said = response.filter(|response| !response.body.contains("OUTCOME_UNKNOWN"));
                assert!(said.is_none_or(|said| (said.status < 300) == is_recorded), "{id}: {fault:?} at {at}");
            }
        }
    }
}

/// Somebody who is bound to one tenant sees and changes that one; all else looks as if it were not there.
#[test]
fn who_is_bound_to_a_tenant_sees_that_one() {
    let mut host = world();
    host.ask(&request("PUT", "/tenants/initech", &json!({ "tier": "FREE", "reason": "new" })));
    let wanted = json!({ "label": "acme's", "role": "admin", "tenant": "acme", "reason": "theirs" });
    let made: Value = serde_json::from_str(&host.ask(&request("POST", "/tokens", &wanted)).body).unwrap();
    let secret = made["secret"].as_str().unwrap().to_owned();
    let mut ask = |method: &str, path: &str, body: &Value| {
        let mut request = request(method, path, body);
        request.headers[0].1 = format!("Bearer {secret}");
        let response = host.ask(&request);
        (response.status, serde_json::from_str::<Value>(&response.body).unwrap_or_default())
    };
    let (status, page) = ask("GET", "/tenants", &Value::Null);
    let acme = json!({ "id": "acme", "tier": "PRO", "suspended": false });
    assert_eq!((status, &page["tenants"]), (200, &json!([acme])));
    assert_eq!(ask("GET", "/tenants/acme", &Value::Null), (200, acme));
    let body = json!({ "tier": "FREE", "reason": "less" });
    assert_eq!(ask("PUT", "/tenants/acme", &body).0, 200);
    for (method, path) in [
        ("GET", "/tenants/initech"),
        ("PUT", "/tenants/initech"),
        ("DELETE", "/tenants/initech"),
        ("GET", "/tenants/nobody"),
        ("GET", "/backup"),
        ("POST", "/restore"),
        ("GET", "/orders/tenants/history"),
        ("GET", "/audit"),
    ] {
        assert_eq!(ask(method, path, &body).0, 404, "{method} {path}");
    }
}

/// `If-Match` of a tenant names the version of the order; without it the last one holds.
#[test]
fn a_tenant_may_be_changed_by_who_has_read_it() {
    let mut host = world();
    let mut put = |if_match: Option<&str>| {
        let mut request = request("PUT", "/tenants/acme", &json!({ "suspended": true, "reason": "why" }));
        request.headers.retain(|(name, _)| name != "if-match");
        request.headers.extend(if_match.map(|value| ("if-match".to_owned(), value.to_owned())));
        let response = host.ask(&request);
        (response.status, response.header("etag").unwrap_or_default().to_owned())
    };
    assert_eq!(put(Some("\"1\"")), (200, "\"2\"".to_owned()));
    assert_eq!(put(Some("\"1\"")), (412, "\"2\"".to_owned()));
    assert_eq!(put(None), (200, "\"3\"".to_owned()));
    assert_eq!(put(Some("3")).0, 400);
}
