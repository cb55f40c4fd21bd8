//! Settings as somebody wrote them, not yet checked: a flat list of groups, names and values.
//!
//! The Worker and the tests read JSON into it. JavaScript, which has JSON already, hands the list over as lines and
//! numbers, so that what it loads needs neither a parser of JSON nor the reading and writing of floats: 25 KB less.

use serde_json::Value;
use std::borrow::Cow;

/// Values are shown up to so many characters.
const SHOWN_MAX: usize = 40;

/// What the host knows of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host<'a> {
    /// Whether defaults are those of production.
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
    /// `true` or `false`.
    Switch(bool),
    /// An object, which is a group of settings when it has no name.
    Group,
    /// Anything else: no setting can be that.
    Other,
}

/// One value and where it stands. A group itself has an empty name.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting<'a> {
    /// Before the dot.
    pub group: &'a str,
    /// After the dot.
    pub name: &'a str,
    /// What it is.
    pub given: Given,
    /// The same as JSON, cut short, for messages.
    pub shown: Cow<'a, str>,
}

/// All that was set, with what the host knows of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw<'a> {
    /// What the host knows of itself.
    pub host: Host<'a>,
    /// Every group and setting, each path once.
    pub settings: Vec<Setting<'a>>,
}

impl<'a> Raw<'a> {
    /// From a JSON object of groups; `platform` is what the host knows of itself. `None` for any other JSON.
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
        let mut settings = Vec::new();
        for (group, value) in json.as_object()?.iter().filter(|(group, _)| *group != "platform") {
            settings.push(Setting::from_json(group, "", value));
            for (name, value) in value.as_object().into_iter().flatten() {
                settings.push(Setting::from_json(group, name, value));
            }
        }
        Some(Self { host, settings })
    }

    /// From one line for each group and setting, and one number for each line.
    ///
    /// A line is `group`, or `group`, tab, JSON if the group is no object, or `group`, tab, `name`, tab, JSON. Its number
    /// is the value, NaN for whatever is none; a number that is missing counts as NaN.
    #[must_use]
    pub fn from_lines(host: Host<'a>, lines: &'a str, numbers: &[f64]) -> Self {
        let mut numbers = numbers.iter();
        let settings = lines.lines().map(|line| Setting::from_line(line, *numbers.next().unwrap_or(&f64::NAN)));
        Self { host, settings: settings.collect() }
    }

    /// What is set under a dotted path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Setting<'a>> {
        let (group, name) = path.split_once('.')?;
        self.settings.iter().find(|it| it.name == name && it.group == group)
    }
}

impl<'a> Setting<'a> {
    fn from_json(group: &'a str, name: &'a str, value: &Value) -> Self {
        let given = match value {
            Value::Number(number) => number.as_f64().map_or(Given::Other, Given::Number),
            Value::Bool(is_on) => Given::Switch(*is_on),
            Value::Object(_) => Given::Group,
            _ => Given::Other,
        };
        Self { group, name, given, shown: value.to_string().chars().take(SHOWN_MAX).collect() }
    }

    fn from_line(line: &'a str, number: f64) -> Self {
        let (group, rest) = line.split_once('\t').unwrap_or((line, "{}"));
        let (name, shown) = rest.split_once('\t').unwrap_or(("", rest));
        let given = match shown {
            _ if !number.is_nan() => Given::Number(number),
            "true" => Given::Switch(true),
            "false" => Given::Switch(false),
            "{}" => Given::Group,
            _ => Given::Other,
        };
        Self { group, name, given, shown: Cow::Borrowed(shown) }
    }
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
            "retry": { "attempts": 3, "jitter": 0.5, "odd": "\"true\"" },
            "hedge": 7,
            "state": { "near": false, "quorum": null },
        });
        let lines = "hedge\t7\nretry\nretry\tattempts\t3\nretry\tjitter\t0.5\nretry\todd\t\"\\\"true\\\"\"\nstate\n\
                     state\tnear\tfalse\nstate\tquorum\tnull";
        let nan = f64::NAN;
        let flat = Raw::from_lines(HOST, lines, &[7.0, nan, 3.0, 0.5, nan]);
        let parsed = Raw::from_json(&json).unwrap();
        assert_eq!(flat.host, parsed.host);
        let given = |raw: &Raw<'_>| -> Vec<_> {
            raw.settings.iter().map(|it| (it.group.to_owned(), it.name.to_owned(), it.given)).collect()
        };
        assert_eq!(given(&flat), given(&parsed));
        assert_eq!(flat.find("retry.jitter").unwrap().given, Given::Number(0.5));
        assert_eq!(flat.find("retry.odd").unwrap().shown, parsed.find("retry.odd").unwrap().shown);
        assert_eq!(flat.find("retry"), None);
        assert_eq!(Raw::from_json(&json!([])), None);
    }
}
