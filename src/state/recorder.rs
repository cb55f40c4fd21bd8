//! What this isolate saw, written down slice by slice.
//!
//! The running slice stands apart, so that recording costs a few additions.

use super::schema::{Health, SLICE_MS, Seen, latency_bucket, slice_of};
use crate::clock::{Instant, Millis};
use crate::outcome::Evidence;

/// Records outcomes under one reporter's id.
#[derive(Clone, Debug)]
pub struct Recorder {
    reporter: u32,
    past: Health,
    slice: u32,
    slice_ends: Instant,
    seen: Seen,
}

impl Recorder {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(reporter: u32) -> Self {
        Self { reporter, past: Health::default(), slice: 0, slice_ends: Instant(0), seen: Seen::default() }
    }

    /// Takes in one attempt. A clock that stepped back adds to the running slice.
    #[inline]
    pub fn record(&mut self, evidence: Evidence, is_slow: bool, duration_ms: Millis, now: Instant) {
        if now >= self.slice_ends {
            self.turn(now);
        }
        let seen = &mut self.seen;
        match evidence {
            Evidence::Healthy => seen.healthy = seen.healthy.saturating_add(1),
            Evidence::Failing => seen.failing = seen.failing.saturating_add(1),
            Evidence::None => return,
        }
        seen.slow = seen.slow.saturating_add(u32::from(is_slow));
        seen.duration_ms = seen.duration_ms.saturating_add(duration_ms.min(Millis::from(u32::MAX)) as u32);
        let bucket = &mut seen.latency[latency_bucket(duration_ms)];
        *bucket = bucket.saturating_add(1);
    }

    /// All that is recent, the running slice included.
    #[must_use]
    pub fn to_health(&self) -> Health {
        let mut health = self.past.clone();
        if self.seen != Seen::default() {
            health.slices.entry(self.slice).or_default().insert(self.reporter, self.seen);
            health.trim();
        }
        health
    }

    #[cold]
    #[inline(never)]
    fn turn(&mut self, now: Instant) {
        self.past = self.to_health();
        self.seen = Seen::default();
        self.slice = slice_of(now);
        self.slice_ends = Instant(Millis::from(self.slice).saturating_add(1).saturating_mul(SLICE_MS));
    }
}
