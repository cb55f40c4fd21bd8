//! How each flag is decided, found when it is first asked: most are one decision for everybody, or a few short rules for one id.
//! Only the others are asked by all that they say.
//!
//! A plan says what [`evaluate`](super::evaluate) would say, or nothing; never anything else.

mod checks;

use std::cell::OnceCell;

use super::bucket::{BUCKETS, Prefix, is_enrolled, variant_bucket};
use super::context::{Context, Val};
use super::decision::{Decision, Reason};
use super::evaluate::Question;
use super::overrides::Force;
use super::packed;
use super::table::{FlagIndex, NO_SHARE, NONE, RANDOM_SLOT, Range, RuleRow, Table, flag_bits};
use checks::Checks;

/// So many bounds are looked at one after the other.
const FEW: usize = 8;

/// How the flags of one table are decided, as long as neither they nor what is said beside them changes. Each is found when its
/// flag is first asked: an isolate that has just begun asks for few.
#[derive(Clone, Debug, Default)]
pub(super) struct Plans(Vec<OnceCell<Plan>>);

#[derive(Clone, Debug)]
enum Plan {
    /// For everybody.
    Same(Same),
    /// By one hash: its only rule serves a share of those with an id, whoever they are.
    Share { rule: Box<Rule>, default: u16 },
    /// By the first rule that serves.
    Rules { rules: Vec<Rule>, default: u16 },
    /// By all that the flag says.
    Full,
}

/// What everybody gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Same {
    pub(super) decision: Decision,
    /// The same, as it crosses into another language.
    pub(super) number: u32,
}

/// What a plan comes to.
pub(super) enum Planned<'p> {
    Same(&'p Same),
    /// A variant, why, the rule that serves it, and the hash that decided whether somebody is in.
    Variant(u16, Reason, Option<u16>, Option<u32>),
}

/// A rule for one id that is text.
#[derive(Clone, Debug)]
struct Rule {
    checks: Checks,
    /// In millionths; [`NO_SHARE`] for everybody.
    share: u32,
    /// Its whole percents, and the millionths beyond them.
    percent: u32,
    rest: u32,
    slot: u16,
    enrol: Prefix,
    /// The one variant, where there are no bounds.
    serve: u16,
    bounds: Range,
    modulus: u32,
    split_slot: u16,
    split: Prefix,
}

impl Plans {
    /// None is found yet.
    pub(super) fn of(table: &Table) -> Self {
        Self(vec![OnceCell::new(); table.flags.len()])
    }

    /// What a flag comes to; nothing if it has to be asked in full.
    #[inline(always)]
    pub(super) fn decide(&self, flag: FlagIndex, question: &Question<'_>) -> Option<Planned<'_>> {
        let context = question.context;
        match self.0.get(flag.place() as usize)?.get_or_init(|| Plan::of(question, flag)) {
            Plan::Same(same) => Some(Planned::Same(same)),
            Plan::Share { rule, default } => {
                let hash = rule.enrol.hash(id(context, rule.slot)?);
                // Chosen, not branched on: whom a hash takes in is what no processor foresees.
                let (served, reason, place, hash) = match is_enrolled(hash, rule.percent, rule.rest) {
                    true => (rule.serve, Reason::Split, Some(0), Some(hash)),
                    false => (*default, Reason::Default, None, None),
                };
                Some(Planned::Variant(served, reason, place, hash))
            }
            Plan::Rules { rules, default } => {
                for (place, rule) in (0_u16..).zip(rules) {
                    if let Some((served, reason, hash)) = rule.served(question)? {
                        return Some(Planned::Variant(served, reason, Some(place), hash));
                    }
                }
                Some(Planned::Variant(*default, Reason::Default, None, None))
            }
            Plan::Full => None,
        }
    }
}

impl Plan {
    /// The plan of a flag, whoever asks.
    #[cold]
    #[inline(never)]
    fn of(question: &Question<'_>, flag: FlagIndex) -> Self {
        let same = |decision| Self::Same(Same { decision, number: packed::number(&decision) });
        Self::by_rules(question, flag).or_else(|| question.constant(flag).map(same)).unwrap_or(Self::Full)
    }

