//! What a fleet of any size is promised, at sizes that a test can afford; `npm run sim` shows the others.

use crate::fleet::faults::{Fault, Faults, Trouble};
use crate::fleet::kv::KvPlan;
use crate::fleet::plan::{Expected, Plan, Policy};
use crate::fleet::world::{Outcome, run};

/// An outage of three minutes.
fn outage(policy: Policy, isolates: u32, seed: u64) -> Plan {
    Plan::outage(policy, isolates, seed, 180_000)
}

fn recovery_s(outcome: &Outcome) -> f64 {
    outcome.measure.recovery_ms(95).map_or(f64::INFINITY, |ms| ms as f64 / 1_000.0)
}

/// Calls that reach the dead database after the first ten seconds.
#[test]
fn a_thousand_isolates_are_as_quiet_as_a_few() {
    for policy in [Policy::Cells, Policy::CellsNear] {
        let outcome = run(&outage(policy, 1_000, 1));
        let (mean, most) = outcome.measure.dead_load();
        assert!(mean <= 6.0 && most <= 40, "{}: {mean:.1} a second, at most {most}", policy.name());
    }
}

#[test]
fn a_local_breaker_is_ten_times_as_loud() {
    let loud = run(&outage(Policy::Local, 1_000, 1)).measure.dead_load().0;
    let quiet = run(&outage(Policy::Cells, 1_000, 1)).measure.dead_load().0;
    assert!(loud > 10.0 * quiet, "{loud:.1} and {quiet:.1} calls a second");
}

#[test]
fn they_come_back_together_and_sooner_with_a_store_near_by() {
    let back = |policy| recovery_s(&run(&outage(policy, 1_000, 2)));
    let (far, near) = (back(Policy::Cells), back(Policy::CellsNear));
    assert!(far <= 30.0, "{far} s");
    assert!(near <= 15.0, "{near} s");
}

/// Whoever sets the number of isolates may be wrong by ten times, either way.
#[test]
fn a_wrong_number_of_isolates_puts_off_no_recovery() {
    for times in [0.1, 10.0] {
        for (policy, most_s) in [(Policy::Cells, 60.0), (Policy::CellsNear, 30.0)] {
            let plan = Plan { expected: Expected::Times(times), ..outage(policy, 500, 1) };
            let back = recovery_s(&run(&plan));
            assert!(back <= most_s, "{} × {times}: {back} s", policy.name());
        }
    }
}

/// One colo of 20 cannot reach the database: nobody elsewhere is refused anything.
#[test]
fn one_bad_colo_is_nobody_elses_trouble() {
    const BAD: u16 = 3;
    for policy in [Policy::Cells, Policy::CellsNear] {
        let mut plan = outage(policy, 500, 1);
        let (from, to) = plan.outage;
        plan.faults = Faults(vec![Fault::in_colo(BAD, from, to, Trouble::Fails { after_ms: 1_000 })]);
        let outcome = run(&plan);
        let refused = &outcome.measure.refused_in;
        for (colo, &count) in refused.iter().enumerate() {
            let is_bad = colo == usize::from(BAD);
            assert_eq!(count > 0, is_bad, "{}: {count} refusals in colo {colo}", policy.name());
        }
    }
}

/// The naive key is everybody's, where a store is quick enough to make it so.
#[test]
fn a_bad_colo_that_is_everybodys_trouble_is_found() {
    const BAD: u16 = 3;
    let mut plan = outage(Policy::Naive, 500, 1);
    let (from, to) = plan.outage;
    plan.faults = Faults(vec![Fault::in_colo(BAD, from, to, Trouble::Fails { after_ms: 1_000 })]);
    plan.kv = KvPlan { cache_ttl_ms: 0, local: 1.0, remote_ms: (0, 500), late: 0.0 };
    let refused = run(&plan).measure.refused_in;
    assert!(refused.iter().sum::<u64>() > refused[usize::from(BAD)]);
}
