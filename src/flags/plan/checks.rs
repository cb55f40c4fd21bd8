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
#[derive(Clone, Copy, Debug)]
enum Check {
    /// A text is among these words.
    Among { slot: u16, is_not: bool, words: Range },
    /// A number is at least, or above, or at most, or below another.
    Number { slot: u16, is_not: bool, op: Op, asked: f64 },
    /// Anything else: its nodes, with those within it.
    Nodes(Range),
}

/// The conditions of all rules that have plans.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks {
    checks: Vec<Check>,
    words: Vec<Word>,
}

impl Checks {
    /// Adds the conditions of a rule.
    pub(super) fn add(&mut self, table: &Table, nodes: Range) -> Range {
        let start = self.checks.len() as u32;
        let mut at = nodes.start;
        while at < nodes.end() {
            let Some(node) = table.nodes.get(at as usize) else { break };
            let next = node.end.max(at + 1);
            let check = self.check(table, node).unwrap_or(Check::Nodes(Range { start: at, len: next - at }));
            self.checks.push(check);
            at = next;
        }
        Range { start, len: self.checks.len() as u32 - start }
    }

    fn check(&mut self, table: &Table, node: &Node) -> Option<Check> {
        let (slot, is_not) = (node.slot, node.bits & node_bits::NOT != 0);
        match node.op {
            Op::Gt | Op::Gte | Op::Lt | Op::Lte => {
                let asked = *table.numbers.get(node.b.start as usize)?;
                Some(Check::Number { slot, is_not, op: node.op, asked })
            }
            // Neither `true` and `false`, nor letters of either case, nor numbers.
            Op::In if node.bits & !node_bits::NOT == 0 && node.b.len == 0 && node.a.len > 0 => {
                let texts = node.a.of(&table.texts).iter();
                let words: Option<Vec<Word>> = texts.map(|text| word(table.bytes(*text))).collect();
                let range = Range { start: self.words.len() as u32, len: node.a.len };
                self.words.append(&mut words?);
                Some(Check::Among { slot, is_not, words: range })
            }
            _ => None,
        }
    }

    /// Whether all hold; nothing if that has to be asked in full.
    #[inline]
    pub(super) fn hold(&self, checks: Range, question: &Question<'_>) -> Option<bool> {
        for check in checks.of(&self.checks) {
            let is_so = match check {
                Check::Among { slot, is_not, words } => self.among(*words, question.context, *slot)? != *is_not,
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

    #[inline]
    fn among(&self, words: Range, context: Context<'_>, slot: u16) -> Option<bool> {
        let Val::Text(text) = context.at(slot) else { return None };
        let Some(found) = word(text.as_bytes()) else { return Some(false) };
        Some(words.of(&self.words).contains(&found))
    }
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
