//! From LaunchDarkly's flag data, by meaning: `{"flags": {…}, "segments": {…}}`, as its file source and relay have it.
//!
//! What LaunchDarkly serves when a flag is off becomes the default, and its fallthrough the last rule. A negated clause is about
//! somebody who has the attribute. Attributes of contexts that are no user have the kind before them: `org:name`.

use serde_json::{Map, Value, json};

use super::foreign::{Values, Warnings, is_true, items, members, never, not, parts, rule, text, unknown};
use super::{Imported, MOVES, checked, read};
use crate::flags::fault::Fault;
use crate::flags::version::Version;

/// Reads LaunchDarkly's flag data.
///
/// # Errors
///
/// What our form of it may not be: see `FlagSet::parse`. The paths are those of our form.
pub fn import(document: &str) -> Result<Imported, Vec<Fault>> {
    let document = read(document)?;
    let mut warnings = Warnings::default();
    let segments: Map<String, Value> = members(&document, "segments")
        .map(|(name, found)| (name.clone(), json!([segment(found, &format!("segments.{name}"), &mut warnings)])))
        .collect();
    let mut flags = Map::new();
    for (name, found) in members(&document, "flags") {
        let path = format!("flags.{name}");
        flags.insert(name.clone(), flag(found, &document, &path, &mut warnings));
    }
    checked(&json!({ "version": 1, "hash": 1, "segments": segments, "flags": flags }), warnings.done())
}

/// The names of a flag's variations, in their order: two with one value are one.
fn names(flag: &Value) -> (Vec<String>, Values) {
    let mut values = Values::default();
    let names = items(flag, "variations").iter().map(|value| values.name(value)).collect();
    (names, values)
}

fn flag(flag: &Value, document: &Value, path: &str, warnings: &mut Warnings) -> Value {
    let (names, mut values) = names(flag);
    let name = |place: Option<&Value>| names.get(usize::try_from(place?.as_u64()?).ok()?).cloned();
    let off = name(flag.get("offVariation")).unwrap_or_else(|| values.name(&Value::Null));
    let mut rules = Vec::new();
    for target in items(flag, "targets").iter().chain(items(flag, "contextTargets")) {
        let attribute = attribute("key", text(target, "contextKind"));
        if let Some(variant) = name(target.get("variation")).filter(|_| !items(target, "values").is_empty()) {
            rules.push(json!({ "if": [{ "attr": attribute, "in": items(target, "values") }], "serve": variant }));
        }
    }
    let fallthrough = flag.get("fallthrough").into_iter().map(|found| (found, Vec::new()));
    let of_rules = items(flag, "rules").iter().map(|found| (found, items(found, "clauses").to_vec()));
    for (found, clauses) in of_rules.chain(fallthrough) {
        let conditions = clauses.iter().map(|found| clause(found, true, path, warnings)).collect();
        let mut more = Map::new();
        let serve = match found.get("rollout") {
            None => name(found.get("variation")).map(Value::from),
            Some(rollout) => {
                warnings.add(path, MOVES);
                let by = attribute(text(rollout, "bucketBy").unwrap_or("key"), text(rollout, "contextKind"));
                more.insert("by".to_owned(), by.into());
                more.extend(text(flag, "salt").map(|salt| ("salt".to_owned(), salt.into())));
                shares(rollout, &name)
            }
        };
        let Some(serve) = serve else {
            warnings.add(path, "a rule is left out: it serves nothing");
            continue;
        };
        more.insert("serve".to_owned(), serve);
        more.extend(text(found, "id").filter(|id| !id.is_empty()).map(|id| ("id".to_owned(), id.into())));
        rules.push(rule(conditions, more));
    }
    if !is_true(flag, "on") {
        if !rules.is_empty() {
            warnings.add(path, "it is off: its rules are left out, and it serves what it serves when it is off");
        }
        rules.clear();
    }
    let requires: Vec<Value> = items(flag, "prerequisites")
        .iter()
        .filter_map(|found| {
            let other = text(found, "key")?;
            let (names, _) = self::names(document.get("flags")?.get(other)?);
            let variant = names.get(usize::try_from(found.get("variation")?.as_u64()?).ok()?)?;
            Some(json!({ "flag": other, "is": [variant] }))
        })
        .collect();
    if requires.len() < items(flag, "prerequisites").len() {
        warnings.add(path, "it is off for everybody: a flag that it requires is not there");
        rules.clear();
    }
    json!({ "variants": values.variants(), "default": off, "requires": requires, "rules": rules })
}

