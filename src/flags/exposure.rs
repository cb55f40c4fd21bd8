//! Exposures: how often each variant of each flag was served, and to how many of a sample of units.
//!
//! A counter for each variant goes up by one when an evaluation serves it. To say why, to compare two editions and to decide all
//! flags at once count nothing: nobody has been shown anything by that.
//!
//! For a rule that splits between variants, counts say nothing about units: one user may ask a thousand times. So a [`Sample`] of
//! distinct units is kept beside them, for the check of [`ratio`](super::ratio).

mod sample;

pub use sample::{SAMPLE_MAX, Sample};

use super::bucket::Prefix;
use super::context::{Context, Digits};
use super::decision::{Decision, Served};
use super::table::{FlagIndex, RANDOM_SLOT, RuleRow, Table};

/// Most rules of which samples are kept: those that serve first.
pub const SAMPLES_MAX: usize = 100;
/// The seed of the hash that says who is in a sample. Another than those that say who is in and which variant, so that a sample
/// is of no variant more than of another.
const SAMPLE_SEED: u32 = 0x5A3F_1E07;
const SAMPLE_HASH: Prefix = Prefix { state: SAMPLE_SEED, rest: 0, length: 0 };

/// A table has never so many variants that this is a place among them.
const SPLITS: u32 = 1 << 31;

/// How often variants of one table were served.
#[derive(Clone, Debug, Default)]
pub struct Exposures {
    /// By variant, as the table has them. They stay at their greatest when nobody takes them.
    counts: Vec<u32>,
    /// By flag: where its variants begin, and [`SPLITS`] if any of its rules splits between them.
    flags: Vec<u32>,
    /// By rule, as the table has them: the place of its sample from 1, or 0.
    by_rule: Vec<u8>,
    samples: Vec<Sample>,
    /// The attribute that who was counted last is told apart by, and its hash: rules that split ask for the same one.
    unit: Option<(u16, u32)>,
}

/// How often a variant was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The flag.
    pub flag: FlagIndex,
    /// The place of the variant.
    pub variant: u16,
    /// How often.
    pub count: u32,
}

