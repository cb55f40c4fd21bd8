//! What fuzzing has found to be worth keeping, replayed on the compiler that ships.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/entries.rs"]
mod entries;

/// What is kept for one target; fewer would mean that somebody lost the folder.
fn replay(target: &str, kept_min: usize, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= kept_min, "{}: {}", folder.display(), files.len());
    for file in files {
        entry(&fs::read(file).unwrap());
    }
}

/// H102: no document that was found by fuzzing makes the reader fail.
#[test]
fn kept_documents_are_read_or_refused() {
    replay("document", 5, entries::document);
}

#[test]
fn kept_snapshots_are_loaded_or_refused() {
    replay("snapshot", 3, entries::snapshot);
}

/// H102: no context that was found by fuzzing makes an evaluation fail.
#[test]
fn kept_contexts_are_decided() {
    replay("evaluate", 4, entries::evaluate);
}

#[test]
fn kept_imports_are_ours_or_refused() {
    replay("import", 7, entries::import);
}
