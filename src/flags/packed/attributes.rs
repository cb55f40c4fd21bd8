//! What is known of somebody, as a host wrote it: read once, for as many evaluations as one likes.

use crate::flags::context::{TEXT_MAX, Val};
use crate::flags::model::ATTRIBUTES_MAX;

/// How many bytes each attribute has before all texts: what it is, and a number or the length of its text.
const HEAD: usize = 9;

/// What an attribute is.
mod tag {
    pub(super) const MISSING: u8 = 0;
    /// Two bytes of length follow; its UTF-8 is behind that of the texts before it.
    pub(super) const TEXT: u8 = 1;
    /// A double follows.
    pub(super) const NUMBER: u8 = 2;
    pub(super) const FALSE: u8 = 3;
    pub(super) const TRUE: u8 = 4;
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Missing,
    /// Between those bytes of all texts.
    Text(u32, u32),
    Number(f64),
    Bool(bool),
}

/// Attributes by slot, and all their texts behind each other. Reading into one that was used before touches the heap only for
/// more than was read before: at most [`ATTRIBUTES_MAX`] texts of [`TEXT_MAX`] bytes are kept.
#[derive(Debug, Default)]
pub struct Attributes {
    slots: Vec<Slot>,
    texts: String,
}

impl Attributes {
    /// Reads `count` attributes in place of those that were read before: in the order of `Table::attributes` nine bytes for each,
    /// of which the first says what it is (0 missing, 1 text, 2 number, 3 `false`, 4 `true`), with two bytes of length for text and
    /// a double for a number behind it, and then all texts.
    ///
    /// Returns whether these bytes are that, with no more attributes and no longer texts than a context may have. Else nothing
    /// is known.
    #[must_use]
    pub fn read(&mut self, count: usize, bytes: &[u8]) -> bool {
        self.slots.clear();
        self.texts.clear();
        let is_read = count <= ATTRIBUTES_MAX && self.fill(count, bytes).is_some();
        if !is_read {
            self.slots.clear();
        }
        is_read
    }

    fn fill(&mut self, count: usize, bytes: &[u8]) -> Option<()> {
        let (heads, texts) = bytes.split_at_checked(count * HEAD)?;
        let texts = str::from_utf8(texts).ok()?;
        let mut start = 0;
        let (heads, _) = heads.as_chunks::<HEAD>();
        for [tag, low, high, rest @ ..] in heads {
            let slot = match *tag {
                tag::MISSING => Slot::Missing,
                tag::FALSE => Slot::Bool(false),
                tag::TRUE => Slot::Bool(true),
                tag::NUMBER => {
                    let [a, b, c, d, e, f] = *rest;
                    Slot::Number(f64::from_le_bytes([*low, *high, a, b, c, d, e, f]))
                }
                tag::TEXT => {
                    let length = usize::from(u16::from_le_bytes([*low, *high]));
                    let end = start + length;
                    if length > TEXT_MAX || !texts.is_char_boundary(end) {
                        return None;
                    }
                    let slot = Slot::Text(start as u32, end as u32);
                    start = end;
                    slot
                }
                _ => return None,
            };
            self.slots.push(slot);
        }
        self.texts.push_str(texts);
        (start == texts.len()).then_some(())
    }

    /// What is known of the attribute in that slot.
    #[inline]
    pub(in crate::flags) fn at(&self, slot: usize) -> Val<'_> {
        match self.slots.get(slot) {
            Some(Slot::Text(start, end)) => {
                self.texts.get(*start as usize..*end as usize).map_or(Val::Missing, Val::Text)
            }
            Some(Slot::Number(number)) => Val::Number(*number),
            Some(Slot::Bool(value)) => Val::Bool(*value),
            Some(Slot::Missing) | None => Val::Missing,
        }
    }
}
