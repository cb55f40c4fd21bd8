//! Flags as evaluation reads them: flat tables whose rows name each other by position, and one text that all names are in.
//!
//! `compile` makes them of a document, `snapshot` carries them to other isolates, `evaluate` reads them. Whoever reads a row by
//! a position that is not there gets nothing: no table makes a reader fail.

use serde_json::Value;

use super::bucket::Prefix;
use super::network::Network;
use super::pattern::Pattern;
use super::variables::FEATURE;
use super::version::{Relation, Version};
use crate::clock::Millis;
use crate::config::nearest::nearest;

/// No variant, no rule.
pub(super) const NONE: u16 = u16::MAX;
/// No rollout: everybody.
pub(super) const NO_SHARE: u32 = u32::MAX;
/// Bounds are buckets of a million, with their digits turned around.
pub(super) const MILLIONTHS: u32 = 0;
/// The slot of the time, in conditions.
pub(super) const NOW_SLOT: u16 = u16::MAX;
/// The slot of chance, in ids.
pub(super) const RANDOM_SLOT: u16 = u16::MAX - 1;

/// Rows beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Range {
    /// Its rows; none if they are not all there.
    #[inline]
    pub(super) fn of<T>(self, rows: &[T]) -> &[T] {
        let start = self.start as usize;
        rows.get(start..start.saturating_add(self.len as usize)).unwrap_or_default()
    }

    #[inline]
    pub(super) const fn end(self) -> u32 {
        self.start.saturating_add(self.len)
    }
}

/// What a flag's `bits` say.
pub(super) mod flag_bits {
    pub(in crate::flags) const ENABLED: u8 = 1;
    pub(in crate::flags) const KILLED: u8 = 2;
    pub(in crate::flags) const STRICT: u8 = 4;
    pub(in crate::flags) const OFF_WHEN_STALE: u8 = 8;
    pub(in crate::flags) const LEFT_TO_CODE: u8 = 16;
    pub(in crate::flags) const BOOLEAN: u8 = 32;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FlagRow {
    pub(super) name: Range,
    pub(super) bits: u8,
    /// The variant for whom no rule matches.
    pub(super) default: u16,
    /// The first variant that is `true`, and the first that is `false`; of boolean flags only.
    pub(super) on: u16,
    pub(super) off: u16,
    /// The last rule with a rollout, which `ROLLOUT_…` changes.
    pub(super) rollout_rule: u16,
    /// 0 for no bound.
    pub(super) age_max_ms: Millis,
    pub(super) variants: Range,
    pub(super) requires: Range,
    pub(super) rules: Range,
    pub(super) by: Range,
    pub(super) enrol: Prefix,
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// Text.
    Text,
    /// Anything else of JSON.
    Json,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Boolean, Self::Number, Self::Text, Self::Json];

    /// The kind of a value.
    #[must_use]
    pub const fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Null | Value::Array(_) | Value::Object(_) => Self::Json,
        }
    }
}

/// A value, as it lies in the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'t> {
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'t str),
    /// JSON as text.
    Json(&'t str),
}

