//! What is said beside a document, as a host wrote it: what is killed, and variables with what they are as JSON.

use super::Bytes;
use crate::flags::fault::Fault;
use crate::flags::overrides::{Held, Overrides};
use crate::flags::table::Table;

/// Not all flags are killed, no key is, and there is no variable.
const NOTHING: [u8; 9] = [0; 9];

/// Reads overrides: a byte that says whether all flags are killed, the number of keys that are and those keys; then the number
/// of variables and for each its name, its value, and that value as JSON: a byte (0 it is none, 1 `false`, 2 `true`, 3 number, 4
/// text, 5 another) and a double or text.
///
/// # Errors
///
/// As [`Overrides::read`], and one fault for bytes that are not that.
pub fn overrides(table: &Table, bytes: &[u8]) -> Result<Overrides, Vec<Fault>> {
    // Most often nothing is said, and an isolate that has just begun need not compile what reads it.
    if bytes == NOTHING {
        return Ok(Overrides::NONE);
    }
    read(table, bytes)
}

#[inline(never)]
fn read(table: &Table, bytes: &[u8]) -> Result<Overrides, Vec<Fault>> {
    let Some((kill, variables)) = said(bytes) else {
        let problem = "what is said beside the flags cannot be read".to_owned();
        return Err(vec![Fault { path: String::new(), problem }]);
    };
    let variables = variables.into_iter().map(|(name, value, held)| (name, value, move || held));
    match kill {
        None => Overrides::read_with(table, variables, None),
        Some(keys) => Overrides::read_with(table, variables, Some(&mut keys.into_iter())),
    }
}

type Variable<'b> = (&'b str, &'b str, Option<Held>);

/// The keys that are killed, none for all flags, and the variables.
fn said(bytes: &[u8]) -> Option<(Option<Vec<&str>>, Vec<Variable<'_>>)> {
    let mut bytes = Bytes(bytes);
    let is_all = bytes.byte()? != 0;
    let mut keys = Vec::new();
    for _ in 0..bytes.count()? {
        keys.push(bytes.text()?);
    }
    let mut variables = Vec::new();
    for _ in 0..bytes.count()? {
        let (name, value) = (bytes.text()?, bytes.text()?);
        let held = match bytes.byte()? {
            0 => None,
            tag @ (1 | 2) => Some(Held::Bool(tag == 2)),
            3 => Some(Held::Number(bytes.number()?)),
            4 => Some(Held::Text(bytes.text()?.to_owned())),
            5 => Some(Held::Json(bytes.text()?.to_owned())),
            _ => return None,
        };
        variables.push((name, value, held));
    }
    bytes.0.is_empty().then_some(((!is_all).then_some(keys), variables))
}
