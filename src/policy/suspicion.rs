//! Suspicion: how unlikely a silence is, given how heartbeats used to come.
//!
//! The phi accrual failure detector (Hayashibara et al., 2004) with the normal distribution's tail as Akka computes it.
//! For heartbeats and the lag of replicas; the health of requests is the breaker's, and at low rates phi says nothing.
//!
//! ```text
//! y = (silence − mean − acceptable_pause) / σ          σ at least sd_min
//! e = exp(−y · (1.5976 + 0.070566 · y²))
//! φ = −log10(e / (1 + e))  when the silence is longer than mean + pause, else  −log10(1 − 1 / (1 + e))
//! ```
//!
//! φ = 1 means one chance in ten that the silence is usual, φ = 8 one in 10⁸. With a heartbeat every second and
//! `sd_min` of 100 ms, φ is 0.3 after exactly one second and above 8 after 1.7.

use std::collections::VecDeque;

use crate::clock::{Instant, Millis};

/// Intervals remembered, whatever is asked for.
pub const SAMPLES_MAX: u32 = 10_000;

/// When a silence is suspicious.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuspicionConfig {
    /// From this φ on, the silent one counts as gone.
    pub threshold: f64,
    /// Intervals remembered; from 2 up to [`SAMPLES_MAX`].
    pub samples_max: u32,
    /// The standard deviation is taken to be at least this, in milliseconds.
    pub sd_min_ms: Millis,
    /// A pause that is always fine, in milliseconds: a collection of garbage, a cold start.
    pub acceptable_pause_ms: Millis,
    /// What the first interval is taken to be, in milliseconds, with a quarter of it as deviation.
    pub first_interval_ms: Millis,
}

/// The heartbeats of one endpoint.
#[derive(Clone, Debug)]
pub struct Suspicion {
    config: SuspicionConfig,
    intervals: VecDeque<Millis>,
    /// Sum of the intervals and of their squares: whole numbers, so that they never drift.
    sum: u128,
    squares: u128,
    latest: Option<Instant>,
}

impl Suspicion {
    /// No heartbeat yet, and so no suspicion.
    #[must_use]
    pub const fn new(config: SuspicionConfig) -> Self {
        Self { config, intervals: VecDeque::new(), sum: 0, squares: 0, latest: None }
    }

    /// Takes a heartbeat. The interval that ends a suspicion is not learnt: it was an outage, not a habit.
    pub fn observe(&mut self, now: Instant) {
        match self.latest {
            None => {
                let (first_ms, deviation_ms) = (self.config.first_interval_ms, self.config.first_interval_ms / 4);
                self.learn(first_ms - deviation_ms);
                self.learn(first_ms.saturating_add(deviation_ms));
            }
            Some(latest) if self.is_available(now) => self.learn(now.since(latest)),
            Some(_) => {}
        }
        self.latest = Some(self.latest.map_or(now, |latest| latest.max(now)));
    }

    /// How unlikely the silence until `now` is, from 0. Infinite when no number is that unlikely.
    #[must_use]
    pub fn phi(&self, now: Instant) -> f64 {
        let Some(latest) = self.latest else { return 0.0 };
        let (mean, deviation) = self.usual();
        let expected = mean + self.config.acceptable_pause_ms as f64;
        let silence = now.since(latest) as f64;
        let y = (silence - expected) / deviation;
        let e = (-y * (1.5976 + 0.070_566 * y * y)).exp();
        let tail = if silence > expected { e / (1.0 + e) } else { 1.0 - 1.0 / (1.0 + e) };
        (-tail.log10()).max(0.0)
    }

    /// Whether the silence until `now` is below the threshold.
    #[must_use]
    pub fn is_available(&self, now: Instant) -> bool {
        self.phi(now) < self.config.threshold
    }

