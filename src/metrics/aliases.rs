//! The same by the names of older systems, so that their dashboards and alerts go on as they are.
//!
//! They are about the first database and have no label for it. `prisma`, `platform` and `familyos` are the three
//! layers that they come from.

use super::document::{DURATIONS, Picture, Reading, Series, Shown, ratio, states};
use super::families::{self as by, Kind, hidden};
use super::histogram::Histogram;
use super::names::Names;
use crate::outcome::OUTCOMES;

/// The families of the older systems that are wanted.
#[must_use]
pub fn shown(picture: &Picture, names: Names) -> Vec<Shown> {
    let first = First { picture, pool: &picture.primary };
    let mut shown = Vec::new();
    if names.prisma {
        shown.extend(first.prisma());
    }
    if names.platform {
        shown.extend(first.platform());
    }
    if names.familyos {
        shown.extend(first.familyos());
    }
    shown
}

/// The first database.
struct First<'a> {
    picture: &'a Picture,
    pool: &'a str,
}

impl First<'_> {
    fn prisma(&self) -> Vec<Shown> {
        let (max, used) = (self.max(), self.used());
        let average = ratio(self.of(hidden::RECENT_MS), self.of(hidden::RECENT_ATTEMPTS), 0.0);
        vec![
            gauge("db_connections_total", "Most connections of the pool at once.", max),
            gauge("db_connections_active", "Connections in use.", used),
            gauge("db_connections_idle", "Connections that may be taken.", (max - used).max(0.0)),
            gauge(
                "db_pool_utilization_percent",
                "Connections in use, in percent of the most.",
                self.utilization() * 100.0,
            ),
            gauge("db_query_duration_avg_ms", "Mean time of the last minute's attempts, in milliseconds.", average),
            counter("db_queries_slow_total", "Attempts that took longer than the limit.", self.of(by::SLOW)),
            counter("db_queries_successful_total", "Attempts that did what was asked.", self.successful()),
            counter("db_queries_failed_total", "Attempts that did not.", self.failed()),
            Shown { series: self.score(), ..gauge("db_health_score", "How healthy the database is, 0 to 100.", 0.0) },
            Shown {
                series: states("value", None, self.of(hidden::CIRCUIT_LEVEL)),
                ..gauge("db_circuit_breaker_state", "1 for the state that the circuit is in, 0 for the others.", 0.0)
            },
            gauge("db_circuit_breaker_failures", "Failures in the circuit's window.", self.of(by::CIRCUIT_FAILURES)),
            gauge("db_operations_active", "Operations that have begun and not ended.", self.of(by::IN_FLIGHT)),
            counter("db_timeouts_total", "What took too long, of any kind.", self.sum(by::TIMEOUTS, |_| true)),
        ]
    }

    fn platform(&self) -> Vec<Shown> {
        let (max, used) = (self.max(), self.used());
        let sizes = [("active", used), ("idle", (max - used).max(0.0)), ("pending", self.of(by::CONNECTION_PENDING))];
        let errors = OUTCOMES.into_iter().map(crate::outcome::Outcome::name).filter(|name| is_failure(name));
        vec![
            gauge("db_active_connections", "Connections in use.", used),
            Shown {
                series: sizes.map(|(status, size)| Series::new(&[("status", status)], size)).into(),
                ..gauge("db_pool_size", "Connections by status: active, idle, or asked for (pending).", 0.0)
            },
            gauge(
                "circuit_breaker_state",
                "The circuit: 0 closed, 1 half-open, 2 open.",
                self.of(hidden::CIRCUIT_LEVEL),
            ),
            counter("db_queries_total", "Attempts that ended.", self.successful() + self.failed()),
            Shown {
                series: errors
                    .map(|name| Series::new(&[("type", name)], self.picture.number(by::OPERATIONS, &[self.pool, name])))
                    .collect(),
                ..counter("db_errors_total", "Attempts that failed, by type.", 0.0)
            },
            spread("db_query_duration_seconds", "Time of attempts.", self.durations()),
            spread("db_connection_acquire_duration_seconds", "Time for which an operation waited for a connection.", {
                self.picture
                    .samples
                    .spread(by::CONNECTION_WAIT, |labels| labels.first().is_some_and(|it| it == self.pool))
            }),
        ]
    }

    fn familyos(&self) -> Vec<Shown> {
        let pool = |name: &str| format!("familyos_connection_pool_{name}");
        let cache = |name: &str| format!("familyos_query_cache_{name}");
        let result = |wanted: &'static [&'static str]| {
            self.sum(by::CACHE_REQUESTS, move |labels| labels.get(1).is_some_and(|it| wanted.contains(&it.as_str())))
        };
        let utilization = ratio(self.of(by::CACHE_ENTRIES), self.of(hidden::CACHE_MAX), 0.0);
        let success = ratio(self.successful(), self.successful() + self.failed(), 1.0);
        vec![
            gauge(&pool("total_connections"), "Most connections of the pool at once.", self.max()),
            gauge(&pool("active_connections"), "Connections in use.", self.used()),
            gauge(&pool("utilization"), "Connections in use, as a share of the most.", self.utilization()),
            gauge(&pool("success_rate"), "Attempts that did what was asked, as a share of all.", success),
            spread("familyos_database_query_duration_seconds", "Time of attempts.", self.durations()),
            counter(
                "familyos_database_slow_queries_total",
                "Attempts that took longer than the limit.",
                self.of(by::SLOW),
            ),
            counter(&cache("hits_total"), "Reads that were served from memory.", result(&["hit", "stale"])),
            counter(&cache("misses_total"), "Reads that had to wait for the database.", result(&["miss"])),
            gauge(&cache("size"), "Results that are kept.", self.of(by::CACHE_ENTRIES)),
            gauge(&cache("utilization"), "Results that are kept, as a share of the most.", utilization),
        ]
    }

    fn of(&self, family: &str) -> f64 {
        self.picture.number(family, &[self.pool])
    }

    fn sum(&self, family: &str, is_wanted: impl Fn(&[String]) -> bool) -> f64 {
        let is_first = |labels: &[String]| labels.first().is_some_and(|pool| pool == self.pool);
        self.picture.samples.total(family, |labels| is_first(labels) && is_wanted(labels))
    }

    fn max(&self) -> f64 {
        self.of(by::CONNECTION_MAX)
    }

    fn used(&self) -> f64 {
        self.picture.number(by::CONNECTIONS, &[self.pool, "used"])
    }

    fn utilization(&self) -> f64 {
        ratio(self.used(), self.max(), 0.0)
    }

    fn successful(&self) -> f64 {
        self.picture.number(by::OPERATIONS, &[self.pool, "success"])
    }

    fn failed(&self) -> f64 {
        self.sum(by::OPERATIONS, |labels| labels.get(1).is_some_and(|outcome| is_failure(outcome)))
    }

    fn score(&self) -> Vec<Series> {
        self.picture.score.map(|score| Series::new(&[], score)).into_iter().collect()
    }

    fn durations(&self) -> Histogram {
        self.picture.samples.spread(by::DURATION, |labels| labels.get(1).is_some_and(|it| it == self.pool))
    }
}

/// Whether an attempt that ended so failed: neither a success nor left by its caller.
fn is_failure(outcome: &str) -> bool {
    outcome != "success" && outcome != "aborted"
}

fn gauge(name: &str, help: &str, number: f64) -> Shown {
    shown_as(name, Kind::Gauge, help, Reading::Number(number))
}

fn counter(name: &str, help: &str, number: f64) -> Shown {
    shown_as(name, Kind::Counter, help, Reading::Number(number))
}

fn spread(name: &str, help: &str, histogram: Histogram) -> Shown {
    shown_as(name, Kind::Histogram, help, Reading::Spread(histogram))
}

fn shown_as(name: &str, kind: Kind, help: &str, reading: Reading) -> Shown {
    let series = vec![Series { labels: Vec::new(), reading }];
    Shown { name: name.to_owned(), kind, help: help.to_owned(), bounds: DURATIONS, series }
}
