//! Documents of others, by their meaning.

use serde_json::{Value, json};

use super::{Imported, MOVES, flagd, growthbook, launchdarkly, unleash};
use crate::clock::Instant;
use crate::flags::explain::value;
use crate::flags::{Context, Flags, Moment, Overrides, Val};

fn asked(imported: &Imported, flag: &str, known: &[(&str, Val<'_>)]) -> Option<Value> {
    let flags = Flags::new(imported.flags.compile().unwrap(), Overrides::NONE);
    let found =
        |name: &str| known.iter().find(|(found, _)| *found == name).map(|(_, value)| *value).unwrap_or_default();
    let values: Vec<Val<'_>> = flags.table().attributes().map(found).collect();
    let flag = flags.table().find(flag).unwrap();
    let moment = Moment { now: Instant(1_700_000_000_000), confirmed_at: Instant(1_700_000_000_000), random: 1 };
    let decision = flags.evaluate(flag, Context::new(&values).unwrap(), moment);
    flags.value(flag, &decision).map(value)
}

fn problems(imported: &Imported) -> Vec<String> {
    imported.warnings.iter().map(ToString::to_string).collect()
}

/// Counts of each value among a thousand ids.
fn counts(imported: &Imported, flag: &str, attribute: &str, values: &[Value]) -> Vec<usize> {
    let found: Vec<Option<Value>> =
        (0..1_000).map(|n| asked(imported, flag, &[(attribute, Val::Text(&format!("u{n}")))])).collect();
    values.iter().map(|value| found.iter().filter(|found| found.as_ref() == Some(value)).count()).collect()
}

#[test]
fn flagd_is_imported_by_meaning() {
    let document = json!({
        "$evaluators": { "ours": { "ends_with": [{ "var": ["email"] }, "@faas.com"] } },
        "flags": {
            "color": {
                "state": "ENABLED", "variants": { "red": "#f00", "blue": "#00f", "green": "#0f0" }, "defaultVariant": "red",
                "targeting": { "if": [
                    { "$ref": "ours" }, "green",
                    { "and": [{ ">": [{ "var": "age" }, 60] }, { "!": [{ "in": [{ "var": "country" }, ["DE", "FR"]] }] }] },
                    { "if": [{ "==": [{ "var": "plan" }, "pro"] }, "blue"] },
                    { "sem_ver": [{ "var": "app" }, "^", "2.1.0"] }, "blue",
                    { "fractional": [{ "var": "email" }, ["red", 50], ["blue", 50]] },
                ] },
            },
            "off": { "state": "DISABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
            "odd": { "state": "ENABLED", "variants": { "a": 1 }, "defaultVariant": "a", "targeting": { "if": [{ "%": [1, 2] }, "a", "a"] } },
        },
    });
    let found = flagd::import(&document.to_string()).unwrap();
    let color = |known: &[(&str, Val<'_>)]| asked(&found, "color", known).unwrap();
    assert_eq!(color(&[("email", Val::Text("a@faas.com"))]), "#0f0");
    assert_eq!(color(&[("age", Val::Number(61.0)), ("plan", Val::Text("pro"))]), "#00f");
    // A branch that ends in nothing ends in the default, and not in the branches after it.
    assert_eq!(color(&[("age", Val::Number(61.0)), ("app", Val::Text("2.5.0"))]), "#f00");
    assert_eq!(color(&[("age", Val::Number(61.0)), ("country", Val::Text("DE")), ("app", Val::Text("2.5.0"))]), "#00f");
    assert_eq!(color(&[]), "#f00");
    let shares = counts(&found, "color", "email", &["#f00".into(), "#00f".into()]);
    assert!(shares[0] > 430 && shares[1] > 430 && shares[0] + shares[1] == 1_000, "{shares:?}");
    assert_eq!(asked(&found, "off", &[]), Some(false.into()));
    let problems = problems(&found);
    assert!(problems.contains(&format!("flags.color: {MOVES}")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("\"%\" has no counterpart here")), "{problems:?}");
}

#[test]
fn growthbook_is_imported_by_meaning() {
    let document = json!({ "status": 200, "features": {
        "banner": { "defaultValue": "none", "rules": [
            { "condition": { "country": { "$in": ["DE", "FR"] }, "age": { "$gte": 18, "$lt": 65 } }, "force": "local" },
            { "condition": { "$or": [{ "plan": "pro" }, { "$not": { "beta": { "$exists": false } } }] }, "force": { "deep": [1] } },
            { "condition": { "id": { "$ne": null } }, "coverage": 0.4, "variations": ["A", "B"], "weights": [0.25, 0.75], "key": "exp" },
            { "namespace": ["n", 0, 1], "force": "never" },
            { "condition": { "tags": { "$elemMatch": { "$eq": 1 } } }, "force": "never" },
        ] },
        "plain": { "defaultValue": true },
    } });
    let found = growthbook::import(&document.to_string()).unwrap();
    let banner = |known: &[(&str, Val<'_>)]| asked(&found, "banner", known).unwrap();
    assert_eq!(banner(&[("country", Val::Text("FR")), ("age", Val::Number(64.0))]), "local");
    assert_eq!(banner(&[("country", Val::Text("FR")), ("age", Val::Number(65.0))]), "none");
    assert_eq!(banner(&[("plan", Val::Text("pro"))]), json!({ "deep": [1] }));
    assert_eq!(banner(&[("beta", Val::Bool(false))]), json!({ "deep": [1] }));
    let shares = counts(&found, "banner", "targetingKey", &["A".into(), "B".into(), "none".into()]);
    assert!(
        (70..130).contains(&shares[0]) && (250..350).contains(&shares[1]) && (550..650).contains(&shares[2]),
        "{shares:?}"
    );
    assert_eq!(asked(&found, "plain", &[]), Some(true.into()));
    let problems = problems(&found);
    for expected in [MOVES, "it has namespace", "\"$elemMatch\" has no counterpart"] {
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    }
}

#[test]
fn launchdarkly_is_imported_by_meaning() {
    let clause =
        |attribute: &str, op: &str, values: Value| json!({ "attribute": attribute, "op": op, "values": values });
    let mut not_german = clause("country", "in", json!(["DE"]));
    not_german["negate"] = true.into();
    let document = json!({
        "segments": { "staff": { "included": ["ada"], "excluded": ["bob"], "rules": [{ "clauses": [clause("email", "endsWith", json!(["@acme.com"]))] }] } },
        "flags": {
            "base": { "on": true, "variations": [true, false], "offVariation": 1, "fallthrough": { "variation": 0 } },
            "x": {
                "on": true, "variations": ["a", "b", "c"], "offVariation": 2, "salt": "s",
                "prerequisites": [{ "key": "base", "variation": 0 }],
                "targets": [{ "values": ["eve"], "variation": 1 }],
                "rules": [
                    { "id": "r1", "clauses": [clause("", "segmentMatch", json!(["staff"]))], "variation": 0 },
                    { "clauses": [not_german, clause("app", "semVerGreaterThan", json!(["2.0.0"]))], "variation": 1 },
                    { "clauses": [clause("key", "oddOp", json!([1]))], "variation": 1 },
                ],
                "fallthrough": { "rollout": { "variations": [{ "variation": 0, "weight": 60_000 }, { "variation": 2, "weight": 40_000 }] } },
            },
            "off": { "on": false, "variations": ["a", "b"], "offVariation": 1, "fallthrough": { "variation": 0 } },
        },
    });
    let found = launchdarkly::import(&document.to_string()).unwrap();
    let x = |known: &[(&str, Val<'_>)]| asked(&found, "x", known).unwrap();
    assert_eq!(x(&[("targetingKey", Val::Text("eve"))]), "b");
    assert_eq!(x(&[("targetingKey", Val::Text("ada"))]), "a");
    assert_eq!(
        x(&[
            ("targetingKey", Val::Text("bob")),
            ("email", Val::Text("b@acme.com")),
            ("country", Val::Text("FR")),
            ("app", Val::Text("2.0.1"))
        ]),
        "b"
    );
    assert_eq!(x(&[("email", Val::Text("c@acme.com"))]), "a");
    // Without a country there is nothing to negate.
    assert_eq!(x(&[("app", Val::Text("2.0.1"))]), "c");
    let shares = counts(&found, "x", "targetingKey", &["a".into(), "c".into()]);
    assert!((540..660).contains(&shares[0]) && shares[0] + shares[1] == 1_000, "{shares:?}");
    assert_eq!(asked(&found, "off", &[]), Some("b".into()));
    let problems = problems(&found);
    assert!(problems.contains(&format!("flags.x: {MOVES}")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("\"oddOp\" has no counterpart")), "{problems:?}");
}

/// What comes in goes out as ours, and in again.
#[test]
fn an_import_is_exported_as_ours() {
    let document = json!({ "version": 2, "features": [{ "name": "f", "enabled": true, "strategies": [
        { "name": "flexibleRollout", "parameters": { "rollout": "50.9", "stickiness": "tenant", "groupId": "g" },
          "constraints": [{ "contextName": "a", "operator": "REGEX", "value": "x" }, { "contextName": "b", "operator": "MADE_UP" }] },
        { "name": "ours" }, { "name": "default", "segments": [4] },
    ], "variants": [{ "name": "on", "weight": 3, "overrides": [{ "contextName": "userId", "values": ["1"] }] }, { "name": "b", "weight": 1 }] }] });
    let found = unleash::import(&document.to_string()).unwrap();
    assert_eq!(found.flags.flags["f"].rules.len(), 2);
    assert_eq!(found.flags.flags["f"].rules[0].rollout.map(|share| share.to_string()).as_deref(), Some("50"));
    let exported = found.flags.to_json().to_string();
    assert_eq!(crate::flags::FlagSet::parse(&exported).unwrap(), found.flags);
    assert!(problems(&found).iter().any(|problem| problem.contains("\"ours\" is one of your own")));
}

#[test]
fn what_is_no_document_is_refused() {
    for import in [unleash::import, flagd::import, growthbook::import, launchdarkly::import] {
        assert!(import("{").is_err());
        assert!(import("{\"flags\":{},\"flags\":{}}").is_err());
        assert!(import("{}").is_ok_and(|found| found.flags.flags.is_empty()));
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert!(import(&deep).is_err());
    }
}

/// FLG-07: parts are of their sum, whatever it is: also where it is that of millionths.
#[test]
fn parts_divide_the_hash_by_their_sum() {
    let of = |sum: u32| {
        let document = json!({ "version": 1, "flags": { "x": { "variants": { "A": "A", "off": 0 }, "rules": [
            { "serve": [{ "variant": "A", "part": sum / 2 }, { "variant": "off", "part": sum - sum / 2 }] } ] } } });
        Imported { flags: crate::flags::FlagSet::parse(&document.to_string()).unwrap(), warnings: Vec::new() }
    };
    for sum in [3_u32, 1_000, 1_000_000] {
        let imported = of(sum);
        for n in 0..200 {
            let id = format!("u{n}");
            let hash = crate::flags::bucket::Prefix::new("x", crate::flags::bucket::VARIANT_SEED).hash(&id);
            let is_a = asked(&imported, "x", &[("targetingKey", Val::Text(&id))]) == Some("A".into());
            assert_eq!(is_a, hash % sum < sum / 2, "{sum} {id}");
        }
    }
}
