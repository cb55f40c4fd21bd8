use serde_json::{Map, Value, json};

use super::super::BodyProblem;
use crate::access::Role;
use crate::audit::fake::Host;
use crate::flags::ratio::Mismatch;
use crate::http::auth::Access;
use crate::http::exchange::{Answer, Cx, Next};
use crate::http::{Request, Response, routes};
use crate::monitor::{Monitor, Settings};
use crate::report::facts::{DatabaseFacts, ExposureFacts, Facts, ProbeFacts};
use crate::report::status::{BreakerStatus, Status};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";
const ONE: &str = "/ofrep/v1/evaluate/flags/";
const ALL: &str = "/ofrep/v1/evaluate/flags";

fn world(flags: Value) -> Host {
    let mut settings = Settings { admin_token: Access::by_token(TOKEN), ..Settings::default() };
    settings.flags = serde_json::from_value(flags).unwrap();
    Host::with(Monitor::new(settings))
}

fn request(method: &str, path: &str, body: &Value) -> Request {
    let headers = [
        ("authorization", format!("Bearer {TOKEN}")),
        ("content-type", "application/json".to_owned()),
        ("if-match", "*".to_owned()),
    ];
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        body: body.to_string(),
        ..Request::default()
    }
}

fn with(mut request: Request, name: &str, value: Option<&str>) -> Request {
    request.headers.retain(|(known, _)| known != name);
    request.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    request
}

fn about(id: &str) -> Value {
    json!({ "context": { "targetingKey": id } })
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

impl Host {
    fn order(&mut self, name: &str, value: &Value) {
        let body = json!({ "value": value, "reason": "a test" });
        let response = self.ask(&request("PUT", &format!("/admin/api/orders/{name}"), &body));
        assert_eq!(response.status, 200, "{response:?}");
    }

    fn flag(&mut self, key: &str, body: &Value) -> (u16, Value) {
        let response = self.ask(&request("POST", &[ONE, key].concat(), body));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        (response.status, json_of(&response))
    }
}

fn document() -> Value {
    let percent = |share: u32| json!([{ "id": "ramp", "rollout": share, "serve": "on" }]);
    json!({
        "version": 1,
        "revision": 42,
        "flags": {
            "all": { "rules": percent(100) },
            "half": { "rules": percent(50) },
            "nobody": { "rules": percent(0) },
            "plain": {},
            "staff": { "rules": [{ "if": [{ "attr": "email", "endsWith": "@acme.com" }], "serve": "on" }] },
            "off": { "enabled": false },
            "left": { "enabled": false, "off": "code-default" },
            "button": { "variants": { "A": "blue", "B": "green", "off": "grey" }, "rules": [{ "serve": { "A": 50, "B": 50 } }] },
            "dark": { "enabled": false, "variants": { "A": "blue", "off": "grey" }, "default": "off" },
            "count": { "variants": { "few": 3, "many": 2.5 }, "default": "few" },
            "list": { "variants": { "x": [1, 2], "y": { "a": 1 }, "z": null }, "default": "x" },
            "needs": { "requires": [{ "flag": "plain", "is": ["on"] }], "rules": [{ "serve": "on" }] },
            "strict": { "strict": true, "by": "account", "rules": percent(50) },
            "old": { "maxAge": "1m", "rules": [{ "serve": "on" }] },
            "old-off": { "maxAge": "1m", "onStale": "off", "rules": [{ "serve": "on" }] },
            "a/b ü": { "rules": [{ "serve": "on" }] },
        },
    })
}

fn served() -> Host {
    let mut host = world(json!({}));
    host.order("flags", &document());
    host
}

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
fn all_flags_have_a_tag_and_are_told_once() {
    let mut host = served();
    let ask = |host: &mut Host, id: &str, tag: Option<&str>| {
        host.ask(&with(request("POST", ALL, &about(id)), "if-none-match", tag))
    };
    let first = ask(&mut host, "u", None);
    let body = json_of(&first);
    let flags = body["flags"].as_array().unwrap();
    assert_eq!((first.status, flags.len()), (200, document()["flags"].as_object().unwrap().len()));
    assert_eq!(body["metadata"], json!({ "revision": 42, "version": 1 }));
    let of = |key: &str| flags.iter().find(|flag| flag["key"] == key).unwrap();
    assert_eq!(of("plain"), &json!({ "key": "plain", "reason": "STATIC", "value": false, "variant": "off" }));
    assert_eq!(of("strict")["errorCode"], "TARGETING_KEY_MISSING");
    let tag = first.header("etag").unwrap();
    assert!(tag.starts_with("\"42-1-0-") && tag.ends_with('"'), "{tag}");
    for named in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again = ask(&mut host, "u", Some(&named));
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag)));
        assert_eq!(again.header("content-type"), None);
    }
    assert_eq!(ask(&mut host, "u", Some("\"42-1-0\"")).status, 200);
    // Somebody else may get something else.
    let other = (0..).map(|n| ask(&mut host, &format!("user-{n}"), Some(tag))).find(|response| response.status == 200);
    assert_ne!(other.unwrap().header("etag"), Some(tag));
    host.order("kill", &json!({ "flags": ["plain"] }));
    let killed = ask(&mut host, "u", Some(tag));
    assert_eq!(killed.status, 200);
    assert!(killed.header("etag").unwrap().starts_with("\"42-1-1-"));
}

