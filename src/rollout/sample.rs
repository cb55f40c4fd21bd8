//! What was counted of one group while something held: the share that has the new, or everybody before it.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::note::times::{BOUNDS_MS, BUCKETS};

/// Counts of one group. Counts add up over intervals; what is a level is that of the latest one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Sample {
    /// Attempts that have ended.
    pub attempts: u64,
    /// Of those, the ones for which the database is to blame, timeouts among them. More than `attempts` are as many.
    pub failures: u64,
    /// How long they took.
    pub latencies: Latencies,
    /// How often a circuit opened.
    pub circuit_openings: u64,
    /// The lowest health score of the latest interval, 0 to 100; none while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_score: Option<u8>,
    /// Whether something was critical then, with which nothing may go on whatever the score.
    pub is_critical: bool,
    /// How the pool did; none where there is none, or nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
}

/// How a pool did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Pool {
    /// The highest share of its leases that was in use in the latest interval, 0 to 1.
    pub utilization_ratio: f64,
    /// Calls that waited for a lease and did not get one in time.
    pub acquire_timeouts: u64,
}

impl Sample {
    /// Takes in what was counted in the interval after. Counts saturate.
    pub fn add(&mut self, next: &Self) {
        self.attempts = self.attempts.saturating_add(next.attempts);
        self.failures = self.failures.saturating_add(next.failures);
        self.latencies.merge(&next.latencies);
        self.circuit_openings = self.circuit_openings.saturating_add(next.circuit_openings);
        self.health_score = next.health_score;
        self.is_critical = next.is_critical;
        let timeouts = self.pool.map_or(0, |pool| pool.acquire_timeouts);
        // What is no number cannot be kept.
        self.pool = next
            .pool
            .filter(|pool| pool.utilization_ratio.is_finite())
            .map(|pool| Pool { acquire_timeouts: pool.acquire_timeouts.saturating_add(timeouts), ..pool })
            .or(self.pool);
    }

    /// The share of attempts that failed, 0 to 1; 0 where there were none.
    #[must_use]
    pub fn error_ratio(&self) -> f64 {
        if self.attempts == 0 { 0.0 } else { self.failures.min(self.attempts) as f64 / self.attempts as f64 }
    }
}

/// Durations as counts in the buckets of [`BOUNDS_MS`]: a bucket holds what is above the bound before it, up to its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>")]
pub struct Latencies(Vec<u64>);

impl TryFrom<Vec<u64>> for Latencies {
    type Error = String;

    /// # Errors
    ///
    /// A text where there are more counts than buckets.
    fn try_from(counts: Vec<u64>) -> Result<Self, String> {
        if counts.len() > BUCKETS {
            return Err(format!("{} counts of durations, where there are {BUCKETS} buckets", counts.len()));
        }
        Ok(Self(counts))
    }
}

impl Latencies {
    /// Counts a duration.
    pub fn took(&mut self, ms: Millis) {
        let bucket = BOUNDS_MS.partition_point(|bound| Millis::from(*bound) < ms);
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        if let Some(count) = self.0.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts by bucket; those at the end that hold nothing may be missing.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.0
    }

    /// How many durations were counted.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were longer than the bound of `bucket`.
    #[must_use]
    pub fn above(&self, bucket: usize) -> u64 {
        self.0.iter().skip(bucket + 1).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Takes in what another has counted. Counts saturate.
    pub fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// The bucket in which the quantile `share` lies, from 0; none where nothing was counted.
    #[must_use]
    pub fn bucket_of(&self, share: f64) -> Option<usize> {
        let rank = share * self.len() as f64;
        let mut below = 0.0;
        let last = self.0.iter().rposition(|count| *count > 0)?;
        for (bucket, count) in self.0.iter().enumerate().take(last) {
            below += *count as f64;
            if *count > 0 && below >= rank {
                return Some(bucket);
            }
        }
        Some(last)
    }

    /// The quantile `share` (0 to 1) in milliseconds, evenly spread within its bucket, as Prometheus' `histogram_quantile` has
    /// it. What is above the last bound counts as the last bound; none where nothing was counted.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let bucket = self.bucket_of(share)?;
        let bound = |bucket: usize| BOUNDS_MS.get(bucket).or(BOUNDS_MS.last()).map_or(0.0, |bound| f64::from(*bound));
        let below: u64 = self.0.iter().take(bucket).fold(0, |sum, count| sum.saturating_add(*count));
        let within = *self.0.get(bucket)? as f64;
        let start = if bucket == 0 { 0.0 } else { bound(bucket - 1) };
        let share_within = ((share * self.len() as f64 - below as f64) / within).clamp(0.0, 1.0);
        Some(start + (bound(bucket) - start) * share_within)
    }
}
