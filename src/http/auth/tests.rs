use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::access;
use crate::audit::fake::Host;
use crate::clock::Instant;
use crate::http::routes::begin;
use crate::monitor::{Monitor, Settings};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";

fn host(admin_token: Access, admin: access::Settings) -> Host {
    let admin = access::Settings { environment: "development".to_owned(), ..admin };
    Host::with(Monitor::new(Settings { admin_token, admin, ..Settings::default() }))
}

fn open() -> Host {
    host(Access::by_token(TOKEN), access::Settings::default())
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    Request {
        method: method.to_owned(),
        path: format!("/admin/api{path}"),
        origin: Some("https://db.example.com".to_owned()),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_owned(),
        ..Request::default()
    }
}

fn send(host: &mut Host, request: &Request) -> Response {
    host.carry_out(|cx| begin(request, cx)).unwrap()
}

/// A request with that `authorization`, if any.
fn get(host: &mut Host, authorization: Option<&str>) -> Response {
    let headers: Vec<_> = authorization.into_iter().map(|value| ("authorization", value)).collect();
    send(host, &request("GET", "/openapi.json", &headers, ""))
}

fn write(host: &mut Host, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let response = send(host, &request(method, path, &headers, &body.to_string()));
    (response.status, serde_json::from_str(&response.body).unwrap_or_default())
}

