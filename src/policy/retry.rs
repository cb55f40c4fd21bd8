//! Retries: at most so many attempts, only where repeating is harmless, and only while the budget lasts.
//!
//! The budget is a token bucket. Each success pays in a fraction of a token, each retry takes one, so retries
//! cannot add more than that fraction to the load of a database that is already failing. It starts small: a
//! thousand isolates born in one second bring a thousand times that many free retries. (Finagle's budget, whose
//! reserve of 100 at birth assumes one long-lived process.)
//!
//! With 4 tokens at birth and 0.2 per success, an isolate that has seen no success may retry 4 times in all.

use super::Cx;
use super::backoff::Backoff;
use crate::clock::{Instant, Millis};
use crate::note::Note;
use crate::outcome::{Effect, Judgement};
use crate::query::RETRY_POLICIES_MAX;

/// How often, how soon, and how much in all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryConfig {
    /// Attempts in all, the first included; at least 1.
    pub attempts_max: u32,
    /// The delays between them.
    pub backoff: Backoff,
    /// Tokens at birth.
    pub budget_initial: f64,
    /// Tokens at most.
    pub budget_max: f64,
    /// Tokens that one success pays in.
    pub budget_ratio: f64,
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
pub struct Retries {
    config: RetryConfig,
    others: Vec<RetryConfig>,
    tokens: f64,
}

impl Retries {
    /// A full birth allowance.
    #[must_use]
    pub const fn new(config: RetryConfig) -> Self {
        Self { tokens: config.budget_initial, config, others: Vec::new() }
    }

    /// Learns of another policy and returns its number, from 1; `None` when there are [`RETRY_POLICIES_MAX`].
    pub fn add(&mut self, config: RetryConfig) -> Option<u8> {
        if self.others.len() == RETRY_POLICIES_MAX {
            return None;
        }
        self.others.push(config);
        Some(self.others.len() as u8)
    }

    /// The policy with this number; an unknown one is the client's own.
    fn policy(&self, number: u8) -> &RetryConfig {
        self.others.get(usize::from(number).wrapping_sub(1)).unwrap_or(&self.config)
    }

    /// Whether, and after how long, an operation is tried again. A granted retry takes one token.
    ///
    /// `attempts` counts those made, at least 1. A failure whose effect is unknown is repeated only when
    /// `is_repeatable`: a write whose answer was lost never is. `policy` as in [`Query::retry`](crate::query::Query).
    pub fn decide(
        &mut self,
        policy: u8,
        attempts: u32,
        judgement: Judgement,
        is_repeatable: bool,
        deadline: Instant,
        cx: &mut Cx<'_>,
    ) -> RetryAnswer {
        let is_safe = is_repeatable || judgement.effect == Effect::NotExecuted;
        if !judgement.outcome.is_transient() || !is_safe {
            return RetryAnswer::No;
        }
        let policy = self.policy(policy);
        if attempts >= policy.attempts_max {
            return RetryAnswer::Spent;
        }
        if self.tokens < 1.0 {
            cx.notes.push(Note::RetryBudgetSpent, cx.now);
            return RetryAnswer::Spent;
        }
        let delay_ms = policy.backoff.delay_ms(attempts - 1, cx.rng);
        if cx.now.plus(delay_ms) >= deadline {
            return RetryAnswer::Spent;
        }
        self.tokens -= 1.0;
        cx.notes.push(Note::Retried, cx.now);
        RetryAnswer::After(delay_ms)
    }

    /// Pays into the budget after a success.
    pub fn observe_success(&mut self) {
        self.tokens = (self.tokens + self.config.budget_ratio).min(self.config.budget_max);
    }

    /// Takes other settings; the budget keeps what it holds, up to the new bound.
    pub const fn reconfigure(&mut self, config: RetryConfig) {
        self.tokens = self.tokens.min(config.budget_max);
        self.config = config;
    }

    /// Whether one operation may be attempted more than once at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.config.attempts_max > 1
    }
}
