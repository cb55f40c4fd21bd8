//! How routes change alerts: the document that all isolates share and the audit record are written in one step.
//!
//! What comes from within the process, or from background work, is no operator's doing: see `alerts::delivery`.

use serde_json::{Value, json};

use super::alerts::{Order, apply, listed, unknown};
use super::call::Call;
use super::exchange::{Answer, Change, Next, Question};
use super::idempotency;
use super::order_writes::{act_of, not_committed};
use super::orders::unavailable;
use crate::alerts::delivery::{drafted, settle_on};
use crate::alerts::state::{Document, KEY};
use crate::audit::commit::{Committed, commit};
use crate::audit::head::Budget;

/// The document is changed so often by isolates that note what they find: another try each time.
const TRIES_MAX: u32 = 16;

/// Carries out an order, and records it as `action`.
pub(super) fn write(call: &Call, action: &'static str, order: Order) -> Next {
    attempt(call.clone(), action, order, TRIES_MAX)
}

fn attempt(call: Call, action: &'static str, order: Order, tries: u32) -> Next {
    Next::ask(Question::Read { key: KEY.to_owned() }, move |answer, cx| {
        let text = match answer {
            Answer::Text(text) => text,
            other => return Next::Respond(unavailable(&other.problem())),
        };
        let Some((known, mut draft)) = drafted(text.as_deref(), cx) else {
            return Next::Respond(unavailable("A newer release wrote the alerts: upgrade this one."));
        };
        if let Err(refused) = apply(&order, &mut draft, cx) {
            return Next::Respond(refused.response());
        }
        let response = listed(&draft, cx.monitor.alerts());
        let (target, reason) = about(&order);
        let act = act_of(&call, action, target, recorded(&order, &known), recorded(&order, &draft), reason);
        let encoded = draft.encode();
        let mut changes = Vec::new();
        if text.as_ref() != Some(&encoded) {
            changes.push(Change { key: KEY.to_owned(), expected: text, text: Some(encoded) });
        }
        changes.extend(call.idempotency.as_ref().map(|key| idempotency::change(key, &response, cx.now)));
        commit(changes, act, Budget::Writes, Vec::new(), move |committed, cx| match committed {
            Committed::Done(_) => {
                settle_on(draft, false, cx);
                Next::Respond(response)
            }
            // The other writer may have been this very request, sent twice.
            Committed::Changed if tries > 1 => {
                idempotency::replayed(call, cx.now, move |call, _| attempt(call, action, order, tries - 1))
            }
            Committed::Unknown(_) => Next::Respond(unknown()),
            undone => Next::Respond(not_committed(&undone)),
        })
    })
}

/// What an order is about, and why it was given.
fn about(order: &Order) -> (String, String) {
    match order {
        Order::List => ("alerts".to_owned(), String::new()),
        Order::Acknowledge { id, .. } => (format!("alerts/{id}"), String::new()),
        Order::Silence { id, reason, .. } => {
            (id.as_ref().map_or_else(|| "alerts/silences".to_owned(), |id| format!("alerts/{id}")), reason.clone())
        }
    }
}

/// What an order changes, as records have it.
fn recorded(order: &Order, document: &Document) -> Value {
    let book = &document.book;
    match order {
        Order::Acknowledge { id, .. } => book
            .alerts
            .iter()
            .find(|alert| alert.id == *id)
            .map_or(Value::Null, |alert| json!({ "stage": alert.stage, "acknowledgedBy": alert.acknowledged_by })),
        Order::List | Order::Silence { .. } => json!({ "silences": book.silences }),
    }
}
