//! From what a host knows to series: counters since the isolate's start, and levels of this moment.

use super::families::{self as by, hidden};
use super::histogram::Histogram;
use super::samples::{Samples, Value};
use crate::note::times::{BUCKETS, RETRIES_AT, Row, TRANSITIONS_AT};
use crate::outcome::OUTCOMES;
use crate::policy::breaker::State;
use crate::report::facts::{DatabaseFacts, TimesFacts};

/// How a bucket of `note::times` from the second on is called in [`buckets`]: its first ends at 1 ms.
const FIRST_MS: i16 = -30;
/// What took longer than all of `note::times` can tell is taken for up to 100 s.
const BEYOND: i16 = 20;
/// What the driver speaks is SQLite's.
const SYSTEM: &str = "sqlite";
const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

/// All series of a database.
#[must_use]
pub fn collect(database: &DatabaseFacts) -> Samples {
    let mut samples = Samples::default();
    Collector { samples: &mut samples, pool: &database.name }.database(database);
    samples
}

struct Collector<'a> {
    samples: &'a mut Samples,
    pool: &'a str,
}

impl Collector<'_> {
    fn database(&mut self, facts: &DatabaseFacts) {
        self.durations(&facts.times);
        self.pool(facts);
        self.attempts(facts);
        self.circuit(facts);
        self.cache(facts);
        for named in &facts.operations_named {
            let labels = [named.operation.as_str(), named.table.as_str()];
            self.count(by::NAMED_OPERATIONS, &labels, named.calls as f64);
            self.count(by::NAMED_FAILURES, &labels, named.failures as f64);
            self.count(by::NAMED_DURATION, &labels, named.duration_ms as f64 / 1_000.0);
        }
    }

    fn durations(&mut self, times: &TimesFacts) {
        let rows = |rows: &[Row]| Value::Histogram(spread(times, rows));
        let mut add = |family, labels: &[&str], value| self.samples.add(family, labels, &value);
        add(by::DURATION, &[SYSTEM, self.pool, ""], rows(&[Row::Leased, Row::Bare]));
        add(by::DURATION, &[SYSTEM, self.pool, "_OTHER"], rows(&[Row::LeasedFailed, Row::BareFailed]));
        add(by::CONNECTION_USE, &[self.pool], rows(&[Row::Leased, Row::LeasedFailed, Row::Held]));
        add(by::CONNECTION_WAIT, &[self.pool], rows(&[Row::Waited]));
        add(by::CONNECTION_CREATE, &[self.pool], rows(&[Row::SetUp]));
    }

    fn pool(&mut self, facts: &DatabaseFacts) {
        let pool = &facts.status.pool;
        self.sum(by::CONNECTIONS, &["used"], f64::from(pool.borrowed));
        self.sum(by::CONNECTIONS, &["idle"], f64::from(pool.available));
        self.sum(by::CONNECTION_MAX, &[], f64::from(pool.max));
        self.sum(by::CONNECTION_IDLE_MAX, &[], f64::from(pool.max));
        self.sum(by::CONNECTION_IDLE_MIN, &[], f64::from(pool.min));
        self.sum(by::CONNECTION_PENDING, &[], f64::from(pool.pending));
        let events = [
            ("created", pool.created),
            ("warmed", pool.warmed),
            ("validated", pool.validated),
            ("recycled", pool.recycled),
            ("retired", pool.retired),
            ("leaked", pool.leaked),
        ];
        for (event, count) in events {
            self.count(by::CONNECTION_EVENTS, &[event], count as f64);
        }
    }

    fn attempts(&mut self, facts: &DatabaseFacts) {
        let totals = &facts.status.totals;
        let named = |list: &[(std::borrow::Cow<'static, str>, u64)], name: &str| {
            list.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count) as f64
        };
        for outcome in OUTCOMES {
            let name = outcome.name();
            let count = if name == "success" { totals.successful as f64 } else { named(&totals.by_outcome, name) };
            self.count(by::OPERATIONS, &[name], count);
        }
        for code in crate::error::CODES {
            self.count(by::REFUSALS, &[code.name], named(&totals.by_refusal, code.name));
        }
        let acquire = named(&totals.by_refusal, "POOL_TIMEOUT");
        self.count(by::CONNECTION_TIMEOUTS, &[], acquire);
        self.count(by::TIMEOUTS, &["attempt"], named(&totals.by_outcome, "timeout"));
        self.count(by::TIMEOUTS, &["acquire"], acquire);
        self.count(by::TIMEOUTS, &["deadline"], named(&totals.by_refusal, "DEADLINE_EXCEEDED"));
        self.count(by::SLOW, &[], totals.slow as f64);
        self.count(by::RETRIES_DENIED, &[], totals.retries_denied as f64);
        self.count(by::HEDGES, &["sent"], totals.hedged as f64);
        self.count(by::HEDGES, &["won"], totals.hedges_won as f64);
        self.count(by::HINTS, &["merged"], totals.hints_merged as f64);
        self.count(by::HINTS, &["refused"], totals.hints_refused as f64);
        self.count(by::HINTS, &["lost"], totals.store_failures as f64);
        self.sum(by::IN_FLIGHT, &[], f64::from(facts.operations));
        for (at, outcome) in OUTCOMES.into_iter().enumerate().filter(|(_, outcome)| outcome.is_transient()) {
            self.count(by::RETRIES, &[outcome.name()], count_at(&facts.times, RETRIES_AT + at));
        }
        let recent = &facts.status.recent;
        self.sum(hidden::RECENT_MS, &[], recent.duration_ms as f64);
        self.sum(hidden::RECENT_ATTEMPTS, &[], (recent.healthy + recent.failing) as f64);
    }

    fn circuit(&mut self, facts: &DatabaseFacts) {
        let breaker = &facts.status.breaker;
        let level = STATES.into_iter().find(|state| state.name() == breaker.state).unwrap_or(State::Closed);
        self.max(hidden::CIRCUIT_LEVEL, f64::from(level as u8));
        self.max(by::CIRCUIT_FAILURES, f64::from(breaker.failures));
        for from in STATES {
            for to in STATES.into_iter().filter(|to| *to != from) {
                let count = count_at(&facts.times, TRANSITIONS_AT + from as usize * STATES.len() + to as usize);
                self.count(by::CIRCUIT_TRANSITIONS, &[from.name(), to.name()], count);
            }
        }
    }

    fn cache(&mut self, facts: &DatabaseFacts) {
        let cache = facts.cache.unwrap_or_default();
        self.count(by::CACHE_REQUESTS, &["hit"], cache.hits as f64);
        self.count(by::CACHE_REQUESTS, &["stale"], cache.stale as f64);
        self.count(by::CACHE_REQUESTS, &["miss"], cache.misses as f64);
        self.sum(by::CACHE_ENTRIES, &[], cache.entries as f64);
        self.sum(hidden::CACHE_MAX, &[], cache.entries_max as f64);
    }

    fn count(&mut self, family: &str, labels: &[&str], count: f64) {
        self.add(family, labels, &Value::Count(count));
    }

    fn sum(&mut self, family: &str, labels: &[&str], level: f64) {
        self.add(family, labels, &Value::Sum(level));
    }

    fn max(&mut self, family: &str, level: f64) {
        self.add(family, &[], &Value::Max(level));
    }

    fn add(&mut self, family: &str, labels: &[&str], value: &Value) {
        let all: Vec<&str> = std::iter::once(self.pool).chain(labels.iter().copied()).collect();
        self.samples.add(family, &all, value);
    }
}

