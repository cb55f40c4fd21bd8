//! Rows as bytes. Positions and lengths are short where they are small (LEB128); hashes and doubles have their full length.

use super::{place_of, write_all};
use crate::flags::bucket::Prefix;
use crate::flags::model::{Comparison, LITERAL_MAX};
use crate::flags::network::Network;
use crate::flags::pattern::Pattern;
use crate::flags::table::{
    FlagRow, Kind, Node, Op, PatternRow, Range, RequireRow, RuleRow, Table, VariantRow, VersionRow,
};
use crate::flags::version::Relation;

const RELATIONS: [Relation; 6] = [
    Relation::Is,
    Relation::IsNot,
    Relation::Than(Comparison::Gt),
    Relation::Than(Comparison::Gte),
    Relation::Than(Comparison::Lt),
    Relation::Than(Comparison::Lte),
];

/// Bytes that have not been read yet. What is wrong with them is told once, at the end: rows are read by many short steps, and to
/// ask after each whether it went well takes longer than the step.
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    is_wrong: bool,
}

impl<'b> Reader<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, is_wrong: false }
    }

    /// Whether all was read, and could be.
    pub(super) const fn is_done(&self) -> bool {
        self.bytes.is_empty() && !self.is_wrong
    }

    fn take(&mut self, length: usize) -> &'b [u8] {
        match self.bytes.split_at_checked(length) {
            Some((taken, rest)) => {
                self.bytes = rest;
                taken
            }
            None => self.wrong(),
        }
    }

    /// So many bytes; zeros if they are not there.
    fn array<const N: usize>(&mut self) -> [u8; N] {
        match self.bytes.split_first_chunk() {
            Some((taken, rest)) => {
                self.bytes = rest;
                *taken
            }
            None => {
                self.is_wrong = true;
                [0; N]
            }
        }
    }

    fn wrong<T: Default>(&mut self) -> T {
        self.is_wrong = true;
        T::default()
    }

    /// A number of at most ten bytes. By itself, so that rows are short to compile.
    #[inline(never)]
    fn number(&mut self) -> u64 {
        match self.bytes {
            [one @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                u64::from(*one)
            }
            [one, two @ ..0x80, rest @ ..] => {
                self.bytes = rest;
                u64::from(one & 0x7f) | u64::from(*two) << 7
            }
            _ => self.long(),
        }
    }

    #[inline(never)]
    fn long(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            if shift == 63 && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return number;
            }
            shift += 7;
        }
        self.wrong()
    }

    fn one_of<T: Copy>(&mut self, all: &[T], otherwise: T) -> T {
        let [place] = self.array();
        all.get(usize::from(place)).copied().unwrap_or_else(|| {
            self.is_wrong = true;
            otherwise
        })
    }

    fn yes(&mut self) -> bool {
        self.one_of(&[false, true], false)
    }

    /// Those of one table. Most sets of flags have nothing in some of them, and what is not run need not be compiled.
    fn rows<T: Row>(&mut self) -> Vec<T> {
        match self.number() {
            0 => Vec::new(),
            count => self.so_many(count),
        }
    }

    // Each of these by itself: one function of all of them is compiled for longer than it runs.
    #[inline(never)]
    fn so_many<T: Row>(&mut self, count: u64) -> Vec<T> {
        // No row is shorter than that, so a count cannot ask for more room than its bytes are worth.
        let most = self.bytes.len() / T::BYTES_MIN;
        let Some(count) = usize::try_from(count).ok().filter(|count| *count <= most) else { return self.wrong() };
        let mut rows = Vec::with_capacity(count);
        rows.extend((0..count).map(|_| T::read(self)));
        rows
    }
}

/// Something that is written and read.
pub(super) trait Row: Sized {
    /// What the shortest one takes.
    const BYTES_MIN: usize = 1;
    fn write(&self, out: &mut Vec<u8>);
    /// Whatever this is of bytes that are wrong.
    fn read(from: &mut Reader<'_>) -> Self;
}

impl Row for u8 {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let [byte] = from.array();
        byte
    }
}

impl Row for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        from.number()
    }
}

impl Row for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }

    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Self {
        Self::try_from(from.number()).unwrap_or_else(|_| from.wrong())
    }
}

/// One more than it is, so that "none" is short.
impl Row for u16 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(self.wrapping_add(1)).write(out);
    }

    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Self {
        Self::try_from(from.number()).map_or_else(|_| from.wrong(), |number| number.wrapping_sub(1))
    }
}

impl Row for f64 {
    const BYTES_MIN: usize = 8;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self::from_le_bytes(from.array())
    }
}

impl Row for Range {
    const BYTES_MIN: usize = 2;

    fn write(&self, out: &mut Vec<u8>) {
        self.start.write(out);
        self.len.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self { start: u32::read(from), len: u32::read(from) }
    }
}

impl<A: Row, B: Row> Row for (A, B) {
    const BYTES_MIN: usize = A::BYTES_MIN + B::BYTES_MIN;

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        (A::read(from), B::read(from))
    }
}

impl Row for Prefix {
    const BYTES_MIN: usize = 9;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.state.to_le_bytes());
        out.extend_from_slice(&self.rest.to_le_bytes());
        self.length.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let (state, rest) = (u32::from_le_bytes(from.array()), u32::from_le_bytes(from.array()));
        Self { state, rest, length: u32::read(from) }
    }
}

impl Row for FlagRow {
    const BYTES_MIN: usize = 25;