impl Exposures {
    /// None so far.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        let flag = |flag: FlagIndex| {
            let row = table.row(flag)?;
            let splits = row.rules.of(&table.rules).iter().any(|rule| rule.bounds.len > 0);
            Some(row.variants.start | if splits { SPLITS } else { 0 })
        };
        let flags = table.all().map(|place| flag(place).unwrap_or_default()).collect();
        let (counts, by_rule) = (vec![0; table.variants.len()], vec![0; table.rules.len()]);
        Self { counts, flags, by_rule, samples: Vec::new(), unit: None }
    }

    /// None so far, and the samples of rules that split as before: counts are lost that were not taken.
    #[must_use]
    #[inline(never)]
    pub fn after(self, before: &Table, table: &Table) -> Self {
        let mut found = Self::new(table);
        let kept: Vec<(usize, usize)> = table.all().flat_map(|flag| same_rules(before, table, flag)).collect();
        for (old, new) in kept {
            let sample = self.by_rule.get(old).and_then(|place| self.samples.get(usize::from(*place).checked_sub(1)?));
            if let Some(sample) = sample {
                found.samples.push(sample.clone());
                if let Some(place) = found.by_rule.get_mut(new) {
                    *place = found.samples.len() as u8;
                }
            }
        }
        found
    }

    /// Counts a decision on a flag of that table, if it serves a variant to that somebody.
    pub fn count(&mut self, table: &Table, flag: FlagIndex, decision: &Decision, context: Context<'_>) {
        self.enter();
        if let Served::Variant(variant) = decision.served {
            self.count_variant(table, flag, (variant, decision.rule), context);
        }
    }

    /// Counts a variant that is served to who was entered last, and the rule that did. The same `context` until somebody else is.
    #[inline]
    pub fn count_variant(
        &mut self,
        table: &Table,
        flag: FlagIndex,
        (variant, rule): (u16, Option<u16>),
        context: Context<'_>,
    ) {
        let Some(start) = self.flags.get(flag.place() as usize).copied() else { return };
        if let Some(count) = self.counts.get_mut((start & !SPLITS) as usize + usize::from(variant)) {
            *count = count.saturating_add(1);
        }
        if start & SPLITS != 0
            && let Some(rule) = rule
        {
            self.split(table, flag, rule, variant, context);
        }
    }

    #[inline(never)]
    fn split(&mut self, table: &Table, flag: FlagIndex, rule: u16, variant: u16, context: Context<'_>) {
        let Some(row) = table.row(flag) else { return };
        let place = row.rules.start as usize + usize::from(rule);
        if let Some(rule) = table.rules.get(place).filter(|rule| rule.bounds.len > 0) {
            self.sample(table, place, rule, variant, context);
        }
    }

    fn sample(&mut self, table: &Table, place: usize, rule: &RuleRow, variant: u16, context: Context<'_>) {
        let Some(number) = self.by_rule.get_mut(place) else { return };
        if *number == 0 {
            if self.samples.len() == SAMPLES_MAX {
                return;
            }
            self.samples.push(Sample::default());
            *number = self.samples.len() as u8;
        }
        // Nobody is told apart by chance.
        let slots = rule.split_by.of(&table.shorts).iter().take_while(|slot| **slot != RANDOM_SLOT);
        let unit = &mut self.unit;
        let Some(hash) = slots.copied().find_map(|slot| hash_of(unit, slot, context)) else { return };
        if let Some(sample) = self.samples.get_mut(usize::from(*number) - 1) {
            sample.add(hash, variant);
        }
    }

    /// Says that whoever is counted next by [`count_variant`](Self::count_variant) is somebody else.
    #[inline]
    pub const fn enter(&mut self) {
        self.unit = None;
    }

    /// What was counted since it was taken before, by flag and variant; those that were not served are left out.
    #[must_use]
    pub fn take(&mut self, table: &Table) -> Vec<Exposure> {
        let mut found = Vec::new();
        for flag in table.all() {
            let Some(row) = table.row(flag) else { continue };
            let start = row.variants.start as usize;
            let counts = self.counts.get_mut(start..start + row.variants.len as usize).unwrap_or_default();
            for (variant, count) in (0_u16..).zip(counts) {
                if *count > 0 {
                    found.push(Exposure { flag, variant, count: std::mem::take(count) });
                }
            }
        }
        found
    }

    /// The samples of a flag, by the place of the rule that splits.
    pub fn samples(&self, table: &Table, flag: FlagIndex) -> impl Iterator<Item = (u16, &Sample)> {
        let rules = table.row(flag).map(|row| row.rules).unwrap_or_default();
        (0_u16..).zip(rules.start as usize..rules.end() as usize).filter_map(|(rule, place)| {
            let number = self.by_rule.get(place)?;
            Some((rule, self.samples.get(usize::from(*number).checked_sub(1)?)?))
        })
    }
}

/// The hash of the id in a slot, if there is one, from what is known of it.
#[inline]
fn hash_of(unit: &mut Option<(u16, u32)>, slot: u16, context: Context<'_>) -> Option<u32> {
    if let Some((known, hash)) = *unit
        && known == slot
    {
        return Some(hash);
    }
    let hash = SAMPLE_HASH.hash(context.at(slot).id(&mut Digits::default())?);
    *unit = Some((slot, hash));
    Some(hash)
}

/// Places of rules of a flag that split as they did in another table: the place there, and here.
fn same_rules(before: &Table, table: &Table, flag: FlagIndex) -> Vec<(usize, usize)> {
    let old = before.find(table.key(flag));
    let (Some(was), Some(is)) = (old.and_then(|old| before.row(old)), table.row(flag)) else { return Vec::new() };
    if !old.is_some_and(|old| before.variants(old).eq(table.variants(flag))) {
        return Vec::new();
    }
    let places =
        (was.rules.start as usize..was.rules.end() as usize).zip(is.rules.start as usize..is.rules.end() as usize);
    let is_same = |(old, new): &(usize, usize)| match (before.rules.get(*old), table.rules.get(*new)) {
        (Some(was), Some(is)) => {
            was.split == is.split
                && was.modulus == is.modulus
                && was.bounds.of(&before.bounds) == is.bounds.of(&table.bounds)
        }
        _ => false,
    };
    places.filter(is_same).collect()
}

#[cfg(test)]
mod tests;
