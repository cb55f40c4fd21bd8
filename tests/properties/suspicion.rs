//! Suspicion: it grows with silence, and is a number whatever the clock does.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::suspicion::{Suspicion, SuspicionConfig};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn it_grows_with_silence(
        intervals in vec(0_u64..20_000, 0..40),
        silences in vec(0_u64..200_000, 2..20),
        samples_max in 0_u32..20,
    ) {
        let config = SuspicionConfig {
            threshold: 8.0,
            samples_max,
            sd_min_ms: 50,
            acceptable_pause_ms: 500,
            first_interval_ms: 1_000,
        };
        let mut suspicion = Suspicion::new(config);
        let mut now = Instant(1_000_000);
        suspicion.observe(now);
        for interval in intervals {
            now = now.plus(interval);
            suspicion.observe(now);
        }
        let mut silences = silences;
        silences.sort_unstable();
        let phis: Vec<f64> = silences.iter().map(|silence| suspicion.phi(now.plus(*silence))).collect();
        prop_assert!(phis.iter().all(|phi| *phi >= 0.0));
        // The two branches of the formula meet within rounding.
        prop_assert!(phis.is_sorted_by(|earlier, later| *earlier <= *later + 1e-9), "{:?}", phis);
    }

    #[test]
    fn it_is_a_number_whatever_the_clock_does(times in vec(any::<u64>(), 1..40), look in any::<u64>()) {
        let config = SuspicionConfig {
            threshold: f64::INFINITY,
            samples_max: 1_000,
            sd_min_ms: 0,
            acceptable_pause_ms: 0,
            first_interval_ms: u64::MAX,
        };
        let mut suspicion = Suspicion::new(config);
        times.into_iter().for_each(|at| suspicion.observe(Instant(at)));
        prop_assert!(suspicion.phi(Instant(look)) >= 0.0);
    }
}
