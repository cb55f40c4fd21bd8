//! From GrowthBook's features, by meaning: values become variants, rules keep their order, conditions are translated one by one.

use serde_json::{Map, Value, json};

use super::foreign::{
    Values, Warnings, is_true, items, members, millionths, never, not, parts, percent, rule, text, unknown,
};
use super::{Imported, MOVES, checked, read};
use crate::flags::fault::Fault;

/// Conditions within each other, at most.
const LEVELS_MAX: usize = 24;

/// Reads GrowthBook's features: the answer of its API, or what is under `features` in it.
///
/// # Errors
///
/// What our form of it may not be: see `FlagSet::parse`. The paths are those of our form.
pub fn import(document: &str) -> Result<Imported, Vec<Fault>> {
    let mut document = read(document)?;
    if document.get("features").is_none() {
        document = json!({ "features": document });
    }
    let mut warnings = Warnings::default();
    let mut flags = Map::new();
    for (name, feature) in members(&document, "features") {
        let path = format!("flags.{name}");
        let mut values = Values::default();
        let default = values.name(feature.get("defaultValue").unwrap_or(&Value::Null));
        let mut rules = Vec::new();
        for found in items(feature, "rules").iter().filter(|found| found.get("enabled") != Some(&Value::Bool(false))) {
            rules.extend(one(found, name, &mut values, &path, &mut warnings));
        }
        flags.insert(name.clone(), json!({ "variants": values.variants(), "default": default, "rules": rules }));
    }
    checked(&json!({ "version": 1, "hash": 1, "flags": flags }), warnings.done())
}

fn one(found: &Value, name: &str, values: &mut Values, path: &str, warnings: &mut Warnings) -> Option<Value> {
    for part in ["namespace", "filters", "ranges", "parentConditions"] {
        if found.get(part).is_some() {
            warnings.add(path, format!("a rule is left out: it has {part}, which have no counterpart here"));
            return None;
        }
    }
    let mut conditions = Vec::new();
    if let Some(condition) = found.get("condition").and_then(Value::as_object).filter(|condition| !condition.is_empty())
    {
        conditions.push(all(condition, path, warnings, 0));
    }
    let mut more = Map::new();
    let serve = match found.get("force") {
        Some(value) => values.name(value).into(),
        None => {
            let names: Vec<String> = items(found, "variations").iter().map(|value| values.name(value)).collect();
            let equal = 1.0 / names.len().max(1) as f64;
            let weights = items(found, "weights");
            let weight = |place: usize| weights.get(place).and_then(Value::as_f64).unwrap_or(equal);
            let shares: Vec<u64> = (0..names.len()).map(|place| u64::from(millionths(weight(place)))).collect();
            if names.is_empty() || shares.iter().sum::<u64>() == 0 {
                warnings.add(path, "a rule is left out: it serves nothing");
                return None;
            }
            if names.iter().enumerate().any(|(place, name)| names.iter().take(place).any(|other| other == name)) {
                warnings.add(path, "a rule is left out: two of its variations have one value");
                return None;
            }
            warnings.add(path, MOVES);
            parts(names.iter().map(String::as_str).zip(shares))
        }
    };
    if let Some(coverage) = found.get("coverage").and_then(Value::as_f64) {
        if found.get("force").is_some() {
            warnings.add(path, MOVES);
        }
        more.insert("rollout".to_owned(), percent(millionths(coverage)));
    }
    let attribute = match text(found, "hashAttribute").unwrap_or("id") {
        "id" => "targetingKey",
        other => other,
    };
    let salt = text(found, "seed").or_else(|| text(found, "key")).unwrap_or(name);
    more.extend([("serve".to_owned(), serve), ("by".to_owned(), attribute.into()), ("salt".to_owned(), salt.into())]);
    if is_true(found, "disableStickyBucketing") {
        warnings.add(path, "nothing is kept per user here: all buckets come from the hash");
    }
    more.extend(text(found, "id").filter(|id| !id.is_empty()).map(|id| ("id".to_owned(), id.into())));
    Some(rule(conditions, more))
}

/// An object of conditions, all of which hold.
fn all(condition: &Map<String, Value>, path: &str, warnings: &mut Warnings, level: usize) -> Value {
    if level > LEVELS_MAX {
        return unknown("growthbook", "deep", path, warnings);
    }
    let mut found: Vec<Value> = Vec::new();
    for (name, value) in condition {
        let mut several = |group: &str| {
            let list = value.as_array().into_iter().flatten();
            let within: Vec<Value> = list
                .map(|value| value.as_object().map_or_else(never, |value| all(value, path, warnings, level + 1)))
                .collect();
            if within.is_empty() { not(never()) } else { json!({ (group): within }) }
        };
        found.push(match name.as_str() {
            "$and" => several("all"),
            "$or" => several("any"),
            "$nor" => not(several("any")),
            "$not" => not(value.as_object().map_or_else(never, |value| all(value, path, warnings, level + 1))),
            _ => attribute(if name == "id" { "targetingKey" } else { name }, value, path, warnings, level + 1),
        });
    }
    match found.len() {
        1 => found.swap_remove(0),
        0 => not(never()),
        _ => json!({ "all": found }),
    }
}

fn attribute(name: &str, value: &Value, path: &str, warnings: &mut Warnings, level: usize) -> Value {
    let Some(operators) = value.as_object().filter(|found| found.keys().any(|name| name.starts_with('$'))) else {
        return equal(name, value, path, warnings);
    };
    if level > LEVELS_MAX {
        return unknown("growthbook", "deep", path, warnings);
    }
    let mut found: Vec<Value> = Vec::new();
    for (operator, value) in operators {
        let number = |operator: &str| value.as_f64().map(|number| json!({ "attr": name, (operator): number }));
        let version = |sign: &str| {
            let version = value.as_str().filter(|text| crate::flags::version::Version::parse(text).is_some());
            version.map(|version| json!({ "attr": name, "semver": format!("{sign}{version}") }))
        };
        let one = match operator.as_str() {
            "$eq" => Some(equal(name, value, path, warnings)),
            "$ne" => Some(not(equal(name, value, path, warnings))),
            "$in" => value.is_array().then(|| json!({ "attr": name, "in": value })),
            "$nin" => value.is_array().then(|| json!({ "attr": name, "in": value, "not": true })),
            "$gt" => number("gt"),
            "$gte" => number("gte"),
            "$lt" => number("lt"),
            "$lte" => number("lte"),
            "$exists" => value.as_bool().map(|is_there| json!({ "attr": name, "exists": is_there })),
            "$regex" => value.as_str().map(|regex| json!({ "attr": name, "regex": regex })),
            "$not" => Some(not(attribute(name, value, path, warnings, level + 1))),
            "$veq" => version("="),
            "$vne" => version("!="),
            "$vgt" => version(">"),
            "$vgte" => version(">="),
            "$vlt" => version("<"),
            "$vlte" => version("<="),
            _ => None,
        };
        found.push(one.unwrap_or_else(|| unknown("growthbook", operator, path, warnings)));
    }
    if found.len() == 1 { found.swap_remove(0) } else { json!({ "all": found }) }
}

fn equal(name: &str, value: &Value, path: &str, warnings: &mut Warnings) -> Value {
    match value {
        Value::Null => json!({ "attr": name, "exists": false }),
        Value::Array(_) | Value::Object(_) => unknown("growthbook", "equal to a list or object", path, warnings),
        value => json!({ "attr": name, "eq": value }),
    }
}
