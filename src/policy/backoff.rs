//! How long to wait before the next try: exponential, capped, with jitter.
//!
//! `delay(i) = min(initial · multiplier^i, max) · (1 + jitter · (2u − 1))` with `u` uniform in [0, 1). With 500 ms,
//! factor 2 and jitter 0.2 the delays lie around 500, 1 000, 2 000, 4 000 ms, each ± 20 %.
//!
//! [`Pacing`] has the other ways in use. Each takes one uniform number from the generator per delay, the linear one none.

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

/// Where the delays of one call come from.
pub trait Delays {
    /// The delay before try number `retry`, counted from 0. `pace` is the call's own memory.
    fn delay_ms(&self, retry: u32, pace: &mut Pace, rng: &mut impl Rng) -> Millis;
}

/// What delays remember between two tries of one call. The default is a call without a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace(f64);

impl Delays for Backoff {
    fn delay_ms(&self, retry: u32, _pace: &mut Pace, rng: &mut impl Rng) -> Millis {
        Self::delay_ms(self, retry, rng)
    }
}

/// Every way in use. The `jitter` of a [`Backoff`] within counts only where it says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// With the backoff's own jitter, to both sides.
    Exponential(Backoff),
    /// From zero up to the exponential. ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015.)
    Full(Backoff),
    /// From half the exponential up to it. (The same.)
    Equal(Backoff),
    /// `min(max, initial + u · (3 · previous − initial))`, the previous one being `initial` at first. (The same.)
    Decorrelated {
        /// The shortest delay, in milliseconds.
        initial_ms: Millis,
        /// The longest delay, in milliseconds.
        max_ms: Millis,
    },
    /// `(f(t) − f(previous t)) · initial / 1.4` with `f(t) = 2^t · tanh(√(4t))` and `t = retry + u`: spread evenly,
    /// with a median that doubles. (Polly's `DecorrelatedJitterBackoffV2`.)
    Smooth {
        /// The median of the first delay, in milliseconds.
        initial_ms: Millis,
        /// The longest delay, in milliseconds.
        max_ms: Millis,
    },
    /// Longer by the same amount each time.
    Linear {
        /// The first delay, and what each is longer by, in milliseconds.
        step_ms: Millis,
        /// The longest delay, in milliseconds.
        max_ms: Millis,
    },
}

impl Delays for Pacing {
    fn delay_ms(&self, retry: u32, pace: &mut Pace, rng: &mut impl Rng) -> Millis {
        match *self {
            Self::Exponential(backoff) => Backoff::delay_ms(&backoff, retry, rng),
            Self::Full(backoff) => scale(backoff.base_ms(retry), rng.unit()),
            Self::Equal(backoff) => scale(backoff.base_ms(retry), 0.5 + 0.5 * rng.unit()),
            Self::Decorrelated { initial_ms, max_ms } => {
                let initial = initial_ms as f64;
                let previous = if retry == 0 { initial } else { pace.0 };
                pace.0 = (initial + rng.unit() * (3.0 * previous - initial)).min(max_ms as f64);
                scale(pace.0, 1.0)
            }
            Self::Smooth { initial_ms, max_ms } => {
                let t = f64::from(retry.min(1_000)) + rng.unit();
                let reached = t.exp2() * (4.0 * t).sqrt().tanh();
                let delay = (reached - pace.0) * initial_ms as f64 / 1.4;
                pace.0 = reached;
                scale(delay.min(max_ms as f64), 1.0)
            }
            Self::Linear { step_ms, max_ms } => {
                step_ms.saturating_mul(Millis::from(retry).saturating_add(1)).min(max_ms)
            }
        }
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

    struct Told(Vec<f64>);

    impl Rng for Told {
        fn bits(&mut self) -> u64 {
            0
        }

        fn unit(&mut self) -> f64 {
            self.0.remove(0)
        }
    }

    fn delays(pacing: Pacing, units: &[f64]) -> Vec<Millis> {
        let (mut pace, mut rng) = (Pace::default(), Told(units.to_vec()));
        (0..).take(units.len()).map(|retry| pacing.delay_ms(retry, &mut pace, &mut rng)).collect()
    }

    #[test]
    fn each_pacing_takes_one_number_per_delay_and_follows_its_formula() {
        assert_eq!(delays(Pacing::Full(BACKOFF), &[0.5, 0.0, 1.0]), [250, 0, 2_000]);
        assert_eq!(delays(Pacing::Equal(BACKOFF), &[0.0, 1.0, 0.5]), [250, 1_000, 1_500]);
        let decorrelated = Pacing::Decorrelated { initial_ms: 100, max_ms: 500 };
        assert_eq!(delays(decorrelated, &[0.5, 1.0, 1.0]), [200, 500, 500]);
        assert_eq!(delays(decorrelated, &[0.0, 0.0]), [100, 100]);
        let smooth = Pacing::Smooth { initial_ms: 1_000, max_ms: 30_000 };
        assert_eq!(delays(smooth, &[0.5, 0.5]), [897, 1_093]);
    }

    #[test]
    fn a_pacing_without_chance_takes_none_from_it() {
        let linear = Pacing::Linear { step_ms: 100, max_ms: 250 };
        let (mut pace, mut rng) = (Pace::default(), Told(Vec::new()));
        let delays: Vec<Millis> = (0..3).map(|retry| linear.delay_ms(retry, &mut pace, &mut rng)).collect();
        assert_eq!(delays, [100, 200, 250]);
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
