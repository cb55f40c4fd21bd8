use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::flags::context::Val;
use crate::flags::{FlagSet, Flags, Moment, Overrides};

fn flags(document: &Value) -> Flags {
    Flags::new(FlagSet::parse(&document.to_string()).unwrap().compile().unwrap(), Overrides::NONE)
}

fn split(weight: u32) -> Value {
    json!({ "variants": { "A": 1, "B": 2 }, "default": "A", "rules": [{ "serve": { "A": weight, "B": 100 - weight } }] })
}

fn ask(flags: &Flags, exposures: &mut Exposures, key: &str, users: std::ops::Range<u32>) {
    let flag = flags.table().find(key).unwrap();
    for user in users {
        let id = format!("user-{user}");
        let values = [Val::Text(&id)];
        let context = Context::new(&values).unwrap();
        let decision = flags.evaluate(flag, context, Moment::default());
        exposures.count(flags.table(), flag, &decision, context);
    }
}

#[test]
fn each_variant_that_is_served_is_counted_until_it_is_taken() {
    let flags = flags(
        &json!({ "version": 1, "flags": { "a": {}, "x": split(50), "gone": { "enabled": false, "off": "code-default" } } }),
    );
    let table = flags.table();
    let mut exposures = Exposures::new(table);
    ask(&flags, &mut exposures, "x", 0..1_000);
    ask(&flags, &mut exposures, "x", 0..1_000);
    ask(&flags, &mut exposures, "a", 0..3);
    ask(&flags, &mut exposures, "gone", 0..3);
    let found = exposures.take(table);
    let of = |key: &str| {
        found.iter().filter(|found| table.key(found.flag) == key).map(|found| found.count).collect::<Vec<_>>()
    };
    assert_eq!(of("a"), [3]);
    assert_eq!(of("gone"), [0_u32; 0]);
    assert_eq!((of("x").len(), of("x").iter().sum::<u32>()), (2, 2_000));
    assert_eq!(exposures.take(table), []);
    // Units are counted once, and are not forgotten when counts are taken.
    let units = exposures.observed(table, table.find("x").unwrap());
    assert_eq!(units[0].1.iter().sum::<u32>(), 1_000);
}

#[test]
fn samples_are_kept_for_rules_that_split_as_before() {
    let before = flags(&json!({ "version": 1, "flags": { "same": split(50), "other": split(50), "gone": split(50) } }));
    let mut exposures = Exposures::new(before.table());
    for key in ["same", "other", "gone"] {
        ask(&before, &mut exposures, key, 0..100);
    }
    let after = flags(&json!({ "version": 1, "flags": { "another": {}, "same": split(50), "other": split(60) } }));
    let exposures = exposures.after(before.table(), after.table());
    let units = |key: &str| exposures.observed(after.table(), after.table().find(key).unwrap());
    assert_eq!(units("same")[0].1.iter().sum::<u32>(), 100);
    assert_eq!(units("other"), []);
}

#[test]
fn no_more_samples_are_kept_than_there_is_room_for_and_nobody_is_told_apart_by_chance() {
    let mut all = serde_json::Map::new();
    for n in 0..=SAMPLES_MAX {
        all.insert(format!("flag-{n:03}"), split(50));
    }
    let by_chance = json!({ "variants": { "A": 1, "B": 2 }, "default": "A", "rules": [{ "by": ["userId", "$random"], "serve": { "A": 50, "B": 50 } }] });
    all.insert("chance".to_owned(), by_chance);
    let flags = flags(&json!({ "version": 1, "flags": all }));
    let mut exposures = Exposures::new(flags.table());
    ask(&flags, &mut exposures, "chance", 0..10);
    let units = |exposures: &Exposures, key: &str| exposures.observed(flags.table(), flags.table().find(key).unwrap());
    assert_eq!(units(&exposures, "chance")[0].1, [0, 0]);
    for n in 0..=SAMPLES_MAX {
        ask(&flags, &mut exposures, &format!("flag-{n:03}"), 0..1);
    }
    assert_eq!(units(&exposures, "flag-098").len(), 1);
    assert_eq!(units(&exposures, "flag-099").len(), 0);
    assert_eq!(exposures.take(flags.table()).len(), SAMPLES_MAX + 2, "but counted");
}

proptest! {
    /// Seen in any order, split between isolates in any way, a sample is the same.
    #[test]
    fn samples_merge_to_what_one_would_have_seen(
        seen in prop::collection::vec((0_u32..5_000, 0_u16..3), 0..3_000), cut in 0_usize..3_000,
    ) {
        let sample = |units: &[(u32, u16)]| {
            let mut sample = Sample::default();
            units.iter().for_each(|(hash, variant)| sample.add(*hash, *variant));
            sample
        };
        let whole = sample(&seen);
        let (left, right) = seen.split_at(cut.min(seen.len()));
        let (mut one, mut other) = (sample(left), sample(right));
        let before = one.clone();
        one.merge(&other);
        prop_assert_eq!(&one, &whole);
        other.merge(&before);
        prop_assert_eq!(&other, &whole);
        other.merge(&whole);
        prop_assert_eq!(&other, &whole);
        prop_assert!(whole.observed(3).iter().sum::<u32>() as usize <= SAMPLE_MAX);
    }
}
