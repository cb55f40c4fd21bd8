//! Ejection: whatever the answers, one stays, the share is kept, and everyone comes back.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::outlier::{Comparison, OutlierConfig, Outliers};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn one_stays_the_share_is_kept_and_everyone_comes_back(
        endpoints in 1_usize..8,
        max_ejection_percent in 0_u32..=200,
        ejects_one in any::<bool>(),
        comparison in prop_oneof![
            Just(Comparison::None),
            (0.0_f64..3.0).prop_map(|factor| Comparison::SuccessRate { factor }),
            (0.0_f64..=1.0).prop_map(|share| Comparison::FailureShare { share }),
        ],
        answers in vec((0_usize..9, any::<bool>(), 0_u64..20_000), 0..120),
    ) {
        let config = OutlierConfig {
            consecutive_failures: 3,
            comparison,
            endpoints_min: 1,
            requests_min: 1,
            interval_ms: 10_000,
            base_ejection_ms: 30_000,
            max_ejection_ms: 90_000,
            max_ejection_percent,
            ejects_one,
        };
        let mut now = Instant(1_000_000);
        let mut outliers = <Outliers>::new(config, endpoints, now);
        let allowed = (endpoints * max_ejection_percent as usize / 100).max(usize::from(ejects_one));
        for (endpoint, is_failure, gap) in answers {
            now = now.plus(gap);
            let was_ejected = outliers.is_ejected(endpoint);
            let ejected = outliers.observe(endpoint, is_failure, now);
            prop_assert!(!ejected || outliers.is_ejected(endpoint) && is_failure);
            prop_assert!(!ejected || endpoint < endpoints && !was_ejected || gap > 0);
            prop_assert!(outliers.ejected() < endpoints, "everyone is ejected");
            prop_assert!(outliers.ejected() <= allowed);
            prop_assert!(outliers.wake_at() > now);
        }
        outliers.sweep(now.plus(90_000 + 2 * 10_000));
        prop_assert_eq!(outliers.ejected(), 0, "nobody is away for longer than the longest ejection and a sweep");
    }
}
