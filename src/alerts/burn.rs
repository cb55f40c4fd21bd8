//! How fast the error budget burns, in several windows at once: the alerts of the SRE workbook, chapter 5, table 5-8.
//!
//! With an objective of 99.9 % the budget is 0.1 % of the attempts. A burn rate of 1 spends it in exactly 30 days, one of
//! 14.4 spends a fiftieth of it in an hour. A rule fires while both of its windows burn faster than its factor: the long
//! one says that it matters, the short one, a twelfth of it, that it still goes on, so that the alert ends soon after the
//! failures.
//!
//! Counts lie in slots of a minute for six hours, and of half an hour for three days: 8 KB at most.

use std::collections::VecDeque;

use serde::Deserialize;

use super::conditions::Severity;
use crate::clock::{Instant, Millis};

const MINUTE_MS: Millis = 60_000;
const HOUR_MS: Millis = 60 * MINUTE_MS;
const DAY_MS: Millis = 24 * HOUR_MS;
/// Longest window, in milliseconds.
pub const WINDOW_MAX_MS: Millis = 3 * DAY_MS;
const FINE_MS: Millis = MINUTE_MS;
const FINE_MAX: usize = 360;
const COARSE_MS: Millis = 30 * MINUTE_MS;
const COARSE_MAX: usize = 144;

/// A burn rate that is worth an alert.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BurnRate {
    /// What it is called.
    pub name: std::borrow::Cow<'static, str>,
    /// Burn rate above which both windows must be.
    pub factor: f64,
    /// The long window, in milliseconds.
    pub long_ms: Millis,
    /// The short one.
    pub short_ms: Millis,
    /// How bad that is.
    pub severity: Severity,
    /// Fewer attempts in the long window than these say nothing.
    #[serde(default = "attempts_min")]
    pub attempts_min: u64,
}

const fn attempts_min() -> u64 {
    20
}

const fn rate(name: &'static str, factor: f64, long_ms: Millis, short_ms: Millis, severity: Severity) -> BurnRate {
    let name = std::borrow::Cow::Borrowed(name);
    BurnRate { name, factor, long_ms, short_ms, severity, attempts_min: attempts_min() }
}

/// What the workbook recommends.
pub const WORKBOOK: [BurnRate; 4] = [
    rate("1h", 14.4, HOUR_MS, 5 * MINUTE_MS, Severity::Critical),
    rate("6h", 6.0, 6 * HOUR_MS, 30 * MINUTE_MS, Severity::Critical),
    rate("1d", 3.0, DAY_MS, 2 * HOUR_MS, Severity::Warning),
    rate("3d", 1.0, 3 * DAY_MS, 6 * HOUR_MS, Severity::Warning),
];

impl BurnRate {
    /// # Errors
    ///
    /// What cannot be used of it.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_named = (1..=40).contains(&self.name.len())
            && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let is_factor = self.factor.is_finite() && self.factor > 0.0;
        let is_window = MINUTE_MS <= self.short_ms && self.short_ms <= self.long_ms && self.long_ms <= WINDOW_MAX_MS;
        if is_named && is_factor && is_window {
            return Ok(());
        }
        Err("One rule of alerts.rules needs a name of letters and digits, a factor above 0, and windows with 60000 <= \
             shortMs <= longMs <= 259200000."
            .to_owned())
    }
}

/// Attempts, and of them those that the database did not carry out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// All.
    pub all: u64,
    /// Those that failed.
    pub failed: u64,
}

/// The attempts of the last three days.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    fine: VecDeque<(u64, Attempts)>,
    coarse: VecDeque<(u64, Attempts)>,
}

impl Budget {
    /// Adds what was counted since the last time.
    pub fn record(&mut self, attempts: Attempts, now: Instant) {
        if attempts.all > 0 {
            add(&mut self.fine, now.0 / FINE_MS, FINE_MAX, attempts);
            add(&mut self.coarse, now.0 / COARSE_MS, COARSE_MAX, attempts);
        }
    }

    /// What was counted in the `window_ms` before `now`, and in the slot that `now` is in.
    #[must_use]
    pub fn within(&self, window_ms: Millis, now: Instant) -> Attempts {
        let is_fine = window_ms <= FINE_MS * FINE_MAX as u64;
        let (slots, slot_ms) = if is_fine { (&self.fine, FINE_MS) } else { (&self.coarse, COARSE_MS) };
        let first = (now.0 / slot_ms + 1).saturating_sub(window_ms.div_ceil(slot_ms));
        let mut sum = Attempts::default();
        for (_, attempts) in slots.iter().filter(|(slot, _)| *slot >= first) {
            sum.all = sum.all.saturating_add(attempts.all);
            sum.failed = sum.failed.saturating_add(attempts.failed);
        }
        sum
    }

    /// How many times faster than `objective` allows the budget burns; 0 without attempts.
    #[must_use]
    pub fn rate(&self, window_ms: Millis, objective: f64, now: Instant) -> f64 {
        let Attempts { all, failed } = self.within(window_ms, now);
        if all == 0 { 0.0 } else { failed as f64 / all as f64 / (1.0 - objective) }
    }

