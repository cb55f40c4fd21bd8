//! From JSON to what a document says: strict, all faults at once, nothing half read.
//!
//! ```json
//! {"version": 1, "hash": 1, "revision": 42, "kill": ["old-search"],
//!  "segments": {"staff": [{"attr": "email", "endsWith": "@acme.com"}]},
//!  "flags": {"new-checkout": {"rules": [
//!    {"id": "staff", "if": [{"segment": "staff"}], "serve": "on"},
//!    {"id": "ramp", "rollout": 25.5, "by": "userId", "serve": "on"}]}}}
//! ```
//!
//! `rule` reads rules, `condition` what must hold. What only several parts together can get wrong is in `compile`.

pub mod condition;
pub mod guard;
pub mod rule;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fault::{Fault, Finder, quoted};
use super::model::{
    AGE_MAX_MS, Age, BY_MAX, FLAGS_MAX, Flag, FlagSet, Kill, NAME_MAX, RANDOM, REQUIRES_MAX, RULES_MAX, Requirement,
    SEGMENTS_MAX, TARGETING_KEY, TEXT_MAX, VALUE_MAX, VARIANTS_MAX,
};
use crate::orders::json::{self, NUMBER_MAX, Problem};

/// Names of the document.
pub const DOCUMENT: [&str; 7] = ["$schema", "version", "hash", "revision", "kill", "segments", "flags"];
/// Names of a flag.
pub const FLAG: [&str; 14] = [
    "enabled",
    "owner",
    "description",
    "variants",
    "default",
    "salt",
    "by",
    "strict",
    "maxAge",
    "onStale",
    "off",
    "requires",
    "rules",
    "guard",
];
/// Names of what a flag requires.
pub const REQUIREMENT: [&str; 3] = ["flag", "is", "not"];
/// Names that objects of JavaScript have a meaning for.
const RESERVED: [&str; 3] = ["__proto__", "constructor", "prototype"];
/// Longest description, in bytes.
const DESCRIPTION_MAX: usize = 1_000;

impl FlagSet {
    /// Reads a document, and checks all of it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at most [`super::fault::FAULTS_MAX`] faults.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        Self::parse_with_warnings(text).map(|(flags, _)| flags)
    }

    /// As [`FlagSet::parse`]; and what is taken but will not do what it seems to: unknown operators, regular expressions that
    /// are none, a kill of a flag that is not there.
    ///
    /// # Errors
    ///
    /// As [`FlagSet::parse`].
    pub fn parse_with_warnings(text: &str) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let whole = |problem: String| vec![Fault { path: String::new(), problem }];
        if text.len() > TEXT_MAX {
            return Err(whole(format!("the document has {} bytes, and at most {TEXT_MAX} are taken", text.len())));
        }
        let value = json::read(text).map_err(|problem| {
            whole(match problem {
                Problem::Malformed(problem) => format!("this is no JSON: {problem}"),
                Problem::Unusable(problem) => problem,
            })
        })?;
        Self::from_value(&value)
    }

    /// Reads a document that is JSON already, as the value of an order is.
    ///
    /// # Errors
    ///
    /// As [`FlagSet::parse`].
    pub fn from_value(value: &Value) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let mut finder = Finder::default();
        let flags = document(value, &mut finder);
        if finder.faults.is_empty() {
            flags.check(&mut finder);
        }
        if finder.faults.is_empty() { Ok((flags, finder.warnings)) } else { Err(finder.faults) }
    }
}

fn document(value: &Value, at: &mut Finder) -> FlagSet {
    let Some(members) = object(value, at) else { return FlagSet::default() };
    known(members, &DOCUMENT, "part of a document", at);
    for (name, what) in [("version", "a newer release may know it"), ("hash", "users would move")] {
        at.member(name, |at| match members.get(name) {
            Some(Value::Number(number)) if number.as_u64() == Some(1) => {}
            None if name == "hash" => {}
            None => at.fault("this is missing: write 1"),
            Some(_) => at.fault(format!("only 1 is known: {what}")),
        });
    }
    FlagSet {
        revision: optional(members, "revision", at, |value, at| {
            let revision = value.as_u64().filter(|revision| *revision <= NUMBER_MAX);
            if revision.is_none() {
                at.fault("this is a whole number from 0 to 2^53 - 1");
            }
            revision
        })
        .unwrap_or_default(),
        kill: optional(members, "kill", at, kill).unwrap_or_default(),
        segments: named(members, "segments", SEGMENTS_MAX, at, |value, at| {
            condition::list(value, at, 0, "conditions of a segment")
        }),
        flags: named(members, "flags", FLAGS_MAX, at, flag),
    }
}

fn kill(value: &Value, at: &mut Finder) -> Option<Kill> {
    if value == "all" {
        return Some(Kill::All);
    }
    if value.is_string() {
        at.fault("this is a list of flags, or \"all\"");
        return None;
    }
    let flags = list(value, at, 0, FLAGS_MAX, name)?;
    Some(Kill::These(flags.into_iter().collect()))
}

