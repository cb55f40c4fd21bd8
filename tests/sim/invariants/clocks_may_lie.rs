//! Clocks that differ by δ and are set while the isolate lives: no refusal points into the past or beyond the life of a
//! hint, and nobody probes his own outage sooner than the recovery time less what clocks can be wrong. A store that has
//! forgotten everything leaves each isolate with what it sees itself.

use seawall::engine::Engine;
use seawall::engine::step::Step;
use seawall::error::Code;
use seawall::policy::breaker::State;

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::clock::{ClockErrors, Ms};
use crate::fleet::faults::{Fault, Trouble};
use crate::fleet::plan::{Plan, Policy};
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::worlds;

/// The first open time of the fleet's settings, in milliseconds.
const RECOVERY_MS: Ms = 2_000;
/// The life of a hint, in milliseconds.
const HINT_LIFE_MS: Ms = 300_000;

struct Clocks {
    /// How far two readings of one clock can be off, in milliseconds.
    error_ms: Ms,
    state: PerIsolate<State>,
    /// When an isolate opened its circuit by what it saw itself, until it asks the database or others again.
    opened_at: PerIsolate<Ms>,
    failures: PerIsolate<u32>,
    /// Refusals of isolates that had seen no failure.
    uninformed: u64,
    openings: u64,
    findings: Findings,
}

impl Clocks {
    fn within(error_ms: Ms) -> Self {
        Self {
            error_ms,
            state: PerIsolate::new(),
            opened_at: PerIsolate::new(),
            failures: PerIsolate::new(),
            uninformed: 0,
            openings: 0,
            findings: Findings::default(),
        }
    }
}

impl Watch for Clocks {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        let id = who(moment);
        let state = engine.breaker().state(moment.now);
        let before = self.state.insert(id, state).unwrap_or(State::Closed);
        match moment.act {
            Act::Stepped(Step::Refuse { code: Code::CircuitOpen, retry_at, .. }) => {
                let ahead_ms = retry_at.since(moment.now);
                self.findings.expect(retry_at >= moment.now && ahead_ms <= HINT_LIFE_MS + self.error_ms, || {
                    format!("asking again helps in {ahead_ms} ms: {moment:?}")
                });
                self.uninformed += u64::from(!self.failures.contains_key(&id));
            }
            Act::Reported(_, judgement, _) => {
                if judgement.outcome.is_transient() {
                    *self.failures.entry(id).or_default() += 1;
                }
                if before == State::Closed && state == State::Open {
                    self.openings += 1;
                    self.opened_at.insert(id, moment.at);
                }
            }
            Act::Imported(..) => {
                self.opened_at.remove(&id);
            }
            Act::Sent { .. } => {
                if let Some(opened_at) = self.opened_at.remove(&id) {
                    let after_ms = moment.at - opened_at;
                    let least_ms = RECOVERY_MS.saturating_sub(self.error_ms);
                    self.findings
                        .expect(after_ms >= least_ms, || format!("probed {after_ms} ms after opening: {moment:?}"));
                }
            }
            _ => {}
        }
    }
}

/// An outage under clocks that are off by half a second, and set.
fn world(policy: Policy, seed: u64) -> Plan {
    let clocks = ClockErrors { skew_max_ms: 400, stepping: 0.5, standstill_ms: 40 };
    Plan { clocks, freezing: 0.3, freeze_max_ms: 20_000, ..worlds::outage(policy, seed) }
}

/// What two readings of such a clock can be off by.
const ERROR_MS: Ms = 2 * 400 + 40;

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Local, Policy::Cells, Policy::CellsNear] {
        let mut clocks = Clocks::within(ERROR_MS);
        run_watched(&world(policy, seed), &mut clocks);
        findings.extend(clocks.findings);
        findings.expect(clocks.openings > 0, || "no circuit opened".to_owned());
        let mut wild = Clocks::within(10_000 + 40);
        run_watched(&worlds::storm(policy, seed), &mut wild);
        findings.extend(wild.findings);
    }
    let mut plan = world(Policy::Cells, seed);
    plan.faults.0.push(Fault::everywhere(0, plan.end, Trouble::KvEmpty));
    let mut alone = Clocks::within(ERROR_MS);
    let outcome = run_watched(&plan, &mut alone);
    let uninformed = alone.uninformed;
    findings.expect(uninformed == 0, || format!("{uninformed} refusals without a store and without a failure"));
    findings.expect(outcome.measure.recovery_ms(100).is_some(), || "somebody did not come back".to_owned());
    findings
}

#[test]
fn in_a_fleet() {
    hold("clocks_may_lie", 1..=3);
}

/// A clock that moves every five seconds is worse than the law allows for.
#[test]
fn a_clock_that_is_worse_than_it_says_is_found() {
    let plan = Plan {
        clocks: ClockErrors { skew_max_ms: 50, stepping: 0.0, standstill_ms: 5_000 },
        ..worlds::outage(Policy::Local, 1)
    };
    let mut clocks = Clocks::within(0);
    run_watched(&plan, &mut clocks);
    assert!(!clocks.findings.is_empty());
}
