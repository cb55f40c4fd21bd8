//! What a host is told about its flags, and about who may ask for them by OFREP.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::flag_state::edition_of;

/// Most pages that are listed.
const ORIGINS_MAX: usize = 16;
/// Most requests a minute.
const PER_MINUTE_MAX: u32 = 10_000_000;
/// Most variables.
const VARIABLES_MAX: usize = 10_000;

/// The options. Names in JSON are those of JavaScript; what is unknown is refused.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// A document that holds until an order has been seen: it was deployed with the code.
    pub definitions: Option<Value>,
    /// Variables of the environment that begin with `FEATURE_` or `ROLLOUT_`. The host finds them.
    pub variables: BTreeMap<String, String>,
    /// The routes of OFREP.
    pub ofrep: Ofrep,
}

/// See [`Settings::ofrep`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Ofrep {
    /// Whether anybody may ask; else a token is needed.
    #[serde(rename = "public")]
    pub is_public: bool,
    /// Where pages may come from whose scripts ask, such as `https://app.example.com`; `*` for everywhere.
    pub origins: Vec<String>,
    /// Requests a minute, and at once after a pause: for each isolate by itself.
    pub requests_per_minute: u32,
    /// Whether answers are to the letter of the protocol's schema: `STATIC` for `DEFAULT`, and an error for values that it has no
    /// kind for, which are lists and `null`.
    #[serde(rename = "strict")]
    pub is_strict: bool,
}

impl Default for Ofrep {
    fn default() -> Self {
        Self { is_public: false, origins: Vec::new(), requests_per_minute: 60_000, is_strict: false }
    }
}

impl Settings {
    /// What is wrong with them, in words that name the option.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let Ofrep { origins, requests_per_minute, .. } = &self.ofrep;
        if !(1..=PER_MINUTE_MAX).contains(requests_per_minute) {
            return Some(format!("flags.ofrep.requestsPerMinute must be 1 to {PER_MINUTE_MAX}."));
        }
        if origins.len() > ORIGINS_MAX || !origins.iter().all(|origin| origin == "*" || is_origin(origin)) {
            return Some(format!(
                "flags.ofrep.origins has at most {ORIGINS_MAX} addresses such as https://app.example.com, without a path, or *."
            ));
        }
        if self.variables.len() > VARIABLES_MAX {
            return Some(format!("There are more than {VARIABLES_MAX} variables of flags."));
        }
        let faults = edition_of(self.definitions.as_ref()?, self).err()?;
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Some(format!("flags.definitions cannot be taken: {}.", faults.join("; ")))
    }
}

/// Whether it is what a browser sends as `Origin`.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(settings: Value) -> Option<String> {
        serde_json::from_value::<Settings>(settings).unwrap().problem()
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(problem(json!({})), None);
        let flags = json!({ "version": 1, "flags": { "a": {} } });
        let origins = json!({ "public": true, "origins": ["https://app.example.com", "http://[::1]:3000", "*"] });
        assert_eq!(problem(json!({ "definitions": flags, "ofrep": origins })), None);
        for wrong in ["https://a.example/", "https://A.example", "a.example", "null", "", "https://"] {
            assert!(problem(json!({ "ofrep": { "origins": [wrong] } })).unwrap().contains("origins"), "{wrong}");
        }
        assert!(problem(json!({ "ofrep": { "requestsPerMinute": 0 } })).unwrap().contains("requestsPerMinute"));
        let told = problem(json!({ "definitions": { "version": 1, "flags": { "a": { "rule": [] } } } })).unwrap();
        assert!(told.contains("flags.definitions") && told.contains("flags.a"), "{told}");
        let variables = json!({ "FEATURE_A": "purple" });
        let told = problem(json!({ "definitions": flags, "variables": variables })).unwrap();
        assert!(told.contains("FEATURE_A") && !told.contains("purple"), "{told}");
    }
}
