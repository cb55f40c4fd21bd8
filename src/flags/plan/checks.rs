//! Conditions of plans. Those that most rules have are looked at where they lie, the others as [`holds`] looks at them.

use crate::flags::context::{Context, Val};
use crate::flags::evaluate::{Question, holds};
use crate::flags::table::{Node, Op, Range, Table, node_bits};

/// Longest text that a [`Word`] holds, in bytes.
const WORD_MAX: usize = 8;

/// A short text, compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    bytes: u64,
    length: u32,
}

/// A condition of a rule.
#[derive(Clone, Debug)]
enum Check {
    /// A text is among these words.
    Among { slot: u16, is_not: bool, words: Vec<Word> },
    /// A number is at least, or above, or at most, or below another.
    Number { slot: u16, is_not: bool, op: Op, asked: f64 },
    /// Anything else: its nodes, with those within it.
    Nodes(Range),
}

/// The conditions of a rule.
#[derive(Clone, Debug)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    pub(super) fn of(table: &Table, nodes: Range) -> Self {
        let mut found = Vec::new();
        let mut at = nodes.start;
        while at < nodes.end() {
            let Some(node) = table.nodes.get(at as usize) else { break };
            let next = node.end.max(at + 1);
            found.push(check(table, node).unwrap_or(Check::Nodes(Range { start: at, len: next - at })));
            at = next;
        }
        Self(found)
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all hold; nothing if that has to be asked in full.
    #[inline]
    pub(super) fn hold(&self, question: &Question<'_>) -> Option<bool> {
        for check in &self.0 {
            let is_so = match check {
                Check::Among { slot, is_not, words } => among(words, question.context, *slot)? != *is_not,
                Check::Number { slot, is_not, op, asked } => {
                    let Val::Number(found) = question.context.at(*slot) else { return None };
                    let is_so = match op {
                        Op::Gt => found > *asked,
                        Op::Gte => found >= *asked,
                        Op::Lt => found < *asked,
                        _ => found <= *asked,
                    };
                    if !found.is_finite() {
                        return None;
                    }
                    is_so != *is_not
                }
                Check::Nodes(nodes) => nodes_hold(question, *nodes)?,
            };
            if !is_so {
                return Some(false);
            }
        }
        Some(true)
    }
}

fn check(table: &Table, node: &Node) -> Option<Check> {
    let (slot, is_not) = (node.slot, node.bits & node_bits::NOT != 0);
    match node.op {
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => {
            let asked = *table.numbers.get(node.b.start as usize)?;
            Some(Check::Number { slot, is_not, op: node.op, asked })
        }
        // Neither `true` and `false`, nor letters of either case, nor numbers.
        Op::In if node.bits & !node_bits::NOT == 0 && node.b.len == 0 && node.a.len > 0 => {
            let words: Option<Vec<Word>> =
                node.a.of(&table.texts).iter().map(|text| word(table.bytes(*text))).collect();
            Some(Check::Among { slot, is_not, words: words? })
        }
        _ => None,
    }
}

#[inline]
fn among(words: &[Word], context: Context<'_>, slot: u16) -> Option<bool> {
    let Val::Text(text) = context.at(slot) else { return None };
    let Some(found) = word(text.as_bytes()) else { return Some(false) };
    Some(words.contains(&found))
}

#[inline(never)]
fn nodes_hold(question: &Question<'_>, nodes: Range) -> Option<bool> {
    holds(question, nodes, &mut ())
}

/// A text as a word, if it is short enough.
#[inline]
fn word(text: &[u8]) -> Option<Word> {
    let length = text.len();
    let bytes = if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
    } else if let [first, .., last] = text {
        u64::from(*first) | u64::from(*text.get(1)?) << 8 | u64::from(*last) << 16
    } else {
        text.first().copied().unwrap_or_default().into()
    };
    (length <= WORD_MAX).then_some(Word { bytes, length: length as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_only_for_the_same_text() {
        let letters = [b'a', b'b', 0];
        let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
        let mut at = 0;
        while let Some(text) = texts.get(at).cloned().filter(|text| text.len() < WORD_MAX - 1) {
            texts.extend(letters.map(|letter| [&text[..], &[letter]].concat()));
            at += 1;
        }
        let mut words: Vec<(u64, u32)> =
            texts.iter().filter_map(|text| word(text)).map(|word| (word.bytes, word.length)).collect();
        assert_eq!(words.len(), texts.len());
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), texts.len());
        assert!(word(b"12345678").is_some() && word(b"123456789").is_none());
    }
}
