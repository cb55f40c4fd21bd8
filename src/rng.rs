//! Chance, as an argument. One small generator that the host seeds; nothing here seeds itself.
//!
//! Used for jitter only. It is not for secrets.

/// A source of uniform numbers.
pub trait Rng {
    /// The next 64 random bits.
    fn bits(&mut self) -> u64;

    /// A number from 0 (included) to 1 (excluded), with 53 bits of resolution.
    fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.bits() >> 11) as f64 * STEP
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): 64 bits of state, any seed is good.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A generator that repeats itself for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Rng for SplitMix {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

/// The finaliser of `SplitMix64`: spreads every input bit over the whole output. A stateless hash of a number.
#[must_use]
pub const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_equals_the_published_sequence_for_seed_1234567() {
        let mut rng = SplitMix::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_unit_is_never_one() {
        struct Ones;
        impl Rng for Ones {
            fn bits(&mut self) -> u64 {
                u64::MAX
            }
        }
        assert!(Ones.unit() < 1.0);
    }
}
