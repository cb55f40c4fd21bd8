//! What a store may answer that no honest isolate wrote.

use seawall::clock::Instant;
use seawall::config::parse::parse;
use seawall::state::codec::{self, BYTES_MAX};
use seawall::state::schema::{Cell, Phase, Snapshot};

use super::clock::{EPOCH_MS, Ms};
use super::faults::Lie;
use super::kv::Text;
use super::plan::DATABASE;

const HOUR_MS: Ms = 3_600_000;
/// A section that this version does not know.
const VERSION_TAG: u8 = 200;

/// The lie as a text, told at `at`.
pub(crate) fn text(lie: Lie, at: Ms) -> Text {
    let now_ms = EPOCH_MS + at;
    let text = match lie {
        Lie::FromTheFuture => snapshot(open(now_ms + HOUR_MS, 2_000), DATABASE),
        Lie::TooLong => snapshot(open(now_ms - 1_000, 24 * HOUR_MS), DATABASE),
        Lie::TooMuch => "A".repeat(BYTES_MAX * 2),
        Lie::NotOurs => snapshot(open(now_ms - 1_000, 2_000), "another"),
        Lie::Old => snapshot(open(now_ms - 600_000, 2_000), DATABASE),
        Lie::Plausible { age_ms } => snapshot(open(now_ms - age_ms, 2_000), DATABASE),
    };
    text.into()
}

/// The same text with a section that holds a version.
pub(crate) fn with_version(text: Option<&str>, version: u8) -> Text {
    let mut snapshot = text.and_then(|text| codec::from_text(text).ok()).unwrap_or_default();
    snapshot.unknown.insert(VERSION_TAG, vec![version]);
    codec::to_text(&snapshot).into()
}

/// The version that a text carries; 0 if none.
pub(crate) fn version_in(text: &str) -> u8 {
    let snapshot = codec::from_text(text).unwrap_or_default();
    snapshot.unknown.get(&VERSION_TAG).and_then(|bytes| bytes.first().copied()).unwrap_or(0)
}

fn open(opened_at_ms: Ms, for_ms: Ms) -> Cell {
    let opened_at = Instant(opened_at_ms);
    Cell {
        generation: opened_at.seconds(),
        phase: Phase::Open,
        until: opened_at.plus(for_ms),
        opened_at,
        writer: 7,
        ..Cell::BOTTOM
    }
}

fn snapshot(cell: Cell, database: &str) -> String {
    let settings = format!(r#"{{"platform":{{"database":"{database}"}}}}"#);
    let id = parse(&settings).unwrap_or_else(|problems| panic!("{problems}")).breaker_id;
    let mut snapshot = Snapshot::default();
    snapshot.cells.insert(id, cell);
    codec::to_text(&snapshot)
}
