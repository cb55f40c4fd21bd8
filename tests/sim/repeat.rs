//! A seed is a world: run twice it gives the same events, and another seed gives others.

use crate::fleet::plan::Policy;
use crate::fleet::world::run;
use crate::model::worlds;

#[test]
fn a_world_that_is_run_twice_gives_the_same_events() {
    for policy in Policy::ALL {
        let plan = worlds::storm(policy, 5);
        assert_eq!(run(&plan), run(&plan), "SEED=5 {}", policy.name());
    }
}

#[test]
fn another_seed_gives_another_world() {
    let digest = |seed| run(&worlds::storm(Policy::Cells, seed)).digest;
    assert_ne!(digest(1), digest(2));
}

/// Ten seeds of the storm differ in what they break, not in whether anything works.
#[test]
fn a_storm_is_one() {
    for seed in 1..=10 {
        let outcome = run(&worlds::storm(Policy::Local, seed));
        let sum = |of: fn(&crate::fleet::measure::Second) -> u32| outcome.measure.seconds.iter().map(of).sum::<u32>();
        assert!(sum(|second| second.failed) > 0 && sum(|second| second.served) > 10_000, "SEED={seed}");
    }
}
