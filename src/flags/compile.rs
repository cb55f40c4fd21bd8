//! From a document to tables: names become positions, salts become hashes that go on, lists are sorted.

mod conditions;

use std::collections::BTreeMap;

use serde_json::Value;

use super::bucket::{ENROL_SEED, Prefix, VARIANT_SEED};
use super::fault::{Fault, Finder};
use super::fold;
use super::model::{Flag, FlagSet, Kill, RANDOM, Rule, Serve, TARGETING_KEY};
use super::table::{
    FlagRow, Kind, MILLIONTHS, NO_SHARE, NONE, NOW_SLOT, RANDOM_SLOT, Range, RequireRow, RuleRow, Table, VariantRow,
    flag_bits,
};

impl FlagSet {
    /// Makes the tables that evaluation reads.
    ///
    /// # Errors
    ///
    /// What is wrong between parts of a document that was not read but made; one that was read has been checked.
    pub fn compile(&self) -> Result<Table, Vec<Fault>> {
        let mut finder = Finder::default();
        self.check(&mut finder);
        if finder.faults.is_empty() { Ok(Builder::new(self).build()) } else { Err(finder.faults) }
    }
}

struct Builder<'s> {
    set: &'s FlagSet,
    table: Table,
    /// Where a text already lies.
    interned: BTreeMap<String, Range>,
    slots: BTreeMap<&'s str, u16>,
    segments: BTreeMap<&'s str, u32>,
    flags: BTreeMap<&'s str, u32>,
}

impl<'s> Builder<'s> {
    fn new(set: &'s FlagSet) -> Self {
        let others = set.attributes().into_iter().filter(|name| *name != TARGETING_KEY);
        Self {
            set,
            table: Table { revision: set.revision, is_all_killed: set.kill == Kill::All, ..Table::default() },
            interned: BTreeMap::new(),
            slots: std::iter::once(TARGETING_KEY).chain(others).zip(0..).collect(),
            segments: set.segments.keys().map(String::as_str).zip(0..).collect(),
            flags: set.flags.keys().map(String::as_str).zip(0..).collect(),
        }
    }

    fn build(mut self) -> Table {
        let mut by_slot: Vec<(u16, &str)> = self.slots.iter().map(|(name, slot)| (*slot, *name)).collect();
        by_slot.sort_unstable();
        for (_, name) in by_slot {
            let name = self.intern(name);
            self.table.attributes.push(name);
        }
        for (name, conditions) in &self.set.segments {
            let name = self.intern(name);
            let nodes = self.nodes(conditions);
            self.table.segments.push((nodes, name));
        }
        for (name, flag) in &self.set.flags {
            let row = self.flag(name, flag);
            self.table.flags.push(row);
        }
        self.table
    }

    fn flag(&mut self, name: &'s str, flag: &'s Flag) -> FlagRow {
        let places: BTreeMap<&str, u16> = flag.variants.keys().map(String::as_str).zip(0..).collect();
        let place = |name: &str| places.get(name).copied().unwrap_or(NONE);
        let start = self.table.variants.len();
        for (name, value) in &flag.variants {
            let row = self.variant(name, value);
            self.table.variants.push(row);
        }
        let variants = since(start, self.table.variants.len());
        let start = self.table.requires.len();
        for requirement in &flag.requires {
            let other = self.flags.get(requirement.flag.as_str()).copied().unwrap_or(u32::MAX);
            let names = self.set.flags.get(&requirement.flag).map(|flag| flag.variants.keys());
            let names = names.into_iter().flatten().zip(0..);
            let found = names.filter(|(name, _)| requirement.is.contains(*name)).map(|(_, place)| place).collect();
            let variants = self.shorts(found);
            self.table.requires.push(RequireRow { flag: other, not: requirement.not, variants });
        }
        let requires = since(start, self.table.requires.len());
        let salt = flag.salt.as_deref().unwrap_or(name);
        let by = self.by(&flag.by);
        // Rows of one flag's rules stay beside each other: what belongs to them lies in other tables.
        let rules: Vec<RuleRow> = flag.rules.iter().map(|rule| self.rule(rule, salt, by, &place)).collect();
        let start = self.table.rules.len();
        let rollout_rule = flag.rules.iter().rposition(|rule| rule.rollout.is_some());
        self.table.rules.extend(rules);
        let is_killed = self.set.kill.has(name);
        let bits = [
            (flag.is_enabled, flag_bits::ENABLED),
            (is_killed, flag_bits::KILLED),
            (flag.is_strict, flag_bits::STRICT),
            (flag.age.is_some_and(|age| age.is_off_beyond), flag_bits::OFF_WHEN_STALE),
            (flag.is_off_left_to_code, flag_bits::LEFT_TO_CODE),
            (flag.is_boolean(), flag_bits::BOOLEAN),
        ];
        FlagRow {
            name: self.intern(name),
            bits: bits.iter().filter(|(is_set, _)| *is_set).fold(0, |bits, (_, bit)| bits | bit),
            default: place(&flag.default),
            on: flag.variant_of(true).map_or(NONE, place),
            off: flag.variant_of(false).map_or(NONE, place),
            rollout_rule: rollout_rule.and_then(|rule| u16::try_from(rule).ok()).unwrap_or(NONE),
            age_max_ms: flag.age.map_or(0, |age| age.max_ms),
            variants,
            requires,
            rules: since(start, self.table.rules.len()),
            by,
            enrol: Prefix::new(salt, ENROL_SEED),
        }
    }

