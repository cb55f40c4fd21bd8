//! How long to wait before the next try: exponential, capped, with jitter.
//!
//! `delay(i) = min(initial · multiplier^i, max) · (1 + jitter · (2u − 1))` with `u` uniform in [0, 1). With 500 ms,
//! factor 2 and jitter 0.2 the delays lie around 500, 1 000, 2 000, 4 000 ms, each ± 20 %.

use crate::clock::Millis;
use crate::rng::Rng;

/// The shape of the delays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first delay, in milliseconds.
    pub initial_ms: Millis,
    /// No delay is longer before jitter, in milliseconds.
    pub max_ms: Millis,
    /// How much longer each delay is than the one before; at least 1.
    pub multiplier: f64,
    /// The share by which chance may lengthen or shorten a delay, 0 to 1.
    pub jitter: f64,
}

impl Backoff {
    /// The delay before try number `retry`, counted from 0, with jitter to both sides.
    pub fn delay_ms(&self, retry: u32, rng: &mut impl Rng) -> Millis {
        let spread = self.jitter * (2.0 * rng.unit() - 1.0);
        scale(self.base_ms(retry), 1.0 + spread)
    }

    /// The same with jitter to the long side only: never shorter than the exponential.
    pub fn at_least_ms(&self, retry: u32, rng: &mut impl Rng) -> Millis {
        scale(self.base_ms(retry), 1.0 + self.jitter * rng.unit())
    }

    fn base_ms(&self, retry: u32) -> f64 {
        let exponent = i32::try_from(retry.min(1_000)).unwrap_or(1_000);
        (self.initial_ms as f64 * self.multiplier.powi(exponent)).min(self.max_ms as f64)
    }
}

/// A float above `u64::MAX` saturates, so that no factor overflows.
fn scale(ms: f64, factor: f64) -> Millis {
    (ms * factor).round() as Millis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    const BACKOFF: Backoff = Backoff { initial_ms: 500, max_ms: 10_000, multiplier: 2.0, jitter: 0.0 };

    #[test]
    fn delays_double_up_to_the_cap() {
        let mut rng = SplitMix::new(1);
        let delays: Vec<Millis> = (0..7).map(|retry| BACKOFF.delay_ms(retry, &mut rng)).collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(BACKOFF.delay_ms(u32::MAX, &mut rng), 10_000);
    }

    #[test]
    fn jitter_stays_within_its_share_and_one_kind_never_shortens() {
        let jittered = Backoff { jitter: 0.2, ..BACKOFF };
        let mut rng = SplitMix::new(7);
        for _ in 0..1_000 {
            assert!((400..=600).contains(&jittered.delay_ms(0, &mut rng)));
            assert!((500..=600).contains(&jittered.at_least_ms(0, &mut rng)));
        }
    }
}
