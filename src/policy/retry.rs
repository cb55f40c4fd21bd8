//! Retries: at most so many attempts, only where repeating is harmless, and only while the budget lasts.
//!
//! The budget is a token bucket. Each success pays in a fraction of a token, each retry or hedge takes one, so they
//! cannot add more than that fraction to the load of a database that is already failing. It starts small: a
//! thousand isolates born in one second bring a thousand times that many free retries. (Finagle's budget, whose
//! reserve of 100 at birth assumes one long-lived process.)
//!
//! With 4 tokens at birth and 0.2 per success, an isolate that has seen no success may retry 4 times in all.

use super::Cx;
use super::backoff::{Backoff, Delays, Pace};
use crate::clock::{Instant, Millis, to_fraction};
use crate::note::Note;
use crate::outcome::{Effect, Judgement};
use crate::query::RETRY_POLICIES_MAX;
use crate::rng::Rng;

/// What an average of durations never falls below, in milliseconds: on its way to zero it would become a number so small
/// that processors take ten times as long to reckon with it.
const AVERAGE_MIN_MS: f64 = 0.001;

/// How often, how soon, and how much in all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryConfig<D = Backoff> {
    /// Attempts in all, the first included; at least 1.
    pub attempts_max: u32,
    /// The delays between them.
    pub backoff: D,
    /// The last attempt begins at most this long after the first, in milliseconds; 0 for no limit. A longer delay is
    /// cut to what is left.
    pub total_max_ms: Millis,
    /// Tokens at birth.
    pub budget_initial: f64,
    /// Tokens at most.
    pub budget_max: f64,
    /// Tokens that one success pays in.
    pub budget_ratio: f64,
}

/// A failed attempt that may be made again.
#[derive(Clone, Copy, Debug)]
pub struct RetryQuestion {
    /// Number of the policy; see [`Query::retry`](crate::query::Query::retry).
    pub policy: u8,
    /// Attempts made, at least 1.
    pub attempts: u32,
    /// How the last one ended.
    pub judgement: Judgement,
    /// Whether a statement whose effect is unknown may run twice: a write whose answer was lost may not.
    pub is_repeatable: bool,
    /// When the call began.
    pub began_at: Instant,
    /// When the call must have ended.
    pub deadline: Instant,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAnswer {
    /// Try again when the delay has passed.
    After(Millis),
    /// Repeating cannot help or would be unsafe.
    No,
    /// Repeating would help, but the attempts, the budget or the time are used up.
    Spent,
}

/// Decides about retries and keeps the budget.
///
/// Single operations may have a policy of their own: other attempts, other delays. The budget is one for all of them.
#[derive(Clone, Debug)]
pub struct Retries<D = Backoff> {
    config: RetryConfig<D>,
    others: Vec<RetryConfig<D>>,
    tokens: f64,
    /// How long an attempt that succeeds takes, in milliseconds; 0 while nothing is known.
    typical_ms: f64,
}

impl Retries {
    /// Whether, and after how long, an operation is tried again. A granted retry takes one token.
    pub fn decide(&mut self, question: &RetryQuestion, cx: &mut Cx<'_>) -> RetryAnswer {
        self.decide_paced(question, &mut Pace::default(), cx.now, cx.rng, |note| cx.notes.push(note, cx.now))
    }
}

impl<D: Delays> Retries<D> {
    /// A full birth allowance.
    #[must_use]
    pub const fn new(config: RetryConfig<D>) -> Self {
        Self { tokens: config.budget_initial, typical_ms: 0.0, others: Vec::new(), config }
    }

    /// Learns of another policy and returns its number, from 1; `None` when there are [`RETRY_POLICIES_MAX`].
    pub fn add(&mut self, config: RetryConfig<D>) -> Option<u8> {
        if self.others.len() == RETRY_POLICIES_MAX {
            return None;
        }
        self.others.push(config);
        Some(self.others.len() as u8)
    }

    /// The policy with this number; an unknown one is the client's own.
    fn policy(&self, number: u8) -> &RetryConfig<D> {
        self.others.get(usize::from(number).wrapping_sub(1)).unwrap_or(&self.config)
    }

