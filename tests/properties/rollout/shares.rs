//! Who gets the new at each step, where its share is that of a flag.

use seawall::clock::Instant;
use seawall::flags::{Context, FlagSet, Flags, Moment, Overrides, Val};
use seawall::rollout::plan::{Phase, usual};
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
    let share = |percent: u8| {
        let definition = json!({ "rules": [{ "rollout": percent, "serve": "on" }] });
        vec![("new".to_owned(), definition.to_string())]
    };
    let mut before = vec![false; KEYS as usize];
    for step in usual(&[], share).iter().filter(|step| step.phase >= Phase::Canary && step.percent < 100) {
        let now = who_is_in(&step.writes[0].1);
        let count = now.iter().filter(|is_in| **is_in).count() as f64;
        let off = (count / f64::from(KEYS) * 100.0 - f64::from(step.percent)).abs();
        assert!(off <= 0.5, "{} %: {count}", step.percent);
        assert!(before.iter().zip(&now).all(|(was, is)| *is || !was), "{} %", step.percent);
        before = now;
    }
    assert!(before.contains(&true) && before.contains(&false));
}
