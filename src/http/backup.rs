//! The routes of backups: all orders out in one document, and back in one step of the strong store.

use serde::Serialize;
use serde_json::{Value, json};

use super::call::Call;
use super::exchange::{Answer, Change, Cx, Next, Question};
use super::order_writes::{act_of, not_committed};
use super::orders::{PUTS_MAX, damaged, put_cached, refused, unavailable};
use super::{Response, body, idempotency, secure};
use crate::audit::commit::{Committed, commit};
use crate::audit::head::{Budget, Head, Mark};
use crate::audit::{HEAD_KEY, sha256};
use crate::clock::Instant;
use crate::orders::backup::{self, Backup, Kept, NAMES, Unfit};
use crate::orders::json::NUMBER_MAX;
use crate::orders::order::{Order, REASON_MAX, checksum, says_why};
use crate::orders::write::{Condition, Proposal, Refusal, Swap, decide};
use crate::orders::{Name, history_key};

/// Longest body of `POST /restore`, in bytes: all orders at their longest, in lines and with spaces.
pub const BODY_MAX: usize = 1_048_576;

/// What a restore did, or would do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    dry_run: bool,
    changed: Vec<Changed>,
    /// They say the same already.
    unchanged: Vec<&'static str>,
    /// The backup says nothing of them: they stay as they are.
    untouched: Vec<&'static str>,
}

#[derive(Serialize)]
struct Changed {
    name: &'static str,
    /// 0 if there was none; `null` if what was there is damaged.
    from: Option<u64>,
    to: u64,
}

struct Wanted {
    orders: Vec<(Name, Kept)>,
    digest: String,
    reason: String,
    is_dry: bool,
    /// The state that must be there.
    if_match: Option<String>,
}

/// What is there: each order's text, in the order of [`NAMES`].
type Texts = Vec<(Name, Option<String>)>;

/// `GET /backup`.
pub(super) fn make(_: &Call, _: &mut Cx<'_>) -> Next {
    read(|texts, _, cx| {
        let mut orders = Vec::new();
        for (name, text) in &texts {
            match text.as_deref().map(|text| Order::read(*name, text)) {
                None => {}
                Some(Ok(order)) => orders.push((*name, order)),
                Some(Err(damage)) => return Next::Respond(damaged(&format!("{name}: {damage}"))),
            }
        }
        let mut response = Response::json(200, "application/json", &Backup::of(&orders, cx.now));
        response.headers.push(("etag", tag_of(&texts)));
        Next::Respond(response)
    })
}

/// `POST /restore`.
pub(super) fn restore(call: &Call, _: &mut Cx<'_>) -> Next {
    match wanted(call) {
        Err(response) => Next::Respond(response),
        Ok(wanted) => {
            let call = call.clone();
            read(move |texts, head, cx| put_back(&call, &wanted, &texts, head.as_ref(), cx))
        }
    }
}

fn wanted(call: &Call) -> Result<Wanted, Response> {
    let shape = "The body is {\"backup\": {…}, \"reason\": \"…\"}, and \"dryRun\": true if you like.";
    let Value::Object(mut members) = body::json_up_to(&call.request, BODY_MAX)? else {
        return Err(body::unusable(shape));
    };
    let Some(document) = members.remove("backup") else { return Err(body::unusable(shape)) };
    let reason = match members.remove("reason") {
        Some(Value::String(reason)) if says_why(&reason) => reason,
        _ => return Err(body::unusable(&format!("\"reason\" must say why, in at most {REASON_MAX} bytes."))),
    };
    let is_dry = match members.remove("dryRun") {
        None => false,
        Some(Value::Bool(is_dry)) => is_dry,
        Some(_) => return Err(body::unusable("\"dryRun\" is true or false.")),
    };
    if !members.is_empty() {
        return Err(body::unusable(shape));
    }
    let if_match = call
        .request
        .header("if-match")
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty() && value != "*");
    let orders = backup::read(&document).map_err(|unfit| unfit_response(&unfit))?;
    let digest = document.get("sha256").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Wanted { orders, digest, reason, is_dry, if_match })
}

