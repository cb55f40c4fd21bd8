//! The orders `flags` and `kill`: what they may say, and flags in the form that isolates load.
//!
//! A document of flags is compiled once, when it is published: an isolate loads its snapshot and reads no document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::flags::fault::Fault;
use crate::flags::parse::name_problem;
use crate::flags::{FlagSet, Table};

/// Most flags that can be turned off by name.
pub const KILLED_MAX: usize = 1_000;
/// Most faults of a document that are told at once.
const FAULTS_MAX: usize = 10;

/// The snapshot of a document of flags, in base64.
///
/// # Errors
///
/// What is wrong with the document: the first ten faults, each with its place, and how many more there are.
pub fn compiled(document: &Value) -> Result<String, String> {
    let table = FlagSet::from_value(document).and_then(|(flags, _)| flags.compile()).map_err(|faults| told(&faults))?;
    Ok(STANDARD.encode(table.encode()))
}

/// The flags that an order's `compiled` holds; nothing if it is damaged, or another release's.
#[must_use]
pub fn table(compiled: &str) -> Option<Table> {
    Table::decode(&STANDARD.decode(compiled).ok()?).ok()
}

/// Checks what shall be turned off: `{"all": true}`, or `{"flags": ["new-checkout"]}`, or neither.
///
/// # Errors
///
/// What is wrong with it. A member that was mistyped would turn nothing off.
pub fn check_kill(value: &Value) -> Result<(), String> {
    let none = Map::new();
    for (member, said) in value.as_object().unwrap_or(&none) {
        match (member.as_str(), said) {
            ("all", Value::Bool(_)) => {}
            ("all", _) => return Err("value.all must be true or false".to_owned()),
            ("flags", Value::Array(flags)) => check_names(flags)?,
            ("flags", _) => return Err("value.flags must be a list of names".to_owned()),
            (unknown, _) => {
                let quoted = &unknown[..unknown.floor_char_boundary(64)];
                return Err(format!("value has only all and flags; it got {quoted:?}"));
            }
        }
    }
    Ok(())
}

fn check_names(flags: &[Value]) -> Result<(), String> {
    if flags.len() > KILLED_MAX {
        return Err(format!("value.flags: at most {KILLED_MAX} flags can be turned off by name, turn off all"));
    }
    for flag in flags {
        let name = flag.as_str().ok_or("value.flags must be a list of names")?;
        if let Some(problem) = name_problem(name) {
            return Err(format!("value.flags: {problem}"));
        }
    }
    Ok(())
}

fn told(faults: &[Fault]) -> String {
    let mut lines: Vec<String> = faults.iter().take(FAULTS_MAX).map(|fault| format!("value: {fault}")).collect();
    if faults.len() > FAULTS_MAX {
        lines.push(format!("and {} more", faults.len() - FAULTS_MAX));
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_published_with_its_snapshot() {
        let document =
            json!({ "version": 1, "flags": { "new-checkout": { "rules": [{ "rollout": 5, "serve": "on" }] } } });
        let compiled = compiled(&document).unwrap();
        let keys: Vec<String> =
            table(&compiled).map(|table| table.all().map(|flag| table.key(flag).to_owned()).collect()).unwrap();
        assert_eq!(keys, ["new-checkout"]);
        assert!(table(&compiled[..compiled.len() - 4]).is_none());
        assert!(table("§").is_none());
    }

    #[test]
    fn faults_of_a_document_are_told_with_their_places() {
        let faulty = json!({ "version": 1, "flags": { "a": { "rules": [{ "rollout": 101, "serve": "on" }] }, "b": { "enabeld": true } } });
        let problem = compiled(&faulty).unwrap_err();
        for part in ["value: flags.a.rules[0].rollout", "enabled"] {
            assert!(problem.contains(part), "{problem}");
        }
        let many: Map<String, Value> = (0..30).map(|at| (format!("f{at}"), json!(1))).collect();
        let problem = compiled(&json!({ "version": 1, "flags": many })).unwrap_err();
        assert!(problem.ends_with("; and 20 more"), "{problem}");
    }

    #[test]
    fn a_kill_that_was_mistyped_is_refused() {
        for sound in [
            json!({}),
            json!({ "all": true }),
            json!({ "flags": [] }),
            json!({ "all": false, "flags": ["é/ü", "a b"] }),
        ] {
            assert_eq!(check_kill(&sound), Ok(()), "{sound}");
        }
        for mistyped in [
            json!({ "al": true }),
            json!({ "all": "true" }),
            json!({ "flags": "a" }),
            json!({ "flags": [1] }),
            json!({ "flags": [""] }),
            json!({ "flags": ["__proto__"] }),
            json!({ "flags": ["a\n"] }),
            json!({ "flags": vec!["a"; 1_001] }),
        ] {
            assert!(check_kill(&mistyped).is_err(), "{mistyped}");
        }
    }
}
