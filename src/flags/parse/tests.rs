//! What is refused, and what is said about it.

use serde_json::{Value, json};

use crate::flags::model::FlagSet;

fn faults(text: &str) -> Vec<String> {
    FlagSet::parse(text).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The only fault of a document with this flag.
fn fault(flag: Value) -> String {
    let found = faults(&json!({ "version": 1, "flags": { "x": flag } }).to_string());
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn rule(rule: Value) -> String {
    fault(json!({ "variants": { "on": true, "off": false, "B": true }, "rules": [rule] }))
}

fn condition(condition: Value) -> String {
    rule(json!({ "if": [condition], "serve": "on" }))
}

/// FLG-13: an unknown name is told with the one that was probably meant.
#[test]
fn a_name_that_is_not_known_is_told_with_the_nearest() {
    let text = r#"{"version": 1, "flgas": {}, "flags": {"x": {"rule": [], "variants": {"on": 1, "off": 2}, "default": "onn"}}}"#;
    assert_eq!(
        faults(text),
        [
            "\"flgas\" is no part of a document. Did you mean \"flags\"?",
            "flags.x: \"rule\" is no part of a flag. Did you mean \"rules\"?",
            "flags.x.default: \"onn\" is no variant of this flag. Did you mean \"on\"?",
        ]
    );
    assert_eq!(
        rule(json!({ "serve": "on", "if": [{ "segment": "staf" }] })),
        "flags.x.rules[0].if[0]: \"staf\" is no segment"
    );
}

/// H094: shares are numbers from 0 to 100 with at most four digits behind the point, and are written in one way.
#[test]
fn shares_that_are_none_are_refused() {
    for share in [
        "100.0001", "\"50%\"", "\"50\"", "1e2", "100.0", "25.0", "-1", "101", "0.00001", "33.33333", "1e-5", "null",
        "[5]", "true",
    ] {
        let text = format!(r#"{{"version":1,"flags":{{"x":{{"rules":[{{"rollout":{share},"serve":"on"}}]}}}}}}"#);
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{share}: {found:?}");
        assert!(found[0].starts_with("flags.x.rules[0].rollout: this is a number from 0 to 100"), "{share}: {found:?}");
    }
    for share in ["NaN", "-0", "٥٠", "1e400", "+5", "5."] {
        let text = format!(r#"{{"version":1,"flags":{{"x":{{"rules":[{{"rollout":{share},"serve":"on"}}]}}}}}}"#);
        assert_eq!(faults(&text).len(), 1, "{share}");
    }
    for (share, millionths) in
        [("0", 0), ("100", 1_000_000), ("0.0001", 1), ("25.5", 255_000), ("99.9999", 999_999), ("33.3333", 333_333)]
    {
        let text = format!(r#"{{"version":1,"flags":{{"x":{{"rules":[{{"rollout":{share},"serve":"on"}}]}}}}}}"#);
        let set = FlagSet::parse(&text).unwrap();
        assert_eq!(set.flags["x"].rules[0].rollout.map(|share| share.millionths()), Some(millionths), "{share}");
    }
}

/// H100: weights are 100 together, at most a hundred variants have them, and none is negative.
#[test]
fn weights_that_are_not_whole_are_refused() {
    assert!(rule(json!({ "serve": { "on": 50, "off": 49 } })).ends_with("weights are 100 together, and these are 99"));
    assert!(rule(json!({ "serve": { "on": 50, "off": 51 } })).ends_with("these are 101"));
    assert!(rule(json!({ "serve": { "on": 150, "off": -50 } })).contains("from 0 to 100"));
    assert!(rule(json!({ "serve": { "on": 33.3333, "off": 33.3333, "B": 33.3333 } })).ends_with("these are 99.9999"));
    assert!(rule(json!({ "serve": {} })).ends_with("these are 0"));
    let many: serde_json::Map<String, Value> = (0..1_000).map(|n| (format!("v{n}"), true.into())).collect();
    assert!(fault(json!({ "variants": many, "default": "v0" })).contains("1 to 100 variants, and here are 1000"));
    assert!(fault(json!({ "variants": {} , "default": "v0" })).contains("1 to 100 variants"));
    for (serve, expected) in [
        (json!({ "on": [[0, 50]], "off": [[51, 100]] }), "leave nothing out"),
        (json!({ "on": [[0, 50]], "off": [[49, 100]] }), "do not overlap"),
        (json!({ "on": [[0, 50], [50, 99]] }), "end at 100"),
        (json!({ "on": [[50, 50], [0, 100]] }), "from less to more"),
        (json!({ "on": [[0, 50, 100]] }), "2 to 2 items"),
        (json!([{ "variant": "on", "weight": 50 }, { "variant": "on", "weight": 50 }]), "is here twice"),
        (json!([{ "variant": "on", "weight": 50 }, { "variant": "off", "part": 50 }]), "all have a part"),
        (json!([{ "variant": "on" }]), "a weight in percent, or a part"),
        (json!([{ "variant": "on", "part": 0 }]), "at least 1"),
        (json!([{ "variant": "on", "part": 1.5 }]), "whole number"),
        (json!([]), "1 to 100 items"),
        (json!(5), "an object of variants"),
        (json!("onn"), "Did you mean \"on\"?"),
    ] {
        assert!(rule(json!({ "serve": serve })).contains(expected), "{serve} {}", rule(json!({ "serve": serve })));
    }
    assert!(rule(json!({ "rollout": 5 })).ends_with("serve: this is missing"));
}

/// H074 and H076: names that mean something to objects of JavaScript are refused wherever they stand; `toString` is a name.
#[test]
fn names_of_javascript_are_refused() {
    for text in [
        r#"{"version":1,"__proto__":{"flags":{}}}"#,
        r#"{"version":1,"flags":{"__proto__":{}}}"#,
        r#"{"version":1,"flags":{"x":{"variants":{"__proto__":1}}}}"#,
        r#"{"version":1,"flags":{"x":{"variants":{"on":{"deep":[{"__proto__":1}]},"off":1}}}}"#,
        r#"{"version":1,"flags":{"constructor":{}}}"#,
        r#"{"version":1,"flags":{"prototype":{}}}"#,
        r#"{"version":1,"flags":{"x":{"constructor":{"prototype":{}}}}}"#,
        r#"{"version":1,"segments":{"prototype":[]}}"#,
        r#"{"version":1,"kill":["__proto__"]}"#,
        r#"{"version":1,"flags":{"x":{"by":"__proto__"}}}"#,
    ] {
        assert_eq!(faults(text).len(), 1, "{text}: {:?}", faults(text));
    }
    let set = FlagSet::parse(r#"{"version":1,"flags":{"toString":{},"hasOwnProperty":{}}}"#).unwrap();
    let table = set.compile().unwrap();
    assert!(table.find("toString").is_some());
    for name in ["__proto__", "valueOf", "constructor"] {
        assert_eq!(table.find_meant(name), None, "{name}");
    }
}

/// FLG-13 and FLG-14: a flag is found with and without `FEATURE_`, and a mistyped one is not found but told.
#[test]
fn a_flag_is_found_by_either_name() {
    let table = FlagSet::parse(r#"{"version":1,"flags":{"ENABLE_X":{}}}"#).unwrap().compile().unwrap();
    assert_eq!(table.find_meant("ENABLE_X"), table.find("ENABLE_X"));
    assert_eq!(table.find_meant("FEATURE_ENABLE_X"), table.find("ENABLE_X"));
    assert_eq!(table.find_meant("enable_x"), None);
    assert_eq!(table.nearest("FEATURE_ENABEL_X"), Some("ENABLE_X"));
    assert_eq!(table.nearest("something"), None);
}

/// H102: conditions are of fixed kinds and bounded, and a regular expression that has no linear time is none.
#[test]
fn conditions_have_bounds() {
    for (given, expected) in [
        (json!({}), "one of attr, segment, any and all"),
        (json!({ "attr": "a", "segment": "b", "eq": 1 }), "one of attr"),
        (json!({ "attr": "a" }), "no operator"),
        (json!({ "attr": "a", "gt": 1, "lt": 2 }), "several operators"),
        (json!({ "attr": "a", "gt": "1" }), "a number"),
        (json!({ "attr": "a", "in": [{}] }), "text, a number"),
        (json!({ "attr": "a", "in": "b" }), "this is a list"),
        (json!({ "attr": "a", "before": "tomorrow" }), "a date such as"),
        (json!({ "attr": "a", "semver": "~1.2" }), "versions with comparisons"),
        (json!({ "attr": "a", "cidr": "10.0.0.0/33" }), "is no network"),
        (json!({ "attr": "a", "startsWith": [] }), "1 to 10000 items"),
        (json!({ "attr": "a", "regex": "a".repeat(257) }), "at most 256 bytes"),
        (json!({ "attr": "a", "eq": "a".repeat(1_025) }), "at most 1024 bytes"),
        (json!({ "attr": "a", "eq": 1, "not": 1 }), "true or false"),
        (json!({ "attr": "$now", "eq": 1 }), "is no attribute"),
        (json!({ "attr": "$later", "before": 1 }), "is no attribute"),
        (json!({ "any": [] }), "there are no conditions"),
        (json!({ "any": [{ "attr": "a", "eq": 1 }], "ci": true }), "is no part of such a condition"),
    ] {
        let found = condition(given.clone());
        assert!(found.contains(expected), "{given}: {found}");
    }
    let deep = (0..10).fold(json!({ "attr": "a", "eq": 1 }), |within, _| json!({ "all": [within] }));
    assert!(condition(deep).contains("at most 8 deep"));
    let wide: Vec<Value> = (0..101).map(|_| json!({ "attr": "a", "eq": 1 })).collect();
    assert!(
        rule(json!({ "if": wide, "serve": "on" })).contains("0 to 100 items")
            || rule(json!({ "if": wide, "serve": "on" })).contains("1 to 100 items")
    );
    assert!(rule(json!({ "if": [], "serve": "on" })).contains("leave the list out"));
    for regex in ["(", "(?=a)b", r"(a)\1", "a{1000}{1000}", "(?<=a)b"] {
        let text = json!({ "version": 1, "flags": { "x": { "rules": [{ "if": [{ "attr": "a", "regex": regex }], "serve": "on" }] } } });
        let (_, warnings) = FlagSet::parse_with_warnings(&text.to_string()).unwrap();
        assert!(warnings[0].to_string().starts_with("flags.x.rules[0].if[0].regex: this never holds"), "{warnings:?}");
    }
}

#[test]
fn what_a_newer_release_knows_is_a_warning() {
    let text =
        r#"{"version":1,"kill":["old"],"flags":{"x":{"rules":[{"if":[{"attr":"a","startWith":"b"}],"serve":"on"}]}}}"#;
    let (_, warnings) = FlagSet::parse_with_warnings(text).unwrap();
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "flags.x.rules[0].if[0].startWith: \"startWith\" is no operator. Did you mean \"startsWith\"? It never holds",
            "kill: \"old\" is no flag here",
        ]
    );
}

#[test]
fn flags_that_require_each_other_are_refused() {
    let requires = |flag: &str| json!({ "requires": [{ "flag": flag, "is": ["on"] }] });
    let text =
        json!({ "version": 1, "flags": { "a": requires("b"), "b": requires("c"), "c": requires("a") } }).to_string();
    assert_eq!(faults(&text), ["flags.a: the flags that this one requires end up requiring it"]);
    assert_eq!(faults(&json!({ "version": 1, "flags": { "a": requires("a") } }).to_string()).len(), 1);
    let chain = |length: usize| {
        let flags: serde_json::Map<String, Value> = (0..length)
            .map(|n| (format!("f{n}"), if n == 0 { json!({}) } else { requires(&format!("f{}", n - 1)) }))
            .collect();
        json!({ "version": 1, "flags": flags }).to_string()
    };
    assert!(FlagSet::parse(&chain(8)).is_ok());
    assert!(faults(&chain(9))[0].contains("chain of more than 8"));
    assert!(fault(requires("y")).contains("\"y\" is no flag"));
    assert!(fault(requires("x")).contains("end up requiring it"));
    // Diamonds within each other: 16^7 evaluations, if nobody reckoned them.
    let flags: serde_json::Map<String, Value> = (0..8)
        .flat_map(|level| (0..16).map(move |n| (level, n)))
        .map(|(level, n)| {
            let below: Vec<Value> =
                (0..16).map(|n| json!({ "flag": format!("f{}-{n}", level - 1), "is": ["on"] })).collect();
            (format!("f{level}-{n}"), if level == 0 { json!({}) } else { json!({ "requires": below }) })
        })
        .collect();
    assert!(faults(&json!({ "version": 1, "flags": flags }).to_string())[0].contains("one evaluation would look at"));
}

/// FLG-10: two flags that one variable would be for are refused.
#[test]
fn two_flags_of_one_variable_are_refused() {
    let found = faults(r#"{"version":1,"flags":{"new-checkout":{},"new_checkout":{}}}"#);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("\"new-checkout\" and \"new_checkout\" have one variable, FEATURE_NEW_CHECKOUT"),
        "{found:?}"
    );
}

#[test]
fn documents_have_a_version_and_bounds() {
    assert_eq!(faults("{}"), ["version: this is missing: write 1"]);
    assert!(faults(r#"{"version":2}"#)[0].contains("only 1 is known"));
    assert!(faults(r#"{"version":1,"hash":2}"#)[0].contains("users would move"));
    for text in ["", "null", "[]", "5", "\"x\"", "{\"version\":1,\"version\":1}", "{\"version\":1}x"] {
        assert_eq!(faults(text).len(), 1, "{text}");
    }
    assert!(faults(&" ".repeat(3 << 20))[0].contains("at most 2097152 are taken"));
    let many: serde_json::Map<String, Value> = (0..5_001).map(|n| (format!("f{n}"), json!({}))).collect();
    assert!(faults(&json!({ "version": 1, "flags": many }).to_string())[0].contains("at most 5000"));
    let attributes: Vec<Value> = (0..70).map(|n| json!({ "attr": format!("a{n}"), "exists": true })).collect();
    assert!(fault(json!({ "rules": [{ "if": attributes, "serve": "on" }] })).contains("at most 64 different"));
    assert_eq!(faults(&json!({ "version": 1, "flags": (0..200).map(|n| (format!("f{n}"), 5.into())).collect::<serde_json::Map<_, _>>() }).to_string()).len(), 100);
    for (flag, expected) in [
        (json!({ "by": ["$random", "userId"] }), "put it last"),
        (json!({ "by": [] }), "1 to 8 items"),
        (json!({ "by": "$chance" }), "is no attribute"),
        (json!({ "maxAge": "5 minutes" }), "a time such as"),
        (json!({ "maxAge": 0 }), "a time such as"),
        (json!({ "onStale": "off" }), "nothing is ever stale"),
        (json!({ "onStale": "on", "maxAge": 1 }), "\"serve\" or \"off\""),
        (json!({ "off": "true" }), "\"false\" or \"code-default\""),
        (json!({ "enabled": "no" }), "true or false"),
        (json!({ "variants": { "a": 1 } }), "this is missing: name the variant"),
        (json!({ "variants": { "a\n": 1 }, "default": "a\n" }), "control characters"),
        (json!({ "variants": { "off": "x".repeat(20_000) } }), "at most 16384 bytes"),
        (json!({ "salt": "x".repeat(300) }), "at most 256 bytes"),
    ] {
        assert!(fault(flag.clone()).contains(expected), "{flag}: {}", fault(flag.clone()));
    }
}
