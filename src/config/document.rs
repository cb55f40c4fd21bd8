//! Settings as a document: to keep under version control, to back up, to bring back.
//!
//! ```json
//! {"checksum": "1c291ca3", "kind": "seawall-config", "schemaVersion": 2, "settings": {"retry": {"attempts": 3}}}
//! ```
//!
//! Keys are sorted. What nobody set is left out, so that defaults still follow the environment; so are secrets, and what
//! says where it runs. The checksum is that of the settings without spaces; a document written by hand needs none. A
//! backup is the same document in a file named `config-backup.json`, or with its date.

use serde_json::{Map, Value};

use super::parse::{Problems, Setting, check_text};
use super::update::{object, put, take, to_json};
use crate::config::keys::Shape;
use crate::state::codec::checksum;

/// The version of the settings' names that this release writes.
pub const SCHEMA_VERSION: usize = RENAMED.len() + 1;

const KIND: &str = "seawall-config";

/// What each version calls otherwise than the one before: paths in version 1 and in version 2, and so on.
pub const RENAMED: &[&[(&str, &str)]] = &[&[("busyTimeout", "sqlite.busyTimeout"), ("circuitBreaker.retry", "retry")]];

/// Raw settings as a document, without spaces.
///
/// # Errors
///
/// As [`check_text`](super::parse::check_text).
pub fn exported(text: &str) -> Result<String, Problems> {
    let mut settings = Map::new();
    for Setting { key, value, source } in check_text(text)?.settings {
        // What a tier gives follows from the tier, which is in the document.
        if !source.is_derived() && key.shape != Shape::Secret && !key.is_of_place {
            put(&mut settings, key.path, to_json(key, value));
        }
    }
    let settings = Value::Object(settings);
    let mut document = Map::new();
    document.insert("checksum".to_owned(), Value::from(checksum_of(&settings)));
    document.insert("kind".to_owned(), Value::from(KIND));
    document.insert("schemaVersion".to_owned(), Value::from(SCHEMA_VERSION));
    document.insert("settings".to_owned(), settings);
    Ok(Value::Object(document).to_string())
}

/// The options in a document of this version or an older one, under the names of this version.
///
/// # Errors
///
/// [`Problems`] when it is no such document, damaged, or written by a newer release. Whether its settings can be used is
/// for [`check_text`](super::parse::check_text) to say.
pub fn imported(document: &str) -> Result<String, Problems> {
    let mut document = object(document)?;
    let problem = |problem: &str| Err(Problems(vec![["this is no document of settings: ", problem].concat()]));
    if document.get("kind").and_then(Value::as_str) != Some(KIND) {
        return problem("its kind must be \"seawall-config\"");
    }
    let version = document.get("schemaVersion").and_then(Value::as_u64).unwrap_or_default() as usize;
    if version == 0 {
        return problem("its schemaVersion must be a whole number from 1");
    }
    if version > SCHEMA_VERSION {
        return problem("a newer release wrote it; bring that release here, or export the settings with this one");
    }
    let Some(settings @ Value::Object(_)) = document.remove("settings") else {
        return problem("its settings must be an object");
    };
    match document.get("checksum") {
        Some(found) if found.as_str() != Some(&checksum_of(&settings)) => {
            return problem(
                "its checksum is not that of its settings: it was damaged, or changed by hand; who changed it takes the checksum out",
            );
        }
        _ => {}
    }
    let Value::Object(mut settings) = settings else { return problem("its settings must be an object") };
    for renamed in RENAMED.iter().skip(version - 1) {
        for (old, new) in *renamed {
            let Some(value) = take(&mut settings, old) else { continue };
            if take(&mut settings, new).is_some() {
                return problem(&[*old, " and ", *new, " are two names of one setting"].concat());
            }
            put(&mut settings, new, value);
        }
    }
    Ok(Value::Object(settings).to_string())
}

fn checksum_of(settings: &Value) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let sum = checksum(settings.to_string().as_bytes());
    (0..8).rev().map(|digit| char::from(DIGITS[(sum >> (4 * digit)) as usize & 15])).collect()
}
