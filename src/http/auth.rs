//! Who may use the admin routes: whoever sends the admin token, a token that was given out, or comes through Cloudflare Access.
//! Without any of them configured, nobody.
//!
//! ```text
//! Authorization: Bearer <admin token>     compared here
//! Authorization: Bearer lrk_…             looked up in the strong store, at each request: what is revoked is so at once
//! Cf-Access-Jwt-Assertion: …              read here, its key fetched once an hour, its signature verified by the host
//! ```
//!
//! Who sends a token is judged by it alone: a wrong one does not fall back to what Access says. Of the admin token only the
//! SHA-256 digest is kept, and digests are compared in a time that does not depend on where they differ.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::exchange::{Answer, Cx, Next, Question};
use super::{Request, Response, secure};
use crate::access::assertion::{self, Assertion};
use crate::access::guard::Taken;
use crate::access::keys::{Found, Key};
use crate::access::tokens::{Presented, Tokens};
use crate::access::{Principal, Role};
use crate::clock::Millis;
use crate::monitor::admin_requests::Refused;
use crate::orders::Name;
use crate::orders::order::Order;

/// Shortest admin token, in bytes.
pub const TOKEN_MIN: usize = 32;
/// Longest admin token, in bytes.
pub const TOKEN_MAX: usize = 1_024;
/// An issuer of assertions is not waited for any longer, in milliseconds.
const KEYS_MS: Millis = 5_000;
/// Digits of an address's digest.
const ADDRESS_DIGITS: usize = 32;

/// What lets in.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// There is no token: closed.
    #[default]
    NotConfigured,
    /// The token is too short, too long, or has characters that no header carries: closed.
    Unusable,
    /// The SHA-256 digest of the token.
    Token([u8; 32]),
}

