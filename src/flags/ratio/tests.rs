use serde_json::json;

use super::*;
use crate::flags::context::{Context, Val};
use crate::flags::{FlagSet, Flags, Moment, Overrides};

#[test]
fn probabilities_are_those_of_published_tables() {
    // NIST/SEMATECH e-Handbook, 1.3.6.7.4: critical values at 0.10, 0.05, 0.025, 0.01 and 0.001.
    for (degrees, values) in [
        (1, [2.706, 3.841, 5.024, 6.635, 10.828]),
        (2, [4.605, 5.991, 7.378, 9.210, 13.816]),
        (3, [6.251, 7.815, 9.348, 11.345, 16.266]),
        (10, [15.987, 18.307, 20.483, 23.209, 29.588]),
        (99, [117.407, 123.225, 128.422, 134.642, 148.230]),
        (100, [118.498, 124.342, 129.561, 135.807, 149.449]),
    ] {
        for (value, expected) in values.into_iter().zip([0.10, 0.05, 0.025, 0.01, 0.001]) {
            let found = survival(value, degrees);
            assert!((found / expected - 1.0).abs() < 2e-3, "{degrees} {value}: {found}, not {expected}");
        }
    }
    // exp(-x / 2) for two degrees; the median of many is near them.
    assert!((survival(3.0, 2) - (-1.5_f64).exp()).abs() < 1e-15);
    assert!((survival(20_000.0 - 0.666, 20_000) - 0.5).abs() < 1e-4);
    for (statistic, expected) in [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (f64::INFINITY, 0.0), (1e300, 0.0)] {
        assert_eq!(survival(statistic, 3), expected, "{statistic}");
    }
}

fn split(observed: &[u32], shares: &[f64]) -> Split {
    Split { observed: observed.to_vec(), shares: shares.to_vec() }
}

#[test]
fn chi_square_is_that_of_text_books() {
    // Sixty throws of a die, in many a text book: 13.4 with five degrees of freedom.
    let (statistic, degrees, p) = chi_square(&[split(&[5, 8, 9, 8, 10, 20], &[1.0 / 6.0; 6])]).unwrap();
    assert!((statistic - 13.4).abs() < 1e-9 && degrees == 5 && (p - 0.0199).abs() < 1e-4, "{statistic} {p}");
    let (statistic, degrees, p) = chi_square(&[split(&[512, 448], &[0.5, 0.5])]).unwrap();
    assert!((statistic - 4.2667).abs() < 1e-4 && degrees == 1 && (p - 0.0389).abs() < 1e-4, "{statistic} {p}");
    // Rules add up, and those that say nothing are left out.
    let both = [split(&[512, 448], &[0.5, 0.5]), split(&[90, 10], &[0.9, 0.1]), split(&[4, 4], &[0.5, 0.5])];
    let (statistic, degrees, _) = chi_square(&both).unwrap();
    assert!((statistic - 4.2667).abs() < 1e-4 && degrees == 2);
    assert_eq!(chi_square(&[split(&[4, 4], &[0.5, 0.5])]), None);
    assert_eq!(chi_square(&[split(&[100, 0], &[1.0, 0.0])]), None);
    assert_eq!(chi_square(&[]), None);
    let (statistic, _, p) = chi_square(&[split(&[50, 50, 1], &[0.5, 0.5, 0.0])]).unwrap();
    assert!(statistic.is_infinite() && p == 0.0);
}

fn flags(rules: serde_json::Value) -> Flags {
    let document = json!({ "version": 1, "flags": { "x": {
        "variants": { "A": 1, "B": 2, "off": 0 }, "default": "off", "rules": rules } } });
    Flags::new(FlagSet::parse(&document.to_string()).unwrap().compile().unwrap(), Overrides::NONE)
}

/// What came of so many users, each asked `times` times, where `is_seen` sees them.
fn ratio(flags: &Flags, users: usize, times: usize, is_seen: impl Fn(usize, u16) -> bool) -> SampleRatio {
    let table = flags.table();
    let flag = table.find("x").unwrap();
    let mut exposures = Exposures::new(table);
    for user in 0..users {
        let id = format!("user-{user}");
        let values = [Val::Text(&id)];
        let context = Context::new(&values).unwrap();
        for _ in 0..times {
            let decision = flags.evaluate(flag, context, Moment::default());
            if let crate::flags::Served::Variant(variant) = decision.served
                && is_seen(user, variant)
            {
                exposures.count(table, flag, &decision, context);
            }
        }
    }
    table.sample_ratio(flag, &exposures.observed(table, flag)).unwrap()
}

#[test]
fn a_split_as_it_was_meant_is_no_mismatch_however_often_somebody_asks() {
    for weights in [json!({ "A": 50, "B": 50 }), json!({ "A": 90, "B": 10 }), json!({ "A": 33.3333, "B": 66.6667 })] {
        let flags = flags(json!([{ "rollout": 40, "serve": weights }]));
        let found = ratio(&flags, 20_000, 3, |_, _| true);
        assert_eq!((found.verdict, found.degrees), (Verdict::Match, 1), "{found:?}");
        assert_eq!(found.observed.iter().map(|portion| portion.units).sum::<f64>(), 1_024.0);
        // Users, not evaluations: one who asks a thousand times more is one.
        let one = ratio(&flags, 400, 3, |_, _| true);
        assert!(one.observed.iter().map(|portion| portion.units).sum::<f64>() < 200.0, "{one:?}");
    }
}

#[test]
fn users_of_one_variant_who_are_lost_on_the_way_are_found() {
    let flags = flags(json!([{ "serve": { "A": 50, "B": 50 } }]));
    let found = ratio(&flags, 20_000, 1, |user, variant| variant == 0 || user % 3 > 0);
    assert_eq!(found.verdict, Verdict::Mismatch, "{found:?}");
    assert!(found.p_value < 1e-6 && found.chi_square > 20.0);
    let few = ratio(&flags, 9, 50, |_, _| true);
    assert_eq!((few.verdict, few.p_value), (Verdict::NotEnough, 1.0));
}

#[test]
fn rules_that_split_otherwise_are_tests_of_their_own() {
    let flags = flags(json!([
        { "if": [{ "attr": "targetingKey", "endsWith": ["0", "1", "2"] }], "serve": { "A": 90, "B": 10 } },
        { "serve": { "A": 10, "B": 90 } },
    ]));
    let found = ratio(&flags, 10_000, 1, |_, _| true);
    assert_eq!((found.verdict, found.degrees), (Verdict::Match, 2), "{found:?}");
    assert_eq!(found.observed.len(), 3);
}

#[test]
fn flags_that_do_not_split_have_no_ratio() {
    let flags = flags(json!([{ "rollout": 50, "serve": "A" }]));
    let flag = flags.table().find("x").unwrap();
    assert_eq!(flags.table().sample_ratio(flag, &[]), None);
    assert_eq!(flags.table().shares(flag, 0), None);
    assert_eq!(flags.table().shares(flag, 9), None);
}
