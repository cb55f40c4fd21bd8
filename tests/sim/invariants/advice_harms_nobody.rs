//! A store that lies refuses nobody: what no honest clock could have made, what is not ours, what is long over is
//! dropped; and an isolate that saw the database healthy after the claimed opening goes on.

use seawall::engine::Engine;
use seawall::engine::step::Step;
use seawall::error::Code;
use seawall::outcome::Judgement;

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::clock::Ms;
use crate::fleet::faults::{Fault, Lie, Trouble};
use crate::fleet::plan::{Plan, Policy};
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::bounds::{ALONE_MS, WINDOW_MS};
use crate::model::worlds;

/// Counts who is refused, and for how long in spite of own evidence.
#[derive(Default)]
struct Refusals {
    healthy_at: PerIsolate<Ms>,
    refused: u64,
    /// Refusals of isolates that had seen the database healthy since the lie began to be told.
    informed: u64,
    longest_ms: Ms,
    since: PerIsolate<Ms>,
}

impl Watch for Refusals {
    fn see(&mut self, moment: &Moment<'_>, _engine: &Engine) {
        match moment.act {
            Act::Reported(_, Judgement::SUCCESS, _) => {
                self.healthy_at.insert(who(moment), moment.at);
                self.since.remove(&who(moment));
            }
            Act::Stepped(Step::Refuse { code: Code::CircuitOpen, .. }) => {
                self.refused += 1;
                self.informed += u64::from(self.healthy_at.contains_key(&who(moment)));
                let since = *self.since.entry(who(moment)).or_insert(moment.at);
                self.longest_ms = self.longest_ms.max(moment.at - since);
            }
            _ => {}
        }
    }
}

/// A healthy database, a few lost answers that make isolates look into the store, and a store that lies.
fn world(policy: Policy, seed: u64, lie: Lie) -> Plan {
    let mut plan = worlds::calm(policy, seed);
    plan.end = 300_000;
    plan.life_ms = 120_000.0;
    plan.faults.0 = vec![
        Fault::everywhere(0, plan.end, Trouble::Errors { share: 0.002 }),
        Fault::everywhere(0, plan.end, Trouble::KvLies(lie)),
    ];
    plan
}

fn look(plan: &Plan) -> Refusals {
    let mut refusals = Refusals::default();
    run_watched(plan, &mut refusals);
    refusals
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        for lie in [Lie::FromTheFuture, Lie::TooLong, Lie::TooMuch, Lie::NotOurs, Lie::Old] {
            let refused = look(&world(policy, seed, lie)).refused;
            findings.expect(refused == 0, || format!("{}, {lie:?}: {refused} refusals", policy.name()));
        }
        // An outage that could be: newcomers believe it, and find out at the latest when they would probe alone.
        let believed = look(&world(policy, seed, Lie::Plausible { age_ms: 20_000 }));
        let most_ms = ALONE_MS + 2 * WINDOW_MS;
        findings.expect(believed.longest_ms <= most_ms, || {
            format!("{}: a lie was believed for {} ms", policy.name(), believed.longest_ms)
        });
    }
    findings
}

#[test]
fn in_a_fleet() {
    hold("advice_harms_nobody", 1..=2);
}

/// The naive policy would follow; here an honest isolate follows a lie that is good enough.
#[test]
fn a_lie_that_is_believed_is_found() {
    let refusals = look(&world(Policy::Cells, 1, Lie::Plausible { age_ms: 1_000 }));
    assert!(refusals.refused > 0);
}
