//! What a document of flags says, checked: see `parse` for how it is read and `export` for how it is written.
//!
//! Nothing here depends on the order of names in a JSON object, because readers of JSON do not agree on one: flags, segments
//! and variants are in the order of their bytes, and weights whose order matters are a list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bucket::{BUCKETS, Share};
use super::guard::Guard;
use crate::clock::Millis;

/// Longest document, in bytes.
pub const TEXT_MAX: usize = 2 << 20;
/// Most flags of a document.
pub const FLAGS_MAX: usize = 5_000;
/// Most segments of a document.
pub const SEGMENTS_MAX: usize = 1_000;
/// Longest name of a flag, segment, variant, attribute or rule, and longest salt, in bytes.
pub const NAME_MAX: usize = 256;
/// Most variants of a flag.
pub const VARIANTS_MAX: usize = 100;
/// Most rules of a flag.
pub const RULES_MAX: usize = 200;
/// Most other flags that one requires.
pub const REQUIRES_MAX: usize = 16;
/// How far a chain of flags that require each other may go: a flag and seven before it.
pub const REQUIRES_DEPTH_MAX: usize = 8;
/// Most conditions beside each other.
pub const CONDITIONS_MAX: usize = 100;
/// Conditions within each other, at most.
pub const NESTING_MAX: usize = 8;
/// Most values of one condition.
pub const VALUES_MAX: usize = 10_000;
/// Longest text of a condition, in bytes.
pub const LITERAL_MAX: usize = 1_024;
/// Longest regular expression, in bytes.
pub const REGEX_MAX: usize = 256;
/// Most regular expressions of a document.
pub const PATTERNS_MAX: usize = 1_000;
/// Longest value of a variant, in bytes of JSON.
pub const VALUE_MAX: usize = 16 << 10;
/// Most different attributes that a document asks for, and that a context may have.
pub const ATTRIBUTES_MAX: usize = 64;
/// Most attributes that are tried one after the other for an id.
pub const BY_MAX: usize = 8;
/// Most ranges of buckets of one rule.
pub const RANGES_MAX: usize = 1_000;
/// Most conditions and values looked at in one evaluation, those of segments and of required flags included.
pub const WORK_MAX: u32 = 50_000;
/// Longest `maxAge`: 366 days.
pub const AGE_MAX_MS: Millis = 366 * 24 * 3_600_000;

/// The attribute by which users are told apart where a document does not say: that of OpenFeature.
pub const TARGETING_KEY: &str = "targetingKey";
/// In `by`: a number by chance, so that nothing is sticky.
pub const RANDOM: &str = "$random";
/// In a condition on a date: when the flag is evaluated.
pub const NOW: &str = "$now";

/// All flags of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlagSet {
    /// Which edition of the document; 0 where it does not say.
    pub revision: u64,
    /// Whether all flags are off, and else which.
    pub kill: Kill,
    /// Conditions that rules share, by name.
    pub segments: BTreeMap<String, Vec<Condition>>,
    /// Flags by key.
    pub flags: BTreeMap<String, Flag>,
}

/// What is off, whatever else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Every flag.
    All,
    /// These flags. Some may not be there.
    These(BTreeSet<String>),
}

impl Default for Kill {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Kill {
    /// What the order `kill` says: `{"all": true}`, or `{"flags": ["a"]}`. An order that says neither turns nothing off.
    #[must_use]
    pub fn of_order(value: &Value) -> Self {
        if value.get("all") == Some(&Value::Bool(true)) {
            return Self::All;
        }
        let flags = value.get("flags").and_then(Value::as_array);
        Self::These(flags.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Whether that flag is off.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(flags) => flags.contains(flag),
        }
    }
}

/// One flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// Whether it is on at all.
    pub is_enabled: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it can be, by name, in the order of names. Never empty.
    pub variants: BTreeMap<String, Value>,
    /// The variant for whom no rule matches.
    pub default: String,
    /// What is hashed before the id: the key of the flag where it is none.
    pub salt: Option<String>,
    /// The attributes that are the id: the first that is there. Never empty.
    pub by: Vec<String>,
    /// Whether a missing id is an error, and not just no match.
    pub is_strict: bool,
    /// How old definitions may be, and what happens then.
    pub age: Option<Age>,
    /// Whether a boolean flag that is off gives what the caller's code says, and not `false`.
    pub is_off_left_to_code: bool,
    /// Other flags that must be so.
    pub requires: Vec<Requirement>,
    /// The first that matches serves.
    pub rules: Vec<Rule>,
    /// What must not be crossed while it is on.
    pub guard: Option<Guard>,
}

impl Flag {
    /// Whether every variant is `true` or `false`.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        self.variants.values().all(Value::is_boolean)
    }

    /// The first variant with that boolean as its value.
    #[must_use]
    pub fn variant_of(&self, value: bool) -> Option<&str> {
        self.variants.iter().find(|(_, found)| **found == Value::Bool(value)).map(|(name, _)| name.as_str())
    }

    /// A boolean flag that is on, with variants `on` and `off`, without rules.
    #[must_use]
    pub fn boolean(default: bool) -> Self {
        Self {
            is_enabled: true,
            owner: None,
            description: None,
            variants: [("on".to_owned(), true.into()), ("off".to_owned(), false.into())].into(),
            default: if default { "on" } else { "off" }.to_owned(),
            salt: None,
            by: vec![TARGETING_KEY.to_owned()],
            is_strict: false,
            age: None,
            is_off_left_to_code: false,
            requires: Vec::new(),
            rules: Vec::new(),
            guard: None,
        }
    }
}

