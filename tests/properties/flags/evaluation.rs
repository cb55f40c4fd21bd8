//! What holds for every document and everybody.

use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::flags::model::Kill;
use seawall::flags::packed::number;
use seawall::flags::{Context, FlagSet, Flags, Moment, Overrides, Reason, Served, Val};
use serde_json::json;

use super::documents::{ATTRIBUTES, Owned, at, document, documents, flags, packed, set, values, variant};

fn named<'v>(values: &'v [Owned]) -> Vec<(&'static str, Val<'v>)> {
    ATTRIBUTES.into_iter().zip(values.iter().map(Owned::val)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is exported is what was read, and decides alike.
    #[test]
    fn a_document_is_read_as_it_was_written(document in documents(), values in values()) {
        let read = set(&document);
        let again = set(&read.to_json());
        prop_assert_eq!(&again, &read);
        let (one, other) = (flags(&document), flags(&read.to_json()));
        let values = packed(&one, &named(&values));
        let context = Context::new(&values).unwrap();
        for flag in one.table().all() {
            prop_assert_eq!(one.evaluate(flag, context, at(5)), other.evaluate(flag, context, at(5)));
        }
    }

    /// FLG-08: whatever a document, variables and rules say, a flag that is killed is off, and a boolean one is `false`.
    #[test]
    fn a_kill_wins_over_everything(document in documents(), values in values(), is_all in any::<bool>()) {
        let table = set(&document).compile().unwrap();
        let kill = if is_all { Kill::All } else { Kill::These(["flag-0".to_owned()].into()) };
        let variables = [("FEATURE_FLAG_0", "true"), ("ROLLOUT_FLAG_0", "100")];
        let is_boolean = document["flags"]["flag-0"]["variants"]["A"].is_boolean();
        let variables = if is_boolean { &variables[..] } else { &[] };
        let overrides = Overrides::read(&table, variables.iter().copied(), &kill).unwrap();
        let flags = Flags::new(table, overrides);
        let values = packed(&flags, &named(&values));
        let flag = flags.table().find("flag-0").unwrap();
        let decision = flags.evaluate(flag, Context::new(&values).unwrap(), at(5));
        prop_assert_eq!(decision.reason, Reason::Disabled);
        prop_assert_eq!(decision.by.map(|by| by.text()), Some("kill"));
        if is_boolean && document["flags"]["flag-0"].get("off").is_none() {
            prop_assert_eq!(flags.variant(flag, &decision), Some("off"));
        } else {
            prop_assert_eq!(decision.served, Served::Nothing);
        }
    }

    /// FLG-06: whoever is in by one share is in by every greater one, whatever the flag's salt and the id.
    #[test]
    fn a_greater_share_drops_nobody(
        one in 0..=1_000_000_u32, other in 0..=1_000_000_u32, salt in any::<String>(), ids in prop::collection::vec(any::<String>(), 50),
    ) {
        prop_assume!(salt.len() <= 256);
        let (less, more) = (one.min(other), one.max(other));
        let percent = |share: u32| if share.is_multiple_of(10_000) { json!(share / 10_000) } else { json!(f64::from(share) / 10_000.0) };
        let at = |share| flags(&document(json!({ "x": { "salt": salt, "rules": [{ "rollout": percent(share), "serve": "on" }] } })));
        let (before, after) = (at(less), at(more));
        for id in ids.iter().filter(|id| id.len() <= 4_096) {
            let found = [&before, &after].map(|flags| variant(flags, "x", &[("targetingKey", Val::Text(id))]));
            prop_assert!(found != [Some("on".to_owned()), Some("off".to_owned())], "{}", id);
        }
    }

    /// FLG-12: no document that can be read, and no context, makes an evaluation fail; and old definitions are told of.
    #[test]
    fn every_flag_evaluates(document in documents(), values in values(), age in 0..600_000_u64, random in any::<u64>()) {
        let flags = flags(&document);
        let values = packed(&flags, &named(&values));
        let moment = Moment { now: Instant(1_800_000_000_000 + age), confirmed_at: Instant(1_800_000_000_000), random };
        for flag in flags.table().all() {
            let decision = flags.evaluate(flag, Context::new(&values).unwrap(), moment);
            let is_old = document["flags"][flags.table().key(flag)].get("maxAge").is_some() && age > 300_000;
            prop_assert_eq!(decision.reason == Reason::Stale, is_old && decision.reason != Reason::Error);
            prop_assert_eq!(decision.error.is_some(), decision.reason == Reason::Error);
            if let Served::Variant(_) = decision.served {
                prop_assert!(flags.value(flag, &decision).is_some());
            }
        }
    }

    /// Who asks for one flag need tell no more than that flag asks for.
    #[test]
    fn what_a_flag_does_not_need_is_nothing_to_it(document in documents(), values in values(), random in any::<u64>()) {
        let flags = flags(&document);
        let values = packed(&flags, &named(&values));
        let moment = Moment { random, ..at(5) };
        for flag in flags.table().all() {
            let needs = flags.table().needs(flag);
            let is_needed = |slot: usize| needs.iter().any(|need| usize::from(*need) == slot);
            let few: Vec<Val<'_>> = values.iter().enumerate().map(|(slot, value)| if is_needed(slot) { *value } else { Val::Missing }).collect();
            let [all, few] = [&values, &few].map(|values| flags.evaluate(flag, Context::new(values).unwrap(), moment));
            prop_assert_eq!(all, few);
        }
    }

    /// Plans are shorter ways to what a flag says, whatever is said beside it, and lead nowhere else.
    #[test]
    fn a_plan_comes_to_what_the_flag_says(
        document in documents(), values in values(), said in any::<[bool; 4]>(), share in 0..=100_u32, age in 0..600_000_u64, random in any::<u64>(),
    ) {
        let [is_killed, is_forced, is_off, is_shared] = said;
        let table = set(&document).compile().unwrap();
        let share = share.to_string();
        let said = [
            (is_forced, ("FEATURE_FLAG_0", "on")),
            (is_off, ("FEATURE_FLAG_1", "off")),
            (is_shared, ("ROLLOUT_FLAG_0", share.as_str())),
            (is_shared, ("ROLLOUT_FLAG_2", share.as_str())),
        ];
        let variables = said.into_iter().filter(|(is_said, _)| *is_said).map(|(_, variable)| variable);
        let kill = if is_killed { Kill::These(["flag-3".to_owned()].into()) } else { Kill::default() };
        let Ok(overrides) = Overrides::read(&table, variables, &kill) else { return Err(TestCaseError::reject("not its kind")) };
        let flags = Flags::new(table, overrides);
        let values = packed(&flags, &named(&values));
        let context = Context::new(&values).unwrap();
        let moment = Moment { now: Instant(1_800_000_000_000 + age), confirmed_at: Instant(1_800_000_000_000), random };
        for flag in flags.table().all() {
            let expected = flags.evaluate_in_full(flag, context, moment);
            prop_assert_eq!(flags.evaluate(flag, context, moment), expected);
            prop_assert_eq!(flags.evaluate_packed(flag, context, moment), (number(&expected), expected.rule));
        }
    }

    /// H062, H064 and H068: whatever bytes somebody sends as a document, it is read or refused with reasons.
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), document in documents(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        if let Err(faults) = FlagSet::parse(&text) {
            prop_assert!(!faults.is_empty());
        }
        let mut bytes = document.to_string().into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            match FlagSet::parse(&text) {
                Ok(read) => prop_assert!(read.compile().is_ok()),
                Err(faults) => prop_assert!(!faults.is_empty() && faults.len() <= 100),
            }
        }
    }
}