    fn write(&self, out: &mut Vec<u8>) {
        self.name.write(out);
        self.bits.write(out);
        [self.default, self.on, self.off, self.rollout_rule].iter().for_each(|place| place.write(out));
        self.age_max_ms.write(out);
        [self.variants, self.requires, self.rules, self.by].iter().for_each(|range| range.write(out));
        self.enrol.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            name: Range::read(from),
            bits: u8::read(from),
            default: u16::read(from),
            on: u16::read(from),
            off: u16::read(from),
            rollout_rule: u16::read(from),
            age_max_ms: u64::read(from),
            variants: Range::read(from),
            requires: Range::read(from),
            rules: Range::read(from),
            by: Range::read(from),
            enrol: Prefix::read(from),
        }
    }
}

impl Row for VariantRow {
    const BYTES_MIN: usize = 13;

    fn write(&self, out: &mut Vec<u8>) {
        self.name.write(out);
        out.push(place_of(&Kind::ALL, &self.kind));
        self.number.write(out);
        self.text.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            name: Range::read(from),
            kind: from.one_of(&Kind::ALL, Kind::Json),
            number: f64::read(from),
            text: Range::read(from),
        }
    }
}

impl Row for RequireRow {
    const BYTES_MIN: usize = 4;

    fn write(&self, out: &mut Vec<u8>) {
        self.flag.write(out);
        out.push(self.not.into());
        self.variants.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self { flag: u32::read(from), not: from.yes(), variants: Range::read(from) }
    }
}

impl Row for RuleRow {
    const BYTES_MIN: usize = 31;

    fn write(&self, out: &mut Vec<u8>) {
        self.name.write(out);
        self.nodes.write(out);
        // "Everybody" is the greatest number, and would be long.
        self.share.wrapping_add(1).write(out);
        self.by.write(out);
        self.enrol.write(out);
        self.serve.write(out);
        self.bounds.write(out);
        self.modulus.write(out);
        self.split_by.write(out);
        self.split.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            name: Range::read(from),
            nodes: Range::read(from),
            share: u32::read(from).wrapping_sub(1),
            by: Range::read(from),
            enrol: Prefix::read(from),
            serve: u16::read(from),
            bounds: Range::read(from),
            modulus: u32::read(from),
            split_by: Range::read(from),
            split: Prefix::read(from),
        }
    }
}

impl Row for Node {
    const BYTES_MIN: usize = 8;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(place_of(&Op::ALL, &self.op));
        out.push(self.bits);
        self.slot.write(out);
        self.end.write(out);
        self.a.write(out);
        self.b.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            op: from.one_of(&Op::ALL, Op::Never),
            bits: u8::read(from),
            slot: u16::read(from),
            end: u32::read(from),
            a: Range::read(from),
            b: Range::read(from),
        }
    }
}

impl Row for VersionRow {
    const BYTES_MIN: usize = 6;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(place_of(&RELATIONS, &self.relation));
        self.core.iter().for_each(|number| number.write(out));
        self.before.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let relation = from.one_of(&RELATIONS, Relation::Is);
        let core = [u64::read(from), u64::read(from), u64::read(from)];
        Self { relation, core, before: Range::read(from) }
    }
}

impl Row for Network {
    const BYTES_MIN: usize = 18;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.is_v6.into());
        out.push(self.length);
        out.extend_from_slice(&self.bits.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Self {
        let (is_v6, length) = (from.yes(), u8::read(from));
        Self { is_v6, length, bits: u128::from_le_bytes(from.array()) }
    }
}

/// Text of a pattern and whether case counts; it is compiled when the text is there.
impl Row for PatternRow {
    const BYTES_MIN: usize = 3;

    fn write(&self, out: &mut Vec<u8>) {
        self.text.write(out);
        out.push(self.ci.into());
    }

    fn read(from: &mut Reader<'_>) -> Self {
        Self { text: Range::read(from), ci: from.yes(), pattern: None }
    }
}

pub(super) fn write(table: &Table, out: &mut Vec<u8>) {
    table.revision.write(out);
    out.push(table.is_all_killed.into());
    (table.text.len() as u64).write(out);
    out.extend_from_slice(table.text.as_bytes());
    write_all(&table.flags, out);
    write_all(&table.variants, out);
    write_all(&table.requires, out);
    write_all(&table.rules, out);
    write_all(&table.nodes, out);
    write_all(&table.segments, out);
    write_all(&table.texts, out);
    write_all(&table.numbers, out);
    write_all(&table.versions, out);
    write_all(&table.networks, out);
    write_all(&table.patterns, out);
    write_all(&table.bounds, out);
    write_all(&table.shorts, out);
    write_all(&table.attributes, out);
}

#[inline(never)]
pub(super) fn read(from: &mut Reader<'_>) -> Option<Table> {
    let revision = from.number();
    let is_all_killed = from.yes();
    let length = usize::try_from(from.number()).unwrap_or(usize::MAX);
    let text = str::from_utf8(from.take(length)).ok()?.to_owned();
    let mut table = Table { revision, is_all_killed, text, ..Table::default() };
    table.flags = from.rows();
    table.variants = from.rows();
    table.requires = from.rows();
    table.rules = from.rows();
    table.nodes = from.rows();
    table.segments = from.rows();
    table.texts = from.rows();
    table.numbers = from.rows();
    table.versions = from.rows();
    table.networks = from.rows();
    table.patterns = from.rows();
    table.bounds = from.rows();
    table.shorts = from.rows();
    table.attributes = from.rows();
    if !from.is_done() || table.patterns.len() > crate::flags::model::PATTERNS_MAX {
        return None;
    }
    for row in &mut table.patterns {
        let text = table.text.get(row.text.start as usize..row.text.end() as usize)?;
        // One that this build does not know is asked by no node that can be decided.
        row.pattern = if text.len() <= LITERAL_MAX { Pattern::new(text, row.ci).ok() } else { return None };
    }
    Some(table)
}
