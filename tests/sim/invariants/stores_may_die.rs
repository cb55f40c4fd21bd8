//! A store that fails, hangs or lies damaged delays no call but the first of an isolate, and that by a tenth of a
//! second, and makes none fail.

use seawall::engine::Engine;
use seawall::engine::step::Step;

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::clock::Ms;
use crate::fleet::faults::{Fault, Trouble};
use crate::fleet::plan::{Plan, Policy};
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::worlds;

/// The limit of the first read, in milliseconds.
const COLD_MS: Ms = 100;

#[derive(Default)]
struct Delays {
    born_at: PerIsolate<Option<Ms>>,
    refused: u64,
    findings: Findings,
}

impl Watch for Delays {
    fn see(&mut self, moment: &Moment<'_>, _engine: &Engine) {
        match moment.act {
            Act::Delayed(ms) => {
                let first = *self.born_at.entry(who(moment)).or_default().get_or_insert(moment.at);
                let until = moment.at + ms;
                self.findings
                    .expect(until <= first + COLD_MS, || format!("waits for the store until {until}: {moment:?}"));
            }
            Act::Stepped(Step::Refuse { .. }) => self.refused += 1,
            _ => {}
        }
    }
}

/// A healthy database beside a store in trouble.
fn world(policy: Policy, seed: u64, trouble: Trouble) -> Plan {
    let mut plan = worlds::calm(policy, seed);
    plan.life_ms = 20_000.0;
    plan.faults.0 = vec![Fault::everywhere(0, plan.end, trouble), Fault::everywhere(0, plan.end, Trouble::NearGone)];
    plan
}

fn look(plan: &Plan) -> Findings {
    let mut delays = Delays::default();
    let outcome = run_watched(plan, &mut delays);
    let mut findings = delays.findings;
    let refused = delays.refused;
    findings.expect(refused == 0, || format!("{refused} refusals"));
    let failed: u32 = outcome.measure.seconds.iter().map(|second| second.failed).sum();
    findings.expect(failed == 0, || format!("{failed} attempts failed"));
    findings.expect(outcome.kv.reads > 0, || "nobody asked the store".to_owned());
    findings
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        for trouble in [Trouble::KvDown, Trouble::KvSilent, Trouble::KvCorrupts { share: 1.0 }] {
            findings.extend(look(&world(policy, seed, trouble)));
        }
    }
    findings
}

#[test]
fn in_a_fleet() {
    hold("stores_may_die", 1..=3);
}

#[test]
fn a_host_that_waits_for_its_store_is_found() {
    let plan = Plan { cold_read_ms: 5_000, ..world(Policy::Cells, 1, Trouble::KvSilent) };
    assert!(!look(&plan).is_empty());
}
