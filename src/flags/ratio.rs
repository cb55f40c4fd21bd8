//! Sample ratio: whether units were split between variants as the rules of a flag say. If they were not, what an experiment says
//! about them means nothing: somebody is lost on the way, or counted twice.
//!
//! Pearson's chi-square test of goodness of fit, over units and not over evaluations. Each rule that splits is a test of its own;
//! statistics and degrees of freedom of independent tests add up.
//!
//! With 512 and 448 units where 50 : 50 was meant, chi-square is 4.27, p is 0.039, and that is no mismatch yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::exposure::Exposures;
use super::table::{FlagIndex, MILLIONTHS, RuleRow, Table};

/// It is a mismatch where chance would do that, or worse, in less than one of a thousand: the bound that is common for this test,
/// because it is asked again and again.
pub const P_MISMATCH: f64 = 0.001;
/// Fewest units that each variant of a rule should have for the test to say anything about that rule (Cochran, 1954).
pub const EXPECTED_MIN: f64 = 5.0;

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Units are split as they should be, as far as can be told.
    Match,
    /// They are not.
    Mismatch,
    /// Too few units were seen.
    NotEnough,
}

/// How units were split, and how they should have been.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleRatio {
    /// What the test says.
    pub verdict: Verdict,
    /// How likely chance is to do that, or worse. 1 where nothing was tested.
    pub p_value: f64,
    /// Pearson's statistic.
    pub chi_square: f64,
    /// Degrees of freedom.
    pub degrees: u32,
    /// Units of the sample that each variant has.
    pub observed: Vec<Portion>,
    /// Units of the sample that each variant should have.
    pub expected: Vec<Portion>,
}

/// Units of one variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Portion {
    /// The variant.
    pub variant: String,
    /// How many units.
    pub units: f64,
}

/// A flag whose users were not split as its rules say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mismatch {
    /// The key of the flag.
    pub flag: String,
    /// How likely chance is to do that, or worse, over all rules.
    pub p_value: f64,
    /// Those of its rules that were tested, the least likely first; at most [`RULES_TOLD_MAX`].
    pub rules: Vec<RuleRatio>,
}

/// How one rule split units, and how it should have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleRatio {
    /// The rule's `id`, or `#` and its place from 0.
    pub rule: String,
    /// How likely chance is to do that, or worse.
    pub p_value: f64,
    /// Units of the sample that each variant has.
    pub observed: BTreeMap<String, u32>,
    /// Units of the sample that each variant should have; without those that should have none.
    pub expected: BTreeMap<String, f64>,
}

/// Most rules of a flag that are told with a mismatch.
pub const RULES_TOLD_MAX: usize = 10;

/// What was seen of one rule that splits.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Units by variant.
    pub observed: Vec<u32>,
    /// Shares by variant, 1 together.
    pub shares: Vec<f64>,
}

/// Chi-square, its degrees of freedom, and the probability of that or more. Splits in which a variant should have fewer than
/// [`EXPECTED_MIN`] units are left out; none if none is left. A unit with a variant that has no share is impossible.
#[must_use]
pub fn chi_square(splits: &[Split]) -> Option<(f64, u32, f64)> {
    let (mut statistic, mut degrees) = (0.0, 0_u32);
    for Split { observed, shares } in splits {
        let units: f64 = observed.iter().map(|count| f64::from(*count)).sum();
        let there = || shares.iter().filter(|share| **share > 0.0);
        if there().any(|share| share * units < EXPECTED_MIN) || there().count() < 2 {
            continue;
        }
        for (count, share) in observed.iter().zip(shares) {
            let (count, expected) = (f64::from(*count), share * units);
            if expected > 0.0 {
                statistic += (count - expected).powi(2) / expected;
            } else if count > 0.0 {
                statistic = f64::INFINITY;
            }
        }
        degrees += there().count() as u32 - 1;
    }
    (degrees > 0).then(|| (statistic, degrees, survival(statistic, degrees)))
}

