//! Deadlines: each class of operation may take so long, waits and retries included.
//!
//! With a query limit of 15 s, a query that waited 2 s for its lease has 13 s left for its first attempt.

use crate::clock::{Instant, Millis};
use crate::query::{CLASSES, Class, Query};

/// Time limits by class, in milliseconds; 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineConfig {
    /// One statement.
    pub query_ms: Millis,
    /// An interactive transaction from lease to end.
    pub transaction_ms: Millis,
    /// Several statements in one request.
    pub batch_ms: Millis,
    /// A probe.
    pub health_check_ms: Millis,
}

/// Knows when an operation that starts at a point in time must have ended.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    limits: [Millis; CLASSES],
}

impl Deadlines {
    /// Deadlines from checked configuration.
    #[must_use]
    pub const fn new(config: DeadlineConfig) -> Self {
        Self { limits: [config.query_ms, config.transaction_ms, config.batch_ms, config.health_check_ms] }
    }

    /// When `query`, starting at `now`, must have ended; [`Instant::NEVER`] when its class has no limit.
    ///
    /// The query's own limit wins; 0 there means no limit as well.
    #[must_use]
    pub fn decide(&self, query: &Query, now: Instant) -> Instant {
        match query.timeout_ms.unwrap_or_else(|| self.of(query.class)) {
            0 => Instant::NEVER,
            limit => now.plus(limit),
        }
    }

    const fn of(&self, class: Class) -> Millis {
        self.limits[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Kind;

    const CONFIG: DeadlineConfig =
        DeadlineConfig { query_ms: 15_000, transaction_ms: 30_000, batch_ms: 60_000, health_check_ms: 3_000 };

    #[test]
    fn each_class_has_its_limit_and_the_call_overrides_it() {
        let deadlines = Deadlines::new(CONFIG);
        let at = |class| deadlines.decide(&Query::new(class, Kind::Read), Instant(1));
        assert_eq!(at(Class::Query), Instant(15_001));
        assert_eq!(at(Class::Transaction), Instant(30_001));
        assert_eq!(at(Class::Batch), Instant(60_001));
        assert_eq!(at(Class::HealthCheck), Instant(3_001));
        let own = Query { timeout_ms: Some(5_000), ..Query::new(Class::Query, Kind::Read) };
        assert_eq!(deadlines.decide(&own, Instant(1)), Instant(5_001));
        let none = Query { timeout_ms: Some(0), ..own };
        assert_eq!(deadlines.decide(&none, Instant(1)), Instant::NEVER);
    }
}