/// What an exchange goes on with when it is known who asks.
trait Then: FnOnce(Result<Principal, Response>, &mut Cx<'_>) -> Next + 'static {}
impl<T: FnOnce(Result<Principal, Response>, &mut Cx<'_>) -> Next + 'static> Then for T {}

/// Finds out who sends `request`, and goes on with that, or with the response that refuses.
pub(super) fn identify(
    request: &Request,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<Principal, Response>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let settings = cx.monitor.settings();
    if let Some(header) = request.header("authorization") {
        let sent = bearer_token(header).unwrap_or_default();
        if settings.admin_token.admits(sent) {
            return then(Ok(Principal::admin()), cx);
        }
        return match Presented::read(sent) {
            Some(presented) => by_token(presented, cx, then),
            None => {
                let refused = match closed(cx) {
                    Some(response) => response,
                    None => {
                        take(None, cx).map_or_else(|response| response, |_| refuse(Refused::Token, unauthorized(), cx))
                    }
                };
                then(Err(refused), cx)
            }
        };
    }
    match (request.header(assertion::HEADER), &settings.admin.access) {
        (Some(text), Some(access)) => {
            let digest = digest(text);
            let assertion = access.read(text, cx.now);
            let is_meant = secure::is_meant(request, &settings.admin);
            match take(Some(&digest), cx) {
                Err(limited) => then(Err(limited), cx),
                Ok(taken) => by_assertion(assertion, is_meant, (digest, taken), cx, then),
            }
        }
        _ => {
            let refused = closed(cx).unwrap_or_else(|| refuse(Refused::Missing, unauthorized(), cx));
            then(Err(refused), cx)
        }
    }
}

/// Looks up a token. The store is asked about nothing that has not the form of one.
fn by_token(presented: Presented, cx: &mut Cx<'_>, then: impl Then) -> Next {
    let taken = match take(Some(presented.digest()), cx) {
        Err(limited) => return then(Err(limited), cx),
        Ok(taken) => taken,
    };
    Next::ask(Question::Read { key: Name::Tokens.key() }, move |answer, cx| {
        let text = match answer {
            Answer::Text(text) => text,
            other => return then(Err(unavailable(&other.problem())), cx),
        };
        // A document that cannot be read holds no token.
        let order = text.and_then(|text| Order::read(Name::Tokens, &text).ok());
        let tokens = order.map(|order| Tokens::read(&order.value)).unwrap_or_default();
        match tokens.principal(&presented, cx.now) {
            Some(principal) => {
                give_back((*presented.digest(), taken), cx);
                then(Ok(principal), cx)
            }
            None => {
                cx.monitor.guard_mut().forget(presented.digest());
                let closed = closed(cx).filter(|_| !tokens.has_usable(cx.now));
                let refused = closed.unwrap_or_else(|| refuse(Refused::Token, unauthorized(), cx));
                then(Err(refused), cx)
            }
        }
    })
}

/// Verifies what Access says. `assertion` is `None` if it was refused for what it says itself.
fn by_assertion(
    assertion: Option<Assertion>,
    is_meant: bool,
    taken: ([u8; 32], Taken),
    cx: &mut Cx<'_>,
    then: impl Then,
) -> Next {
    let Some(assertion) = assertion else {
        let refused = refuse(Refused::Assertion, not_believed(), cx);
        return then(Err(refused), cx);
    };
    with_key(assertion.key_id.clone(), cx, move |key, cx| {
        let key = match key {
            Ok(Some(key)) => key,
            Ok(None) => {
                let refused = refuse(Refused::Assertion, not_believed(), cx);
                return then(Err(refused), cx);
            }
            Err(response) => return then(Err(response), cx),
        };
        let Assertion { signed, signature, principal, .. } = assertion;
        let Key { modulus, exponent, .. } = key;
        Next::ask(Question::Verify { modulus, exponent, signed, signature }, move |answer, cx| {
            if !matches!(answer, Answer::Verified(true)) {
                cx.monitor.guard_mut().forget(&taken.0);
                let refused = refuse(Refused::Assertion, not_believed(), cx);
                return then(Err(refused), cx);
            }
            give_back(taken, cx);
            let identified = match principal {
                None => Err(refuse(Refused::Role, without_role(), cx)),
                Some(_) if !is_meant => Err(refuse(Refused::CrossSite, cross_site(), cx)),
                Some(principal) => Ok(principal),
            };
            then(identified, cx)
        })
    })
}

/// Goes on with the key of that id; `None` if there is none, and an error if nobody can know.
fn with_key(
    id: String,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<Option<Key>, Response>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    match cx.monitor.access_keys().find(&id, cx.now) {
        Found::Key(key) => then(Ok(Some(key)), cx),
        Found::Unknown => {
            let found = if cx.monitor.access_keys().is_empty() { Err(without_keys()) } else { Ok(None) };
            then(found, cx)
        }
        Found::Ask => {
            let access = cx.monitor.settings().admin.access.as_ref();
            let url = access.map(assertion::Settings::keys_url).unwrap_or_default();
            Next::ask(Question::Keys { url, timeout_ms: KEYS_MS }, move |answer, cx| {
                let document = match &answer {
                    Answer::Text(text) => text.as_deref(),
                    _ => None,
                };
                let now = cx.now;
                cx.monitor.access_keys_mut().learn(document, now);
                let found = match cx.monitor.access_keys().find(&id, now) {
                    Found::Key(key) => Ok(Some(key)),
                    _ if cx.monitor.access_keys().is_empty() => Err(without_keys()),
                    _ => Ok(None),
                };
                then(found, cx)
            })
        }
    }
}

/// Takes for a credential that is to be looked at; the response that says later if there is nothing left.
pub(super) fn take(digest: Option<&[u8; 32]>, cx: &mut Cx<'_>) -> Result<Taken, Response> {
    let (now, per_minute) = (cx.now, cx.monitor.settings().admin.failures_per_minute);
    cx.monitor.guard_mut().take(digest, per_minute, now).map_err(|wait_ms| {
        let detail = "There were too many requests with something that does not let in. See Retry-After.";
        let mut response = Response::problem(429, "AUTH_RATE_LIMITED", "Too many failures", detail);
        response.headers.push(("retry-after", wait_ms.div_ceil(1_000).to_string()));
        refuse(Refused::Limited, response, cx)
    })
}

pub(super) fn give_back((digest, taken): ([u8; 32], Taken), cx: &mut Cx<'_>) {
    let (now, per_minute) = (cx.now, cx.monitor.settings().admin.failures_per_minute);
    cx.monitor.guard_mut().give_back(&digest, taken, per_minute, now);
}

/// Counts whom `response` refuses.
pub(super) fn refuse(why: Refused, response: Response, cx: &mut Cx<'_>) -> Response {
    cx.monitor.admin_requests_mut().refuse(why);
    response
}

/// The response where nothing is configured that could let in; tokens in the store may still.
fn closed(cx: &Cx<'_>) -> Option<Response> {
    let settings = cx.monitor.settings();
    let detail = match settings.admin_token {
        _ if settings.admin.access.is_some() => return None,
        Access::Token(_) => return None,
        Access::NotConfigured => {
            "The admin routes are closed: no admin token is set. Set SEAWALL_ADMIN_TOKEN (adminToken in createMonitor) to 32 random characters or more."
        }
        Access::Unusable => {
            "The admin routes are closed: SEAWALL_ADMIN_TOKEN (adminToken in createMonitor) must have 32 to 1024 visible ASCII characters, without spaces."
        }
    };
    Some(Response::problem(503, "ADMIN_NOT_CONFIGURED", "Not configured", detail))
}

/// Where a request came from, as a digest that only this deployment can compare: HMAC-SHA256 of the address, under the digest
/// of the admin token. Nothing where there is no address or no such token.
#[must_use]
pub fn address_digest(request: &Request, access: &Access) -> Option<String> {
    let (Some(address), Access::Token(key)) = (request.address.as_deref(), access) else { return None };
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(b"seawall/address/");
    mac.update(address.as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.get(..ADDRESS_DIGITS).map(str::to_owned)
}

impl Access {
    /// By this token; an empty one is none.
    #[must_use]
    pub fn by_token(token: &str) -> Self {
        match token.len() {
            0 => Self::NotConfigured,
            TOKEN_MIN..=TOKEN_MAX if token.bytes().all(|byte| byte.is_ascii_graphic()) => Self::Token(digest(token)),
            _ => Self::Unusable,
        }
    }

    /// Whether `sent` is the token.
    pub(super) fn admits(&self, sent: &str) -> bool {
        // Digests have one length, so nothing is told of the token's.
        matches!(self, Self::Token(expected) if bool::from(digest(sent).ct_eq(expected)))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConfigured => "NotConfigured",
            Self::Unusable => "Unusable",
            Self::Token(_) => "Token",
        })
    }
}

/// From the token's text, of which only the digest is kept.
impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::by_token(&String::deserialize(deserializer)?))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The token of `Bearer <token>`. The scheme's case does not matter, everything else does.
pub(super) fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn unauthorized() -> Response {
    let detail = "Send a token as `Authorization: Bearer <token>`.";
    let mut response = Response::problem(401, "UNAUTHORIZED", "Not authorized", detail);
    response.headers.push(("www-authenticate", "Bearer".to_owned()));
    response
}

