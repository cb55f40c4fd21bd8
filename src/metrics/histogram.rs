//! How values are spread: counts in buckets whose width grows with the value, and an exact sum.
//!
//! After DDSketch (Masson and others, 2019), with the bounds of [`buckets`](super::buckets). It keeps at most 211 counts,
//! however many values it has seen; two of them added are the histogram of all values of both, in any order.
//!
//! With the values 0, 3 and 3.1 it holds one zero, two in bucket 5, which ends at 3.2, and the sum 6.1.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::buckets::{VALUE_MAX, bound, bucket_of};

/// Counts of values, by bucket.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Histogram {
    /// Values that are zero.
    #[serde(rename = "z", default)]
    zeros: u64,
    /// Counts by bucket, where not zero.
    #[serde(rename = "b", default, with = "pairs")]
    counts: LiteMap<i16, u64>,
    /// Sum of all values.
    #[serde(rename = "s", default)]
    sum: f64,
}

impl Histogram {
    /// Takes in a value. False, and nothing changes, for one that cannot be measured: not a number, endless, below zero,
    /// or above 10^12.
    pub fn observe(&mut self, value: f64) -> bool {
        if !(0.0..=VALUE_MAX).contains(&value) {
            return false;
        }
        self.sum += value;
        if value > 0.0 {
            self.put(bucket_of(value), 1)
        } else {
            self.zeros += 1
        }
        true
    }

    /// Counts values of a bucket whose sum is told to [`Histogram::add_sum`].
    pub fn put(&mut self, bucket: i16, count: u64) {
        if count == 0 {
            return;
        }
        match self.counts.get_mut(&bucket) {
            Some(known) => *known = known.saturating_add(count),
            None => _ = self.counts.insert(bucket, count),
        }
    }

    /// Counts values that are zero.
    pub const fn put_zeros(&mut self, count: u64) {
        self.zeros = self.zeros.saturating_add(count);
    }

    /// Adds to the sum.
    pub fn add_sum(&mut self, sum: f64) {
        self.sum += sum;
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.sum += other.sum;
        for (bucket, count) in &other.counts {
            self.put(*bucket, *count);
        }
    }

    /// What came since `earlier`; all of it if `earlier` is not of the same history, which has begun anew then.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let is_same = earlier.zeros <= self.zeros
            && earlier.sum <= self.sum
            && earlier.counts.iter().all(|(bucket, count)| self.counts.get(bucket).is_some_and(|now| now >= count));
        if !is_same {
            return self.clone();
        }
        let left = |(bucket, count): (&i16, &u64)| {
            let left = count - earlier.counts.get(bucket).copied().unwrap_or_default();
            (left > 0).then_some((*bucket, left))
        };
        Self {
            zeros: self.zeros - earlier.zeros,
            counts: self.counts.iter().filter_map(left).collect(),
            sum: self.sum - earlier.sum,
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().fold(self.zeros, |sum, count| sum.saturating_add(*count))
    }

    /// The sum of all values.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values are at most the bound of this bucket.
    #[must_use]
    pub fn count_to(&self, bucket: i16) -> u64 {
        let counts = self.counts.iter().filter(|(known, _)| **known <= bucket).map(|(_, count)| *count);
        counts.fold(self.zeros, u64::saturating_add)
    }

    /// The value that a share of all values does not exceed, within 12.3 %; 0 without values. `share` is 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (self.count() as f64 * share).ceil().max(1.0);
        let mut seen = self.zeros as f64;
        if self.count() == 0 || seen >= rank {
            return 0.0;
        }
        for (bucket, count) in &self.counts {
            seen += *count as f64;
            if seen >= rank {
                let (low, high) = (bound(bucket - 1), bound(*bucket));
                // The middle by which both ends are wrong by the same share.
                return 2.0 * low * high / (low + high);
            }
        }
        0.0
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zeros == 0 && self.counts.is_empty()
    }

    /// Counts that are kept: at most 211.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.counts.len()
    }
}

/// Buckets and counts as pairs: a JSON object has only text as keys.
mod pairs {
    use litemap::LiteMap;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::metrics::buckets::{GREATEST, LEAST};

    pub(super) fn serialize<S: Serializer>(counts: &LiteMap<i16, u64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(counts.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LiteMap<i16, u64>, D::Error> {
        let pairs = Vec::<(i16, u64)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().filter(|(bucket, count)| (LEAST..=GREATEST).contains(bucket) && *count > 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H136: what cannot be measured is dropped, and the buckets hold as many values as were taken.
    #[test]
    fn what_cannot_be_measured_changes_nothing() {
        let mut histogram = Histogram::default();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.000_1, 1e300, 1e12_f64.next_up()] {
            assert!(!histogram.observe(bad), "{bad}");
        }
        assert!(histogram.is_empty());
        for good in [0.0, -0.0, 1e-300, 1.0, 1e12] {
            assert!(histogram.observe(good), "{good}");
        }
        assert_eq!((histogram.count(), histogram.count_to(i16::MAX)), (5, 5));
    }

    /// MET-33: a million observations take no more memory than a thousand.
    #[test]
    fn memory_is_bounded_after_a_million_observations() {
        let mut histogram = Histogram::default();
        let mut value = 1e-12;
        for at in 0..1_000_000_u32 {
            value = if value > 9e11 { 1e-12 } else { value * 1.000_37 };
            assert!(histogram.observe(if at % 1_000 == 0 { 0.0 } else { value }));
        }
        assert_eq!(histogram.count(), 1_000_000);
        assert!(histogram.buckets() <= 211, "{}", histogram.buckets());
    }

    #[test]
    fn a_history_that_began_anew_is_counted_from_its_start() {
        let mut before = Histogram::default();
        for _ in 0..5 {
            before.observe(2.0);
        }
        let mut after = Histogram::default();
        after.observe(2.0);
        assert_eq!(after.since(&before), after);
        before.merge(&after);
        assert_eq!(before.since(&after).count(), 5);
    }
}
