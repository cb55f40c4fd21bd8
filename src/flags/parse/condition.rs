//! Conditions. In one that has no operator that is known, a single unknown name is taken for the operator of a newer
//! release: it never holds, and there is a warning.

use serde_json::{Map, Value};

use super::{boolean, known, name, object, optional};
use crate::flags::date;
use crate::flags::fault::{Finder, quoted};
use crate::flags::model::{
    CONDITIONS_MAX, Comparison, Condition, ConditionKind, LITERAL_MAX, Literal, NESTING_MAX, NOW, REGEX_MAX, Test,
    VALUES_MAX,
};
use crate::flags::network::Network;
use crate::flags::pattern;
use crate::flags::version;

/// The operators.
pub const OPERATORS: [&str; 16] = [
    "in",
    "eq",
    "ne",
    "startsWith",
    "endsWith",
    "contains",
    "gt",
    "gte",
    "lt",
    "lte",
    "before",
    "after",
    "semver",
    "cidr",
    "exists",
    "regex",
];
/// Names of a condition beside its operator.
pub const CONDITION: [&str; 6] = ["attr", "not", "ci", "segment", "any", "all"];

/// Conditions that must all hold.
pub(super) fn list(value: &Value, at: &mut Finder, depth: usize, what: &str) -> Option<Vec<Condition>> {
    // `if` of a rule may say nothing by being left out, not by being empty.
    let min = usize::from(depth > 0);
    if value.as_array().is_some_and(|items| items.len() < min) {
        at.fault(format!("there are no {what} here: leave the list out, or put one in"));
        return None;
    }
    super::list(value, at, min, CONDITIONS_MAX, |value, at| read(value, at, depth.max(1)))
}

fn read(value: &Value, at: &mut Finder, depth: usize) -> Option<Condition> {
    let members = object(value, at)?;
    let not = optional(members, "not", at, boolean).unwrap_or(false);
    let kinds = ["attr", "segment", "any", "all"];
    let mut given = kinds.into_iter().filter(|kind| members.contains_key(*kind));
    let (Some(kind), None) = (given.next(), given.next()) else {
        at.fault("a condition has one of attr, segment, any and all");
        return None;
    };
    if kind != "attr" {
        known(members, &[kind, "not"], "part of such a condition", at);
    }
    let kind = match kind {
        "attr" => attribute(members, at),
        "segment" => optional(members, "segment", at, name).map(ConditionKind::Segment),
        group => {
            if depth >= NESTING_MAX {
                at.fault(format!("conditions are at most {NESTING_MAX} deep within each other"));
                return None;
            }
            let conditions = optional(members, group, at, |value, at| list(value, at, depth + 1, "conditions"));
            conditions.map(if group == "any" { ConditionKind::Any } else { ConditionKind::All })
        }
    };
    Some(Condition { not, kind: kind? })
}

fn attribute(members: &Map<String, Value>, at: &mut Finder) -> Option<ConditionKind> {
    let name = optional(members, "attr", at, name)?;
    let ci = optional(members, "ci", at, boolean).unwrap_or(false);
    let others: Vec<&str> = members.keys().map(String::as_str).filter(|name| !CONDITION.contains(name)).collect();
    let [operator] = others.as_slice() else {
        let problem = if others.is_empty() { "no operator" } else { "several operators, or unknown names" };
        at.fault(format!("this has {problem}: a condition has one of {}", OPERATORS.join(", ")));
        return None;
    };
    let value = members.get(*operator)?;
    let test = at.member(operator, |at| test(operator, value, ci, at))?;
    let is_date = matches!(test, Test::Before(..) | Test::After(..));
    if name.starts_with('$') && (name != NOW || !is_date) {
        at.fault(format!("{:?} is no attribute; {NOW:?} is one of before and after", quoted(&name)));
        return None;
    }
    Some(ConditionKind::Attribute { name, test, ci })
}

fn test(operator: &str, value: &Value, ci: bool, at: &mut Finder) -> Option<Test> {
    Some(match operator {
        "in" => Test::In(super::list(value, at, 0, VALUES_MAX, literal)?),
        "eq" => Test::Eq(literal(value, at)?),
        "ne" => Test::Ne(literal(value, at)?),
        "startsWith" => Test::StartsWith(texts(value, at)?),
        "endsWith" => Test::EndsWith(texts(value, at)?),
        "contains" => Test::Contains(texts(value, at)?),
        "gt" => Test::Number(Comparison::Gt, number(value, at)?),
        "gte" => Test::Number(Comparison::Gte, number(value, at)?),
        "lt" => Test::Number(Comparison::Lt, number(value, at)?),
        "lte" => Test::Number(Comparison::Lte, number(value, at)?),
        "before" => Test::Before(moment(value, at)?, value.clone()),
        "after" => Test::After(moment(value, at)?, value.clone()),
        "semver" => {
            let text = one_text(value, at)?;
            if version::comparisons(&text).is_none() {
                at.fault("this is versions with comparisons before them, all of which hold: \">=2.1.0 <3.0.0\"");
                return None;
            }
            Test::Semver(text)
        }
        "cidr" => {
            let networks = texts(value, at)?;
            for network in networks.iter().filter(|network| Network::parse(network).is_none()) {
                at.fault(format!("{:?} is no network such as 10.0.0.0/8, and no address", quoted(network)));
            }
            Test::Cidr(networks)
        }
        "exists" => Test::Exists(boolean(value, at)?),
        "regex" => {
            let text = super::text(value, at, REGEX_MAX)?;
            if let Err(problem) = pattern::Pattern::new(&text, ci) {
                at.warn(format!("this never holds: {problem}"));
            }
            Test::Regex(text)
        }
        unknown => {
            let problem = at.unknown("operator", unknown, &mut OPERATORS.into_iter());
            at.warn(format!("{problem} It never holds"));
            if serde_json::to_string(value).is_ok_and(|text| text.len() > LITERAL_MAX) {
                at.fault(format!("what an unknown operator is given has at most {LITERAL_MAX} bytes"));
                return None;
            }
            Test::Unknown(unknown.to_owned(), value.clone())
        }
    })
}

fn literal(value: &Value, at: &mut Finder) -> Option<Literal> {
    match value {
        Value::String(_) => one_text(value, at).map(Literal::Text),
        Value::Number(_) => number(value, at).map(Literal::Number),
        Value::Bool(value) => Some(Literal::Bool(*value)),
        _ => {
            at.fault("this is text, a number, true or false");
            None
        }
    }
}

fn number(value: &Value, at: &mut Finder) -> Option<f64> {
    let found = value.as_f64().filter(|number| number.is_finite());
    if found.is_none() {
        at.fault("this is a number");
    }
    found
}

fn moment(value: &Value, at: &mut Finder) -> Option<i64> {
    let found = match value {
        Value::String(text) => date::milliseconds(text),
        _ => value.as_i64(),
    };
    if found.is_none() {
        at.fault("this is a date such as \"2026-01-31T12:00:00Z\", or milliseconds since 1970");
    }
    found
}

fn one_text(value: &Value, at: &mut Finder) -> Option<String> {
    super::text(value, at, LITERAL_MAX)
}

/// One text or several.
fn texts(value: &Value, at: &mut Finder) -> Option<Vec<String>> {
    match value {
        Value::String(_) => Some(vec![one_text(value, at)?]),
        _ => super::list(value, at, 1, VALUES_MAX, one_text),
    }
}
