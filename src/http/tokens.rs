//! The routes of tokens: who was given one, a new one, another secret for one, the end of one.
//!
//! A secret is in one response and nowhere else. When that response gets lost, so is the secret: make another, and end the one
//! that nobody knows. Changes of different tokens do not meet, so who comes second reads again and goes on.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::call::Call;
use super::exchange::{Answer, Change, Cx, Next, Question};
use super::order_writes::not_committed;
use super::{QUOTED_MAX, Response, body, idempotency};
use crate::access::Role;
use crate::access::tokens::{CHANCE_BYTES, Refusal, TOKENS_MAX, Tokens, Wanted, digest_of, id_of, secret};
use crate::audit::commit::{Committed, commit};
use crate::audit::entry::Act;
use crate::audit::head::Budget;
use crate::audit::sha256;
use crate::clock::{Instant, Millis};
use crate::orders::Name;
use crate::orders::json::NUMBER_MAX;
use crate::orders::order::Order;
use crate::orders::write::{Condition, Proposal, Refusal as Refused, check, decide};

/// Others may come first so many times.
const TRIES_MAX: u32 = 8;
/// A replaced secret lets in for so long if nobody says otherwise, in milliseconds.
const OVERLAP_MS: Millis = 3_600_000;

/// What is done to the tokens: from them and the time to what became of it.
type Plan = Rc<dyn Fn(&mut Tokens, Instant) -> Result<Planned, Refusal>>;

/// What is to be written down and answered.
struct Planned {
    target: String,
    before: Value,
    after: Value,
    response: Response,
    /// Whether anything is to be written.
    is_change: bool,
}

/// One change, and who wants it.
#[derive(Clone)]
struct Wish {
    call: Call,
    action: &'static str,
    reason: String,
    /// Whether it may take the place of a document that cannot be read, in which there is nothing that lets in.
    may_begin_anew: bool,
    plan: Plan,
    tries: u32,
}

/// `GET /tokens`.
pub(super) fn list(_: &Call, _: &mut Cx<'_>) -> Next {
    Next::ask(Question::Read { key: Name::Tokens.key() }, |answer, cx| match text_of(answer) {
        Err(response) => Next::Respond(response),
        Ok(text) => {
            let (tokens, damage) = read(text.as_deref());
            let problem = damage.map(|damage| format!("No token lets in: {damage}. POST /tokens begins anew."));
            let shown = json!({ "tokens": tokens.shown(cx.now), "tokensMax": TOKENS_MAX, "problem": problem });
            Next::Respond(Response::json(200, "application/json", &shown))
        }
    })
}

/// `POST /tokens`.
pub(super) fn create(call: &Call, _: &mut Cx<'_>) -> Next {
    let wanted =
        members(call, &["label", "role", "tenant", "notBeforeMs", "expiresAtMs", "reason"]).and_then(|members| {
            let role = text(&members, "role")?.and_then(|role| Role::of(&role));
            let wanted = Wanted {
                label: text(&members, "label")?.ok_or_else(|| unusable("\"label\" must say what the token is for"))?,
                role: role.ok_or_else(|| unusable("\"role\" must be evaluator, viewer, operator or admin"))?,
                tenant: text(&members, "tenant")?,
                not_before: number(&members, "notBeforeMs")?.map(Instant),
                expires_at: number(&members, "expiresAtMs")?.map(Instant),
            };
            Ok((wanted, reason_of(call, &members)?))
        });
    let (wanted, reason) = match wanted {
        Ok(wanted) => wanted,
        Err(response) => return Next::Respond(response),
    };
    let call = call.clone();
    with_chance(move |chance, cx| {
        let secret = secret(&id_of(cx.random), &chance);
        let plan = move |tokens: &mut Tokens, now: Instant| {
            let entry = tokens.add(&wanted, &secret, now)?;
            let after = entry.shown(now);
            let response = Response::json(201, "application/json", &json!({ "token": after, "secret": secret }));
            Ok(Planned { target: entry.target(), before: Value::Null, after, response, is_change: true })
        };
        wish(call, "createToken", reason, true, plan)
    })
}

