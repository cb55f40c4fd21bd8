use serde_json::json;

use super::*;

const NOW: Instant = Instant(1_704_067_200_000);
const NOW_S: u64 = 1_704_067_200;

fn settings() -> Settings {
    serde_json::from_value(json!({
        "teamDomain": "acme",
        "audience": "aud-1, aud-2",
        "roles": {
            "emails": { "Ada@example.com": "admin", "eve@example.com": "viewer" },
            "groups": { "ops": "operator" },
            "services": { "ci.access": "operator" },
        },
    }))
    .unwrap()
}

fn claims() -> Value {
    json!({
        "aud": ["aud-1"],
        "iss": "https://acme.cloudflareaccess.com",
        "email": "ada@example.com",
        "exp": NOW_S + 600,
        "iat": NOW_S - 5,
        "nbf": NOW_S - 5,
        "type": "app",
    })
}

fn joined(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", part(header), part(claims))
}

fn read(claims: &Value) -> Option<Assertion> {
    settings().read(&joined(r#"{"alg":"RS256","kid":"k1","typ":"JWT"}"#, &claims.to_string()), NOW)
}

fn with(name: &str, value: Value) -> bool {
    let mut claims = claims();
    claims[name] = value;
    read(&claims).is_some()
}

/// SEC-05: who Access lets through has the role that its address or groups give, and nobody else has one
#[test]
fn roles_come_from_addresses_groups_and_services() {
    let as_whom = |change: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        read(&claims).unwrap().principal.map(|principal| (principal.name, principal.role))
    };
    let is = |name: &str, role| Some((name.to_owned(), role));
    assert_eq!(as_whom(json!({})), is("ada@example.com", Role::Admin));
    assert_eq!(as_whom(json!({ "email": "eve@example.com" })), is("eve@example.com", Role::Viewer));
    let in_group = json!({ "email": "eve@example.com", "custom": { "groups": ["x", "ops"] } });
    assert_eq!(as_whom(in_group), is("eve@example.com", Role::Operator));
    assert_eq!(as_whom(json!({ "email": "", "common_name": "ci.access" })), is("ci.access", Role::Operator));
    assert_eq!(as_whom(json!({ "email": "mallory@example.com" })), None);
    assert_eq!(as_whom(json!({ "email": "mallory@example.com", "groups": "ops" })), None);
    let open = Settings { roles: Roles { default: Some(Role::Viewer), ..Roles::default() }, ..settings() };
    let text = joined(r#"{"alg":"RS256","kid":"k1"}"#, &claims().to_string());
    assert_eq!(open.read(&text, NOW).unwrap().principal.map(|it| it.role), Some(Role::Viewer));
    assert!(!with("email", json!("")) && !with("email", json!(7)));
}

/// H032: an assertion for another application, or of another team, is refused
#[test]
fn another_audience_is_refused() {
    for aud in [json!("aud-1"), json!("aud-2"), json!(["other", "aud-2"])] {
        assert!(with("aud", aud));
    }
    for aud in [
        json!("other"),
        json!(["other"]),
        json!([]),
        json!(""),
        json!([""]),
        json!(null),
        json!(["aud-1", 7]),
        json!({ "0": "aud-1" }),
        json!("aud-1, aud-2"),
    ] {
        assert!(!with("aud", aud.clone()), "{aud}");
    }
    for iss in [
        json!("https://evil.cloudflareaccess.com"),
        json!("https://acme.cloudflareaccess.com/"),
        json!("acme"),
        json!(null),
        json!(["https://acme.cloudflareaccess.com"]),
    ] {
        assert!(!with("iss", iss.clone()), "{iss}");
    }
}

/// H034: an assertion that has ended, has not begun, or does not say so as a number is refused
#[test]
fn another_time_is_refused() {
    assert!(with("exp", json!(NOW_S - 59)) && !with("exp", json!(NOW_S - 60)));
    assert!(with("nbf", json!(NOW_S + 60)) && !with("nbf", json!(NOW_S + 61)));
    assert!(with("iat", json!(NOW_S + 60)) && !with("iat", json!(NOW_S + 61)));
    for exp in [json!("9999999999"), json!(-1), json!(null), json!([]), json!(true), json!(0)] {
        assert!(!with("exp", exp.clone()), "{exp}");
    }
    for nbf in [json!("0"), json!(-1), json!(null)] {
        assert!(!with("nbf", nbf.clone()), "{nbf}");
    }
    let mut missing = claims();
    missing.as_object_mut().unwrap().remove("exp");
    assert_eq!(read(&missing), None);
    let huge = claims().to_string().replace(&(NOW_S + 600).to_string(), "1e400");
    assert_eq!(settings().read(&joined(r#"{"alg":"RS256","kid":"k1"}"#, &huge), NOW), None);
}

/// H036: a header that names a key of its own, or another algorithm, is refused
#[test]
fn another_header_is_refused() {
    let header = |header: &str| settings().read(&joined(header, &claims().to_string()), NOW).is_some();
    assert!(header(r#"{"alg":"RS256","kid":"k1","x5t":"a"}"#));
    for wrong in [
        r#"{"alg":"none","kid":"k1"}"#,
        r#"{"alg":"HS256","kid":"k1"}"#,
        r#"{"alg":"rs256","kid":"k1"}"#,
        r#"{"alg":["RS256"],"kid":"k1"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":""}"#,
        r#"{"alg":"RS256","kid":7}"#,
        r#"{"alg":"RS256","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","kid":"k1","jku":"https://evil.example/keys"}"#,
        r#"{"alg":"RS256","kid":"k1","x5u":"https://evil.example/cert"}"#,
        r#"{"alg":"RS256","kid":"k1","jwk":{"kty":"RSA"}}"#,
        r#"{"alg":"RS256","kid":"k1","crit":["exp"]}"#,
        r#"{"alg":"none","alg":"RS256","kid":"k1"}"#,
        "[]",
        "",
    ] {
        assert!(!header(wrong), "{wrong}");
    }
}

/// H038: what is not three parts of strict base64url, is too long, or says a claim twice is refused
#[test]
fn another_form_is_refused() {
    let good = joined(r#"{"alg":"RS256","kid":"k1"}"#, &claims().to_string());
    assert!(settings().read(&good, NOW).is_some());
    let (header, rest) = good.split_once('.').unwrap();
    let twice = claims().to_string().replacen('{', r#"{"email":"ada@example.com","#, 1);
    for wrong in [
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}."),
        format!("{good}.e30"),
        format!(".{good}"),
        good.rsplit_once('.').unwrap().0.to_owned(),
        good.rsplit_once('.').unwrap().0.to_owned() + ".",
        format!("{header}=.{rest}"),
        format!("{header}.{rest}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace("c2ln", "c2l+"),
        good.replace("c2ln", "c2l/"),
        joined(r#"{"alg":"RS256","kid":"k1"}"#, &twice),
        joined(r#"{"alg":"RS256","kid":"k1"}"#, "null"),
        format!("{good}{}", "A".repeat(102_400)),
    ] {
        assert!(settings().read(&wrong, NOW).is_none(), "{}", &wrong[..wrong.len().min(200)]);
    }
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    assert_eq!(settings().problem(), None);
    assert_eq!(settings().keys_url(), "https://acme.cloudflareaccess.com/cdn-cgi/access/certs");
    let full = Settings { team_domain: "acme.cloudflareaccess.com".to_owned(), ..settings() };
    assert_eq!((full.problem(), full.keys_url()), (None, settings().keys_url()));
    for team_domain in ["", "evil.example", "acme.example/", "a@b", "https://acme.cloudflareaccess.com", "Acme"] {
        let problem = Settings { team_domain: team_domain.to_owned(), ..settings() }.problem();
        assert!(problem.is_some_and(|problem| problem.contains("teamDomain")), "{team_domain}");
    }
    for audience in [vec![], vec![String::new()], vec!["a b".to_owned()]] {
        assert!(Settings { audience, ..settings() }.problem().is_some());
    }
    let roles = Roles { default: Some(Role::Operator), ..Roles::default() };
    assert!(Settings { roles, ..settings() }.problem().is_some_and(|problem| problem.contains("default")));
}
