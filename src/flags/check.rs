//! What only several parts of a document together can get wrong: names of what is not there, flags that require each other in
//! a circle, one variable for two flags, and more work than one evaluation may be.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Finder;
use super::model::{
    ATTRIBUTES_MAX, Condition, ConditionKind, Flag, FlagSet, Kill, NOW, PATTERNS_MAX, RANDOM, REQUIRES_DEPTH_MAX,
    TARGETING_KEY, Test, WORK_MAX,
};
use super::variables;

/// What a regular expression counts for.
pub(super) const REGEX_WORK: u32 = 1_000;

/// What one evaluation of a flag takes, those before it included.
#[derive(Clone, Copy, Default)]
struct Cost {
    depth: usize,
    work: u32,
}

impl FlagSet {
    /// Finds what is wrong between parts.
    pub(super) fn check(&self, at: &mut Finder) {
        self.check_names(at);
        let mut costs: BTreeMap<&str, Option<Cost>> = BTreeMap::new();
        at.member("flags", |at| {
            for name in self.flags.keys() {
                self.cost(name, 1, &mut costs, at);
            }
        });
        if let Kill::These(flags) = &self.kill {
            for name in flags.iter().filter(|name| !self.flags.contains_key(*name)) {
                let problem = at.unknown("flag here", name, &mut self.flags.keys().map(String::as_str));
                at.member("kill", |at| at.warn(problem));
            }
        }
        let patterns = self.tests().filter(|test| matches!(test, Test::Regex(_))).count();
        if patterns > PATTERNS_MAX {
            at.fault(format!("at most {PATTERNS_MAX} regular expressions are taken, and here are {patterns}"));
        }
        let attributes = self.attributes();
        if attributes.len() > ATTRIBUTES_MAX {
            at.fault(format!(
                "flags ask for at most {ATTRIBUTES_MAX} different attributes, and these for {}",
                attributes.len()
            ));
        }
        let mut by_variable: BTreeMap<String, &str> = BTreeMap::new();
        for name in self.flags.keys() {
            let variable = variables::suffix(name);
            if let Some(other) = by_variable.insert(variable.clone(), name) {
                at.fault(format!(
                    "the flags {other:?} and {name:?} have one variable, FEATURE_{variable}: rename one, and write its old name as its salt"
                ));
            }
        }
    }

