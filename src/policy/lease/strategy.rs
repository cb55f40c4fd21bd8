//! How many connections there are, and which one is taken: what differs between the four strategies.
//!
//! | | adaptive | balanced | performance | resource_conserving |
//! |---|---|---|---|---|
//! | idle one that is taken | used latest | idle for longest | fastest; every 16th time the one idle for longest | used latest |
//! | one more than there are | at once | at once | at once | after somebody waited 50 ms |
//! | limit after a quiet time | most in use in 30 s, plus 1 | as it was | as it was | most in use in 10 s |
//! | kept, however long idle | `connections_min` | `connections_min` | `leases_max` | `connections_min` |
//! | idle longer is closed | `idle_ttl` | `idle_ttl` | never | a tenth of `idle_ttl` |
//! | warmed at least | none | `connections_min` | `leases_max` | none |
//!
//! The limit never leaves `connections_min` (1 at least) to `leases_max`. decisions/0021 says why no limit follows the
//! latency here.

use super::{PoolConfig, Slot};
use crate::clock::{Instant, Millis};

/// A slower connection comes into the choice again this often.
const EXPLORE_EVERY: u32 = 16;

/// How a pool is sized and used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Strategy {
    /// Grows at once, keeps what the recent load needed and one more.
    Adaptive = 0,
    /// Uses all connections alike.
    Balanced = 1,
    /// Keeps all connections warm and takes the fastest.
    Performance = 2,
    /// As few connections as bearable.
    ResourceConserving = 3,
}

impl Strategy {
    /// The strategy with this number; adaptive for any other.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Balanced,
            2 => Self::Performance,
            3 => Self::ResourceConserving,
            _ => Self::Adaptive,
        }
    }

    const fn has_own_limit(self) -> bool {
        matches!(self, Self::Adaptive | Self::ResourceConserving)
    }

    /// One more connection is worth making when somebody has waited for so long, in milliseconds.
    pub(super) const fn grows_after_ms(self) -> Millis {
        if matches!(self, Self::ResourceConserving) { 50 } else { 0 }
    }

    /// What was not needed for so long is given up, in milliseconds.
    const fn quiet_ms(self) -> Millis {
        match self {
            Self::Adaptive => 30_000,
            Self::ResourceConserving => 10_000,
            Self::Balanced | Self::Performance => Millis::MAX,
        }
    }

    /// Whether the connection that came back last is the one to take.
    #[inline]
    pub(super) const fn takes_latest(self) -> bool {
        self.has_own_limit()
    }

    /// How much a connection is to be preferred to others.
    pub(super) fn preference(self, slot: &Slot, serial: u32) -> u64 {
        let used_at = slot.connection.last_used_at().0;
        match self {
            Self::Adaptive | Self::ResourceConserving => used_at,
            Self::Balanced => u64::MAX - used_at,
            Self::Performance if serial.is_multiple_of(EXPLORE_EVERY) => u64::MAX - used_at,
            Self::Performance => u64::MAX - (slot.latency_ms * 1_000.0) as u64,
        }
    }
}

/// The limit in force, and what moves it.
#[derive(Clone, Debug)]
pub(super) struct Sizing {
    pub(super) limit: u32,
    /// Most leases at once since the window began.
    pub(super) peak: u32,
    window_began: Instant,
}

impl Sizing {
    pub(super) fn new(config: &PoolConfig) -> Self {
        let limit = if config.strategy.has_own_limit() {
            config.connections_initial.min(config.leases_max).max(config.limit_min())
        } else {
            config.leases_max
        };
        Self { limit, peak: 0, window_began: Instant(0) }
    }

    /// The limit under other settings.
    pub(super) fn reconfigure(&mut self, config: &PoolConfig) {
        self.limit = match config.strategy.has_own_limit() {
            true => self.limit.clamp(config.limit_min(), config.leases_max),
            false => config.leases_max,
        };
    }

    /// One more, if somebody has waited for long enough and there may be more.
    pub(super) fn grow(&mut self, config: &PoolConfig, waited_ms: Millis) {
        if self.limit < config.leases_max && waited_ms >= config.strategy.grows_after_ms() {
            self.limit += 1;
        }
    }

    /// Gives up what was not needed in a whole window. `now` is any time; nothing happens between windows.
    pub(super) fn shrink(&mut self, config: &PoolConfig, in_use: u32, now: Instant) {
        if now.since(self.window_began) < config.strategy.quiet_ms() {
            return;
        }
        let is_first = self.window_began == Instant(0);
        let spare = u32::from(config.strategy == Strategy::Adaptive);
        if !is_first {
            self.limit = self.limit.min(self.peak.saturating_add(spare)).max(config.limit_min());
        }
        (self.window_began, self.peak) = (now, in_use);
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests;