/// Weights of a rollout, in hundred thousandths. Variations with one value are added up.
fn shares(rollout: &Value, name: &dyn Fn(Option<&Value>) -> Option<String>) -> Option<Value> {
    let mut found: Vec<(String, u64)> = Vec::new();
    for share in items(rollout, "variations") {
        let (name, weight) = (name(share.get("variation"))?, share.get("weight")?.as_u64()?);
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(weight),
            None => found.push((name, weight)),
        }
    }
    found.retain(|(_, weight)| *weight > 0);
    (!found.is_empty()).then(|| parts(found.iter().map(|(name, weight)| (name.as_str(), *weight))))
}

fn segment(segment: &Value, path: &str, warnings: &mut Warnings) -> Value {
    if is_true(segment, "unbounded") {
        return unknown("launchdarkly", "a big segment", path, warnings);
    }
    let key = |name: &str| json!({ "attr": "targetingKey", "in": items(segment, name) });
    let mut any = vec![key("included")];
    for found in items(segment, "rules") {
        if found.get("weight").is_some_and(|weight| !weight.is_null()) {
            any.push(unknown("launchdarkly", "a share of a segment", path, warnings));
            continue;
        }
        let mut all = vec![not(key("excluded"))];
        all.extend(items(found, "clauses").iter().map(|found| clause(found, false, path, warnings)));
        any.push(json!({ "all": all }));
    }
    json!({ "any": any })
}

fn attribute(name: &str, kind: Option<&str>) -> String {
    // References begin with a slash; paths into objects stay as they are, and are given so.
    let name = name.strip_prefix('/').unwrap_or(name);
    match kind.filter(|kind| !matches!(*kind, "" | "user")) {
        None if name == "key" => "targetingKey".to_owned(),
        None => name.to_owned(),
        Some(kind) => format!("{kind}:{name}"),
    }
}

fn clause(clause: &Value, may_name_segments: bool, path: &str, warnings: &mut Warnings) -> Value {
    let operator = text(clause, "op").unwrap_or_default();
    let values = items(clause, "values");
    if operator == "segmentMatch" {
        if !may_name_segments {
            return unknown("launchdarkly", "a segment in a segment", path, warnings);
        }
        let any: Vec<Value> = values.iter().map(|name| json!({ "segment": name })).collect();
        let found = if any.is_empty() { never() } else { json!({ "any": any }) };
        return if is_true(clause, "negate") { not(found) } else { found };
    }
    let name = attribute(text(clause, "attribute").unwrap_or_default(), text(clause, "contextKind"));
    if name.is_empty() {
        return unknown("launchdarkly", "a clause without an attribute", path, warnings);
    }
    let texts = || values.iter().all(Value::is_string) && !values.is_empty();
    let each = |one: &dyn Fn(&Value) -> Option<Value>| {
        let found: Vec<Value> = values.iter().filter_map(one).collect();
        if found.is_empty() { never() } else { json!({ "any": found }) }
    };
    let number =
        |operator: &str| each(&|value| value.as_f64().map(|number| json!({ "attr": name, (operator): number })));
    let moment = |operator: &str| {
        each(&|value| {
            let is_date =
                value.as_str().map_or(value.is_i64(), |text| crate::flags::date::milliseconds(text).is_some());
            is_date.then(|| json!({ "attr": name, (operator): value }))
        })
    };
    let version = |sign: &str| {
        each(&|value| {
            let version = value.as_str().filter(|text| Version::parse(text).is_some())?;
            Some(json!({ "attr": name, "semver": format!("{sign}{version}") }))
        })
    };
    let found = match operator {
        "in" => json!({ "attr": name, "in": values }),
        "startsWith" if texts() => json!({ "attr": name, "startsWith": values }),
        "endsWith" if texts() => json!({ "attr": name, "endsWith": values }),
        "contains" if texts() => json!({ "attr": name, "contains": values }),
        "matches" => each(&|value| value.as_str().map(|regex| json!({ "attr": name, "regex": regex }))),
        "lessThan" => number("lt"),
        "lessThanOrEqual" => number("lte"),
        "greaterThan" => number("gt"),
        "greaterThanOrEqual" => number("gte"),
        "before" => moment("before"),
        "after" => moment("after"),
        "semVerEqual" => version("="),
        "semVerLessThan" => version("<"),
        "semVerGreaterThan" => version(">"),
        _ => return unknown("launchdarkly", operator, path, warnings),
    };
    if is_true(clause, "negate") { json!({ "all": [{ "attr": name, "exists": true }, not(found)] }) } else { found }
}
