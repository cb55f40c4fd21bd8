//! How long things took, and rare counts by two words: what metrics are made of, at the cost of one increment.
//!
//! Durations are whole milliseconds, so a bucket is found in a table: bucket 0 is for 0 ms, bucket `n` ends at
//! [`BOUNDS_MS`]`[n]`. They are the buckets of `metrics::buckets`, rounded down to what a whole number can be; a test compares both.

use crate::clock::Millis;
use crate::outcome::{OUTCOMES, Outcome};
use crate::policy::breaker::State;

/// Where the buckets end, in milliseconds. The last one, for what took longer, has no end.
pub const BOUNDS_MS: [u16; BUCKETS - 1] = [
    0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100, 125, 160, 200, 250, 320, 400, 500,
    630, 800, 1_000, 1_250, 1_600, 2_000, 2_500, 3_200, 4_000, 5_000, 6_300, 8_000, 10_000, 12_500, 16_000, 20_000,
    25_000, 32_000, 40_000, 50_000, 63_000,
];

/// Buckets of a row.
pub const BUCKETS: usize = 51;

/// What took so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Row {
    /// An attempt on a connection of its own, that did what was asked.
    Leased = 0,
    /// An attempt without one, because the pool is off or a transaction holds it, that did.
    Bare = 1,
    /// An attempt on a connection of its own, that did not.
    LeasedFailed = 2,
    /// An attempt without one, that did not.
    BareFailed = 3,
    /// A connection was held for something else: a transaction, or an attempt that its caller left.
    Held = 4,
    /// An attempt without one, that its caller left.
    Left = 5,
    /// A call waited for a connection and got it.
    Waited = 6,
    /// A connection was set up.
    SetUp = 7,
}

impl Row {
    /// The row of an attempt.
    #[inline(always)]
    #[must_use]
    pub const fn of_attempt(outcome: Outcome, is_leased: bool) -> Self {
        match (outcome, is_leased) {
            (Outcome::Success, true) => Self::Leased,
            (Outcome::Success, false) => Self::Bare,
            (Outcome::Aborted, true) => Self::Held,
            (Outcome::Aborted, false) => Self::Left,
            (_, true) => Self::LeasedFailed,
            (_, false) => Self::BareFailed,
        }
    }
}

/// Buckets up to the one that ends at 100 ms.
const BUCKETS_TO_100: usize = 22;

/// Number of rows.
pub const ROWS: usize = 8;
/// States of the circuit.
const STATES: usize = 3;
/// Numbers in [`Times::counts`].
pub const COUNTS: usize = ROWS * BUCKETS + STATES * STATES + OUTCOMES.len();
/// Where the changes of the circuit begin.
pub const TRANSITIONS_AT: usize = ROWS * BUCKETS;
/// Where the retries begin.
pub const RETRIES_AT: usize = TRANSITIONS_AT + STATES * STATES;

/// The counts of one engine since it was made. They lie in memory as they are written here, for a host that reads them
/// there: [`ROWS`] numbers of 64 bits, then [`COUNTS`] numbers of 32 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Times {
    sums_ms: [u64; ROWS],
    counts: [u32; COUNTS],
}

impl Default for Times {
    fn default() -> Self {
        Self { sums_ms: [0; ROWS], counts: [0; COUNTS] }
    }
}

impl Times {
    /// Counts a duration.
    #[inline(never)]
    pub fn took(&mut self, row: Row, ms: Millis) {
        // Most are short: the greater half of the table is looked at only for those that are not.
        let mut bucket = if ms > 100 { BUCKETS_TO_100 } else { 0 };
        while BOUNDS_MS.get(bucket).is_some_and(|bound| Millis::from(*bound) < ms) {
            bucket += 1;
        }
        self.sums_ms[row as usize] += ms;
        self.count(row as usize * BUCKETS + bucket);
    }

    /// Counts a change of the circuit.
    pub fn changed(&mut self, from: State, to: State) {
        self.count(TRANSITIONS_AT + from as usize * STATES + to as usize);
    }

    /// Counts a retry, by how the attempt before ended.
    pub fn retried(&mut self, outcome: Outcome) {
        self.count(RETRIES_AT + outcome as usize);
    }

    #[inline(always)]
    fn count(&mut self, at: usize) {
        if let Some(count) = self.counts.get_mut(at) {
            *count = count.wrapping_add(1);
        }
    }

    /// Sums of the durations of each row, in milliseconds.
    #[must_use]
    pub const fn sums_ms(&self) -> &[u64; ROWS] {
        &self.sums_ms
    }

    /// Counts: of each row by bucket, then of the circuit's changes by state before and after, then of retries by outcome.
    #[must_use]
    pub const fn counts(&self) -> &[u32; COUNTS] {
        &self.counts
    }

    /// Where it is in memory, in bytes.
    #[must_use]
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_that_holds_it() {
        for (ms, bucket) in
            [(0, 0), (1, 1), (2, 4), (7, 10), (8, 10), (13, 13), (1_000, 31), (63_000, 49), (63_001, 50)]
        {
            let mut times = Times::default();
            times.took(Row::Waited, ms);
            assert_eq!(times.counts()[Row::Waited as usize * BUCKETS + bucket], 1, "{ms}");
            assert_eq!(times.sums_ms()[Row::Waited as usize], ms);
        }
        let mut times = Times::default();
        times.took(Row::SetUp, Millis::MAX);
        assert_eq!(times.counts().iter().sum::<u32>(), 1);
    }
    #[test]
    fn every_row_change_and_retry_has_a_place_of_its_own() {
        let mut times = Times::default();
        let rows =
            [Row::Leased, Row::Bare, Row::LeasedFailed, Row::BareFailed, Row::Held, Row::Left, Row::Waited, Row::SetUp];
        assert_eq!(rows.len(), ROWS);
        for row in rows {
            times.took(row, 0);
            times.took(row, 100);
            times.took(row, 101);
            times.took(row, Millis::MAX / 16);
        }
        let states = [State::Closed, State::HalfOpen, State::Open];
        for from in states {
            for to in states {
                times.changed(from, to);
            }
        }
        for outcome in OUTCOMES {
            times.retried(outcome);
        }
        let counts = times.counts();
        for row in 0..ROWS {
            let found: Vec<usize> = (0..BUCKETS).filter(|bucket| counts[row * BUCKETS + bucket] == 1).collect();
            assert_eq!(found, [0, BUCKETS_TO_100 - 1, BUCKETS_TO_100, BUCKETS - 1]);
        }
        assert!(counts[TRANSITIONS_AT..].iter().all(|count| *count == 1), "{counts:?}");
        assert_eq!(counts.len() - TRANSITIONS_AT, STATES * STATES + OUTCOMES.len());
        times.retried(Outcome::Network);
        times.changed(State::Open, State::HalfOpen);
        assert_eq!(times.counts()[RETRIES_AT + 3], 2);
        assert_eq!(times.counts()[TRANSITIONS_AT + 7], 2);
    }

    #[test]
    fn an_attempt_has_its_row_by_its_end_and_by_what_it_held() {
        for outcome in OUTCOMES {
            let expected = match outcome {
                Outcome::Success => (Row::Leased, Row::Bare),
                Outcome::Aborted => (Row::Held, Row::Left),
                _ => (Row::LeasedFailed, Row::BareFailed),
            };
            assert_eq!((Row::of_attempt(outcome, true), Row::of_attempt(outcome, false)), expected);
        }
    }
}
