//! Seeds that once broke a law: they are run for ever.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::invariants::LAWS;

/// Files like `{"law": "writes_are_rare", "seed": 7, "why": "what was wrong"}`.
fn kept() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/seeds");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn what_broke_once_holds() {
    let paths = kept();
    assert!(!paths.is_empty());
    for path in paths {
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (law, seed) = (kept["law"].as_str().unwrap(), kept["seed"].as_u64().unwrap());
        assert!(kept["why"].is_string(), "{} says nothing of what was wrong", path.display());
        let (_, check) = LAWS.iter().find(|(name, _)| *name == law).unwrap();
        check(seed).assert_none(law, seed);
    }
}
