//! What a flag is for somebody: the order in which things are asked. No heap is touched, but for the plan of a flag that is asked
//! for the first time; nothing can fail.
//!
//! 1. It is off: by the list of kills, by `enabled`, by `FEATURE_…=false`. Off beats on, and a boolean flag is then `false`.
//! 2. `FEATURE_…` says what it is.
//! 3. What it requires is not met: the default.
//! 4. The first rule whose conditions hold and whose share somebody is in.
//! 5. The default.
//!
//! Whatever comes of it is stale when the definitions are older than `maxAge`. With definitions that nobody has loaded, or a key
//! that is not there, a host answers [`Decision::NOT_READY`] or [`Decision::NOT_FOUND`].

mod conditions;

use super::bucket::{BUCKETS, enrol_bucket, variant_bucket};
use super::context::{Context, Digits, Val};
use super::decision::{Decision, ErrorCode, Reason, Served, Source};
use super::model::REQUIRES_DEPTH_MAX;
use super::overrides::{Force, Overrides};
use super::packed;
use super::plan::{Planned, Plans};
use super::table::{FlagIndex, FlagRow, Found, Kind, NO_SHARE, NONE, RANDOM_SLOT, Range, RuleRow, Table, flag_bits};
use crate::clock::{Instant, Millis};

pub(super) use conditions::holds;

/// When somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// Now, by the host's clock.
    pub now: Instant,
    /// When the definitions were last known to be current.
    pub confirmed_at: Instant,
    /// Chance, for flags that want it: one number for each evaluation.
    pub random: u64,
}

impl Moment {
    const fn age_ms(&self) -> Millis {
        self.now.since(self.confirmed_at)
    }
}

/// Who wants to see how a decision comes about. Does nothing for those who do not.
pub(super) trait Watch {
    /// A condition of a rule, and what it came to; none if it could not be decided. Those within others come before them.
    fn condition(&mut self, _node: u32, _holds: Option<bool>) {}
    /// A rule has been looked at.
    fn rule(&mut self, _flag: FlagIndex, _rule: u16, _end: RuleEnd) {}
    /// A flag that is required has been decided.
    fn requirement(&mut self, _flag: FlagIndex, _other: FlagIndex, _decision: &Decision, _is_met: bool) {}
}

impl Watch for () {}

/// How a rule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleEnd {
    /// Its conditions do not hold.
    Conditions,
    /// There is no id to hash.
    NoId,
    /// The share is nobody.
    Nobody,
    /// Somebody is not among the share: the bucket, and below what it would have had to be.
    Outside { bucket: u32, below: u32 },
    /// It serves: the bucket and its bound, if somebody was hashed; the bucket among variants, if there are several.
    Serves { enrolled: Option<(u32, u32)>, split: Option<u32> },
}

/// All that one evaluation reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    pub(super) table: &'q Table,
    pub(super) overrides: &'q Overrides,
    pub(super) context: Context<'q>,
    pub(super) moment: Moment,
}