impl Found<'_> {
    /// What kind of value it is.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Boolean(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Json(_) => Kind::Json,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct VariantRow {
    pub(super) name: Range,
    pub(super) kind: Kind,
    /// A number, or 1 for `true`.
    pub(super) number: f64,
    /// Text, or JSON as text.
    pub(super) text: Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequireRow {
    pub(super) flag: u32,
    pub(super) not: bool,
    /// Variants, in `shorts`, rising.
    pub(super) variants: Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleRow {
    pub(super) name: Range,
    pub(super) nodes: Range,
    /// In millionths, or [`NO_SHARE`].
    pub(super) share: u32,
    /// Slots of the id, in `shorts`.
    pub(super) by: Range,
    pub(super) enrol: Prefix,
    /// The one variant, where there are no bounds.
    pub(super) serve: u16,
    pub(super) bounds: Range,
    /// What the hash is divided by, for parts of a sum, or [`MILLIONTHS`].
    pub(super) modulus: u32,
    pub(super) split_by: Range,
    pub(super) split: Prefix,
}

/// What a node asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// All or one of the nodes below it.
    All,
    Any,
    /// Those of the segment `a.start`.
    Segment,
    /// One of the texts `a`, the numbers `b`, or `true` and `false` as the bits say.
    In,
    /// Texts `a`.
    StartsWith,
    EndsWith,
    Contains,
    /// The number `b.start`.
    Gt,
    Gte,
    Lt,
    Lte,
    /// The number `b.start`, in milliseconds since the epoch.
    Before,
    After,
    /// All of the versions `a`.
    Semver,
    /// One of the networks `a`.
    Cidr,
    /// As the bit says.
    Exists,
    /// The pattern `a.start`.
    Regex,
    /// Cannot be decided.
    Never,
}

impl Op {
    /// Whether it asks for an attribute itself.
    pub(super) const fn asks(self) -> bool {
        !matches!(self, Self::All | Self::Any | Self::Segment)
    }

    pub(super) const ALL: [Self; 18] = [
        Self::All,
        Self::Any,
        Self::Segment,
        Self::In,
        Self::StartsWith,
        Self::EndsWith,
        Self::Contains,
        Self::Gt,
        Self::Gte,
        Self::Lt,
        Self::Lte,
        Self::Before,
        Self::After,
        Self::Semver,
        Self::Cidr,
        Self::Exists,
        Self::Regex,
        Self::Never,
    ];
}

/// What a node's `bits` say.
pub(super) mod node_bits {
    pub(in crate::flags) const NOT: u8 = 1;
    pub(in crate::flags) const CI: u8 = 2;
    /// `true`, or `false`, is one of the values.
    pub(in crate::flags) const TRUE: u8 = 4;
    pub(in crate::flags) const FALSE: u8 = 8;
}

/// A condition; those within it follow, up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) bits: u8,
    pub(super) slot: u16,
    pub(super) end: u32,
    pub(super) a: Range,
    pub(super) b: Range,
}

/// A version of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VersionRow {
    pub(super) relation: Relation,
    pub(super) core: [u64; 3],
    pub(super) before: Range,
}

#[derive(Clone, Debug)]
pub(super) struct PatternRow {
    pub(super) text: Range,
    pub(super) ci: bool,
    /// None if it is no regular expression.
    pub(super) pattern: Option<Pattern>,
}

/// All flags, ready to be evaluated.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub(super) revision: u64,
    pub(super) is_all_killed: bool,
    pub(super) text: String,
    /// In the order of their names.
    pub(super) flags: Vec<FlagRow>,
    pub(super) variants: Vec<VariantRow>,
    pub(super) requires: Vec<RequireRow>,
    pub(super) rules: Vec<RuleRow>,
    pub(super) nodes: Vec<Node>,
    /// The nodes of each segment, and its name.
    pub(super) segments: Vec<(Range, Range)>,
    pub(super) texts: Vec<Range>,
    pub(super) numbers: Vec<f64>,
    pub(super) versions: Vec<VersionRow>,
    pub(super) networks: Vec<Network>,
    pub(super) patterns: Vec<PatternRow>,
    /// Up to which bucket, and the variant.
    pub(super) bounds: Vec<(u32, u16)>,
    /// Slots and variants.
    pub(super) shorts: Vec<u16>,
    /// The names of attributes, by slot. The first is `targetingKey`.
    pub(super) attributes: Vec<Range>,
}

/// A flag of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlagIndex(pub(super) u32);

impl FlagIndex {
    /// Its place in the order of keys.
    #[must_use]
    pub const fn place(self) -> u32 {
        self.0
    }
}

