//! Documents that anybody may write: for laws over all of them.

use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::flags::{Context, FlagSet, Flags, Moment, Overrides, Val};
use serde_json::{Map, Value, json};

pub(super) const ATTRIBUTES: [&str; 5] = ["targetingKey", "userId", "country", "age", "app"];

/// The flags of a document and nothing beside it.
pub(super) fn flags(document: &Value) -> Flags {
    Flags::new(set(document).compile().unwrap(), Overrides::NONE)
}

pub(super) fn set(document: &Value) -> FlagSet {
    FlagSet::parse(&document.to_string()).unwrap_or_else(|faults| panic!("{faults:?}\n{document:#}"))
}

/// A document of these flags.
pub(super) fn document(flags: Value) -> Value {
    json!({ "version": 1, "flags": flags })
}

pub(super) fn at(now: u64) -> Moment {
    Moment { now: Instant(now), confirmed_at: Instant(now), random: 7 }
}

/// Values by name, in the slots of those flags.
pub(super) fn packed<'v>(flags: &Flags, values: &[(&str, Val<'v>)]) -> Vec<Val<'v>> {
    let value = |name: &str| values.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
    flags.table().attributes().map(|name| value(name).unwrap_or_default()).collect()
}

/// The variant for whom these values are known.
pub(super) fn variant(flags: &Flags, key: &str, values: &[(&str, Val<'_>)]) -> Option<String> {
    let values = packed(flags, values);
    let flag = flags.table().find(key).unwrap();
    let decision = flags.evaluate(flag, Context::new(&values).unwrap(), at(0));
    flags.variant(flag, &decision).map(str::to_owned)
}

fn condition() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-cDE]{0,3}", Just("DE".to_owned()), Just("é😊".to_owned())];
    let leaf = prop_oneof![
        prop::collection::vec(text.clone(), 0..3).prop_map(|texts| json!({ "attr": "country", "in": texts })),
        text.clone().prop_map(|text| json!({ "attr": "country", "startsWith": text, "ci": true })),
        text.clone().prop_map(|text| json!({ "attr": "userId", "contains": [text] })),
        text.clone().prop_map(|text| json!({ "attr": "userId", "ne": text })),
        (-3..90).prop_map(|age| json!({ "attr": "age", "gte": age })),
        (0.0..90.0).prop_map(|age| json!({ "attr": "age", "lt": age })),
        any::<bool>().prop_map(|is_there| json!({ "attr": "age", "exists": is_there })),
        Just(json!({ "attr": "app", "semver": ">=2.1.0 <3.0.0" })),
        Just(json!({ "attr": "$now", "after": "2026-01-01" })),
        Just(json!({ "attr": "userId", "cidr": ["10.0.0.0/8", "::1"] })),
        Just(json!({ "attr": "userId", "regex": "^a+b?$" })),
        Just(json!({ "attr": "userId", "regex": "(" })),
        Just(json!({ "attr": "userId", "fromTheFuture": { "a": 1 } })),
        Just(json!({ "segment": "some" })),
    ];
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        let within = prop::collection::vec(inner, 1..4);
        (within, any::<bool>()).prop_map(|(within, is_any)| json!({ (if is_any { "any" } else { "all" }): within }))
    });
    (nested, any::<bool>()).prop_map(|(mut condition, not)| {
        if not {
            condition["not"] = true.into();
        }
        condition
    })
}

fn percent(millionths: u32) -> Value {
    if millionths.is_multiple_of(10_000) {
        (millionths / 10_000).into()
    } else {
        json!(f64::from(millionths) / 10_000.0)
    }
}

