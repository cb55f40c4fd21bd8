//! Settings to the configuration of each policy.

use super::super::Config;
use super::{Reader, small};
use crate::cluster::{ClusterConfig, Spread};
use crate::policy::backoff::Backoff;
use crate::policy::breaker::{BreakerConfig, Corners, FleetConfig, Weights};
use crate::policy::cache::CacheConfig;
use crate::policy::deadline::DeadlineConfig;
use crate::policy::hedge::HedgeConfig;
use crate::policy::lease::{Order, PoolConfig, Strategy};
use crate::policy::rate::RateConfig;
use crate::policy::read_through::ReadConfig;
use crate::policy::retry::RetryConfig;
use crate::policy::single_flight::FlightConfig;
use crate::state::codec::checksum;
use crate::state::sync::SyncConfig;

/// A read and one copy of it: a third would find the database no faster.
const LEGS_MAX: u32 = 2;
/// Reads that are shared at once, and those who wait for one of them. Beyond it, each reads for itself.
const FLIGHTS_MAX: u32 = 1_000;
const FOLLOWERS_MAX: u32 = 10_000;
/// How long a write without a deadline counts as under way when it is not heard of, in milliseconds.
const WRITE_MS_MAX: u64 = 300_000;

impl Reader<'_> {
    /// The configuration; numbers that were refused are their defaults.
    pub(super) fn config(&mut self) -> Config {
        let is_breaker_on = self.switch("circuitBreaker.enabled");
        let recovery_ms = self.whole("circuitBreaker.recoveryTimeout");
        let mut config = Config {
            breaker_id: checksum(self.raw.host.database.as_bytes()),
            is_pool_on: self.switch("connectionPool.enabled"),
            is_breaker_on,
            is_monitoring_on: self.switch("monitoring.enabled"),
            health_check_interval_ms: self.whole("health.checkInterval"),
            pool: self.pool(),
            breaker: BreakerConfig {
                failures_max: if is_breaker_on { self.failures_max() } else { 0 },
                failure_ratio: if is_breaker_on { self.number("circuitBreaker.failureRate") } else { 0.0 },
                slow_ratio: if is_breaker_on { self.number("circuitBreaker.slowRate") } else { 0.0 },
                consecutive_max: if is_breaker_on {
                    small(self.whole("circuitBreaker.consecutiveFailures"))
                } else {
                    0
                },
                calls_min: small(self.whole("circuitBreaker.minimumCalls")),
                slow_ms: self.whole("circuitBreaker.timeoutThreshold"),
                slow_is_failure: self.switch("circuitBreaker.slowIsFailure"),
                window_ms: self.whole("circuitBreaker.monitorWindow"),
                window_buckets: small(self.whole("circuitBreaker.monitorBuckets")),
                window_calls: small(self.whole("circuitBreaker.windowCalls")),
                weights: Weights {
                    timeout: self.weight("circuitBreaker.timeoutWeight"),
                    network: self.weight("circuitBreaker.networkWeight"),
                    server_error: self.weight("circuitBreaker.serverErrorWeight"),
                    rate_limited: self.weight("circuitBreaker.rateLimitedWeight"),
                    bad_response: self.weight("circuitBreaker.badResponseWeight"),
                    is_rate_limited_soft: self.switch("circuitBreaker.rateLimitedIsSoft"),
                },
                open: Backoff {
                    initial_ms: recovery_ms,
                    max_ms: self.whole("circuitBreaker.recoveryTimeoutMax").max(recovery_ms),
                    multiplier: self.number("circuitBreaker.recoveryMultiplier"),
                    jitter: self.number("circuitBreaker.recoveryJitter"),
                },
                probes_max: small(self.whole("circuitBreaker.halfOpenMaxCalls")),
                successes_to_close: small(self.whole("circuitBreaker.successThreshold")),
                corners: Corners::OURS,
                fleet: FleetConfig {
                    expected: small(self.whole("state.expectedIsolates")),
                    probes: self.number("state.probesPerWindow"),
                    ramp_ms: self.whole("state.rampTime"),
                    has_near: self.switch("state.near"),
                },
            },
            hedge: HedgeConfig { delay_ms: self.whole("hedge.delay"), legs_max: LEGS_MAX },
            hedge_ratio: self.number("hedge.maxRatio"),
            retry: RetryConfig {
                attempts_max: small(self.whole("retry.attempts")),
                backoff: Backoff {
                    initial_ms: self.whole("retry.initialDelay"),
                    max_ms: self.whole("retry.maxDelay"),
                    multiplier: self.number("retry.backoffMultiplier"),
                    jitter: self.number("retry.jitter"),
                },
                total_max_ms: self.whole("retry.maxTotal"),
                budget_initial: self.number("retry.budgetInitial"),
                budget_max: self.number("retry.budgetMax"),
                budget_ratio: self.number("retry.budgetRatio"),
            },
            deadlines: DeadlineConfig {
                query_ms: self.deadline("timeouts.query"),
                transaction_ms: self.deadline("timeouts.transaction"),
                batch_ms: self.deadline("timeouts.batchInsert"),
                health_check_ms: self.deadline("timeouts.healthCheck"),
            },
            is_cache_on: self.switch("queryCache.enabled"),
            reads: self.reads(),
            sync: SyncConfig {
                read_interval_ms: self.whole("state.readInterval"),
                write_interval_ms: self.whole("state.writeInterval"),
                write_jitter_ms: self.whole("state.writeJitter"),
                has_near: self.switch("state.near"),
            },
            slow_query_ms: if self.switch("slowQuery.enabled") { self.whole("slowQuery.threshold") } else { 0 },
            quorum: self.number("state.quorum"),
            cluster: ClusterConfig {
                is_balanced: self.switch("loadBalancing.enabled"),
                strategy: Spread::from_number(small(self.whole("loadBalancing.strategy"))),
                fails_over: self.switch("failover.enabled"),
                failover_ms: self.whole("failover.timeout"),
                targets_max: small(self.whole("failover.maxAttempts")),
            },
            rate: RateConfig::per_second(self.number("rateLimit.rate"), small(self.whole("rateLimit.burst"))),
            concurrent_max: small(self.whole("tenant.maxConcurrent")),
        };
        // A tier's own minimum yields to what the runtime can carry, or to a smaller maximum.
        if self.is_by_tier("connectionPool.minConnections") {
            config.pool.connections_min = config.pool.connections_min.min(config.pool.leases_max);
        }
        if config.pool.connections_min > config.pool.leases_max && self.is_set("connectionPool.minConnections") {
            self.problems.push(format!(
                "connectionPool.minConnections is {}, above connectionPool.maxConnections, which is {}",
                config.pool.connections_min, config.pool.leases_max
            ));
        }
        config
    }

    fn deadline(&mut self, path: &str) -> u64 {
        if self.switch("timeouts.enabled") { self.whole(path) } else { 0 }
    }

    fn pool(&mut self) -> PoolConfig {
        let or_never = |value: u64| if value == 0 { u64::MAX } else { value };
        // Checked, though the pool always counts and always keeps histories.
        _ = [self.switch("connectionPool.enableMetrics"), self.switch("connectionPool.enableTracing")];
        PoolConfig {
            strategy: Strategy::from_number(self.whole("connectionPool.strategy")),
            leases_max: small(self.whole("connectionPool.maxConnections").min(self.raw.host.connections_max)),
            connections_min: small(self.whole("connectionPool.minConnections")),
            connections_initial: small(self.whole("connectionPool.initialConnections")),
            is_warming_on: self.switch("connectionPool.connectionWarming"),
            acquire_timeout_ms: self.whole("connectionPool.acquireTimeout"),
            queue_max: small(self.whole("connectionPool.maxQueue")),
            order: match self.whole("connectionPool.queueOrder") {
                1 => Order::Fifo,
                2 => Order::Lifo,
                _ => Order::Adaptive,
            },
            overload_after_ms: self.whole("connectionPool.overloadAfter"),
            overload_timeout_ms: self.whole("connectionPool.overloadTimeout"),
            lease_ttl_ms: self.whole("connectionPool.leaseTtl"),
            idle_ttl_ms: self.whole("connectionPool.idleTimeout"),
            age_max_ms: or_never(self.whole("connectionPool.maxAge")),
            uses_max: or_never(self.whole("connectionPool.maxUses")),
            validate_after_ms: self.whole("connectionPool.validationInterval"),
            upkeep_interval_ms: self.whole("connectionPool.healthCheckInterval"),
            setup_retries: small(self.whole("connectionPool.maxRetries")),
            setup_delay_ms: self.whole("connectionPool.retryDelay"),
            setup_timeout_ms: self.whole("connectionPool.connectionTimeout"),
            has_connections: self.raw.host.has_connections,
            is_enforced: self.whole("connectionPool.stateMachine") == 0,
            is_polling: self.raw.host.is_polling,
        }
    }

    fn reads(&mut self) -> ReadConfig {
        let writes = ["timeouts.query", "timeouts.transaction", "timeouts.batchInsert"].map(|path| self.whole(path));
        ReadConfig {
            cache: CacheConfig {
                entries_max: small(self.whole("queryCache.maxSize")),
                size_max: self.whole("queryCache.maxBytes"),
                ttl_ms: self.whole("queryCache.ttl"),
                is_sliding: false,
                stale_ms: self.whole("queryCache.staleWhileRevalidate"),
                stale_if_error_ms: self.whole("queryCache.staleIfError"),
                is_stale_served_once: false,
            },
            flights: FlightConfig {
                flights_max: FLIGHTS_MAX,
                followers_max: FOLLOWERS_MAX,
                lead_ms: self.whole("queryCache.loadLease"),
                is_taken_over: true,
                is_polling: self.raw.host.is_polling,
            },
            is_shared: self.switch("queryCache.shared"),
            // Whoever wrote has been told by then, or nobody will be. Without a deadline, a guess.
            write_ms: if writes.contains(&0) { WRITE_MS_MAX } else { writes.into_iter().fold(0, u64::max) },
        }
    }

    /// Who sets a share and no count wants the share alone: five failures of a thousand calls must not open it.
    fn failures_max(&mut self) -> u32 {
        let count = small(self.whole("circuitBreaker.failureThreshold"));
        let is_set = self.is_set("circuitBreaker.failureThreshold");
        if !is_set && self.number("circuitBreaker.failureRate") > 0.0 { 0 } else { count }
    }
}
