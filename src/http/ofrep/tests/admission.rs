//! Who may ask, and how often.

use super::*;
use crate::access::Role;

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
