//! Conditions against a context. What cannot be decided is neither so nor not so, and stays that under `not`.

use super::{Question, Watch};
use crate::flags::context::{Digits, Val};
use crate::flags::date;
use crate::flags::fold;
use crate::flags::model::NESTING_MAX;
use crate::flags::network::Network;
use crate::flags::table::{NOW_SLOT, Node, Op, Range, Table, node_bits};
use crate::flags::version::Version;

/// A rule, a segment within it, and what either may be nested.
const LEVELS_MAX: usize = 2 * NESTING_MAX + 4;

/// Whether all of those hold; none if that cannot be said.
#[inline]
pub(in crate::flags) fn holds(question: &Question<'_>, nodes: Range, watch: &mut impl Watch) -> Option<bool> {
    all(question, nodes, 0, watch)
}

fn all(question: &Question<'_>, nodes: Range, level: usize, watch: &mut impl Watch) -> Option<bool> {
    let mut found = Some(true);
    let mut at = nodes.start;
    while at < nodes.end() {
        let node = question.table.nodes.get(at as usize)?;
        match one(question, at, node, level, watch) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => found = None,
        }
        at = node.end.max(at + 1);
    }
    found
}

fn any(question: &Question<'_>, nodes: Range, level: usize, watch: &mut impl Watch) -> Option<bool> {
    let mut found = Some(false);
    let mut at = nodes.start;
    while at < nodes.end() {
        let node = question.table.nodes.get(at as usize)?;
        match one(question, at, node, level, watch) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => found = None,
        }
        at = node.end.max(at + 1);
    }
    found
}

fn one(question: &Question<'_>, at: u32, node: &Node, level: usize, watch: &mut impl Watch) -> Option<bool> {
    // A table that was read is never that deep; one that was made by somebody else may be.
    if level > LEVELS_MAX {
        return None;
    }
    let within = Range { start: at + 1, len: node.end.saturating_sub(at + 1) };
    let found = match node.op {
        Op::All => all(question, within, level + 1, watch),
        Op::Any => any(question, within, level + 1, watch),
        Op::Segment => {
            let (nodes, _) = question.table.segments.get(node.a.start as usize)?;
            // Segments do not name each other; one that does all the same is cut off by the level.
            all(question, *nodes, level + NESTING_MAX, watch)
        }
        _ => attribute(question, node),
    };
    let found = found.map(|holds| holds != (node.bits & node_bits::NOT != 0));
    watch.condition(at, found);
    found
}

#[inline]
fn attribute(question: &Question<'_>, node: &Node) -> Option<bool> {
    let val = question.context.at(node.slot);
    match node.op {
        Op::In => is_in(question, node, val),
        Op::Gt => Some(is_number(question, node, val, |found, asked| found > asked)),
        Op::Gte => Some(is_number(question, node, val, |found, asked| found >= asked)),
        Op::Lt => Some(is_number(question, node, val, |found, asked| found < asked)),
        Op::Lte => Some(is_number(question, node, val, |found, asked| found <= asked)),
        Op::Exists => Some(val.is_there() == (node.bits & node_bits::TRUE != 0)),
        _ => other(question, node, val),
    }
}

/// Operators that take longer than to call a function: apart, so that the others stay short.
#[inline(never)]
fn other(question: &Question<'_>, node: &Node, val: Val<'_>) -> Option<bool> {
    Some(match node.op {
        Op::StartsWith => is_text(question, node, val, |text, part| text.starts_with(part))?,
        Op::EndsWith => is_text(question, node, val, |text, part| text.ends_with(part))?,
        Op::Contains => is_text(question, node, val, |text, part| text.contains(part))?,
        Op::Before => is_date(question, node, val, |found, asked| found < asked),
        Op::After => is_date(question, node, val, |found, asked| found > asked),
        Op::Semver => match val {
            Val::Text(text) => Version::parse(text).is_some_and(|found| {
                let asked = node.a.of(&question.table.versions);
                asked.iter().all(|row| row.relation.holds(found.order(question.table.version(row))))
            }),
            _ => false,
        },
        Op::Cidr => match val {
            Val::Text(text) => Network::of_address(text)
                .is_some_and(|address| node.a.of(&question.table.networks).iter().any(|network| network.has(address))),
            _ => false,
        },
        Op::Regex => {
            let pattern = question.table.patterns.get(node.a.start as usize)?.pattern.as_ref()?;
            val.text(&mut Digits::default()).is_some_and(|text| pattern.is_in(text))
        }
        _ => return None,
    })
}

