//! Outlier ejection: an endpoint that behaves worse than it should, or than its peers, takes no queries for a while.
//!
//! After Envoy. So many failures in a row eject at once; at each sweep, every `interval_ms`, the shares of the past
//! interval are compared as well. The k-th ejection lasts `min(base · k, max)`, and k falls by one with each sweep that
//! finds the endpoint in service. It returns at a sweep, never between two.
//!
//! With 30 s and sweeps every 10 s: ejected at 1 ms, due at 30.001 s, back at 40 s. Ejected again at once: 60 s.
//!
//! However many endpoints are bad, one stays: the last ejection would turn slow answers into none.

use crate::clock::{Instant, Millis};

/// Missed sweeps that are made up for, one by one. A longer gap brings everything back that can be back.
const SWEEPS_MAX: u64 = 1_024;

/// Comparison of the endpoints with each other, at each sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    /// None: only failures in a row count.
    None,
    /// Ejects below `mean − factor · σ` of the success shares, σ of the whole population. Three endpoints can never be
    /// that far apart with a factor of 1.9: it is for fleets.
    SuccessRate {
        /// Standard deviations below the mean that are still usual.
        factor: f64,
    },
    /// Ejects when at least this share of the answers were failures, 0 to 1.
    FailureShare {
        /// The share.
        share: f64,
    },
}

/// What is bad, and what follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierConfig {
    /// Failures in a row that eject; 0 for never.
    pub consecutive_failures: u32,
    /// What is compared at sweeps.
    pub comparison: Comparison,
    /// Endpoints that must have had `requests_min` answers, else nothing is compared.
    pub endpoints_min: u32,
    /// Answers in an interval without which an endpoint is not compared.
    pub requests_min: u32,
    /// Time between two sweeps, in milliseconds; at least 1.
    pub interval_ms: Millis,
    /// The first ejection, in milliseconds.
    pub base_ejection_ms: Millis,
    /// No ejection is longer, in milliseconds.
    pub max_ejection_ms: Millis,
    /// At most this share of the endpoints is ejected at once, in percent.
    pub max_ejection_percent: u32,
    /// Whether one endpoint may be ejected whatever the share says: 10 % of three is none.
    pub ejects_one: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    failures_in_a_row: u32,
    successes: u32,
    failures: u32,
    /// Since when it is ejected.
    ejected_at: Option<Instant>,
    /// How many times `base` its latest ejection lasts.
    multiplier: u64,
    /// Whether it left the list: it counts for nothing.
    is_gone: bool,
}

/// What the answers of each endpoint were, and who is ejected. With `COMPARES` false, only failures in a row count: the
/// comparison is a kilobyte and a half of the core.
#[derive(Clone, Debug)]
pub struct Outliers<const COMPARES: bool = true> {
    config: OutlierConfig,
    records: Vec<Record>,
    sweep_at: Instant,
}

impl<const COMPARES: bool> Outliers<COMPARES> {
    /// Nobody ejected; the first sweep is one interval from `now`.
    #[must_use]
    pub fn new(config: OutlierConfig, endpoints: usize, now: Instant) -> Self {
        let sweep_at = now.plus(config.interval_ms.max(1));
        Self { config, records: vec![Record::default(); endpoints], sweep_at }
    }

    /// Counts an answer. Returns whether it ejected the endpoint.
    ///
    /// Only the failure that makes the row exactly long enough can eject. If it may not, because enough others are
    /// ejected, the row starts anew; that of an ejected endpoint goes on, and starts anew with its return.
    #[inline(never)]
    pub fn observe(&mut self, endpoint: usize, is_failure: bool, now: Instant) -> bool {
        self.sweep(now);
        let threshold = self.config.consecutive_failures;
        let Some(record) = self.records.get_mut(endpoint) else { return false };
        if !is_failure {
            record.failures_in_a_row = 0;
            record.successes = record.successes.saturating_add(1);
            return false;
        }
        record.failures = record.failures.saturating_add(1);
        record.failures_in_a_row = record.failures_in_a_row.saturating_add(1);
        if record.failures_in_a_row != threshold || record.ejected_at.is_some() {
            return false;
        }
        record.failures_in_a_row = 0;
        self.eject(endpoint, now)
    }

