//! One value: from what was written to a number, and back to words.
//!
//! Every setting is kept as a number: a switch as 0 or 1, a word as its place in the list, a secret text as 1 when there
//! is one.

use super::keys::{Key, Shape};
use super::raw::{Entry, Given};

/// A variable's value is not repeated beyond this many characters, quotes included: it may be a secret that strayed.
const SHOWN_MAX: usize = 22;

/// The number that a setting's value stands for, if it can be used.
pub(super) fn usable(key: &Key, found: &Entry<'_>) -> Option<f64> {
    let text = found.text();
    let (value, is_whole, min, max) = match (key.shape, found.given) {
        (Shape::Switch, Given::Switch(is_on)) => return Some(f64::from(u8::from(is_on))),
        (Shape::Switch, Given::Text | Given::Quantity(_)) if !found.is_option() => {
            let is = |word: &str| text.eq_ignore_ascii_case(word);
            return if is("true") || is("1") { Some(1.0) } else { (is("false") || is("0")).then_some(0.0) };
        }
        (Shape::Choice(words), Given::Text) => {
            return words.iter().position(|known| known.eq_ignore_ascii_case(text)).map(|place| place as f64);
        }
        (Shape::Secret, Given::Text | Given::Quantity(_)) => return Some(f64::from(u8::from(!text.is_empty()))),
        (Shape::Whole { min, max }, given) => (number(key, found, given)?, true, min as f64, max as f64),
        (Shape::Number { min, max }, given) => (number(key, found, given)?, false, min, max),
        _ => return None,
    };
    (value >= min && value <= max && !(is_whole && value.fract() != 0.0)).then_some(value)
}

/// A number, or a text of one with a unit of time: `"500ms"`, `"5s"`, `"2m"`, `"1h"`. A variable is always a text.
fn number(key: &Key, found: &Entry<'_>, given: Given) -> Option<f64> {
    let value = match given {
        Given::Number(value) => return Some(value),
        Given::Quantity(value) => value,
        _ => return None,
    };
    let text = found.text();
    let letters = text.bytes().rev().take_while(u8::is_ascii_lowercase).count();
    let letters = text.get(text.len() - letters..)?;
    if letters.is_empty() && !found.is_option() {
        return Some(value);
    }
    let per_unit = match key.unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        _ => return None,
    };
    let factor = match letters {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return None,
    };
    // To the nearest thousandth of a millisecond: 1.001 s is 1,001 ms, whatever binary fractions make of it.
    Some((value * factor * 1_000.0).round() / 1_000.0 / per_unit)
}

/// The range of a setting, in words.
#[must_use]
pub fn expected(key: &Key) -> String {
    let (kind, min, max) = match key.shape {
        Shape::Whole { min, max } => ("a whole number from ", min as f64, max as f64),
        Shape::Number { min, max } => ("a number from ", min, max),
        Shape::Switch => return "true or false".to_owned(),
        Shape::Choice(words) => return ["one of ", &words.join(", ")].concat(),
        Shape::Secret => return "a text".to_owned(),
    };
    [kind, &plain(min), " to ", &plain(max), &unit(key)].concat()
}

/// A number with at most six digits after the point, without zeros at its end. (The formatting of floats in Rust's
/// library would add its 14 KB to the core.)
#[inline(never)]
pub(super) fn plain(number: f64) -> String {
    let millionths = (number.abs() * 1e6).round() as u64;
    let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{whole}.{rest:06}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn unit(key: &Key) -> String {
    if key.unit.is_empty() { String::new() } else { [" ", key.unit].concat() }
}

/// What was found, for an error: at most 40 characters, of a variable 20, and of a secret nothing.
pub(super) fn shown<'a>(key: &Key, found: &'a Entry<'_>) -> &'a str {
    if key.shape == Shape::Secret {
        "something else"
    } else if !found.is_option() && found.shown.len() > SHOWN_MAX {
        "a longer text"
    } else {
        &found.shown
    }
}

/// A value of a setting as JSON, numbers with at most six digits after the point; a secret as whether there is one.
#[must_use]
pub fn json(key: &Key, value: f64) -> String {
    match key.shape {
        Shape::Switch => (if value == 0.0 { "false" } else { "true" }).to_owned(),
        Shape::Choice(words) => ["\"", words.get(value as usize).copied().unwrap_or_default(), "\""].concat(),
        Shape::Secret => (if value == 0.0 { "\"\"" } else { "\"(set)\"" }).to_owned(),
        Shape::Whole { .. } | Shape::Number { .. } => plain(value),
    }
}
