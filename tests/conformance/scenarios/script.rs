//! Reading scenarios: fields that remember whether they were read, and answers compared with what was expected.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use seawall::clock::Millis;
use serde_json::{Map, Value};

use super::Misfit;

/// An object of a scenario. Every field must be read by somebody, or skipped by name, else the scenario fails.
#[derive(Clone)]
pub(crate) struct Fields {
    path: String,
    object: Map<String, Value>,
    read: Rc<RefCell<BTreeSet<String>>>,
}

impl Fields {
    /// The fields of an object.
    pub(crate) fn new(object: &Map<String, Value>) -> Self {
        Self { path: String::new(), object: object.clone(), read: Rc::default() }
    }

    /// A field as it is; `None` when it is absent or null.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.skip(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Counts a field as read: it says nothing that this engine could do otherwise.
    pub(crate) fn skip(&self, name: &str) {
        self.read.borrow_mut().insert(format!("{}{name}", self.path));
    }

    /// An object within, its fields to be read one by one.
    pub(crate) fn section(&self, name: &str) -> Result<Option<Self>, Misfit> {
        match self.object.get(name) {
            None | Some(Value::Null) => {
                self.skip(name);
                Ok(None)
            }
            Some(Value::Object(object)) => Ok(Some(Self {
                path: format!("{}{name}.", self.path),
                object: object.clone(),
                read: Rc::clone(&self.read),
            })),
            Some(other) => Err(self.bad(name, "an object", other)),
        }
    }

    /// A list of objects within, each to be read field by field by its reader.
    pub(crate) fn sections(&self, name: &str) -> Result<Vec<Self>, Misfit> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let objects = value.as_array().and_then(|list| list.iter().map(Value::as_object).collect::<Option<Vec<_>>>());
        Ok(objects.ok_or_else(|| self.bad(name, "a list of objects", value))?.into_iter().map(Self::new).collect())
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Misfit> {
        self.typed(name, "a number", Value::as_f64)
    }

    /// A whole number from zero.
    pub(crate) fn whole(&self, name: &str) -> Result<Option<Millis>, Misfit> {
        self.typed(name, "a whole number", Value::as_u64)
    }

    /// `true` or `false`.
    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, Misfit> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// A word.
    pub(crate) fn word(&self, name: &str) -> Result<Option<String>, Misfit> {
        self.typed(name, "a word", |value| value.as_str().map(str::to_owned))
    }

    /// Words.
    pub(crate) fn words(&self, name: &str) -> Result<Option<Vec<String>>, Misfit> {
        self.typed(name, "a list of words", |value| {
            value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
        })
    }

    /// Numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, Misfit> {
        self.typed(name, "a list of numbers", |value| value.as_array()?.iter().map(Value::as_f64).collect())
    }

    /// A field that must be there.
    pub(crate) fn need<T>(&self, name: &str, value: Result<Option<T>, Misfit>) -> Result<T, Misfit> {
        value?.ok_or_else(|| Misfit::Unknown(format!("{}{name} is missing", self.path)))
    }

    /// The name of the event: its `op`.
    pub(crate) fn op(&self) -> Result<String, Misfit> {
        self.need("op", self.word("op"))
    }

    /// The name of the call: its `id`.
    pub(crate) fn id(&self) -> Result<String, Misfit> {
        self.need("id", self.word("id"))
    }

    /// Whether every field was read; else the first that was not.
    pub(crate) fn all_read(&self) -> Result<(), String> {
        let read = self.read.borrow();
        for (name, value) in &self.object {
            let path = format!("{}{name}", self.path);
            if read.contains(&path) {
                continue;
            }
            let prefix = format!("{path}.");
            match value {
                // An object is read through its section, whose fields are looked at one by one.
                Value::Object(_) if read.iter().any(|path| path.starts_with(&prefix)) => {
                    if let Ok(Some(section)) = self.section(name) {
                        section.all_read()?;
                    }
                }
                _ => return Err(format!("unknown field \"{path}\"")),
            }
        }
        Ok(())
    }

    fn typed<T>(&self, name: &str, what: &str, convert: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, Misfit> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => convert(value).map(Some).ok_or_else(|| self.bad(name, what, value)),
        }
    }

    fn bad(&self, name: &str, what: &str, value: &Value) -> Misfit {
        Misfit::Unknown(format!("{}{name} is not {what}: {value}", self.path))
    }
}

/// What a subject says to an expectation.
#[derive(Default)]
pub(crate) struct Answer(Vec<(String, Value)>);

impl Answer {
    /// What the field of this name really is.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, got: impl Into<Value>) -> Self {
        self.0.push((name.to_owned(), got.into()));
        self
    }

    /// Compares every answered field: `Ok(Err(miss))` names the first that is not as expected.
    ///
    /// `…_at_least` and `…_between` bound what was got; numbers may be off by `tolerance`; of an object only the
    /// expected fields count. An answer about nothing that was expected is an error.
    pub(crate) fn compare(&self, expected: &Fields, tolerance: f64) -> Result<Result<(), String>, String> {
        let mut misses = Vec::new();
        let mut compared = 0;
        for (name, got) in &self.0 {
            let Some(wanted) = expected.object.get(name) else { continue };
            expected.skip(name);
            compared += 1;
            if !is_met(name, wanted, got, tolerance) {
                misses.push(format!("{}: expected {wanted}, got {got}", expected.told(name)));
            }
        }
        match (compared, misses.is_empty()) {
            (0, _) => Err(format!("nothing to compare in {:?}", expected.object)),
            (_, true) => Ok(Ok(())),
            (_, false) => Ok(Err(misses.join("; "))),
        }
    }
}

impl Fields {
    /// A field's name with whom the expectation is about.
    fn told(&self, name: &str) -> String {
        let about = self.object.iter().filter(|(other, value)| *other != name && *other != "t_ms" && value.is_string());
        let about: Vec<String> =
            about.map(|(other, value)| format!("{other} {}", value.as_str().unwrap_or(""))).collect();
        if about.is_empty() { name.to_owned() } else { format!("{} of {}", name, about.join(", ")) }
    }
}

fn is_met(name: &str, wanted: &Value, got: &Value, tolerance: f64) -> bool {
    if let (Some(bound), Some(got)) = (wanted.as_f64(), got.as_f64())
        && name.ends_with("_at_least")
    {
        return got >= bound - tolerance;
    }
    if let (Some([low, high]), Some(got)) = (wanted.as_array().map(Vec::as_slice), got.as_f64())
        && name.ends_with("_between")
    {
        return low.as_f64().is_some_and(|low| got >= low) && high.as_f64().is_some_and(|high| got <= high);
    }
    match (wanted, got) {
        (Value::Number(wanted), Value::Number(got)) => match (wanted.as_f64(), got.as_f64()) {
            (Some(wanted), Some(got)) => (wanted - got).abs() <= tolerance,
            _ => false,
        },
        (Value::Object(wanted), Value::Object(got)) => {
            wanted.iter().all(|(name, wanted)| got.get(name).is_some_and(|got| is_met(name, wanted, got, tolerance)))
        }
        (Value::Array(wanted), Value::Array(got)) => {
            wanted.len() == got.len()
                && wanted.iter().zip(got).all(|(wanted, got)| is_met(name, wanted, got, tolerance))
        }
        _ => wanted == got,
    }
}
