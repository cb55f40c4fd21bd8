//! The bulkhead: shares add up to no more than the limit, totals keep their promise, no room is left while one waits.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::bulkhead::{Bulkhead, BulkheadConfig, Lending, Standing};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn shares_never_exceed_the_limit_in_sum(limit in any::<u32>(), shares in vec(prop_oneof![any::<u32>(), 0_u32..6_000], 0..12)) {
        let config = BulkheadConfig {
            limit, queue_max: 0, wait_max_ms: 1, permit_ttl_ms: 1, shares: shares.clone(), lending: Lending::Strict,
        };
        let bulkhead = Bulkhead::new(config);
        let sum: u64 = bulkhead.rooms().iter().map(|room| u64::from(*room)).sum();
        prop_assert!(sum <= u64::from(limit));
        let shares: Vec<u32> = shares.into_iter().map(|share| share.min(10_000)).collect();
        let whole = f64::from(shares.iter().sum::<u32>().max(10_000));
        for (room, share) in bulkhead.rooms().iter().zip(shares) {
            let exact = f64::from(limit) * f64::from(share) / whole;
            prop_assert!((f64::from(*room) - exact).abs() <= 1.0 + exact * 1e-9, "{} of {}", room, exact);
        }
    }

    #[test]
    fn totals_keep_their_promise_and_no_room_is_left_while_one_waits(
        limit in 1_u32..8, queue_max in 0_u32..6, is_strict in any::<bool>(),
        shares in vec(0_u32..6_000, 0..4),
        deeds in vec((0_u8..5, 0_u32..20, 0_usize..5, 0_u64..400), 1..120),
    ) {
        let lending = if is_strict { Lending::Strict } else { Lending::Guaranteed };
        let config = BulkheadConfig { limit, queue_max, wait_max_ms: 1_000, permit_ttl_ms: 2_000, shares, lending };
        let mut bulkhead = Bulkhead::new(config);
        let mut running = BTreeSet::new();
        let mut now = Instant(0);
        for (deed, call, tier, gap) in deeds {
            now = now.plus(gap);
            let admitted = match deed {
                0..3 => {
                    if bulkhead.enter(call, Some(tier), now) == Standing::Running {
                        running.insert(call);
                    }
                    Vec::new()
                }
                3 => {
                    running.remove(&call);
                    bulkhead.leave(call, now)
                }
                _ => bulkhead.sweep(now),
            };
            for call in admitted {
                prop_assert!(running.insert(call), "let in twice");
            }
            running.retain(|call| bulkhead.standing(*call) == Some(Standing::Running));
            prop_assert_eq!(running.len(), bulkhead.running());
            let rooms: u32 = bulkhead.rooms().iter().sum();
            let most = if is_strict { limit } else { limit + rooms };
            prop_assert!(bulkhead.running() <= most as usize);
            prop_assert!(bulkhead.queued() <= queue_max as usize);
            prop_assert!(bulkhead.queued() == 0 || bulkhead.running() >= limit as usize, "room, and one waits");
        }
    }
}
