//! Settings: raw in, checked out. No defaults anywhere else.

pub mod address;
pub mod approval;
#[cfg(not(feature = "bindings"))]
pub mod document;
pub mod environment;
pub mod keys;
pub(crate) mod nearest;
pub mod parse;
pub mod raw;
pub mod rows;
#[cfg(not(feature = "bindings"))]
pub mod update;
pub mod value;
#[cfg(not(feature = "bindings"))]
pub mod variables;

use crate::clock::Millis;
use crate::cluster::ClusterConfig;
use crate::policy::breaker::BreakerConfig;
use crate::policy::deadline::DeadlineConfig;
use crate::policy::hedge::HedgeConfig;
use crate::policy::lease::PoolConfig;
use crate::policy::rate::RateConfig;
use crate::policy::read_through::ReadConfig;
use crate::policy::retry::RetryConfig;
use crate::state::sync::SyncConfig;

/// Checked settings of one engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Number of this breaker in the shared state: a hash of the database's name.
    pub breaker_id: u32,
    /// Whether leases are asked for at all.
    pub is_pool_on: bool,
    /// Whether the breaker is asked and told at all.
    pub is_breaker_on: bool,
    /// Whether what happens is counted for health documents and hints.
    pub is_monitoring_on: bool,
    /// From what age on a scheduled check asks the database again, in milliseconds.
    pub health_check_interval_ms: Millis,
    /// Leases.
    pub pool: PoolConfig,
    /// Breaker.
    pub breaker: BreakerConfig,
    /// Second legs of slow reads; without a delay there are none.
    pub hedge: HedgeConfig,
    /// Second legs for each success, at most.
    pub hedge_ratio: f64,
    /// Retries.
    pub retry: RetryConfig,
    /// Deadlines.
    pub deadlines: DeadlineConfig,
    /// Whether reads are kept without being asked for each.
    pub is_cache_on: bool,
    /// What is kept of reads, and who makes them.
    pub reads: ReadConfig,
    /// Shared state.
    pub sync: SyncConfig,
    /// A statement that takes longer is noted as slow; 0 for none.
    pub slow_query_ms: Millis,
    /// Share of the colos, by weight, that makes the fleet's view open; 0 to 1.
    pub quorum: f64,
    /// Several endpoints, for a client that has them.
    pub cluster: ClusterConfig,
    /// Operations a second.
    pub rate: RateConfig,
    /// Operations at once, running and waiting; 0 for no bound.
    pub concurrent_max: u32,
}
