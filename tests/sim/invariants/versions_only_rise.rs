//! What carries a version never goes back: an isolate that holds version `n` of something keeps it when the store
//! answers with an older one, although it knows nothing of what it carries.

use seawall::engine::Engine;

use super::{Findings, PerIsolate, hold, who};
use crate::fleet::faults::{Fault, Trouble};
use crate::fleet::lies::version_in;
use crate::fleet::plan::{Plan, Policy};
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::worlds;

#[derive(Default)]
struct Versions {
    held: PerIsolate<u8>,
    highest: u8,
    findings: Findings,
}

impl Watch for Versions {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        if !matches!(moment.act, Act::Imported(..) | Act::Put(_)) {
            return;
        }
        let version = version_in(&engine.export());
        let held = self.held.entry(who(moment)).or_default();
        let before = *held;
        self.findings.expect(version >= before, || format!("version {before} became {version}: {moment:?}"));
        *held = before.max(version);
        self.highest = self.highest.max(version);
    }
}

/// A storm in which the store answers with versions that rise and fall.
fn world(policy: Policy, seed: u64) -> Plan {
    let mut plan = worlds::storm(policy, seed);
    for (index, version) in [1, 3, 2, 5, 4, 1, 6, 2].into_iter().enumerate() {
        let from = 30_000 * index as u64;
        plan.faults.0.push(Fault::everywhere(from, from + 25_000, Trouble::KvCarries { version }));
    }
    plan
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        let mut versions = Versions::default();
        run_watched(&world(policy, seed), &mut versions);
        findings.extend(versions.findings);
        let highest = versions.highest;
        findings.expect(highest >= 3, || format!("nobody got further than version {highest}"));
    }
    findings
}

#[test]
fn in_a_fleet() {
    hold("versions_only_rise", 1..=3);
}

/// Looks on as if the isolates of one slot were one: then each birth loses the version.
struct AsOne(Versions);

impl Watch for AsOne {
    fn see(&mut self, moment: &Moment<'_>, engine: &Engine) {
        self.0.see(&Moment { life: 0, ..*moment }, engine);
    }
}

#[test]
fn a_reader_that_goes_back_is_found() {
    let mut versions = AsOne(Versions::default());
    run_watched(&world(Policy::Cells, 1), &mut versions);
    assert!(!versions.0.findings.is_empty());
}