    /// Does what was due until `now`. No timer does it: whoever looks does.
    #[inline(never)]
    pub fn sweep(&mut self, now: Instant) {
        let interval_ms = self.config.interval_ms.max(1);
        let missed = now.since(self.sweep_at) / interval_ms;
        if missed > SWEEPS_MAX {
            self.sweep_at = self.sweep_at.plus((missed - SWEEPS_MAX) * interval_ms);
        }
        while self.sweep_at <= now && self.sweep_at != Instant::NEVER {
            let at = self.sweep_at;
            self.let_back(at);
            if COMPARES {
                self.compare(at);
            }
            self.sweep_at = at.plus(interval_ms);
        }
    }

    /// One more endpoint, at the end of the list.
    pub fn add(&mut self) {
        self.records.push(Record::default());
    }

    /// Forgets all of an endpoint, and whether it is in the list at all: one that is gone is nobody's peer.
    pub fn reset(&mut self, endpoint: usize, is_gone: bool) {
        if let Some(record) = self.records.get_mut(endpoint) {
            *record = Record { is_gone, ..Record::default() };
        }
    }

    /// At the sweep after this an ejected endpoint is back.
    #[must_use]
    pub fn ejected_until(&self, endpoint: usize) -> Option<Instant> {
        let record = self.records.get(endpoint)?;
        Some(record.ejected_at?.plus(self.ejection_ms(record.multiplier)))
    }

    /// When the next sweep is due.
    #[must_use]
    pub const fn wake_at(&self) -> Instant {
        self.sweep_at
    }

    /// Whether an endpoint was ejected at the latest sweep or since.
    #[must_use]
    pub fn is_ejected(&self, endpoint: usize) -> bool {
        self.records.get(endpoint).is_some_and(|record| record.ejected_at.is_some())
    }

    /// How many are.
    #[must_use]
    pub fn ejected(&self) -> usize {
        self.records.iter().filter(|record| record.ejected_at.is_some()).count()
    }

    /// Takes other settings. Who is ejected stays so until a sweep under the new ones.
    pub fn reconfigure(&mut self, config: OutlierConfig, now: Instant) {
        self.config = config;
        self.sweep_at = self.sweep_at.min(now.plus(config.interval_ms.max(1)));
    }

    fn ejection_ms(&self, multiplier: u64) -> Millis {
        self.config.base_ejection_ms.saturating_mul(multiplier).min(self.config.max_ejection_ms)
    }

    /// Ejects an endpoint whatever its row, if that is allowed: for one that fails again when it has just come back.
    #[inline(never)]
    pub fn eject(&mut self, endpoint: usize, now: Instant) -> bool {
        let all = self.records.iter().filter(|record| !record.is_gone).count();
        let after = self.ejected() + 1;
        let share = 100 * after <= self.config.max_ejection_percent as usize * all;
        if after >= all || !(share || self.config.ejects_one && after == 1) {
            return false;
        }
        let (base_ms, max_ms) = (self.config.base_ejection_ms, self.config.max_ejection_ms);
        let Some(record) = self.records.get_mut(endpoint) else { return false };
        if record.is_gone || record.ejected_at.is_some() {
            return false;
        }
        record.ejected_at = Some(now);
        record.failures_in_a_row = 0;
        // As far as it makes a difference, and once more: one healthy sweep must not shorten the longest ejection.
        if record.multiplier == 0 || base_ms.saturating_mul(record.multiplier) < max_ms.saturating_add(base_ms) {
            record.multiplier += 1;
        }
        true
    }

