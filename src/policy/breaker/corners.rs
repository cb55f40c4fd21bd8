//! Where breakers differ at the edges of the same rules. [`Corners::OURS`] is what this engine does unless told
//! otherwise; docs/decisions/0009-breaker-corner-semantics.md says what others do, and why this.
//!
//! With a threshold of half and two failures in four calls, ours opens; with `is_above` it waits for the third.

use crate::clock::Millis;

/// The corners, one field each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners {
    /// A share opens only above its threshold, not at it.
    pub is_above: bool,
    /// Only a failure asks the rules; a success that completes the minimum of calls, or a slow one, opens nothing.
    pub asks_failures_only: bool,
    /// Half-open begins one millisecond after the open time has passed, not when it has.
    pub is_later: bool,
    /// The open times, one after the other, the last one from then on; empty for [`super::BreakerConfig::open`].
    pub open_steps_ms: &'static [Millis],
    /// What decides a half-open phase.
    pub probes: ProbeRule,
    /// What a result that says nothing about the database is taken for.
    pub neutral: Neutral,
}

impl Corners {
    /// What this engine does.
    pub const OURS: Self = Self {
        is_above: false,
        asks_failures_only: false,
        is_later: false,
        open_steps_ms: &[],
        probes: ProbeRule::InARow,
        neutral: Neutral::Nothing,
    };
}

impl Corners {
    /// How long a circuit may stay open, if it is `usual_ms` without the corners.
    pub(super) fn longest_open_ms(&self, usual_ms: Millis) -> Millis {
        let longest = self.open_steps_ms.iter().copied().max().unwrap_or(usual_ms);
        longest.saturating_add(self.is_later.into())
    }
}

/// What decides a half-open phase. Except [`ProbeRule::InARow`], each lets `probes_max` probes through in all, not at
/// once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ProbeRule {
    /// `successes_to_close` successes in a row close it, the first failure opens it.
    InARow,
    /// The same, but no more than `probes_max` probes in all.
    InARowOf,
    /// When `probes_max` results are there, the ratio rules are asked of them alone. Without a ratio rule a single
    /// failure opens.
    Ratios,
    /// Opens as soon as more than this share of `probes_max` has failed; closes when all results are there.
    AtMost(f64),
}

impl ProbeRule {
    /// Whether a probe keeps its permit after its end.
    pub(super) const fn is_in_all(self) -> bool {
        !matches!(self, Self::InARow)
    }
}

/// What [`crate::outcome::Evidence::None`] is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neutral {
    /// Nothing: not recorded, and a probe's permit is given back.
    Nothing,
    /// A probe's success; nothing while closed.
    ProbeSuccess,
    /// A success.
    Success,
}

#[cfg(test)]
mod tests;
