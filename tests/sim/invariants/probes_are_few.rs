//! In an outage that is known, an isolate has at most one probe in flight, and all isolates of a colo together send
//! about as many as one careful client, whatever their number.

use std::collections::{BTreeMap, BTreeSet};

use seawall::engine::Engine;
use seawall::engine::step::CallId;
use seawall::policy::breaker::State;

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::clock::Ms;
use crate::fleet::plan::{Expected, Plan, Policy};
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::bounds::WINDOW_MS;

/// Until then isolates learn of the outage and of each other.
const LEARNT_MS: Ms = 60_000;
/// Probes that a colo sends per window, on average.
const PROBES: u32 = 2;

struct Probes {
    learnt_at: Ms,
    in_flight: PerIsolate<BTreeSet<CallId>>,
    per_window: BTreeMap<(u16, Ms), u32>,
    findings: Findings,
}

impl Watch for Probes {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        match moment.act {
            Act::Sent { call, is_dead: true } if moment.at >= self.learnt_at => {
                let is_probe = engine.breaker().state(moment.now) == State::HalfOpen;
                if is_probe && engine.breaker().is_in_fleet() {
                    let probes = self.in_flight.entry(who(moment)).or_default();
                    probes.insert(call);
                    let count = probes.len();
                    self.findings.expect(count <= 1, || format!("{count} probes at once: {moment:?}"));
                }
                *self.per_window.entry((moment.colo, moment.at / WINDOW_MS)).or_default() += 1;
            }
            Act::Reported(call, ..) => {
                if let Some(probes) = self.in_flight.get_mut(&who(moment)) {
                    probes.remove(&call);
                }
            }
            _ => {}
        }
    }
}

/// One outage of three minutes.
fn world(policy: Policy, isolates: u32, seed: u64) -> Plan {
    Plan { expected: Expected::Times(1.0), life_ms: 1e12, colos: 5, ..Plan::outage(policy, isolates, seed, 180_000) }
}

fn look(plan: &Plan) -> Findings {
    let learnt_at = plan.outage.0 + LEARNT_MS;
    let mut probes =
        Probes { learnt_at, in_flight: PerIsolate::new(), per_window: BTreeMap::new(), findings: Findings::default() };
    run_watched(plan, &mut probes);
    let mut findings = probes.findings;
    for ((colo, window), count) in probes.per_window {
        findings.expect(count <= 3 * PROBES + 5, || format!("{count} probes of colo {colo} in window {window}"));
    }
    findings
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        for isolates in [100, 400] {
            findings.extend(look(&world(policy, isolates, seed)));
        }
    }
    findings
}

#[test]
fn in_a_fleet() {
    hold("probes_are_few", 1..=3);
}

/// Isolates that know nothing of each other probe as often as they like.
#[test]
fn a_fleet_that_does_not_take_turns_is_found() {
    assert!(!look(&world(Policy::Local, 100, 1)).is_empty());
}