/// FLG-07: an A/B test that goes from 10 to 50 % gives nobody another variant than before.
#[test]
fn a_ramp_of_an_ab_test_switches_nobody() {
    let at = |percent: u32| {
        flags(&document(json!({ "x": {
        "variants": { "A": "a", "B": "b", "off": "none" },
        "rules": [{ "rollout": percent, "serve": { "A": 50, "B": 50 } }],
    } })))
    };
    let (before, after) = (at(10), at(50));
    let mut counts = [0_u32; 3];
    for n in 0..200_000 {
        let id = format!("user-{n}");
        let known = [("targetingKey", Val::Text(&id))];
        let (was, is) = (variant(&before, "x", &known).unwrap(), variant(&after, "x", &known).unwrap());
        assert!(was == "off" || was == is, "{id}: {was} {is}");
        counts[match is.as_str() {
            "A" => 0,
            "B" => 1,
            _ => 2,
        }] += 1;
    }
    for (count, expected) in counts.into_iter().zip([50_000.0, 50_000.0, 100_000.0]) {
        assert!((f64::from(count) - expected).abs() < 3.3 * 224.0, "{counts:?}");
    }
}

/// FLG-06: one evaluation takes nothing from the heap, whatever it looks at. A flag that is asked for the first time is planned.
#[test]
fn an_evaluation_allocates_nothing() {
    let flags = flags(
        &json!({ "version": 1, "segments": { "staff": [{ "attr": "email", "endsWith": "@acme.com", "ci": true }] }, "flags": {
        "first": { "rules": [{ "rollout": 99.9999, "serve": "on" }] },
        "planned": { "rules": [{ "if": [{ "attr": "country", "in": ["FR"] }], "rollout": 99, "by": "userId", "serve": "on" }] },
        "x": {
            "variants": { "A": "a", "B": { "deep": [1] }, "off": null },
            "requires": [{ "flag": "first", "is": ["on"] }],
            "rules": [
                { "if": [{ "segment": "staff", "not": true }], "serve": "A" },
                { "if": [
                    { "attr": "country", "in": ["DE", "FR"] }, { "attr": "app", "semver": ">=2.1.0-rc.1 <3.0.0" },
                    { "any": [{ "attr": "age", "gte": 18 }, { "attr": "ip", "cidr": "10.0.0.0/8" }] },
                    { "attr": "$now", "after": "2020-01-01T00:00:00Z" }, { "attr": "since", "before": "2026-01-01" },
                  ], "rollout": 99, "by": "userId", "serve": { "A": 1, "B": 99 } },
            ] } } }),
    );
    let values = [
        ("targetingKey", Val::Number(42.0)),
        ("userId", Val::Text("user-1")),
        ("email", Val::Text("Ada@ACME.com")),
        ("country", Val::Text("FR")),
        ("app", Val::Text("2.4.1")),
        ("age", Val::Text("12")),
        ("ip", Val::Text("10.2.3.4")),
        ("since", Val::Text("2025-05-05T05:05:05+02:00")),
    ];
    let values = packed(&flags, &values);
    let context = Context::new(&values).unwrap();
    let moment = at(1_800_000_000_000);
    for (key, rule) in [("planned", 0), ("x", 1)] {
        let flag = flags.table().find(key).unwrap();
        let mut decision = flags.evaluate(flag, context, moment);
        let counted = allocation_counter::measure(|| {
            for _ in 0..1_000 {
                decision = flags.evaluate(flag, context, moment);
                assert!(flags.value(flag, &decision).is_some());
            }
        });
        assert_eq!(counted.count_total, 0, "{key}");
        assert_eq!((decision.reason, decision.rule), (Reason::Split, Some(rule)), "{key}");
    }
}

/// FLG-11: steps of 25, 50, 75 and 100 %, up and down again: whoever came in last goes first, and nobody else moves.
#[test]
fn steps_up_and_down_have_the_same_users() {
    let at = |percent: u32| flags(&document(json!({ "x": { "rules": [{ "rollout": percent, "serve": "on" }] } })));
    let steps = [25, 50, 75, 100, 75, 50, 25, 0].map(at);
    let ids: Vec<String> = (0..2_000).map(|n| format!("user-{n}")).collect();
    let found = steps.map(|flags| -> Vec<bool> {
        let is_on = |id: &String| variant(&flags, "x", &[("targetingKey", Val::Text(id))]).as_deref() == Some("on");
        ids.iter().map(is_on).collect()
    });
    for (up, down) in [(0, 6), (1, 5), (2, 4)] {
        assert_eq!(found[up], found[down]);
        assert!(found[up].iter().zip(&found[up + 1]).all(|(was, is)| *is || !was));
    }
    assert!(found[3].iter().all(|is_in| *is_in) && !found[7].iter().any(|is_in| *is_in));
}
