//! From JSON that somebody sent to what a flag is asked about: only attributes that flags ask for are looked at.

use serde_json::{Map, Value};

use crate::flags::context::TEXT_MAX;
use crate::flags::model::ATTRIBUTES_MAX;
use crate::flags::{Context, Table, Val};

/// An attribute that is text, and longer than text may be. Its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TooLong(pub String);

/// What is known of somebody.
pub(super) type Known = Map<String, Value>;

/// A value that flags can be asked about; lists, objects and `null` are missing.
pub(super) fn val_of(value: &Value) -> Val<'_> {
    match value {
        Value::String(text) => Val::Text(text),
        Value::Number(number) => number.as_f64().map_or(Val::Missing, Val::Number),
        Value::Bool(bool) => Val::Bool(*bool),
        Value::Null | Value::Array(_) | Value::Object(_) => Val::Missing,
    }
}

/// Room for all attributes that there can be.
pub(super) const fn room<'v>() -> [Val<'v>; ATTRIBUTES_MAX] {
    [Val::Missing; ATTRIBUTES_MAX]
}

/// Puts what is known into the places that the flags of `table` want it in.
pub(super) fn packed<'v>(
    table: &Table,
    known: &'v Known,
    room: &'v mut [Val<'v>; ATTRIBUTES_MAX],
) -> Result<Context<'v>, TooLong> {
    let count = table.attributes().len();
    for (name, place) in table.attributes().zip(room.iter_mut()) {
        *place = known.get(name).map(val_of).unwrap_or_default();
        if matches!(place, Val::Text(text) if text.len() > TEXT_MAX) {
            return Err(TooLong(name.to_owned()));
        }
    }
    // A table has no more attributes than there is room for.
    Ok(room.get(..count).and_then(|values| Context::new(values).ok()).unwrap_or_default())
}
