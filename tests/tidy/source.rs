//! Files of the repository, and their code without comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written by hand.
const MADE: [&str; 7] = ["node_modules", "target", "dist", "generated", "build", "meta", "fixtures"];

/// Root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` that is written by hand, with its path from the root, in order.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let mut paths: Vec<String> =
        found.iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/")).collect();
    paths.sort();
    paths
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') || MADE.contains(&name) {
            continue;
        }
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Rust code with comments and the contents of strings taken out.
pub(crate) fn rust_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let (kept, skipped) = if rest.starts_with("//") {
            ("", rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (" ", nested_comment(rest))
        } else if let Some(length) = raw_string(rest) {
            ("\"\"", length)
        } else if next == '"' {
            ("\"\"", quoted(rest))
        } else if let Some(length) = character(rest) {
            ("' '", length)
        } else {
            (&rest[..next.len_utf8()], next.len_utf8())
        };
        code.push_str(kept);
        rest = &rest[skipped..];
    }
    code
}

/// Length of a block comment, which may hold others.
fn nested_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of a raw string that starts here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.chars().take_while(|&c| c == '#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + body.find(&end).map_or(body.len(), |at| at + end.len()))
}

/// Length of a string in quotes that starts here.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// Length of a character literal that starts here; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let mut chars = body.char_indices();
    match chars.next()?.1 {
        '\\' => body.char_indices().skip(2).find(|&(_, c)| c == '\'').map(|(at, _)| at + 2),
        _ => chars.next().filter(|&(_, c)| c == '\'').map(|(at, _)| at + 2),
    }
}

/// TypeScript with comments taken out and strings emptied, except for template strings and what an import names.
pub(crate) fn typescript_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut is_comment = false;
    for line in text.lines() {
        let start = line.trim_start();
        if is_comment || start.starts_with("/*") {
            is_comment = !line.contains("*/");
            continue;
        }
        let line = line.split_once(" // ").map_or(line, |(code, _)| code);
        if !start.starts_with("//") {
            code.push_str(&without_strings(line));
            code.push('\n');
        }
    }
    code
}

fn without_strings(line: &str) -> String {
    let is_import = ["import ", "export ", "} from "].iter().any(|word| line.trim_start().starts_with(word));
    if is_import || line.contains("import(") {
        return line.to_owned();
    }
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Whether `code` holds `word`, whole.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    words(code, word).next().is_some()
}

/// What follows each place where `word` stands whole.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    code.match_indices(word).filter_map(move |(at, _)| {
        let after = &code[at + word.len()..];
        let starts = !code[..at].chars().next_back().is_some_and(is_part);
        let ends = !after.chars().next().is_some_and(is_part);
        (starts && ends).then_some(after)
    })
}

#[test]
fn comments_and_strings_are_no_code() {
    let text = "let a = \"async // \\\" x\"; // async\n/* async /* */ async */ let b = r#\"async\"#; let c = '\"'; fn d<'a>() {}";
    let code = rust_code(text);
    assert!(!code.contains("async"), "{code}");
    assert!(code.contains("let b") && code.contains("let c") && code.contains("fn d<'a>()"), "{code}");
}

#[test]
fn a_word_is_found_only_whole() {
    assert!(has_word("a async b", "async"));
    assert!(!has_word("asynchronous is_async", "async"));
}
