//! One flag for one context.

use serde_json::Map;

use super::*;
use crate::http::BodyProblem;

#[test]
fn each_reason_is_one_of_the_protocol() {
    let mut host = served();
    let edition = json!({ "revision": 42, "version": 1 });
    let with = |more: Value| {
        let mut all: Map<String, Value> = edition.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        all
    };
    let mut is = |key: &str, body: &Value, expected: Value| {
        let (status, mut found) = host.flag(key, body);
        let bucket = found["metadata"].as_object_mut().and_then(|metadata| metadata.remove("bucket"));
        assert_eq!((status, &found), (200, &expected), "{key}");
        assert_eq!(bucket.is_some(), key == "half");
    };
    let ada = about("user-7");
    is(
        "all",
        &ada,
        json!({ "key": "all", "reason": "STATIC", "value": true, "variant": "on", "metadata": with(json!({ "rule": "ramp" })) }),
    );
    is(
        "plain",
        &ada,
        json!({ "key": "plain", "reason": "STATIC", "value": false, "variant": "off", "metadata": edition }),
    );
    is(
        "nobody",
        &ada,
        json!({ "key": "nobody", "reason": "DEFAULT", "value": false, "variant": "off", "metadata": edition }),
    );
    let staff = json!({ "context": { "targetingKey": "u", "email": "eve@acme.com" } });
    is(
        "staff",
        &staff,
        json!({ "key": "staff", "reason": "TARGETING_MATCH", "value": true, "variant": "on", "metadata": with(json!({ "rule": 0 })) }),
    );
    is(
        "off",
        &ada,
        json!({ "key": "off", "reason": "DISABLED", "value": false, "variant": "off", "metadata": with(json!({ "by": "flag" })) }),
    );
    is("left", &ada, json!({ "key": "left", "reason": "DISABLED", "metadata": with(json!({ "by": "flag" })) }));
    is("dark", &ada, json!({ "key": "dark", "reason": "DISABLED", "metadata": with(json!({ "by": "flag" })) }));
    is(
        "needs",
        &ada,
        json!({ "key": "needs", "reason": "DEFAULT", "value": false, "variant": "off", "metadata": with(json!({ "prerequisite": "plain" })) }),
    );
    is("count", &ada, json!({ "key": "count", "reason": "STATIC", "value": 3, "variant": "few", "metadata": edition }));
    is(
        "list",
        &ada,
        json!({ "key": "list", "reason": "STATIC", "value": [1, 2], "variant": "x", "metadata": edition }),
    );
    let enrolled =
        (0..).map(|n| format!("user-{n}")).find(|id| host.flag("half", &about(id)).1["value"] == true).unwrap();
    let (_, found) = host.flag("half", &about(&enrolled));
    assert_eq!((&found["reason"], &found["metadata"]["rule"]), (&json!("SPLIT"), &json!("ramp")));
    assert!(found["metadata"]["bucket"].as_u64().unwrap() < 500_000);
    let (_, found) = host.flag("button", &ada);
    assert!(found["reason"] == "SPLIT" && ["blue", "green"].contains(&found["value"].as_str().unwrap()), "{found}");
}

/// H096: a key is whatever its percent signs say, and one that nobody can have is not found, whatever is in it.
#[test]
fn keys_are_percent_decoded() {
    let mut host = served();
    let (status, found) = host.flag("a%2Fb%20%C3%BC", &about("u"));
    assert_eq!((status, &found["key"], &found["value"]), (200, &json!("a/b ü"), &json!(true)));
    for key in ["__proto__", "constructor", "%00", "%ff%fe", "toString", "%ED%A0%80", "..", &"x".repeat(10_000)] {
        let (status, found) = host.flag(key, &about("u"));
        assert_eq!((status, &found["errorCode"]), (404, &json!("FLAG_NOT_FOUND")), "{key}");
        assert!(found["key"].as_str().unwrap().len() <= 257 && found["errorDetails"].is_string());
    }
    assert!(host.flag("buton", &about("u")).1["errorDetails"].as_str().unwrap().contains("button"));
}