/// A token that is made by way of the routes: its id and its secret.
fn made(host: &mut Host, change: &Value) -> (String, String) {
    let mut body = json!({ "label": "a test", "role": "operator", "reason": "a test" });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let (status, made) = write(host, TOKEN, "POST", "/tokens", &body);
    assert_eq!(status, 201, "{made}");
    (made["token"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

fn status(host: &mut Host, secret: &str) -> u16 {
    get(host, Some(&format!("Bearer {secret}"))).status
}

fn refusals(host: &Host) -> BTreeMap<&'static str, u64> {
    host.monitor.admin_requests().refused().filter(|(_, count)| *count > 0).collect()
}

/// H018, H020 and H022: whatever is not exactly the token gets the same 401.
#[test]
fn what_is_not_the_token_is_refused_alike() {
    let mut host =
        host(Access::by_token(TOKEN), access::Settings { failures_per_minute: 1_000, ..access::Settings::default() });
    assert_eq!(get(&mut host, Some(&format!("Bearer {TOKEN}"))).status, 200);
    assert_eq!(get(&mut host, Some(&format!("bearer {TOKEN}"))).status, 200);
    let expected = get(&mut host, None);
    assert_eq!((expected.status, expected.header("www-authenticate")), (401, Some("Bearer")));
    let wrong = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "bearer x".to_owned(),
        format!("Basic {TOKEN}"),
        format!("Bearer  {TOKEN}"),
        format!("Bearer\t{TOKEN}"),
        format!(" Bearer {TOKEN}"),
        TOKEN.to_owned(),
        format!("Bearer {TOKEN}\0"),
        format!("Bearer {TOKEN}\n"),
        format!("Bearer {TOKEN} "),
        format!("Bearer {TOKEN}\u{200b}"),
        format!("Bearer {}", TOKEN.to_uppercase()),
        format!("Bearer {}", &TOKEN[1..]),
        format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]),
        format!("Bearer {TOKEN}, Bearer other"),
        format!("Bearer other, Bearer {TOKEN}"),
        format!("Bearer lrk_000000000000_{}", "A".repeat(43)),
    ];
    for header in &wrong {
        let response = get(&mut host, Some(header));
        assert_eq!((response.status, &response.body), (401, &expected.body), "{header:?}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(refusals(&host), BTreeMap::from([("missing", 1), ("token", wrong.len() as u64)]));
}

/// H024: without anything that lets in, nobody gets in, and no token does either.
#[test]
fn not_configured_is_closed() {
    let unusable = ["short".to_owned(), "a".repeat(31), "a".repeat(1_025), "a ".repeat(20), "é".repeat(20)];
    for access in unusable.iter().map(|token| Access::by_token(token)).chain([Access::by_token(""), Access::default()])
    {
        let token = format!("Bearer lrk_000000000000_{}", "A".repeat(43));
        for header in [None, Some("Bearer "), Some("Bearer short"), Some("Bearer null"), Some(&*token)] {
            let response = get(&mut host(access.clone(), access::Settings::default()), header);
            assert_eq!((response.status, response.header("www-authenticate")), (503, None), "{access:?}");
            assert!(response.body.contains("ADMIN_NOT_CONFIGURED"));
        }
    }
    for token in &unusable {
        let mut host = host(Access::by_token(token), access::Settings::default());
        assert_eq!(status(&mut host, token), 503);
    }
}

#[test]
fn the_token_is_not_kept() {
    assert_eq!(format!("{:?}", Access::by_token(TOKEN)), "Token");
}

/// SEC-03 and SEC-05: a token lets in with its role, and what is above that is refused
#[test]
fn a_token_is_made_and_lets_in() {
    let mut host = open();
    for (role, kill, config) in [("viewer", 403, 403), ("operator", 200, 403), ("admin", 200, 200)] {
        let (_, secret) = made(&mut host, &json!({ "role": role }));
        assert_eq!(status(&mut host, &secret), 200, "{role}");
        let mut put = |path: &str| {
            let bearer = format!("Bearer {secret}");
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("if-match", "*")];
            send(&mut host, &request("PUT", path, &headers, r#"{"value":{},"reason":"a test"}"#)).status
        };
        assert_eq!((put("/orders/kill"), put("/orders/config")), (kill, config), "{role}");
        let bearer = format!("Bearer {secret}");
        let listed = send(&mut host, &request("GET", "/tokens", &[("authorization", &bearer)], ""));
        assert_eq!(listed.status, if role == "admin" { 200 } else { 403 });
    }
    assert_eq!(refusals(&host)["role"], 5);
}

/// SEC-04: every change of a token has a record, in which there is nothing of a secret
#[test]
fn records_of_tokens_hold_no_secret() {
    let mut host = open();
    let (id, secret) = made(&mut host, &json!({}));
    let path = format!("/tokens/{id}");
    let (_, rotated) = write(&mut host, TOKEN, "POST", &format!("{path}/rotate"), &json!({ "reason": "a test" }));
    write(&mut host, TOKEN, "DELETE", &path, &json!({ "reason": "a test" }));
    let records: Vec<_> =
        host.strong.iter().filter(|(key, _)| key.starts_with("audit/0")).map(|(_, text)| text.clone()).collect();
    let actions = ["createToken", "rotateToken", "revokeToken"];
    assert_eq!(records.len(), actions.len());
    let kept = host.strong["orders/tokens"].clone();
    let digests: Vec<_> =
        kept.match_indices("sha256\":\"").map(|(at, found)| kept[at + found.len()..][..64].to_owned()).collect();
    for (record, action) in records.iter().zip(actions) {
        assert!(record.contains(action) && record.contains(&format!("tokens/{id}")), "{record}");
        for hidden in digests.iter().chain([&secret, &rotated["secret"].as_str().unwrap().to_owned()]) {
            assert!(!record.contains(&**hidden), "{record}");
        }
    }
    assert!(!kept.contains(&secret[17..]));
    assert!(host.strong.keys().all(|key| !key.starts_with("history/tokens")), "what has ended does not come back");
    let audited: Value = serde_json::from_str(&records[2]).unwrap();
    assert_eq!((&audited["before"]["state"], &audited["after"]["state"]), (&json!("active"), &json!("revoked")));
}

/// H026: a token that was revoked lets nobody in at the next request, one that has expired or has not begun neither
#[test]
fn what_has_ended_lets_nobody_in() {
    let mut host = open();
    let (id, secret) = made(&mut host, &json!({}));
    assert_eq!(status(&mut host, &secret), 200);
    let revoke = |host: &mut Host| write(host, TOKEN, "DELETE", &format!("/tokens/{id}"), &json!({ "reason": "lost" }));
    assert_eq!(revoke(&mut host).0, 200);
    assert_eq!(status(&mut host, &secret), 401);
    let records = host.strong.len();
    assert_eq!((revoke(&mut host).0, host.strong.len()), (200, records), "once is enough");
    let now = host.now;
    let (_, later) = made(&mut host, &json!({ "notBeforeMs": now + 60_000, "expiresAtMs": now + 120_000 }));
    let mut at = |ms| {
        host.now = now + ms;
        status(&mut host, &later)
    };
    assert_eq!([at(0), at(60_000), at(119_999), at(120_000)], [401, 200, 200, 401]);
}

#[test]
fn a_secret_is_replaced_by_way_of_the_routes() {
    let mut host = open();
    let (id, old) = made(&mut host, &json!({}));
    let body = json!({ "overlapMs": 5_000, "reason": "a test" });
    let (rotated, answer) = write(&mut host, TOKEN, "POST", &format!("/tokens/{id}/rotate"), &body);
    assert_eq!(rotated, 200);
    let new = answer["secret"].as_str().unwrap().to_owned();
    assert_eq!([status(&mut host, &old), status(&mut host, &new)], [200, 200]);
    host.now += 5_000;
    assert_eq!([status(&mut host, &old), status(&mut host, &new)], [401, 200]);
    let unknown = json!({ "reason": "a test" });
    assert_eq!(write(&mut host, TOKEN, "POST", "/tokens/000000000000/rotate", &unknown).0, 404);
    assert_eq!(write(&mut host, TOKEN, "DELETE", "/tokens/__proto__", &unknown).0, 404);
}

/// H028: whatever the document is replaced by, all tokens are refused, and the admin token goes on
#[test]
fn a_damaged_document_lets_nobody_in() {
    let mut host = open();
    let (_, secret) = made(&mut host, &json!({ "role": "admin" }));
    let sound = host.strong["orders/tokens"].clone();
    for text in [
        "",
        "null",
        "{}",
        "[]",
        "garbage",
        &sound[..100],
        &sound.replace("operator", "admin").replace("a test", "b test"),
        "\u{feff}",
    ] {
        host.strong.insert("orders/tokens".to_owned(), text.to_owned());
        assert_eq!(status(&mut host, &secret), 401, "{text}");
        let listed = send(&mut host, &request("GET", "/tokens", &[("authorization", &format!("Bearer {TOKEN}"))], ""));
        assert_eq!(listed.status, 200);
        assert!(listed.body.contains("No token lets in") && listed.body.contains("\"tokens\":[]"), "{}", listed.body);
    }
    let (_, fresh) = made(&mut host, &json!({}));
    assert_eq!((status(&mut host, &fresh), status(&mut host, &secret)), (200, 401));
}

/// A token for one tenant names one that can be: the routes of tenants take no other ids.
#[test]
fn a_token_is_not_made_for_a_tenant_that_cannot_be() {
    let mut host = open();
    for tenant in ["", "0l*", "__proto__", "..", "a b", "é", &"a".repeat(65)] {
        let body = json!({ "label": "build", "role": "viewer", "tenant": tenant, "reason": "a test" });
        assert_eq!(write(&mut host, TOKEN, "POST", "/tokens", &body).0, 422, "{tenant}");
    }
}

/// A token whose tenant got lost on the way would be one for all tenants.
#[test]
fn a_token_is_not_made_with_members_that_are_null() {
    let mut host = open();
    for member in ["tenant", "notBeforeMs", "expiresAtMs", "label", "reason"] {
        let mut body = json!({ "label": "build", "role": "viewer", "reason": "a test" });
        body[member] = json!(null);
        let (status, answer) = write(&mut host, TOKEN, "POST", "/tokens", &body);
        assert_eq!(status, 422, "{member}: {answer}");
        assert!(answer.to_string().contains(member), "{answer}");
    }
}

/// H024: tokens in the store let in where no admin token is set
#[test]
fn tokens_let_in_without_an_admin_token() {
    let mut with = open();
    let (_, secret) = made(&mut with, &json!({ "role": "admin" }));
    let mut without = host(Access::default(), access::Settings::default());
    without.strong.clone_from(&with.strong);
    assert_eq!(status(&mut without, &secret), 200);
    assert_eq!(status(&mut without, &format!("lrk_000000000000_{}", "A".repeat(43))), 401);
    assert_eq!(status(&mut without, TOKEN), 503);
    assert_eq!(get(&mut without, None).status, 503);
}

/// SEC-08: (H030) after twenty failures the store is not asked any more, and who is right still gets in
#[test]
fn guessing_costs_no_reads() {
    let mut host =
        host(Access::by_token(TOKEN), access::Settings { failures_per_minute: 20, ..access::Settings::default() });
    let (_, secret) = made(&mut host, &json!({}));
    assert_eq!(status(&mut host, &secret), 200);
    let guess = |host: &mut Host, number: usize| {
        let bearer = format!("Bearer lrk_{number:012x}_{}", "A".repeat(43));
        let address = format!("203.0.113.{number}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("cf-connecting-ip", &address),
            ("x-forwarded-for", &address),
            ("x-real-ip", &address),
            ("true-client-ip", &address),
        ];
        let response = send(host, &request("GET", "/openapi.json", &headers, ""));
        (response.status, host.asked, response.header("retry-after").map(str::to_owned))
    };
    for number in 0..20 {
        assert_eq!(guess(&mut host, number), (401, 1, None));
    }
    assert_eq!(guess(&mut host, 20), (429, 0, Some("3".to_owned())));
    assert_eq!(get(&mut host, Some("Bearer x")).status, 429);
    assert_eq!(get(&mut host, None).status, 401, "it costs nothing");
    assert_eq!((status(&mut host, &secret), status(&mut host, TOKEN)), (200, 200));
    assert_eq!(refusals(&host), BTreeMap::from([("limited", 2), ("missing", 1), ("token", 20)]));
    host.now += 3_000;
    assert_eq!(guess(&mut host, 21), (401, 1, None));
}

#[test]
fn a_store_that_is_gone_lets_nobody_in() {
    use crate::audit::fake::Fault;
    let mut host = open();
    let (_, secret) = made(&mut host, &json!({}));
    host.fault = Some((0, Fault::Refused));
    assert_eq!((status(&mut host, &secret), status(&mut host, TOKEN)), (503, 200));
}

/// A change of tokens whose host or store fails at any question is done and written down, or neither.
#[test]
fn a_token_and_its_record_come_about_together() {
    use crate::audit::fake::Fault;
    for at in 0..6 {
        for fault in [Fault::Refused, Fault::Lost, Fault::Died] {
            let mut host = open();
            host.fault = Some((at, fault));
            let headers = [("authorization", &*format!("Bearer {TOKEN}")), ("content-type", "application/json")];
            let body = r#"{"label":"a","role":"viewer","reason":"a test"}"#;
            let response = host.carry_out(|cx| begin(&request("POST", "/tokens", &headers, body), cx));
            let is_there = host.strong.contains_key("orders/tokens");
            assert_eq!(is_there, host.strong.contains_key("audit/000000000001"), "{at} {fault:?}");
            match response.map(|response| response.status) {
                Some(201) => assert!(is_there),
                Some(503) | None => {}
                other => panic!("{at} {fault:?}: {other:?}"),
            }
        }
    }
}

/// H044: to whom a tenant is all, everything of everybody is as if it were not there
#[test]
fn who_is_bound_to_a_tenant_finds_nothing_else() {
    let mut host = open();
    let (_, secret) = made(&mut host, &json!({ "role": "admin", "tenant": "a" }));
    let bearer = format!("Bearer {secret}");
    let headers = [("authorization", bearer.as_str())];
    let mut ask = |method: &str, path: &str| {
        let response = send(&mut host, &request(method, path, &headers, ""));
        let body: Value = serde_json::from_str(&response.body).unwrap();
        (response.status, body["code"].clone(), body["detail"].clone(), host.asked)
    };
    let nothing = ask("GET", "/nothing/is/here");
    assert_eq!((nothing.0, &nothing.1), (404, &json!("NOT_FOUND")));
    for (method, path) in [
        ("GET", "/tokens"),
        ("POST", "/tokens"),
        ("PUT", "/orders/kill"),
        ("GET", "/orders/flags"),
        ("TRACE", "/orders/flags"),
        ("GET", "/alerts"),
        ("GET", "/logs"),
        ("GET", "/openapi.json"),
    ] {
        assert_eq!(ask(method, path), nothing, "{method} {path}");
    }
}

/// An address is a digest that another deployment has not, and is not there where nobody vouches for it.
#[test]
fn addresses_are_digests_under_a_key() {
    let at = |address: Option<&str>| Request { address: address.map(str::to_owned), ..Request::default() };
    let own = Access::by_token(TOKEN);
    let digest = address_digest(&at(Some("203.0.113.7")), &own).unwrap();
    assert_eq!(digest.len(), ADDRESS_DIGITS);
    assert_eq!(address_digest(&at(Some("203.0.113.7")), &own), Some(digest.clone()));
    assert_ne!(address_digest(&at(Some("203.0.113.8")), &own), Some(digest.clone()));
    assert_ne!(address_digest(&at(Some("203.0.113.7")), &Access::by_token(&"b".repeat(32))), Some(digest.clone()));
    assert_eq!(address_digest(&at(None), &own), None);
    assert_eq!(address_digest(&at(Some("203.0.113.7")), &Access::default()), None);
    let mut host = open();
    let headers = [
        ("authorization", &*format!("Bearer {TOKEN}")),
        ("content-type", "application/json"),
        ("cf-connecting-ip", "203.0.113.9"),
    ];
    let body = r#"{"label":"a","role":"viewer","reason":"a test"}"#;
    send(&mut host, &Request { address: Some("203.0.113.7".to_owned()), ..request("POST", "/tokens", &headers, body) });
    let record = &host.strong["audit/000000000001"];
    assert!(record.contains(&digest) && !record.contains("203.0.113"), "{record}");
}

/// SEC-02: (H046) the phase moves in production only with exactly `true`
#[test]
fn the_phase_of_production_needs_approval() {
    for (environment, approved, expected) in [
        ("production", None, 403),
        ("production", Some("TRUE"), 403),
        ("production", Some("1"), 403),
        ("production", Some("true "), 403),
        ("production", Some("true"), 200),
        ("preview", None, 200),
    ] {
        let admin = access::Settings {
            environment: environment.to_owned(),
            migration_approved: approved.map(str::to_owned),
            ..access::Settings::default()
        };
        let settings = Settings { admin_token: Access::by_token(TOKEN), admin, ..Settings::default() };
        let mut host = Host::with(Monitor::new(settings));
        let headers =
            [("authorization", &*format!("Bearer {TOKEN}")), ("content-type", "application/json"), ("if-match", "*")];
        let body = r#"{"value":{},"reason":"a test"}"#;
        let mut put = |path| send(&mut host, &request("PUT", path, &headers, body)).status;
        assert_eq!((put("/orders/phase"), put("/orders/kill")), (expected, 200), "{environment} {approved:?}");
        assert_eq!(host.strong.contains_key("orders/phase"), expected == 200);
    }
}

/// H052 and H054: every response of an admin route has the headers that keep browsers from doing anything with it
#[test]
fn every_response_has_the_headers() {
    let mut host = open();
    let bearer = format!("Bearer {TOKEN}");
    for (method, path, token) in [
        ("GET", "/tokens", &*bearer),
        ("GET", "/tokens", ""),
        ("GET", "/no", &bearer),
        ("TRACE", "/tokens", &bearer),
        ("HEAD", "/tokens", &bearer),
        ("OPTIONS", "/tokens", &bearer),
    ] {
        let response = send(&mut host, &request(method, path, &[("authorization", token)], ""));
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(response.header(name), Some(value), "{method} {path}");
        }
    }
}

mod access_of_cloudflare {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const NOW: u64 = 1_704_067_200_000;

    fn with_access(admin_token: Access) -> Monitor {
        let access = serde_json::from_value(json!({
            "teamDomain": "acme",
            "audience": ["aud-1"],
            "roles": { "emails": { "ada@example.com": "admin", "eve@example.com": "viewer" } },
        }));
        let admin = access::Settings { access: Some(access.unwrap()), ..access::Settings::default() };
        Monitor::new(Settings { admin_token, admin, ..Settings::default() })
    }

    fn assertion(email: &str, key: &str) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "aud": "aud-1", "iss": "https://acme.cloudflareaccess.com", "email": email, "exp": NOW / 1_000 + 600 });
        format!("{}.{}.c2ln", part(json!({ "alg": "RS256", "kid": key })), part(claims))
    }

    /// Carries one request out: its response, and how often keys were asked for. Signatures are as `is_right` says.
    fn sent(
        monitor: &mut Monitor,
        now: u64,
        request: &Request,
        keys: Option<&str>,
        is_right: bool,
    ) -> (Response, usize) {
        let mut asked = 0;
        let mut next = begin(request, &mut Cx { monitor, now: Instant(now), random: 7 });
        loop {
            let (question, then) = match next {
                Next::Respond(response) => return (response, asked),
                Next::Ask(question, then) => (question, then),
                Next::Done => panic!("no response"),
            };
            let answer = match question {
                Question::Keys { url, .. } => {
                    assert_eq!(url, "https://acme.cloudflareaccess.com/cdn-cgi/access/certs");
                    asked += 1;
                    keys.map_or_else(|| Answer::Failed("gone".to_owned()), |keys| Answer::Text(Some(keys.to_owned())))
                }
                Question::Verify { signature, .. } => {
                    assert_eq!(signature, "c2ln");
                    Answer::Verified(is_right)
                }
                other => panic!("{other:?}"),
            };
            next = then(answer, &mut Cx { monitor, now: Instant(now), random: 7 });
        }
    }

    fn keys(id: &str) -> String {
        json!({ "keys": [{ "kid": id, "kty": "RSA", "n": "A".repeat(342), "e": "AQAB" }] }).to_string()
    }

    fn code(response: &Response) -> (u16, String) {
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        (response.status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn keys_are_asked_for_once_and_signatures_each_time() {
        let mut monitor = with_access(Access::default());
        let ask = |email: &str, key: &str| {
            request("GET", "/openapi.json", &[(assertion::HEADER, &assertion(email, key))], "")
        };
        let known = keys("k1");
        let mut get = |email: &str, key: &str, now, is_right| {
            let (response, asked) = sent(&mut monitor, now, &ask(email, key), Some(&known), is_right);
            (response.status, asked)
        };
        assert_eq!(get("ada@example.com", "k1", NOW, true), (200, 1));
        assert_eq!(get("eve@example.com", "k1", NOW, true), (200, 0));
        assert_eq!(get("ada@example.com", "k1", NOW, false), (403, 0));
        assert_eq!(get("mallory@example.com", "k1", NOW, true), (403, 0));
        assert_eq!(get("ada@example.com", "k2", NOW, true), (403, 0), "it was asked a moment ago");
        assert_eq!(get("ada@example.com", "k2", NOW + 60_000, true), (403, 1));
        assert_eq!(get("ada@example.com", "k2", NOW + 60_001, true), (403, 0));
    }

    #[test]
    fn without_keys_nobody_is_believed() {
        let mut monitor = with_access(Access::default());
        let request = request("GET", "/openapi.json", &[(assertion::HEADER, &assertion("ada@example.com", "k1"))], "");
        let (response, _) = sent(&mut monitor, NOW, &request, None, true);
        assert_eq!(code(&response), (503, "ACCESS_KEYS_UNAVAILABLE".to_owned()));
    }

    /// H040: a wrong token is not made good by what Access says, and a right one needs nothing of it
    #[test]
    fn a_wrong_token_is_wrong_whatever_access_says() {
        let mut monitor = with_access(Access::by_token(TOKEN));
        let good = assertion("ada@example.com", "k1");
        for (bearer, expected) in [("Bearer x", 401), ("", 401), ("Basic x", 401)] {
            let request = request("GET", "/openapi.json", &[("authorization", bearer), (assertion::HEADER, &good)], "");
            assert_eq!(sent(&mut monitor, NOW, &request, Some(&keys("k1")), true).0.status, expected);
        }
        let right = format!("Bearer {TOKEN}");
        let request = request("GET", "/openapi.json", &[("authorization", &right), (assertion::HEADER, "x")], "");
        assert_eq!(sent(&mut monitor, NOW, &request, None, false).0.status, 200);
    }

    /// H048: a write by way of a cookie needs to come from a page of ours
    #[test]
    fn writes_need_a_page_of_ours() {
        let mut monitor = with_access(Access::default());
        let good = assertion("ada@example.com", "k1");
        let mut post = |origin: &str, own: &str| {
            let headers = [
                (assertion::HEADER, good.as_str()),
                ("origin", origin),
                ("content-type", "application/json"),
                (secure::OWN_HEADER, own),
            ];
            code(&sent(&mut monitor, NOW, &request("POST", "/tokens", &headers, "{}"), Some(&keys("k1")), true).0)
        };
        assert_eq!(post("https://db.example.com", "1"), (422, "TOKEN_UNUSABLE".to_owned()));
        assert_eq!(post("https://evil.example", "1"), (403, "CROSS_SITE".to_owned()));
        assert_eq!(post("null", "1"), (403, "CROSS_SITE".to_owned()));
        assert_eq!(post("https://db.example.com", ""), (403, "CROSS_SITE".to_owned()));
    }

    #[test]
    fn without_access_its_header_is_nothing() {
        let admin = access::Settings::default();
        let mut monitor = Monitor::new(Settings { admin_token: Access::by_token(TOKEN), admin, ..Settings::default() });
        let request = request("GET", "/openapi.json", &[(assertion::HEADER, &assertion("ada@example.com", "k1"))], "");
        assert_eq!(sent(&mut monitor, NOW, &request, None, true).0.status, 401);
    }
}