/// `POST /tokens/{id}/rotate`.
pub(super) fn rotate(call: &Call, _: &mut Cx<'_>) -> Next {
    let wanted = members(call, &["overlapMs", "reason"])
        .and_then(|members| Ok((number(&members, "overlapMs")?.unwrap_or(OVERLAP_MS), reason_of(call, &members)?)));
    let (overlap_ms, reason) = match wanted {
        Ok(wanted) => wanted,
        Err(response) => return Next::Respond(response),
    };
    let (call, id) = (call.clone(), call.rest.clone());
    with_chance(move |chance, _| {
        let secret = secret(&id, &chance);
        let plan = move |tokens: &mut Tokens, now: Instant| {
            let before = tokens.find(&id).ok_or(Refusal::Unknown)?.shown(now);
            let entry = tokens.rotate(&id, &secret, overlap_ms, now)?;
            let after = entry.shown(now);
            let response = Response::json(200, "application/json", &json!({ "token": after, "secret": secret }));
            Ok(Planned { target: entry.target(), before, after, response, is_change: true })
        };
        wish(call, "rotateToken", reason, false, plan)
    })
}

/// `DELETE /tokens/{id}`.
pub(super) fn revoke(call: &Call, _: &mut Cx<'_>) -> Next {
    let reason = match members(call, &["reason"]).and_then(|members| reason_of(call, &members)) {
        Ok(reason) => reason,
        Err(response) => return Next::Respond(response),
    };
    let id = call.rest.clone();
    let plan = move |tokens: &mut Tokens, now: Instant| {
        let before = tokens.find(&id).ok_or(Refusal::Unknown)?.shown(now);
        let is_change = tokens.revoke(&id, now)?;
        let entry = tokens.find(&id).ok_or(Refusal::Unknown)?;
        let after = entry.shown(now);
        let response = Response::json(200, "application/json", &json!({ "token": after }));
        Ok(Planned { target: entry.target(), before, after, response, is_change })
    };
    wish(call.clone(), "revokeToken", reason, false, plan)
}

fn wish(
    call: Call,
    action: &'static str,
    reason: String,
    may_begin_anew: bool,
    plan: impl Fn(&mut Tokens, Instant) -> Result<Planned, Refusal> + 'static,
) -> Next {
    grant(Wish { call, action, reason, may_begin_anew, plan: Rc::new(plan), tries: TRIES_MAX })
}

fn grant(wish: Wish) -> Next {
    Next::ask(Question::Read { key: Name::Tokens.key() }, move |answer, cx| {
        let text = match text_of(answer) {
            Ok(text) => text,
            Err(response) => return Next::Respond(response),
        };
        let (mut tokens, damage) = read(text.as_deref());
        let planned = match (wish.plan)(&mut tokens, cx.now) {
            Err(refusal) => return Next::Respond(refused(&refusal)),
            Ok(planned) if !planned.is_change => return Next::Respond(planned.response),
            Ok(planned) => planned,
        };
        if damage.is_some() && !wish.may_begin_anew {
            return Next::Respond(refused(&Refusal::Unknown));
        }
        // Of what cannot be read its digest is written down.
        let before = match (&damage, &text) {
            (Some(_), Some(text)) => json!({ "damaged": { "sha256": sha256(text), "bytes": text.len() } }),
            _ => planned.before.clone(),
        };
        let current = text.as_deref().filter(|_| damage.is_none());
        let swap = match decide(current, proposal(&wish, tokens.value()), cx.now, cx.random) {
            Err(refusal) => return Next::Respond(undecided(&refusal)),
            Ok(swap) => swap,
        };
        let act = Act {
            actor: wish.call.principal.name.clone(),
            role: wish.call.principal.role,
            action: wish.action,
            target: planned.target,
            before,
            after: planned.after.clone(),
            reason: wish.reason.clone(),
            request_id: wish.call.id_text(),
            address: wish.call.address.clone(),
        };
        // No mark: nobody follows this order, and what was replaced is not kept, so that no secret that has ended comes back.
        let mut changes = vec![Change { key: Name::Tokens.key(), expected: text, text: Some(swap.text) }];
        // Who sends it again learns what was done. The secret was in one response, and is kept nowhere.
        let again = Response::json(planned.response.status, "application/json", &json!({ "token": planned.after }));
        changes.extend(wish.call.idempotency.as_ref().map(|key| idempotency::change(key, &again, cx.now)));
        commit(changes, act, Budget::Writes, Vec::new(), move |committed, cx| match committed {
            Committed::Done(_) => Next::Respond(planned.response),
            Committed::Changed if wish.tries > 1 => {
                // The other writer may have been this very request, sent twice.
                let (call, wish) = (wish.call.clone(), Wish { tries: wish.tries - 1, ..wish });
                if call.idempotency.is_none() {
                    return grant(wish);
                }
                idempotency::replayed(call, cx.now, move |_, _| grant(wish))
            }
            Committed::Changed => Next::Respond(not_committed(&Committed::Busy)),
            Committed::Unknown(problem) => {
                let detail = format!("Whether it was done is unknown. Read the tokens before you ask again. {problem}");
                Next::Respond(Response::problem(503, "OUTCOME_UNKNOWN", "Outcome unknown", &detail))
            }
            undone => Next::Respond(not_committed(&undone)),
        })
    })
}