    /// Mean of the intervals and their standard deviation, which is never 0.
    fn usual(&self) -> (f64, f64) {
        let count = self.intervals.len().max(1) as f64;
        let mean = self.sum as f64 / count;
        let variance = (self.squares as f64 / count - mean * mean).max(0.0);
        (mean, variance.sqrt().max(self.config.sd_min_ms.max(1) as f64))
    }

    fn learn(&mut self, interval_ms: Millis) {
        while self.intervals.len() >= self.config.samples_max.clamp(2, SAMPLES_MAX) as usize {
            let Some(oldest) = self.intervals.pop_front() else { break };
            self.sum -= u128::from(oldest);
            self.squares -= square(oldest);
        }
        self.intervals.push_back(interval_ms);
        self.sum += u128::from(interval_ms);
        self.squares += square(interval_ms);
    }
}

/// Bounded, so that the sum of as many as are remembered fits.
fn square(interval_ms: Millis) -> u128 {
    u128::from(interval_ms.min(1 << 53)).pow(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: SuspicionConfig = SuspicionConfig {
        threshold: 8.0,
        samples_max: 1_000,
        sd_min_ms: 100,
        acceptable_pause_ms: 0,
        first_interval_ms: 1_000,
    };
    const START: Instant = Instant(1_000_000);

    fn regular(config: SuspicionConfig, beats: u64) -> (Suspicion, Instant) {
        let mut it = Suspicion::new(config);
        (0..beats).for_each(|beat| it.observe(START.plus(beat * 1_000)));
        (it, START.plus((beats - 1) * 1_000))
    }

    #[test]
    fn at_the_mean_the_chance_is_one_half() {
        let (it, latest) = regular(CONFIG, 21);
        assert!((it.phi(latest.plus(1_000)) - 0.5_f64.log10().abs()).abs() < 1e-9);
        assert!(it.is_available(latest.plus(1_500)));
        assert!(!it.is_available(latest.plus(1_700)));
    }

    #[test]
    fn nobody_is_suspected_before_the_first_heartbeat_or_right_after_one() {
        assert_eq!(Suspicion::new(CONFIG).phi(START), 0.0);
        let (it, latest) = regular(CONFIG, 5);
        assert!(it.phi(latest) < 1e-9);
        assert!(it.phi(Instant(0)) < 1e-9, "the clock stepped back");
    }

    #[test]
    fn a_pause_that_is_acceptable_shifts_everything() {
        let (it, latest) = regular(SuspicionConfig { acceptable_pause_ms: 3_000, ..CONFIG }, 21);
        assert!((it.phi(latest.plus(4_000)) - 0.301).abs() < 0.001);
        assert!(it.phi(latest.plus(4_700)) > 8.0);
    }

    #[test]
    fn an_outage_is_not_learnt() {
        let (mut it, latest) = regular(CONFIG, 21);
        let mut same = it.clone();
        it.observe(latest.plus(60_000));
        same.latest = Some(latest.plus(60_000));
        assert_eq!(it.phi(latest.plus(61_300)), same.phi(latest.plus(61_300)));
    }

    #[test]
    fn irregular_heartbeats_are_given_more_time() {
        let mut it = Suspicion::new(CONFIG);
        let mut at = START;
        for beat in 0..40 {
            it.observe(at);
            at = at.plus(if beat % 2 == 0 { 500 } else { 1_500 });
        }
        let latest = it.latest.unwrap();
        assert!(it.phi(latest.plus(1_700)) < 2.0);
    }

    #[test]
    fn only_so_many_intervals_are_remembered() {
        let (mut it, mut latest) = regular(SuspicionConfig { samples_max: 10, ..CONFIG }, 50);
        for _ in 0..10 {
            latest = latest.plus(1_100);
            it.observe(latest);
        }
        assert_eq!(it.intervals.len(), 10);
        assert_eq!(it.usual().0, 1_100.0);
        it.intervals.clear();
        let (mut odd, _) = regular(CONFIG, 2);
        odd.observe(Instant::NEVER);
        assert!(odd.phi(Instant::NEVER).is_finite());
    }
}
