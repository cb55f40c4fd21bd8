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

/// Bytes that have not been read yet.
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::from(u8::read(self)?)).copied()
    }

    // Each of these by itself: one function of all of them is compiled for longer than it runs.
    #[inline(never)]
    fn rows<T: Row>(&mut self) -> Option<Vec<T>> {
        let count = usize::try_from(u64::read(self)?).ok()?;
        // No row is shorter than that, so a count cannot ask for more room than its bytes are worth.
        let mut rows = Vec::with_capacity(count.min(self.0.len() / T::BYTES_MIN));
        for _ in 0..count {
            rows.push(T::read(self)?);
        }
        Some(rows)
    }
}

/// Something that is written and read.
pub(super) trait Row: Sized {
    /// What the shortest one takes.
    const BYTES_MIN: usize = 1;
    fn write(&self, out: &mut Vec<u8>);
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

impl Row for u8 {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.array::<1>().map(|[byte]| byte)
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

    #[inline]
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match from.0.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                from.0 = rest;
                Some(Self::from(*byte))
            }
            _ => long(from),
        }
    }
}

/// A number of more than one byte.
fn long(from: &mut Reader<'_>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = u8::read(from)?;
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

impl Row for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        u64::read(from)?.try_into().ok()
    }
}

/// One more than it is, so that "none" is short.
impl Row for u16 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(self.wrapping_add(1)).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Self::try_from(u64::read(from)?).ok().map(|number| number.wrapping_sub(1))
    }
}

impl Row for f64 {
    const BYTES_MIN: usize = 8;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.array().map(Self::from_le_bytes)
    }
}

impl Row for Range {
    const BYTES_MIN: usize = 2;

    fn write(&self, out: &mut Vec<u8>) {
        self.start.write(out);
        self.len.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { start: u32::read(from)?, len: u32::read(from)? })
    }
}

impl<A: Row, B: Row> Row for (A, B) {
    const BYTES_MIN: usize = A::BYTES_MIN + B::BYTES_MIN;

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

impl Row for Prefix {
    const BYTES_MIN: usize = 9;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.state.to_le_bytes());
        out.extend_from_slice(&self.rest.to_le_bytes());
        self.length.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (state, rest) = (from.array().map(u32::from_le_bytes)?, from.array().map(u32::from_le_bytes)?);
        Some(Self { state, rest, length: u32::read(from)? })
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

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            name: Range::read(from)?,
            bits: u8::read(from)?,
            default: u16::read(from)?,
            on: u16::read(from)?,
            off: u16::read(from)?,
            rollout_rule: u16::read(from)?,
            age_max_ms: u64::read(from)?,
            variants: Range::read(from)?,
            requires: Range::read(from)?,
            rules: Range::read(from)?,
            by: Range::read(from)?,
            enrol: Prefix::read(from)?,
        })
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

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            name: Range::read(from)?,
            kind: from.one_of(&Kind::ALL)?,
            number: f64::read(from)?,
            text: Range::read(from)?,
        })
    }
}

impl Row for RequireRow {
    const BYTES_MIN: usize = 4;

    fn write(&self, out: &mut Vec<u8>) {
        self.flag.write(out);
        out.push(self.not.into());
        self.variants.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { flag: u32::read(from)?, not: from.one_of(&[false, true])?, variants: Range::read(from)? })
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

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            name: Range::read(from)?,
            nodes: Range::read(from)?,
            share: u32::read(from)?.wrapping_sub(1),
            by: Range::read(from)?,
            enrol: Prefix::read(from)?,
            serve: u16::read(from)?,
            bounds: Range::read(from)?,
            modulus: u32::read(from)?,
            split_by: Range::read(from)?,
            split: Prefix::read(from)?,
        })
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

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            op: from.one_of(&Op::ALL)?,
            bits: u8::read(from)?,
            slot: u16::read(from)?,
            end: u32::read(from)?,
            a: Range::read(from)?,
            b: Range::read(from)?,
        })
    }
}

impl Row for VersionRow {
    const BYTES_MIN: usize = 6;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(place_of(&RELATIONS, &self.relation));
        self.core.iter().for_each(|number| number.write(out));
        self.before.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let relation = from.one_of(&RELATIONS)?;
        let core = [u64::read(from)?, u64::read(from)?, u64::read(from)?];
        Some(Self { relation, core, before: Range::read(from)? })
    }
}

impl Row for Network {
    const BYTES_MIN: usize = 18;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.is_v6.into());
        out.push(self.length);
        out.extend_from_slice(&self.bits.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (is_v6, length) = (from.one_of(&[false, true])?, u8::read(from)?);
        Some(Self { is_v6, length, bits: from.array().map(u128::from_le_bytes)? })
    }
}

/// Text of a pattern and whether case counts; it is compiled when the text is there.
impl Row for PatternRow {
    const BYTES_MIN: usize = 3;

    fn write(&self, out: &mut Vec<u8>) {
        self.text.write(out);
        out.push(self.ci.into());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { text: Range::read(from)?, ci: from.one_of(&[false, true])?, pattern: None })
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
    let revision = u64::read(from)?;
    let is_all_killed = from.one_of(&[false, true])?;
    let length = usize::try_from(u64::read(from)?).ok()?;
    let text = str::from_utf8(from.take(length)?).ok()?.to_owned();
    let mut table = Table {
        revision,
        is_all_killed,
        text,
        flags: from.rows()?,
        variants: from.rows()?,
        requires: from.rows()?,
        rules: from.rows()?,
        nodes: from.rows()?,
        segments: from.rows()?,
        texts: from.rows()?,
        numbers: from.rows()?,
        versions: from.rows()?,
        networks: from.rows()?,
        patterns: from.rows()?,
        bounds: from.rows()?,
        shorts: from.rows()?,
        attributes: from.rows()?,
    };
    if table.patterns.len() > crate::flags::model::PATTERNS_MAX {
        return None;
    }
    for row in &mut table.patterns {
        let text = table.text.get(row.text.start as usize..row.text.end() as usize)?;
        // One that this build does not know is asked by no node that can be decided.
        row.pattern = if text.len() <= LITERAL_MAX { Pattern::new(text, row.ci).ok() } else { return None };
    }
    Some(table)
}
