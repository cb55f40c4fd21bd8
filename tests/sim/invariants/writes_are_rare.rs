//! A healthy fleet writes nothing and reads once per isolate. An outage costs a few writes per colo, however many
//! isolates there are.

use seawall::engine::Engine;

use super::{Findings, hold};
use crate::fleet::plan::{Plan, Policy};
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::{Outcome, run, run_watched};
use crate::model::worlds;

/// Writes per colo and outage, on average over many outages; refused ones are counted.
const WRITES_PER_COLO: u64 = 4;
/// The same in one outage, which may be unlucky.
const WRITES_PER_COLO_MAX: u64 = 8;

fn writes_of(outcome: &Outcome, colos: u64) -> Findings {
    let mut findings = Findings::default();
    let writes = outcome.kv.writes;
    findings.expect(writes <= WRITES_PER_COLO_MAX * colos, || format!("{writes} writes in {colos} colos"));
    findings
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        let plan = worlds::calm(policy, seed);
        let mut births = Births::default();
        let outcome = run_watched(&plan, &mut births);
        findings.expect(outcome.kv.writes == 0, || format!("{} writes while healthy", outcome.kv.writes));
        findings.expect(outcome.kv.reads <= births.0, || {
            format!("{} reads of {} isolates while healthy", outcome.kv.reads, births.0)
        });
        for isolates in [100, 500] {
            let plan = Plan { isolates, ..worlds::outage(policy, seed) };
            let outcome = run(&plan);
            findings.expect(outcome.kv.writes > 0, || "nobody told of the outage".to_owned());
            findings.extend(writes_of(&outcome, u64::from(plan.colos)));
        }
    }
    findings
}

/// Counts isolates.
#[derive(Default)]
struct Births(u64);

impl Watch for Births {
    fn see(&mut self, moment: &Moment<'_>, _engine: &Engine) {
        self.0 += u64::from(moment.act == Act::Born);
    }
}

#[test]
fn in_a_fleet() {
    hold("writes_are_rare", 1..=4);
}

#[test]
fn an_average_outage_costs_four_writes_per_colo_whatever_the_size_of_the_fleet() {
    const SEEDS: u64 = 6;
    for policy in [Policy::Cells, Policy::CellsNear] {
        for isolates in [50, 200, 800] {
            let plan = |seed| Plan { isolates, ..worlds::outage(policy, seed) };
            let writes: u64 = (1..=SEEDS).map(|seed| run(&plan(seed)).kv.writes).sum();
            let most = WRITES_PER_COLO * SEEDS * u64::from(plan(0).colos);
            assert!(writes <= most, "{}, {isolates} isolates: {writes} writes, not {most}", policy.name());
        }
    }
}

#[test]
fn everybody_writing_what_he_sees_is_found() {
    let plan = worlds::outage(Policy::Naive, 1);
    assert!(!writes_of(&run(&plan), u64::from(plan.colos)).is_empty());
}