/// The probability that a chi-square variable of so many degrees of freedom is `statistic` or more: in closed form, as the
/// degrees are whole (Abramowitz and Stegun, 26.4.4 and 26.4.5). From 0 to 1.
#[must_use]
pub fn survival(statistic: f64, degrees: u32) -> f64 {
    if statistic <= 0.0 || statistic.is_nan() {
        return 1.0;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    let half = statistic / 2.0;
    let is_odd = degrees % 2 == 1;
    // Logarithms, because terms of many degrees leave the range of doubles: half^i / gamma(i + 1), i whole or with a half.
    let (mut i, start) = if is_odd { (0.5, libm::erfc(half.sqrt())) } else { (0.0, 0.0) };
    let mut term = -half + if is_odd { half.ln() / 2.0 - LN_GAMMA_THREE_HALVES } else { 0.0 };
    let mut sum = start;
    for _ in 0..degrees / 2 {
        sum += term.exp();
        i += 1.0;
        term += half.ln() - f64::ln(i);
    }
    sum.clamp(0.0, 1.0)
}

/// ln(sqrt(pi) / 2)
const LN_GAMMA_THREE_HALVES: f64 = -0.120_782_237_635_245_22;

impl Table {
    /// What each variant of a flag should have of the units that a rule serves, by place. None if that rule does not split.
    #[must_use]
    pub fn shares(&self, flag: FlagIndex, rule: u16) -> Option<Vec<f64>> {
        let row = self.row(flag)?;
        let rule: &RuleRow = row.rules.of(&self.rules).get(usize::from(rule))?;
        let bounds = rule.bounds.of(&self.bounds);
        let whole = if rule.modulus == MILLIONTHS { super::bucket::BUCKETS } else { rule.modulus };
        let mut shares = vec![0.0; row.variants.len as usize];
        let mut from = 0;
        for (to, variant) in bounds {
            if let Some(share) = shares.get_mut(usize::from(*variant)) {
                *share += f64::from(to - from) / f64::from(whole);
            }
            from = *to;
        }
        (!bounds.is_empty()).then_some(shares)
    }

    /// The sample ratio of a flag, from how many units each rule gave to each variant, by place. None if no rule splits.
    #[must_use]
    pub fn sample_ratio(&self, flag: FlagIndex, observed: &[(u16, Vec<u32>)]) -> Option<SampleRatio> {
        let rules = self.row(flag)?.rules.len;
        (0..u16::try_from(rules).ok()?).find_map(|rule| self.shares(flag, rule))?;
        let splits: Vec<Split> = observed
            .iter()
            .filter_map(|(rule, observed)| {
                Some(Split { observed: observed.clone(), shares: self.shares(flag, *rule)? })
            })
            .collect();
        let sum = |of: &dyn Fn(&Split, usize) -> f64| {
            let names = self.variants(flag).enumerate();
            let sums = names.map(|(place, variant)| {
                (variant, splits.iter().map(|split| of(split, place)).fold(0.0, |sum, of| sum + of))
            });
            sums.map(|(variant, units)| Portion { variant: variant.to_owned(), units }).collect::<Vec<Portion>>()
        };
        let seen = |split: &Split, place: usize| split.observed.get(place).copied().map_or(0.0, f64::from);
        let meant = |split: &Split, place: usize| {
            let units: f64 = split.observed.iter().map(|count| f64::from(*count)).sum();
            split.shares.get(place).map_or(0.0, |share| share * units)
        };
        let tested = chi_square(&splits);
        let (chi_square, degrees, p_value) = tested.unwrap_or((0.0, 0, 1.0));
        let verdict = match tested {
            None => Verdict::NotEnough,
            Some((_, _, p_value)) if p_value < P_MISMATCH => Verdict::Mismatch,
            Some(_) => Verdict::Match,
        };
        let (observed, expected) = (sum(&seen), sum(&meant));
        // JSON has no infinity.
        Some(SampleRatio { verdict, p_value, chi_square: chi_square.min(f64::MAX), degrees, observed, expected })
    }

    /// The mismatch of a flag, if there is one: by the same test as [`Self::sample_ratio`], and rule by rule.
    #[must_use]
    pub fn mismatch(&self, flag: FlagIndex, observed: &[(u16, Vec<u32>)]) -> Option<Mismatch> {
        let ratio = self.sample_ratio(flag, observed).filter(|ratio| ratio.verdict == Verdict::Mismatch)?;
        let mut rules: Vec<RuleRatio> =
            observed.iter().filter_map(|(rule, units)| self.rule_ratio(flag, *rule, units)).collect();
        rules.sort_by(|one, other| one.p_value.total_cmp(&other.p_value));
        rules.truncate(RULES_TOLD_MAX);
        Some(Mismatch { flag: self.key(flag).to_owned(), p_value: ratio.p_value, rules })
    }

    fn rule_ratio(&self, flag: FlagIndex, rule: u16, units: &[u32]) -> Option<RuleRatio> {
        let shares = self.shares(flag, rule)?;
        let split = Split { observed: units.to_vec(), shares };
        let (_, _, p_value) = chi_square(std::slice::from_ref(&split))?;
        let whole: f64 = units.iter().map(|count| f64::from(*count)).sum();
        let names = || self.variants(flag).map(str::to_owned);
        let name = self.rule_name(flag, rule).map_or_else(|| format!("#{rule}"), str::to_owned);
        let seen = |(_, count, share): &(String, u32, f64)| *share > 0.0 || *count > 0;
        let rows: Vec<(String, u32, f64)> = names()
            .zip(units)
            .zip(&split.shares)
            .map(|((name, count), share)| (name, *count, *share))
            .filter(seen)
            .collect();
        let expected = rows.iter().filter(|(_, _, share)| *share > 0.0);
        Some(RuleRatio {
            rule: name,
            p_value,
            expected: expected.map(|(name, _, share)| (name.clone(), to_tenth(share * whole))).collect(),
            observed: rows.iter().map(|(name, count, _)| (name.clone(), *count)).collect(),
        })
    }
}

fn to_tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

impl Exposures {
    /// How many units of the samples each rule of a flag gave to each variant, by place: what [`Table::sample_ratio`] is asked with.
    #[must_use]
    pub fn observed(&self, table: &Table, flag: FlagIndex) -> Vec<(u16, Vec<u32>)> {
        let variants = table.variants(flag).len();
        self.samples(table, flag).map(|(rule, sample)| (rule, sample.observed(variants))).collect()
    }

    /// The flags whose units were not split as their rules say, as far as the samples tell, by key; at most so many.
    #[must_use]
    pub fn mismatches(&self, table: &Table, most: usize) -> Vec<Mismatch> {
        let mismatch = |flag: FlagIndex| {
            let observed = self.observed(table, flag);
            if observed.is_empty() { None } else { table.mismatch(flag, &observed) }
        };
        table.all().filter_map(mismatch).take(most).collect()
    }
}

#[cfg(test)]
mod tests;
