//! Everything at a glance, for people, dashboards and programs that know a database manager's `get_status()`: what is
//! switched on, each database with its pool, and the query caches as one.
//!
//! Utilization and rates are ratios from 0 to 1. All of it is one isolate's, which `scope` says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::{CacheFacts, ConnectionFacts, DatabaseFacts, Facts};
use super::flags::FlagsSeen;
use super::health::{Health, HealthFacts, HealthState, ratio};
use super::score::Score;
use super::short_number;
use super::timestamp::iso8601;
use crate::clock::{Instant, Millis};
use crate::orders::follow::Follow;
use crate::orders::seen::Seen;

/// Connections of one database that are shown.
const CONNECTIONS_MAX: usize = 100;

/// The document. Its names have underscores, because those who know it know it so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// `isolate`.
    scope: &'static str,
    timestamp: String,
    uptime_ms: Millis,
    memory_bytes: u64,
    config: Switches,
    databases: BTreeMap<String, Database>,
    cache_stats: CacheStats,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tenants: BTreeMap<String, Tenants>,
    /// What this isolate has seen of the orders, by name.
    orders: BTreeMap<&'static str, OrderSeen>,
    follow: Following,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<FlagsSeen>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct OrderSeen {
    version: u64,
    /// When the strong store first told of it here.
    seen_at: Option<String>,
}