fn is_in(question: &Question<'_>, node: &Node, val: Val<'_>) -> Option<bool> {
    let table = question.table;
    if node.bits & (node_bits::TRUE | node_bits::FALSE) != 0 {
        let is_there = match val {
            Val::Bool(true) | Val::Text("true") => node.bits & node_bits::TRUE != 0,
            Val::Bool(false) | Val::Text("false") => node.bits & node_bits::FALSE != 0,
            _ => false,
        };
        if is_there {
            return Some(true);
        }
    }
    let numbers = node.b.of(&table.numbers);
    let is_number = || {
        let found = val.number();
        found.is_some_and(|found| numbers.binary_search_by(|number| number.total_cmp(&(found + 0.0))).is_ok())
    };
    if !numbers.is_empty() && is_number() {
        return Some(true);
    }
    let texts = node.a.of(&table.texts);
    if texts.is_empty() {
        return Some(false);
    }
    match val {
        Val::Text(text) if node.bits & node_bits::CI == 0 => Some(is_one_of(table, texts, text.as_bytes())),
        _ => is_in_otherwise(table, node, val),
    }
}

/// The same for what is no text, or where case does not count.
#[inline(never)]
fn is_in_otherwise(table: &Table, node: &Node, val: Val<'_>) -> Option<bool> {
    let mut digits = Digits::default();
    let Some(text) = val.text(&mut digits) else { return Some(false) };
    let is_there = |text: &str| is_one_of(table, node.a.of(&table.texts), text.as_bytes());
    if node.bits & node_bits::CI != 0 { fold::with_lower(text, is_there) } else { Some(is_there(text)) }
}

/// Whether a text is among others, which rise.
#[inline]
fn is_one_of(table: &Table, texts: &[Range], text: &[u8]) -> bool {
    /// So few are looked at one after the other: most differ in their length or their first byte.
    const FEW: usize = 8;
    if texts.len() > FEW {
        return texts.binary_search_by(|row| table.bytes(*row).cmp(text)).is_ok();
    }
    let is_same = |row: &Range| {
        row.len as usize == text.len() && table.bytes(*row).iter().zip(text).all(|(one, other)| one == other)
    };
    texts.iter().any(is_same)
}

fn is_text(question: &Question<'_>, node: &Node, val: Val<'_>, is_so: impl Fn(&str, &str) -> bool) -> Option<bool> {
    let table = question.table;
    let mut digits = Digits::default();
    let Some(text) = val.text(&mut digits) else { return Some(false) };
    let is_one = |text: &str| node.a.of(&table.texts).iter().any(|part| is_so(text, table.part(*part)));
    if node.bits & node_bits::CI != 0 { fold::with_lower(text, is_one) } else { Some(is_one(text)) }
}

fn is_number(question: &Question<'_>, node: &Node, val: Val<'_>, is_so: impl Fn(f64, f64) -> bool) -> bool {
    let asked = question.table.numbers.get(node.b.start as usize);
    asked.is_some_and(|asked| val.number().is_some_and(|found| is_so(found, *asked)))
}

fn is_date(question: &Question<'_>, node: &Node, val: Val<'_>, is_so: impl Fn(f64, f64) -> bool) -> bool {
    let found = match val {
        _ if node.slot == NOW_SLOT => Some(question.moment.now.0 as f64),
        Val::Number(number) => Some(number).filter(|number| number.is_finite()),
        Val::Text(text) => date::milliseconds(text).map(|ms| ms as f64),
        Val::Missing | Val::Bool(_) => None,
    };
    let asked = question.table.numbers.get(node.b.start as usize);
    asked.is_some_and(|asked| found.is_some_and(|found| is_so(found, *asked)))
}
