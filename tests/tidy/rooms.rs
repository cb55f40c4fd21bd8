//! Pure rooms know no clock, chance, network, thread or JavaScript.

use crate::source::{files, has_word, read, rust_code};

/// Files and folders of `src/` that decide.
pub(crate) const PURE: [&str; 26] = [
    "lib",
    "clock",
    "rng",
    "query",
    "outcome",
    "note",
    "error",
    "policy",
    "engine",
    "cluster",
    "config",
    "state",
    "hrana",
    "report",
    "http",
    "monitor",
    "metrics",
    "access",
    "alerts",
    "audit",
    "telemetry",
    "orders",
    "records",
    "gateway",
    "flags",
    "rollout",
];
/// Folders of `src/` that do.
pub(crate) const SHELL: [&str; 4] = ["bindings", "flag_bindings", "monitor_bindings", "worker"];

const CRATES: [&str; 7] = ["js_sys", "wasm_bindgen", "wasm_bindgen_futures", "web_sys", "worker", "futures", "tokio"];
const STD: [&str; 7] = ["time", "net", "thread", "fs", "env", "process", "io"];
const WORDS: [&str; 2] = ["async", "await"];

/// The room of a file below `src/`.
pub(crate) fn room(path: &str) -> &str {
    let rest = path.strip_prefix("src/").unwrap_or(path);
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

/// What a pure room's file uses that it must not know.
fn foreign(text: &str) -> Vec<String> {
    let code = rust_code(text);
    let mut found = Vec::new();
    for name in CRATES {
        let is_used = code.contains(&format!("{name}::")) || has_word(&code, &format!("use {name}"));
        // `crate::worker::` and `self::worker::` are rooms of ours, but a pure room may not know that one either.
        if is_used && has_word(&code, name) {
            found.push(name.to_owned());
        }
    }
    for name in STD {
        if has_word(&code, &format!("std::{name}")) || grouped(&code).any(|group| has_word(&group, name)) {
            found.push(format!("std::{name}"));
        }
    }
    found.extend(WORDS.iter().filter(|word| has_word(&code, word)).map(|&word| word.to_owned()));
    found
}

/// The modules that stand first in each item of a `std::{...}` group.
fn grouped(code: &str) -> impl Iterator<Item = String> {
    code.match_indices("std::{").map(|(at, start)| {
        let mut depth = 1;
        let mut is_first = true;
        let mut names = String::new();
        for c in code[at + start.len()..].chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => break,
                '}' => depth -= 1,
                ',' if depth == 1 => is_first = true,
                ':' => is_first = false,
                _ => {}
            }
            if depth == 1 && (is_first || c == ',') {
                names.push(c);
            }
        }
        names
    })
}

#[test]
fn pure_rooms_know_no_clock_chance_network_or_javascript() {
    let mut problems = Vec::new();
    for path in files("src").iter().filter(|path| path.ends_with(".rs") && PURE.contains(&room(path))) {
        if path == "src/lib.rs" {
            continue;
        }
        problems.extend(foreign(&read(path)).iter().map(|what| format!("{path} uses {what}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_file_of_the_core_is_in_a_room_that_is_pure_or_a_shell() {
    for path in files("src") {
        let room = room(&path);
        assert!(
            PURE.contains(&room) || SHELL.contains(&room),
            "{path}: say in tests/tidy/rooms.rs what kind of room this is"
        );
    }
}

#[test]
fn what_a_pure_room_must_not_know_is_found() {
    let cases = [
        ("use js_sys::Date;", "js_sys"),
        ("use wasm_bindgen::prelude::*;", "wasm_bindgen"),
        ("fn f() { worker::Date::now(); }", "worker"),
        ("use futures::channel::oneshot;", "futures"),
        ("use std::time::Instant;", "std::time"),
        ("use std::{fmt, net::TcpStream};", "std::net"),
        ("use std::{collections::{BTreeMap}, thread};", "std::thread"),
        ("async fn f() {}", "async"),
        ("fn f() { g().await }", "await"),
    ];
    for (text, expected) in cases {
        assert_eq!(foreign(text), [expected], "{text}");
    }
}

#[test]
fn what_only_sounds_foreign_is_allowed() {
    let text = "//! Like std::time, but async.\nuse std::{fmt, collections::BTreeMap};\nlet a = \"worker::\"; let worker = 1; struct Time;";
    assert_eq!(foreign(text), [""; 0]);
}
