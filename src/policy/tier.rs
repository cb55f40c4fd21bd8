//! Tiers: what a tenant may use, as presets under settings that somebody made.
//!
//! The table is here and nowhere else. A tier is a default: what is set explicitly, or by the environment, wins over it.
//! The largest number of connections is capped by what a runtime can carry, which on Workers is 6.
//!
//! With [`Tier::Free`], 20 operations may be in hand at once: 5 run and 15 wait for a connection. The 21st is refused.

use crate::clock::Millis;
use crate::query::Priority;

/// What a tenant pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tier {
    /// The first.
    Free = 1,
    /// The second.
    Starter = 2,
    /// The third.
    Pro = 3,
    /// The fourth.
    Enterprise = 4,
}

/// What a tier gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierLimits {
    /// Its name, stable for ever.
    pub name: &'static str,
    /// Idle connections that are kept.
    pub connections_min: u32,
    /// Connections at once.
    pub connections_max: u32,
    /// Operations at once, running and waiting.
    pub concurrent_max: u32,
    /// How long a query may take, in milliseconds.
    pub timeout_ms: Millis,
    /// Who goes first where tenants share what there is.
    pub priority: Priority,
}

/// The table, in the order of the numbers, from 1.
pub const TIERS: [TierLimits; 4] = [
    row("FREE", (2, 5, 20), 10_000, Priority::Low),
    row("STARTER", (5, 10, 50), 30_000, Priority::Medium),
    row("PRO", (10, 50, 200), 60_000, Priority::High),
    row("ENTERPRISE", (20, 100, 500), 120_000, Priority::Critical),
];

const fn row(
    name: &'static str,
    (connections_min, connections_max, concurrent_max): (u32, u32, u32),
    timeout_ms: Millis,
    priority: Priority,
) -> TierLimits {
    TierLimits { name, connections_min, connections_max, concurrent_max, timeout_ms, priority }
}

impl Tier {
    /// The tier of a number; `None` for 0 and for what there is not.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Free),
            2 => Some(Self::Starter),
            3 => Some(Self::Pro),
            4 => Some(Self::Enterprise),
            _ => None,
        }
    }

    /// What the table says.
    #[must_use]
    pub const fn limits(self) -> &'static TierLimits {
        &TIERS[self as usize - 1]
    }

    /// What a setting is under this tier if nobody sets it, if the tier says anything of it; `fallback` is what it is without
    /// a tier.
    ///
    /// No class of operations but probes gets less time than a query.
    #[must_use]
    pub fn preset(self, path: &str, fallback: f64) -> Option<f64> {
        let limits = self.limits();
        let value = match path {
            "connectionPool.minConnections" => f64::from(limits.connections_min),
            "connectionPool.maxConnections" => f64::from(limits.connections_max),
            "tenant.maxConcurrent" => f64::from(limits.concurrent_max),
            "timeouts.query" => limits.timeout_ms as f64,
            "timeouts.transaction" | "timeouts.batchInsert" => fallback.max(limits.timeout_ms as f64),
            _ => return None,
        };
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TIER-01 to TIER-05: there are four tiers, each with its least and most connections, its concurrency, time and priority
    #[test]
    fn the_table_is_as_promised() {
        let table: Vec<_> = TIERS
            .iter()
            .map(|it| (it.name, it.connections_min, it.connections_max, it.concurrent_max, it.timeout_ms, it.priority))
            .collect();
        assert_eq!(
            table,
            [
                ("FREE", 2, 5, 20, 10_000, Priority::Low),
                ("STARTER", 5, 10, 50, 30_000, Priority::Medium),
                ("PRO", 10, 50, 200, 60_000, Priority::High),
                ("ENTERPRISE", 20, 100, 500, 120_000, Priority::Critical),
            ]
        );
        for (index, limits) in TIERS.iter().enumerate() {
            assert_eq!(Tier::from_number(index as u64 + 1).map(Tier::limits), Some(limits));
        }
        assert_eq!((Tier::from_number(0), Tier::from_number(5)), (None, None));
    }

    #[test]
    fn no_class_but_probes_gets_less_time_than_a_query() {
        assert_eq!(Tier::Free.preset("timeouts.transaction", 30_000.0), Some(30_000.0));
        assert_eq!(Tier::Pro.preset("timeouts.transaction", 30_000.0), Some(60_000.0));
        assert_eq!(Tier::Enterprise.preset("timeouts.batchInsert", 60_000.0), Some(120_000.0));
        assert_eq!(Tier::Enterprise.preset("timeouts.healthCheck", 3_000.0), None);
    }
}
