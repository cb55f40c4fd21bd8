//! Half-open: how many probes are in flight, and what came of those that ended.

use super::weights::Weight;
use crate::clock::Instant;
use crate::policy::window::Counts;

/// Probes that may be in flight at once, whatever the configuration says.
pub const PROBES_MAX: usize = 16;

/// A probe in flight. It expires, so that a lost probe cannot keep the circuit half-open for ever.
#[derive(Clone, Copy, Debug)]
struct Permit {
    probe: u32,
    expires_at: Instant,
}

/// The probes of one half-open phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    permits: [Option<Permit>; PROBES_MAX],
    /// Serial number of the latest probe; 0 before the first.
    latest: u32,
    /// When it began.
    latest_at: Instant,
    /// What ended, failures in hundredths.
    results: Counts,
}

impl Probes {
    /// Starts a half-open phase: no probe in flight, no result yet.
    pub(super) const fn begin(&mut self) {
        self.permits = [None; PROBES_MAX];
        self.results = Counts { calls: 0, failures: 0, slow: 0 };
    }

    /// `None` when a permit is free, else when the first one may come back.
    pub(super) fn refused_until(&self, probes_max: u32, now: Instant) -> Option<Instant> {
        let mut permits = self.permits.iter().take(probes_max as usize);
        if permits.any(|permit| permit.is_none_or(|permit| permit.expires_at <= now)) {
            return None;
        }
        // A permit beyond the bound is no place to wait for: it may have expired long ago.
        let permits = self.permits.iter().take(probes_max as usize);
        Some(permits.flatten().map(|permit| permit.expires_at).min().unwrap_or(Instant::NEVER))
    }

    /// Takes a permit and returns the probe's serial number.
    pub(super) fn admit(&mut self, expires_at: Instant, now: Instant) -> u32 {
        self.latest = self.latest.wrapping_add(1).max(1);
        self.latest_at = now;
        let free = self.permits.iter_mut().find(|permit| permit.is_none_or(|permit| permit.expires_at <= now));
        if let Some(permit) = free {
            *permit = Some(Permit { probe: self.latest, expires_at });
        }
        self.latest
    }

    /// When the latest probe began.
    pub(super) const fn latest_at(&self) -> Instant {
        self.latest_at
    }

    /// Gives a permit back.
    pub(super) fn give_back(&mut self, probe: u32) {
        for permit in &mut self.permits {
            *permit = permit.filter(|permit| permit.probe != probe);
        }
    }

    /// Whether a probe of this phase succeeded.
    pub(super) const fn has_succeeded(&self) -> bool {
        self.results.calls > 0
    }

    /// Keeps a permit from being used again in this phase: its probe has ended with a result.
    pub(super) fn spend(&mut self, probe: u32) {
        for permit in self.permits.iter_mut().flatten().filter(|permit| permit.probe == probe) {
            permit.expires_at = Instant::NEVER;
        }
    }

    /// Counts a result; returns all of this phase.
    pub(super) const fn count(&mut self, failure: Weight, is_slow: bool) -> Counts {
        self.results.calls += 1;
        self.results.failures = self.results.failures.saturating_add(failure.hundredths as u32);
        self.results.slow += is_slow as u32;
        self.results
    }
}
