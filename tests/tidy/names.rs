//! No file is named after nothing.

use crate::source::files;

const NOTHING: [&str; 7] = ["utils", "util", "common", "helpers", "helper", "types", "misc"];
const FOLDERS: [&str; 7] = ["src", "js", "tests", "scripts", "examples", "bench", "dashboard"];

/// Whether a path's file, or a folder of sources, has a name that says nothing.
fn says_nothing(path: &str) -> bool {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_source = path.starts_with("src/") || path.starts_with("js/src/");
    NOTHING.contains(&stem) || is_source && folders.split('/').any(|folder| NOTHING.contains(&folder))
}

#[test]
fn every_file_is_named_after_something() {
    let problems: Vec<String> =
        FOLDERS.iter().flat_map(|folder| files(folder)).filter(|path| says_nothing(path)).collect();
    assert!(problems.is_empty(), "name the thing, or put it beside its one user:\n{}", problems.join("\n"));
}

#[test]
fn names_that_say_nothing_are_found() {
    for path in ["src/policy/utils.rs", "js/src/types.ts", "tests/support/helpers.mjs", "src/common/mod.rs"] {
        assert!(says_nothing(path), "{path}");
    }
    for path in ["src/policy/lease.rs", "js/test/types.test.ts", "tests/types/assignable.ts"] {
        assert!(!says_nothing(path), "{path}");
    }
}
