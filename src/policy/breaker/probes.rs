//! Half-open: how many probes are in flight, and how many of them succeeded in a row.

use crate::clock::Instant;

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
    successes: u32,
}

impl Probes {
    /// Starts a half-open phase: no probe in flight, no success yet.
    pub(super) const fn begin(&mut self) {
        self.permits = [None; PROBES_MAX];
        self.successes = 0;
    }

    /// `None` when a permit is free, else when the first one may come back.
    pub(super) fn refused_until(&self, probes_max: u32, now: Instant) -> Option<Instant> {
        let mut permits = self.permits.iter().take(probes_max as usize);
        if permits.any(|permit| permit.is_none_or(|permit| permit.expires_at <= now)) {
            return None;
        }
        Some(self.permits.iter().flatten().map(|permit| permit.expires_at).min().unwrap_or(Instant::NEVER))
    }

    /// Takes a permit and returns the probe's serial number.
    pub(super) fn admit(&mut self, expires_at: Instant, now: Instant) -> u32 {
        self.latest = self.latest.wrapping_add(1).max(1);
        let free = self.permits.iter_mut().find(|permit| permit.is_none_or(|permit| permit.expires_at <= now));
        if let Some(permit) = free {
            *permit = Some(Permit { probe: self.latest, expires_at });
        }
        self.latest
    }

    /// Gives a permit back.
    pub(super) fn give_back(&mut self, probe: u32) {
        for permit in &mut self.permits {
            *permit = permit.filter(|permit| permit.probe != probe);
        }
    }

    /// Whether a probe of this phase succeeded.
    pub(super) const fn has_succeeded(&self) -> bool {
        self.successes > 0
    }

    /// Counts a success; returns how many there were in a row.
    pub(super) const fn succeed(&mut self) -> u32 {
        self.successes += 1;
        self.successes
    }
}