    /// Whether `rule` fires, and the lower of its two rates.
    #[must_use]
    pub fn judge(&self, rule: &BurnRate, objective: f64, now: Instant) -> Option<f64> {
        let lower = self.rate(rule.long_ms, objective, now).min(self.rate(rule.short_ms, objective, now));
        let is_enough = self.within(rule.long_ms, now).all >= rule.attempts_min;
        (is_enough && lower > rule.factor).then_some(lower)
    }
}

/// A clock that stepped back adds to the newest slot, so that slots stay in order.
fn add(slots: &mut VecDeque<(u64, Attempts)>, slot: u64, slots_max: usize, attempts: Attempts) {
    match slots.back_mut() {
        Some((newest, sum)) if *newest >= slot => {
            sum.all = sum.all.saturating_add(attempts.all);
            sum.failed = sum.failed.saturating_add(attempts.failed);
        }
        _ => slots.push_back((slot, attempts)),
    }
    while slots.len() > slots_max {
        slots.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTIVE: f64 = 0.999;
    const START: u64 = 1_704_067_200_000;

    /// Minutes of 1,000 attempts each, of which `failed` fail.
    fn minutes(budget: &mut Budget, from: u64, count: u64, failed: u64) {
        for minute in from..from + count {
            budget.record(Attempts { all: 1_000, failed }, Instant(START + minute * MINUTE_MS));
        }
    }

    fn firing(budget: &Budget, minute: u64) -> Vec<&'static str> {
        let now = Instant(START + minute * MINUTE_MS);
        let names = ["1h", "6h", "1d", "3d"];
        WORKBOOK
            .iter()
            .zip(names)
            .filter(|(rule, _)| budget.judge(rule, OBJECTIVE, now).is_some())
            .map(|it| it.1)
            .collect()
    }

    #[test]
    fn an_outage_fires_the_quick_rule_within_minutes_and_stops_minutes_after_it() {
        let mut budget = Budget::default();
        minutes(&mut budget, 0, 4_320, 0);
        assert!(firing(&budget, 4_319).is_empty());
        // Everything fails: an hour's window burns 14.4 times too fast as soon as 1.44 % of it failed, in the first minute.
        minutes(&mut budget, 4_320, 1, 1_000);
        assert_eq!(firing(&budget, 4_320), ["1h"]);
        minutes(&mut budget, 4_321, 5, 0);
        assert!(firing(&budget, 4_325).is_empty(), "the short window is clean");
    }

    #[test]
    fn a_slow_burn_fires_only_the_slow_rules() {
        let mut budget = Budget::default();
        // Twice the budget, for a day: the three-day rule alone.
        minutes(&mut budget, 0, 1_440, 2);
        assert_eq!(firing(&budget, 1_439), ["3d"]);
        let mut budget = Budget::default();
        minutes(&mut budget, 0, 1_440, 4);
        assert_eq!(firing(&budget, 1_439), ["1d", "3d"]);
        let mut budget = Budget::default();
        minutes(&mut budget, 0, 1_440, 7);
        assert_eq!(firing(&budget, 1_439), ["6h", "1d", "3d"]);
    }

    #[test]
    fn exactly_the_factor_does_not_fire_and_few_attempts_say_nothing() {
        let rule = BurnRate { factor: 2.0, ..WORKBOOK[0].clone() };
        let mut budget = Budget::default();
        budget.record(Attempts { all: 40, failed: 20 }, Instant(START));
        assert_eq!(budget.judge(&rule, 0.75, Instant(START)), None, "it burns exactly twice as fast as it may");
        budget.record(Attempts { all: 0, failed: 1 }, Instant(START));
        assert_eq!(budget.within(HOUR_MS, Instant(START)).failed, 20, "failures without attempts are none");
        let mut few = Budget::default();
        few.record(Attempts { all: 19, failed: 19 }, Instant(START));
        assert_eq!(few.judge(&rule, OBJECTIVE, Instant(START)), None);
        few.record(Attempts { all: 1, failed: 1 }, Instant(START));
        assert!(few.judge(&rule, OBJECTIVE, Instant(START)).is_some());
    }

    #[test]
    fn memory_is_bounded_and_a_clock_that_steps_back_loses_nothing() {
        let mut budget = Budget::default();
        minutes(&mut budget, 0, 10_000, 1);
        assert_eq!((budget.fine.len(), budget.coarse.len()), (FINE_MAX, COARSE_MAX));
        let now = Instant(START + 9_999 * MINUTE_MS);
        let before = budget.within(HOUR_MS, now);
        budget.record(Attempts { all: 5, failed: 5 }, Instant(START));
        assert_eq!(budget.within(HOUR_MS, now), Attempts { all: before.all + 5, failed: before.failed + 5 });
    }

    #[test]
    fn rules_of_ones_own_are_checked() {
        for rule in WORKBOOK {
            assert_eq!(rule.check(), Ok(()));
            assert!(BurnRate { factor: f64::NAN, ..rule.clone() }.check().is_err());
            assert!(BurnRate { short_ms: rule.long_ms + 1, ..rule.clone() }.check().is_err());
            assert!(BurnRate { long_ms: WINDOW_MAX_MS + 1, ..rule.clone() }.check().is_err());
            assert!(BurnRate { name: "".into(), ..rule }.check().is_err());
        }
    }
}
