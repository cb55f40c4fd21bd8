use serde_json::json;

use super::*;
use crate::flags::context::{Context, TEXT_MAX, Val};
use crate::flags::model::{ATTRIBUTES_MAX, Kill};
use crate::flags::{ErrorCode, FlagSet, Flags, Moment, Overrides, Reason, Source};

fn table() -> Table {
    let document = json!({ "version": 1, "flags": {
        "x": { "variants": { "A": "a", "B": 1.5, "off": null }, "default": "off", "rules": [
            { "if": [{ "attr": "country", "in": ["DE"] }, { "attr": "age", "gte": 18 }, { "attr": "staff", "eq": true }], "serve": "A" },
        ] },
        "y": {},
    } });
    FlagSet::parse(&document.to_string()).unwrap().compile().unwrap()
}

/// As a host writes them.
fn packed_attributes(values: &[Val<'_>]) -> Vec<u8> {
    let (mut heads, mut texts) = (Vec::new(), Vec::new());
    for value in values {
        let mut head = [0; 9];
        match value {
            Val::Missing => {}
            Val::Text(text) => {
                let [low, high] = (text.len() as u16).to_le_bytes();
                head[..3].copy_from_slice(&[1, low, high]);
                texts.extend_from_slice(text.as_bytes());
            }
            Val::Number(number) => {
                head[0] = 2;
                head[1..].copy_from_slice(&number.to_le_bytes());
            }
            Val::Bool(value) => head[0] = if *value { 4 } else { 3 },
        }
        heads.extend_from_slice(&head);
    }
    [heads, texts].concat()
}

#[test]
fn attributes_are_what_was_written() {
    let mut kept = Attributes::default();
    let expected = [
        Val::Text("é"),
        Val::Number(-2.5),
        Val::Bool(false),
        Val::Bool(true),
        Val::Missing,
        Val::Text(""),
        Val::Text("tail"),
        Val::Missing,
    ];
    assert!(kept.read(7, &packed_attributes(&expected[..7])));
    assert_eq!(std::array::from_fn(|slot| kept.at(slot)), expected);
    let shorter = [Val::Text("shorter than before")];
    assert!(kept.read(1, &packed_attributes(&shorter)));
    assert_eq!([kept.at(0), kept.at(1)], [shorter[0], Val::Missing], "nothing is left of others");
    let flags = Flags::new(table(), Overrides::NONE);
    // Slots are in the order of names behind `targetingKey`.
    let user = [Val::Text("u"), Val::Number(20.0), Val::Text("DE"), Val::Bool(true)];
    assert!(kept.read(4, &packed_attributes(&user)));
    let flag = flags.table().find("x").unwrap();
    let decision = flags.evaluate(flag, Context::from(&kept), Moment::default());
    assert_eq!(flags.variant(flag, &decision), Some("A"));
}

#[test]
fn attributes_that_cannot_be_are_refused_and_nothing_is_known() {
    let head = |tag: u8, length: u16| [&[tag][..], &length.to_le_bytes(), &[0; 6]].concat();
    let mut kept = Attributes::default();
    for (count, bytes) in [
        (1, head(5, 0)),
        (1, vec![2, 0]),
        (2, head(0, 0)),
        (1, [head(1, 9), vec![b'x']].concat()),
        (1, [head(1, 1), vec![b'x', b'y']].concat()),
        (1, [head(0, 0), vec![b'x']].concat()),
        (1, [head(1, 1), vec![0xff]].concat()),
        // Two texts that are one letter together.
        (2, [head(1, 1), head(1, 1), "é".into()].concat()),
        (1, packed_attributes(&[Val::Text(&"x".repeat(TEXT_MAX + 1))])),
        (ATTRIBUTES_MAX + 1, packed_attributes(&[Val::Missing; ATTRIBUTES_MAX + 1])),
        (usize::MAX, Vec::new()),
    ] {
        assert!(kept.read(1, &packed_attributes(&[Val::Text("u")])));
        assert!(!kept.read(count, &bytes), "{bytes:?}");
        assert_eq!(kept.at(0), Val::Missing);
    }
    assert!(kept.read(1, &packed_attributes(&[Val::Text(&"x".repeat(TEXT_MAX))])));
    assert!(kept.read(ATTRIBUTES_MAX, &packed_attributes(&[Val::Missing; ATTRIBUTES_MAX])));
    assert!(kept.read(0, &[]));
}

fn text_of(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn said(is_all: bool, kill: &[&str], variables: &[(&str, &str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![u8::from(is_all)];
    bytes.extend_from_slice(&(kill.len() as u32).to_le_bytes());
    kill.iter().for_each(|key| bytes.append(&mut text_of(key)));
    bytes.extend_from_slice(&(variables.len() as u32).to_le_bytes());
    for (name, value, json) in variables {
        bytes.append(&mut [text_of(name), text_of(value), json.clone()].concat());
    }
    bytes
}

#[test]
fn what_is_said_is_the_same_packed_and_as_text() {
    let table = table();
    let number = [&[3][..], &9.5_f64.to_le_bytes()].concat();
    let variables = [
        ("FEATURE_X", "9.5", number),
        ("FEATURE_Y", "true", vec![2]),
        ("FEATURE_NEW", "[1]", [vec![5], text_of("[1]")].concat()),
        ("ROLLOUT_OTHER", "25", vec![0]),
    ];
    let texts = variables.iter().map(|(name, value, _)| (*name, *value));
    let kill = Kill::These(["y".to_owned()].into());
    let expected = Overrides::read(&table, texts.clone(), &kill).unwrap();
    assert_eq!(overrides(&table, &said(false, &["y"], &variables)).unwrap(), expected);
    let expected = Overrides::read(&table, texts, &Kill::All).unwrap();
    assert_eq!(overrides(&table, &said(true, &[], &variables)).unwrap(), expected);
    assert_eq!(overrides(&table, &said(false, &[], &[])).unwrap(), Overrides::NONE);
    let faults = overrides(&table, &said(false, &[], &[("FEATURE_X", "[1", vec![0])])).unwrap_err();
    assert!(faults[0].to_string().contains("FEATURE_X"), "{faults:?}");
    let whole = said(false, &["y"], &variables);
    for length in 0..whole.len() {
        assert!(overrides(&table, &whole[..length]).is_err(), "{length}");
    }
    assert!(overrides(&table, &[&whole[..], &[0]].concat()).is_err());
}

#[test]
fn values_are_written_by_their_kind() {
    let table = table();
    let (x, y) = (table.find("x").unwrap(), table.find("y").unwrap());
    let head = |place: u32, needs: &[u32]| {
        [place, needs.len() as u32].iter().chain(needs).flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()
    };
    let expected = [
        head(x.place(), &[0, 1, 2, 3]),
        text_of("A"),
        vec![4],
        text_of("a"),
        text_of("B"),
        vec![3],
        1.5_f64.to_le_bytes().to_vec(),
        text_of("off"),
        vec![5],
        text_of("null"),
    ]
    .concat();
    assert_eq!(flag(&table, x), expected);
    let expected = [head(y.place(), &[0]), text_of("off"), vec![1], text_of("on"), vec![2]].concat();
    assert_eq!(flag(&table, y), expected);
    assert_eq!(value(None), [0]);
    assert_eq!(texts(["a", ""].into_iter()), [1, 0, 0, 0, b'a', 0, 0, 0, 0]);
}

#[test]
fn a_decision_is_a_number() {
    let none = 0xffff | 3 << 16 | 7 << 18 | 7 << 21;
    assert_eq!(number(&Decision::NOT_READY), none | 1 << 24);
    assert_eq!(number(&Decision::error(ErrorCode::General)), none | 8 << 24);
    let stale =
        Decision { underlying: Reason::Split, ..Decision::of(Served::Variant(7), Reason::Stale, Some(Source::Env)) };
    assert_eq!(number(&stale), 7 | 5 << 18 | 2 << 21 | 3 << 28);
    assert_eq!(number(&Decision::new(Served::False, Reason::Disabled)) >> 16 & 3, 2);
    assert_eq!(number(&Decision::new(Served::Forced(3), Reason::Static)), 3 | 1 << 16);
}
