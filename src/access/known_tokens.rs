//! Tokens as they were read a short time ago, for those who ask so often that a read for each request would cost too much.

use super::Principal;
use super::tokens::{Presented, Tokens};
use crate::clock::{Instant, Millis};
use crate::policy::rate::{Rate, RateConfig};

/// Reads for tokens that are not known, at once after a pause; then one a second. It is all that those who guess get.
const EARLY_READS: u32 = 3;

/// What was read last.
#[derive(Clone, Debug, Default)]
pub struct KnownTokens {
    tokens: Tokens,
    read_at: Option<Instant>,
    early: Rate,
}

impl KnownTokens {
    /// Takes what was read in place of what is known.
    pub fn learn(&mut self, tokens: Tokens, now: Instant) {
        self.tokens = tokens;
        self.read_at = Some(now);
    }

    /// Whether it was read less than so many milliseconds ago. A clock that stepped back makes it old.
    #[must_use]
    pub fn is_young(&self, ms: Millis, now: Instant) -> bool {
        self.read_at.is_some_and(|at| at <= now && now.since(at) < ms)
    }

    /// Whether a token that is not known is worth a read now: it may have been made since the last one. Counts that as one.
    pub fn may_read_early(&mut self, now: Instant) -> bool {
        self.early.reconfigure(RateConfig::per_second(1.0, EARLY_READS));
        self.early.decide(now).is_ok()
    }

    /// Whom `presented` lets in.
    #[must_use]
    pub fn principal(&self, presented: &Presented, now: Instant) -> Option<Principal> {
        self.tokens.principal(presented, now)
    }
}
