//! Constraints of Unleash as conditions.

use serde_json::{Value, json};

use crate::flags::date;
use crate::flags::import::foreign::{Warnings, is_true, items, never, not, text};
use crate::flags::network::Network;
use crate::flags::version::Version;

/// One constraint. What Unleash does not know never holds, as here; a constant that is none never holds, but does inverted.
pub(super) fn condition(constraint: &Value, path: &str, warnings: &mut Warnings) -> Value {
    let operator = text(constraint, "operator").unwrap_or_default();
    let name = text(constraint, "contextName").unwrap_or_default();
    let values: Vec<String> = items(constraint, "values")
        .iter()
        .filter_map(Value::as_str)
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
        .collect();
    let value = text(constraint, "value").unwrap_or_default();
    let ci = is_true(constraint, "caseInsensitive");
    if name.is_empty() {
        warnings.add(path, "a constraint never holds: it names no field of the context");
        return json!({ "attr": "targetingKey", "unleash:nothing": true });
    }
    let mut bad = |what: &str| {
        warnings.add(path, format!("{operator} on {name:?} never holds: its constant is no {what}"));
        never()
    };
    let texts = |operator: &str| {
        if values.is_empty() {
            return never();
        }
        let mut condition = json!({ "attr": name, (operator): values });
        if ci {
            condition["ci"] = true.into();
        }
        condition
    };
    let number = |operator: &str| {
        value
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|number| json!({ "attr": name, (operator): number }))
    };
    let version =
        |sign: &str| Version::parse(value).map(|_| json!({ "attr": name, "semver": format!("{sign}{value}") }));
    let moment = |operator: &str| {
        let attribute = if name == "currentTime" { "$now" } else { name };
        date::milliseconds(value).map(|_| json!({ "attr": attribute, (operator): value }))
    };
    let found = match operator {
        "IN" => json!({ "attr": name, "in": values }),
        "NOT_IN" => json!({ "attr": name, "in": values, "not": true }),
        "STR_STARTS_WITH" => texts("startsWith"),
        "STR_ENDS_WITH" => texts("endsWith"),
        "STR_CONTAINS" => texts("contains"),
        "NUM_EQ" => number("eq").unwrap_or_else(|| bad("number")),
        "NUM_GT" => number("gt").unwrap_or_else(|| bad("number")),
        "NUM_GTE" => number("gte").unwrap_or_else(|| bad("number")),
        "NUM_LT" => number("lt").unwrap_or_else(|| bad("number")),
        "NUM_LTE" => number("lte").unwrap_or_else(|| bad("number")),
        "DATE_AFTER" => moment("after").unwrap_or_else(|| bad("date")),
        "DATE_BEFORE" => moment("before").unwrap_or_else(|| bad("date")),
        "SEMVER_EQ" => version("=").unwrap_or_else(|| bad("version")),
        "SEMVER_GT" => version(">").unwrap_or_else(|| bad("version")),
        "SEMVER_GTE" => version(">=").unwrap_or_else(|| bad("version")),
        "SEMVER_LT" => version("<").unwrap_or_else(|| bad("version")),
        "SEMVER_LTE" => version("<=").unwrap_or_else(|| bad("version")),
        "IN_CIDR" => networks(name, &values, path, warnings),
        "REGEX" => {
            let mut condition = json!({ "attr": name, "regex": value });
            if ci {
                condition["ci"] = true.into();
            }
            condition
        }
        unknown => {
            // Ours for what is not known is the same: it holds neither way.
            return json!({ "attr": name, (format!("unleash:{unknown}")): value });
        }
    };
    if is_true(constraint, "inverted") { not(found) } else { found }
}

/// Addresses and networks; what is neither is left out, as Unleash does.
pub(super) fn networks(attribute: &str, values: &[String], path: &str, warnings: &mut Warnings) -> Value {
    let (known, unknown): (Vec<&String>, Vec<&String>) =
        values.iter().partition(|value| Network::parse(value).is_some());
    for value in unknown {
        warnings.add(path, format!("{value:?} is no network, and is left out"));
    }
    if known.is_empty() { never() } else { json!({ "attr": attribute, "cidr": known }) }
}