/// How soon an order that was given elsewhere is seen here.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Following {
    /// `strong`, or `cache`; empty where nobody looked.
    source: &'static str,
    /// It is looked for so often at most; a cache lags behind besides.
    interval_ms: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Switches {
    load_balancing: bool,
    load_balance_strategy: String,
    failover: bool,
    query_cache: bool,
    metrics: bool,
    tracing: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Database {
    config: DatabaseConfig,
    pool_stats: PoolStats,
    state: HealthState,
    health_score: u8,
    circuit_breaker: CircuitBreaker,
    /// At most [`CONNECTIONS_MAX`].
    connections: Vec<ConnectionFacts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct DatabaseConfig {
    #[serde(rename = "type")]
    kind: String,
    min_connections: u32,
    max_connections: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct PoolStats {
    total_connections: u32,
    active_connections: u32,
    idle_connections: u32,
    pending_requests: u32,
    #[serde(serialize_with = "short_number")]
    pool_utilization: f64,
    #[serde(serialize_with = "short_number")]
    success_rate: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct CircuitBreaker {
    state: String,
    failures: u32,
    /// When it lets a probe through, if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    /// Where an operator holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Endpoint {
    name: String,
    role: String,
    state: String,
    circuit_breaker: String,
    pending: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct CacheStats {
    size: u64,
    #[serde(serialize_with = "short_number")]
    utilization: f64,
    #[serde(serialize_with = "short_number")]
    hit_rate: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Tenants {
    live: u64,
    residues: u64,
    evicted: u64,
}

impl Overview {
    /// What is known of everything. `is_metered` says whether metrics are served.
    #[must_use]
    pub fn of(facts: &Facts, is_metered: bool) -> Self {
        let databases = &facts.databases;
        let clusters = || databases.iter().filter_map(|database| database.cluster.as_ref());
        let caches = || databases.iter().filter_map(|database| database.cache);
        let strategy = clusters().map(|cluster| cluster.strategy.as_str()).find(|strategy| *strategy != "off");
        Self {
            scope: "isolate",
            timestamp: iso8601(facts.now()),
            uptime_ms: facts.uptime_ms,
            memory_bytes: facts.memory_bytes,
            config: Switches {
                load_balancing: strategy.is_some(),
                load_balance_strategy: strategy.unwrap_or("off").to_owned(),
                failover: clusters().any(|cluster| cluster.does_fail_over),
                query_cache: caches().next().is_some(),
                metrics: is_metered,
                tracing: databases.iter().any(|database| database.is_traced),
            },
            databases: databases.iter().map(|it| (it.name.clone(), Database::of(facts, it))).collect(),
            cache_stats: CacheStats::of(caches()),
            tenants: facts
                .tenants
                .iter()
                .map(|it| {
                    let tenants = Tenants { live: it.live, residues: it.residues, evicted: it.evicted };
                    (it.name.clone(), tenants)
                })
                .collect(),
            orders: BTreeMap::new(),
            follow: Following::default(),
            flags: None,
        }
    }

    /// The same, with the flags that hold.
    #[must_use]
    pub fn with_flags(self, flags: FlagsSeen) -> Self {
        Self { flags: Some(flags), ..self }
    }

    /// The same, with what was seen of the orders.
    #[must_use]
    pub fn with_orders(mut self, seen: &Seen, follow: &Follow, is_cached: bool, interval_ms: Millis) -> Self {
        let seen_at = |name| seen.seen_at(name).map(iso8601);
        let orders =
            seen.all().map(|(name, order)| (name.text(), OrderSeen { version: order.version, seen_at: seen_at(name) }));
        self.orders = orders.collect();
        let source = if is_cached { "cache" } else { "strong" };
        self.follow = Following { source, interval_ms, problem: follow.problem() };
        self
    }
}

impl Database {
    fn of(facts: &Facts, database: &DatabaseFacts) -> Self {
        let DatabaseFacts { status, kind, cluster, .. } = database;
        let (pool, totals) = (&status.pool, &status.totals);
        let attempts = totals.successful.saturating_add(totals.failed);
        let success = if attempts == 0 { 1.0 } else { ratio(totals.successful, attempts) };
        Self {
            config: DatabaseConfig { kind: kind.clone(), min_connections: pool.min, max_connections: pool.max },
            pool_stats: PoolStats {
                total_connections: pool.max,
                active_connections: pool.borrowed,
                idle_connections: pool.available,
                pending_requests: pool.pending,
                pool_utilization: to_thousandth(ratio(u64::from(pool.borrowed), u64::from(pool.max))),
                success_rate: to_thousandth(success),
            },
            state: Health::of(&HealthFacts::of_one(facts, database)).status,
            health_score: Score::of(database, facts.now()).score,
            circuit_breaker: CircuitBreaker {
                state: status.breaker.state.to_string(),
                failures: status.breaker.failures,
                retry_at: status.breaker.retry_at_ms.map(|at_ms| iso8601(Instant(at_ms))),
                forced: status.breaker.forced.as_ref().map(ToString::to_string),
            },
            connections: database.connections.iter().take(CONNECTIONS_MAX).cloned().collect(),
            endpoints: cluster
                .iter()
                .flat_map(|cluster| &cluster.endpoints)
                .map(|endpoint| Endpoint {
                    name: endpoint.name.clone(),
                    role: endpoint.role.clone(),
                    state: endpoint.state.clone(),
                    circuit_breaker: endpoint.breaker.clone(),
                    pending: endpoint.pending,
                })
                .collect(),
        }
    }
}

impl CacheStats {
    /// Several caches as one. Without a read nothing was hit.
    fn of(caches: impl Iterator<Item = CacheFacts>) -> Self {
        let (mut size, mut room, mut served, mut missed) = (0_u64, 0_u64, 0_u64, 0_u64);
        for cache in caches {
            size = size.saturating_add(cache.entries);
            room = room.saturating_add(cache.entries_max);
            served = served.saturating_add(cache.hits).saturating_add(cache.stale);
            missed = missed.saturating_add(cache.misses);
        }
        let reads = served.saturating_add(missed);
        Self { size, utilization: to_thousandth(ratio(size, room)), hit_rate: to_thousandth(ratio(served, reads)) }
    }
}

fn to_thousandth(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Instant;
    use crate::orders::Name;
    use crate::orders::order::Order;
    use crate::report::facts::{ClusterFacts, EndpointFacts, ProbeFacts, TenantsFacts};
    use crate::report::status::{BreakerStatus, PoolStatus, Status, Totals};

    fn seen() -> Seen {
        let mut seen = Seen::default();
        for name in [Name::Kill, Name::Tokens] {
            let order = Order {
                version: 7,
                id: 1,
                updated_at: Instant(0),
                by: "ada".to_owned(),
                reason: "a test".to_owned(),
                previous: None,
                value: json!({}),
                compiled: None,
            };
            seen.look(name, Some(&order.text(name)));
            seen.verified(name, Instant(1_704_067_200_000));
        }
        seen
    }

    /// HLT-28: the overview has the shape that callers of `get_status()` know, with the numbers of their example.
    #[test]
    fn the_overview_reads_as_documented() {
        let status = Status {
            pool: PoolStatus { min: 2, max: 20, borrowed: 5, available: 3, ..PoolStatus::default() },
            totals: Totals { successful: 999, failed: 1, ..Totals::default() },
            breaker: BreakerStatus { state: "CLOSED".into(), ..BreakerStatus::default() },
            ..Status::default()
        };
        let endpoint = EndpointFacts { name: "near".into(), role: "replica".into(), ..EndpointFacts::default() };
        let primary = DatabaseFacts {
            name: "primary".to_owned(),
            kind: "libsql".to_owned(),
            connections: vec![ConnectionFacts { id: 7, state: "leased".into(), uses: 3, errors: 1 }],
            probe: Some(ProbeFacts { is_connected: true, at_ms: 1_704_067_200_000, duration_ms: 1 }),
            status,
            cache: Some(CacheFacts {
                entries: 1_500,
                entries_max: 10_000,
                hits: 80,
                stale: 5,
                misses: 15,
                ..CacheFacts::default()
            }),
            cluster: Some(ClusterFacts {
                strategy: "performance".to_owned(),
                does_fail_over: true,
                endpoints: vec![EndpointFacts {
                    state: "healthy".to_owned(),
                    breaker: "CLOSED".to_owned(),
                    pending: 1,
                    ..endpoint
                }],
            }),
            ..DatabaseFacts::default()
        };
        let tenants = TenantsFacts { name: "projects".to_owned(), live: 3, residues: 2, evicted: 1 };
        let facts = Facts {
            now_ms: 1_704_067_200_000,
            uptime_ms: 5,
            memory_bytes: 65_536,
            databases: vec![primary],
            tenants: vec![tenants],
            ..Facts::default()
        };
        let overview = Overview::of(&facts, true).with_orders(&seen(), &Follow::default(), false, 1_000);
        let expected = json!({
            "scope": "isolate",
            "timestamp": "2024-01-01T00:00:00.000Z",
            "uptime_ms": 5,
            "memory_bytes": 65_536,
            "config": {
                "load_balancing": true, "load_balance_strategy": "performance", "failover": true, "query_cache": true,
                "metrics": true, "tracing": false
            },
            "databases": {
                "primary": {
                    "config": { "type": "libsql", "min_connections": 2, "max_connections": 20 },
                    "pool_stats": {
                        "total_connections": 20, "active_connections": 5, "idle_connections": 3, "pending_requests": 0,
                        "pool_utilization": 0.25, "success_rate": 0.999
                    },
                    "state": "healthy",
                    "health_score": 100,
                    "circuit_breaker": { "state": "CLOSED", "failures": 0 },
                    "connections": [{ "id": 7, "state": "leased", "uses": 3, "errors": 1 }],
                    "endpoints": [
                        { "name": "near", "role": "replica", "state": "healthy", "circuit_breaker": "CLOSED", "pending": 1 }
                    ]
                }
            },
            "cache_stats": { "size": 1500, "utilization": 0.15, "hit_rate": 0.85 },
            "tenants": { "projects": { "live": 3, "residues": 2, "evicted": 1 } },
            "orders": { "kill": { "version": 7, "seen_at": "2024-01-01T00:00:00.000Z" } },
            "follow": { "source": "strong", "interval_ms": 1000 }
        });
        assert_eq!(serde_json::to_value(overview).unwrap_or_default(), expected);
    }

    /// HLT-29: an open circuit says when it lets a probe through, and who holds it; of very many connections the first are shown.
    #[test]
    fn an_open_circuit_says_when_it_probes() {
        let breaker = BreakerStatus {
            state: "OPEN".into(),
            failures: 5,
            retry_at_ms: Some(1_704_067_230_000),
            forced: Some("OPEN".into()),
            ..BreakerStatus::default()
        };
        let connections = (0..1_000).map(|id| ConnectionFacts { id, ..ConnectionFacts::default() }).collect();
        let status = Status { breaker, ..Status::default() };
        let database = DatabaseFacts { status, connections, ..DatabaseFacts::default() };
        let facts = Facts { databases: vec![database], ..Facts::default() };
        let overview = serde_json::to_value(Overview::of(&facts, false)).unwrap_or_default();
        let database = &overview["databases"][""];
        let expected =
            json!({ "state": "OPEN", "failures": 5, "retry_at": "2024-01-01T00:00:30.000Z", "forced": "OPEN" });
        assert_eq!(database["circuit_breaker"], expected);
        assert_eq!(database["connections"].as_array().map(Vec::len), Some(100));
    }

    #[test]
    fn caches_add_up_and_without_any_there_is_nothing() {
        let cache =
            |entries, hits, misses| CacheFacts { entries, entries_max: 10, hits, misses, ..CacheFacts::default() };
        let both = CacheStats::of([cache(5, 9, 1), cache(0, 0, 10)].into_iter());
        assert_eq!(both, CacheStats { size: 5, utilization: 0.25, hit_rate: 0.45 });
        let none = CacheStats::of(std::iter::empty());
        assert_eq!(none, CacheStats { size: 0, utilization: 0.0, hit_rate: 0.0 });
    }

    #[test]
    fn a_database_that_was_not_asked_has_failed_nothing() {
        let facts = Facts { databases: vec![DatabaseFacts::default()], ..Facts::default() };
        let overview = serde_json::to_value(Overview::of(&facts, false)).unwrap_or_default();
        assert_eq!(overview["databases"][""]["pool_stats"]["success_rate"], 1);
        assert_eq!(overview["config"]["load_balance_strategy"], "off");
    }
}