fn proposal(wish: &Wish, value: Value) -> Proposal {
    Proposal {
        name: Name::Tokens,
        condition: Condition::Any,
        value,
        by: wish.call.principal.name.clone(),
        reason: wish.reason.clone(),
    }
}

/// The tokens in the order's text; none of them if it cannot be read, and why.
fn read(text: Option<&str>) -> (Tokens, Option<String>) {
    match text.map(|text| Order::read(Name::Tokens, text)) {
        None => (Tokens::default(), None),
        Some(Ok(order)) => (Tokens::read(&order.value), None),
        Some(Err(damage)) => (Tokens::default(), Some(damage.to_string())),
    }
}

fn with_chance(then: impl FnOnce([u8; CHANCE_BYTES], &mut Cx<'_>) -> Next + 'static) -> Next {
    Next::ask(Question::Chance, move |answer, cx| {
        let chance = match answer {
            Answer::Chance(digits) => digest_of(&digits),
            _ => None,
        };
        // Zeros would be a secret that everybody knows.
        match chance.filter(|chance| chance.iter().any(|byte| *byte != 0)) {
            Some(chance) => then(chance, cx),
            None => {
                let detail = "The host has no chance that is fit for secrets. Nothing was changed.";
                Next::Respond(Response::problem(503, "NO_CHANCE", "No chance", detail))
            }
        }
    })
}

/// The members of the body, which are among `known`.
fn members(call: &Call, known: &[&str]) -> Result<Map<String, Value>, Response> {
    let Value::Object(members) = body::json(&call.request)? else {
        return Err(unusable(&format!("the body is an object with {}", known.join(", "))));
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(members),
        Some(unknown) => {
            let quoted = &unknown[..unknown.floor_char_boundary(QUOTED_MAX)];
            Err(unusable(&format!("the body has only {}; it got {quoted:?}", known.join(", "))))
        }
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, Response> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(unusable(&format!("\"{name}\" must be a text"))),
    }
}

fn number(members: &Map<String, Value>, name: &str) -> Result<Option<u64>, Response> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64().filter(|number| *number <= NUMBER_MAX) {
            Some(number) => Ok(Some(number)),
            None => Err(unusable(&format!("\"{name}\" must be a whole number of milliseconds"))),
        },
    }
}

fn reason_of(call: &Call, members: &Map<String, Value>) -> Result<String, Response> {
    let reason = text(members, "reason")?.unwrap_or_default();
    let proposal = Proposal {
        name: Name::Tokens,
        condition: Condition::Any,
        value: json!({}),
        by: call.principal.name.clone(),
        reason: reason.clone(),
    };
    check(&proposal).map_err(|refusal| undecided(&refusal)).map(|()| reason)
}

fn text_of(answer: Answer) -> Result<Option<String>, Response> {
    match answer {
        Answer::Text(text) => Ok(text),
        other => Err(not_committed(&Committed::Failed(other.problem()))),
    }
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Unknown => Response::problem(404, "TOKEN_NOT_FOUND", "Not found", "There is no such token."),
        Refusal::Ended => Response::problem(409, "TOKEN_ENDED", "Conflict", "The token has ended. Make another one."),
        Refusal::Full => {
            let detail = format!("There are {TOKENS_MAX} tokens, none of which has ended. Revoke one first.");
            Response::problem(409, "TOKENS_FULL", "Conflict", &detail)
        }
        Refusal::Unusable(problem) => unusable(problem),
    }
}

fn undecided(refusal: &Refused) -> Response {
    match refusal {
        Refused::Unusable(problem) => unusable(problem),
        _ => Response::problem(507, "ORDER_EXHAUSTED", "Exhausted", "The version cannot rise any more."),
    }
}

fn unusable(problem: &str) -> Response {
    Response::problem(422, "TOKEN_UNUSABLE", "Unusable token", &format!("The token cannot be taken: {problem}."))
}
