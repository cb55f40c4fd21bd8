//! Settings as somebody wrote them, not yet checked: a flat list of paths and values.
//!
//! The Worker and the tests read JSON into it. JavaScript, which has JSON already, hands the list over as lines and
//! numbers, so that what it loads needs neither a parser of JSON nor the reading and writing of floats: 25 KB less.
//!
//! In JSON, groups are objects with the names of the one [list](super::keys). Beside them stand what the host knows of
//! itself, `"platform": {"isProduction": bool, "isPolling": bool, "connectionsMax": n, "database": name}`; what comes
//! from elsewhere, `"given": [[path, by, text], …]`, where `by` names a variable, a preset or a tier; and options that
//! were changed while it runs, under `"over"`.

use serde_json::Value;
use std::borrow::Cow;

/// Values are shown up to so many characters.
const SHOWN_MAX: usize = 40;
/// What [`Entry::by`] is for an option that was changed while it runs.
pub(super) const OVER: &str = "over";

/// What the host knows of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host<'a> {
    /// Whether defaults are those of production, where the setting `environment` says nothing.
    pub is_production: bool,
    /// Whether waiters ask again by themselves.
    pub is_polling: bool,
    /// Whether it can set up, check and close what is behind a connection.
    pub has_connections: bool,
    /// Most leases that the runtime can carry.
    pub connections_max: u64,
    /// The database's name in the shared state.
    pub database: &'a str,
}

/// A value, as far as settings can have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given {
    /// A number; never NaN.
    Number(f64),
    /// A text of a number, with letters after it or without.
    Quantity(f64),
    /// Another text.
    Text,
    /// `true` or `false`.
    Switch(bool),
    /// An object, which is a group of settings when it has no name.
    Group,
    /// Anything else: no setting can be that.
    Other,
}

/// One value and where it stands. A group itself, and a setting outside of any, has an empty name.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// Before the dot.
    pub group: &'a str,
    /// After the dot.
    pub name: &'a str,
    /// What it is.
    pub given: Given,
    /// The same as JSON, cut short, for messages.
    pub shown: Cow<'a, str>,
    /// Who says so: empty for an option, `over` for one that was changed while it runs, else the name of a variable,
    /// a preset or a tier.
    pub by: &'a str,
}

/// All that was set, with what the host knows of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw<'a> {
    /// What the host knows of itself.
    pub host: Host<'a>,
    /// Every group and setting.
    pub entries: Vec<Entry<'a>>,
}

impl<'a> Raw<'a> {
    /// From a JSON object. `None` for any other JSON.
    #[must_use]
    pub fn from_json(json: &'a Value) -> Option<Self> {
        let platform = &json["platform"];
        let host = Host {
            is_production: platform["isProduction"].as_bool().unwrap_or(false),
            is_polling: platform["isPolling"].as_bool().unwrap_or(false),
            has_connections: platform["hasConnections"].as_bool().unwrap_or(false),
            connections_max: platform["connectionsMax"].as_u64().unwrap_or(u64::MAX),
            database: platform["database"].as_str().unwrap_or_default(),
        };
        let mut entries = Vec::new();
        let layers = [(Some(json.as_object()?), ""), (json[OVER].as_object(), OVER)];
        for (groups, by) in layers.into_iter().filter_map(|(groups, by)| Some((groups?, by))) {
            for (group, value) in groups {
                if by.is_empty() && ["platform", "given", OVER].contains(&group.as_str()) {
                    continue;
                }
                entries.push(Entry::from_json(group, "", value, by));
                for (name, value) in value.as_object().into_iter().flatten() {
                    entries.push(Entry::from_json(group, name, value, by));
                }
            }
        }
        for given in json["given"].as_array().into_iter().flatten() {
            if let (Some(path), Some(by)) = (given[0].as_str(), given[1].as_str()) {
                let (group, name) = path.split_once('.').unwrap_or((path, ""));
                entries.push(Entry::from_json(group, name, &given[2], by));
            }
        }
        Some(Self { host, entries })
    }

    /// From one line for each group and setting, and one number for each line.
    ///
    /// A line is `group`, or `group`, tab, JSON if that is no object, or `group`, tab, `name`, tab, JSON, and perhaps
    /// another tab and who says so. Its number is the value, or what a text begins with; NaN for whatever is none. A
    /// number that is missing counts as NaN.
    #[must_use]
    pub fn from_lines(host: Host<'a>, lines: &'a str, numbers: &[f64]) -> Self {
        let mut numbers = numbers.iter();
        let entries = lines.lines().map(|line| Entry::from_line(line, *numbers.next().unwrap_or(&f64::NAN)));
        Self { host, entries: entries.collect() }
    }
}

