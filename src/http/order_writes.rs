//! How routes write orders: with the order that is replaced and an audit record, in one step of the strong store.
//!
//! `write` does a swap that was decided on; `amend` changes a part of an order, whatever its version, and does so again when
//! somebody else came first. Another writer may come at any time, and an answer may be lost: what is there is read again,
//! and only if that does not tell the outcome is it unknown.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::Response;
use super::call::Call;
use super::exchange::{Answer, Change, Cx, Next, Question};
use super::idempotency;
use super::orders::{PUTS_MAX, conflict, damaged, put_cached, read, refused, unavailable};
use crate::audit::HEAD_KEY;
use crate::audit::commit::{Committed, commit};
use crate::audit::entry::Act;
use crate::audit::head::{Budget, Head, Mark};
use crate::orders::order::{Damage, Order, REASON_MAX, checksum};
use crate::orders::write::{Condition, Proposal, Swap, decide_above, decide_over};
use crate::orders::{Name, history_key};

/// A part of an order is changed so often when others come first.
const TRIES_MAX: u32 = 16;

/// The response to a request that wrote an order.
pub(super) type Respond = dyn Fn(Name, &Order) -> Response;

/// What is written.
#[derive(Clone)]
pub(super) struct Write {
    pub name: Name,
    /// The operation, as records have it.
    pub action: &'static str,
    pub respond: Rc<Respond>,
}

/// Why an order was not written, as far as that is known.
pub(super) enum Undone {
    /// Another writer came first. Both versions.
    Conflict { expected: u64, current: Option<u64> },
    /// Nobody knows. What the store said, and both versions.
    Unknown { problem: String, expected: u64, current: Option<u64> },
    /// Nothing was done for another reason.
    Refused(Response),
}

impl Undone {
    pub(super) fn response(self) -> Response {
        match self {
            Self::Conflict { expected, current } => {
                let detail = "Another writer came first. Read the order again, and decide anew.";
                conflict(409, "ORDER_CONFLICT", "Conflict", detail, Some(expected), current)
            }
            Self::Unknown { problem, expected, current } => {
                let detail =
                    format!("Whether the order was written is unknown. Read it before you send it again. {problem}");
                conflict(503, "OUTCOME_UNKNOWN", "Outcome unknown", &detail, Some(expected), current)
            }
            Self::Refused(response) => response,
        }
    }
}

