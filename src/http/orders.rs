//! The routes of orders: who reads one learns its version, and who writes one says which version it replaces.
//!
//! A write is a few questions: read, write with its record, tell the read cache. Another writer may come between the first two:
//! the second then says so (409). Its answer may be lost: what is there is read again, and only if that does not tell
//! the outcome is it unknown. A writer may die before the third: readers ask the strong store from time to time.

use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use super::exchange::{Answer, Cx, Next, Question};
use super::order_writes::{self, Write};
use super::{Problem, Response, body, idempotency, order_history, query, secure};
use crate::orders::Name;
use crate::orders::order::Order;
use crate::orders::seen::Found;
use crate::orders::write::{Condition, Proposal, Refusal, check, decide_above, tag};
use crate::report::timestamp::iso8601;

/// A read cache is told again of an order that came in between, so many times at most.
pub(super) const PUTS_MAX: u32 = 3;

/// Longest body that has a document of flags, in bytes.
pub(super) const FLAGS_BODY_MAX: usize = 524_288;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    name: &'static str,
    /// 0 while there is no order.
    version: u64,
    updated_at: Option<String>,
    by: Option<&'a str>,
    reason: Option<&'a str>,
    value: Option<&'a Value>,
}

/// A problem document with both versions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conflict<'a> {
    #[serde(flatten)]
    problem: Problem<'a>,
    expected_version: Option<u64>,
    current_version: Option<u64>,
}

/// `GET /orders/{name}`.
pub(super) fn show(call: &Call, name: Name) -> Next {
    let is_cached_enough = match query::text(call, "cached") {
        Ok(Some("true")) => true,
        Ok(None | Some("false")) => false,
        Ok(Some(_)) => return Next::Respond(query::invalid("cached must be true or false.")),
        Err(response) => return Next::Respond(response),
    };
    match (query::text(call, "version"), query::number(call, "version", 0)) {
        (Ok(None), _) => {}
        (_, Err(response)) | (Err(response), _) => return Next::Respond(response),
        (_, Ok(0)) => return Next::Respond(query::invalid("version must be at least 1.")),
        (_, Ok(version)) => return order_history::show(name, version),
    }
    let request = &call.request;
    let known = request.header("if-none-match").and_then(Condition::read);
    let respond = move |order: Option<&Order>| {
        let version = order.map_or(0, |order| order.version);
        let mut response = shown(name, order);
        if known.as_ref().is_some_and(|known| {
            *known == Condition::Any && version > 0 || *known != Condition::Any && known.holds(version)
        }) {
            response.status = 304;
            response.body.clear();
        }
        Next::Respond(response)
    };
    if is_cached_enough {
        return recall(name, move |found, cx| match found {
            Ok(()) => respond(cx.monitor.shown_mut().newest(name)),
            Err(response) => Next::Respond(response),
        });
    }
    Next::ask(Question::Read { key: name.key() }, move |answer, cx| match read(name, answer, cx) {
        Ok(order) => respond(order.as_ref()),
        Err(response) => Next::Respond(response),
    })
}

/// The order in the strong store's answer, whoever put it there.
pub(super) fn read(name: Name, answer: Answer, cx: &mut Cx<'_>) -> Result<Option<Order>, Response> {
    let text = match answer {
        Answer::Text(text) => text,
        other => return Err(unavailable(&other.problem())),
    };
    let order = text.as_deref().map(|text| Order::read(name, text)).transpose();
    cx.monitor.shown_mut().look(name, text.as_deref());
    cx.monitor.shown_mut().verified(name, cx.now);
    order.map_err(|damage| damaged(&damage.to_string()))
}

