//! How well a database does, as a number from 0 to 100: 100 less the points of what is not well.
//!
//! | part | points |
//! |---|---|
//! | `connectivity` | 50 when the latest probe was not answered; critical |
//! | `circuit` | 40 when the circuit is open, critical; 20 when it is half open |
//! | `errorRate` | 2 for each percent of the last minute's attempts that failed, at most 40; a timeout is a failure |
//! | `latency` | of the last minute's mean above 500 ms, 1 for each 50 ms, at most 30 |
//! | `poolUtilization` | of leases in use above 80 %, 1 for each percent, at most 20 |
//! | `waiting` | 10 for as many calls that wait for a lease as there are leases, fewer for fewer, at most 10 |
//! | `unknown` | 20 when nothing was heard of the database for a minute: no probe, no attempt |
//!
//! The score is whole, rounded down, so that 84.9 does not pass for 85. It looks at the last minute and at this moment,
//! and never at counters since the start: an outage that is over must not lower it for ever. Whatever makes the health
//! document `unhealthy` costs at least 40 points.
//!
//! With 5 % of failures, 1,000 ms on average and all else well it is `100 - 10 - 10 = 80`.

use serde::{Deserialize, Serialize};

use super::facts::{DatabaseFacts, Facts};
use super::short_number;
use crate::clock::{Instant, Millis};

/// Nothing heard for so long is not knowing, in milliseconds.
pub const UNKNOWN_AFTER_MS: Millis = 60_000;

const CONNECTIVITY: f64 = 50.0;
const OPEN: f64 = 40.0;
const HALF_OPEN: f64 = 20.0;
const ERRORS_PER_PERCENT: f64 = 2.0;
const ERRORS_MAX: f64 = 40.0;
const LATENCY_FREE_MS: f64 = 500.0;
const LATENCY_MS_PER_POINT: f64 = 50.0;
const LATENCY_MAX: f64 = 30.0;
const UTILIZATION_FREE: f64 = 80.0;
const UTILIZATION_MAX: f64 = 20.0;
const WAITING_MAX: f64 = 10.0;
const UNKNOWN: f64 = 20.0;

/// The score of one database, or of the worst of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// 0 to 100.
    pub score: u8,
    /// What lowered it, in the order of the table.
    pub parts: Vec<Part>,
}

/// One thing that is not well.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// As in the table.
    pub name: &'static str,
    /// What it takes away, to a tenth.
    #[serde(serialize_with = "short_number")]
    pub points: f64,
    /// Whether no deployment may go on with it, whatever the score.
    pub is_critical: bool,
}

/// Scores from which a database is well enough, for each who asks. They are separate on purpose, and from the threshold of
/// alerts as well: a deployment asks for more than a night's sleep does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Gates {
    /// A deployment goes on from here. 0 to 100.
    pub deploy: u8,
    /// The same for whoever asks for another reason. 0 to 100.
    pub custom: u8,
}

impl Default for Gates {
    fn default() -> Self {
        Self { deploy: 85, custom: 80 }
    }
}

impl Score {
    /// The score of a database at `now`.
    #[must_use]
    pub fn of(facts: &DatabaseFacts, now: Instant) -> Self {
        let DatabaseFacts { probe, status, .. } = facts;
        let (recent, pool) = (status.recent, &status.pool);
        let attempts = recent.healthy + recent.failing;
        let percent = |part: f64, whole: f64| if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
        let (in_use, leases) = (f64::from(pool.borrowed), f64::from(pool.max));
        let is_heard_of = probe.is_some_and(|probe| now.since(Instant(probe.at_ms)) < UNKNOWN_AFTER_MS);

        let mut parts = Vec::new();
        let mut lower = |name, points: f64, is_critical| {
            let points = (points * 10.0).round() / 10.0;
            if points > 0.0 {
                parts.push(Part { name, points, is_critical });
            }
        };
        let is_lost = probe.is_some_and(|probe| !probe.is_connected);
        lower("connectivity", if is_lost { CONNECTIVITY } else { 0.0 }, true);
        let (circuit, is_open) = match status.breaker.state.as_ref() {
            "OPEN" => (OPEN, true),
            "HALF_OPEN" => (HALF_OPEN, false),
            _ => (0.0, false),
        };
        lower("circuit", circuit, is_open);
        let errors = percent(recent.failing as f64, attempts as f64) * ERRORS_PER_PERCENT;
        lower("errorRate", errors.min(ERRORS_MAX), false);
        let latency = (recent.average_ms() - LATENCY_FREE_MS) / LATENCY_MS_PER_POINT;
        lower("latency", latency.min(LATENCY_MAX), false);
        let utilization = percent(in_use, leases) - UTILIZATION_FREE;
        lower("poolUtilization", utilization.min(UTILIZATION_MAX), false);
        let waiting = percent(f64::from(pool.pending), leases) / 100.0;
        lower("waiting", waiting.min(1.0) * WAITING_MAX, false);
        lower("unknown", if is_heard_of || attempts > 0 { 0.0 } else { UNKNOWN }, false);

        // In tenths, so that a sum of fractions is exact.
        let tenths: f64 = parts.iter().map(|part| part.points * 10.0).sum::<f64>().round();
        let score = ((1_000.0 - tenths) / 10.0).floor().clamp(0.0, 100.0) as u8;
        Self { score, parts }
    }

