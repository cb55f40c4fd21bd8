//! Settings that change while an engine runs. Whole or not at all.
//!
//! The npm package has the same in `js/src/config/document.ts`, over the core's parser: here it would cost that core 6 KB.
//! `tests/conformance/documents.json` holds both to the same answers.

use serde_json::{Map, Value};

use super::keys::{KEYS, Key, Shape};
use super::parse::{BYTES_MAX, Checked, Problems, Setting, Source, check_text};
use super::value::json;

/// Members of raw settings that are the host's, and no settings.
const OF_HOST: [&str; 3] = ["platform", "given", "over"];

/// Raw settings with a patch over their options.
///
/// # Errors
///
/// [`Problems`] when the patch, or the whole with it, cannot be used, or when it changes what only a new client can take;
/// nothing has changed then.
pub fn patched(text: &str, patch: &str) -> Result<String, Problems> {
    let mut raw = object(text)?;
    let over = object(patch)?;
    refuse_host(&over)?;
    let mut merged = raw.clone();
    merged.insert("over".to_owned(), Value::Object(over.clone()));
    let mut options = Map::new();
    for Setting { key, value, source } in check_text(&Value::Object(merged).to_string())?.settings {
        if source != Source::Option {
            continue;
        }
        // A secret is known by its text alone.
        let secret = || find(&over, key.path).or_else(|| find(&raw, key.path)).cloned();
        let value = if key.shape == Shape::Secret { secret() } else { Some(to_json(key, value)) };
        put(&mut options, key.path, value.unwrap_or_default());
    }
    for name in OF_HOST {
        if let Some(value) = raw.remove(name) {
            options.insert(name.to_owned(), value);
        }
    }
    changed(text, options)
}

/// Settings with others over them, without keeping that: the next ones are over the same again.
///
/// # Errors
///
/// [`Problems`] as [`patched`]; nothing has changed then.
pub fn over(text: &str, over: &str) -> Result<Checked, Problems> {
    check_text(&patched(text, over)?)
}

/// Raw settings with other options, as an imported document has them. What the host says of itself stays.
///
/// # Errors
///
/// As [`patched`].
pub fn replaced(text: &str, options: &str) -> Result<String, Problems> {
    let mut raw = object(text)?;
    let mut options = object(options)?;
    refuse_host(&options)?;
    for key in KEYS.iter().filter(|key| key.is_of_place) {
        if let Some(value) = take(&mut raw, key.path) {
            put(&mut options, key.path, value);
        }
    }
    for name in OF_HOST {
        if let Some(value) = raw.remove(name) {
            options.insert(name.to_owned(), value);
        }
    }
    changed(text, options)
}

fn refuse_host(options: &Map<String, Value>) -> Result<(), Problems> {
    match OF_HOST.iter().find(|name| options.contains_key(**name)) {
        Some(name) => Err(Problems(vec![[name, ": no such group of settings"].concat()])),
        None => Ok(()),
    }
}

fn changed(before: &str, after: Map<String, Value>) -> Result<String, Problems> {
    let after = Value::Object(after).to_string();
    let (before, now) = (check_text(before)?.settings, check_text(&after)?.settings);
    let fixed: Vec<String> = before
        .iter()
        .zip(&now)
        .filter(|(before, now)| !now.key.is_live && before.value != now.value)
        .map(|(_, now)| [now.key.path, " cannot change while it runs: it takes a new client"].concat())
        .collect();
    if fixed.is_empty() { Ok(after) } else { Err(Problems(fixed)) }
}

pub(super) fn to_json(key: &Key, value: f64) -> Value {
    match key.shape {
        Shape::Whole { .. } | Shape::Number { .. } if value.fract() == 0.0 => Value::from(value as i64),
        Shape::Whole { .. } | Shape::Number { .. } => Value::from(value),
        _ => serde_json::from_str(&json(key, value)).unwrap_or_default(),
    }
}

/// The object that JSON text holds.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Problems> {
    let problem = if text.len() > BYTES_MAX {
        "settings are longer than 65,536 bytes".to_owned()
    } else {
        match serde_json::from_str(text) {
            Ok(Value::Object(raw)) => return Ok(raw),
            Ok(_) => "settings must be an object".to_owned(),
            Err(error) => format!("not JSON: {error}"),
        }
    };
    Err(Problems(vec![problem]))
}

fn find<'a>(raw: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((group, name)) => raw.get(group)?.get(name),
        None => raw.get(path),
    }
}

/// Takes what stands under a dotted path.
pub(super) fn take(raw: &mut Map<String, Value>, path: &str) -> Option<Value> {
    match path.split_once('.') {
        Some((group, name)) => raw.get_mut(group)?.as_object_mut()?.remove(name),
        None => raw.remove(path),
    }
}

/// Puts a value under a dotted path.
pub(super) fn put(raw: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((group, name)) = path.split_once('.') else {
        raw.insert(path.to_owned(), value);
        return;
    };
    let group = raw.entry(group).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(group) = group {
        group.insert(name.to_owned(), value);
    }
}
