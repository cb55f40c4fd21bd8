//! Vegas: how many calls seem to queue, judged by the latency without load.
//!
//! ```text
//! queue = ⌈limit · (1 − rtt₀ / rtt)⌉        step = max(1, ⌊log₁₀ limit⌋)
//! dropped          limit − step             queue < 3 · step   limit + step
//! queue ≤ step     limit + 6 · step         queue > 6 · step   limit − step
//! ```
//!
//! in that order, and nothing between. With a limit of 100 and latencies of 100 ms without load and 200 now, 50 calls
//! seem to queue, more than 12: the limit becomes 98.
//!
//! A latency below rtt₀ becomes rtt₀. So that an old record does not stand for ever, the sample after
//! U(0.5, 1) · 30 · limit others becomes rtt₀ whatever it is. After TCP Vegas and Netflix's `VegasLimit`.

use super::Sample;
use crate::rng::Rng;

/// Samples between two new measurements of rtt₀, in limits.
const PROBE_AFTER: f64 = 30.0;

/// The numbers of the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VegasConfig {
    /// The limit at first.
    pub initial: u32,
    /// Never above.
    pub max: u32,
    /// How much of a change is taken, 0 to 1.
    pub smoothing: f64,
    /// The latency without load, if it is known from earlier, in milliseconds.
    pub no_load_rtt_ms: Option<f64>,
}

/// The limit and the latency without load.
#[derive(Clone, Debug)]
pub struct Vegas {
    config: VegasConfig,
    limit: f64,
    no_load_ms: Option<f64>,
    samples: u32,
    /// The share of [`PROBE_AFTER`] after which rtt₀ is measured; drawn with the first sample.
    probe_jitter: Option<f64>,
}

impl Vegas {
    /// The initial limit.
    #[must_use]
    pub fn new(config: VegasConfig) -> Self {
        Self {
            limit: f64::from(config.initial),
            no_load_ms: config.no_load_rtt_ms,
            samples: 0,
            probe_jitter: None,
            config,
        }
    }

    pub(super) const fn estimate(&self) -> f64 {
        self.limit
    }

    pub(super) fn observe(&mut self, sample: Sample, rng: &mut impl Rng) {
        self.samples = self.samples.saturating_add(1);
        let jitter = *self.probe_jitter.get_or_insert_with(|| 0.5 + rng.unit() / 2.0);
        if f64::from(self.samples) >= jitter * PROBE_AFTER * self.limit {
            (self.samples, self.probe_jitter) = (0, None);
            self.no_load_ms = Some(sample.rtt_ms);
            return;
        }
        match self.no_load_ms {
            Some(no_load_ms) if sample.rtt_ms >= no_load_ms => self.judge(sample, no_load_ms),
            _ => self.no_load_ms = Some(sample.rtt_ms),
        }
    }

    fn judge(&mut self, sample: Sample, no_load_ms: f64) {
        let step = self.limit.log10().floor().max(1.0);
        let queue = (self.limit * (1.0 - no_load_ms / sample.rtt_ms)).ceil();
        let target = if sample.is_dropped {
            self.limit - step
        } else if f64::from(sample.in_flight) * 2.0 < self.limit {
            return;
        } else if queue <= step {
            self.limit + 6.0 * step
        } else if queue < 3.0 * step {
            self.limit + step
        } else if queue > 6.0 * step {
            self.limit - step
        } else {
            return;
        };
        let target = target.min(f64::from(self.config.max)).max(1.0);
        self.limit = self.limit * (1.0 - self.config.smoothing) + target * self.config.smoothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    fn after(initial: u32, samples: &[Sample]) -> f64 {
        let config = VegasConfig { initial, max: 1_000, smoothing: 1.0, no_load_rtt_ms: Some(100.0) };
        let mut it = Vegas::new(config);
        samples.iter().for_each(|sample| it.observe(*sample, &mut SplitMix::new(1)));
        it.estimate()
    }

    fn sample(rtt_ms: f64, in_flight: u32) -> Sample {
        Sample { rtt_ms, in_flight, is_dropped: false }
    }

    #[test]
    fn it_moves_by_how_many_seem_to_queue() {
        assert_eq!(after(20, &[sample(100.0, 20)]), 26.0);
        assert_eq!(after(100, &[sample(102.0, 100)]), 112.0, "2 of 100: no queue");
        assert_eq!(after(100, &[sample(104.0, 100)]), 102.0, "4: a small one");
        assert_eq!(after(100, &[sample(106.0, 100)]), 100.0, "6 is not below three steps");
        assert_eq!(after(100, &[sample(113.0, 100)]), 100.0, "12 is not above six");
        assert_eq!(after(100, &[sample(110.0, 100)]), 100.0, "10: as it should be");
        assert_eq!(after(100, &[sample(200.0, 100)]), 98.0, "50: too many");
        assert_eq!(after(100, &[sample(100.0, 49)]), 100.0, "not used");
    }

    #[test]
    fn a_drop_lowers_it_whatever_is_in_flight_and_never_below_one() {
        let dropped = Sample { is_dropped: true, ..sample(100.0, 1) };
        assert_eq!(after(100, &[dropped]), 98.0);
        assert_eq!(after(2, &[dropped; 5]), 1.0);
    }

    #[test]
    fn a_lower_latency_is_the_new_measure_and_moves_nothing() {
        assert_eq!(after(100, &[sample(50.0, 100)]), 100.0);
        assert_eq!(after(100, &[sample(50.0, 100), sample(100.0, 100)]), 98.0);
    }

    #[test]
    fn an_old_record_does_not_stand_for_ever() {
        let config = VegasConfig { initial: 10, max: 10, smoothing: 1.0, no_load_rtt_ms: Some(1.0) };
        let mut it = Vegas::new(config);
        let mut rng = SplitMix::new(1);
        let measured = (1..=300).find(|_| {
            it.observe(sample(100.0, 0), &mut rng);
            it.no_load_ms == Some(100.0)
        });
        assert!((150..=300).contains(&measured.unwrap()), "{measured:?}");
    }
}
