//! Who may ask what a flag is, how often, and from which pages.
//!
//! Tokens are those of the admin routes, the role `evaluator` being enough; they come as `Authorization: Bearer` or, as the
//! protocol has it, as `X-API-Key`. They are read as often as orders are looked for, and not for each request: one that was
//! revoked lets in for so long at most, and while the store does not answer, those that are known do for ten minutes. For one that
//! is not known they are read at once, a few times: it may have been made a moment ago.

use serde_json::json;

use super::super::auth::{self, bearer_token};
use super::super::exchange::{Answer, Cx, Next, Question};
use super::super::{Request, Response};
use super::JSON;
use crate::access::guard::Taken;
use crate::access::known_tokens::KnownTokens;
use crate::access::tokens::{Presented, Tokens};
use crate::clock::Millis;
use crate::monitor::admin_requests::Refused;
use crate::orders::Name;
use crate::orders::order::Order;

/// The header of the protocol for those who have no bearer token.
const API_KEY: &str = "x-api-key";
/// Tokens that are known let in for so long while the store does not answer, in milliseconds.
const KEPT_MS: Millis = 600_000;
/// A browser asks again whether it may after so many seconds.
const PREFLIGHT_S: u32 = 600;

/// Bounds requests of those who may.
pub(super) fn limited(cx: &mut Cx<'_>) -> Result<(), Response> {
    let (now, per_minute) = (cx.now, cx.monitor.settings().flags.ofrep.requests_per_minute);
    cx.monitor.flags(now).admit(per_minute, now).map_err(|wait_ms| later("There were too many requests.", wait_ms))
}

type Then = Box<dyn FnOnce(Result<(), Response>, &mut Cx<'_>) -> Next>;

/// Finds out whether whoever sends `request` may ask, and goes on with that, or with the response that refuses.
pub(super) fn admitted(request: &Request, cx: &mut Cx<'_>, then: Then) -> Next {
    let settings = cx.monitor.settings();
    if settings.flags.ofrep.is_public {
        return then(Ok(()), cx);
    }
    let bearer = request.header("authorization").map(|header| bearer_token(header).unwrap_or_default());
    let Some(sent) = bearer.or_else(|| request.header(API_KEY)) else { return then(Err(unauthorized()), cx) };
    if settings.admin_token.admits(sent) {
        return then(Ok(()), cx);
    }
    let interval_ms = settings.admin.follow_interval_ms;
    let presented = Presented::read(sent);
    let taken = match auth::take(presented.as_ref().map(Presented::digest), cx) {
        Ok(taken) => taken,
        Err(refused) => {
            let seconds = refused.header("retry-after").and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
            let why = "There were too many requests with something that does not let in.";
            return then(Err(later(why, seconds.saturating_mul(1_000))), cx);
        }
    };
    // The store is asked about nothing that has not the form of a token.
    let Some(presented) = presented else {
        let refused = auth::refuse(Refused::Token, unauthorized(), cx);
        return then(Err(refused), cx);
    };
    let now = cx.now;
    let known = cx.monitor.known_tokens_mut();
    // One that is not known may be new.
    let is_worth_a_read =
        |known: &mut KnownTokens| known.principal(&presented, now).is_none() && known.may_read_early(now);
    if known.is_young(interval_ms, now) && !is_worth_a_read(known) {
        let judged = judged(&presented, taken, cx);
        return then(judged, cx);
    }
    Next::ask(Question::Read { key: Name::Tokens.key() }, move |answer, cx| {
        let now = cx.now;
        match answer {
            Answer::Text(text) => {
                // A document that cannot be read holds no token.
                let order = text.and_then(|text| Order::read(Name::Tokens, &text).ok());
                let tokens = order.map(|order| Tokens::read(&order.value)).unwrap_or_default();
                cx.monitor.known_tokens_mut().learn(tokens, now);
            }
            Answer::NoStore(_) => cx.monitor.known_tokens_mut().learn(Tokens::default(), now),
            _ if cx.monitor.known_tokens().is_young(KEPT_MS, now) => {}
            _ => {
                let details = "The strong store, in which tokens are, did not answer.";
                let response = Response::json(500, JSON, &json!({ "errorDetails": details }));
                return then(Err(response), cx);
            }
        }
        let judged = judged(&presented, taken, cx);
        then(judged, cx)
    })
}

/// By what is known of tokens.
fn judged(presented: &Presented, taken: Taken, cx: &mut Cx<'_>) -> Result<(), Response> {
    let Some(principal) = cx.monitor.known_tokens().principal(presented, cx.now) else {
        cx.monitor.guard_mut().forget(presented.digest());
        return Err(auth::refuse(Refused::Token, unauthorized(), cx));
    };
    auth::give_back((*presented.digest(), taken), cx);
    // Flags are nobody's alone.
    if principal.tenant.is_some() { Err(auth::refuse(Refused::Role, forbidden(), cx)) } else { Ok(()) }
}

/// What a browser asks before a page of another origin may ask.
pub(in crate::http) fn preflight(request: &Request, allowed: &str, cx: &Cx<'_>) -> Response {
    let headers = vec![("allow", allowed.to_owned()), ("cache-control", "no-store".to_owned())];
    let mut response = Response { status: 204, headers, body: String::new() };
    shared(request, &mut response, cx);
    if response.header("access-control-allow-origin").is_some() {
        response.headers.push(("access-control-allow-methods", "POST".to_owned()));
        let allowed = "authorization, content-type, if-none-match, x-api-key";
        response.headers.push(("access-control-allow-headers", allowed.to_owned()));
        response.headers.push(("access-control-max-age", PREFLIGHT_S.to_string()));
    }
    response
}

/// Lets a page read the response, if it is one of those that are listed. No cookie ever lets in.
pub(in crate::http) fn shared(request: &Request, response: &mut Response, cx: &Cx<'_>) {
    let origins = &cx.monitor.settings().flags.ofrep.origins;
    if origins.is_empty() {
        return;
    }
    response.headers.push(("vary", "origin".to_owned()));
    let Some(origin) = request.header("origin") else { return };
    let allowed = origins.iter().find(|listed| *listed == origin || *listed == "*");
    if let Some(allowed) = allowed {
        response.headers.push(("access-control-allow-origin", allowed.clone()));
        response.headers.push(("access-control-expose-headers", "etag, retry-after".to_owned()));
    }
}

fn later(why: &str, wait_ms: u64) -> Response {
    let mut response = Response::json(429, JSON, &json!({ "errorDetails": format!("{why} See Retry-After.") }));
    response.headers.push(("retry-after", wait_ms.div_ceil(1_000).max(1).to_string()));
    response
}

/// The same whatever is wrong.
fn unauthorized() -> Response {
    let details = "Send a token as `Authorization: Bearer <token>` or as `X-API-Key`.";
    let mut response = Response::json(401, JSON, &json!({ "errorDetails": details }));
    response.headers.push(("www-authenticate", "Bearer".to_owned()));
    response
}

fn forbidden() -> Response {
    let details = "This token is for one tenant, and flags are of all of them.";
    Response::json(403, JSON, &json!({ "errorDetails": details }))
}
