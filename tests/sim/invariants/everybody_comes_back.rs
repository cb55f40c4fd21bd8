//! Once the database is healthy, every isolate admits calls again within a time that follows from the settings, whatever
//! was lost, frozen, late or never answered before.

use super::{Findings, hold};
use crate::fleet::clock::Ms;
use crate::fleet::faults::{Fault, Trouble};
use crate::fleet::plan::{Expected, Plan, Policy};
use crate::fleet::world::run;
use crate::model::bounds::{everybody_back_alone_ms, everybody_back_ms};
use crate::model::worlds;

/// When others see a write at the latest: their own copy, and KV's delay to their colo are one after the other only for
/// other colos, whose keys nobody reads.
const STALENESS_MS: Ms = 60_000;

/// The world, with as much time after the outage as the bound asks for.
fn until(plan: Plan, bound_ms: Ms) -> Plan {
    Plan { end: plan.outage.1 + bound_ms + 60_000, ..plan }
}

fn look(plan: &Plan, bound_ms: Ms) -> Findings {
    let mut findings = Findings::default();
    let outcome = run(plan);
    let back_ms = outcome.measure.recovery_ms(100);
    findings.expect(back_ms.is_some_and(|ms| ms <= bound_ms), || {
        format!("{}: the last one is back after {back_ms:?} ms, not {bound_ms}", plan.policy.name())
    });
    findings.expect(outcome.measure.seconds.iter().any(|second| second.refused > 0), || {
        format!("{}: nobody was ever refused", plan.policy.name())
    });
    findings
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    let bound_ms = everybody_back_ms(STALENESS_MS);
    let alone_ms = everybody_back_alone_ms();
    for policy in [Policy::Cells, Policy::CellsNear] {
        findings.extend(look(&until(worlds::storm(policy, seed), alone_ms), alone_ms));
        findings.extend(look(&until(worlds::outage(policy, seed), bound_ms), bound_ms));
        // Every write is lost, and every probe of the outage is never answered.
        let mut plan = until(worlds::outage(policy, seed), alone_ms);
        let (from, to) = plan.outage;
        plan.faults.0 = vec![
            Fault::everywhere(from, to, Trouble::Silent),
            Fault::everywhere(0, plan.end, Trouble::KvLoses { share: 1.0 }),
        ];
        findings.extend(look(&plan, alone_ms));
        for times in [0.1, 10.0] {
            let plan = until(worlds::outage(policy, seed), alone_ms);
            findings.extend(look(&Plan { expected: Expected::Times(times), ..plan }, alone_ms));
        }
    }
    findings
}

#[test]
fn in_a_fleet() {
    hold("everybody_comes_back", 1..=2);
}

#[test]
fn a_breaker_that_stays_open_for_too_long_is_found() {
    let mut plan = until(worlds::outage(Policy::Local, 1), everybody_back_ms(STALENESS_MS));
    plan.settings = r#""circuitBreaker":{"recoveryTimeout":300000}"#.into();
    assert!(!look(&plan, everybody_back_ms(STALENESS_MS)).is_empty());
}
