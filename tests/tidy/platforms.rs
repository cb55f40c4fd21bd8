//! In JavaScript, only the folders made for it know which runtime they are in.

use crate::source::{files, read, typescript_code, words};

const MAY_KNOW: [&str; 5] =
    ["js/src/platform/", "js/src/transport/", "js/src/entrypoints/", "js/src/store/", "js/src/cli/"];
const GLOBALS: [&str; 3] = ["process", "Deno", "Bun"];

/// What a file uses of one runtime.
fn particular(text: &str) -> Vec<&'static str> {
    let code = typescript_code(text);
    let is_used = |name: &&str| {
        let mut places = words(&code, name);
        places.any(|after| after.starts_with(['.', '[']) || after.starts_with("?."))
    };
    let mut found: Vec<&str> = GLOBALS.into_iter().filter(is_used).collect();
    for module in ["\"cloudflare:", "\"node:"] {
        if code.contains(module) {
            found.push(module.trim_start_matches('"'));
        }
    }
    found
}

#[test]
fn only_folders_made_for_it_know_the_runtime() {
    let mut problems = Vec::new();
    for path in files("js/src").iter().filter(|path| path.ends_with(".ts")) {
        if MAY_KNOW.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        problems.extend(particular(&read(path)).iter().map(|what| format!("{path} uses {what}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_belongs_to_one_runtime_is_found() {
    let cases = [
        ("const a = process.env.X;", "process"),
        ("const a = globalThis.process?.versions;", "process"),
        ("const a = process[\"env\"];", "process"),
        ("const a = `at ${Deno.version}`;", "Deno"),
        ("if (x) Bun.file(y);", "Bun"),
        ("import { env } from \"cloudflare:workers\";", "cloudflare:"),
        ("const fs = await import(\"node:fs\");", "node:"),
    ];
    for (text, expected) in cases {
        assert_eq!(particular(text), [expected], "{text}");
    }
}

#[test]
fn words_in_comments_and_strings_are_allowed() {
    let text = "// process.env is read elsewhere\n/**\n * Deno.x\n */\nconst a = \"process.env\"; // Bun.x\nconst processed = b.c;";
    assert_eq!(particular(text), [""; 0]);
}
