//! Seawall's own layers as flags: what they are where no document says anything about them.
//!
//! `FEATURE_ENABLE_CONNECTION_POOL` and `ROLLOUT_ENABLE_CONNECTION_POOL` are settings, checked with all others, and say what
//! this flag is by default; a document that has it says better, and only of one that it does not have they are overrides. `true` turns a layer on for everybody, `false` leaves it to
//! the share.

use super::bucket::Share;
use super::model::{Flag, FlagSet, Rule, Serve, Split};
use super::variables::{FEATURE, ROLLOUT};

/// A layer: its flag, and whether it is on by default.
pub const LAYERS: [(&str, bool); 5] = [
    ("ENABLE_CONNECTION_POOL", false),
    ("ENABLE_STATE_MACHINE", false),
    ("ENABLE_CIRCUIT_BREAKER", false),
    ("ENABLE_ENTERPRISE_MONITORING", true),
    ("ENABLE_DETAILED_LOGGING", false),
];

/// Whether a variable is a setting of a layer, and therefore no override.
#[must_use]
pub fn is_setting(variable: &str) -> bool {
    let name = variable.strip_prefix(FEATURE).or_else(|| variable.strip_prefix(ROLLOUT));
    name.is_some_and(|name| LAYERS.iter().any(|(layer, _)| *layer == name))
}

/// Whether the flag of this name is a layer that is on where nothing is said of it: `false` turns that off.
#[must_use]
pub fn is_on_by_default(name: &str) -> bool {
    LAYERS.iter().any(|(layer, is_on)| *layer == name && *is_on)
}

impl FlagSet {
    /// Adds the layers that this document does not have. `settings` says for each whether it is on, and for which share else.
    #[must_use]
    pub fn with_layers(mut self, settings: impl Fn(&str) -> Option<(bool, Share)>) -> Self {
        for (name, is_on) in LAYERS {
            let (is_on, share) = settings(name).unwrap_or((is_on, Share::NONE));
            self.flags.entry(name.to_owned()).or_insert_with(|| layer(is_on, share));
        }
        self
    }
}