/// The same for whatever is wrong with it.
fn not_believed() -> Response {
    let detail = "What Cloudflare Access says of you could not be verified. Sign in again.";
    Response::problem(403, "ASSERTION_REFUSED", "Not allowed", detail)
}

fn without_role() -> Response {
    let detail = "Cloudflare Access let you through, and no role is given to you here. Ask an administrator.";
    Response::problem(403, "NO_ROLE", "Not allowed", detail)
}

/// Refuses a write that another page sent.
pub(super) fn foreign(cx: &mut Cx<'_>) -> Response {
    let detail =
        "A browser says that another page sent this. List where your pages come from in SEAWALL_ADMIN_ORIGINS.";
    let response = Response::problem(403, "CROSS_SITE", "Not allowed", detail);
    refuse(Refused::CrossSite, response, cx)
}

fn cross_site() -> Response {
    let detail = "A write by way of Cloudflare Access needs `Origin` of this site, `Content-Type: application/json` and `X-Seawall-Request: 1`.";
    Response::problem(403, "CROSS_SITE", "Not allowed", detail)
}

fn without_keys() -> Response {
    let detail =
        "The keys of Cloudflare Access could not be read, so nobody's word can be verified. Ask again in a minute.";
    Response::problem(503, "ACCESS_KEYS_UNAVAILABLE", "Keys unavailable", detail)
}

fn unavailable(problem: &str) -> Response {
    let detail = format!("The strong store, in which tokens are, did not answer. {problem}");
    Response::problem(503, "STORE_UNAVAILABLE", "Store unavailable", &detail)
}

/// The response to somebody whose role is too small.
pub(super) fn forbidden(needed: Role, own: Role, cx: &mut Cx<'_>) -> Response {
    let detail = format!("This needs the role {needed}; yours is {own}.");
    refuse(Refused::Role, Response::problem(403, "FORBIDDEN", "Not allowed", &detail), cx)
}

#[cfg(test)]
mod tests;
