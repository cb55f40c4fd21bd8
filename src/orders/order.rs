//! One order as text, with a checksum over all of it.
//!
//! ```json
//! {"sha256":"b1…","order":{"schema":1,"name":"kill","version":3,"id":"00f3…","updatedAtMs":1704067200000,"by":"ada",
//!  "reason":"errors since 12:00","previous":"9f…","value":{"flags":["cache"]}}}
//! ```
//!
//! The checksum is that of the bytes between `"order":` and the last brace, so a text that lost its end, was mixed from two,
//! or lies under another order's key is damaged: nothing of it is used.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Name;
use super::json::NUMBER_MAX;
use crate::clock::Instant;

/// The form that this release writes, and the only one that there is.
const SCHEMA: u32 = 1;
/// Longest text of an order, in bytes: the largest body and what is put around it.
pub const TEXT_MAX: usize = 80_000;
/// The same of flags: their document and its snapshot. With the order that it replaces it is below what a store takes at once.
pub const FLAGS_TEXT_MAX: usize = 1_500_000;
/// Longest name of who gave an order, in bytes.
pub const BY_MAX: usize = 100;
/// Longest reason, in bytes.
pub const REASON_MAX: usize = 500;

const BEFORE_CHECKSUM: &str = r#"{"sha256":""#;
const AFTER_CHECKSUM: &str = r#"","order":"#;
const END: &str = "}";

/// One order.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// From 1; each is one above that before. At most 2^53 - 1.
    pub version: u64,
    /// 64 bits of chance: no two orders have the same text, so who finds his own text knows that he wrote it.
    pub id: u64,
    /// When it was given, by the clock of whoever took it.
    pub updated_at: Instant,
    /// Who gave it, at most [`BY_MAX`] bytes.
    pub by: String,
    /// Why, at most [`REASON_MAX`] bytes.
    pub reason: String,
    /// The checksum of the order before; none before the first.
    pub previous: Option<String>,
    /// What shall hold: a JSON object.
    pub value: Value,
    /// The same in the form that isolates load, in base64: of flags alone. See `published`.
    pub compiled: Option<String>,
}

/// Why a text is no order that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It has another form, or was cut.
    Form,
    /// The checksum is not that of what follows it.
    Checksum,
    /// It is another order.
    Name,
    /// A newer release wrote it.
    Newer,
    /// A member is missing, unknown or out of range.
    Member,
    /// It is whole, and was not put there by the routes: the head of the audit log names another.
    Unnamed,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it has not the form of an order, or was cut",
            Self::Checksum => "its checksum is not that of its content",
            Self::Name => "it is another order's text",
            Self::Newer => "a newer release wrote it",
            Self::Member => "a member is missing, unknown or out of range",
            Self::Unnamed => "it is not the one that the head of the audit log names",
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Members<'a> {
    schema: u32,
    name: &'a str,
    version: u64,
    id: String,
    updated_at_ms: u64,
    by: String,
    reason: String,
    previous: Option<String>,
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compiled: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    schema: u32,
}

impl Order {
    /// The order as text.
    #[must_use]
    pub fn text(&self, name: Name) -> String {
        let members = Members {
            schema: SCHEMA,
            name: name.text(),
            version: self.version,
            id: format!("{:016x}", self.id),
            updated_at_ms: self.updated_at.0,
            by: self.by.clone(),
            reason: self.reason.clone(),
            previous: self.previous.clone(),
            value: self.value.clone(),
            compiled: self.compiled.clone(),
        };
        let order = serde_json::to_string(&members).unwrap_or_default();
        [BEFORE_CHECKSUM, &sha256_of(order.as_bytes()), AFTER_CHECKSUM, &order, END].concat()
    }

    /// Reads the order `name` from its text.
    ///
    /// # Errors
    ///
    /// [`Damage`] when the text is not exactly what [`Order::text`] gives for one of this name. No part of it is used then.
    pub fn read(name: Name, text: &str) -> Result<Self, Damage> {
        let (checksum, order) = parts(text).filter(|_| text.len() <= text_max(name)).ok_or(Damage::Form)?;
        if sha256_of(order.as_bytes()) != checksum {
            return Err(Damage::Checksum);
        }
        let header: Header = serde_json::from_str(order).map_err(|_| Damage::Member)?;
        if header.schema > SCHEMA {
            return Err(Damage::Newer);
        }
        let members: Members<'_> = serde_json::from_str(order).map_err(|_| Damage::Member)?;
        if members.name != name.text() {
            return Err(Damage::Name);
        }
        let found = Self {
            version: members.version,
            id: u64::from_str_radix(&members.id, 16).map_err(|_| Damage::Member)?,
            updated_at: Instant(members.updated_at_ms),
            by: members.by,
            reason: members.reason,
            previous: members.previous,
            value: members.value,
            compiled: members.compiled,
        };
        if found.is_in_range() && (found.compiled.is_none() || name == Name::Flags) {
            Ok(found)
        } else {
            Err(Damage::Member)
        }
    }

