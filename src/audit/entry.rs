//! One record of the audit log.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::sha256;
use crate::access::Role;
use crate::clock::Instant;

/// What was there before, or is afterwards, is written down up to here, in bytes of JSON; of what is longer its digest and
/// its length. Orders that were replaced are kept whole beside the log: see [`history_key`](crate::orders::history_key).
pub const VALUE_MAX: usize = 4_096;

/// What somebody did.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Who.
    pub actor: String,
    /// As what.
    pub role: Role,
    /// What: the id of an operation of the table of routes, or the name of background work.
    pub action: &'static str,
    /// To what: a path such as `orders/flags` or `tokens/a1b2`.
    pub target: String,
    /// What was there before.
    pub before: Value,
    /// What is there afterwards.
    pub after: Value,
    /// Why.
    pub reason: String,
    /// The number of the request.
    pub request_id: String,
    /// Where it came from, as a digest that only this deployment can compare.
    pub address: Option<String>,
}

/// One record, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// From 1; each is one above that before.
    pub seq: u64,
    /// When, in milliseconds since the epoch, by the clock of whoever wrote it.
    pub at_ms: u64,
    /// 64 bits of chance: no two records have the same text, so who finds his own text knows that he wrote it.
    pub id: String,
    /// Who.
    pub actor: String,
    /// As what.
    pub role: Role,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// What was there before.
    pub before: Value,
    /// What was there afterwards.
    pub after: Value,
    /// Why.
    pub reason: String,
    /// The number of the request.
    pub request_id: String,
    /// Where it came from, as a digest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// The SHA-256 of the text of the record before; empty for the first, and `unknown` when the head was damaged.
    pub previous: String,
}

impl Entry {
    /// The record of `act`.
    #[must_use]
    pub fn new(act: &Act, seq: u64, previous: String, now: Instant, id: u64) -> Self {
        Self {
            seq,
            at_ms: now.0,
            id: format!("{id:016x}"),
            actor: act.actor.clone(),
            role: act.role,
            action: act.action.to_owned(),
            target: act.target.clone(),
            before: bounded(&act.before),
            after: bounded(&act.after),
            reason: act.reason.clone(),
            request_id: act.request_id.clone(),
            address: act.address.clone(),
            previous,
        }
    }

    /// The record as text, whose digest the next record holds.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn bounded(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= VALUE_MAX { value.clone() } else { json!({ "sha256": sha256(&text), "bytes": text.len() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn act() -> Act {
        Act {
            actor: "ada".to_owned(),
            role: Role::Operator,
            action: "replaceFlags",
            target: "orders/flags".to_owned(),
            before: Value::Null,
            after: json!({ "version": 1 }),
            reason: "a \"test\"\n".to_owned(),
            request_id: "00f3".to_owned(),
            address: None,
        }
    }

    /// AUD-12: a record says who, when, what, before, after, why and in which request.
    #[test]
    fn a_record_is_what_its_text_says() {
        let entry = Entry::new(&act(), 1, String::new(), Instant(1_704_067_200_000), 7);
        assert_eq!(serde_json::from_str::<Entry>(&entry.text()).unwrap(), entry);
        let json: Value = serde_json::from_str(&entry.text()).unwrap();
        for member in ["actor", "atMs", "action", "target", "before", "after", "reason", "requestId", "previous"] {
            assert!(json.get(member).is_some(), "{member}");
        }
    }

    #[test]
    fn of_what_is_long_the_digest_is_kept() {
        let long = Value::String("a".repeat(VALUE_MAX));
        let entry = Entry::new(&Act { after: long.clone(), ..act() }, 1, String::new(), Instant(0), 7);
        assert_eq!(entry.after, json!({ "sha256": sha256(&long.to_string()), "bytes": VALUE_MAX + 2 }));
        let short = Value::String("a".repeat(VALUE_MAX - 2));
        assert_eq!(Entry::new(&Act { after: short.clone(), ..act() }, 1, String::new(), Instant(0), 7).after, short);
    }
}
