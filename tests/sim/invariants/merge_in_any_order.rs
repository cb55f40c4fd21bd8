//! Whatever isolates write in a fleet, merging it in any order, any number of times, gives the same; and a text says
//! after decoding and encoding what it said before, fields of a newer version included.

use std::collections::BTreeSet;

use seawall::engine::Engine;
use seawall::rng::{Rng, SplitMix};
use seawall::state::codec;
use seawall::state::schema::Snapshot;

use super::{Findings, hold};
use crate::fleet::lies;
use crate::fleet::plan::Policy;
use crate::fleet::watch::{Act, Moment, Watch};
use crate::fleet::world::run_watched;
use crate::model::worlds;

/// Collects what is written.
#[derive(Default)]
struct Texts(BTreeSet<String>);

impl Watch for Texts {
    fn see(&mut self, moment: &Moment<'_>, _engine: &Engine) {
        if let Act::Put(text) = moment.act {
            self.0.insert(text.to_owned());
        }
    }
}

/// What is found when texts are merged by `merge` in two orders and groupings.
fn compare(texts: &[String], seed: u64, merge: impl Fn(&mut Snapshot, &Snapshot)) -> Findings {
    let mut findings = Findings::default();
    let read = |text: &String| codec::from_text(text).unwrap();
    let joined = |order: &[usize]| {
        let mut all = Snapshot::default();
        for &index in order {
            merge(&mut all, &read(&texts[index]));
        }
        all
    };
    let mut rng = SplitMix::new(seed);
    let forwards: Vec<usize> = (0..texts.len()).collect();
    let expected = joined(&forwards);
    for _ in 0..5 {
        // Some twice, and in any order.
        let mut order: Vec<(u64, usize)> = forwards.iter().map(|&index| (rng.bits(), index)).collect();
        order.extend(forwards.iter().map(|&index| (rng.bits(), index)).filter(|(bits, _)| bits.is_multiple_of(3)));
        order.sort_unstable();
        let order: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
        findings.expect(joined(&order) == expected, || "two orders give two snapshots".to_owned());
        let (left, right) = order.split_at(order.len() / 2);
        let mut grouped = joined(left);
        merge(&mut grouped, &joined(right));
        findings.expect(grouped == expected, || "two groupings give two snapshots".to_owned());
    }
    findings
}

pub(crate) fn check(seed: u64) -> Findings {
    let mut findings = Findings::default();
    for policy in [Policy::Cells, Policy::CellsNear] {
        let mut texts = Texts::default();
        run_watched(&worlds::storm(policy, seed), &mut texts);
        let texts: Vec<String> =
            texts.0.iter().enumerate().map(|(n, text)| carried(text, n)).chain(texts.0.clone()).take(200).collect();
        for text in &texts {
            let again = codec::to_text(&codec::from_text(text).unwrap());
            findings.expect(again == *text, || format!("decoding and encoding changes {text}"));
        }
        findings.extend(compare(&texts, seed, Snapshot::merge));
    }
    findings
}

/// Every third text as a newer version would have written it.
fn carried(text: &str, number: usize) -> String {
    if number.is_multiple_of(3) { lies::with_version(Some(text), number as u8).to_string() } else { text.to_owned() }
}

#[test]
fn in_a_fleet() {
    hold("merge_in_any_order", 1..=3);
}

/// The last writer wins: the order decides.
#[test]
fn a_merge_that_depends_on_the_order_is_found() {
    let mut texts = Texts::default();
    run_watched(&worlds::storm(Policy::Cells, 1), &mut texts);
    let texts: Vec<String> = texts.0.into_iter().collect();
    assert!(texts.len() > 10, "{} texts", texts.len());
    let findings = compare(&texts, 1, |ours, theirs| ours.clone_from(theirs));
    assert!(!findings.is_empty());
}