    /// The plan of a flag that is on, asks neither for the time nor for another flag, and whose first rule is not for everybody.
    fn by_rules(question: &Question<'_>, flag: FlagIndex) -> Option<Self> {
        let table = question.table;
        let row = table.row(flag)?;
        let over = question.overrides.of(flag);
        let is_on = row.bits & flag_bits::ENABLED != 0 && row.bits & flag_bits::KILLED == 0 && !table.is_all_killed;
        let is_said = over.is_killed || over.force != Force::No || over.share.is_some();
        let rows = row.rules.of(&table.rules);
        let differs = |first: &RuleRow| first.nodes.len > 0 || first.bounds.len > 0 || first.share < BUCKETS;
        if !is_on || is_said || row.requires.len > 0 || row.age_max_ms > 0 || !rows.first().is_some_and(differs) {
            return None;
        }
        let mut rules = Vec::with_capacity(rows.len());
        for row in rows {
            rules.push(Rule::of(table, row)?);
        }
        let default = row.default;
        let is_share = |rule: &Rule| rule.checks.is_empty() && rule.bounds.len == 0 && rule.slot != NONE;
        Some(match rules.pop_if(|rule| rows.len() == 1 && is_share(rule)) {
            Some(rule) => Self::Share { rule: Box::new(rule), default },
            None => Self::Rules { rules, default },
        })
    }
}

impl Rule {
    fn of(table: &Table, row: &RuleRow) -> Option<Self> {
        let slot = |by: Range| match by.of(&table.shorts) {
            [slot] if *slot != RANDOM_SLOT => Some(*slot),
            _ => None,
        };
        let share = if row.share >= BUCKETS { NO_SHARE } else { row.share };
        Some(Self {
            checks: Checks::of(table, row.nodes),
            share,
            percent: share / 10_000,
            rest: share % 10_000,
            slot: if share == NO_SHARE || share == 0 { NONE } else { slot(row.by)? },
            enrol: row.enrol,
            serve: row.serve,
            bounds: row.bounds,
            modulus: row.modulus,
            split_slot: if row.bounds.len == 0 { NONE } else { slot(row.split_by)? },
            split: row.split,
        })
    }

    /// The variant that a rule serves, why, and the hash that decided whether somebody is in; `Some(None)` if it serves nobody
    /// like this.
    #[inline]
    fn served(&self, question: &Question<'_>) -> Option<Option<(u16, Reason, Option<u32>)>> {
        let context = question.context;
        if !self.checks.hold(question)? {
            return Some(None);
        }
        let mut enrolled = None;
        if self.share != NO_SHARE {
            if self.share == 0 {
                return Some(None);
            }
            let hash = self.enrol.hash(id(context, self.slot)?);
            if !is_enrolled(hash, self.percent, self.rest) {
                return Some(None);
            }
            enrolled = Some(hash);
        }
        if self.bounds.len > 0 {
            let hash = self.split.hash(id(context, self.split_slot)?);
            let split = hash.checked_rem(self.modulus).unwrap_or_else(|| variant_bucket(hash));
            let bounds = self.bounds.of(&question.table.bounds);
            let place = match bounds.len() {
                // Counted, not searched: the same again.
                0..=FEW => bounds.iter().map(|(to, _)| usize::from(*to <= split)).sum(),
                _ => bounds.partition_point(|(to, _)| *to <= split),
            };
            let variant = bounds.get(place).map_or(NONE, |(_, variant)| *variant);
            return Some(Some((variant, Reason::Split, enrolled)));
        }
        let reason = match (enrolled, self.checks.is_empty()) {
            (Some(_), _) => Reason::Split,
            (None, false) => Reason::TargetingMatch,
            (None, true) => Reason::Static,
        };
        Some(Some((self.serve, reason, enrolled)))
    }
}

#[inline]
fn id(context: Context<'_>, slot: u16) -> Option<&str> {
    match context.at(slot) {
        Val::Text(id) if !id.is_empty() => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