    /// The lowest score of all databases; of two, the first one's. `None` without any.
    #[must_use]
    pub fn of_all(facts: &Facts) -> Option<Self> {
        facts.databases.iter().map(|database| Self::of(database, facts.now())).min_by_key(|score| score.score)
    }

    /// Whether a gate at `score_min` lets it through: the score is that high, and nothing is critical.
    #[must_use]
    pub fn passes(&self, score_min: f64) -> bool {
        f64::from(self.score) >= score_min && self.critical() == 0
    }

    /// How many parts are critical.
    #[must_use]
    pub fn critical(&self) -> usize {
        self.parts.iter().filter(|part| part.is_critical).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::facts::ProbeFacts;
    use crate::report::status::{BreakerStatus, PoolStatus, Recent, Status};

    const NOW: Instant = Instant(1_704_067_200_000);

    fn well() -> DatabaseFacts {
        let breaker = BreakerStatus { state: "CLOSED".into(), ..BreakerStatus::default() };
        let pool = PoolStatus { max: 10, ..PoolStatus::default() };
        let recent = Recent { healthy: 100, duration_ms: 4_500, ..Recent::default() };
        let status = Status { breaker, pool, recent, ..Status::default() };
        let probe = Some(ProbeFacts { is_connected: true, at_ms: NOW.0, duration_ms: 3 });
        DatabaseFacts { name: "primary".to_owned(), probe, status, ..DatabaseFacts::default() }
    }

    fn with(change: impl Fn(&mut DatabaseFacts)) -> (u8, Vec<(&'static str, f64)>) {
        let mut facts = well();
        change(&mut facts);
        let Score { score, parts } = Score::of(&facts, NOW);
        (score, parts.iter().map(|part| (part.name, part.points)).collect())
    }

    #[test]
    fn what_is_well_has_all_points_and_no_parts() {
        assert_eq!(with(|_| {}), (100, vec![]));
    }

    #[test]
    fn each_part_takes_what_the_table_says() {
        let recent = |healthy, failing, average: u64| Recent {
            healthy,
            failing,
            duration_ms: average * (healthy + failing),
            ..Recent::default()
        };
        let probe = |is_connected, age| Some(ProbeFacts { is_connected, at_ms: NOW.0 - age, duration_ms: 0 });
        assert_eq!(with(|it| it.probe = probe(false, 0)), (50, vec![("connectivity", 50.0)]));
        assert_eq!(with(|it| it.status.breaker.state = "OPEN".into()), (60, vec![("circuit", 40.0)]));
        assert_eq!(with(|it| it.status.breaker.state = "HALF_OPEN".into()), (80, vec![("circuit", 20.0)]));
        assert_eq!(with(|it| it.status.recent = recent(95, 5, 1)), (90, vec![("errorRate", 10.0)]));
        assert_eq!(with(|it| it.status.recent = recent(0, 7, 1)), (60, vec![("errorRate", 40.0)]));
        assert_eq!(with(|it| it.status.recent = recent(10, 0, 500)), (100, vec![]));
        assert_eq!(with(|it| it.status.recent = recent(10, 0, 1_000)), (90, vec![("latency", 10.0)]));
        assert_eq!(with(|it| it.status.recent = recent(10, 0, 60_000)), (70, vec![("latency", 30.0)]));
        assert_eq!(with(|it| it.status.pool.borrowed = 8), (100, vec![]));
        assert_eq!(with(|it| it.status.pool.borrowed = 10), (80, vec![("poolUtilization", 20.0)]));
        assert_eq!(with(|it| it.status.pool.pending = 4), (96, vec![("waiting", 4.0)]));
        assert_eq!(with(|it| it.status.pool.pending = 4_000), (90, vec![("waiting", 10.0)]));
        assert_eq!(with(|it| it.probe = probe(true, UNKNOWN_AFTER_MS)), (100, vec![]));
        let silent = |age| {
            with(|it| {
                it.status.recent = Recent::default();
                it.probe = probe(true, age);
            })
        };
        assert_eq!(silent(UNKNOWN_AFTER_MS - 1), (100, vec![]));
        assert_eq!(silent(UNKNOWN_AFTER_MS), (80, vec![("unknown", 20.0)]));
    }

    #[test]
    fn parts_add_up_and_fractions_are_rounded_down() {
        let both = with(|it| {
            it.status.recent = Recent { healthy: 95, failing: 5, duration_ms: 100_000, slow: 0 };
        });
        assert_eq!(both, (80, vec![("errorRate", 10.0), ("latency", 10.0)]));
        // 1 of 300 is 0.33 %, which is 0.7 points.
        let little = with(|it| it.status.recent = Recent { healthy: 299, failing: 1, ..Recent::default() });
        assert_eq!(little, (99, vec![("errorRate", 0.7)]));
    }

    #[test]
    fn it_never_leaves_its_range() {
        let worst = with(|it| {
            it.probe = Some(ProbeFacts { is_connected: false, at_ms: u64::MAX, duration_ms: u64::MAX });
            it.status.breaker.state = "OPEN".into();
            it.status.recent = Recent { healthy: 0, failing: 1, duration_ms: u64::MAX, slow: 1 };
            it.status.pool = PoolStatus { max: 1, borrowed: u32::MAX, pending: u32::MAX, ..PoolStatus::default() };
        });
        assert_eq!(worst.0, 0);
        assert_eq!(Score::of(&DatabaseFacts::default(), Instant(0)).score, 80, "nothing is known");
    }

    #[test]
    fn the_health_document_and_the_score_never_contradict_each_other() {
        for state in ["CLOSED", "HALF_OPEN", "OPEN"] {
            for is_connected in [true, false] {
                let mut facts = well();
                facts.status.breaker.state = state.into();
                facts.probe = Some(ProbeFacts { is_connected, at_ms: NOW.0, duration_ms: 0 });
                let score = Score::of(&facts, NOW);
                let is_unhealthy = state == "OPEN" || !is_connected;
                assert_eq!(score.critical() > 0, is_unhealthy, "{state} {is_connected}");
                assert_eq!(score.score <= 60, is_unhealthy, "{state} {is_connected}");
            }
        }
    }

    /// HLT-26: a deployment goes on from 85 on and with nothing critical.
    #[test]
    fn a_gate_asks_for_the_score_and_for_nothing_critical() {
        let part = |points, is_critical| Part { name: "circuit", points, is_critical };
        let score = |score, is_critical| Score { score, parts: vec![part(15.0, is_critical)] };
        let Gates { deploy, custom } = Gates::default();
        assert_eq!((deploy, custom), (85, 80));
        assert!(score(85, false).passes(deploy.into()));
        assert!(!score(84, false).passes(deploy.into()));
        assert!(score(80, false).passes(custom.into()) && !score(79, false).passes(custom.into()));
        assert!(!score(100, true).passes(deploy.into()), "critical");
    }

    #[test]
    fn of_several_databases_the_worst_counts() {
        let mut second = well();
        second.status.breaker.state = "OPEN".into();
        let facts = Facts { now_ms: NOW.0, databases: vec![well(), second, well()], ..Facts::default() };
        assert_eq!(Score::of_all(&facts).map(|score| score.score), Some(60));
        assert_eq!(Score::of_all(&Facts::default()), None);
    }
}
