//! How flags cross into another language and back: attributes, overrides and values as bytes, a decision as one number. No JSON
//! is read or written for it, so that who loads snapshots alone carries no reader of JSON.
//!
//! Numbers are little-endian. A text has its length in bytes before it, and is UTF-8.

mod attributes;
mod said;

pub use attributes::Attributes;
pub use said::overrides;

use super::decision::{Decision, Reason, Served};
use super::table::{FlagIndex, Found, Table};

/// A decision as a number.
mod decision {
    /// The place of a variant or of a value in the lowest bits; all of them where nothing is served.
    pub(super) const PLACE_BITS: u32 = 16;
    /// What is served: a variant, a value of a variable, `false`, nothing.
    pub(super) const SERVED: u32 = 16;
    /// The reason, by its place among all.
    pub(super) const REASON: u32 = 18;
    /// The reason, if the definitions were not stale.
    pub(super) const UNDERLYING: u32 = 21;
    /// What went wrong, by its place among all from 1.
    pub(super) const ERROR: u32 = 24;
    /// Who said so, by its place among all from 1.
    pub(super) const BY: u32 = 28;
}

const _: () = assert!(decision::PLACE_BITS == decision::SERVED);

/// A decision as a number: from the lowest bit the place of what is served (16), what that is (2), the reason (3), the reason
/// without staleness (3), what went wrong (4), who said so (2). `js/src/flags/decision.ts` reads it.
#[must_use]
pub fn number(found: &Decision) -> u32 {
    let (served, at) = match found.served {
        Served::Variant(variant) => (0, variant),
        Served::Forced(value) => (1, value),
        Served::False => (2, u16::MAX),
        Served::Nothing => (3, u16::MAX),
    };
    u32::from(at)
        | served << decision::SERVED
        | (found.reason as u32) << decision::REASON
        | (found.underlying as u32) << decision::UNDERLYING
        | found.error.map_or(0, |error| error as u32 + 1) << decision::ERROR
        | found.by.map_or(0, |by| by as u32 + 1) << decision::BY
}

/// The number of a decision that serves a variant to somebody, by a rule or as the default.
#[must_use]
#[inline]
pub(super) const fn number_of_variant(variant: u16, reason: Reason) -> u32 {
    variant as u32 | (reason as u32) << decision::REASON | (reason as u32) << decision::UNDERLYING
}

/// The variant that such a number says, if it says one.
#[must_use]
#[inline]
pub const fn variant_in(number: u32) -> Option<u16> {
    if number >> decision::SERVED & 3 == 0 { Some(number as u16) } else { None }
}

/// Writes texts behind each other.
pub fn texts<'t>(found: impl Iterator<Item = &'t str>) -> Vec<u8> {
    let mut out = Vec::new();
    found.for_each(|found| text(found, &mut out));
    out
}

/// Writes what is to be known of a flag before it is asked for: its place; how many attributes it asks for, and those by place,
/// rising; then its variants, by place: the name, and the value as [`value`] has it.
#[must_use]
pub fn flag(table: &Table, flag: FlagIndex) -> Vec<u8> {
    let needs = table.needs(flag);
    let mut out = Vec::new();
    let numbers = [flag.place(), needs.len() as u32].into_iter().chain(needs.into_iter().map(u32::from));
    numbers.for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    for (name, place) in table.variants(flag).zip(0..) {
        text(name, &mut out);
        out.append(&mut value(table.value(flag, place)));
    }
    out
}

/// Writes a value: what kind it is in a byte (0 none, 1 `false`, 2 `true`, 3 a number, 4 text, 5 JSON), and then a double or text.
#[must_use]
pub fn value(found: Option<Found<'_>>) -> Vec<u8> {
    let mut out = Vec::new();
    match found {
        None => out.push(0),
        Some(Found::Boolean(value)) => out.push(if value { 2 } else { 1 }),
        Some(Found::Number(number)) => {
            out.push(3);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Some(Found::Text(value)) => {
            out.push(4);
            text(value, &mut out);
        }
        Some(Found::Json(value)) => {
            out.push(5);
            text(value, &mut out);
        }
    }
    out
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Bytes that have not been read yet.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (found, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*found)
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn count(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn number(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    #[inline]
    fn text_of(&mut self, length: usize) -> Option<&'b str> {
        let (found, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(found).ok()
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.count()?;
        self.text_of(length)
    }
}

#[cfg(test)]
mod tests;
