//! The numbers of a pool, and what follows from them.

use super::{Order, Strategy};
use crate::clock::Millis;

/// How many, for how long, and how hosts wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How the pool is sized and used.
    pub strategy: Strategy,
    /// Leases at once; at least 1.
    pub leases_max: u32,
    /// Idle connections that are kept whatever their age.
    pub connections_min: u32,
    /// Connections to set up before anybody asks; never more than `leases_max`.
    pub connections_initial: u32,
    /// Whether any are.
    pub is_warming_on: bool,
    /// How long a call may wait for a lease, in milliseconds.
    pub acquire_timeout_ms: Millis,
    /// Calls that may wait at once.
    pub queue_max: u32,
    /// Who is served first, among equally urgent ones. Of a single lease always who came first: writes may count on it.
    pub order: Order,
    /// When the oldest has waited for longer than this, and than two recent holding times, the order is that of overload;
    /// in milliseconds.
    pub overload_after_ms: Millis,
    /// Who comes to a queue that has not been empty for as long waits no longer than this, in milliseconds (CoDel as in
    /// "Fail at Scale", Maurer 2015); 0 for as long as anybody else.
    pub overload_timeout_ms: Millis,
    /// A lease that is not renewed for this long is taken back, in milliseconds.
    pub lease_ttl_ms: Millis,
    /// A connection that is idle for longer is closed, in milliseconds.
    pub idle_ttl_ms: Millis,
    /// A connection that is older is closed when nobody uses it, in milliseconds; [`Millis::MAX`] for never.
    pub age_max_ms: Millis,
    /// A connection that was taken so often is closed when it is given back; [`u64::MAX`] for never.
    pub uses_max: u64,
    /// A connection that was idle for longer is checked before it is used, in milliseconds.
    pub validate_after_ms: Millis,
    /// After set-ups that failed to the end, how long until the next, in milliseconds.
    pub upkeep_interval_ms: Millis,
    /// How often a set-up that failed is tried again.
    pub setup_retries: u32,
    /// How long before that, in milliseconds.
    pub setup_delay_ms: Millis,
    /// How long a set-up may take, in milliseconds; the host sees to it.
    pub setup_timeout_ms: Millis,
    /// Whether there is something behind a connection that the host can set up, check and close.
    pub has_connections: bool,
    /// Whether a transition that the table does not know is refused, and not only counted.
    pub is_enforced: bool,
    /// Whether waiters must ask on their own (Workers), instead of being told when a lease comes free.
    pub is_polling: bool,
}

impl PoolConfig {
    pub(super) const fn limit_min(&self) -> u32 {
        let wanted = if self.connections_min > 1 { self.connections_min } else { 1 };
        if wanted < self.leases_max { wanted } else { self.leases_max }
    }

    /// Connections that are kept however long they are idle.
    pub(super) fn kept(&self) -> u32 {
        if self.strategy == Strategy::Performance { self.leases_max } else { self.connections_min }
    }

    /// An idle connection beyond those that are kept is closed after this, in milliseconds.
    pub(super) const fn idle_max_ms(&self) -> Millis {
        let tenth = matches!(self.strategy, Strategy::ResourceConserving);
        if tenth { self.idle_ttl_ms / 10 } else { self.idle_ttl_ms }
    }

    /// Connections that are set up before anybody asks for them.
    #[must_use]
    pub fn warm_level(&self) -> u32 {
        let own = match self.strategy {
            Strategy::Performance => self.leases_max,
            Strategy::Balanced => self.connections_min,
            Strategy::Adaptive | Strategy::ResourceConserving => 0,
        };
        if self.is_warming_on { self.connections_initial.max(own).min(self.leases_max) } else { 0 }
    }
}
