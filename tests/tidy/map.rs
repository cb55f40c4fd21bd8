//! ARCHITECTURE.md shows every room, and no room that is not there.

use std::collections::BTreeSet;

use crate::source::{files, read, root};

/// The first step below `base` on the way to each file: `src/clock.rs`, `src/policy/`.
fn rooms(base: &str, paths: &[String]) -> BTreeSet<String> {
    paths
        .iter()
        .filter_map(|path| path.strip_prefix(base))
        .map(|rest| match rest.split_once('/') {
            Some((folder, _)) => format!("{base}{folder}/"),
            None => format!("{base}{rest}"),
        })
        .collect()
}

/// Rooms that the map does not name.
fn missing(map: &str, rooms: &BTreeSet<String>) -> Vec<String> {
    rooms.iter().filter(|room| !map.contains(&format!("`{room}`"))).cloned().collect()
}

/// Paths below `src/` and `js/src/` that the map names.
fn named(map: &str) -> Vec<&str> {
    let quoted = map.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with("src/") || text.starts_with("js/src/")).collect()
}

#[test]
fn the_map_shows_every_room() {
    let map = read("ARCHITECTURE.md");
    let mut all = rooms("src/", &files("src"));
    all.extend(rooms("js/src/", &files("js/src")).into_iter().filter(|room| room.ends_with('/')));
    assert_eq!(missing(&map, &all), [""; 0], "ARCHITECTURE.md does not show these rooms");
}

#[test]
fn every_room_on_the_map_is_there() {
    let map = read("ARCHITECTURE.md");
    let gone: Vec<&str> = named(&map)
        .into_iter()
        .filter(|path| !path.contains('*') && !path.contains("generated") && !root().join(path).exists())
        .collect();
    assert_eq!(gone, [""; 0], "ARCHITECTURE.md shows rooms that are not there");
}

#[test]
fn a_room_that_the_map_lacks_is_found() {
    let all =
        rooms("src/", &["src/clock.rs".to_owned(), "src/policy/lease.rs".to_owned(), "src/policy/mod.rs".to_owned()]);
    assert_eq!(missing("| `src/clock.rs` | time |", &all), ["src/policy/"]);
    assert_eq!(named("see `src/a.rs` and `js/src/b/` or `npm test`"), ["src/a.rs", "js/src/b/"]);
}