    #[inline(never)]
    fn let_back(&mut self, at: Instant) {
        for index in 0..self.records.len() {
            let ends_after_ms = self.ejection_ms(self.records[index].multiplier);
            let record = &mut self.records[index];
            match record.ejected_at {
                None => record.multiplier = record.multiplier.saturating_sub(1),
                Some(since) if at.since(since) >= ends_after_ms => {
                    record.ejected_at = None;
                    record.failures_in_a_row = 0;
                }
                Some(_) => {}
            }
        }
    }

    #[inline(never)]
    fn compare(&mut self, at: Instant) {
        let shares = |record: &Record| {
            let answers = record.successes.saturating_add(record.failures);
            let share = |count: u32| f64::from(count) / f64::from(answers);
            (answers >= self.config.requests_min.max(1)).then(|| (share(record.successes), share(record.failures)))
        };
        let shares: Vec<Option<(f64, f64)>> = self.records.iter().map(shares).collect();
        for record in &mut self.records {
            (record.successes, record.failures) = (0, 0);
        }
        let successes: Vec<f64> = shares.iter().flatten().map(|(success, _)| *success).collect();
        if successes.is_empty() || successes.len() < self.config.endpoints_min as usize {
            return;
        }
        let is_outlier = |(success, failure): (f64, f64)| match self.config.comparison {
            Comparison::None => false,
            Comparison::SuccessRate { factor } => success < lowest_usual(&successes, factor),
            Comparison::FailureShare { share } => failure >= share,
        };
        let outliers: Vec<bool> = shares.into_iter().map(|shares| shares.is_some_and(is_outlier)).collect();
        for (index, _) in outliers.iter().enumerate().filter(|(_, is_outlier)| **is_outlier) {
            if !self.is_ejected(index) {
                self.eject(index, at);
            }
        }
    }
}

/// Whether an answer is so much slower than what the best of the others takes that it counts as a failure: both by a
/// factor and by a time, because ten times next to nothing is nothing. In milliseconds; a best of 0 is none.
///
/// With 5 and 100 ms, beside a database that answers in 4 ms: 105 ms are, 100 ms are not.
#[must_use]
pub fn is_far_behind(rtt_ms: f64, best_ms: f64, factor: f64, above_ms: f64) -> bool {
    best_ms > 0.0 && rtt_ms > best_ms * factor && rtt_ms > best_ms + above_ms
}