/// FLG-08: a kill that another isolate was given is in the next answer here.
#[test]
fn a_kill_elsewhere_is_in_the_next_answer() {
    let (mut here, mut elsewhere) = (served(), world(json!({})));
    assert_eq!(here.flag("all", &about("u")).1["value"], true);
    elsewhere.strong = here.strong.clone();
    let killed = elsewhere.ask(&request("POST", "/admin/api/kill", &json!({ "flags": ["all"], "reason": "a test" })));
    assert_eq!(killed.status, 200, "{killed:?}");
    here.strong = elsewhere.strong.clone();
    here.now += 500;
    let (_, found) = here.flag("all", &about("u"));
    assert_eq!(
        (&found["reason"], &found["value"], &found["metadata"]["by"]),
        (&json!("DISABLED"), &json!(false), &json!("kill"))
    );
    // An isolate that begins looks before its first answer.
    let mut cold = world(json!({ "definitions": document() }));
    cold.strong = elsewhere.strong;
    assert_eq!(cold.flag("all", &about("u")).1["value"], false);
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

/// H030: whoever guesses is told nothing, and soon nothing at all.
#[test]
fn a_token_is_needed() {
    let mut host = served();
    let path = format!("{ONE}all");
    let asked = |headers: &[(&str, &str)]| {
        let mut request = with(request("POST", &path, &about("u")), "authorization", None);
        request.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        request
    };
    let refused = host.ask(&asked(&[]));
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    let unknown = format!("lrk_{}_{}", "0".repeat(12), "A".repeat(43));
    for sent in ["x", "", TOKEN.trim_end_matches('e'), &unknown] {
        for header in [("x-api-key", sent.to_owned()), ("authorization", format!("Bearer {sent}"))] {
            assert_eq!(host.ask(&asked(&[(header.0, &header.1)])).body, refused.body, "{header:?}");
        }
    }
    assert_eq!(host.ask(&asked(&[("x-api-key", TOKEN)])).status, 200);
    // A bad bearer token is not helped by a good key.
    assert_eq!(host.ask(&asked(&[("authorization", "Bearer x"), ("x-api-key", TOKEN)])).status, 401);
    let limited = (0..400).map(|_| host.ask(&asked(&[("x-api-key", &unknown)]))).find(|found| found.status == 429);
    assert!(limited.unwrap().header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!(host.ask(&asked(&[("x-api-key", TOKEN)])).status, 200);
}

/// H044: a token that may evaluate flags reads nothing else, and one that is revoked ends with the next look.
#[test]
fn an_evaluator_evaluates_and_nothing_else() {
    let mut host = served();
    let mut make = |body: Value| {
        let made = host.ask(&request("POST", "/admin/api/tokens", &body));
        let made = json_of(&made);
        (made["token"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    };
    let (id, secret) = make(json!({ "label": "a page", "role": "evaluator", "reason": "a test" }));
    let (_, bound) = make(json!({ "label": "one", "role": "admin", "tenant": "acme", "reason": "a test" }));
    let path = format!("{ONE}all");
    let by = |path: &str, method: &str, secret: &str| {
        with(request(method, path, &about("u")), "authorization", Some(&format!("Bearer {secret}")))
    };
    host.now += 500;
    assert_eq!(host.ask(&by(&path, "POST", &secret)).status, 200);
    assert_eq!(host.ask(&by(ALL, "POST", &secret)).status, 200);
    assert_eq!(host.ask(&by(&path, "POST", &bound)).status, 403);
    for path in
        ["/orders/flags", "/orders/control", "/audit", "/tokens", "/logs", "/backup", "/openapi.json", "/tenants"]
    {
        assert_eq!(host.ask(&by(&format!("/admin/api{path}"), "GET", &secret)).status, 403, "{path}");
    }
    assert_eq!(host.ask(&by("/admin/api/kill", "POST", &secret)).status, 403);
    let revoked = host.ask(&request("DELETE", &format!("/admin/api/tokens/{id}"), &json!({ "reason": "a test" })));
    assert_eq!(revoked.status, 200);
    host.now += 500;
    assert_eq!(host.ask(&by(&path, "POST", &secret)).status, 401);
    assert_eq!(Role::of("evaluator"), Some(Role::Evaluator));
}

#[test]
fn a_token_that_was_made_a_moment_ago_lets_in_at_once_and_guessing_reads_little() {
    let mut host = served();
    let path = format!("{ONE}all");
    let ask = |host: &mut Host, secret: &str| {
        let asked = with(request("POST", &path, &about("u")), "authorization", Some(&format!("Bearer {secret}")));
        let status = host.ask(&asked).status;
        (status, host.asked)
    };
    let make = |host: &mut Host| {
        let wanted = json!({ "label": "a page", "role": "evaluator", "reason": "a test" });
        let made = json_of(&host.ask(&request("POST", "/admin/api/tokens", &wanted)));
        made["secret"].as_str().unwrap().to_owned()
    };
    let first = make(&mut host);
    assert_eq!(ask(&mut host, &first).0, 200);
    let second = make(&mut host);
    assert_eq!(ask(&mut host, &second).0, 200, "nothing has passed since the others were read");
    assert_eq!(ask(&mut host, &first), (200, 0), "one that is known costs nothing");
    // Of the form of a token, and none.
    let guess = |number: u8| format!("{}{number}", &second[..second.len() - 1]);
    let guessed: Vec<_> =
        (0..6).map(|number| ask(&mut host, &guess(number))).filter(|(status, _)| *status != 200).collect();
    assert!(guessed.iter().all(|(status, _)| *status == 401), "{guessed:?}");
    assert!(guessed.iter().filter(|(_, asked)| *asked > 0).count() <= 2, "{guessed:?}");
    assert_eq!(guessed.last().map(|(_, asked)| *asked), Some(0), "{guessed:?}");
}

#[test]
fn requests_are_bounded_and_told_when_to_come_again() {
    let mut host = world(json!({ "definitions": document(), "ofrep": { "requestsPerMinute": 3 } }));
    let ask = |host: &mut Host| host.ask(&request("POST", ALL, &about("u")));
    assert!((0..3).all(|_| ask(&mut host).status == 200));
    let limited = ask(&mut host);
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("20")));
    assert!(json_of(&limited)["errorDetails"].as_str().unwrap().contains("Retry-After"));
    // Who is not let in takes nothing from those who are.
    assert_eq!(host.ask(&with(request("POST", ALL, &about("u")), "authorization", None)).status, 401);
    host.now += 20_000;
    assert_eq!(ask(&mut host).status, 200);
}

/// H048: pages of other origins read nothing unless they are listed, and no cookie lets in.
#[test]
fn pages_that_are_listed_may_ask() {
    let origins = json!({ "public": true, "origins": ["https://app.example.com"] });
    let mut host = world(json!({ "definitions": document(), "ofrep": origins }));
    let from = |origin: &str, method: &str| {
        let request = with(request(method, ALL, &about("u")), "authorization", None);
        with(request, "origin", Some(origin))
    };
    let allowed = host.ask(&from("https://app.example.com", "POST"));
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(allowed.header("vary"), Some("origin"));
    assert!(allowed.header("access-control-expose-headers").unwrap().contains("etag"));
    let preflight = host.ask(&from("https://app.example.com", "OPTIONS"));
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, Some("POST")));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    for origin in ["https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com"] {
        for method in ["POST", "OPTIONS"] {
            let response = host.ask(&from(origin, method));
            assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
        }
    }
    let credentials = "access-control-allow-credentials";
    assert!(allowed.header(credentials).is_none() && preflight.header(credentials).is_none());
    let mut closed = world(json!({ "definitions": document() }));
    assert_eq!(closed.ask(&from("https://app.example.com", "POST")).status, 401);
    assert_eq!(closed.ask(&from("https://app.example.com", "OPTIONS")).header("access-control-allow-origin"), None);
}

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

