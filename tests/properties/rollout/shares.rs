//! Who gets the new at each step, where its share is that of a flag.

use seawall::clock::Instant;
use seawall::flags::{Context, FlagSet, Flags, Moment, Overrides, Val};
use seawall::rollout::flag_shares::{steps, written};
use seawall::rollout::plan::{self, Phase};
use serde_json::{Value, json};

const KEYS: u32 = 100_000;

/// Whether each of the users is in, where the flag has this definition.
fn who_is_in(definition: &str) -> Vec<bool> {
    let definition: Value = serde_json::from_str(definition).unwrap();
    let (set, _) = FlagSet::from_value(&json!({ "version": 1, "flags": { "new": definition } })).unwrap();
    let flags = Flags::new(set.compile().unwrap(), Overrides::NONE);
    let flag = flags.table().find("new").unwrap();
    assert_eq!(flags.table().attributes().collect::<Vec<_>>(), ["targetingKey"]);
    let moment = Moment { now: Instant(0), confirmed_at: Instant(0), random: 0 };
    let is_in = |user: u32| {
        let id = format!("user-{user}");
        let values = [Val::Text(&id)];
        let decision = flags.evaluate(flag, Context::new(&values).unwrap(), moment);
        flags.variant(flag, &decision) == Some("on")
    };
    (0..KEYS).map(is_in).collect()
}

/// DEP-03: of 100,000 users 5 % are in the canary, give or take half a percent, and every later step has them and more.
#[test]
fn the_canary_is_five_percent_and_nobody_leaves_later() {
    let (steps, _) = steps(&json!({}), &["new".to_owned()], None).unwrap();
    let mut before = vec![false; KEYS as usize];
    for step in steps.iter().filter(|step| step.phase >= Phase::Canary && step.percent < 100) {
        let now = who_is_in(&step.writes[0].1);
        let count = now.iter().filter(|is_in| **is_in).count() as f64;
        let off = (count / f64::from(KEYS) * 100.0 - f64::from(step.percent)).abs();
        assert!(off <= 0.5, "{} %: {count}", step.percent);
        assert!(before.iter().zip(&now).all(|(was, is)| *is || !was), "{} %", step.percent);
        before = now;
    }
    assert!(before.contains(&true) && before.contains(&false));
}

#[test]
fn the_last_rule_with_a_share_gets_the_new_one_and_all_others_stay() {
    let testers = json!({ "if": [{ "attr": "country", "in": ["DE"] }], "serve": "on" });
    let document = json!({ "version": 1, "flags": {
        "a": { "rules": [testers, { "rollout": 1, "serve": "on" }] },
        "b": { "enabled": false, "rules": [{ "rollout": 50, "serve": "on" }] },
        "c": { "variants": { "new": true, "old": false }, "default": "old", "rules": [] },
        "e": { "enabled": false, "rules": [{ "serve": "on" }] },
    } });
    let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
    let (steps, before) = steps(&document, &names, Some("m")).unwrap();
    assert_eq!(plan::problem(&steps, &before), None);
    assert_eq!(before["d"], None);
    let with = |step: &plan::Step| {
        let writes: Vec<_> = step.writes.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        written(document.clone(), &writes).unwrap()["flags"].clone()
    };
    assert_eq!(with(&steps[0]), document["flags"]);
    assert_eq!(with(&steps[1])["m"], json!({ "rules": [{ "rollout": 100, "serve": "on" }] }));
    let canary = with(&steps[2]);
    assert_eq!(canary["a"], json!({ "rules": [testers, { "rollout": 5, "serve": "on" }] }));
    assert_eq!(canary["e"], json!({ "rules": [{ "rollout": 5, "serve": "on" }] }));
    assert_eq!(canary["b"], json!({ "rules": [{ "rollout": 5, "serve": "on" }] }));
    assert_eq!(canary["c"]["rules"], json!([{ "rollout": 5, "serve": "new" }]));
    assert_eq!(canary["d"], json!({ "rules": [{ "rollout": 5, "serve": "on" }] }));
    for step in &steps {
        FlagSet::from_value(&json!({ "version": 1, "flags": with(step) })).unwrap().0.compile().unwrap();
    }
    let back: Vec<_> = before.into_iter().collect();
    let full = json!({ "version": 1, "flags": with(&steps[8]) });
    assert_eq!(written(full, &back).unwrap().to_string(), document.to_string());
}

#[test]
fn a_flag_that_has_no_share_or_a_greater_one_is_not_deployed() {
    let refused = |definition: Value| {
        steps(&json!({ "version": 1, "flags": { "new": definition } }), &["new".to_owned()], None).unwrap_err()
    };
    assert!(refused(json!({ "variants": { "a": 1, "b": 2 } })).contains("no share to change"));
    assert!(refused(json!({ "rules": [{ "rollout": 25, "serve": "on" }] })).starts_with("new is for 25 % without"));
    assert!(refused(json!({ "rules": [{ "serve": "on" }] })).starts_with("new is for 100 % without"));
    assert!(refused(json!({ "default": "on" })).starts_with("new is for 100 % without"));
    // Turned off it is for nobody; the canary would turn it on for everybody whom another rule serves.
    let everybody = json!([{ "serve": "on" }, { "rollout": 1, "serve": "on" }]);
    assert!(refused(json!({ "enabled": false, "rules": everybody })).starts_with("new is for 100 % without"));
    assert!(steps(&json!({}), &[], None).is_err());
}
