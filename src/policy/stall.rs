//! Stalls: queries pile up at an endpoint that says nothing.
//!
//! A hung database gives no latency to learn from: until the first query has waited out its time, it looks as fast as it
//! was. So what is out without a word is counted from its last word, or from the query that ended a time with none out.
//!
//! Two queries out and nothing heard for longer than the limit: new queries should go elsewhere. One word ends it.
//! A single query that takes long is no stall: it may just be long.

use crate::clock::{Instant, Millis};

/// Queries that must be out for a stall.
const OUT_MIN: u32 = 2;

/// What is out at one endpoint, and when it was last heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    out: u32,
    heard_at: Instant,
}

impl Stall {
    /// A query goes out.
    pub fn begin(&mut self, now: Instant) {
        if self.out == 0 {
            self.heard_at = self.heard_at.max(now);
        }
        self.out = self.out.saturating_add(1);
    }

    /// A query ended. `is_word` when the endpoint itself ended it, well or not; false when somebody stopped waiting.
    pub fn end(&mut self, is_word: bool, now: Instant) {
        self.out = self.out.saturating_sub(1);
        if is_word {
            self.heard_at = self.heard_at.max(now);
        }
    }

    /// Whether queries pile up that have waited for longer than `limit_ms`. A clock that stepped back ends a stall.
    #[must_use]
    pub fn is_stalled(&self, limit_ms: Millis, now: Instant) -> bool {
        self.out >= OUT_MIN && now.since(self.heard_at) > limit_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_pile_up_without_a_word_are_a_stall_and_a_word_ends_it() {
        let mut it = Stall::default();
        it.begin(Instant(1_000));
        assert!(!it.is_stalled(500, Instant(9_000)), "one long query");
        it.begin(Instant(1_100));
        assert!(!it.is_stalled(500, Instant(1_500)));
        assert!(it.is_stalled(500, Instant(1_501)));
        it.begin(Instant(1_600));
        it.end(false, Instant(1_700));
        assert!(it.is_stalled(500, Instant(1_700)), "somebody gave up waiting");
        it.begin(Instant(1_700));
        it.end(true, Instant(1_800));
        assert!(!it.is_stalled(500, Instant(1_801)));
    }

    #[test]
    fn a_quiet_time_is_no_stall() {
        let mut it = Stall::default();
        it.begin(Instant(0));
        it.end(true, Instant(10));
        it.begin(Instant(60_000));
        it.begin(Instant(60_000));
        assert!(!it.is_stalled(500, Instant(60_500)));
    }
}