/// `mean − factor · σ`, with σ of the whole population.
fn lowest_usual(shares: &[f64], factor: f64) -> f64 {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / count;
    mean - factor * variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: OutlierConfig = OutlierConfig {
        consecutive_failures: 5,
        comparison: Comparison::None,
        endpoints_min: 5,
        requests_min: 50,
        interval_ms: 10_000,
        base_ejection_ms: 30_000,
        max_ejection_ms: 70_000,
        max_ejection_percent: 50,
        ejects_one: false,
    };
    const START: Instant = Instant(5_000_000);

    fn fail(it: &mut Outliers, endpoint: usize, times: u32, at: Instant) -> bool {
        (0..times).map(|_| it.observe(endpoint, true, at)).last().unwrap_or(false)
    }

    fn back_at(it: &mut Outliers, endpoint: usize, from: Millis) -> Millis {
        (from..)
            .step_by(1_000)
            .find(|&at| {
                it.sweep(START.plus(at));
                !it.is_ejected(endpoint)
            })
            .unwrap_or(0)
    }

    #[test]
    fn a_success_ends_the_row() {
        let mut it = <Outliers>::new(CONFIG, 2, START);
        assert!(!fail(&mut it, 0, 4, START));
        it.observe(0, false, START);
        assert!(!fail(&mut it, 0, 4, START));
        assert!(fail(&mut it, 0, 1, START) && it.is_ejected(0));
    }

    #[test]
    fn each_ejection_is_longer_up_to_the_longest() {
        let mut it = <Outliers>::new(CONFIG, 2, START);
        let mut at = 1;
        let mut lengths = Vec::new();
        for _ in 0..4 {
            assert!(fail(&mut it, 0, 5, START.plus(at)));
            let back = back_at(&mut it, 0, at / 1_000 * 1_000);
            lengths.push(back - at / 1_000 * 1_000);
            at = back + 1;
        }
        assert_eq!(lengths, [40_000, 70_000, 80_000, 80_000], "30, 60, 70 and 70 s, each until the next sweep");
    }

    #[test]
    fn good_behaviour_shortens_the_next_one() {
        let mut it = <Outliers>::new(CONFIG, 2, START);
        assert!(fail(&mut it, 0, 5, START));
        assert_eq!(back_at(&mut it, 0, 0), 30_000);
        it.sweep(START.plus(40_000));
        assert!(fail(&mut it, 0, 5, START.plus(40_000)));
        assert_eq!(back_at(&mut it, 0, 40_000), 70_000, "the first length again");
    }

    #[test]
    fn one_always_stays() {
        let config = OutlierConfig { max_ejection_percent: 100, ..CONFIG };
        let mut it = <Outliers>::new(config, 3, START);
        for endpoint in 0..3 {
            fail(&mut it, endpoint, 5, START);
        }
        assert_eq!(it.ejected(), 2);
        assert!(!fail(&mut <Outliers>::new(OutlierConfig { ejects_one: true, ..config }, 1, START), 0, 5, START));
    }

    #[test]
    fn a_small_share_may_still_eject_one() {
        let config = OutlierConfig { max_ejection_percent: 10, ..CONFIG };
        assert!(!fail(&mut <Outliers>::new(config, 3, START), 0, 5, START));
        let mut it = <Outliers>::new(OutlierConfig { ejects_one: true, ..config }, 3, START);
        assert!(fail(&mut it, 0, 5, START));
        assert!(!fail(&mut it, 1, 5, START));
    }

    #[test]
    fn an_ejection_that_was_not_allowed_needs_a_new_row() {
        let mut it = <Outliers>::new(CONFIG, 2, START);
        assert!(fail(&mut it, 0, 5, START));
        assert!(!fail(&mut it, 1, 9, START));
        let back = START.plus(back_at(&mut it, 0, 0));
        assert!(fail(&mut it, 1, 1, back), "the tenth");
    }

    #[test]
    fn a_share_of_failures_ejects_at_the_sweep_exactly_at_its_threshold() {
        let comparison = Comparison::FailureShare { share: 0.85 };
        let config = OutlierConfig { consecutive_failures: 0, comparison, ..CONFIG };
        let mut it = <Outliers>::new(config, 6, START);
        for endpoint in 0..6 {
            for answer in 0..100 {
                it.observe(endpoint, answer < [85, 84, 0, 0, 0, 0][endpoint], START);
            }
        }
        it.sweep(START.plus(9_999));
        assert_eq!(it.ejected(), 0);
        it.sweep(START.plus(10_000));
        assert_eq!((it.is_ejected(0), it.ejected()), (true, 1));
    }

    #[test]
    fn too_few_answers_or_endpoints_compare_nothing() {
        let comparison = Comparison::SuccessRate { factor: 0.1 };
        for (endpoints, answers) in [(4, 50), (6, 49)] {
            let mut it =
                <Outliers>::new(OutlierConfig { consecutive_failures: 0, comparison, ..CONFIG }, endpoints, START);
            for endpoint in 0..endpoints {
                (0..answers).for_each(|_| {
                    it.observe(endpoint, endpoint == 0, START);
                });
            }
            it.sweep(START.plus(10_000));
            assert_eq!(it.ejected(), 0);
        }
    }

    #[test]
    fn a_frozen_isolate_lets_back_on_its_first_look() {
        let mut it = <Outliers>::new(CONFIG, 2, START);
        assert!(fail(&mut it, 0, 5, START));
        it.sweep(START.plus(90 * 86_400_000));
        assert!(!it.is_ejected(0));
        assert_eq!(it.wake_at(), START.plus(90 * 86_400_000 + 10_000));
    }
}
