//! Gradient: the ratio of a measured minimum of the latency to the latest one, with headroom.
//!
//! ```text
//! gradient = clamp(min_rtt · (1 + buffer) / rtt, 0.5, 2)
//! limit    = gradient · limit + √limit                        within min and max
//! ```
//!
//! With a limit of 100, a minimum of 100 ms, a buffer of 25 % and 125 ms now, the gradient is 1 and the limit 110.
//!
//! The minimum is measured again every `measure_every_ms`, up to `measure_jitter` later so that a fleet does not do it
//! at once: the limit goes down to `min`, so that nothing queues, and the median of the next `measure_samples` is the
//! minimum. Then the limit goes on from where it was. After Envoy's adaptive concurrency filter.

use super::Sample;
use crate::clock::{Instant, Millis};
use crate::rng::Rng;

/// Samples of one measurement, whatever is asked for.
const MEASURE_SAMPLES_MAX: u32 = 1_000;

/// The numbers of the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientConfig {
    /// The limit at first.
    pub initial: u32,
    /// Never below, and the limit while the minimum is measured; at least 1.
    pub min: u32,
    /// Never above.
    pub max: u32,
    /// How far above its minimum a latency may be without consequence; 0.25 is a quarter.
    pub buffer: f64,
    /// The minimum, if it is known from earlier, in milliseconds. Without it, it is measured first.
    pub min_rtt_ms: Option<f64>,
    /// When it is measured again, in milliseconds; [`Millis::MAX`] for never.
    pub measure_every_ms: Millis,
    /// The share by which chance may delay that, 0 to 1.
    pub measure_jitter: f64,
    /// Samples of a measurement; from 1 up to 1 000.
    pub measure_samples: u32,
}

/// The limit and the minimum.
#[derive(Clone, Debug)]
pub struct Gradient {
    config: GradientConfig,
    limit: f64,
    min_rtt_ms: Option<f64>,
    /// Set with the first sample.
    measure_at: Option<Instant>,
    measured: Vec<f64>,
}

impl Gradient {
    /// The initial limit.
    #[must_use]
    pub fn new(config: GradientConfig) -> Self {
        Self {
            limit: f64::from(config.initial),
            min_rtt_ms: config.min_rtt_ms,
            measure_at: None,
            measured: Vec::new(),
            config,
        }
    }

    pub(super) const fn estimate(&self) -> f64 {
        if self.min_rtt_ms.is_some() { self.limit } else { self.config.min as f64 }
    }

    pub(super) fn observe(&mut self, sample: Sample, now: Instant, rng: &mut impl Rng) {
        let measure_at = *self.measure_at.get_or_insert_with(|| {
            let jitter_ms = self.config.measure_every_ms as f64 * self.config.measure_jitter * rng.unit();
            now.plus(self.config.measure_every_ms).plus(jitter_ms as Millis)
        });
        if now >= measure_at {
            (self.min_rtt_ms, self.measure_at) = (None, None);
        }
        let Some(min_rtt_ms) = self.min_rtt_ms else { return self.measure(sample.rtt_ms) };
        let gradient = (min_rtt_ms * (1.0 + self.config.buffer) / sample.rtt_ms).clamp(0.5, 2.0);
        let target = gradient * self.limit + self.limit.sqrt();
        self.limit = target.min(f64::from(self.config.max)).max(f64::from(self.config.min.max(1)));
    }

    fn measure(&mut self, rtt_ms: f64) {
        self.measured.push(rtt_ms);
        let enough = self.config.measure_samples.clamp(1, MEASURE_SAMPLES_MAX) as usize;
        if self.measured.len() >= enough {
            self.measured.sort_by(f64::total_cmp);
            self.min_rtt_ms = self.measured.get(self.measured.len() / 2).copied();
            self.measured.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    const CONFIG: GradientConfig = GradientConfig {
        initial: 100,
        min: 3,
        max: 1_000,
        buffer: 0.25,
        min_rtt_ms: Some(100.0),
        measure_every_ms: 60_000,
        measure_jitter: 0.1,
        measure_samples: 5,
    };

    fn after(config: GradientConfig, rtts_ms: &[f64]) -> f64 {
        let mut it = Gradient::new(config);
        rtts_ms.iter().for_each(|rtt| observe(&mut it, *rtt, Instant(0)));
        it.estimate()
    }

    fn observe(it: &mut Gradient, rtt_ms: f64, now: Instant) {
        it.observe(Sample { rtt_ms, in_flight: 1, is_dropped: false }, now, &mut SplitMix::new(1));
    }

    #[test]
    fn it_grows_by_its_root_and_moves_by_half_or_double_at_most() {
        assert_eq!(after(CONFIG, &[125.0]), 110.0);
        assert_eq!(after(CONFIG, &[1.0]), 210.0);
        assert_eq!(after(CONFIG, &[1e6]), 60.0);
        assert_eq!(after(GradientConfig { max: 105, ..CONFIG }, &[125.0]), 105.0);
        assert!(after(CONFIG, &[1e6; 100]) >= 3.0);
    }

    #[test]
    fn the_minimum_is_measured_with_a_low_limit_and_then_again() {
        let mut it = Gradient::new(GradientConfig { min_rtt_ms: None, ..CONFIG });
        for (rtt, at) in [(90.0, 0), (500.0, 1), (110.0, 2), (100.0, 3)] {
            observe(&mut it, rtt, Instant(at));
            assert_eq!(it.estimate(), 3.0);
        }
        observe(&mut it, 80.0, Instant(4));
        assert_eq!((it.estimate(), it.min_rtt_ms), (100.0, Some(100.0)));
        observe(&mut it, 125.0, Instant(59_999));
        assert_eq!(it.estimate(), 110.0);
        observe(&mut it, 125.0, Instant(66_001));
        assert_eq!(it.estimate(), 3.0, "measuring again");
    }
}
