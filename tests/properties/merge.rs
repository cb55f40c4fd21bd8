//! Merging snapshots: commutative, associative, idempotent; skew is bounded; garbage is bottom.

use litemap::LiteMap;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::config::parse::parse;
use seawall::engine::Engine;
use seawall::state::codec::{self, Malformed};
use seawall::state::schema::{
    CELLS_MAX, Cell, HINT_LIFE_MS, Health, LATENCY_BUCKETS, Phase, REPORTERS_MAX, SKEW_MAX_MS, SLICES_MAX, Seen,
    Snapshot,
};
use seawall::state::sketch::{EPOCHS_MAX, IDS_MAX, Sketch};

const CASES: u32 = 10_000;
const NOW: Instant = Instant(1_795_000_000_000);

/// Few distinct values, so that ties and collisions are common.
fn cell() -> impl Strategy<Value = Cell> {
    (0_u32..4, any::<bool>(), 0_u8..3, 0_u64..4, 0_u64..4, 0_u32..3).prop_map(
        |(generation, is_open, round, until, opened_at, writer)| Cell {
            generation,
            phase: if is_open { Phase::Open } else { Phase::Closed },
            round,
            until: Instant(until),
            opened_at: Instant(opened_at),
            writer,
        },
    )
}

fn seen() -> impl Strategy<Value = Seen> {
    (0_u32..5, 0_u32..5, 0_u32..3, 0_u32..9, proptest::array::uniform14(0_u16..3)).prop_map(
        |(healthy, failing, slow, duration_ms, latency)| Seen { healthy, failing, slow, duration_ms, latency },
    )
}

fn health() -> impl Strategy<Value = Health> {
    btree_map(0_u32..12, btree_map(0_u32..40, seen(), 0..20), 0..9).prop_map(|slices| {
        let slices = slices.into_iter().map(|(slice, reporters)| (slice, reporters.into_iter().collect())).collect();
        let mut health = Health { slices };
        health.trim();
        health
    })
}

fn sketch() -> impl Strategy<Value = Sketch> {
    btree_map(0_u32..4, btree_set(0_u32..40, 1..20), 0..4).prop_map(|epochs| {
        let epochs = epochs.into_iter().map(|(epoch, ids)| (epoch, ids.into_iter().collect())).collect();
        let mut sketch = Sketch { epochs };
        sketch.trim();
        sketch
    })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let unknown = btree_map(4_u8..7, vec(any::<u8>(), 1..4), 0..3);
    (btree_map(0_u32..80, cell(), 0..6), health(), sketch(), unknown).prop_map(|(cells, health, sketch, unknown)| {
        Snapshot { cells: cells.into_iter().collect(), unknown: unknown.into_iter().collect(), health, sketch }
    })
}