fn flag(value: &Value, at: &mut Finder) -> Option<Flag> {
    let members = object(value, at)?;
    known(members, &FLAG, "part of a flag", at);
    let plain = Flag::boolean(false);
    let variants = match optional(members, "variants", at, variants) {
        Some(variants) => variants,
        // What else names variants cannot be judged.
        None if members.contains_key("variants") => return None,
        None => plain.variants,
    };
    let default = optional(members, "default", at, |value, at| variant(value, &variants, at));
    let default = default.or_else(|| members.get("default").is_none().then(|| "off".to_owned()));
    if members.get("default").is_none() && !variants.contains_key("off") {
        at.member("default", |at| at.fault("this is missing: name the variant for whom no rule matches"));
    }
    let flag = Flag {
        is_enabled: optional(members, "enabled", at, boolean).unwrap_or(true),
        owner: optional(members, "owner", at, |value, at| text(value, at, DESCRIPTION_MAX)),
        description: optional(members, "description", at, |value, at| text(value, at, DESCRIPTION_MAX)),
        default: default.unwrap_or_default(),
        salt: optional(members, "salt", at, salt),
        by: optional(members, "by", at, by).unwrap_or_else(|| vec![TARGETING_KEY.to_owned()]),
        is_strict: optional(members, "strict", at, boolean).unwrap_or(false),
        age: age(members, at),
        is_off_left_to_code: optional(members, "off", at, |value, at| {
            one_of(value, &[("false", false), ("code-default", true)], at)
        })
        .unwrap_or(false),
        requires: optional(members, "requires", at, |value, at| list(value, at, 0, REQUIRES_MAX, requirement))
            .unwrap_or_default(),
        rules: optional(members, "rules", at, |value, at| {
            list(value, at, 0, RULES_MAX, |value, at| rule::read(value, &variants, at))
        })
        .unwrap_or_default(),
        guard: optional(members, "guard", at, |value, at| guard::read(value, members, at)),
        variants,
    };
    Some(flag)
}

fn variants(value: &Value, at: &mut Finder) -> Option<BTreeMap<String, Value>> {
    let members = object(value, at)?;
    if members.is_empty() || members.len() > VARIANTS_MAX {
        at.fault(format!("a flag has 1 to {VARIANTS_MAX} variants, and here are {}", members.len()));
        return None;
    }
    let mut found = BTreeMap::new();
    for (key, value) in members {
        at.member(key, |at| {
            check_name(key, at);
            let length = serde_json::to_string(value).map_or(0, |text| text.len());
            if length > VALUE_MAX {
                at.fault(format!("a value has at most {VALUE_MAX} bytes as JSON, and this has {length}"));
            }
        });
        found.insert(key.clone(), value.clone());
    }
    Some(found)
}

fn age(members: &Map<String, Value>, at: &mut Finder) -> Option<Age> {
    let max_ms = optional(members, "maxAge", at, milliseconds);
    let is_off_beyond =
        optional(members, "onStale", at, |value, at| one_of(value, &[("serve", false), ("off", true)], at));
    if is_off_beyond.is_some() && members.get("maxAge").is_none() {
        at.member("onStale", |at| at.fault("without maxAge nothing is ever stale: add it, or leave this out"));
    }
    Some(Age { max_ms: max_ms?, is_off_beyond: is_off_beyond.unwrap_or(false) })
}

/// From 1 to [`AGE_MAX_MS`].
fn milliseconds(value: &Value, at: &mut Finder) -> Option<u64> {
    let found = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => duration(text),
        _ => None,
    };
    let found = found.filter(|ms| (1..=AGE_MAX_MS).contains(ms));
    if found.is_none() {
        at.fault("this is milliseconds, or a time such as \"30s\", \"5m\", \"1h\" or \"7d\", up to 366 days");
    }
    found
}

fn duration(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn requirement(value: &Value, at: &mut Finder) -> Option<Requirement> {
    let members = object(value, at)?;
    known(members, &REQUIREMENT, "part of what a flag requires", at);
    let flag = required(members, "flag", at, name);
    let is = required(members, "is", at, |value, at| {
        let names = list(value, at, 1, VARIANTS_MAX, name)?;
        Some(names.into_iter().collect::<BTreeSet<_>>())
    });
    let not = optional(members, "not", at, boolean).unwrap_or(false);
    Some(Requirement { flag: flag?, is: is?, not })
}

/// One attribute, or several that are tried one after the other.
pub(super) fn by(value: &Value, at: &mut Finder) -> Option<Vec<String>> {
    let names = match value {
        Value::String(_) => vec![attribute(value, at)?],
        _ => list(value, at, 1, BY_MAX, attribute)?,
    };
    if names.iter().rev().skip(1).any(|name| name == RANDOM) {
        at.fault(format!("nothing behind {RANDOM:?} would ever be looked at: put it last"));
        return None;
    }
    Some(names)
}

/// The name of an attribute; [`RANDOM`] is one here.
fn attribute(value: &Value, at: &mut Finder) -> Option<String> {
    let name = name(value, at)?;
    if name.starts_with('$') && name != RANDOM {
        at.fault(at.unknown("attribute", &name, &mut [RANDOM].into_iter()));
        return None;
    }
    Some(name)
}

pub(super) fn salt(value: &Value, at: &mut Finder) -> Option<String> {
    text(value, at, NAME_MAX)
}

/// The name of a variant of this flag.
pub(super) fn variant(value: &Value, variants: &BTreeMap<String, Value>, at: &mut Finder) -> Option<String> {
    let Some(name) = value.as_str() else {
        at.fault("this is the name of a variant");
        return None;
    };
    is_variant(name, variants, at).then(|| name.to_owned())
}

pub(super) fn is_variant(name: &str, variants: &BTreeMap<String, Value>, at: &mut Finder) -> bool {
    let is_known = variants.contains_key(name);
    if !is_known {
        at.fault(at.unknown("variant of this flag", name, &mut variants.keys().map(String::as_str)));
    }
    is_known
}

pub(super) fn object<'v>(value: &'v Value, at: &mut Finder) -> Option<&'v Map<String, Value>> {
    let members = value.as_object();
    if members.is_none() {
        at.fault("this is an object: {…}");
    }
    members
}

