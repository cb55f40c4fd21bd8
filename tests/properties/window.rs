//! The window against a list of everything that ever happened.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::window::{Counts, Window};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn it_counts_exactly_what_the_last_slices_held(
        steps in vec((0_u64..3_000, any::<bool>(), any::<bool>()), 1..60),
        buckets in 1_u32..12,
    ) {
        let width = 500;
        let mut window = Window::new(width * u64::from(buckets), buckets);
        let mut all = Vec::new();
        let mut now = 10_000_000;
        for (gap, is_failure, is_slow) in steps {
            now += gap;
            window.record(Counts { calls: 1, failures: is_failure.into(), slow: is_slow.into() }, Instant(now));
            all.push((now, is_failure, is_slow));
            let slice = now / width;
            let recent = all.iter().filter(|(at, ..)| at / width + u64::from(buckets) > slice);
            let expected = recent.fold(Counts::default(), |counts, (_, is_failure, is_slow)| Counts {
                calls: counts.calls + 1,
                failures: counts.failures + u32::from(*is_failure),
                slow: counts.slow + u32::from(*is_slow),
            });
            prop_assert_eq!(window.totals(Instant(now)), expected);
        }
    }
}
