//! The fleet's view: order does not matter, it is monotone, one colo is one vote, garbage is bottom.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::{Instant, Millis};
use seawall::state::codec;
use seawall::state::fleet::{Ballot, COLO_LENGTH_MAX, COLOS_MAX, FleetView};
use seawall::state::schema::{Cell, HINT_LIFE_MS, Phase, SKEW_MAX_MS, SLICE_MS, Seen, Snapshot, slice_of};

const NOW: Instant = Instant(1_795_000_000_000);
const OPEN_MS: Millis = 30_000;
const BREAKER: u32 = 7;

fn ballot(quorum: f64) -> Ballot {
    Ballot { breaker_id: BREAKER, open_max_ms: OPEN_MS, quorum }
}

fn cell(phase: Phase, opened_at: Instant) -> Cell {
    let until = opened_at.plus(1_000);
    Cell { generation: opened_at.seconds(), phase, round: 0, until, opened_at, writer: 1 }
}

/// What a colo stored at `opened_at + 1 s`; `requests` half of which failed.
fn stored(phase: Option<Phase>, requests: u32, opened_at: Instant) -> String {
    let mut snapshot = Snapshot::default();
    if let Some(phase) = phase {
        snapshot.cells.insert(BREAKER, cell(phase, opened_at));
    }
    if requests > 0 {
        let seen = Seen { healthy: requests / 2, failing: requests - requests / 2, ..Seen::default() };
        snapshot.health.slices.insert(slice_of(opened_at), [(1, seen)].into_iter().collect());
    }
    codec::to_text(&snapshot)
}

fn view(texts: &[(String, String)], quorum: f64) -> FleetView {
    let texts = texts.iter().map(|(colo, text)| (colo.as_str(), text.as_str()));
    FleetView::of(texts, &ballot(quorum), NOW)
}

fn named(texts: Vec<String>) -> Vec<(String, String)> {
    texts.into_iter().enumerate().map(|(number, text)| (format!("C{number:03}"), text)).collect()
}

fn phase() -> impl Strategy<Value = Option<Phase>> {
    prop_oneof![Just(None), Just(Some(Phase::Open)), Just(Some(Phase::Closed))]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => (phase(), prop_oneof![Just(0_u32), 0_u32..50, Just(u32::MAX)], 0_u64..700_000)
            .prop_map(|(phase, requests, ago)| stored(phase, requests, Instant(NOW.0 - 2_000 - ago))),
        1 => "\\PC{0,40}",
    ]
}

fn quorum() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(0.5), Just(1.0), 0.0..=1.0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_order_does_not_matter(
        pairs in vec((0_u32..6, text()), 0..12).prop_shuffle(), quorum in quorum(), turn in any::<prop::sample::Index>(),
    ) {
        let pairs: Vec<_> = pairs.into_iter().map(|(colo, text)| (format!("C{colo}"), text)).collect();
        let mut turned = pairs.clone();
        turned.reverse();
        if !turned.is_empty() {
            turned.rotate_left(turn.index(pairs.len()));
        }
        prop_assert_eq!(view(&pairs, quorum), view(&turned, quorum));
    }

    #[test]
    fn one_more_open_colo_never_closes_it(
        texts in vec(text(), 0..30), requests in 0_u32..1_000, quorum in quorum(),
    ) {
        let mut pairs = named(texts);
        let before = view(&pairs, quorum);
        pairs.push(("NEW".to_owned(), stored(Some(Phase::Open), requests, Instant(NOW.0 - 2_000))));
        let after = view(&pairs, quorum);
        prop_assert!(after.is_open >= before.is_open && after.is_widespread() >= before.is_widespread());
        prop_assert_eq!(after.open_weight, before.open_weight + u64::from(requests.max(1)));
    }

    #[test]
    fn a_higher_quorum_never_opens_it(texts in vec(text(), 0..30), low in 0.0..=1.0, high in 0.0..=1.0) {
        let pairs = named(texts);
        let (low, high) = if low < high { (low, high) } else { (high, low) };
        prop_assert!(view(&pairs, low).is_open >= view(&pairs, high).is_open);
    }

    #[test]
    fn one_colo_of_twenty_is_one_vote(bad in 0_usize..20, requests in 0_u32..1_000, quorum in 0.051..=1.0) {
        let recent = Instant(NOW.0 - 2_000);
        let phase = |number| Some(if number == bad { Phase::Open } else { Phase::Closed });
        let pairs = named((0..20).map(|number| stored(phase(number), requests, recent)).collect());
        let view = view(&pairs, quorum);
        prop_assert!(!view.is_open, "{view:?}");
        prop_assert_eq!(view.total_weight, 20 * view.open_weight);
    }

    #[test]
    fn the_word_of_one_colo_alone_is_never_widespread(
        others in vec(prop_oneof![Just(Some(Phase::Closed)), Just(None)], 0..5), requests in 0_u32..1_000, quorum in quorum(),
    ) {
        let recent = Instant(NOW.0 - 2_000);
        let mut pairs = named(others.into_iter().map(|phase| stored(phase, 1, recent)).collect());
        pairs.push(("BAD".to_owned(), stored(Some(Phase::Open), requests, recent)));
        prop_assert!(!view(&pairs, quorum).is_widespread());
    }

    #[test]
    fn garbage_is_bottom(texts in vec(text(), 0..8), garbage in vec(any::<u8>(), 0..300), at in 0_usize..9) {
        let mut pairs = named(texts);
        let without = view(&pairs, 0.5);
        let garbage = String::from_utf8_lossy(&garbage).into_owned();
        pairs.insert(at.min(pairs.len()), ("XXX".to_owned(), garbage));
        let with = view(&pairs, 0.5);
        prop_assert_eq!(&with, &FleetView { skipped: without.skipped + 1, ..without });
    }

    #[test]
    fn weights_add_up(texts in vec(text(), 0..30), quorum in quorum()) {
        let view = view(&named(texts), quorum);
        prop_assert_eq!(view.total_weight, view.colos.iter().map(|colo| colo.weight).sum::<u64>());
        prop_assert!(view.open_weight <= view.total_weight && (view.open_weight > 0 || !view.is_open));
        for colo in &view.colos {
            prop_assert_eq!(colo.weight == 0, colo.state == "UNKNOWN");
            prop_assert!(colo.weight >= colo.requests && colo.failures <= colo.requests);
        }
    }
}