pub(super) fn known(members: &Map<String, Value>, names: &[&str], what: &str, at: &mut Finder) {
    for name in members.keys().filter(|name| !names.contains(&name.as_str())) {
        at.fault(at.unknown(what, name, &mut names.iter().copied()));
    }
}

pub(super) fn optional<T>(
    members: &Map<String, Value>,
    name: &str,
    at: &mut Finder,
    read: impl FnOnce(&Value, &mut Finder) -> Option<T>,
) -> Option<T> {
    let value = members.get(name)?;
    at.member(name, |at| read(value, at))
}

pub(super) fn required<T>(
    members: &Map<String, Value>,
    name: &str,
    at: &mut Finder,
    read: impl FnOnce(&Value, &mut Finder) -> Option<T>,
) -> Option<T> {
    if !members.contains_key(name) {
        at.member(name, |at| at.fault("this is missing"));
    }
    optional(members, name, at, read)
}

fn named<T>(
    members: &Map<String, Value>,
    name: &str,
    max: usize,
    at: &mut Finder,
    mut read: impl FnMut(&Value, &mut Finder) -> Option<T>,
) -> BTreeMap<String, T> {
    let found = optional(members, name, at, |value, at| {
        let members = object(value, at)?;
        if members.len() > max {
            at.fault(format!("at most {max} are taken, and here are {}", members.len()));
            return None;
        }
        let read = members.iter().filter_map(|(name, value)| {
            let value = at.member(name, |at| {
                check_name(name, at);
                read(value, at)
            });
            Some((name.clone(), value?))
        });
        Some(read.collect())
    });
    found.unwrap_or_default()
}

pub(super) fn list<T>(
    value: &Value,
    at: &mut Finder,
    min: usize,
    max: usize,
    mut read: impl FnMut(&Value, &mut Finder) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(items) = value.as_array() else {
        at.fault("this is a list: […]");
        return None;
    };
    if !(min..=max).contains(&items.len()) {
        at.fault(format!("this has {min} to {max} items, and here are {}", items.len()));
        return None;
    }
    let found: Vec<Option<T>> =
        items.iter().enumerate().map(|(index, item)| at.item(index, |at| read(item, at))).collect();
    found.into_iter().collect()
}

pub(super) fn boolean(value: &Value, at: &mut Finder) -> Option<bool> {
    if !value.is_boolean() {
        at.fault("this is true or false");
    }
    value.as_bool()
}

fn one_of<T: Copy>(value: &Value, known: &[(&str, T)], at: &mut Finder) -> Option<T> {
    let found = known.iter().find(|(name, _)| value == name).map(|(_, found)| *found);
    if found.is_none() {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
        at.fault(format!("this is {}", names.join(" or ")));
    }
    found
}

pub(super) fn text(value: &Value, at: &mut Finder, max: usize) -> Option<String> {
    let found = value.as_str().filter(|text| text.len() <= max);
    if found.is_none() {
        at.fault(format!("this is text of at most {max} bytes"));
    }
    found.map(str::to_owned)
}

/// A name that is told of somewhere.
pub(super) fn name(value: &Value, at: &mut Finder) -> Option<String> {
    let Some(name) = value.as_str() else {
        at.fault("this is a name: text");
        return None;
    };
    check_name(name, at).then(|| name.to_owned())
}

/// Names are 1 to [`NAME_MAX`] bytes without control characters, and mean nothing to objects of JavaScript.
pub(super) fn check_name(name: &str, at: &mut Finder) -> bool {
    match name_problem(name) {
        Some(problem) => {
            at.fault(problem);
            false
        }
        None => true,
    }
}

/// Why no flag, variant or segment can have this name; nothing if one can.
#[must_use]
pub fn name_problem(name: &str) -> Option<String> {
    if !(1..=NAME_MAX).contains(&name.len()) {
        Some(format!("a name has 1 to {NAME_MAX} bytes, and this has {}", name.len()))
    } else if name.chars().any(char::is_control) {
        Some(format!("{:?} has control characters in it", quoted(name)))
    } else if RESERVED.contains(&name) {
        Some(format!("{name:?} means something to objects of JavaScript: choose another name"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
