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
use super::orders::{PUTS_MAX, conflict, put_cached, read, refused, unavailable};
use crate::audit::HEAD_KEY;
use crate::audit::commit::{Committed, commit};
use crate::audit::entry::Act;
use crate::audit::head::{Budget, Head, Mark};
use crate::orders::order::{Order, REASON_MAX, checksum};
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
    let before = swap.expected.as_deref().map_or(Value::Null, |text| recorded(Order::read(name, text).ok().as_ref()));
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

/// Changes a part of an order, whatever its version. `change` gets the value that is there, an empty object before the first.
pub(super) fn amend(
    call: &Call,
    what: Write,
    reason: String,
    change: impl Fn(&mut Map<String, Value>) -> Result<(), Response> + 'static,
) -> Next {
    amend_if(call, Condition::Any, what, reason, change)
}

/// The same if the order's version is one of those that `condition` allows.
pub(super) fn amend_if(
    call: &Call,
    condition: Condition,
    what: Write,
    reason: String,
    change: impl Fn(&mut Map<String, Value>) -> Result<(), Response> + 'static,
) -> Next {
    attempt(call.clone(), condition, what, reason, Rc::new(change), TRIES_MAX)
}

/// Finds out above which version a new order must be: 0 if `text` says so itself, else what the head of the audit log says of
/// the order that was there.
pub(super) fn with_floor(
    name: Name,
    text: Option<&str>,
    cx: &mut Cx<'_>,
    then: impl FnOnce(u64, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    if text.is_some_and(|text| Order::read(name, text).is_ok()) {
        return then(0, cx);
    }
    let seen = cx.monitor.orders().newest(name).map_or(0, |order| order.version);
    Next::ask(Question::Read { key: HEAD_KEY.to_owned() }, move |answer, cx| {
        let head = match answer {
            Answer::Text(text) => text.as_deref().and_then(Head::read),
            other => return Next::Respond(unavailable(&other.problem())),
        };
        let marked = head.and_then(|head| head.orders.get(name.text()).map(|mark| mark.version));
        then(marked.unwrap_or_default().max(seen), cx)
    })
}

type Amendment = dyn Fn(&mut Map<String, Value>) -> Result<(), Response>;

fn attempt(call: Call, condition: Condition, what: Write, reason: String, change: Rc<Amendment>, tries: u32) -> Next {
    let name = what.name;
    Next::ask(Question::Read { key: name.key() }, move |answer, cx| {
        let text = match answer {
            Answer::Text(text) => text,
            other => return Next::Respond(unavailable(&other.problem())),
        };
        with_floor(name, text.clone().as_deref(), cx, move |floor, cx| {
            amended(call, condition, what, text, floor, (reason, change, tries), cx)
        })
    })
}

/// Changes the order that `text` is. What turns everything off does so over an order that is damaged as well.
fn amended(
    call: Call,
    condition: Condition,
    what: Write,
    text: Option<String>,
    floor: u64,
    (reason, change, tries): (String, Rc<Amendment>, u32),
    cx: &mut Cx<'_>,
) -> Next {
    let name = what.name;
    let current = text.as_deref().map(|text| Order::read(name, text));
    let damaged = text.as_deref().filter(|_| matches!(current, Some(Err(_))) && what.action == "kill");
    let current = current.and_then(Result::ok);
    let mut members = match current.map(|order| order.value) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    if let Err(response) = change(&mut members) {
        return Next::Respond(response);
    }
    let proposal = Proposal {
        name,
        condition: condition.clone(),
        value: Value::Object(members),
        by: call.principal.name.clone(),
        reason: reason.clone(),
    };
    let decided = match damaged {
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
    cx.monitor.orders_mut().look(name, Some(&swap.text));
    cx.monitor.orders_mut().verified(name, cx.now);
    cx.monitor.follow_mut().wrote();
    if name == Name::Tokens {
        return then(Ok(response), cx);
    }
    put_cached(name, swap.text, PUTS_MAX, move |cx| then(Ok(response), cx))
}