#[test]
fn two_of_three_colos_of_one_weight_reach_half() {
    let recent = Instant(NOW.0 - 2_000);
    let of = |open: usize, quorum| {
        let phase = |number| Some(if number < open { Phase::Open } else { Phase::Closed });
        view(&named((0..3).map(|number| stored(phase(number), 0, recent)).collect()), quorum).is_open
    };
    assert_eq!([0, 1, 2, 3].map(|open| of(open, 0.5)), [false, false, true, true]);
    assert_eq!([0, 1, 2, 3].map(|open| of(open, 1.0)), [false, false, false, true]);
    assert_eq!([0, 1].map(|open| of(open, 0.0)), [false, true]);
}

/// A colo that nobody renewed loses its voice, first its counts and then its cell; one ahead of our clock by more than
/// honest clocks differ never had it.
#[test]
fn what_is_stale_or_ahead_of_the_clock_does_not_vote() {
    let of = |opened_at: Instant| {
        let view = view(&named(vec![stored(Some(Phase::Open), 40, opened_at)]), 0.5);
        assert_eq!(view.skipped, 0);
        (view.is_open, view.colos[0].state, view.colos[0].weight)
    };
    let ago = |ms: Millis| Instant(NOW.0 - ms);
    assert_eq!(of(ago(2_000)), (true, "OPEN", 40));
    assert_eq!(of(ago(6 * SLICE_MS)), (true, "OPEN", 1));
    assert_eq!(of(ago(HINT_LIFE_MS + 1_000)), (true, "OPEN", 1));
    assert_eq!(of(ago(HINT_LIFE_MS + 1_001)), (false, "UNKNOWN", 0));
    assert_eq!(of(NOW.plus(SKEW_MAX_MS)), (true, "OPEN", 40));
    assert_eq!(of(NOW.plus(SKEW_MAX_MS + 2 * SLICE_MS)), (false, "UNKNOWN", 0));
}

#[test]
fn another_breakers_cell_is_no_vote() {
    let mut snapshot = Snapshot::default();
    snapshot.cells.insert(BREAKER + 1, cell(Phase::Open, Instant(NOW.0 - 2_000)));
    let view = view(&named(vec![codec::to_text(&snapshot)]), 0.0);
    assert_eq!((view.is_open, view.total_weight, view.colos[0].state), (false, 0, "UNKNOWN"));
}

#[test]
fn a_view_has_bounds() {
    let recent = Instant(NOW.0 - 2_000);
    let mut pairs = named((0..COLOS_MAX + 50).map(|_| stored(Some(Phase::Open), u32::MAX, recent)).collect());
    let all = view(&pairs, 1.0);
    assert_eq!((all.colos.len(), all.is_open), (COLOS_MAX, true));
    assert_eq!(all.total_weight, COLOS_MAX as u64 * u64::from(u32::MAX));
    pairs.reverse();
    assert_eq!(view(&pairs, 1.0), all);
    let long = ("N".repeat(COLO_LENGTH_MAX + 1), stored(Some(Phase::Open), 1, recent));
    assert_eq!(view(&[long], 0.5), FleetView { skipped: 1, ..FleetView::default() });
}
