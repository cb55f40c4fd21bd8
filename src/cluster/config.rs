//! How endpoints are chosen.

use crate::clock::Millis;

/// How reads are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Spread {
    /// The lowest cost: latency, leaning to its peaks, times what is pending. Of two at random beyond five endpoints.
    Performance = 0,
    /// One after the other.
    RoundRobin = 1,
    /// The fewest pending.
    LeastConnections = 2,
    /// `Performance` while the slowest endpoint takes over twice what the quickest takes, by their estimates;
    /// `LeastConnections` while at least two queries for each endpoint are pending; else `RoundRobin`.
    Adaptive = 3,
}

/// Names of the strategies, in the order of their numbers.
pub const STRATEGIES: [&str; 4] = ["performance", "round_robin", "least_connections", "adaptive"];

impl Spread {
    /// The strategy with this number; the default for any other.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::RoundRobin,
            2 => Self::LeastConnections,
            3 => Self::Adaptive,
            _ => Self::Performance,
        }
    }
}

/// How endpoints are chosen, and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// `false`: always the first endpoint of the first priority that is healthy.
    pub is_balanced: bool,
    /// How reads are spread.
    pub strategy: Spread,
    /// `false`: an operation has one target.
    pub fails_over: bool,
    /// An operation that moves on ends within this, in milliseconds, unless its caller gave it a time of its own.
    pub failover_ms: Millis,
    /// Targets of one operation. An open circuit is no target: it refuses before anything is sent.
    pub targets_max: u32,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        let strategy = Spread::Performance;
        Self { is_balanced: true, strategy, fails_over: true, failover_ms: 5_000, targets_max: 3 }
    }
}