impl Question<'_> {
    /// Decides by all that a flag says.
    #[inline(never)]
    fn in_full(&self, flag: FlagIndex) -> Decision {
        self.decide(flag, 1, &mut ())
    }

    /// Decides, staleness included.
    #[inline]
    pub(super) fn decide(&self, flag: FlagIndex, depth: usize, watch: &mut impl Watch) -> Decision {
        let Some(row) = self.table.row(flag) else { return Decision::NOT_FOUND };
        let mut decision = self.fresh(flag, row, depth, watch);
        if row.age_max_ms != 0 && self.moment.age_ms() > row.age_max_ms && decision.reason != Reason::Error {
            if row.bits & flag_bits::OFF_WHEN_STALE != 0 {
                decision = off(row, None);
            }
            decision.reason = Reason::Stale;
        }
        decision
    }

    #[inline]
    fn fresh(&self, flag: FlagIndex, row: &FlagRow, depth: usize, watch: &mut impl Watch) -> Decision {
        let over = self.overrides.of(flag);
        if self.table.is_all_killed || row.bits & flag_bits::KILLED != 0 || over.is_killed {
            return off(row, Some(Source::Kill));
        }
        if row.bits & flag_bits::ENABLED == 0 {
            return off(row, Some(Source::Flag));
        }
        let served = match over.force {
            Force::No => None,
            Force::Off => return off(row, Some(Source::Env)),
            Force::Variant(variant) => Some(Served::Variant(variant)),
            Force::Value(value) => Some(Served::Forced(value)),
        };
        if let Some(served) = served {
            return Decision { by: Some(Source::Env), ..Decision::new(served, Reason::Static) };
        }
        if row.requires.len > 0
            && let Some(other) = self.unmet(flag, row, depth, watch)
        {
            return Decision { prerequisite: Some(other), ..default_of(row, Reason::Default) };
        }
        self.rules(flag, row, over.share, watch)
    }

    /// The first flag that is required and is not as it must be.
    #[inline(never)]
    fn unmet(&self, flag: FlagIndex, row: &FlagRow, depth: usize, watch: &mut impl Watch) -> Option<FlagIndex> {
        for requirement in row.requires.of(&self.table.requires) {
            let other = FlagIndex(requirement.flag);
            // A table that was read has no such chain; one that was made by somebody else may.
            let decision =
                if depth < REQUIRES_DEPTH_MAX { self.decide(other, depth + 1, watch) } else { Decision::NOT_FOUND };
            let is_listed = match decision.served {
                Served::Variant(variant) => requirement.variants.of(&self.table.shorts).contains(&variant),
                Served::Forced(_) | Served::False | Served::Nothing => false,
            };
            let is_met = is_listed != requirement.not && decision.reason != Reason::Error;
            watch.requirement(flag, other, &decision, is_met);
            if !is_met {
                return Some(other);
            }
        }
        None
    }

    #[inline]
    fn rules(&self, flag: FlagIndex, row: &FlagRow, share: Option<u32>, watch: &mut impl Watch) -> Decision {
        let rules = row.rules.of(&self.table.rules);
        for (place, rule) in (0_u16..).zip(rules) {
            let share = share.filter(|_| place == row.rollout_rule).unwrap_or(rule.share);
            let (end, served) = self.rule(rule, share, watch);
            watch.rule(flag, place, end);
            match end {
                RuleEnd::Serves { enrolled, split } => {
                    let reason = match (enrolled, split) {
                        (None, None) if rule.nodes.len == 0 => Reason::Static,
                        (None, None) => Reason::TargetingMatch,
                        _ => Reason::Split,
                    };
                    let bucket = enrolled.map(|(bucket, _)| bucket);
                    return Decision { rule: Some(place), bucket, ..Decision::new(served, reason) };
                }
                RuleEnd::NoId if row.bits & flag_bits::STRICT != 0 => {
                    return Decision::error(ErrorCode::TargetingKeyMissing);
                }
                RuleEnd::NoId | RuleEnd::Nobody | RuleEnd::Conditions | RuleEnd::Outside { .. } => {}
            }
        }
        // A variable that names a share makes a rule where there is none for it.
        if let Some(share) = share.filter(|_| row.rollout_rule == NONE && row.on != NONE)
            && let Some(decision) = self.added(row, share)
        {
            return decision;
        }
        default_of(row, if rules.is_empty() && share.is_none() { Reason::Static } else { Reason::Default })
    }

    /// What the rule that a variable makes comes to; none if it does not serve.
    #[inline(never)]
    fn added(&self, row: &FlagRow, share: u32) -> Option<Decision> {
        match self.enrolled(share, row.by, |id| row.enrol.hash(id)) {
            RuleEnd::Serves { enrolled, .. } => {
                let reason = if enrolled.is_some() { Reason::Split } else { Reason::Static };
                let bucket = enrolled.map(|(bucket, _)| bucket);
                Some(Decision { by: Some(Source::Env), bucket, ..Decision::new(Served::Variant(row.on), reason) })
            }
            RuleEnd::NoId if row.bits & flag_bits::STRICT != 0 => Some(Decision::error(ErrorCode::TargetingKeyMissing)),
            RuleEnd::NoId | RuleEnd::Nobody | RuleEnd::Conditions | RuleEnd::Outside { .. } => None,
        }
    }

    #[inline]
    fn rule(&self, rule: &RuleRow, share: u32, watch: &mut impl Watch) -> (RuleEnd, Served) {
        if holds(self, rule.nodes, watch) != Some(true) {
            return (RuleEnd::Conditions, Served::Nothing);
        }
        let end = self.enrolled(share, rule.by, |id| rule.enrol.hash(id));
        let RuleEnd::Serves { enrolled, .. } = end else { return (end, Served::Nothing) };
        let bounds = rule.bounds.of(&self.table.bounds);
        if bounds.is_empty() {
            return (end, Served::Variant(rule.serve));
        }
        let Some(hash) = self.hashed(rule.split_by, |id| rule.split.hash(id)) else {
            return (RuleEnd::NoId, Served::Nothing);
        };
        let bucket = hash.checked_rem(rule.modulus).unwrap_or_else(|| variant_bucket(hash));
        let found = bounds.get(bounds.partition_point(|(to, _)| *to <= bucket)).map_or(NONE, |(_, variant)| *variant);
        (RuleEnd::Serves { enrolled, split: Some(bucket) }, Served::Variant(found))
    }

    /// Whether somebody is among a share. All are in 100 %, nobody is in 0 %, and neither needs an id.
    #[inline]
    fn enrolled(&self, share: u32, by: Range, hash: impl Fn(&str) -> u32) -> RuleEnd {
        if share == NO_SHARE || share >= BUCKETS {
            return RuleEnd::Serves { enrolled: None, split: None };
        }
        if share == 0 {
            return RuleEnd::Nobody;
        }
        let Some(hash) = self.hashed(by, hash) else { return RuleEnd::NoId };
        let bucket = enrol_bucket(hash);
        if bucket < share {
            RuleEnd::Serves { enrolled: Some((bucket, share)), split: None }
        } else {
            RuleEnd::Outside { bucket, below: share }
        }
    }

    /// The hash of the first id that is there.
    #[inline]
    fn hashed(&self, by: Range, hash: impl Fn(&str) -> u32) -> Option<u32> {
        by.of(&self.table.shorts).iter().find_map(|slot| match self.context.at(*slot) {
            Val::Text(text) if !text.is_empty() => Some(hash(text)),
            val => {
                let mut digits = Digits::default();
                let id =
                    if *slot == RANDOM_SLOT { digits.whole(self.moment.random, false) } else { val.id(&mut digits) };
                id.map(&hash)
            }
        })
    }
}

