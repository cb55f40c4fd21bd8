//! Orders that were replaced: they are kept beside the audit log, for as long.

use serde::Serialize;

use super::call::Call;
use super::exchange::{Answer, Change, Cx, Next, Question};
use super::orders::{damaged, shown, unavailable};
use super::{Response, query};
use crate::clock::{Instant, Millis};
use crate::orders::backup::NAMES;
use crate::orders::order::Order;
use crate::orders::{Name, history_key};
use crate::report::timestamp::iso8601;

/// Most versions of one page, and how many they are if nobody says.
const PAGE_MAX: usize = 50;
const PAGE_DEFAULT: usize = 20;
/// Old ones are looked for so often at most, in milliseconds.
const FORGET_INTERVAL_MS: Millis = 3_600_000;
/// Most of one order that are forgotten at a time.
const FORGOTTEN_MAX: usize = 16;

#[derive(Serialize)]
struct Page {
    name: &'static str,
    /// The newest first.
    versions: Vec<Version>,
    /// The `before` of the next page.
    next: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: u64,
    /// `null` for one that cannot be read, as are who gave it and why.
    updated_at: Option<String>,
    by: Option<String>,
    reason: Option<String>,
}

/// `GET /orders/{name}/history?before=…&limit=…`.
pub(super) fn list(call: &Call, _: &mut Cx<'_>) -> Next {
    let Some(name) = Name::of(&call.rest).filter(|name| NAMES.contains(name)) else {
        let detail = "There is no such order.";
        return Next::Respond(Response::problem(404, "NOT_FOUND", "Not found", detail));
    };
    let wanted = query::number(call, "before", u64::MAX)
        .and_then(|before| Ok((before, query::limit(call, PAGE_DEFAULT, PAGE_MAX)?)));
    let (before, limit) = match wanted {
        Ok(wanted) => wanted,
        Err(response) => return Next::Respond(response),
    };
    Next::ask(Question::List { prefix: prefix(name) }, move |answer, _| {
        let Answer::Keys(keys) = answer else { return Next::Respond(unavailable(&answer.problem())) };
        let mut versions: Vec<u64> = keys.iter().filter_map(|key| version_of(name, key)).collect();
        versions.retain(|version| *version < before);
        versions.sort_unstable_by(|one, other| other.cmp(one));
        let has_more = versions.len() > limit;
        versions.truncate(limit);
        let next = versions.last().copied().filter(|_| has_more);
        if versions.is_empty() {
            return Next::Respond(Response::json(
                200,
                "application/json",
                &Page { name: name.text(), versions: Vec::new(), next },
            ));
        }
        let keys = versions.iter().map(|version| history_key(name, *version)).collect();
        Next::ask(Question::ReadAll { keys }, move |answer, _| match answer {
            Answer::Texts(texts) => {
                let versions =
                    versions.into_iter().zip(texts).map(|(version, text)| told(name, version, text)).collect();
                Next::Respond(Response::json(200, "application/json", &Page { name: name.text(), versions, next }))
            }
            other => Next::Respond(unavailable(&other.problem())),
        })
    })
}

fn told(name: Name, version: u64, text: Option<String>) -> Version {
    let order = text.and_then(|text| Order::read(name, &text).ok()).filter(|order| order.version == version);
    let updated_at = order.as_ref().map(|order| iso8601(order.updated_at));
    let (by, reason) = order.map(|order| (order.by, order.reason)).unzip();
    Version { version, updated_at, by, reason }
}

/// `GET /orders/{name}?version=…`: what it was then.
pub(super) fn show(name: Name, version: u64) -> Next {
    let keys = vec![history_key(name, version), name.key()];
    Next::ask(Question::ReadAll { keys }, move |answer, _| {
        let Answer::Texts(texts) = answer else { return Next::Respond(unavailable(&answer.problem())) };
        let mut damage = None;
        for text in texts.into_iter().flatten() {
            match Order::read(name, &text) {
                Ok(order) if order.version == version => return Next::Respond(shown(name, Some(&order))),
                Ok(_) => {}
                Err(found) => damage = damage.or(Some(found)),
            }
        }
        Next::Respond(damage.map_or_else(not_kept, |damage| damaged(&damage.to_string())))
    })
}

fn not_kept() -> Response {
    let detail = "There is no such version, or it is too old to be kept. GET the history for those there are.";
    Response::problem(404, "VERSION_NOT_FOUND", "No such version", detail)
}

fn prefix(name: Name) -> String {
    format!("history/{name}/")
}

fn version_of(name: Name, key: &str) -> Option<u64> {
    let version = key.strip_prefix(&prefix(name))?.parse().ok()?;
    (history_key(name, version) == key).then_some(version)
}

/// When old ones were last looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetting {
    looked_at: Option<Instant>,
}

/// Background work: forgets orders that were replaced longer ago than records are kept, if it is time to look.
pub fn forget(cx: &mut Cx<'_>) -> Next {
    let forgetting = cx.monitor.order_history_mut();
    if forgetting.looked_at.is_some_and(|at| at <= cx.now && cx.now.since(at) < FORGET_INTERVAL_MS) {
        return Next::Done;
    }
    forgetting.looked_at = Some(cx.now);
    let until = Instant(cx.now.0.saturating_sub(cx.monitor.settings().admin.audit_keep_ms()));
    forget_of(0, until)
}

/// Of one order after the other, the oldest first.
///
/// One was replaced when the next was given. So the one before the first that is young enough stays: it held until then.
fn forget_of(index: usize, until: Instant) -> Next {
    let Some(&name) = Name::ALL.get(index) else { return Next::Done };
    Next::ask(Question::List { prefix: prefix(name) }, move |answer, _| {
        let Answer::Keys(keys) = answer else { return Next::Done };
        let mut versions: Vec<u64> = keys.iter().filter_map(|key| version_of(name, key)).collect();
        versions.sort_unstable();
        if versions.is_empty() {
            return forget_of(index + 1, until);
        }
        versions.truncate(FORGOTTEN_MAX + 1);
        let keys: Vec<String> =
            versions.iter().map(|version| history_key(name, *version)).chain([name.key()]).collect();
        Next::ask(Question::ReadAll { keys: keys.clone() }, move |answer, _| {
            let Answer::Texts(texts) = answer else { return Next::Done };
            let given_at = |text: &Option<String>| Some(Order::read(name, text.as_deref()?).ok()?.updated_at);
            let is_old = |at: Instant| at < until;
            // The last text is that of the order that holds; it stays, and so does the one before it unless that is old.
            let count = texts.iter().rposition(|next| given_at(next).is_some_and(is_old)).unwrap_or_default();
            let changes: Vec<Change> = keys
                .into_iter()
                .zip(texts)
                .take(count.min(FORGOTTEN_MAX))
                .filter(|(_, text)| text.is_some())
                .map(|(key, expected)| Change { key, expected, text: None })
                .collect();
            if changes.is_empty() {
                return forget_of(index + 1, until);
            }
            Next::ask(Question::Swap { changes }, move |_, _| forget_of(index + 1, until))
        })
    })
}

#[cfg(test)]
#[path = "order_history_tests.rs"]
mod tests;