fn serve() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["on", "off", "A"]).prop_map(Value::from),
        (0..=1_000_000_u32).prop_map(|a| json!({ "A": percent(a), "on": percent(1_000_000 - a) })),
        (0..=1_000_000_u32).prop_map(|a| {
            json!([{ "variant": "on", "weight": percent(a) }, { "variant": "A", "weight": percent(1_000_000 - a) }])
        }),
        (1..100_u32).prop_map(|a| json!([{ "variant": "on", "part": a }, { "variant": "A", "part": 3 }])),
        (1..50_u32).prop_map(|a| json!({ "A": [[0, a], [50, 100]], "off": [[a, 50]] })),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let parts =
        (prop::collection::vec(condition(), 0..3), prop::option::of(0..=1_000_000_u32), serve(), any::<[bool; 3]>());
    parts.prop_map(|(conditions, share, serve, [by, salt, split])| {
        let mut rule = json!({ "serve": serve });
        if !conditions.is_empty() {
            rule["if"] = conditions.into();
        }
        if let Some(share) = share {
            rule["rollout"] = percent(share);
        }
        if by {
            rule["by"] = json!(["userId", "$random"]);
        }
        if salt {
            rule["salt"] = "shared".into();
        }
        if split {
            rule["split"] = json!({ "by": "country", "salt": "other" });
        }
        rule
    })
}

fn flag() -> impl Strategy<Value = Value> {
    (prop::collection::vec(rule(), 0..4), any::<[bool; 5]>()).prop_map(
        |(rules, [enabled, strict, age, code, boolean])| {
            let mut flag = json!({ "rules": rules, "enabled": enabled, "strict": strict });
            let value = if boolean { json!(true) } else { json!({ "size": 1.5 }) };
            flag["variants"] = json!({ "on": true, "off": false, "A": value });
            if age {
                flag["maxAge"] = "5m".into();
                flag["onStale"] = if code { "off" } else { "serve" }.into();
            }
            if code {
                flag["off"] = "code-default".into();
            }
            flag
        },
    )
}

/// Documents that are right: up to five flags, the later ones requiring earlier ones.
pub(super) fn documents() -> impl Strategy<Value = Value> {
    let flags = prop::collection::vec((flag(), any::<bool>(), any::<bool>()), 1..5);
    (flags, prop::collection::vec(condition(), 0..3), any::<bool>()).prop_map(|(flags, segment, has_kill)| {
        let mut found = Map::new();
        for (place, (mut flag, requires, not)) in flags.into_iter().enumerate() {
            if requires && place > 0 {
                flag["requires"] = json!([{ "flag": format!("flag-{}", place - 1), "is": ["on", "A"], "not": not }]);
            }
            found.insert(format!("flag-{place}"), flag);
        }
        let segment: Vec<Value> =
            segment.into_iter().filter(|condition| !condition.to_string().contains("segment")).collect();
        let kill = if has_kill { json!(["flag-0", "gone"]) } else { json!([]) };
        json!({ "version": 1, "hash": 1, "revision": 3, "kill": kill, "segments": { "some": segment }, "flags": found })
    })
}

/// A value that an attribute may have.
#[derive(Clone, Debug)]
pub(super) enum Owned {
    Missing,
    Text(String),
    Number(f64),
    Bool(bool),
}

impl Owned {
    pub(super) fn val(&self) -> Val<'_> {
        match self {
            Self::Missing => Val::Missing,
            Self::Text(text) => Val::Text(text),
            Self::Number(number) => Val::Number(*number),
            Self::Bool(value) => Val::Bool(*value),
        }
    }
}

pub(super) fn values() -> impl Strategy<Value = Vec<Owned>> {
    let value = prop_oneof![
        Just(Owned::Missing),
        "[a-cDE]{0,3}".prop_map(Owned::Text),
        any::<String>().prop_map(Owned::Text),
        prop::sample::select(vec!["2.5.0", "10.1.2.3", "2026-06-01", "DE", "42", ""])
            .prop_map(|text| Owned::Text(text.to_owned())),
        any::<f64>().prop_map(Owned::Number),
        (-5..100_i32).prop_map(|number| Owned::Number(number.into())),
        any::<bool>().prop_map(Owned::Bool),
    ];
    prop::collection::vec(value, ATTRIBUTES.len())
}
