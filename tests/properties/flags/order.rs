//! The order in which things are asked, and the reason that is told: one case for each line of it.

use seawall::clock::Instant;
use seawall::flags::model::Kill;
use seawall::flags::{Context, Decision, Flags, Found, Kind, Moment, Overrides, Reason, Served, Val};
use serde_json::{Value, json};

use super::documents::{at, document, flags, packed, set};

/// Who gets what: variant, reason, who said so.
fn told(flags: &Flags, decision: &Decision) -> (Option<String>, &'static str, Option<&'static str>) {
    let flag = flags.table().find("x").unwrap();
    let value = match flags.value(flag, decision) {
        Some(Found::Boolean(value)) => Some(value.to_string()),
        Some(Found::Text(text) | Found::Json(text)) => Some(text.to_owned()),
        Some(Found::Number(number)) => Some(number.to_string()),
        None => None,
    };
    (value, decision.reason.text(), decision.by.map(|by| by.text()))
}

fn asked(document_: &Value, variables: &[(&str, &str)], values: &[(&str, Val<'_>)], age_ms: u64) -> (Flags, Decision) {
    let table = set(document_).compile().unwrap();
    let overrides = Overrides::read(&table, variables.iter().copied(), &Kill::default()).unwrap();
    let flags = Flags::new(table, overrides);
    let values = packed(&flags, values);
    let flag = flags.table().find("x").unwrap();
    let moment = Moment { now: Instant(age_ms), ..Moment::default() };
    let decision = flags.evaluate(flag, Context::new(&values).unwrap(), moment);
    (flags, decision)
}

/// FLG-08, FLG-09 and FLG-10: off beats on, variables beat rules, rules beat the default; each says why.
#[test]
fn each_step_comes_before_those_below() {
    let user = ("targetingKey", Val::Text("user-1"));
    let plain = json!({ "rules": [{ "if": [{ "attr": "plan", "eq": "pro" }], "serve": "on" }] });
    let x = |flag: Value| document(json!({ "x": flag }));
    let with = |name: &str, value: Value| {
        let mut flag = plain.clone();
        flag[name] = value;
        x(flag)
    };
    let mut killed = x(plain.clone());
    killed["kill"] = json!(["x"]);
    let mut all_killed = killed.clone();
    all_killed["kill"] = "all".into();
    let requires = |is: &str| {
        let mut document = with("requires", json!([{ "flag": "y", "is": [is] }]));
        document["flags"]["y"] = json!({});
        document
    };
    let texts =
        json!({ "variants": { "a": "A", "b": "B" }, "default": "a", "rules": [{ "rollout": 0, "serve": "b" }] });
    let pro = [("plan", Val::Text("pro")), user];
    let t = |value: &str| Some(value.to_owned());
    let (on, off) = ([("FEATURE_X", "true")], [("FEATURE_X", "false")]);
    for (document, variables, values, age, expected) in [
        (killed, &on[..], &pro[..], 0, (t("false"), "DISABLED", Some("kill"))),
        (all_killed, &on, &pro, 0, (t("false"), "DISABLED", Some("kill"))),
        (with("enabled", json!(false)), &on, &pro, 0, (t("false"), "DISABLED", Some("flag"))),
        (with("off", json!("code-default")), &off, &pro, 0, (None, "DISABLED", Some("env"))),
        (x(plain.clone()), &off, &pro, 0, (t("false"), "DISABLED", Some("env"))),
        (x(plain.clone()), &[("FEATURE_X", "0")], &pro, 0, (t("false"), "DISABLED", Some("env"))),
        (x(plain.clone()), &[("FEATURE_X", "off")], &pro, 0, (t("false"), "DISABLED", Some("env"))),
        (requires("on"), &on, &[], 0, (t("true"), "STATIC", Some("env"))),
        (requires("on"), &[], &pro, 0, (t("false"), "DEFAULT", None)),
        (requires("off"), &[], &pro, 0, (t("true"), "TARGETING_MATCH", None)),
        (x(plain.clone()), &[], &pro, 0, (t("true"), "TARGETING_MATCH", None)),
        (x(plain.clone()), &[], &[user], 0, (t("false"), "DEFAULT", None)),
        (x(json!({})), &[], &[user], 0, (t("false"), "STATIC", None)),
        (x(json!({ "rules": [{ "serve": "on" }] })), &[], &[], 0, (t("true"), "STATIC", None)),
        (x(json!({ "rules": [{ "rollout": 99.9999, "serve": "on" }] })), &[], &[user], 0, (t("true"), "SPLIT", None)),
        (x(json!({ "rules": [{ "rollout": 99.9999, "serve": "on" }] })), &[], &[], 0, (t("false"), "DEFAULT", None)),
        (x(json!({ "rules": [{ "rollout": 100, "serve": "on" }] })), &[], &[], 0, (t("true"), "STATIC", None)),
        (
            x(json!({ "rules": [{ "rollout": 0, "serve": "on" }] })),
            &[("ROLLOUT_X", "100")],
            &[user],
            0,
            (t("true"), "STATIC", None),
        ),
        (x(plain.clone()), &[("ROLLOUT_X", "100")], &[], 0, (t("true"), "STATIC", Some("env"))),
        (x(plain.clone()), &[("ROLLOUT_X", "0")], &[user], 0, (t("false"), "DEFAULT", None)),
        (x(json!({ "strict": true, "rules": [{ "rollout": 5, "serve": "on" }] })), &[], &[], 0, (None, "ERROR", None)),
        (x(texts.clone()), &[("FEATURE_X", "b")], &[], 0, (t("B"), "STATIC", Some("env"))),
        (x(texts.clone()), &[("FEATURE_X", "\"C\"")], &[], 0, (t("C"), "STATIC", Some("env"))),
        (x(texts.clone()), &off, &[], 0, (None, "DISABLED", Some("env"))),
        (with("maxAge", json!(1_000)), &[], &pro, 1_000, (t("true"), "TARGETING_MATCH", None)),
        (with("maxAge", json!("1s")), &[], &pro, 1_001, (t("true"), "STALE", None)),
        (
            x(json!({ "maxAge": "1s", "onStale": "off", "rules": [{ "serve": "on" }] })),
            &[],
            &[],
            1_001,
            (t("false"), "STALE", None),
        ),
    ] {
        let (flags, decision) = asked(&document, variables, values, age);
        assert_eq!(told(&flags, &decision), expected, "{document} {variables:?} {values:?}");
    }
}

#[test]
fn what_is_stale_says_why_all_the_same() {
    let document = document(json!({ "x": { "maxAge": "1s", "rules": [{ "serve": "on" }] } }));
    let (_, decision) = asked(&document, &[], &[], 5_000);
    assert_eq!((decision.reason, decision.underlying), (Reason::Stale, Reason::Static));
}

#[test]
fn another_kind_of_value_than_was_asked_for_is_an_error() {
    let flags = flags(&document(json!({ "x": { "variants": { "a": 1, "b": {} }, "default": "a" } })));
    let flag = flags.table().find("x").unwrap();
    assert_eq!(flags.evaluate_as(Kind::Number, flag, Context::EMPTY, at(0)).reason, Reason::Static);
    for kind in [Kind::Boolean, Kind::Text, Kind::Json] {
        let decision = flags.evaluate_as(kind, flag, Context::EMPTY, at(0));
        assert_eq!((decision.served, decision.error.map(|code| code.text())), (Served::Nothing, Some("TYPE_MISMATCH")));
    }
    assert_eq!(Decision::NOT_READY.error.map(|code| code.text()), Some("PROVIDER_NOT_READY"));
    assert_eq!(Decision::NOT_FOUND.error.map(|code| code.text()), Some("FLAG_NOT_FOUND"));
}

/// FLG-10: a variable that belongs to no flag of the document is text, and the definitions beside it are not refused for it.
#[test]
fn a_variable_of_something_else_does_not_refuse_whole_editions_of_definitions() {
    let table = set(&document(json!({ "x": {} }))).compile().unwrap();
    let long = "x".repeat(17_000);
    let many: Vec<String> = (0..2_000).map(|number| format!("FEATURE_MANY_{number}")).collect();
    let variables = [
        ("FEATURE_TIER", "gold"),
        ("FEATURE_NOTE", ""),
        ("FEATURE_PLAN", "{gold"),
        ("FEATURE_LONG", long.as_str()),
        ("FEATURE_", "gold"),
        ("ROLLOUT_TIER_2", "gold"),
        ("FEATURE_SEATS", "5"),
        ("FEATURE_FAST", "true"),
    ];
    let all = variables.into_iter().chain(many.iter().map(|name| (name.as_str(), "gold")));
    let overrides = Overrides::read(&table, all.chain([("FEATURE_X", "true")]), &Kill::default()).unwrap();
    let flags = Flags::new(table, overrides);
    let alone = |key: &str| {
        let (_, value) = flags.overrides().decide_alone(key, Context::EMPTY)?;
        Some(format!("{value:?}"))
    };
    assert_eq!(alone("tier"), Some("Some(Text(\"gold\"))".to_owned()));
    assert_eq!(alone("note"), Some("Some(Text(\"\"))".to_owned()));
    assert_eq!(alone("plan"), Some("Some(Text(\"{gold\"))".to_owned()));
    assert_eq!(alone("seats"), Some("Some(Number(5.0))".to_owned()));
    assert_eq!(alone("fast"), Some("Some(Boolean(true))".to_owned()));
    assert_eq!((alone("long"), alone(""), alone("tier-2")), (None, None, None));
    assert_eq!(many.iter().filter(|name| alone(&name["FEATURE_".len()..]).is_some()).count(), 995, "they are bounded");
    let x = flags.table().find("x").unwrap();
    assert_eq!(flags.value(x, &flags.evaluate(x, Context::EMPTY, Moment::default())), Some(Found::Boolean(true)));
}

/// FLG-10: a variable for a flag that no document has makes one; what cannot be meant is an error that names the variable.
#[test]
fn variables_alone_make_flags() {
    let table =
        set(&document(json!({ "x": {}, "text": { "variants": { "a": "A" }, "default": "a" } }))).compile().unwrap();
    let variables = [
        ("FEATURE_NEW_A", "true"),
        ("FEATURE_NEW_B", "{\"a\":1}"),
        ("ROLLOUT_NEW_C", "50"),
        ("FEATURE_NEW_D", "0"),
        ("PATH", "/"),
    ];
    let kill = Kill::These(["new-d".to_owned()].into());
    let overrides = Overrides::read(&table, variables, &kill).unwrap();
    let alone = |key: &str, id: &str| {
        let values = [Val::Text(id)];
        let (decision, value) = overrides.decide_alone(key, Context::new(&values).unwrap())?;
        Some((decision.reason.text(), decision.by.map(|by| by.text()), format!("{value:?}")))
    };
    assert_eq!(alone("new-a", "u"), Some(("STATIC", Some("env"), "Some(Boolean(true))".to_owned())));
    assert_eq!(alone("new.b", "u"), Some(("STATIC", Some("env"), "Some(Json(\"{\\\"a\\\":1}\"))".to_owned())));
    assert_eq!(alone("new-d", "u"), Some(("DISABLED", Some("kill"), "Some(Boolean(false))".to_owned())));
    assert_eq!(alone("new-e", "u"), None);
    let is_in =
        (0..1_000).filter(|n| alone("new-c", &n.to_string()).is_some_and(|(reason, ..)| reason == "SPLIT")).count();
    assert!((440..560).contains(&is_in), "{is_in}");
    for (name, value, problem) in [
        ("FEATURE_X", "yes", "true, false"),
        ("FEATURE_X", "2", "true, false"),
        ("FEATURE_TEXT", "b", "a, or JSON"),
        ("FEATURE_TEXT", "5", "a, or JSON"),
        ("FEATURE_ENABLE_STATE_MACHINE", "gold", "true or false"),
        ("ROLLOUT_ENABLE_STATE_MACHINE", "gold", "whole number"),
        ("ROLLOUT_TEXT", "5", "no share"),
        ("ROLLOUT_X", "101", "whole number"),
        ("ROLLOUT_X", "-1", "whole number"),
        ("ROLLOUT_X", "1.5", "whole number"),
        ("ROLLOUT_X", "abc", "whole number"),
        ("ROLLOUT_X", "1e1", "whole number"),
        ("ROLLOUT_X", "٥٠", "whole number"),
        ("ROLLOUT_X", "", "whole number"),
    ] {
        let faults = Overrides::read(&table, [(name, value)], &Kill::default()).unwrap_err();
        assert_eq!(faults[0].path, name);
        assert!(faults[0].problem.contains(problem), "{name}={value}: {}", faults[0]);
    }
}
