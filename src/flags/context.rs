//! What is known of a user or request when a flag is evaluated: borrowed values, one for each attribute that flags ask for.

use super::decision::ErrorCode;
use super::model::ATTRIBUTES_MAX;
use super::packed::Attributes;

/// Longest text of an attribute, in bytes.
pub const TEXT_MAX: usize = 4_096;
/// The greatest whole number that an id may be, either way: 2^53.
const ID_MAX: f64 = 9_007_199_254_740_992.0;

/// The value of an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Val<'c> {
    /// It is not there, or is nothing that can be compared.
    #[default]
    Missing,
    /// Text.
    Text(&'c str),
    /// A number. One that is not finite is [`Val::Missing`] to everybody.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
}

/// Values by slot, checked: see `Table::attributes` for what stands where. What lies behind the last one is missing.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    values: Values<'c>,
}

#[derive(Clone, Copy, Debug)]
enum Values<'c> {
    Given(&'c [Val<'c>]),
    Kept(&'c Attributes),
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Attributes were checked when they were read.
impl<'c> From<&'c Attributes> for Context<'c> {
    #[inline]
    fn from(kept: &'c Attributes) -> Self {
        Self { values: Values::Kept(kept) }
    }
}

impl<'c> Context<'c> {
    /// Nothing is known.
    pub const EMPTY: Self = Self { values: Values::Given(&[]) };

    /// Takes values once for as many evaluations as one likes.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidContext`] for more than [`ATTRIBUTES_MAX`] values, or text of more than [`TEXT_MAX`] bytes.
    pub fn new(values: &'c [Val<'c>]) -> Result<Self, ErrorCode> {
        let is_long = |value: &Val<'_>| matches!(value, Val::Text(text) if text.len() > TEXT_MAX);
        if values.len() > ATTRIBUTES_MAX || values.iter().any(is_long) {
            return Err(ErrorCode::InvalidContext);
        }
        Ok(Self { values: Values::Given(values) })
    }

    /// What is known of the attribute in that slot.
    #[inline]
    pub(super) fn at(self, slot: u16) -> Val<'c> {
        match self.values {
            Values::Given(values) => values.get(usize::from(slot)).copied().unwrap_or_default(),
            Values::Kept(kept) => kept.at(usize::from(slot)),
        }
    }
}

impl<'c> Val<'c> {
    /// Whether there is a value.
    #[must_use]
    pub fn is_there(self) -> bool {
        match self {
            Self::Missing => false,
            Self::Number(number) => number.is_finite(),
            Self::Text(_) | Self::Bool(_) => true,
        }
    }

    /// As a number, if it is one or is text that is one in decimal digits.
    pub(super) fn number(self) -> Option<f64> {
        let number = match self {
            Self::Number(number) => number,
            Self::Text(text) => {
                let is_decimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
                let text = text.trim();
                if !text.bytes().all(is_decimal) {
                    return None;
                }
                text.parse().ok()?
            }
            Self::Missing | Self::Bool(_) => return None,
        };
        number.is_finite().then_some(number)
    }

    /// As text: whole numbers up to 2^53 in decimal digits. None for other numbers, and for what is missing.
    #[inline]
    pub(super) fn text<'d>(self, digits: &'d mut Digits) -> Option<&'d str>
    where
        'c: 'd,
    {
        match self {
            Self::Missing => None,
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Text(text) => Some(text),
            Self::Number(number) => digits.of(number),
        }
    }

    /// As what tells users apart: text that is not empty, or a whole number up to 2^53.
    #[inline]
    pub(super) fn id<'d>(self, digits: &'d mut Digits) -> Option<&'d str>
    where
        'c: 'd,
    {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Number(number) => digits.of(number),
            Self::Text(_) | Self::Missing | Self::Bool(_) => None,
        }
    }
}

/// Room for a number in decimal digits.
#[derive(Debug, Default)]
pub(super) struct Digits([u8; 20]);

impl Digits {
    /// A whole number up to 2^53 in decimal digits.
    pub(super) fn of(&mut self, number: f64) -> Option<&str> {
        if number.fract() != 0.0 || number.abs() > ID_MAX {
            return None;
        }
        self.whole((number as i64).unsigned_abs(), number < 0.0)
    }

    /// Any number in decimal digits.
    pub(super) fn whole(&mut self, mut rest: u64, is_negative: bool) -> Option<&str> {
        let mut start = self.0.len();
        let mut put = |byte: u8, bytes: &mut [u8; 20]| {
            start = start.saturating_sub(1);
            if let Some(place) = bytes.get_mut(start) {
                *place = byte;
            }
        };
        loop {
            put(b'0' + (rest % 10) as u8, &mut self.0);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if is_negative {
            put(b'-', &mut self.0);
        }
        str::from_utf8(self.0.get(start..)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_ids() {
        for (number, expected) in [
            (0.0, Some("0")),
            (-0.0, Some("0")),
            (42.0, Some("42")),
            (-1.0, Some("-1")),
            (ID_MAX, Some("9007199254740992")),
            (-ID_MAX, Some("-9007199254740992")),
            (ID_MAX + 2.0, None),
            (0.5, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(Val::Number(number).id(&mut Digits::default()), expected, "{number}");
        }
        assert_eq!(Digits::default().whole(u64::MAX, false), Some("18446744073709551615"));
        assert_eq!(Val::Text("").id(&mut Digits::default()), None);
        assert_eq!(Val::Bool(true).id(&mut Digits::default()), None);
        assert_eq!(Val::Bool(true).text(&mut Digits::default()), Some("true"));
    }

    #[test]
    fn text_in_digits_is_a_number() {
        for (text, expected) in [
            ("12", Some(12.0)),
            (" 12.0 ", Some(12.0)),
            ("-1e3", Some(-1000.0)),
            ("", None),
            ("0x10", None),
            ("inf", None),
            ("NaN", None),
            ("1e999", None),
            ("٥", None),
            ("1_000", None),
        ] {
            assert_eq!(Val::Text(text).number(), expected, "{text}");
        }
    }

    #[test]
    fn a_context_has_bounds() {
        assert!(Context::new(&[Val::Missing; ATTRIBUTES_MAX]).is_ok());
        assert!(Context::new(&[Val::Missing; ATTRIBUTES_MAX + 1]).is_err());
        assert!(Context::new(&[Val::Text(&"x".repeat(TEXT_MAX))]).is_ok());
        assert!(matches!(Context::new(&[Val::Text(&"x".repeat(TEXT_MAX + 1))]), Err(ErrorCode::InvalidContext)));
    }
}