fn unfit_response(unfit: &Unfit) -> Response {
    let problem = |code, title, detail: &str| Response::problem(422, code, title, detail);
    match unfit {
        Unfit::Newer(schema) => problem(
            "BACKUP_NEWER",
            "Backup of a newer release",
            &format!("The backup has schema {schema}, and this release reads 1. Nothing was changed: upgrade first."),
        ),
        Unfit::Damaged => problem(
            "BACKUP_DAMAGED",
            "Damaged backup",
            "The checksum is not that of what the backup says. Nothing was changed: take another copy.",
        ),
        Unfit::Unusable(what) => problem(
            "BACKUP_UNUSABLE",
            "Unusable backup",
            &format!("The backup cannot be taken: {what}. Nothing was changed."),
        ),
    }
}

/// Reads all orders and the head of the audit log, as they are at about one time.
fn read(then: impl FnOnce(Texts, Option<Head>, &mut Cx<'_>) -> Next + 'static) -> Next {
    let keys = NAMES.iter().map(|name| name.key()).chain([HEAD_KEY.to_owned()]).collect();
    Next::ask(Question::ReadAll { keys }, move |answer, cx| match answer {
        Answer::Texts(mut texts) if texts.len() == NAMES.len() + 1 => {
            let head = texts.pop().flatten().and_then(|text| Head::read(&text));
            then(NAMES.into_iter().zip(texts).collect(), head, cx)
        }
        other => Next::Respond(unavailable(&other.problem())),
    })
}

/// Stands for all that is there: another one, once anything is changed.
fn tag_of(texts: &Texts) -> String {
    let all: String =
        texts.iter().map(|(name, text)| format!("{name} {}\n", text.as_deref().map_or("", checksum))).collect();
    format!("\"{}\"", &sha256(&all)[..32])
}

fn put_back(call: &Call, wanted: &Wanted, texts: &Texts, head: Option<&Head>, cx: &mut Cx<'_>) -> Next {
    let tag = tag_of(texts);
    if wanted.if_match.as_ref().is_some_and(|expected| *expected != tag) {
        let detail = "The orders are not those that If-Match names. Look again what would be changed, and decide anew.";
        let mut response = Response::problem(412, "ORDERS_CHANGED", "Precondition failed", detail);
        response.headers.push(("etag", tag));
        return Next::Respond(response);
    }
    let (mut swaps, mut changed, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    for (name, kept) in &wanted.orders {
        let text = texts.iter().find(|(found, _)| found == name).and_then(|(_, text)| text.as_deref());
        let current = text.map(|text| Order::read(*name, text));
        let mark = head.and_then(|head| head.orders.get(name.text()));
        // What was put there past the routes is replaced, whatever it says.
        let is_named = head.is_none() || mark.map(|mark| &*mark.sha256) == text.map(checksum);
        if let Some(Ok(order)) = &current
            && is_named
            && backup::is_same(&order.value, &kept.value)
        {
            unchanged.push(name.text());
            continue;
        }
        let proposal = Proposal {
            name: *name,
            condition: Condition::Any,
            value: kept.value.clone(),
            by: call.principal.name.clone(),
            reason: wanted.reason.clone(),
        };
        if *name == Name::Phase
            && !wanted.is_dry
            && let Err(refused) = secure::approved(cx)
        {
            return Next::Respond(refused);
        }
        let swap = match (&current, text) {
            (Some(found), Some(text)) if found.is_err() || !is_named => {
                let found = found.as_ref().map_or(0, |order| order.version);
                let marked = mark.map_or(0, |mark| mark.version);
                instead_of_damaged(text, marked.max(kept.version).max(found), proposal, cx)
            }
            _ => decide(text, proposal, cx.now, cx.random),
        };
        let swap = match swap {
            Ok(swap) => swap,
            Err(refusal) => return Next::Respond(refused(&refusal, None)),
        };
        let from = match &current {
            None => Some(0),
            Some(Ok(order)) => Some(order.version),
            Some(Err(_)) => None,
        };
        changed.push(Changed { name: name.text(), from, to: swap.order.version });
        swaps.push((*name, swap));
    }
    let is_told = |name: &Name| wanted.orders.iter().any(|(told, _)| told == name);
    let untouched = NAMES.iter().filter(|name| !is_told(name)).map(|name| name.text()).collect();
    let report = Report { dry_run: wanted.is_dry, changed, unchanged, untouched };
    let mut response = Response::json(200, "application/json", &report);
    if wanted.is_dry {
        response.headers.push(("etag", tag));
        return Next::Respond(response);
    }
    let before = report.changed.iter().map(|changed| (changed.name.to_owned(), json!(changed.from))).collect();
    let after = backup::versions(swaps.iter().map(|(name, swap)| (*name, swap.order.version)));
    let after = json!({ "orders": after, "backup": wanted.digest });
    let act = act_of(call, "restore", "orders".to_owned(), Value::Object(before), after, wanted.reason.clone());
    write(call, swaps, act, response, cx.now)
}

/// The order that takes the place of a text that is none: above every version that it may have had.
fn instead_of_damaged(damaged: &str, version: u64, proposal: Proposal, cx: &Cx<'_>) -> Result<Swap, Refusal> {
    let name = proposal.name;
    let mut swap = decide(None, proposal, cx.now, cx.random)?;
    swap.order.version = version.saturating_add(1);
    if swap.order.version > NUMBER_MAX {
        return Err(Refusal::Exhausted);
    }
    swap.text = swap.order.text(name);
    swap.expected = Some(damaged.to_owned());
    Ok(swap)
}

/// Writes all of it, those that are replaced, and the record: in one step.
fn write(
    call: &Call,
    swaps: Vec<(Name, Swap)>,
    act: crate::audit::entry::Act,
    response: Response,
    now: Instant,
) -> Next {
    let mut changes = Vec::new();
    let mut marks = Vec::new();
    for (name, swap) in &swaps {
        changes.push(Change { key: name.key(), expected: swap.expected.clone(), text: Some(swap.text.clone()) });
        let is_order = swap.expected.as_deref().is_some_and(|text| Order::read(*name, text).is_ok());
        changes.extend(swap.expected.clone().filter(|_| is_order).map(|text| Change {
            key: history_key(*name, swap.order.version - 1),
            expected: None,
            text: Some(text),
        }));
        marks.push((*name, Mark { version: swap.order.version, sha256: checksum(&swap.text).to_owned() }));
    }
    changes.extend(call.idempotency.as_ref().map(|key| idempotency::change(key, &response, now)));
    commit(changes, act, Budget::Writes, marks, move |committed, cx| match committed {
        Committed::Done(_) => tell(swaps, response, cx),
        Committed::Changed => {
            let detail = "An order was changed while the backup was put back. Nothing was changed by it: look again, and decide anew.";
            Next::Respond(Response::problem(409, "RESTORE_CONFLICT", "Conflict", detail))
        }
        Committed::Unknown(problem) => {
            let detail = format!(
                "Whether the backup was put back is unknown: all of it, or nothing. Ask with `dryRun` what is there. {problem}"
            );
            Next::Respond(Response::problem(503, "OUTCOME_UNKNOWN", "Outcome unknown", &detail))
        }
        undone => Next::Respond(not_committed(&undone)),
    })
}

/// Tells the read cache of each order in turn.
fn tell(mut swaps: Vec<(Name, Swap)>, response: Response, cx: &mut Cx<'_>) -> Next {
    let Some((name, swap)) = swaps.pop() else { return Next::Respond(response) };
    cx.monitor.wrote_order(name, &swap.text, cx.now);
    put_cached(name, swap.text, PUTS_MAX, move |cx| tell(swaps, response, cx))
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
