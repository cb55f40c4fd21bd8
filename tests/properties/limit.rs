//! Adaptive limits: within their bounds and above zero, whatever is measured.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::limit::{
    AdaptiveLimit, Gradient, Gradient2, Gradient2Config, GradientConfig, Sample, Vegas, VegasConfig,
};
use seawall::rng::SplitMix;

fn rule() -> impl Strategy<Value = AdaptiveLimit> {
    let known = proptest::option::of(1e-3_f64..1e6);
    prop_oneof![
        (known.clone(), 0.0_f64..=1.0).prop_map(|(long_rtt_ms, smoothing)| AdaptiveLimit::Gradient2(Gradient2::new(
            Gradient2Config {
                initial: 20,
                min: 2,
                max: 200,
                smoothing,
                queue_size: 4.0,
                tolerance: 1.5,
                long_window: 600,
                warm_up: 10,
                long_rtt_ms,
            }
        ))),
        (known.clone(), 0.0_f64..=1.0).prop_map(|(no_load_rtt_ms, smoothing)| AdaptiveLimit::Vegas(Vegas::new(
            VegasConfig { initial: 20, max: 200, smoothing, no_load_rtt_ms }
        ))),
        (known, 1_u32..60).prop_map(|(min_rtt_ms, measure_samples)| AdaptiveLimit::Gradient(Gradient::new(
            GradientConfig {
                initial: 20,
                min: 2,
                max: 200,
                buffer: 0.25,
                min_rtt_ms,
                measure_every_ms: 60_000,
                measure_jitter: 0.1,
                measure_samples,
            }
        ))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn it_stays_within_its_bounds(
        rule in rule(),
        samples in vec((any::<f64>(), 1e-3_f64..1e6, any::<bool>(), 0_u32..300, any::<bool>(), 0_u64..5_000), 1..200),
    ) {
        let mut rule = rule;
        let mut rng = SplitMix::new(1);
        let mut now = Instant(0);
        for (any_ms, usual_ms, is_usual, in_flight, is_dropped, gap) in samples {
            now = now.plus(gap);
            let rtt_ms = if is_usual { usual_ms } else { any_ms };
            rule.observe(Sample { rtt_ms, in_flight, is_dropped }, now, &mut rng);
            prop_assert!((1.0..=200.0).contains(&rule.estimate()), "{}", rule.estimate());
            prop_assert!(rule.limit() >= 1);
        }
    }
}