impl<'a> Entry<'a> {
    fn from_json(group: &'a str, name: &'a str, value: &Value, by: &'a str) -> Self {
        let given = match value {
            Value::Number(number) => number.as_f64().map_or(Given::Other, Given::Number),
            Value::String(text) => quantity(text).map_or(Given::Text, Given::Quantity),
            Value::Bool(is_on) => Given::Switch(*is_on),
            Value::Object(_) => Given::Group,
            _ => Given::Other,
        };
        Self { group, name, given, shown: value.to_string().chars().take(SHOWN_MAX).collect(), by }
    }

    fn from_line(line: &'a str, number: f64) -> Self {
        let (group, rest) = line.split_once('\t').unwrap_or((line, "{}"));
        let (name, rest) = rest.split_once('\t').unwrap_or(("", rest));
        let (shown, by) = rest.split_once('\t').unwrap_or((rest, ""));
        let given = match shown {
            _ if !number.is_nan() => {
                if shown.starts_with('"') {
                    Given::Quantity(number)
                } else {
                    Given::Number(number)
                }
            }
            "true" => Given::Switch(true),
            "false" => Given::Switch(false),
            "{}" => Given::Group,
            _ if shown.starts_with('"') => Given::Text,
            _ => Given::Other,
        };
        Self { group, name, given, shown: Cow::Borrowed(shown), by }
    }

    /// Whether it stands under this dotted path.
    pub(super) fn is_at(&self, path: &str) -> bool {
        let (group, name) = path.split_once('.').unwrap_or((path, ""));
        self.name == name && self.group == group
    }

    /// Whether it is an option, and not given from elsewhere.
    pub(super) fn is_option(&self) -> bool {
        self.by.is_empty() || self.by == OVER
    }

    /// A text without its quotes.
    pub(super) fn text(&self) -> &str {
        self.shown.trim_matches('"')
    }
}

/// The number that a text begins with, if nothing but letters comes after it.
fn quantity(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    serde_json::from_str::<Value>(number).ok()?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HOST: Host<'_> =
        Host { is_production: true, is_polling: false, has_connections: false, connections_max: 6, database: "db" };

    #[test]
    fn lines_say_what_json_says() {
        let json = json!({
            "platform": { "isProduction": true, "connectionsMax": 6, "database": "db" },
            "retry": { "attempts": 3, "jitter": 0.5, "odd": "\"true\"", "maxDelay": "5s" },
            "hedge": 7,
            "state": { "near": false, "quorum": null },
            "over": { "retry": { "attempts": 4 } },
            "given": [["retry.attempts", "ATTEMPTS", "5"], ["environment", "ENVIRONMENT", "test"]],
        });
        let lines = "hedge\t7\nretry\nretry\tattempts\t3\nretry\tjitter\t0.5\nretry\tmaxDelay\t\"5s\"\nretry\todd\t\"\\\"true\\\"\"\n\
                     state\nstate\tnear\tfalse\nstate\tquorum\tnull\nretry\t\t{}\tover\nretry\tattempts\t4\tover\n\
                     retry\tattempts\t\"5\"\tATTEMPTS\nenvironment\t\t\"test\"\tENVIRONMENT";
        let nan = f64::NAN;
        let flat = Raw::from_lines(HOST, lines, &[7.0, nan, 3.0, 0.5, 5.0, nan, nan, nan, nan, nan, 4.0, 5.0, nan]);
        let parsed = Raw::from_json(&json).unwrap();
        assert_eq!(flat.host, parsed.host);
        let plain = |raw: &Raw<'_>| -> Vec<_> {
            let mut all: Vec<_> = raw
                .entries
                .iter()
                .map(|it| format!("{} {} {:?} {} {}", it.group, it.name, it.given, it.shown, it.by))
                .map(|line| line.replace("Group {\"attempts\":4}", "Group {}"))
                .collect();
            all.retain(|line| !line.contains("Group"));
            all.sort();
            all
        };
        assert_eq!(plain(&flat), plain(&parsed));
        assert_eq!(Raw::from_json(&json!([])), None);
    }
}