/// H074 and H096: whatever stands in a context is refused with a code, or is an id like any other.
#[test]
fn what_is_no_context_is_refused_with_a_code() {
    let mut host = served();
    let long = "x".repeat(4_097);
    let cases = [
        ("", "PARSE_ERROR"),
        ("{", "PARSE_ERROR"),
        ("[]", "PARSE_ERROR"),
        ("{}", "TARGETING_KEY_MISSING"),
        (r#"{"context":{}}"#, "TARGETING_KEY_MISSING"),
        (r#"{"context":{"targetingKey":""}}"#, "TARGETING_KEY_MISSING"),
        (r#"{"context":null}"#, "INVALID_CONTEXT"),
        (r#"{"context":[]}"#, "INVALID_CONTEXT"),
        (r#"{"context":"user"}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":7}}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":null}}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":["u"]}}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":"a","targetingKey":"b"}}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":"a","__proto__":{"admin":true}}}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":"a","n":9007199254740993}}"#, "INVALID_CONTEXT"),
        (&format!(r#"{{"context":{{"targetingKey":"{long}"}}}}"#), "INVALID_CONTEXT"),
        (&format!(r#"{{"context":{{"targetingKey":"u","email":"{long}"}}}}"#), "INVALID_CONTEXT"),
        (&format!("{}1{}", "[".repeat(60_000), "]".repeat(0)), "INVALID_CONTEXT"),
        (&format!(r#"{{"context":{{"targetingKey":"u","n":"{}"}}}}"#, "x".repeat(70_000)), "INVALID_CONTEXT"),
    ];
    for (body, code) in cases {
        for path in [ALL.to_owned(), format!("{ONE}all")] {
            let mut request = request("POST", &path, &Value::Null);
            request.body = body.to_owned();
            let response = host.ask(&request);
            let found = json_of(&response);
            let quoted = &body[..body.len().min(80)];
            assert_eq!((response.status, &found["errorCode"]), (400, &json!(code)), "{quoted}: {found}");
            assert_eq!(found.get("key").is_some(), path != ALL);
            assert!(found["errorDetails"].as_str().unwrap().len() < 300);
        }
    }
    for problem in [BodyProblem::TooLong, BodyProblem::NotText, BodyProblem::Unread] {
        let request = Request { body_problem: Some(problem), ..request("POST", ALL, &Value::Null) };
        assert_eq!(host.ask(&request).status, 400);
    }
    for (name, value) in
        [("content-type", Some("text/plain")), ("content-type", None), ("content-encoding", Some("gzip"))]
    {
        let request = with(request("POST", ALL, &about("u")), name, value);
        assert_eq!(json_of(&host.ask(&request))["errorCode"], "PARSE_ERROR");
    }
    // Attributes that no flag asks for may be anything.
    for more in [json!({ "a": "x".repeat(10_000) }), json!({ "a": [1, { "b": null }] }), json!({ "a": null })] {
        let mut context = about("u");
        context["context"]["more"] = more;
        assert_eq!(host.flag("all", &context).0, 200);
    }
    for id in ["__proto__", "constructor", "\u{0}", "\u{1f600}", "\u{202e}x", " "] {
        let (status, one) = host.flag("half", &about(id));
        assert_eq!((status, &one), (200, &host.flag("half", &about(id)).1));
    }
}

#[test]
fn stale_flags_say_so_beside_their_reason() {
    let mut host = served();
    assert_eq!(host.flag("old", &about("u")).1["metadata"].get("stale"), None);
    host.now += 61_000;
    // Nobody can be asked whether they are current.
    host.fault = Some((0, crate::audit::fake::Fault::Refused));
    let (_, found) = host.flag("old", &about("u"));
    assert_eq!((&found["reason"], &found["value"]), (&json!("STATIC"), &json!(true)));
    assert_eq!((&found["metadata"]["stale"], &found["metadata"]["ageMs"]), (&json!(true), &json!(61_000)));
    let (_, off) = host.flag("old-off", &about("u"));
    assert_eq!(
        (&off["reason"], &off["value"], &off["metadata"]["stale"]),
        (&json!("DISABLED"), &json!(false), &json!(true))
    );
    host.fault = None;
    host.now += 500;
    assert_eq!(host.flag("old", &about("u")).1["metadata"].get("stale"), None);
}

#[test]
fn what_is_strict_is_to_the_letter_of_the_schema() {
    let mut host = world(json!({ "definitions": document(), "ofrep": { "strict": true } }));
    assert_eq!(host.flag("nobody", &about("u")).1["reason"], "STATIC");
    let (status, list) = host.flag("list", &about("u"));
    assert_eq!((status, &list["errorCode"], &list["key"]), (400, &json!("GENERAL"), &json!("list")));
    let all = json_of(&host.ask(&request("POST", ALL, &about("u"))));
    let reasons = ["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED"];
    for flag in all["flags"].as_array().unwrap() {
        assert!(flag.get("errorCode").is_some() || reasons.contains(&flag["reason"].as_str().unwrap()), "{flag}");
    }
}

#[test]
fn without_flags_it_is_not_ready_but_for_variables() {
    let mut host = world(json!({ "variables": { "FEATURE_NEW_THING": "true" } }));
    let (status, found) = host.flag("new-thing", &about("u"));
    assert_eq!((status, &found["value"], &found["metadata"]["by"]), (200, &json!(true), &json!("env")));
    let (status, found) = host.flag("other", &about("u"));
    assert_eq!((status, &found["errorCode"]), (500, &json!("PROVIDER_NOT_READY")));
    assert_eq!(host.ask(&request("POST", ALL, &about("u"))).status, 500);
}