    /// [`Retries::decide`] for delays that remember: `pace` is the call's own, and starts as the default.
    ///
    /// A retry that would end after the deadline even if it took no longer than a success usually does is hopeless,
    /// and is not made.
    pub fn decide_paced(
        &mut self,
        question: &RetryQuestion,
        pace: &mut Pace,
        now: Instant,
        rng: &mut impl Rng,
        note: impl FnOnce(Note),
    ) -> RetryAnswer {
        let judgement = question.judgement;
        let is_safe = question.is_repeatable || judgement.effect == Effect::NotExecuted;
        if !judgement.outcome.is_transient() || !is_safe {
            return RetryAnswer::No;
        }
        let policy = self.policy(question.policy);
        let left_ms = match policy.total_max_ms {
            0 => Millis::MAX,
            total => total.saturating_sub(now.since(question.began_at)),
        };
        if question.attempts >= policy.attempts_max || left_ms == 0 {
            return RetryAnswer::Spent;
        }
        if self.tokens < 1.0 {
            note(Note::RetryBudgetSpent);
            return RetryAnswer::Spent;
        }
        let retry = question.attempts.saturating_sub(1);
        let delay_ms = policy.backoff.delay_ms(retry, pace, rng).min(left_ms);
        // At least a millisecond must be left, and what an attempt usually takes.
        if now.plus(delay_ms).plus((self.typical_ms as Millis).max(1)) > question.deadline {
            return RetryAnswer::Spent;
        }
        self.tokens -= 1.0;
        note(Note::Retried);
        RetryAnswer::After(delay_ms)
    }

    /// Takes one token for a copy of an attempt that is still out; false when there is none.
    pub fn withdraw(&mut self) -> bool {
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }

    /// Tokens left.
    #[must_use]
    pub const fn tokens(&self) -> f64 {
        self.tokens
    }

    /// Pays into the budget after a success, and learns from how long it took: an eighth of the difference.
    pub fn observe_success(&mut self, duration_ms: Millis) {
        self.tokens = (self.tokens + self.config.budget_ratio).min(self.config.budget_max);
        let duration_ms = to_fraction(duration_ms);
        self.typical_ms = if self.typical_ms > 0.0 {
            (self.typical_ms + (duration_ms - self.typical_ms) * 0.125).max(AVERAGE_MIN_MS)
        } else {
            duration_ms
        };
    }

    /// Takes other settings; the budget keeps what it holds, up to the new bound.
    pub fn reconfigure(&mut self, config: RetryConfig<D>) {
        self.tokens = self.tokens.min(config.budget_max);
        self.config = config;
    }

    /// Whether one operation may be attempted more than once at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.config.attempts_max > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    const CONFIG: RetryConfig = RetryConfig {
        attempts_max: 5,
        backoff: Backoff { initial_ms: 100, max_ms: 1_000, multiplier: 2.0, jitter: 0.0 },
        total_max_ms: 0,
        budget_initial: 10.0,
        budget_max: 10.0,
        budget_ratio: 0.2,
    };

    fn ask(retries: &mut Retries, attempts: u32, now: u64, deadline: u64) -> RetryAnswer {
        let question = RetryQuestion {
            policy: 0,
            attempts,
            judgement: Judgement::TIMEOUT,
            is_repeatable: true,
            began_at: Instant(0),
            deadline: Instant(deadline),
        };
        retries.decide_paced(&question, &mut Pace::default(), Instant(now), &mut SplitMix::new(1), |_| {})
    }

    #[test]
    fn the_last_delay_is_cut_to_the_total_and_nothing_follows_it() {
        let mut retries = Retries::new(RetryConfig { total_max_ms: 250, ..CONFIG });
        assert_eq!(ask(&mut retries, 1, 0, 9_999), RetryAnswer::After(100));
        assert_eq!(ask(&mut retries, 2, 100, 9_999), RetryAnswer::After(150));
        assert_eq!(ask(&mut retries, 3, 250, 9_999), RetryAnswer::Spent);
    }

    #[test]
    fn a_retry_that_cannot_end_in_time_is_not_made() {
        let mut retries = Retries::new(CONFIG);
        assert_eq!(ask(&mut retries, 1, 0, 150), RetryAnswer::After(100));
        retries.observe_success(60);
        assert_eq!(ask(&mut retries, 1, 0, 150), RetryAnswer::Spent);
        assert_eq!(ask(&mut retries, 1, 0, 160), RetryAnswer::After(100));
    }

    #[test]
    fn what_a_success_takes_is_learnt_slowly() {
        let mut retries = Retries::new(CONFIG);
        retries.observe_success(80);
        retries.observe_success(160);
        assert_eq!(ask(&mut retries, 1, 0, 189), RetryAnswer::Spent);
        assert_eq!(ask(&mut retries, 1, 0, 190), RetryAnswer::After(100));
    }

    #[test]
    fn what_a_success_takes_never_becomes_too_small_to_reckon_with() {
        let mut retries = Retries::new(CONFIG);
        retries.observe_success(80);
        for _ in 0..10_000 {
            retries.observe_success(0);
        }
        assert!(retries.typical_ms.is_normal(), "{:e}", retries.typical_ms);
    }

    #[test]
    fn hedges_and_retries_take_from_one_budget() {
        let mut retries = Retries::new(RetryConfig { budget_initial: 2.0, ..CONFIG });
        assert!(retries.withdraw());
        assert_eq!(ask(&mut retries, 1, 0, 9_999), RetryAnswer::After(100));
        assert!(!retries.withdraw());
        assert_eq!(ask(&mut retries, 1, 0, 9_999), RetryAnswer::Spent);
    }
}
