//! All orders in one document that can be kept elsewhere and put back, but for those that hold who may do what.
//!
//! ```json
//! {"schema": 1, "createdAt": "2024-01-01T00:00:00.000Z", "sha256": "5e…",
//!  "orders": {"flags": {"version": 3, "updatedAt": "…", "by": "ada", "reason": "…", "value": {…}}}}
//! ```
//!
//! The checksum is over what the document says, and not over its bytes: a tool may have it in other lines, or its members in
//! another order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Name;
use super::json::NUMBER_MAX;
use super::order::Order;
use super::write::{Condition, Proposal, Refusal, check};
use crate::audit::sha256;
use crate::clock::Instant;
use crate::report::timestamp::iso8601;

/// The form that this release writes, and the newest that it reads.
const SCHEMA: u64 = 1;

/// The orders of a backup. Tokens are in none: who could put those back could let himself in.
pub const NAMES: [Name; 6] = [Name::Config, Name::Flags, Name::Kill, Name::Phase, Name::Control, Name::Tenants];

/// A backup as it is written.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    schema: u64,
    created_at: String,
    orders: BTreeMap<&'static str, Kept>,
    sha256: String,
}

/// One order of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kept {
    /// Its version when it was kept.
    pub version: u64,
    /// When it was given.
    pub updated_at: String,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What it says.
    pub value: Value,
}

/// Why a document is no backup that can be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A newer release wrote it. Its schema.
    Newer(u64),
    /// What it says is not what was written.
    Damaged,
    /// Something is missing, unknown, or cannot hold. What.
    Unusable(String),
}

impl Backup {
    /// A backup of these orders.
    #[must_use]
    pub fn of(orders: &[(Name, Order)], now: Instant) -> Self {
        let kept = |order: &Order| Kept {
            version: order.version,
            updated_at: iso8601(order.updated_at),
            by: order.by.clone(),
            reason: order.reason.clone(),
            value: order.value.clone(),
        };
        let orders: BTreeMap<&'static str, Kept> = orders
            .iter()
            .filter(|(name, _)| NAMES.contains(name))
            .map(|(name, order)| (name.text(), kept(order)))
            .collect();
        let created_at = iso8601(now);
        let sha256 = digest(&json!(SCHEMA), &json!(created_at), &json!(orders));
        Self { schema: SCHEMA, created_at, orders, sha256 }
    }
}

/// Reads a backup: what each of its orders said. All of it is checked.
///
/// # Errors
///
/// See [`Unfit`].
pub fn read(backup: &Value) -> Result<Vec<(Name, Kept)>, Unfit> {
    let unusable = |problem: &str| Unfit::Unusable(problem.to_owned());
    let members = backup.as_object().ok_or_else(|| unusable("it is no object"))?;
    // First of all: what a newer release writes may have any other form.
    match members.get("schema").and_then(Value::as_u64) {
        Some(SCHEMA) => {}
        Some(newer) if newer > SCHEMA => return Err(Unfit::Newer(newer)),
        _ => return Err(unusable("schema is no version that there ever was")),
    }
    if let Some(unknown) = members.keys().find(|name| !["schema", "createdAt", "orders", "sha256"].contains(&&***name))
    {
        return Err(Unfit::Unusable(format!("it has a member {:?}", &unknown[..unknown.floor_char_boundary(64)])));
    }
    let member = |name: &str| members.get(name).cloned().unwrap_or_default();
    let (created_at, orders) = (member("createdAt"), member("orders"));
    let Value::Object(orders) = orders else { return Err(unusable("orders is no object")) };
    let orders_value = Value::Object(orders.clone());
    if member("sha256").as_str() != Some(&digest(&member("schema"), &created_at, &orders_value)) {
        return Err(Unfit::Damaged);
    }
    orders.into_iter().map(|(name, order)| kept(&name, order)).collect()
}

fn kept(name: &str, order: Value) -> Result<(Name, Kept), Unfit> {
    let quoted = &name[..name.floor_char_boundary(64)];
    let unusable = |problem: &str| Unfit::Unusable(format!("orders.{quoted}: {problem}"));
    let name = Name::of(name).filter(|name| NAMES.contains(name));
    let name = name.ok_or_else(|| unusable("there is no such order in a backup"))?;
    let kept: Kept = serde_json::from_value(order).map_err(|error| unusable(&error.to_string()))?;
    if !(1..=NUMBER_MAX).contains(&kept.version) {
        return Err(unusable("version is out of range"));
    }
    let (by, reason) = (kept.by.clone(), kept.reason.clone());
    let proposal = Proposal { name, condition: Condition::Any, value: kept.value.clone(), by, reason };
    match check(&proposal) {
        Ok(()) => Ok((name, kept)),
        Err(Refusal::Unusable(problem)) => Err(unusable(&problem)),
        Err(_) => Err(unusable("it cannot hold")),
    }
}

fn digest(schema: &Value, created_at: &Value, orders: &Value) -> String {
    let mut text = String::new();
    write(&json!([schema, created_at, orders]), &mut text);
    sha256(&text)
}

