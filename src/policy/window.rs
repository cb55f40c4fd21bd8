//! Counts over the recent past, in exact time buckets.
//!
//! A bucket belongs to an absolute slice of time, `floor(now / width)`, and leaves when that slice has passed, so
//! a frozen isolate forgets as fast as a busy one and no timer is needed. (Averages that decay give a burst almost
//! no weight; windows turned by a timer stand still with it.)
//!
//! With 60 s in 12 buckets, a failure counts for 55 to 60 s.

use crate::clock::{Instant, Millis};

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Everything recorded.
    pub calls: u32,
    /// Of those, the failures.
    pub failures: u32,
    /// Of those, the calls that took longer than the limit.
    pub slow: u32,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
    }

    fn subtract(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failures = self.failures.saturating_sub(other.failures);
        self.slow = self.slow.saturating_sub(other.slow);
    }
}

/// A ring of buckets with running totals; recording is O(1).
#[derive(Clone, Debug)]
pub struct Window {
    width_ms: Millis,
    buckets: Vec<Counts>,
    totals: Counts,
    /// Absolute number of the newest bucket.
    head: u64,
    /// Where the newest bucket is in the ring.
    head_slot: usize,
    /// When the newest bucket ends, so that most calls need no division.
    head_ends: Instant,
}

impl Window {
    /// A window of `size_ms` in `buckets` equal slices; each at least 1 ms and 1.
    #[must_use]
    pub fn new(size_ms: Millis, buckets: u32) -> Self {
        let count = buckets.clamp(1, 1_024);
        let width_ms = (size_ms / Millis::from(count)).max(1);
        Self {
            width_ms,
            buckets: vec![Counts::default(); count as usize],
            totals: Counts::default(),
            head: 0,
            head_slot: 0,
            head_ends: Instant(width_ms),
        }
    }

    /// Adds to the bucket of `now`. A clock that stepped back adds to the newest bucket.
    pub fn record(&mut self, counts: Counts, now: Instant) {
        self.roll(now);
        self.totals.add(counts);
        if let Some(bucket) = self.buckets.get_mut(self.head_slot) {
            bucket.add(counts);
        }
    }

    /// Adds one call that neither failed nor was slow: [`Window::record`] for the common case.
    #[inline]
    pub fn record_call(&mut self, now: Instant) {
        self.roll(now);
        self.totals.calls = self.totals.calls.saturating_add(1);
        if let Some(bucket) = self.buckets.get_mut(self.head_slot) {
            bucket.calls = bucket.calls.saturating_add(1);
        }
    }

    /// What has been recorded in the window that ends at `now`.
    pub fn totals(&mut self, now: Instant) -> Counts {
        self.roll(now);
        self.totals
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.fill(Counts::default());
        self.totals = Counts::default();
    }

    fn slot(&self, number: u64) -> usize {
        (number % self.buckets.len() as u64) as usize
    }

    #[inline]
    fn roll(&mut self, now: Instant) {
        if now >= self.head_ends {
            self.turn(now);
        }
    }

    #[cold]
    fn turn(&mut self, now: Instant) {
        let target = now.0 / self.width_ms;
        if target <= self.head {
            return;
        }
        if target - self.head >= self.buckets.len() as u64 {
            self.clear();
        } else {
            for number in self.head + 1..=target {
                let slot = self.slot(number);
                if let Some(bucket) = self.buckets.get_mut(slot) {
                    self.totals.subtract(*bucket);
                    *bucket = Counts::default();
                }
            }
        }
        self.head = target;
        self.head_slot = self.slot(target);
        self.head_ends = Instant(target.saturating_add(1).saturating_mul(self.width_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: Counts = Counts { calls: 1, failures: 1, slow: 0 };

    #[test]
    fn a_failure_leaves_when_its_slice_has_passed() {
        let mut window = Window::new(1_000, 10);
        window.record(FAILURE, Instant(50));
        assert_eq!(window.totals(Instant(999)).failures, 1);
        assert_eq!(window.totals(Instant(1_000)).failures, 0);
    }

    #[test]
    fn an_idle_hour_forgets_everything() {
        let mut window = Window::new(5_000, 10);
        for _ in 0..4 {
            window.record(FAILURE, Instant(0));
        }
        window.record(FAILURE, Instant(3_600_000));
        assert_eq!(window.totals(Instant(3_600_000)).failures, 1);
    }

    #[test]
    fn a_clock_that_steps_back_neither_loses_nor_revives() {
        let mut window = Window::new(1_000, 10);
        window.record(FAILURE, Instant(5_000));
        window.record(FAILURE, Instant(100));
        assert_eq!(window.totals(Instant(100)).failures, 2);
        assert_eq!(window.totals(Instant(6_000)).failures, 0);
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        let mut window = Window::new(1, 1);
        window.record(FAILURE, Instant::NEVER);
        assert_eq!(window.totals(Instant::NEVER).failures, 1);
    }
}
