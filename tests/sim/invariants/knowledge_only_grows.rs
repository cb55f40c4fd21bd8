//! What an isolate knows together with others never goes back: neither to an older generation, nor from closed to open
//! within one. What it found alone and told nobody of it may give up.

use seawall::engine::Engine;
use seawall::state::schema::{Cell, Phase};

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::plan::Policy;
use crate::fleet::watch::{Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::worlds;

type Knowledge = (u32, Phase);

fn knowledge(cell: Cell) -> Knowledge {
    (cell.generation, cell.phase)
}

#[derive(Default)]
struct Growth {
    shared: PerIsolate<Knowledge>,
    findings: Findings,
}

impl Watch for Growth {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        let breaker = engine.breaker();
        let known = knowledge(breaker.cell());
        let shared = self.shared.entry(who(moment)).or_insert(knowledge(Cell::BOTTOM));
        let before = *shared;
        self.findings.expect(known >= before, || format!("{before:?} became {known:?}: {moment:?}"));
        // What broke is told once.
        if !breaker.is_cell_news() || known < before {
            *shared = known;
        }
    }
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut growth = Growth::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        growth.shared.clear();
        run_watched(&worlds::storm(policy, seed), &mut growth);
    }
    growth.findings
}

#[test]
fn in_a_fleet() {
    hold("knowledge_only_grows", 1..=6);
}

/// Looks on as if the isolates of one slot were one: then each birth forgets.
struct AsOne(Growth);

impl Watch for AsOne {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        self.0.see(&Moment { life: 0, ..*moment }, engine);
    }
}

#[test]
fn an_isolate_that_forgets_is_found() {
    let mut forgetful = AsOne(Growth::default());
    run_watched(&worlds::storm(Policy::Cells, 1), &mut forgetful);
    assert!(!forgetful.0.findings.is_empty());
}
