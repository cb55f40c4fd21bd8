//! When to read and when to write the shared snapshot.
//!
//! Nothing while healthy: no reads, no writes. A read is wanted once at a cold start, after a failure (suspicion),
//! and while the circuit is not closed, but never sooner than `read_interval_ms` after the last. A write is wanted
//! when something happened here that the store does not know, never sooner than `write_interval_ms` after the
//! last, and the host waits a random part of `write_jitter_ms` first and reads before it writes. A refused write
//! is dropped: what it said is said again by the next news, or learnt again.

use crate::clock::{Instant, Millis};
use crate::rng::Rng;

/// How often the store may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncConfig {
    /// Between two reads of one isolate, in milliseconds.
    pub read_interval_ms: Millis,
    /// Between two writes of one isolate, in milliseconds. Workers KV refuses more than one a second per key.
    pub write_interval_ms: Millis,
    /// A write waits a random time up to this, in milliseconds, so that a fleet does not write at once.
    pub write_jitter_ms: Millis,
}

/// Keeps the schedule.
#[derive(Clone, Debug)]
pub struct Sync {
    config: SyncConfig,
    read_at: Option<Instant>,
    wrote_at: Option<Instant>,
    is_suspicious: bool,
}

impl Sync {
    /// Nothing read, nothing written.
    #[must_use]
    pub const fn new(config: SyncConfig) -> Self {
        Self { config, read_at: None, wrote_at: None, is_suspicious: false }
    }

    /// An attempt failed: others may know more.
    pub const fn suspect(&mut self) {
        self.is_suspicious = true;
    }

    /// Whether an attempt failed since the last read.
    #[must_use]
    pub const fn is_suspicious(&self) -> bool {
        self.is_suspicious
    }

    /// Whether a read is wanted now. Saying yes starts the interval, so that one request asks for all.
    pub fn claim_read(&mut self, is_circuit_closed: bool, now: Instant) -> bool {
        let is_due = self.read_at.is_none_or(|at| now.since(at) >= self.config.read_interval_ms);
        let is_wanted = (self.is_suspicious || !is_circuit_closed) && is_due;
        if is_wanted {
            self.read_at = Some(now);
            self.is_suspicious = false;
        }
        is_wanted
    }

    /// Claims the one read of a cold start; false if anything was read before.
    pub fn claim_cold_read(&mut self, now: Instant) -> bool {
        let is_cold = self.read_at.is_none();
        if is_cold {
            self.read_at = Some(now);
        }
        is_cold
    }

    /// Whether a write is wanted now, and after how many milliseconds. Saying yes starts the interval.
    pub fn claim_write(&mut self, is_news: bool, now: Instant, rng: &mut impl Rng) -> Option<Millis> {
        let is_due = self.wrote_at.is_none_or(|at| now.since(at) >= self.config.write_interval_ms);
        if !is_news || !is_due {
            return None;
        }
        let delay_ms = (self.config.write_jitter_ms as f64 * rng.unit()) as Millis;
        self.wrote_at = Some(now.plus(delay_ms));
        Some(delay_ms)
    }

    /// Takes other settings.
    pub const fn reconfigure(&mut self, config: SyncConfig) {
        self.config = config;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    const CONFIG: SyncConfig =
        SyncConfig { read_interval_ms: 30_000, write_interval_ms: 1_000, write_jitter_ms: 2_000 };

    #[test]
    fn a_healthy_isolate_reads_once_when_cold_and_never_again() {
        let mut sync = Sync::new(CONFIG);
        assert!(sync.claim_cold_read(Instant(0)));
        assert!(!sync.claim_cold_read(Instant(1)));
        assert!(!sync.claim_read(true, Instant(1_000_000)));
        assert_eq!(sync.claim_write(false, Instant(1_000_000), &mut SplitMix::new(1)), None);
    }

    #[test]
    fn a_storm_of_failures_asks_at_most_once_per_interval() {
        let mut sync = Sync::new(CONFIG);
        let reads = (0..100_000_u64)
            .filter(|now| {
                sync.suspect();
                sync.claim_read(false, Instant(*now))
            })
            .count();
        assert_eq!(reads, 4);
    }

    #[test]
    fn news_is_written_after_a_jitter_and_not_again_within_the_interval() {
        let mut sync = Sync::new(CONFIG);
        let mut rng = SplitMix::new(9);
        let delay = sync.claim_write(true, Instant(0), &mut rng);
        assert!(delay.is_some_and(|ms| ms < 2_000));
        assert_eq!(sync.claim_write(true, Instant(delay.unwrap_or(0) + 999), &mut rng), None);
        assert!(sync.claim_write(true, Instant(delay.unwrap_or(0) + 1_000), &mut rng).is_some());
    }
}
