//! Rules: shares, weights, ranges.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::{by, check_name, condition, is_variant, known, list, name, object, optional, required, salt, variant};
use crate::flags::bucket::{BUCKETS, Share};
use crate::flags::fault::Finder;
use crate::flags::model::{RANGES_MAX, Rule, Serve, Split, VARIANTS_MAX};

/// Names of a rule.
pub const RULE: [&str; 7] = ["id", "if", "rollout", "by", "salt", "serve", "split"];
/// Names of how variants are hashed.
pub const SPLIT: [&str; 2] = ["by", "salt"];
/// Names of an item of `serve` as a list.
pub const WEIGHT: [&str; 3] = ["variant", "weight", "part"];

pub(super) fn read(value: &Value, variants: &BTreeMap<String, Value>, at: &mut Finder) -> Option<Rule> {
    let members = object(value, at)?;
    known(members, &RULE, "part of a rule", at);
    let serve = required(members, "serve", at, |value, at| serve(value, variants, at));
    Some(Rule {
        id: optional(members, "id", at, name),
        conditions: optional(members, "if", at, |value, at| condition::list(value, at, 1, "conditions of a rule"))
            .unwrap_or_default(),
        rollout: optional(members, "rollout", at, share).and_then(Share::of_millionths),
        by: optional(members, "by", at, by),
        salt: optional(members, "salt", at, salt),
        split: optional(members, "split", at, split).unwrap_or_default(),
        serve: serve?,
    })
}

fn split(value: &Value, at: &mut Finder) -> Option<Split> {
    let members = object(value, at)?;
    known(members, &SPLIT, "part of a split", at);
    Some(Split { by: optional(members, "by", at, by), salt: optional(members, "salt", at, salt) })
}

/// Percent from 0 to 100 with at most four digits behind the point, in millionths.
///
/// Whole ones are written as such: `100.0` and `1e2` are refused, as some writers mean other things by them.
pub(super) fn share(value: &Value, at: &mut Finder) -> Option<u32> {
    let found = value.as_number().and_then(millionths);
    if found.is_none() {
        at.fault("this is a number from 0 to 100, in percent, with at most four digits behind the point, such as 25 or 0.0001");
    }
    found
}

fn millionths(percent: &Number) -> Option<u32> {
    if let Some(percent) = percent.as_u64() {
        return u32::try_from(percent).ok().filter(|percent| *percent <= 100).map(|percent| percent * 10_000);
    }
    let percent = percent.as_f64().filter(|percent| (0.0..=100.0).contains(percent) && percent.fract() != 0.0)?;
    let scaled = percent * 10_000.0;
    let rounded = scaled.round();
    // What four digits can be off by as a double, with room; a fifth digit is off by a thousand times as much.
    ((scaled - rounded).abs() < 1e-6).then_some(rounded as u32)
}

fn serve(value: &Value, variants: &BTreeMap<String, Value>, at: &mut Finder) -> Option<Serve> {
    match value {
        Value::String(_) => variant(value, variants, at).map(Serve::One),
        Value::Object(members) if members.values().any(Value::is_array) => ranges(members, variants, at),
        Value::Object(members) => {
            let mut weights = Vec::new();
            for (name, weight) in members {
                let weight = at.member(name, |at| {
                    let weight = share(weight, at)?;
                    is_variant(name, variants, at).then_some(weight)
                });
                weights.push((name.clone(), weight?));
            }
            whole(weights, at).map(Serve::Weights)
        }
        Value::Array(_) => listed(value, variants, at),
        _ => {
            at.fault(
                "this is a variant, an object of variants with weights or ranges, or a list of {\"variant\": …, \"weight\": …}",
            );
            None
        }
    }
}

/// Weights in percent that are 100 together.
fn whole(weights: Vec<(String, u32)>, at: &mut Finder) -> Option<Vec<(String, u32)>> {
    let sum = weights.iter().fold(0_u64, |sum, (_, weight)| sum + u64::from(*weight));
    if sum == u64::from(BUCKETS) {
        return Some(weights);
    }
    at.fault(format!("weights are 100 together, and these are {}", sum as f64 / 10_000.0));
    None
}

/// Weights or parts whose order is said.
fn listed(value: &Value, variants: &BTreeMap<String, Value>, at: &mut Finder) -> Option<Serve> {
    let mut names = BTreeSet::new();
    let items = list(value, at, 1, VARIANTS_MAX, |value, at| {
        let members = object(value, at)?;
        known(members, &WEIGHT, "part of a weight", at);
        let name = required(members, "variant", at, |value, at| variant(value, variants, at))?;
        if !names.insert(name.clone()) {
            at.fault(format!("the variant {name:?} is here twice"));
        }
        let weight = optional(members, "weight", at, share);
        let part = optional(members, "part", at, |value, at| {
            let part = value.as_u64().and_then(|part| u32::try_from(part).ok()).filter(|part| *part <= BUCKETS);
            if part.is_none() {
                at.fault(format!("this is a whole number from 0 to {BUCKETS}"));
            }
            part
        });
        if members.contains_key("weight") == members.contains_key("part") {
            at.fault("this has a weight in percent, or a part of the sum of all parts");
            return None;
        }
        (weight.is_some() || part.is_some()).then_some((name, weight, part))
    })?;
    if items.iter().all(|(_, weight, _)| weight.is_some()) {
        let weights = items.into_iter().filter_map(|(name, weight, _)| Some((name, weight?))).collect();
        return whole(weights, at).map(Serve::Weights);
    }
    let parts: Vec<(String, u32)> = items.iter().filter_map(|(name, _, part)| Some((name.clone(), (*part)?))).collect();
    if parts.len() < items.len() {
        at.fault("either all have a weight, or all have a part");
        return None;
    }
    let sum = parts.iter().fold(0_u64, |sum, (_, part)| sum + u64::from(*part));
    if !(1..=u64::from(u32::MAX)).contains(&sum) {
        at.fault("parts are at least 1 together");
        return None;
    }
    Some(Serve::Parts(parts))
}

/// Ranges of percent that begin at 0, end at 100, and leave nothing out.
fn ranges(members: &Map<String, Value>, variants: &BTreeMap<String, Value>, at: &mut Finder) -> Option<Serve> {
    let mut found = Vec::new();
    for (name, value) in members {
        let ranges = at.member(name, |at| {
            check_name(name, at);
            is_variant(name, variants, at);
            list(value, at, 1, RANGES_MAX, |value, at| {
                let pair = list(value, at, 2, 2, share)?;
                let (from, to) = (*pair.first()?, *pair.get(1)?);
                if from >= to {
                    at.fault("a range goes from less to more");
                    return None;
                }
                Some((from, to))
            })
        });
        found.push((name.clone(), ranges?));
    }
    let mut all: Vec<(u32, u32)> = found.iter().flat_map(|(_, ranges)| ranges.iter().copied()).collect();
    all.sort_unstable();
    if all.len() > RANGES_MAX {
        at.fault(format!("at most {RANGES_MAX} ranges are taken, and here are {}", all.len()));
        return None;
    }
    let end = all.iter().try_fold(0, |end, (from, to)| (end == *from).then_some(*to));
    if end != Some(BUCKETS) {
        at.fault("ranges begin at 0, end at 100, do not overlap, and leave nothing out");
        return None;
    }
    Some(Serve::Ranges(found))
}