fn merged(left: &Snapshot, right: &Snapshot) -> Snapshot {
    let mut merged = left.clone();
    merged.merge(right);
    merged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn merging_cells_is_commutative_associative_and_idempotent(a in cell(), b in cell(), c in cell()) {
        prop_assert_eq!(a.merge(b), b.merge(a));
        prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
        prop_assert_eq!(a.merge(a), a);
        prop_assert_eq!(a.merge(Cell::BOTTOM).merge(a), a.max(Cell::BOTTOM));
    }

    #[test]
    fn within_a_generation_the_close_wins_and_a_later_opening_beats_it(a in cell(), b in cell()) {
        let joined = a.merge(b);
        if a.generation == b.generation && a.phase != b.phase {
            prop_assert_eq!(joined.phase, Phase::Closed);
        }
        if a.generation > b.generation {
            prop_assert_eq!(joined, a);
        }
        prop_assert!(joined >= a && joined >= b);
    }

    #[test]
    fn merging_snapshots_is_commutative(a in snapshot(), b in snapshot()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    #[test]
    fn merging_snapshots_is_associative(a in snapshot(), b in snapshot(), c in snapshot()) {
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merging_snapshots_is_idempotent_and_nothing_is_neutral(a in snapshot(), b in snapshot()) {
        prop_assert_eq!(merged(&a, &a), a.clone());
        let both = merged(&a, &b);
        prop_assert_eq!(merged(&both, &b), both);
        prop_assert_eq!(merged(&a, &Snapshot::default()), a);
    }

    #[test]
    fn a_merge_keeps_its_bounds(copies in vec(snapshot(), 0..12)) {
        let mut all = Snapshot::default();
        for copy in &copies {
            all.merge(copy);
        }
        prop_assert!(all.cells.len() <= CELLS_MAX);
        prop_assert!(all.health.slices.len() <= SLICES_MAX);
        prop_assert!(all.sketch.epochs.len() <= EPOCHS_MAX);
        prop_assert!(all.sketch.epochs.values().all(|ids| ids.len() <= IDS_MAX));
        prop_assert!(all.health.slices.values().all(|reporters| reporters.len() <= REPORTERS_MAX));
    }

    #[test]
    fn what_was_written_is_what_is_read(a in snapshot()) {
        prop_assert_eq!(codec::decode(&codec::encode(&a)), Ok(a.clone()));
        prop_assert_eq!(codec::from_text(&codec::to_text(&a)), Ok(a));
    }

    #[test]
    fn any_damage_is_noticed(a in snapshot(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = codec::encode(&a);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(codec::decode(&bytes).is_err());
    }

    #[test]
    fn garbage_is_refused_and_never_panics(bytes in vec(any::<u8>(), 0..400), text in ".{0,200}") {
        prop_assert!(codec::decode(&bytes).is_err());
        prop_assert!(codec::from_text(&text).is_err());
    }

    #[test]
    fn a_cut_snapshot_is_refused_whole(a in snapshot(), at in any::<prop::sample::Index>()) {
        let bytes = codec::encode(&a);
        prop_assert!(codec::decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn skew_is_bounded_and_what_lies_ahead_of_every_clock_is_bottom(
        generation in any::<u32>(), is_open in any::<bool>(), round in any::<u8>(),
        until in prop_oneof![any::<u64>(), NOW.0 - 600_000..NOW.0 + 200_000],
        opened_at in prop_oneof![any::<u64>(), NOW.0 - 600_000..NOW.0 + 10_000],
        writer in any::<u32>(),
    ) {
        const TIME_MAX: u64 = (1 << 48) - 1;
        let phase = if is_open { Phase::Open } else { Phase::Closed };
        let cell = Cell {
            generation, phase, round, writer,
            until: Instant(until & TIME_MAX), opened_at: Instant(opened_at & TIME_MAX),
        };
        let mut engine = Engine::new(parse(r#"{"circuitBreaker":{"recoveryTimeout":30000}}"#).unwrap(), 1, NOW);
        let id = engine.config().breaker_id;
        let snapshot = Snapshot { cells: LiteMap::from_iter([(id, cell)]), ..Snapshot::default() };
        prop_assert_eq!(engine.import(&codec::to_text(&snapshot), NOW), Ok(()));
        let latest = NOW.plus(SKEW_MAX_MS);
        let kept = engine.breaker().cell();
        prop_assert!(kept.generation <= latest.seconds());
        prop_assert!(kept.opened_at <= latest);
        // However wrong, a hint denies no longer than one open time, with its jitter.
        let denied_ms = engine.breaker().retry_at().since(NOW);
        prop_assert!(denied_ms <= 33_000 + SKEW_MAX_MS, "denied for {} ms", denied_ms);
        if cell.until.plus(HINT_LIFE_MS) < NOW {
            prop_assert_eq!(engine.breaker().retry_at(), Instant(0), "a stale hint refused");
        }
    }
}

#[test]
fn a_newer_version_is_refused_by_its_name() {
    let mut bytes = codec::encode(&Snapshot::default());
    bytes[2] = 2;
    assert_eq!(codec::decode(&bytes), Err(Malformed::Newer));
}

#[test]
fn the_largest_snapshot_fits_its_section_lengths() {
    let seen = Seen { latency: [u16::MAX; LATENCY_BUCKETS], ..Seen::default() };
    let reporters: LiteMap<u32, Seen> = (0..REPORTERS_MAX as u32).map(|id| (id, seen)).collect();
    let slices = (0..SLICES_MAX as u32).map(|slice| (slice, reporters.clone())).collect();
    let cells = (0..CELLS_MAX as u32).map(|id| (id, Cell::BOTTOM)).collect();
    let ids: Vec<u32> = (0..IDS_MAX as u32).collect();
    let sketch = Sketch { epochs: (0..EPOCHS_MAX as u32).map(|epoch| (epoch, ids.clone())).collect() };
    let full = Snapshot { cells, health: Health { slices }, sketch, unknown: LiteMap::new() };
    let bytes = codec::encode(&full);
    assert!(bytes.len() < 9_000, "{}", bytes.len());
    assert_eq!(codec::decode(&bytes), Ok(full));
}

#[test]
fn the_frozen_bytes_of_version_1_still_read() {
    let text = include_str!("../fixtures/state/v1/outage.txt");
    let cell = Cell {
        generation: 1_795_000_000,
        phase: Phase::Open,
        round: 2,
        until: Instant(1_795_000_030_000),
        opened_at: Instant(1_795_000_000_000),
        writer: 0xDEAD_BEEF,
    };
    let mut latency = [0; LATENCY_BUCKETS];
    latency[3] = 7;
    let seen = Seen { healthy: 7, failing: 3, slow: 1, duration_ms: 40, latency };
    let slices = LiteMap::from_iter([(179_500_000, LiteMap::from_iter([(5, seen)]))]);
    let frozen = Snapshot {
        cells: LiteMap::from_iter([(0x1234_5678, cell)]),
        health: Health { slices },
        sketch: Sketch::default(),
        unknown: LiteMap::from_iter([(9, b"later".to_vec())]),
    };
    assert_eq!(codec::from_text(text), Ok(frozen));
}