    fn is_in_range(&self) -> bool {
        (1..=NUMBER_MAX).contains(&self.version)
            && self.value.is_object()
            && self.by.len() <= BY_MAX
            && self.reason.len() <= REASON_MAX
    }
}

/// Whether a reason says why: in at most [`REASON_MAX`] bytes, of which somebody can see one.
#[must_use]
pub fn says_why(reason: &str) -> bool {
    reason.len() <= REASON_MAX && reason.chars().any(is_visible)
}

/// Whether a character leaves a mark: not space, not a control, and none of those that only direct or join others (general
/// category Cf of Unicode, as far as it is in use outside of single scripts).
fn is_visible(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !character.is_whitespace() && !character.is_control() && !is_format
}

/// Longest text of this order, in bytes.
#[must_use]
pub const fn text_max(name: Name) -> usize {
    match name {
        Name::Flags => FLAGS_TEXT_MAX,
        _ => TEXT_MAX,
    }
}

/// The checksum that a text of an order carries; empty if it has none.
#[must_use]
pub fn checksum(text: &str) -> &str {
    parts(text).map_or("", |(checksum, _)| checksum)
}

fn parts(text: &str) -> Option<(&str, &str)> {
    if text.len() > FLAGS_TEXT_MAX {
        return None;
    }
    let (checksum, rest) = text.strip_prefix(BEFORE_CHECKSUM)?.split_once(AFTER_CHECKSUM)?;
    Some((checksum, rest.strip_suffix(END)?))
}

/// SHA-256 in 64 hexadecimal digits.
fn sha256_of(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |bits: u8| char::from(DIGITS[usize::from(bits & 0xf)]);
    Sha256::digest(bytes).iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> Order {
        Order {
            version: 3,
            id: 0xf3,
            updated_at: Instant(1_704_067_200_000),
            by: "ada".to_owned(),
            reason: "errors \"since\" 12:00".to_owned(),
            previous: Some("9f".to_owned()),
            value: json!({"features": ["cache"], "\u{2028}": 0.5}),
            compiled: None,
        }
    }

    #[test]
    fn an_order_is_what_its_text_says() {
        for order in [order(), Order { previous: None, value: json!({}), version: NUMBER_MAX, ..order() }] {
            for name in Name::ALL {
                assert_eq!(Order::read(name, &order.text(name)), Ok(order.clone()));
            }
        }
        let flags = Order { compiled: Some("AAAA".to_owned()), ..order() };
        assert_eq!(Order::read(Name::Flags, &flags.text(Name::Flags)), Ok(flags.clone()));
        assert_eq!(Order::read(Name::Kill, &flags.text(Name::Kill)), Err(Damage::Member));
        let text = order().text(Name::Kill);
        assert_eq!(checksum(&text).len(), 64);
        assert!(serde_json::from_str::<Value>(&text).is_ok_and(|json| json["order"]["version"] == 3));
    }

    #[test]
    fn a_text_under_another_orders_key_is_refused() {
        assert_eq!(Order::read(Name::Flags, &order().text(Name::Kill)), Err(Damage::Name));
    }

    #[test]
    fn a_text_that_was_cut_or_changed_in_one_byte_is_refused() {
        let text = order().text(Name::Kill);
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            assert!(Order::read(Name::Kill, &text[..end]).is_err(), "{end}");
        }
        for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii()) {
            let mut changed = text.clone().into_bytes();
            changed[at] = if byte == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Order::read(Name::Kill, &changed).is_err(), "{at}");
        }
    }

    #[test]
    fn what_has_a_checksum_and_is_no_order_is_refused() {
        let with =
            |order: &str| format!("{BEFORE_CHECKSUM}{}{AFTER_CHECKSUM}{order}{END}", sha256_of(order.as_bytes()));
        let whole = r#"{"schema":1,"name":"kill","version":1,"id":"f","updatedAtMs":0,"by":"","reason":"","previous":null,"value":{}}"#;
        assert!(Order::read(Name::Kill, &with(whole)).is_ok());
        assert_eq!(Order::read(Name::Kill, &with(&whole.replace(":1,\"name", ":2,\"name"))), Err(Damage::Newer));
        for (part, wrong) in [
            (r#""version":1"#, r#""version":0"#),
            (r#""version":1"#, r#""version":9007199254740992"#),
            (r#""version":1"#, r#""version":"1""#),
            (r#""version":1"#, r#""version":1,"version":2"#),
            (r#""value":{}"#, r#""value":[]"#),
            (r#""value":{}"#, r#""value":{},"more":1"#),
            (r#""by":"","#, ""),
            (r#""id":"f""#, r#""id":"x""#),
            (r#""schema":1,"#, ""),
        ] {
            assert_eq!(Order::read(Name::Kill, &with(&whole.replace(part, wrong))), Err(Damage::Member), "{wrong}");
        }
        for text in ["", "null", "{}", whole] {
            assert_eq!(Order::read(Name::Kill, text), Err(Damage::Form));
        }
        let padded = with(&format!("{whole}{}", " ".repeat(TEXT_MAX)));
        assert_eq!(Order::read(Name::Kill, &padded), Err(Damage::Form));
    }
}