fn layer(is_on: bool, share: Share) -> Flag {
    let rule = Rule {
        id: Some("default".to_owned()),
        conditions: Vec::new(),
        rollout: Some(share),
        by: None,
        salt: None,
        serve: Serve::One("on".to_owned()),
        split: Split::default(),
    };
    let rules = if is_on || share == Share::NONE { Vec::new() } else { vec![rule] };
    Flag { rules, ..Flag::boolean(is_on) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::model::Kill;
    use crate::flags::{Context, Found, Moment, Overrides, Val};

    fn is_on(settings: impl Fn(&str) -> Option<(bool, Share)>, name: &str, id: &str) -> bool {
        let table = FlagSet::default().with_layers(settings).compile().unwrap();
        let flags = crate::flags::Flags::new(table, Overrides::NONE);
        let flag = flags.table().find(name).unwrap();
        let values = [Val::Text(id)];
        let decision = flags.evaluate(flag, Context::new(&values).unwrap(), Moment::default());
        flags.value(flag, &decision) == Some(Found::Boolean(true))
    }

    /// FLG-01, FLG-02, FLG-03, FLG-04, FLG-05 and FLG-12: each layer is a flag that is there and evaluates, off but for monitoring.
    #[test]
    fn layers_are_flags() {
        for (name, expected) in LAYERS {
            assert_eq!(is_on(|_| None, name, "u"), expected, "{name}");
        }
    }

    /// ENV-03 to ENV-09: settings say what a layer is by default: on for everybody, or for a share that is sticky.
    #[test]
    fn settings_are_defaults_of_layers() {
        for (name, _) in LAYERS {
            assert!(is_on(|_| Some((true, Share::NONE)), name, "u"));
            assert!(!is_on(|_| Some((false, Share::NONE)), name, "u"));
            let quarter = |_: &str| Some((false, Share::of_percent(25).unwrap()));
            let half = |_: &str| Some((false, Share::of_percent(50).unwrap()));
            let ids: Vec<String> = (0..1_000).map(|n| format!("tenant-{n}")).collect();
            let found: Vec<bool> = ids.iter().map(|id| is_on(quarter, name, id)).collect();
            let count = found.iter().filter(|is_on| **is_on).count();
            assert!((200..300).contains(&count), "{count}");
            assert!(ids.iter().zip(found).take(100).all(|(id, was)| !was || is_on(half, name, id)));
            for prefix in ["FEATURE_", "ROLLOUT_"] {
                assert!(is_setting(&format!("{prefix}{name}")));
            }
        }
        assert!(!is_setting("FEATURE_NEW_CHECKOUT"));
        // And no overrides: a document that turns a layer on does so whatever the default is.
        let text = r#"{"version":1,"flags":{"ENABLE_STATE_MACHINE":{"rules":[{"serve":"on"}]}}}"#;
        let table = FlagSet::parse(text).unwrap().compile().unwrap();
        let variables = [("FEATURE_ENABLE_STATE_MACHINE", "false"), ("ROLLOUT_ENABLE_STATE_MACHINE", "0")];
        assert_eq!(Overrides::read(&table, variables, &Kill::default()).unwrap(), Overrides::NONE);
        // Without one they are what a layer is.
        let of_variables = |variables: &[(&str, &str)]| {
            let table = FlagSet::default().compile().unwrap();
            let overrides = Overrides::read(&table, variables.iter().copied(), &Kill::default()).unwrap();
            crate::flags::Flags::new(table, overrides).constant_boolean("ENABLE_CONNECTION_POOL")
        };
        let (feature, rollout) = ("FEATURE_ENABLE_CONNECTION_POOL", "ROLLOUT_ENABLE_CONNECTION_POOL");
        assert_eq!(of_variables(&[(feature, "true")]), Some(Some(true)));
        assert_eq!(of_variables(&[(feature, "false")]), None);
        assert_eq!(of_variables(&[(feature, "false"), (rollout, "25")]), Some(None));
        assert_eq!(of_variables(&[(rollout, "100")]), Some(Some(true)));
        // One that is on by default is off then.
        let overrides = |value| {
            let variables = [("FEATURE_ENABLE_ENTERPRISE_MONITORING", value)];
            Overrides::read(&FlagSet::default().compile().unwrap(), variables, &Kill::default()).unwrap()
        };
        for (value, expected) in [("false", false), ("0", false), ("true", true), ("1", true)] {
            let table = FlagSet::default().compile().unwrap();
            let flags = crate::flags::Flags::new(table, overrides(value));
            assert_eq!(flags.constant_boolean("ENABLE_ENTERPRISE_MONITORING"), Some(Some(expected)), "{value}");
        }
    }

    /// FLG-08: the order that turns flags off says all of them, or which.
    #[test]
    fn the_order_of_the_kill_switch_is_read() {
        let kill = |text: &str| Kill::of_order(&serde_json::from_str(text).unwrap());
        assert_eq!(kill(r#"{"all":true,"flags":["a"]}"#), Kill::All);
        assert!(kill(r#"{"flags":["a"]}"#).has("a") && !kill(r#"{"flags":["a"]}"#).has("b"));
        assert_eq!(kill("{}"), Kill::default());
        assert_eq!(kill(r#"{"features":["cache"],"all":"no"}"#), Kill::default());
    }

    #[test]
    fn a_document_says_better() {
        let text = r#"{"version":1,"flags":{"ENABLE_CONNECTION_POOL":{"rules":[{"serve":"on"}]}}}"#;
        let set = FlagSet::parse(text).unwrap().with_layers(|_| None);
        assert_eq!((set.flags.len(), set.flags["ENABLE_CONNECTION_POOL"].rules.len()), (5, 1));
    }
}
