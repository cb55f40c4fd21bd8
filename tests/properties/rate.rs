//! Laws of the token bucket, whatever comes when.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::rate::{Rate, RateConfig};

const START: Instant = Instant(1_795_000_000_000);

proptest! {
    /// TIER-10: in no span of time does more pass than the burst and what the rate brings; what is refused passes when it was told to
    #[test]
    fn no_span_lets_more_through_than_the_burst_and_the_rate(
        per_second in 1_u32..200,
        burst in 1_u32..20,
        gaps in vec(0_u64..200, 1..150),
    ) {
        let mut rate = Rate::new(RateConfig::per_second(f64::from(per_second), burst));
        let mut now = START;
        let mut admitted: Vec<Instant> = Vec::new();
        for gap in gaps {
            now = now.plus(gap);
            match rate.decide(now) {
                Ok(()) => admitted.push(now),
                Err(retry_at) => {
                    prop_assert!(retry_at > now);
                    prop_assert!(rate.decide(Instant(retry_at.0 - 1)).is_err(), "it said too late");
                    let mut then = rate;
                    prop_assert!(then.decide(retry_at).is_ok(), "it said too early");
                }
            }
        }
        for (index, first) in admitted.iter().enumerate() {
            for (count, last) in admitted[index..].iter().enumerate() {
                let span_ms = last.since(*first);
                // The interval is cut to whole microseconds: at most one in a thousand more at these rates.
                let brought = span_ms as f64 * f64::from(per_second) / 1_000.0 * 1.001;
                prop_assert!(count as f64 + 1.0 <= f64::from(burst) + brought + 1e-6, "{} in {} ms", count + 1, span_ms);
            }
        }
    }

    #[test]
    fn asking_less_often_than_the_rate_is_never_refused(per_second in 1_u32..200, extra in vec(0_u64..50, 1..100)) {
        let mut rate = Rate::new(RateConfig::per_second(f64::from(per_second), 1));
        let mut now = START;
        for more in extra {
            now = now.plus(1_000_u64.div_ceil(u64::from(per_second)) + more);
            prop_assert!(rate.decide(now).is_ok());
        }
    }
}
