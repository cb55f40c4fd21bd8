//! What is known of somebody, as a host wrote it: read once, for as many evaluations as one likes.

use super::Bytes;
use crate::flags::context::{TEXT_MAX, Val};
use crate::flags::model::ATTRIBUTES_MAX;

/// How an attribute begins.
mod tag {
    pub(super) const MISSING: u8 = 0;
    /// Two bytes of length follow, and so many of UTF-8.
    pub(super) const TEXT: u8 = 1;
    /// A double follows.
    pub(super) const NUMBER: u8 = 2;
    pub(super) const FALSE: u8 = 3;
    pub(super) const TRUE: u8 = 4;
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Missing,
    Text,
    Number(f64),
    Bool(bool),
}

/// An attribute. Its text stays where it is when another somebody is read, so that reading asks for no memory.
#[derive(Debug)]
struct Slot {
    kind: Kind,
    text: String,
}

/// Attributes by slot, each with a text of its own. Reading into one that was used before touches the heap only for what is
/// longer than all before it: at most [`ATTRIBUTES_MAX`] texts of [`TEXT_MAX`] bytes are kept.
#[derive(Debug, Default)]
pub struct Attributes {
    slots: Vec<Slot>,
    count: usize,
}

impl Attributes {
    /// Reads somebody in place of who was read before: in the order of `Table::attributes` a byte for each that says what it is
    /// (0 missing, 1 text, 2 number, 3 `false`, 4 `true`), and for text two bytes of length and its bytes, for a number a double.
    ///
    /// Returns whether these bytes are that, with no more attributes and no longer texts than a context may have. Else nothing
    /// is known.
    #[must_use]
    pub fn read(&mut self, bytes: &[u8]) -> bool {
        self.count = 0;
        let found = self.fill(bytes);
        self.count = found.unwrap_or_default();
        found.is_some()
    }

    fn fill(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut bytes = Bytes(bytes);
        let mut count = 0;
        while let Some(tag) = bytes.byte() {
            if self.slots.len() == count {
                if count == ATTRIBUTES_MAX {
                    return None;
                }
                self.slots.push(Slot { kind: Kind::Missing, text: String::new() });
            }
            let slot = self.slots.get_mut(count)?;
            slot.kind = match tag {
                tag::MISSING => Kind::Missing,
                tag::FALSE => Kind::Bool(false),
                tag::TRUE => Kind::Bool(true),
                tag::NUMBER => Kind::Number(bytes.number()?),
                tag::TEXT => {
                    let length = usize::from(u16::from_le_bytes(bytes.array()?));
                    if length > TEXT_MAX {
                        return None;
                    }
                    slot.text.clear();
                    slot.text.push_str(bytes.text_of(length)?);
                    Kind::Text
                }
                _ => return None,
            };
            count += 1;
        }
        Some(count)
    }

    /// What is known of the attribute in that slot.
    #[inline]
    pub(in crate::flags) fn at(&self, slot: usize) -> Val<'_> {
        if slot >= self.count {
            return Val::Missing;
        }
        self.slots.get(slot).map_or(Val::Missing, |slot| match slot.kind {
            Kind::Missing => Val::Missing,
            Kind::Text => Val::Text(&slot.text),
            Kind::Number(number) => Val::Number(number),
            Kind::Bool(value) => Val::Bool(value),
        })
    }
}