fn count_at(times: &TimesFacts, at: usize) -> f64 {
    f64::from(times.counts.get(at).copied().unwrap_or_default())
}

/// Rows of `note::times`, in seconds.
fn spread(times: &TimesFacts, rows: &[Row]) -> Histogram {
    let mut histogram = Histogram::default();
    let mut sum_ms = 0;
    for row in rows {
        let at = *row as usize;
        sum_ms += times.sums_ms.get(at).copied().unwrap_or_default();
        let counts = times.counts.iter().skip(at * BUCKETS).take(BUCKETS);
        for (bucket, count) in (0_i16..).zip(counts.copied().map(u64::from)) {
            match bucket {
                0 => histogram.put_zeros(count),
                _ if usize::from(bucket.unsigned_abs()) == BUCKETS - 1 => histogram.put(BEYOND, count),
                _ => histogram.put(FIRST_MS + bucket - 1, count),
            }
        }
    }
    histogram.add_sum(sum_ms as f64 / 1_000.0);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::buckets;
    use crate::note::times::{BOUNDS_MS, Times};

    #[test]
    fn the_core_and_the_metrics_mean_the_same_buckets() {
        for (at, bound_ms) in BOUNDS_MS.iter().enumerate().skip(1) {
            let ours = buckets::bound(FIRST_MS + at as i16 - 1) * 1_000.0;
            assert_eq!(f64::from(*bound_ms).total_cmp(&(ours + 1e-9).floor()), std::cmp::Ordering::Equal, "{at}");
        }
    }

    #[test]
    fn what_the_core_counted_is_what_is_shown() {
        let mut times = Times::default();
        for ms in [0, 1, 7, 50, 51, 1_000, 63_001] {
            times.took(Row::Leased, ms);
        }
        times.took(Row::Held, 2_000);
        let facts = TimesFacts::of(&times);
        let own = spread(&facts, &[Row::Leased, Row::Bare]);
        assert_eq!((own.count(), own.sum()), (7, 64.11));
        // Up to 1 ms, 10 ms, 50 ms, 100 ms, 1 s, 50 s.
        let up_to = [-30, -20, -13, -10, 0, 17].map(|bucket| own.count_to(bucket));
        assert_eq!(up_to, [2, 3, 4, 5, 6, 6]);
        assert_eq!(spread(&facts, &[Row::Leased, Row::Held]).count(), 8);
    }
}
