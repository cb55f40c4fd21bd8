//! An isolate closes generation `g` by itself only after enough attempts of its own succeeded that were let through
//! under `g`. What was sent before the outage, or under another generation, changes nothing.

use std::collections::BTreeMap;

use seawall::engine::Engine;
use seawall::engine::step::CallId;
use seawall::outcome::Judgement;
use seawall::policy::breaker::State;
use seawall::state::schema::Phase;

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::plan::Policy;
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::worlds;

/// What one isolate did lately.
#[derive(Default)]
struct Book {
    /// Under which open generation a running attempt was let through; 0 if the circuit was closed.
    admitted: BTreeMap<CallId, u32>,
    /// The open generation, and its successes.
    successes: (u32, u32),
    phase: Option<Phase>,
}

struct Evidence {
    needed: u32,
    books: PerIsolate<Book>,
    closes: u32,
    findings: Findings,
}

impl Evidence {
    fn of(needed: u32) -> Self {
        Self { needed, books: PerIsolate::new(), closes: 0, findings: Findings::default() }
    }
}

impl Watch for Evidence {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        let book = self.books.entry(who(moment)).or_default();
        let cell = engine.breaker().cell();
        match moment.act {
            Act::Sent { call, .. } => {
                let is_probing = engine.breaker().state(moment.now) == State::HalfOpen && cell.phase == Phase::Open;
                book.admitted.insert(call, if is_probing { cell.generation } else { 0 });
            }
            Act::Reported(call, judgement, _) => {
                let generation = book.admitted.remove(&call).unwrap_or(0);
                if book.successes.0 != cell.generation {
                    book.successes = (cell.generation, 0);
                }
                book.successes.1 += u32::from(judgement == Judgement::SUCCESS && generation == cell.generation);
                if cell.phase == Phase::Closed && book.phase == Some(Phase::Open) {
                    self.closes += 1;
                    let seen = book.successes.1;
                    let needed = self.needed;
                    self.findings.expect(seen >= needed, || format!("closed after {seen} of {needed}: {moment:?}"));
                }
            }
            _ => {}
        }
        book.phase = Some(cell.phase);
    }
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Local, Policy::Cells, Policy::CellsNear] {
        let mut evidence = Evidence::of(2);
        run_watched(&worlds::storm(policy, seed), &mut evidence);
        findings.extend(evidence.findings);
        findings.expect(evidence.closes > 0, || "nobody closed anything".to_owned());
    }
    findings
}

#[test]
fn in_a_fleet() {
    hold("close_on_own_evidence", 1..=4);
}

#[test]
fn a_breaker_that_is_content_with_one_success_is_found() {
    let mut plan = worlds::storm(Policy::Local, 1);
    plan.settings =
        r#""circuitBreaker":{"recoveryTimeout":2000,"recoveryTimeoutMax":15000,"successThreshold":1}"#.into();
    let mut evidence = Evidence::of(2);
    run_watched(&plan, &mut evidence);
    assert!(!evidence.findings.is_empty());
}