/// One text for all documents that say the same.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            text.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, value) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(value, text);
            }
            text.push(']');
        }
        // 1.0 and 1 are one number; many tools write only the latter.
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(whole) if whole.fract() == 0.0 && whole.abs() <= NUMBER_MAX as f64 => {
                text.push_str(&(whole as i64).to_string());
            }
            _ => text.push_str(&number.to_string()),
        },
        other => text.push_str(&other.to_string()),
    }
}

/// Whether two values say the same.
#[must_use]
pub fn is_same(one: &Value, other: &Value) -> bool {
    let [one, other] = [one, other].map(|value| {
        let mut text = String::new();
        write(value, &mut text);
        text
    });
    one == other
}

/// The versions of orders, as records and reports have them.
#[must_use]
pub fn versions<'a>(orders: impl Iterator<Item = (Name, u64)> + 'a) -> Value {
    Value::Object(orders.map(|(name, version)| (name.text().to_owned(), version.into())).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(version: u64, value: Value) -> Order {
        let (by, reason) = ("ada".to_owned(), "a test".to_owned());
        Order {
            version,
            id: 7,
            updated_at: Instant(1_704_067_200_000),
            by,
            reason,
            previous: None,
            value,
            compiled: None,
        }
    }

    fn backup() -> Value {
        let rule = json!({ "if": [{ "attr": "ä\"", "in": [-3, 0.5, 51.0] }], "rollout": 50, "serve": "on" });
        let flags = json!({ "version": 1, "flags": { "a": { "rules": [rule] } } });
        let orders = [
            (Name::Flags, order(3, flags)),
            (Name::Tokens, order(9, json!({ "secret": 1 }))),
            (Name::Config, order(1, json!({ "retry": { "attempts": 3 } }))),
        ];
        json!(Backup::of(&orders, Instant(1_704_067_200_000)))
    }

    /// CFG-10: a backup has a checksum and a version, and who reads it gets what was kept.
    #[test]
    fn a_backup_is_what_its_text_says() {
        let backup = backup();
        assert_eq!((&backup["schema"], &backup["createdAt"]), (&1.into(), &"2024-01-01T00:00:00.000Z".into()));
        let read = read(&backup).unwrap();
        assert_eq!(
            read.iter().map(|(name, kept)| (*name, kept.version)).collect::<Vec<_>>(),
            [(Name::Config, 1), (Name::Flags, 3)]
        );
        assert!(!backup.to_string().contains("secret"));
        // A tool that writes it anew may write a whole number without its point.
        let anew = serde_json::from_str(&backup.to_string().replace("1.0", "1")).unwrap();
        assert!(super::read(&anew).is_ok());
    }

    /// CFG-10 and H092: a damaged backup is refused whole, and one of a newer release says that it is.
    #[test]
    fn what_is_no_backup_is_refused() {
        let whole = backup().to_string();
        let unfit = |text: &str| read(&serde_json::from_str(text).unwrap()).unwrap_err();
        let replaced = |from: &str, to: &str| {
            assert!(whole.contains(from), "{from}");
            unfit(&whole.replace(from, to))
        };
        assert_eq!(replaced("\"schema\":1", "\"schema\":2"), Unfit::Newer(2));
        for (from, to) in [("ada", "bob"), ("\"version\":3", "\"version\":4"), ("0.5", "0.6"), (":00.000Z", ":01.000Z")]
        {
            assert_eq!(replaced(from, to), Unfit::Damaged, "{from}");
        }
        for (from, to) in
            [("\"schema\":1", "\"schema\":0"), ("\"schema\":1", "\"schema\":\"1\""), ("\"schema\":1,", "")]
        {
            assert!(matches!(replaced(from, to), Unfit::Unusable(_)), "{from}");
        }
        assert!(matches!(unfit("[]"), Unfit::Unusable(_)));
        assert!(matches!(unfit(&whole.replacen('{', "{\"extra\":1,", 1)), Unfit::Unusable(_)));
    }

    /// What has the right checksum and cannot hold is refused as well: anybody can reckon one.
    #[test]
    fn each_order_is_checked() {
        let with = |orders: Value| {
            let created_at = json!("2024-01-01T00:00:00.000Z");
            let sha256 = digest(&json!(1), &created_at, &orders);
            read(&json!({ "schema": 1, "createdAt": created_at, "orders": orders, "sha256": sha256 }))
        };
        let kept =
            |value: Value| json!({ "version": 1, "updatedAt": "", "by": "ada", "reason": "why", "value": value });
        assert!(with(json!({ "flags": kept(json!({ "version": 1 })) })).is_ok());
        assert!(with(json!({})).is_ok());
        for orders in [
            json!({ "tokens": kept(json!({})) }),
            json!({ "nothing": kept(json!({})) }),
            json!({ "flags": kept(json!(1)) }),
            json!({ "flags": kept(json!({ "version": 1, "flags": { "a": { "enabeld": true } } })) }),
            json!({ "kill": kept(json!({ "al": true })) }),
            json!({ "flags": {} }),
            json!({ "config": kept(json!({ "retry": { "attempts": -3 } })) }),
            json!({ "control": kept(json!({ "circuits": { "a": { "hold": "half" } } })) }),
            json!({ "tenants": kept(json!({ "tenants": { "a": { "tier": "GOLD" } } })) }),
        ] {
            assert!(matches!(with(orders.clone()), Err(Unfit::Unusable(_))), "{orders}");
        }
    }
}