    /// All attributes that are asked for, and [`TARGETING_KEY`].
    pub(super) fn attributes(&self) -> BTreeSet<&str> {
        fn add<'s>(conditions: &'s [Condition], found: &mut BTreeSet<&'s str>) {
            for condition in conditions {
                match &condition.kind {
                    ConditionKind::Segment(_) => {}
                    ConditionKind::All(within) | ConditionKind::Any(within) => add(within, found),
                    ConditionKind::Attribute { name, .. } => _ = found.insert(name),
                }
            }
        }
        let mut found = BTreeSet::from([TARGETING_KEY]);
        self.segments.values().for_each(|conditions| add(conditions, &mut found));
        for flag in self.flags.values() {
            found.extend(flag.by.iter().map(String::as_str));
            for rule in &flag.rules {
                add(&rule.conditions, &mut found);
                found.extend(rule.by.iter().chain(&rule.split.by).flatten().map(String::as_str));
            }
        }
        found.remove(NOW);
        found.remove(RANDOM);
        found
    }

    /// All tests of attributes.
    fn tests(&self) -> impl Iterator<Item = &Test> {
        let rules = self.flags.values().flat_map(|flag| &flag.rules).map(|rule| &rule.conditions);
        self.segments.values().chain(rules).flat_map(|conditions| {
            let mut found = Vec::new();
            let mut left: Vec<&Condition> = conditions.iter().collect();
            while let Some(condition) = left.pop() {
                match &condition.kind {
                    ConditionKind::Segment(_) => {}
                    ConditionKind::All(within) | ConditionKind::Any(within) => left.extend(within),
                    ConditionKind::Attribute { test, .. } => found.push(test),
                }
            }
            found
        })
    }

    fn check_names(&self, at: &mut Finder) {
        at.member("segments", |at| {
            for (name, conditions) in &self.segments {
                at.member(name, |at| self.check_segments(conditions, true, at));
            }
        });
        at.member("flags", |at| {
            for (name, flag) in &self.flags {
                at.member(name, |at| {
                    at.member("requires", |at| self.check_requires(flag, at));
                    at.member("rules", |at| {
                        for (index, rule) in flag.rules.iter().enumerate() {
                            at.item(index, |at| at.member("if", |at| self.check_segments(&rule.conditions, false, at)));
                        }
                    });
                });
            }
        });
    }

    fn check_segments(&self, conditions: &[Condition], is_segment: bool, at: &mut Finder) {
        for (index, condition) in conditions.iter().enumerate() {
            at.item(index, |at| match &condition.kind {
                ConditionKind::Segment(_) if is_segment => at.fault("a segment names no other segment"),
                ConditionKind::Segment(name) if !self.segments.contains_key(name) => {
                    at.fault(at.unknown("segment", name, &mut self.segments.keys().map(String::as_str)));
                }
                ConditionKind::All(within) | ConditionKind::Any(within) => self.check_segments(within, is_segment, at),
                ConditionKind::Segment(_) | ConditionKind::Attribute { .. } => {}
            });
        }
    }

    fn check_requires(&self, flag: &Flag, at: &mut Finder) {
        for (index, requirement) in flag.requires.iter().enumerate() {
            at.item(index, |at| match self.flags.get(&requirement.flag) {
                None => at.fault(at.unknown("flag", &requirement.flag, &mut self.flags.keys().map(String::as_str))),
                Some(other) => {
                    for name in requirement.is.iter().filter(|name| !other.variants.contains_key(*name)) {
                        at.fault(at.unknown(
                            "variant of that flag",
                            name,
                            &mut other.variants.keys().map(String::as_str),
                        ));
                    }
                }
            });
        }
    }

    /// Goes through what a flag requires; faults are told of the flag where a chain is closed or becomes too long.
    fn cost<'s>(
        &'s self,
        name: &'s str,
        depth: usize,
        costs: &mut BTreeMap<&'s str, Option<Cost>>,
        at: &mut Finder,
    ) -> Cost {
        match costs.get(name) {
            Some(Some(cost)) => return *cost,
            // It is being reckoned further up, or was and is at fault.
            Some(None) => {
                at.member(name, |at| at.fault("the flags that this one requires end up requiring it"));
                return Cost::default();
            }
            None => {}
        }
        let Some(flag) = self.flags.get(name) else { return Cost::default() };
        if depth > REQUIRES_DEPTH_MAX {
            at.member(name, |at| {
                at.fault(format!("flags require each other in a chain of more than {REQUIRES_DEPTH_MAX}"))
            });
            return Cost::default();
        }
        costs.insert(name, None);
        let mut cost = Cost { depth: 1, work: 1 };
        for requirement in &flag.requires {
            let other = self.cost(&requirement.flag, depth + 1, costs, at);
            cost.depth = cost.depth.max(other.depth + 1);
            cost.work = cost.work.saturating_add(other.work);
        }
        for rule in &flag.rules {
            cost.work = cost.work.saturating_add(1).saturating_add(self.work(&rule.conditions));
        }
        if cost.depth > REQUIRES_DEPTH_MAX {
            at.member(name, |at| {
                at.fault(format!("flags require each other in a chain of more than {REQUIRES_DEPTH_MAX}"))
            });
        }
        if cost.work > WORK_MAX {
            at.member(name, |at| {
                at.fault(format!(
                    "one evaluation would look at {} conditions and values, those of segments and required flags included, and may at {WORK_MAX}",
                    cost.work
                ));
            });
        }
        costs.insert(name, Some(cost));
        cost
    }

    fn work(&self, conditions: &[Condition]) -> u32 {
        let one = |condition: &Condition| match &condition.kind {
            ConditionKind::Segment(name) => self.segments.get(name).map_or(0, |conditions| self.work(conditions)),
            ConditionKind::All(within) | ConditionKind::Any(within) => self.work(within),
            ConditionKind::Attribute { test, .. } => match test {
                Test::StartsWith(texts) | Test::EndsWith(texts) | Test::Contains(texts) | Test::Cidr(texts) => {
                    u32::try_from(texts.len()).unwrap_or(u32::MAX)
                }
                Test::Semver(text) => u32::try_from(text.len()).unwrap_or(u32::MAX),
                Test::Regex(_) => REGEX_WORK,
                _ => 0,
            },
        };
        conditions.iter().fold(0, |sum, condition| sum.saturating_add(1).saturating_add(one(condition)))
    }
}
