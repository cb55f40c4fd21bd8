use serde_json::{Value, json};

use crate::audit::fake::Host;
use crate::http::Request;
use crate::http::auth::Access;
use crate::monitor::{Monitor, Settings};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";

fn ask(host: &mut Host, path: &str, body: &Value) -> (u16, Value) {
    let headers = [("authorization", format!("Bearer {TOKEN}")), ("content-type", "application/json".to_owned())];
    let request = Request {
        method: "POST".to_owned(),
        path: format!("/admin/api/flags{path}"),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        body: body.to_string(),
        ..Request::default()
    };
    let response = host.ask(&request);
    (response.status, serde_json::from_str(&response.body).unwrap())
}

fn ramp(share: u32) -> Value {
    let rules = json!([{ "id": "ramp", "if": [{ "attr": "plan", "in": ["pro"] }], "rollout": share, "serve": "on" }]);
    json!({ "version": 1, "revision": share, "flags": { "new-checkout": { "rules": rules }, "other": {} } })
}

fn world() -> Host {
    let mut settings = Settings { admin_token: Access::by_token(TOKEN), ..Settings::default() };
    settings.flags.definitions = Some(ramp(10));
    Host::with(Monitor::new(settings))
}

/// FLG-13: why somebody gets what it gets, and which flag was probably meant.
#[test]
fn it_is_told_why_somebody_gets_what_it_gets() {
    let mut host = world();
    let context = json!({ "context": { "targetingKey": "user-7", "plan": "free" } });
    for key in ["new-checkout", "FEATURE_new-checkout", "new%2Dcheckout"] {
        let (status, told) = ask(&mut host, &format!("/{key}/explain"), &context);
        assert_eq!((status, &told["value"], &told["reason"]), (200, &json!(false), &json!("DEFAULT")));
        let condition = &told["steps"][0]["conditions"][0];
        assert_eq!((&condition["found"], &condition["holds"]), (&json!("free"), &json!(false)));
    }
    let (status, told) = ask(&mut host, "/new-chekout/explain", &context);
    assert_eq!((status, &told["code"]), (404, &json!("FLAG_NOT_FOUND")));
    assert!(told["detail"].as_str().unwrap().contains("new-checkout"));
    for body in [json!([]), json!({}), json!({ "context": [] }), json!({ "context": {}, "more": 1 })] {
        assert_eq!(ask(&mut host, "/other/explain", &body).0, 422, "{body}");
    }
    assert!(host.strong.is_empty(), "it changes nothing");
}

/// FLG-11: before a share is raised it is told how many come in, and nothing is changed.
#[test]
fn it_is_told_whom_a_document_would_move() {
    let mut host = world();
    let sample: Vec<Value> =
        (0..1_000).map(|n| json!({ "targetingKey": format!("user-{n}"), "plan": "pro" })).collect();
    let (status, plan) = ask(&mut host, "/plan", &json!({ "document": ramp(25), "sample": sample }));
    assert_eq!((status, plan["flags"].as_array().unwrap().len()), (200, 1), "{plan}");
    let moved = &plan["flags"][0];
    assert_eq!((&moved["flag"], &moved["dropped"], &moved["switched"]), (&json!("new-checkout"), &json!(0), &json!(0)));
    assert!((110..200).contains(&moved["enrolled"].as_u64().unwrap()), "{moved}");
    assert_eq!(plan["revision"], json!({ "before": 10, "after": 25 }));
    let (_, same) = ask(&mut host, "/plan", &json!({ "document": ramp(10), "sample": sample }));
    assert_eq!(same["flags"], json!([]));
    let (status, told) = ask(
        &mut host,
        "/plan",
        &json!({ "document": { "version": 1, "flags": { "a": { "rule": [] } } }, "sample": [] }),
    );
    assert!(status == 422 && told["detail"].as_str().unwrap().contains("flags.a"), "{told}");
    let many: Vec<Value> = vec![json!({}); 10_001];
    for body in [
        json!({ "document": ramp(1), "sample": many }),
        json!({ "document": ramp(1), "sample": [1] }),
        json!({ "sample": [] }),
    ] {
        assert_eq!(ask(&mut host, "/plan", &body).0, 422);
    }
    assert!(host.strong.is_empty(), "it changes nothing");
}
