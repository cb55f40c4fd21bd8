//! Balancing: only the eligible are chosen, looking changes nothing, and nobody is starved by round robin.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::balance::{Algorithm, BalanceConfig, Balancer};
use seawall::rng::SplitMix;

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::RoundRobin),
        Just(Algorithm::LeastPending),
        Just(Algorithm::PairPending),
        Just(Algorithm::LeastCost),
        Just(Algorithm::PairCost),
    ]
}

fn config(algorithm: Algorithm, panic_below: f64) -> BalanceConfig {
    BalanceConfig { algorithm, decay_ms: 10_000, first_rtt_ms: 30.0, failure_penalty_ms: 1_000.0, panic_below }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn only_the_eligible_are_chosen_and_somebody_always_is_while_panic_is_on(
        algorithm in algorithm(),
        available in vec(any::<bool>(), 1..8),
        panic_below in prop_oneof![Just(0.0), 0.01_f64..=1.0],
        observed in vec((0_usize..9, 0.0_f64..1e6, any::<bool>(), 0_u64..60_000), 0..20),
        seed in any::<u64>(),
    ) {
        let start = Instant(1_000_000);
        let mut balancer = Balancer::new(config(algorithm, panic_below), available.len(), start);
        let mut now = start;
        for (endpoint, rtt_ms, is_failure, gap) in observed {
            now = now.plus(gap);
            balancer.observe(endpoint, rtt_ms, is_failure, now);
            balancer.begin(endpoint);
        }
        for (endpoint, is_available) in available.iter().enumerate() {
            balancer.set_available(endpoint, *is_available);
        }
        let count = available.iter().filter(|is_available| **is_available).count();
        prop_assert_eq!(balancer.is_panicking(), (count as f64) < panic_below * available.len() as f64);
        let eligible: Vec<usize> = balancer.eligible().collect();
        let chosen = balancer.choose(&mut SplitMix::new(seed), now);
        prop_assert_eq!(chosen.is_some(), !eligible.is_empty());
        prop_assert!(chosen.is_none_or(|chosen| eligible.contains(&chosen)));
        prop_assert!(panic_below == 0.0 || !eligible.is_empty());
    }

    #[test]
    fn looking_changes_nothing_and_time_only_lowers_a_cost(
        rtts in vec((0.0_f64..1e6, 0_u64..60_000), 1..20),
        looks in vec(0_u64..600_000, 1..20),
    ) {
        let mut watched = Balancer::new(config(Algorithm::PairCost, 0.5), 1, Instant(0));
        let mut alone = watched.clone();
        let mut now = Instant(0);
        for (rtt_ms, gap) in rtts {
            now = now.plus(gap);
            for look in &looks {
                prop_assert!(watched.cost(0, 0.0, now.plus(*look)) <= watched.cost(0, 0.0, now));
            }
            watched.observe(0, rtt_ms, false, now);
            alone.observe(0, rtt_ms, false, now);
            prop_assert_eq!(watched.cost(0, 0.0, now), alone.cost(0, 0.0, now));
            prop_assert!(watched.cost(0, 0.0, now) >= rtt_ms * 0.999_999, "an estimate is never below the latest answer");
        }
    }

    #[test]
    fn round_robin_gives_all_the_same(available in vec(any::<bool>(), 1..8), rounds in 1_usize..5) {
        let mut balancer = Balancer::new(config(Algorithm::RoundRobin, 0.0), available.len(), Instant(0));
        for (endpoint, is_available) in available.iter().enumerate() {
            balancer.set_available(endpoint, *is_available);
        }
        let count = available.iter().filter(|is_available| **is_available).count();
        let mut chosen = vec![0; available.len()];
        for _ in 0..rounds * count {
            chosen[balancer.choose(&mut SplitMix::new(1), Instant(0)).unwrap()] += 1;
        }
        for (count, is_available) in chosen.iter().zip(&available) {
            prop_assert_eq!(*count, if *is_available { rounds } else { 0 });
        }
    }
}
