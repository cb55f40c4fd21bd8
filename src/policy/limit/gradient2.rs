//! Gradient2: the ratio of a long average of the latency to the latest one, with room for a queue.
//!
//! ```text
//! long     = exponential average of rtt over `long_window` samples (a plain mean during the first `warm_up`)
//! gradient = clamp(tolerance · long / rtt, 0.5, 1)
//! limit    = limit · (1 − smoothing) + (limit · gradient + queue) · smoothing        within min and max
//! ```
//!
//! With a limit of 20, smoothing 0.2, a queue of 4 and a steady latency: 20 · 0.8 + 24 · 0.2 = 20.8.
//!
//! A long average above twice the latest rtt is what an overload left behind: it shrinks by 5 % per sample until it is
//! forgotten. After Netflix concurrency-limits, `Gradient2Limit`.

use super::Sample;

/// The numbers of the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient2Config {
    /// The limit at first.
    pub initial: u32,
    /// Never below; at least 1.
    pub min: u32,
    /// Never above.
    pub max: u32,
    /// How much of a change is taken, 0 to 1.
    pub smoothing: f64,
    /// Calls that may queue.
    pub queue_size: f64,
    /// How many times the long average a latency may be without consequence; at least 1.
    pub tolerance: f64,
    /// Samples of the long average; at least 1.
    pub long_window: u32,
    /// Samples at first that count alike.
    pub warm_up: u32,
    /// The long average, if it is known from earlier, in milliseconds.
    pub long_rtt_ms: Option<f64>,
}

/// The limit and the long average.
#[derive(Clone, Debug)]
pub struct Gradient2 {
    config: Gradient2Config,
    limit: f64,
    long_ms: f64,
    /// Samples so far, up to the warm-up.
    samples: u32,
}

impl Gradient2 {
    /// The initial limit.
    #[must_use]
    pub fn new(config: Gradient2Config) -> Self {
        let samples = if config.long_rtt_ms.is_some() { config.warm_up } else { 0 };
        Self { limit: f64::from(config.initial), long_ms: config.long_rtt_ms.unwrap_or(0.0), samples, config }
    }

    pub(super) const fn estimate(&self) -> f64 {
        self.limit
    }

    pub(super) fn observe(&mut self, sample: Sample) {
        let long_ms = self.learn(sample.rtt_ms);
        if long_ms / sample.rtt_ms > 2.0 {
            self.long_ms *= 0.95;
        }
        if f64::from(sample.in_flight) < self.limit / 2.0 {
            return;
        }
        let gradient = (self.config.tolerance * long_ms / sample.rtt_ms).clamp(0.5, 1.0);
        let target = self.limit * gradient + self.config.queue_size;
        let smoothed = self.limit * (1.0 - self.config.smoothing) + target * self.config.smoothing;
        self.limit = smoothed.min(f64::from(self.config.max)).max(f64::from(self.config.min.max(1)));
    }

    fn learn(&mut self, rtt_ms: f64) -> f64 {
        if self.samples < self.config.warm_up {
            self.samples += 1;
            self.long_ms += (rtt_ms - self.long_ms) / f64::from(self.samples);
        } else {
            let weight = 2.0 / (f64::from(self.config.long_window) + 1.0);
            self.long_ms += (rtt_ms - self.long_ms) * weight.min(1.0);
        }
        self.long_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Gradient2Config = Gradient2Config {
        initial: 20,
        min: 20,
        max: 200,
        smoothing: 0.2,
        queue_size: 4.0,
        tolerance: 1.5,
        long_window: 600,
        warm_up: 10,
        long_rtt_ms: None,
    };

    fn sample(rtt_ms: f64, in_flight: u32) -> Sample {
        Sample { rtt_ms, in_flight, is_dropped: false }
    }

    #[test]
    fn it_grows_by_the_queue_and_only_when_used() {
        let mut it = Gradient2::new(CONFIG);
        it.observe(sample(100.0, 20));
        assert!((it.estimate() - 20.8).abs() < 1e-9);
        it.observe(sample(100.0, 10));
        assert!((it.estimate() - 20.8).abs() < 1e-9, "less than half is in flight");
    }

    #[test]
    fn a_jump_of_the_latency_halves_at_most() {
        let mut it = Gradient2::new(Gradient2Config {
            initial: 100,
            min: 1,
            smoothing: 1.0,
            long_rtt_ms: Some(100.0),
            ..CONFIG
        });
        it.observe(sample(1_000.0, 100));
        assert_eq!(it.estimate(), 54.0);
        for _ in 0..1_000 {
            it.observe(sample(1e9, 200));
        }
        assert!(it.estimate() >= 1.0);
    }

    #[test]
    fn what_an_overload_left_behind_is_forgotten_soon() {
        let mut it = Gradient2::new(Gradient2Config { long_rtt_ms: Some(1_000.0), ..CONFIG });
        for _ in 0..40 {
            it.observe(sample(100.0, 20));
        }
        assert!(it.long_ms < 220.0, "{}", it.long_ms);
        let mut slow = Gradient2::new(Gradient2Config { long_rtt_ms: Some(190.0), ..CONFIG });
        slow.observe(sample(100.0, 20));
        assert!(slow.long_ms > 189.0);
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut it = Gradient2::new(Gradient2Config { max: 30, smoothing: 1.0, ..CONFIG });
        for _ in 0..20 {
            it.observe(sample(100.0, 30));
        }
        assert_eq!(it.estimate(), 30.0);
    }
}
