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
mod tests;