const fn default_of(row: &FlagRow, reason: Reason) -> Decision {
    Decision::new(Served::Variant(row.default), reason)
}

/// A flag that is off: a boolean one is `false`, whatever the caller's code says, unless the flag leaves it to that.
const fn off(row: &FlagRow, by: Option<Source>) -> Decision {
    let served = if row.bits & flag_bits::BOOLEAN == 0 || row.bits & flag_bits::LEFT_TO_CODE != 0 {
        Served::Nothing
    } else if row.off == NONE {
        Served::False
    } else {
        Served::Variant(row.off)
    };
    Decision { by, ..Decision::new(served, Reason::Disabled) }
}

/// Flags of one edition and what the environment says about them.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    table: Table,
    overrides: Overrides,
    plans: Plans,
}

impl Flags {
    /// Joins both. What is overridden belongs to the flags of this table.
    #[must_use]
    pub fn new(table: Table, overrides: Overrides) -> Self {
        let plans = Plans::of(&table);
        Self { table, overrides, plans }
    }

    /// The flags.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// What the environment says, and orders beside the document.
    #[must_use]
    pub const fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Replaces what the environment says, and orders beside the document, without compiling anything: how a kill reaches at once.
    pub fn override_by(&mut self, overrides: Overrides) {
        *self = Self::new(std::mem::take(&mut self.table), overrides);
    }

    /// What a flag is for somebody.
    #[must_use]
    #[inline]
    pub fn evaluate(&self, flag: FlagIndex, context: Context<'_>, moment: Moment) -> Decision {
        let question = self.question(context, moment);
        match self.plans.decide(flag, &question) {
            Some(Planned::Same(same)) => same.decision,
            Some(Planned::Variant(variant, reason, rule, hash)) => {
                let bucket = hash.map(enrol_bucket);
                Decision { rule, bucket, ..Decision::new(Served::Variant(variant), reason) }
            }
            None => question.in_full(flag),
        }
    }

    /// The same without any plan: what each has to come to.
    #[doc(hidden)]
    #[must_use]
    pub fn evaluate_in_full(&self, flag: FlagIndex, context: Context<'_>, moment: Moment) -> Decision {
        self.question(context, moment).in_full(flag)
    }

    /// The same as `packed::number` has it, and the rule that matched: the shortest way.
    #[must_use]
    #[inline(always)]
    pub fn evaluate_packed(&self, flag: FlagIndex, context: Context<'_>, moment: Moment) -> (u32, Option<u16>) {
        let question = self.question(context, moment);
        match self.plans.decide(flag, &question) {
            Some(Planned::Same(same)) => (same.number, same.decision.rule),
            Some(Planned::Variant(variant, reason, rule, _)) => (packed::number_of_variant(variant, reason), rule),
            None => {
                let decision = question.in_full(flag);
                (packed::number(&decision), decision.rule)
            }
        }
    }

    /// The same for a caller that wants a value of one kind.
    #[must_use]
    pub fn evaluate_as(&self, kind: Kind, flag: FlagIndex, context: Context<'_>, moment: Moment) -> Decision {
        let decision = self.evaluate(flag, context, moment);
        match self.value(flag, &decision) {
            Some(value) if value.kind() != kind => Decision::error(ErrorCode::TypeMismatch),
            _ => decision,
        }
    }

    /// What was served; none if the caller's code says.
    #[must_use]
    #[inline]
    pub fn value(&self, flag: FlagIndex, decision: &Decision) -> Option<Found<'_>> {
        match decision.served {
            Served::Variant(variant) => self.table.value(flag, variant),
            Served::Forced(value) => self.overrides.value(value),
            Served::False => Some(Found::Boolean(false)),
            Served::Nothing => None,
        }
    }

    /// The name of what was served, if it is a variant.
    #[must_use]
    pub fn variant(&self, flag: FlagIndex, decision: &Decision) -> Option<&str> {
        match decision.served {
            Served::Variant(variant) => self.table.variants(flag).nth(usize::from(variant)),
            Served::Forced(_) | Served::False | Served::Nothing => None,
        }
    }

    pub(super) const fn question<'q>(&'q self, context: Context<'q>, moment: Moment) -> Question<'q> {
        Question { table: &self.table, overrides: &self.overrides, context, moment }
    }
}