/// FLG-07: users who were not split as a rule says are a reason in the status, in the health document and in the explanation of the
/// flag, by OFREP and in the application; no score falls for them, and a fair split is none.
#[test]
fn users_who_were_not_split_as_they_should_be_are_a_reason_in_the_status_of_flags() {
    let ask = |host: &mut Host, path: &str, of_application: Vec<Mismatch>| {
        let now = crate::clock::Instant(host.now);
        let mut cx = Cx { monitor: &mut host.monitor, now, random: 0 };
        let Next::Ask(_, then) = routes::begin(&request("GET", path, &Value::Null), &mut cx) else { panic!() };
        let probe = Some(ProbeFacts { is_connected: true, ..ProbeFacts::default() });
        let breaker = BreakerStatus { state: "CLOSED".into(), ..BreakerStatus::default() };
        let status = Status { breaker, ..Status::default() };
        let database = DatabaseFacts { name: "primary".to_owned(), probe, status, ..DatabaseFacts::default() };
        let facts = Facts { databases: vec![database], flag_mismatches: of_application, ..Facts::default() };
        let Next::Respond(response) = then(Answer::Facts(facts), &mut cx) else { panic!() };
        json_of(&response)
    };
    let mut fair = served();
    let ids: Vec<String> = (0..200).map(|user| format!("user-{user}")).collect();
    let is_lucky = |host: &mut Host, id: &str| host.flag("button", &about(id)).1["variant"] == "A";
    let lucky: Vec<&String> = ids.iter().filter(|id| is_lucky(&mut fair, id)).collect();
    assert_eq!(ask(&mut fair, "/api/status", Vec::new())["flags"].get("mismatches"), None);
    assert_eq!(ask(&mut fair, "/api/health", Vec::new())["alerts"], json!([]));
    let why = |host: &mut Host| json_of(&host.ask(&request("POST", "/admin/api/flags/button/explain", &about("u"))));
    assert_eq!(why(&mut fair)["sampleRatio"]["verdict"], json!("match"));
    let mut skewed = served();
    for id in &lucky {
        skewed.flag("button", &about(id));
    }
    let status = ask(&mut skewed, "/api/status", Vec::new());
    let mismatch = &status["flags"]["mismatches"][0];
    assert_eq!((&mismatch["flag"], &mismatch["served_by"]), (&json!("button"), &json!("ofrep")));
    assert!(mismatch["p_value"].as_f64().unwrap() < 0.001);
    let (rule, half) = (&mismatch["rules"][0], lucky.len() as f64 / 2.0);
    assert_eq!((&rule["rule"], &rule["observed"]), (&json!("#0"), &json!({ "A": lucky.len(), "B": 0 })));
    assert_eq!((rule["expected"]["A"].as_f64(), rule["expected"]["B"].as_f64()), (Some(half), Some(half)));
    let reason = mismatch["reason"].as_str().unwrap();
    assert!(
        reason.starts_with(&format!("Users of button are not split as rule #0 says: A {} of {half}, B 0", lucky.len())),
        "{reason}"
    );
    assert_eq!(why(&mut skewed)["sampleRatio"]["verdict"], json!("mismatch"));
    // It is a reason to look at the flag, and not one to send traffic elsewhere.
    let health = ask(&mut skewed, "/api/health", Vec::new());
    assert_eq!(health["alerts"], json!([{ "name": "sampleRatio", "severity": "warning", "message": reason }]));
    let well = ask(&mut fair, "/api/status", Vec::new());
    let database = |status: &Value, name: &str| status["databases"]["primary"][name].clone();
    assert_eq!(database(&status, "health_score"), database(&well, "health_score"));
    assert_eq!((&health["status"], database(&status, "state")), (&json!("healthy"), json!("healthy")));
    // Those of the application stand beside them, and all are bounded.
    let of_application = |flag: usize| Mismatch { flag: format!("flag-{flag}"), p_value: 0.0001, rules: Vec::new() };
    let status = ask(&mut skewed, "/api/status", (0..100).map(of_application).collect());
    let all = status["flags"]["mismatches"].as_array().unwrap();
    assert_eq!((all.len(), &all[1]["served_by"]), (20, &json!("application")));
    assert_eq!(all[1]["reason"], json!("Users of flag-0 are not split as its rules say (p = 1.0e-4)."));
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