/// Finds out the newest of an order by way of the read cache, and leaves it in what the monitor has shown.
///
/// The strong store is asked when the cache has nothing, something older than was seen here, or was not checked for a
/// while; a cache that lags behind it is then told. `then` gets the response that refuses when nothing is known.
pub fn recall(name: Name, then: impl FnOnce(Result<(), Response>, &mut Cx<'_>) -> Next + 'static) -> Next {
    Next::ask(Question::ReadCached { key: name.key() }, move |answer, cx| {
        let cached = match answer {
            Answer::Text(text) => text,
            _ => None,
        };
        if let Some(followed) = cx.monitor.orders().newest(name).cloned() {
            cx.monitor.shown_mut().look(name, Some(&followed.text(name)));
        }
        let found = cx.monitor.shown_mut().look(name, cached.as_deref());
        if found == Found::Newest && !cx.monitor.shown_mut().is_verification_due(name, cx.now) {
            return then(Ok(()), cx);
        }
        Next::ask(Question::Read { key: name.key() }, move |answer, cx| {
            let text = match &answer {
                Answer::Text(text) => text.clone(),
                _ => None,
            };
            let read = read(name, answer, cx).map(drop);
            match (read, cx.monitor.shown_mut().newest(name).is_some()) {
                (Ok(()), _) => match text.filter(|text| cached.as_ref() != Some(text)) {
                    Some(text) => put_cached(name, text, PUTS_MAX, move |cx| then(Ok(()), cx)),
                    None => then(Ok(()), cx),
                },
                // The newest that was seen still holds for all that is known here.
                (Err(_), true) => then(Ok(()), cx),
                (Err(response), false) => then(Err(response), cx),
            }
        })
    })
}

/// Tells the read cache, then looks whether a newer order came in between: its writer may have told the cache before.
///
/// So whoever writes into the cache last has seen afterwards that it was the newest.
pub(super) fn put_cached(
    name: Name,
    text: String,
    puts: u32,
    then: impl FnOnce(&mut Cx<'_>) -> Next + 'static,
) -> Next {
    let question = Question::PutCached { key: name.key(), text: text.clone() };
    Next::ask(question, move |answer, cx| {
        if puts <= 1 || !matches!(answer, Answer::Cached(true)) {
            return then(cx);
        }
        Next::ask(Question::Read { key: name.key() }, move |answer, cx| match answer {
            Answer::Text(Some(newer)) if newer != text && Order::read(name, &newer).is_ok() => {
                // Not as a step of its own recursion: each level is a box of its own.
                put_cached(name, newer, puts - 1, then)
            }
            _ => then(cx),
        })
    })
}

/// `PUT /orders/{name}`.
pub(super) fn replace(call: &Call, name: Name, cx: &Cx<'_>) -> Next {
    if name == Name::Phase
        && let Err(refused) = secure::approved(cx)
    {
        return Next::Respond(refused);
    }
    let proposal = match proposal(call, name) {
        Ok(proposal) => proposal,
        Err(response) => return Next::Respond(response),
    };
    let call = call.clone();
    Next::ask(Question::Read { key: name.key() }, move |answer, cx| {
        let current = match answer {
            Answer::Text(text) => text,
            other => return Next::Respond(unavailable(&other.problem())),
        };
        let expected = expected_version(&proposal.condition);
        order_writes::with_floor(name, current.clone(), cx, move |floor, cx| {
            let decided = floor
                .map_err(|(_, damage)| Refusal::Damaged(damage))
                .and_then(|floor| decide_above(floor, current.as_deref(), proposal, cx.now, cx.random));
            match decided {
                Err(refusal) => unless_replayed(call, cx, refused(&refusal, expected)),
                Ok(swap) => {
                    let respond = Rc::new(|name, order: &_| shown(name, Some(order)));
                    let write = Write { name, action: action_of(name), respond };
                    order_writes::write(&call.clone(), write, swap, |written, cx| match written {
                        Ok(response) => Next::Respond(response),
                        Err(undone) => unless_replayed(call, cx, undone.response()),
                    })
                }
            }
        })
    })
}

/// Refuses with `response`, unless it was this very request, sent before, that came first.
fn unless_replayed(call: Call, cx: &Cx<'_>, response: Response) -> Next {
    match call.idempotency {
        None => Next::Respond(response),
        Some(_) => idempotency::replayed(call, cx.now, |_, _| Next::Respond(response)),
    }
}

/// The operation that replaces this order.
const fn action_of(name: Name) -> &'static str {
    match name {
        Name::Config => "replaceConfig",
        Name::Flags => "replaceFlags",
        Name::Kill => "replaceKill",
        Name::Phase => "replacePhase",
        Name::Control => "replaceControl",
        Name::Tenants => "replaceTenants",
        Name::Tokens => "replaceTokens",
    }
}

/// What the request wants to hold.
fn proposal(call: &Call, name: Name) -> Result<Proposal, Response> {
    let request = &call.request;
    let Some(condition) = condition_of(call)? else {
        let detail =
            "Send `If-Match` with the ETag that GET gave, `\"0\"` for the first order, or `*` for whatever is there.";
        return Err(Response::problem(428, "PRECONDITION_REQUIRED", "Precondition required", detail));
    };
    let unusable = |detail: &str| Response::problem(422, "ORDER_UNUSABLE", "Unusable order", detail);
    let body_max = if name == Name::Flags { FLAGS_BODY_MAX } else { super::BODY_MAX };
    let Value::Object(mut members) = body::json_up_to(request, body_max)? else {
        return Err(unusable("The body is {\"value\": {…}, \"reason\": \"…\"}, and \"by\" if you like."));
    };
    let Some(value) = members.remove("value") else { return Err(unusable("The body has no \"value\".")) };
    let mut text = |member: &str, default: Option<&str>| match (members.remove(member), default) {
        (Some(Value::String(text)), _) => Ok(text),
        (None, Some(default)) => Ok(default.to_owned()),
        _ => Err(unusable(&format!("\"{member}\" must be a text."))),
    };
    let reason = text("reason", None)?;
    let by = text("by", Some(&call.principal.name))?;
    if let Some((unknown, _)) = members.iter().next() {
        let quoted = &unknown[..unknown.floor_char_boundary(super::QUOTED_MAX)];
        return Err(unusable(&format!("The body has only value, reason and by; it got {quoted:?}.")));
    }
    let proposal = Proposal { name, condition, value, by, reason };
    match check(&proposal) {
        Ok(()) => Ok(proposal),
        Err(refusal) => Err(refused(&refusal, None)),
    }
}

/// Which versions `If-Match` allows; nothing if it is not there. An empty one is not: not every platform hands it on.
pub(super) fn condition_of(call: &Call) -> Result<Option<Condition>, Response> {
    let Some(header) = call.request.header("if-match").filter(|header| !header.trim().is_empty()) else {
        return Ok(None);
    };
    Condition::read(header).map(Some).ok_or_else(|| {
        let detail = "If-Match is `*`, or up to 16 ETags in quotes with commas between them.";
        Response::problem(400, "PRECONDITION_MALFORMED", "Malformed precondition", detail)
    })
}

/// An order as it is answered.
pub(super) fn shown(name: Name, order: Option<&Order>) -> Response {
    let document = Document {
        name: name.text(),
        version: order.map_or(0, |order| order.version),
        updated_at: order.map(|order| iso8601(order.updated_at)),
        by: order.map(|order| order.by.as_str()),
        reason: order.map(|order| order.reason.as_str()),
        value: order.map(|order| &order.value),
    };
    let mut response = Response::json(200, "application/json", &document);
    response.headers.push(("etag", tag(document.version)));
    response
}

/// The one version that a condition names, for the problem document.
fn expected_version(condition: &Condition) -> Option<u64> {
    match condition {
        Condition::Versions(versions) => versions.first().copied(),
        Condition::Any => None,
    }
}

pub(super) fn refused(refusal: &Refusal, expected: Option<u64>) -> Response {
    match refusal {
        Refusal::Version { current } => {
            let detail = "The order has another version. Read it again, and decide anew.";
            conflict(412, "ORDER_CHANGED", "Precondition failed", detail, expected, Some(*current))
        }
        Refusal::Damaged(damage) => damaged(&damage.to_string()),
        Refusal::Exhausted => {
            Response::problem(507, "ORDER_EXHAUSTED", "Exhausted", "The version cannot rise any more.")
        }
        Refusal::Unusable(problem) => Response::problem(
            422,
            "ORDER_UNUSABLE",
            "Unusable order",
            &format!("The order cannot be taken: {problem}."),
        ),
    }
}

pub(super) fn conflict(
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &str,
    expected_version: Option<u64>,
    current_version: Option<u64>,
) -> Response {
    let problem = Problem { code, title, status, detail, instance: None };
    let document = Conflict { problem, expected_version, current_version };
    let mut response = Response::json(status, super::PROBLEM_JSON, &document);
    if let Some(version) = current_version {
        response.headers.push(("etag", tag(version)));
    }
    response
}

pub(super) fn damaged(damage: &str) -> Response {
    let detail =
        format!("What the store holds is no order that can be used: {damage}. Nothing was changed. Restore it.");
    Response::problem(500, "ORDER_DAMAGED", "Damaged order", &detail)
}

pub(super) fn unavailable(problem: &str) -> Response {
    let detail = format!("The strong store did not answer. {problem}");
    Response::problem(503, "STORE_UNAVAILABLE", "Store unavailable", &detail)
}

#[cfg(test)]
mod tests;
