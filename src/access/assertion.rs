//! What Cloudflare Access says of a person: a JSON Web Token (RFC 7519) in the header `Cf-Access-Jwt-Assertion`, signed with
//! RS256 by a key of the team.
//!
//! This reads one and judges everything but its signature, which the host verifies with the key that the header names. Where
//! a key could be fetched from is never taken from what was sent.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::keys::ID_MAX;
use super::{Principal, Role};
use crate::clock::Instant;
use crate::orders::json;
use crate::orders::order::BY_MAX;

/// The header that holds it. The cookie of the same content is not looked at.
pub const HEADER: &str = "cf-access-jwt-assertion";
/// Longest one, in bytes.
pub const LENGTH_MAX: usize = 16_384;
/// How far the clocks of the issuer and ours may be apart, in seconds.
pub const LEEWAY_S: f64 = 60.0;

const DOMAIN: &str = ".cloudflareaccess.com";
/// Most applications, and most people and groups of each list.
const LISTED_MAX: usize = 1_000;
/// Where a key could be, as the sender has it, and what all readers must understand: whoever sends one of those is refused.
const NEVER: [&str; 6] = ["jku", "x5u", "jwk", "x5c", "crit", "b64"];

/// Whom Access lets in, and as what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The team's name, or its domain: `acme` or `acme.cloudflareaccess.com`.
    pub team_domain: String,
    /// The tags of the applications (AUD): one, or several.
    #[serde(deserialize_with = "one_or_more")]
    pub audience: Vec<String>,
    /// Who may do what; whoever is not named has the role of `default`.
    #[serde(default)]
    pub roles: Roles,
}

/// Roles by what Access says of a person; the greatest counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Roles {
    /// By address; capital letters make no difference.
    pub emails: BTreeMap<String, Role>,
    /// By group, as the identity provider tells it in `custom.groups` or `groups`.
    pub groups: BTreeMap<String, Role>,
    /// By the client id of a service token.
    pub services: BTreeMap<String, Role>,
    /// Of everybody else whom Access lets through: `viewer`, or nothing, and then they are refused.
    pub default: Option<Role>,
}

/// One that was read, and whose every word is right, if its signature is.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The id of the key.
    pub key_id: String,
    /// What is signed: the first two parts and the dot between them.
    pub signed: String,
    /// The signature, in base64url.
    pub signature: String,
    /// Who it is, and as what; `None` for somebody who has no role.
    pub principal: Option<Principal>,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion").field("principal", &self.principal).finish_non_exhaustive()
    }
}

