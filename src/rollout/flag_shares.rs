//! A deployment of flags: each step is another share of the same flags, and what is written are their definitions.
//!
//! A flag gets its share as a variable `ROLLOUT_…` gives it: the last rule that has a share gets this one, else whoever no rule
//! serves. With `{"rules": [{"if": […], "serve": "on"}]}` the canary is
//! `{"rules": [{"if": […], "serve": "on"}, {"rollout": 5, "serve": "on"}]}`, and those whom the first rule serves keep it.

use serde_json::{Map, Value, json};

use super::plan::{CANARY_PERCENT, Step, Values, usual};

/// The [`usual`] steps for `flags` of a document, and the definitions that the flags have before: none where there is none.
/// `monitoring` is the flag that is on for everybody from the second phase on, if there is one.
///
/// # Errors
///
/// In words, which flag cannot be deployed, and why: no flag is named, one has no share to change, or more have it already
/// than the canary has.
pub fn steps(document: &Value, flags: &[String], monitoring: Option<&str>) -> Result<(Vec<Step>, Values), String> {
    if flags.is_empty() {
        return Err("a deployment names at least one flag".to_owned());
    }
    let defined = |key: &str| document.get("flags").and_then(|flags| flags.get(key));
    let definition = |key: &str| defined(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut before = Values::new();
    for key in flags.iter().map(String::as_str).chain(monitoring) {
        before.insert(key.to_owned(), defined(key).map(Value::to_string));
    }
    for key in flags {
        let definition = definition(key);
        let now = percent(&definition);
        let canary = with_share(definition, CANARY_PERCENT).ok_or_else(|| {
            format!("{key} has no rule with a rollout, and is not boolean: it has no share to change")
        })?;
        // Also of a flag that is turned off: with the canary it would be on for all of them.
        let most = percent(&canary).max(now);
        if most > f64::from(CANARY_PERCENT) {
            return Err(format!("{key} is for {most} % without a deployment, which begins with {CANARY_PERCENT}"));
        }
    }
    let share = |percent: u8| {
        let text = |key: &String| {
            with_share(definition(key), percent).map(|definition| (key.clone(), Value::Object(definition).to_string()))
        };
        flags.iter().filter_map(text).collect()
    };
    let on =
        |key: &str| with_share(definition(key), 100).map(|is_on| (key.to_owned(), Value::Object(is_on).to_string()));
    let monitoring: Vec<_> = monitoring.and_then(on).into_iter().collect();
    Ok((usual(&monitoring, share), before))
}

/// The document with these definitions: what a step or a rollback writes. All else of it stays.
///
/// # Errors
///
/// The key of a definition that is no JSON. Nothing that [`steps`] has made is.
pub fn written(mut document: Value, writes: &[(String, Option<String>)]) -> Result<Value, String> {
    if !document.is_object() {
        document = json!({ "version": 1 });
    }
    let flags = document.as_object_mut().map(|document| document.entry("flags").or_insert_with(|| json!({})));
    let Some(Value::Object(flags)) = flags else { return Err("flags".to_owned()) };
    for (key, definition) in writes {
        match definition {
            None => _ = flags.remove(key),
            Some(text) => _ = flags.insert(key.clone(), serde_json::from_str(text).map_err(|_| key.clone())?),
        }
    }
    Ok(document)
}

/// For how many it is something else than its default by rules without conditions, or on by that; 0 for one that is turned off.
fn percent(definition: &Map<String, Value>) -> f64 {
    if definition.get("enabled") == Some(&Value::Bool(false)) {
        return 0.0;
    }
    let default = definition.get("default").and_then(Value::as_str);
    if default.is_some() && default == on(definition) {
        return 100.0;
    }
    // A rule without a share and without conditions is for everybody.
    let share = |rule: &Value| match rule.get("rollout") {
        None if rule.get("if").is_none() => 100.0,
        None => 0.0,
        Some(share) => share.as_f64().unwrap_or(100.0),
    };
    rules(definition).iter().map(share).fold(0.0, f64::max)
}

fn rules(definition: &Map<String, Value>) -> &[Value] {
    definition.get("rules").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The definition with this share, and not turned off; none if it has no share to change.
fn with_share(mut definition: Map<String, Value>, percent: u8) -> Option<Map<String, Value>> {
    let mut rules = rules(&definition).to_vec();
    let is_alone = |rules: &[Value]| matches!(rules, [only] if only.get("if").is_none());
    let alone = is_alone(&rules).then_some(0);
    let last = rules.iter().rposition(|rule| rule.get("rollout").is_some()).or(alone);
    match last.and_then(|last| rules.get_mut(last)).and_then(Value::as_object_mut) {
        Some(rule) => _ = rule.insert("rollout".to_owned(), percent.into()),
        None => rules.push(json!({ "rollout": percent, "serve": on(&definition)? })),
    }
    definition.remove("enabled");
    definition.insert("rules".to_owned(), rules.into());
    Some(definition)
}

/// The variant that is `true`; none of a flag that is not boolean.
fn on(definition: &Map<String, Value>) -> Option<&str> {
    match definition.get("variants").and_then(Value::as_object) {
        None => Some("on"),
        Some(variants) => {
            variants.iter().find(|(_, value)| **value == Value::Bool(true)).map(|(name, _)| name.as_str())
        }
    }
}