/// Writes an order, the one that it replaces, and the record of both.
pub(super) fn write(
    call: &Call,
    write: Write,
    swap: Swap,
    then: impl FnOnce(Result<Response, Undone>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let Write { name, action, .. } = write;
    let response = (write.respond)(name, &swap.order);
    let before = swap.expected.as_deref().map_or(Value::Null, |text| match Order::read(name, text) {
        Ok(order) => recorded(Some(&order)),
        Err(_) => json!({ "damaged": text }),
    });
    let after = recorded(Some(&swap.order));
    let act = act_of(call, action, name.key(), before, after, swap.order.reason.clone());
    let budget = if name == Name::Kill { Budget::Kill } else { Budget::Writes };
    let mut changes = vec![Change { key: name.key(), expected: swap.expected.clone(), text: Some(swap.text.clone()) }];
    changes.extend(swap.expected.clone().map(|text| Change {
        key: history_key(name, swap.order.version - 1),
        expected: None,
        text: Some(text),
    }));
    let now = swap.order.updated_at;
    changes.extend(call.idempotency.as_ref().map(|key| idempotency::change(key, &response, now)));
    let mark = Mark { version: swap.order.version, sha256: checksum(&swap.text).to_owned() };
    commit(changes, act, budget, vec![(name, mark)], move |committed, cx| match committed {
        Committed::Done(_) => written(name, swap, response, cx, then),
        Committed::Changed => look_again(name, swap, None, response, then),
        Committed::Unknown(problem) => look_again(name, swap, Some(problem), response, then),
        undone => then(Err(Undone::Refused(not_committed(&undone))), cx),
    })
}

/// The record of what `call` does.
pub(super) fn act_of(
    call: &Call,
    action: &'static str,
    target: String,
    before: Value,
    after: Value,
    mut reason: String,
) -> Act {
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    let (actor, role) = (call.principal.name.clone(), call.principal.role);
    Act {
        actor,
        role,
        action,
        target,
        before,
        after,
        reason,
        request_id: call.id_text(),
        address: call.address.clone(),
    }
}

/// Changes a part of an order, whatever its version. `change` gets the value that is there, an empty object before the first;
/// and 0, or the version of a damaged order that this one replaces: what is counted once for each version goes on above it.
pub(super) fn amend(
    call: &Call,
    what: Write,
    reason: String,
    change: impl Fn(&mut Map<String, Value>, u64) -> Result<(), Response> + 'static,
) -> Next {
    amend_if(call, Condition::Any, what, reason, change)
}

/// The same if the order's version is one of those that `condition` allows.
pub(super) fn amend_if(
    call: &Call,
    condition: Condition,
    what: Write,
    reason: String,
    change: impl Fn(&mut Map<String, Value>, u64) -> Result<(), Response> + 'static,
) -> Next {
    attempt(call.clone(), condition, what, reason, Rc::new(change), TRIES_MAX)
}

/// Finds out whether a new order may take the place of `text`, and above which version it must be: 0 if `text` says so itself,
/// else what the head of the audit log says of the order that was there. A text that the head does not name was put there past
/// the routes, whatever it says: then `then` gets what is wrong. The kill switch asks nobody.
pub(super) fn with_floor(
    name: Name,
    text: Option<String>,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<u64, (u64, Damage)>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let found = text.as_deref().map(|text| Order::read(name, text));
    if name == Name::Kill && matches!(found, Some(Ok(_))) {
        return then(Ok(0), cx);
    }
    let seen = cx.monitor.orders().newest(name).map_or(0, |order| order.version);
    Next::ask(Question::Read { key: HEAD_KEY.to_owned() }, move |answer, cx| {
        let head = match answer {
            Answer::Text(text) => text.as_deref().and_then(Head::read),
            other => return Next::Respond(unavailable(&other.problem())),
        };
        let mark = head.as_ref().and_then(|head| head.orders.get(name.text()));
        let floor = mark.map_or(0, |mark| mark.version).max(seen);
        let is_named = head.is_none() || mark.is_some_and(|mark| text.as_deref().map(checksum) == Some(&mark.sha256));
        match found {
            None => then(Ok(floor), cx),
            Some(Err(damage)) => then(Err((floor, damage)), cx),
            Some(Ok(_)) if is_named => then(Ok(0), cx),
            // Another may have written in between: his order is another text.
            Some(Ok(order)) => Next::ask(Question::Read { key: name.key() }, move |answer, cx| match answer {
                Answer::Text(again) if again == text => then(Err((floor.max(order.version), Damage::Unnamed)), cx),
                Answer::Text(_) => then(Ok(0), cx),
                other => Next::Respond(unavailable(&other.problem())),
            }),
        }
    })
}

type Amendment = dyn Fn(&mut Map<String, Value>, u64) -> Result<(), Response>;

fn attempt(call: Call, condition: Condition, what: Write, reason: String, change: Rc<Amendment>, tries: u32) -> Next {
    let name = what.name;
    Next::ask(Question::Read { key: name.key() }, move |answer, cx| {
        let text = match answer {
            Answer::Text(text) => text,
            other => return Next::Respond(unavailable(&other.problem())),
        };
        with_floor(name, text.clone(), cx, move |floor, cx| {
            let begun = Begun { call, condition, what, text, floor: 0, members: Map::new(), is_over: false };
            let how = (reason, change, tries);
            match floor {
                Ok(floor) => {
                    let order = begun.text.as_deref().and_then(|text| Order::read(name, text).ok());
                    let members = order.and_then(|order| order.value.as_object().cloned()).unwrap_or_default();
                    amended(Begun { floor, members, ..begun }, how, cx)
                }
                Err((floor, damage)) if is_amended_over(&begun.what, damage) => {
                    last_sound(name, floor, cx, move |members, cx| {
                        amended(Begun { floor, members, is_over: true, ..begun }, how, cx)
                    })
                }
                Err((_, damage)) => Next::Respond(damaged(&damage.to_string())),
            }
        })
    })
}

/// Whether an order that is damaged is replaced: by what turns everything off, and by what must be done to circuits and pools
/// right now. What a newer release wrote is replaced by the first alone.
fn is_amended_over(what: &Write, damage: Damage) -> bool {
    what.action == "kill" || (what.name == Name::Control && damage != Damage::Newer)
}

/// What the order said before it was damaged, as far as that is known: that version, if it was seen here, or the one that it
/// had replaced. The kill switch waits for neither.
fn last_sound(
    name: Name,
    lost: u64,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Map<String, Value>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let members = |order: &Order| order.value.as_object().cloned().unwrap_or_default();
    let seen = cx.monitor.orders().newest(name);
    if name == Name::Kill {
        return then(Map::new(), cx);
    }
    if let Some(seen) = seen.filter(|order| order.version == lost) {
        let members = members(seen);
        return then(members, cx);
    }
    let seen = seen.map(|order| (order.version, members(order)));
    let before = lost.saturating_sub(1);
    Next::ask(Question::Read { key: history_key(name, before) }, move |answer, cx| {
        let kept = match answer {
            Answer::Text(text) => text.and_then(|text| Order::read(name, &text).ok()),
            other => return Next::Respond(unavailable(&other.problem())),
        };
        let kept = kept.map(|order| (order.version, members(&order)));
        let known = kept.into_iter().chain(seen).max_by_key(|(version, _)| *version);
        then(known.map(|(_, members)| members).unwrap_or_default(), cx)
    })
}

/// Where an amendment begins.
struct Begun {
    call: Call,
    condition: Condition,
    what: Write,
    /// The order that is there.
    text: Option<String>,
    floor: u64,
    /// What it says, or said.
    members: Map<String, Value>,
    /// Whether it is damaged, and is replaced.
    is_over: bool,
}

/// Changes the order.
fn amended(begun: Begun, (reason, change, tries): (String, Rc<Amendment>, u32), cx: &mut Cx<'_>) -> Next {
    let Begun { call, condition, what, text, floor, mut members, is_over } = begun;
    let name = what.name;
    if let Err(response) = change(&mut members, if is_over { floor } else { 0 }) {
        return Next::Respond(response);
    }
    let proposal = Proposal {
        name,
        condition: condition.clone(),
        value: Value::Object(members),
        by: call.principal.name.clone(),
        reason: reason.clone(),
    };
    let decided = match text.as_deref().filter(|_| is_over) {
        Some(damaged) => decide_over(floor, damaged, proposal, cx.now, cx.random),
        None => decide_above(floor, text.as_deref(), proposal, cx.now, cx.random),
    };
    let swap = match decided {
        Ok(swap) => swap,
        Err(refusal) => return Next::Respond(refused(&refusal, None)),
    };
    let again = (call.clone(), what.clone(), reason, change);
    write(&call, what, swap, move |written, cx| match written {
        Ok(response) => Next::Respond(response),
        Err(Undone::Conflict { .. }) if tries > 1 => {
            let (call, what, reason, change) = again;
            // The other writer may have been this very request, sent twice.
            let again = move |call, _: &mut Cx<'_>| attempt(call, condition, what, reason, change, tries - 1);
            idempotency::replayed(call, cx.now, again)
        }
        Err(undone) => Next::Respond(undone.response()),
    })
}

/// An order as records have it. Who has a token is nobody's business, whatever is left of it.
fn recorded(order: Option<&Order>) -> Value {
    order.map_or(Value::Null, |order| json!({ "version": order.version, "value": order.value }))
}

/// The response when nothing was done.
pub(super) fn not_committed(committed: &Committed) -> Response {
    match committed {
        Committed::Limited(wait_ms) => {
            let detail = "There were too many writes in the last minute. Nothing was changed. See Retry-After.";
            let mut response = Response::problem(429, "RATE_LIMITED", "Too many writes", detail);
            response.headers.push(("retry-after", wait_ms.div_ceil(1_000).to_string()));
            response
        }
        Committed::Failed(problem) => unavailable(problem),
        _ => {
            let detail = "Others wrote at the same time, again and again. Nothing was changed: ask again.";
            Response::problem(503, "STORE_BUSY", "Others were quicker", detail)
        }
    }
}

/// After a swap that was not done, or of which nobody knows: what is there says which.
fn look_again(
    name: Name,
    swap: Swap,
    problem: Option<String>,
    response: Response,
    then: impl FnOnce(Result<Response, Undone>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    Next::ask(Question::Read { key: name.key() }, move |answer, cx| {
        let text = match &answer {
            Answer::Text(text) => text.clone(),
            _ => None,
        };
        let found = read(name, answer, cx);
        // Also after a swap that was not done: a client of the store that repeats what got lost says so the second time.
        if text.as_ref() == Some(&swap.text) && found.is_ok() {
            return written(name, swap, response, cx, then);
        }
        let current = found.ok().map(|order| order.map_or(0, |order| order.version));
        // Not from the version to be: an order that is gone is followed by a higher one.
        let before = swap.expected.as_deref().and_then(|text| Order::read(name, text).ok());
        let expected = before.map_or(0, |order| order.version);
        let undone = match problem {
            None => Undone::Conflict { expected, current },
            Some(problem) => Undone::Unknown { problem, expected, current },
        };
        then(Err(undone), cx)
    })
}

fn written(
    name: Name,
    swap: Swap,
    response: Response,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<Response, Undone>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    cx.monitor.wrote_order(name, &swap.text, cx.now);
    cx.monitor.follow_mut().wrote();
    if name == Name::Tokens {
        return then(Ok(response), cx);
    }
    put_cached(name, swap.text, PUTS_MAX, move |cx| then(Ok(response), cx))
}