impl Settings {
    /// What is wrong with them, in words that name the option.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let team = self.team();
        let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if team.is_empty() || team.len() > 63 || !team.bytes().all(is_label) {
            return Some("admin.access.teamDomain (CF_ACCESS_TEAM_DOMAIN) must be a team's name, or <team>.cloudflareaccess.com.".to_owned());
        }
        let is_tag =
            |tag: &String| !tag.is_empty() && tag.len() <= 200 && tag.bytes().all(|byte| byte.is_ascii_graphic());
        if self.audience.is_empty() || self.audience.len() > LISTED_MAX || !self.audience.iter().all(is_tag) {
            return Some(
                "admin.access.audience (CF_ACCESS_AUD) must have the tag of the Access application.".to_owned(),
            );
        }
        let Roles { emails, groups, services, default } = &self.roles;
        if [emails, groups, services].iter().any(|list| list.len() > LISTED_MAX || list.contains_key("")) {
            return Some(format!(
                "admin.access.roles (SEAWALL_ACCESS_ROLES) has at most {LISTED_MAX} names in each list, and no empty one."
            ));
        }
        let is_low = default.is_none_or(|role| role == Role::Viewer);
        (!is_low).then(|| "admin.access.roles.default must be viewer, or nothing.".to_owned())
    }

    fn team(&self) -> &str {
        self.team_domain.strip_suffix(DOMAIN).unwrap_or(&self.team_domain)
    }

    fn issuer(&self) -> String {
        ["https://", self.team(), DOMAIN].concat()
    }

    /// Where the team's keys are.
    #[must_use]
    pub fn keys_url(&self) -> String {
        [&self.issuer(), "/cdn-cgi/access/certs"].concat()
    }

    /// Reads what was sent; `None` for whatever is not an assertion of this team for one of these applications, now.
    #[must_use]
    pub fn read(&self, text: &str, now: Instant) -> Option<Assertion> {
        if text.len() > LENGTH_MAX {
            return None;
        }
        let mut parts = text.split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || URL_SAFE_NO_PAD.decode(signature).ok()?.is_empty() {
            return None;
        }
        let key_id = key_id(&object(header)?)?;
        let claims = object(claims)?;
        if !self.is_for_us(&claims) || !is_now(&claims, now) {
            return None;
        }
        let signed = text.get(..text.len() - signature.len() - 1)?.to_owned();
        Some(Assertion { key_id, signed, signature: signature.to_owned(), principal: self.principal(&claims)? })
    }

    fn is_for_us(&self, claims: &Map<String, Value>) -> bool {
        let is_ours = |value: &Value| value.as_str().is_some_and(|tag| self.audience.iter().any(|own| own == tag));
        let is_audience = match claims.get("aud") {
            Some(Value::Array(tags)) => tags.iter().all(Value::is_string) && tags.iter().any(is_ours),
            Some(tag) => is_ours(tag),
            None => false,
        };
        is_audience && claims.get("iss").and_then(Value::as_str) == Some(self.issuer().as_str())
    }

    /// Who it is; the outer `None` when that is not said, the inner when they have no role.
    fn principal(&self, claims: &Map<String, Value>) -> Option<Option<Principal>> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Roles { emails, groups, services, default } = &self.roles;
        let (name, named) = match (text("email"), text("common_name")) {
            (Some(email), _) => {
                (email, emails.iter().find(|(known, _)| known.eq_ignore_ascii_case(email)).map(|(_, role)| *role))
            }
            (None, Some(service)) => (service, services.get(service).copied()),
            (None, None) => return None,
        };
        let lists = [claims.get("groups"), claims.get("custom").and_then(|custom| custom.get("groups"))];
        let told = lists.into_iter().flatten().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        let role = told.filter_map(|group| groups.get(group).copied()).chain(named).chain(*default).max();
        let name = name.get(..name.floor_char_boundary(BY_MAX))?.to_owned();
        Some(role.map(|role| Principal { name, role, tenant: None }))
    }
}

/// The JSON object in one part: strict base64url, and no name twice.
fn object(part: &str) -> Option<Map<String, Value>> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    match json::read(&text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// The id of the key, of a header that says RS256 and nothing that must not be there.
fn key_id(header: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let is_type = header.get("typ").is_none_or(|typ| typ == "JWT");
    if text("alg") != Some("RS256") || !is_type || NEVER.iter().any(|name| header.contains_key(*name)) {
        return None;
    }
    text("kid").filter(|id| (1..=ID_MAX).contains(&id.len())).map(str::to_owned)
}

/// Whether it holds at `now`: `exp` must be there, `nbf` and `iat` need not.
fn is_now(claims: &Map<String, Value>, now: Instant) -> bool {
    let now_s = now.0 as f64 / 1_000.0;
    let number = |name: &str| claims.get(name).map(|value| value.as_f64().filter(|seconds| *seconds >= 0.0));
    let has_begun = |name: &str| match number(name) {
        None => true,
        Some(seconds) => seconds.is_some_and(|seconds| seconds <= now_s + LEEWAY_S),
    };
    let ends = number("exp").flatten().is_some_and(|seconds| now_s < seconds + LEEWAY_S);
    ends && has_begun("nbf") && has_begun("iat")
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        // The variable of the Worker is one text.
        OneOrMore::One(text) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
        OneOrMore::More(list) => list,
    })
}

#[cfg(test)]
mod tests {
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
}