impl Table {
    /// The edition of the document.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether any flag asks for the time: by `maxAge`, or in a condition.
    #[must_use]
    pub fn asks_time(&self) -> bool {
        let is_now = |node: &Node| matches!(node.op, Op::Before | Op::After) && node.slot == NOW_SLOT;
        self.flags.iter().any(|row| row.age_max_ms != 0) || self.nodes.iter().any(is_now)
    }

    /// Whether any flag asks for chance.
    #[must_use]
    pub fn asks_chance(&self) -> bool {
        self.shorts.contains(&RANDOM_SLOT)
    }

    /// The flag of that key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<FlagIndex> {
        let found = self.flags.binary_search_by(|row| self.part(row.name).cmp(key)).ok()?;
        u32::try_from(found).ok().map(FlagIndex)
    }

    /// The flag that an operator means: by its key, or by `FEATURE_` and its key. Never one whose key is only like it.
    #[must_use]
    pub fn find_meant(&self, name: &str) -> Option<FlagIndex> {
        self.find(name).or_else(|| self.find(name.strip_prefix(FEATURE)?))
    }

    /// The key that a mistyped one was probably meant to be.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name.strip_prefix(FEATURE).unwrap_or(name), &mut self.flags.iter().map(|row| self.part(row.name)))
    }

    /// The flag at that place in the order of keys.
    #[must_use]
    pub fn at(&self, place: u32) -> Option<FlagIndex> {
        ((place as usize) < self.flags.len()).then_some(FlagIndex(place))
    }

    /// All flags, in the order of their keys.
    pub fn all(&self) -> impl ExactSizeIterator<Item = FlagIndex> + use<> {
        (0..self.flags.len() as u32).map(FlagIndex)
    }

    /// The key of a flag.
    #[must_use]
    pub fn key(&self, flag: FlagIndex) -> &str {
        self.row(flag).map_or("", |row| self.part(row.name))
    }

    /// The attributes that flags ask for, by slot: what a context has to have at that place.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.attributes.iter().map(|name| self.part(*name))
    }

    /// The names of a flag's variants, by place.
    pub fn variants(&self, flag: FlagIndex) -> impl ExactSizeIterator<Item = &str> {
        self.row(flag).map_or(&[][..], |row| row.variants.of(&self.variants)).iter().map(|row| self.part(row.name))
    }

    /// The value of a variant.
    #[must_use]
    #[inline]
    pub fn value(&self, flag: FlagIndex, variant: u16) -> Option<Found<'_>> {
        let row = self.row(flag)?.variants.of(&self.variants).get(usize::from(variant))?;
        Some(match row.kind {
            Kind::Boolean => Found::Boolean(row.number != 0.0),
            Kind::Number => Found::Number(row.number),
            Kind::Text => Found::Text(self.part(row.text)),
            Kind::Json => Found::Json(self.part(row.text)),
        })
    }

    /// The name of a rule, if it has one.
    #[must_use]
    pub fn rule_name(&self, flag: FlagIndex, rule: u16) -> Option<&str> {
        let row = self.row(flag)?.rules.of(&self.rules).get(usize::from(rule))?;
        (row.name.len > 0).then(|| self.part(row.name))
    }

    #[inline]
    pub(super) fn row(&self, flag: FlagIndex) -> Option<&FlagRow> {
        self.flags.get(flag.0 as usize)
    }

    /// A piece of the text.
    #[inline]
    pub(super) fn part(&self, range: Range) -> &str {
        self.text.get(range.start as usize..range.end() as usize).unwrap_or_default()
    }

    /// The bytes of a piece of the text, without looking whether letters are whole.
    #[inline]
    pub(super) fn bytes(&self, range: Range) -> &[u8] {
        self.text.as_bytes().get(range.start as usize..range.end() as usize).unwrap_or_default()
    }

    #[inline]
    pub(super) fn version(&self, row: &VersionRow) -> Version<'_> {
        Version { core: row.core, before: self.part(row.before) }
    }
}
