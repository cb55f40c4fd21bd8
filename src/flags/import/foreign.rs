//! Reading documents that are not ours: what is missing is missing, and warnings have a place.

use serde_json::{Map, Value, json};

use crate::flags::fault::{FAULTS_MAX, Fault};

/// What was warned of so far.
#[derive(Debug, Default)]
pub(super) struct Warnings(Vec<Fault>);

impl Warnings {
    pub(super) fn add(&mut self, path: &str, problem: impl Into<String>) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(Fault { path: path.to_owned(), problem: problem.into() });
        }
    }

    pub(super) fn done(self) -> Vec<Fault> {
        self.0
    }
}

/// The items of a list; none if it is missing or no list.
pub(super) fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

pub(super) fn is_true(value: &Value, name: &str) -> bool {
    value.get(name) == Some(&Value::Bool(true))
}

/// Members of an object; none if it is missing or no object.
pub(super) fn members<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// Millionths in percent, as our documents have it.
pub(super) fn percent(millionths: u32) -> Value {
    if millionths.is_multiple_of(10_000) {
        (millionths / 10_000).into()
    } else {
        json!(f64::from(millionths) / 10_000.0)
    }
}

/// A share from 0 to 1 in millionths.
pub(super) fn millionths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 1_000_000.0).round() as u32
}

/// A condition that never holds, but does under `not`: what many engines make of a constant that is none.
pub(super) fn never() -> Value {
    json!({ "attr": "targetingKey", "in": [] })
}

/// The condition the other way round.
pub(super) fn not(mut condition: Value) -> Value {
    let is_not = condition["not"] == true;
    if let Some(members) = condition.as_object_mut() {
        if is_not {
            members.remove("not");
        } else {
            members.insert("not".to_owned(), true.into());
        }
    }
    condition
}

/// A rule without empty parts.
pub(super) fn rule(conditions: Vec<Value>, more: Map<String, Value>) -> Value {
    let mut rule = more;
    if !conditions.is_empty() {
        rule.insert("if".to_owned(), conditions.into());
    }
    Value::Object(rule)
}

/// Parts of a sum as a list, in their order.
pub(super) fn parts<'p>(parts: impl IntoIterator<Item = (&'p str, u64)>) -> Value {
    parts.into_iter().map(|(name, part)| json!({ "variant": name, "part": part })).collect()
}

/// A condition for what this engine does not know: it holds neither way. What it is given is not kept.
pub(super) fn unknown(vendor: &str, operator: &str, path: &str, warnings: &mut Warnings) -> Value {
    let shown = &operator[..operator.floor_char_boundary(64)];
    warnings.add(path, format!("a condition never holds: {shown:?} has no counterpart here"));
    json!({ "attr": "targetingKey", (format!("{vendor}:{shown}")): true })
}

/// Values as variants: `on` and `off` for booleans, the text itself where it is a name, else a number.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<(String, Value)>);

impl Values {
    /// The name of a value.
    pub(super) fn name(&mut self, value: &Value) -> String {
        if let Some((name, _)) = self.0.iter().find(|(_, found)| found == value) {
            return name.clone();
        }
        let is_plain = |text: &&String| {
            (1..=40).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let wanted = match value {
            Value::Bool(true) => "on".to_owned(),
            Value::Bool(false) => "off".to_owned(),
            Value::String(text) if is_plain(&text) => text.clone(),
            _ => format!("value-{}", self.0.len()),
        };
        let is_taken = |name: &str| {
            self.0.iter().any(|(found, _)| found == name)
                || name == "constructor"
                || name == "prototype"
                || name == "__proto__"
        };
        let name = if is_taken(&wanted) { format!("value-{}-", self.0.len()) } else { wanted };
        self.0.push((name.clone(), value.clone()));
        name
    }

    pub(super) fn variants(self) -> Value {
        Value::Object(self.0.into_iter().collect())
    }
}