/// How old the definitions of a flag may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// From 1 to [`AGE_MAX_MS`].
    pub max_ms: Millis,
    /// Whether the flag is off beyond it; else it goes on, and says that it is stale.
    pub is_off_beyond: bool,
}

/// A flag that must be so before another's rules are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its key.
    pub flag: String,
    /// Its variants that will do. Never empty.
    pub is: BTreeSet<String>,
    /// All others will do instead, and none.
    pub not: bool,
}

/// For whom, how many of them, and what they get.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name in reports.
    pub id: Option<String>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// The share of those that is in. Everybody where it is none.
    pub rollout: Option<Share>,
    /// The attributes that are the id; those of the flag where it is none.
    pub by: Option<Vec<String>>,
    /// What is hashed before the id; the flag's where it is none.
    pub salt: Option<String>,
    /// What they get.
    pub serve: Serve,
    /// How several variants are hashed, where that is not as `by` and `salt` say.
    pub split: Split,
}

/// How variants are hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The attributes that are the id.
    pub by: Option<Vec<String>>,
    /// What is hashed before the id.
    pub salt: Option<String>,
}

/// What a rule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// One variant.
    One(String),
    /// Variants with weights in millionths, one after the other; together 1,000,000.
    Weights(Vec<(String, u32)>),
    /// The same in parts of their sum: the hash is divided by it. For definitions of others, whose weights are no percents.
    Parts(Vec<(String, u32)>),
    /// Ranges of buckets, from and up to, which do not overlap and leave nothing out.
    Ranges(Vec<(String, Vec<(u32, u32)>)>),
}

impl Serve {
    /// Above which bucket comes the next variant, in order: the last bound is [`Serve::modulus`]. Empty for one variant.
    #[must_use]
    pub fn bounds(&self) -> Vec<(u32, &str)> {
        match self {
            Self::One(_) => Vec::new(),
            Self::Weights(weights) | Self::Parts(weights) => weights
                .iter()
                .filter(|(_, weight)| *weight > 0)
                .scan(0_u32, |sum, (name, weight)| {
                    *sum = sum.saturating_add(*weight);
                    Some((*sum, name.as_str()))
                })
                .collect(),
            Self::Ranges(variants) => {
                let ranges = variants.iter().flat_map(|(name, ranges)| ranges.iter().map(move |range| (range, name)));
                let mut bounds: Vec<(u32, &str)> = ranges.map(|((_, to), name)| (*to, name.as_str())).collect();
                bounds.sort_unstable();
                bounds
            }
        }
    }

    /// What the hash is divided by: 1,000,000, or the sum of the parts.
    #[must_use]
    pub fn modulus(&self) -> u32 {
        match self {
            Self::Parts(parts) => parts.iter().fold(0, |sum: u32, (_, part)| sum.saturating_add(*part)),
            Self::One(_) | Self::Weights(_) | Self::Ranges(_) => BUCKETS,
        }
    }

    /// The variants that are named.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        let (one, weights, ranges) = match self {
            Self::One(name) => (Some(name), [].as_slice(), [].as_slice()),
            Self::Weights(weights) | Self::Parts(weights) => (None, weights.as_slice(), [].as_slice()),
            Self::Ranges(ranges) => (None, [].as_slice(), ranges.as_slice()),
        };
        let several = weights.iter().map(|(name, _)| name).chain(ranges.iter().map(|(name, _)| name));
        one.into_iter().chain(several).map(String::as_str)
    }
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The other way round. A condition that cannot be decided does not hold either way.
    pub not: bool,
    /// What is asked.
    pub kind: ConditionKind,
}

/// What a condition asks.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionKind {
    /// Those of a segment hold.
    Segment(String),
    /// All hold.
    All(Vec<Condition>),
    /// One holds.
    Any(Vec<Condition>),
    /// An attribute is so.
    Attribute {
        /// Its name; [`NOW`] for the time.
        name: String,
        /// How it must be.
        test: Test,
        /// Whether upper and lower case are the same.
        ci: bool,
    },
}

/// How an attribute must be. One that is missing is never so.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// One of these.
    In(Vec<Literal>),
    /// Just this.
    Eq(Literal),
    /// Something else, or missing.
    Ne(Literal),
    /// Text that begins with one of these.
    StartsWith(Vec<String>),
    /// Text that ends with one of these.
    EndsWith(Vec<String>),
    /// Text with one of these in it.
    Contains(Vec<String>),
    /// A number, or text that is one.
    Number(Comparison, f64),
    /// A date before that, in milliseconds since the epoch, and as it was written.
    Before(i64, Value),
    /// A date after that.
    After(i64, Value),
    /// A version within the comparisons, which are checked.
    Semver(String),
    /// An address in one of these networks, which are checked.
    Cidr(Vec<String>),
    /// Whether it is there.
    Exists(bool),
    /// Text in which that regular expression is found.
    Regex(String),
    /// Something that this release does not know: its name and what it was given. It never holds.
    Unknown(String, Value),
}

/// Which numbers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Greater.
    Gt,
    /// Greater or the same.
    Gte,
    /// Less.
    Lt,
    /// Less or the same.
    Lte,
}

impl Comparison {
    /// As it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
        }
    }

    /// Whether what was found stands so to what was asked for.
    #[must_use]
    pub fn holds(self, found: f64, asked: f64) -> bool {
        match self {
            Self::Gt => found > asked,
            Self::Gte => found >= asked,
            Self::Lt => found < asked,
            Self::Lte => found <= asked,
        }
    }
}

/// What an attribute is compared with. Text is compared with the text of an attribute, numbers with its number: `"5"` and 5
/// are the same to both.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
}
