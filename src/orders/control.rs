//! The order `control`: what operators said of circuits and pools, for all isolates.
//!
//! ```json
//! {"circuits": {"primary": {"hold": "open", "resets": 2}, "*": {"resets": 1}}, "pools": {"primary": {"drains": 3, "all": true}}}
//! ```
//!
//! What happens once is a number that only rises: an isolate that sees a higher one than before does it. One that begins does
//! not: it has nothing to reset or to drain.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::follow::Command;

/// Stands for all databases.
pub const EVERY: &str = "*";
/// Most databases that are named.
pub const DATABASES_MAX: usize = 256;
/// Longest name of a database, in bytes.
pub const NAME_MAX: usize = 128;

/// A state that a circuit is held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// Everything is refused.
    Open,
    /// Nothing is refused and nothing counts.
    Closed,
}

/// The whole order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Control {
    /// By database, or [`EVERY`].
    pub circuits: BTreeMap<String, Circuit>,
    /// By database, or [`EVERY`].
    pub pools: BTreeMap<String, Pool>,
}

/// What was said of one circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Circuit {
    /// The state in which it is held; none if it is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// How often it was reset.
    pub resets: u64,
}

/// What was said of one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Pool {
    /// How often it was drained.
    pub drains: u64,
    /// The last time, whether of those in use as well.
    pub all: bool,
}

impl Control {
    /// Reads the value of an order.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(value: &Value) -> Result<Self, String> {
        let control: Self = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        let names = || control.circuits.keys().chain(control.pools.keys());
        if control.circuits.len() > DATABASES_MAX || control.pools.len() > DATABASES_MAX {
            return Err(format!("at most {DATABASES_MAX} databases can be named"));
        }
        if names().any(|name| name.is_empty() || name.len() > NAME_MAX) {
            return Err(format!("the name of a database has 1 to {NAME_MAX} bytes"));
        }
        Ok(control)
    }

    /// What is to be done by a host that has obeyed `before`; by one that has just begun, without it.
    #[must_use]
    pub fn since(&self, before: Option<&Self>, by: &str, reason: &str) -> Vec<Command> {
        let mut commands = Vec::new();
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let none = Self::default();
        let known = before.unwrap_or(&none);
        let names = self.circuits.keys().chain(known.circuits.keys().filter(|name| !self.circuits.contains_key(*name)));
        for name in names {
            let [old, new] = [known, self].map(|control| control.circuits.get(name).copied().unwrap_or_default());
            let database = (name != EVERY).then(|| name.clone());
            if new.hold != old.hold {
                let (by, reason) = (by.clone(), reason.clone());
                commands.push(Command::Hold { database: database.clone(), state: new.hold, by, reason });
            }
            if before.is_some() && new.resets > old.resets {
                commands.push(Command::Reset { database, by: by.clone(), reason: reason.clone() });
            }
        }
        for (name, new) in self.pools.iter().filter(|_| before.is_some()) {
            let old = known.pools.get(name).copied().unwrap_or_default();
            if new.drains > old.drains {
                let database = (name != EVERY).then(|| name.clone());
                commands.push(Command::Drain { database, is_all: new.all });
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn control(value: Value) -> Control {
        Control::read(&value).unwrap()
    }

    fn hold(database: Option<&str>, state: Option<Hold>) -> Command {
        let database = database.map(str::to_owned);
        Command::Hold { database, state, by: "ada".to_owned(), reason: "a test".to_owned() }
    }

    fn reset(database: Option<&str>) -> Command {
        Command::Reset { database: database.map(str::to_owned), by: "ada".to_owned(), reason: "a test".to_owned() }
    }

    #[test]
    fn what_is_new_is_done_once() {
        let before = control(json!({ "circuits": { "a": { "resets": 2 } }, "pools": { "a": { "drains": 1 } } }));
        let after = control(json!({
            "circuits": { "a": { "hold": "open", "resets": 3 }, "*": { "resets": 1 } },
            "pools": { "a": { "drains": 4, "all": true }, "b": { "drains": 1 } },
        }));
        let commands = after.since(Some(&before), "ada", "a test");
        let drain = |database: &str, is_all| Command::Drain { database: Some(database.to_owned()), is_all };
        let expected =
            [reset(None), hold(Some("a"), Some(Hold::Open)), reset(Some("a")), drain("a", true), drain("b", false)];
        assert_eq!(commands, expected);
        assert_eq!(after.since(Some(&after), "ada", "a test"), []);
        assert_eq!(before.since(Some(&after), "ada", "a test"), [hold(Some("a"), None)]);
        assert_eq!(Control::default().since(Some(&after), "ada", "a test"), [hold(Some("a"), None)]);
    }

    #[test]
    fn who_begins_holds_what_is_held_and_has_nothing_to_reset() {
        let now = control(
            json!({ "circuits": { "a": { "hold": "closed", "resets": 9 } }, "pools": { "a": { "drains": 1 } } }),
        );
        assert_eq!(now.since(None, "ada", "a test"), [hold(Some("a"), Some(Hold::Closed))]);
    }

    #[test]
    fn what_is_no_such_order_is_refused() {
        for value in [
            json!({ "circuits": { "a": { "hold": "half" } } }),
            json!({ "circuits": { "": {} } }),
            json!({ "circuits": { "a": { "resets": -1 } } }),
            json!({ "circuit": {} }),
            json!({ "pools": { "a".repeat(129): {} } }),
            json!({ "circuits": (0..257).map(|at| (at.to_string(), json!({}))).collect::<serde_json::Map<_, _>>() }),
        ] {
            assert!(Control::read(&value).is_err(), "{value}");
        }
    }
}