    fn variant(&mut self, name: &str, value: &Value) -> VariantRow {
        let kind = Kind::of(value);
        let number = match value {
            Value::Bool(value) => f64::from(u8::from(*value)),
            _ => value.as_f64().unwrap_or_default(),
        };
        let text = match value {
            Value::String(text) => self.intern(text),
            Value::Bool(_) | Value::Number(_) => Range::default(),
            _ => self.intern(&value.to_string()),
        };
        VariantRow { name: self.intern(name), kind, number, text }
    }

    fn rule(&mut self, rule: &'s Rule, salt: &str, by: Range, place: &dyn Fn(&str) -> u16) -> RuleRow {
        let salt = rule.salt.as_deref().unwrap_or(salt);
        let by = rule.by.as_ref().map_or(by, |by| self.by(by));
        let bounds: Vec<(u32, u16)> = rule.serve.bounds().into_iter().map(|(to, name)| (to, place(name))).collect();
        // One variant for everybody needs no hash.
        let (serve, bounds) = match bounds.as_slice() {
            [] => (rule.serve.variants().next().map_or(NONE, place), Range::default()),
            [(_, only)] => (*only, Range::default()),
            bounds => {
                let start = self.table.bounds.len();
                self.table.bounds.extend_from_slice(bounds);
                (NONE, since(start, self.table.bounds.len()))
            }
        };
        RuleRow {
            name: rule.id.as_ref().map(|id| self.intern(id)).unwrap_or_default(),
            nodes: self.nodes(&rule.conditions),
            share: rule.rollout.map_or(NO_SHARE, |share| share.millionths()),
            by,
            enrol: Prefix::new(salt, ENROL_SEED),
            serve,
            bounds,
            modulus: if matches!(rule.serve, Serve::Parts(_)) { rule.serve.modulus() } else { MILLIONTHS },
            split_by: rule.split.by.as_ref().map_or(by, |by| self.by(by)),
            split: Prefix::new(rule.split.salt.as_deref().unwrap_or(salt), VARIANT_SEED),
        }
    }

    fn by(&mut self, names: &[String]) -> Range {
        let slot = |name: &String| match name.as_str() {
            RANDOM => RANDOM_SLOT,
            name => self.slots.get(name).copied().unwrap_or(NOW_SLOT),
        };
        let slots = names.iter().map(slot).collect();
        self.shorts(slots)
    }

    /// Puts short numbers beside each other; those that are there already are used again.
    fn shorts(&mut self, found: Vec<u16>) -> Range {
        let shorts = &mut self.table.shorts;
        let start = shorts.windows(found.len().max(1)).rposition(|window| window == found).unwrap_or(shorts.len());
        if start == shorts.len() {
            shorts.extend_from_slice(&found);
        }
        Range { start: start as u32, len: found.len() as u32 }
    }

    fn intern(&mut self, text: &str) -> Range {
        if let Some(range) = self.interned.get(text) {
            return *range;
        }
        let range = Range { start: self.table.text.len() as u32, len: text.len() as u32 };
        self.table.text.push_str(text);
        self.interned.insert(text.to_owned(), range);
        range
    }

    /// Interns texts, in small letters if case does not count.
    fn folded(&mut self, text: &str, ci: bool) -> Range {
        if ci { self.intern(&fold::lower(text)) } else { self.intern(text) }
    }
}

const fn since(start: usize, end: usize) -> Range {
    Range { start: start as u32, len: (end - start) as u32 }
}
