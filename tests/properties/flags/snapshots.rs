//! What isolates load: the same flags, or nothing of them.

use proptest::prelude::*;
use seawall::flags::snapshot::seal;
use seawall::flags::{Context, Flags, Overrides, Refusal, Table};
use serde_json::json;

use super::documents::{ATTRIBUTES, Owned, at, document, documents, flags, packed, set, values};

/// What a table decides for everybody can be asked of it, whoever wrote it.
fn ask_everything(table: Table, values: &[Owned]) {
    let flags = Flags::new(table, Overrides::NONE);
    let known: Vec<_> = ATTRIBUTES.into_iter().zip(values.iter().map(Owned::val)).collect();
    let values = packed(&flags, &known);
    for flag in flags.table().all() {
        let decision = flags.evaluate(flag, Context::new(&values).unwrap(), at(1_800_000_000_000));
        assert!(flags.value(flag, &decision).is_some() || flags.variant(flag, &decision).is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_snapshot_decides_as_its_document(document in documents(), values in values()) {
        let before = flags(&document);
        let bytes = before.table().encode();
        let after = Flags::new(Table::decode(&bytes).unwrap(), Overrides::NONE);
        prop_assert_eq!(after.table().encode(), bytes);
        prop_assert_eq!(after.table().revision(), 3);
        let known: Vec<_> = ATTRIBUTES.into_iter().zip(values.iter().map(Owned::val)).collect();
        let values = packed(&before, &known);
        let context = Context::new(&values).unwrap();
        for flag in before.table().all() {
            prop_assert_eq!(before.table().key(flag), after.table().key(flag));
            let (one, other) = (before.evaluate(flag, context, at(9)), after.evaluate(flag, context, at(9)));
            prop_assert_eq!(one, other);
            prop_assert_eq!(before.value(flag, &one), after.value(flag, &other));
        }
    }

    /// A snapshot with bytes that flipped, or that was cut, is refused whole.
    #[test]
    fn damage_is_refused(
        document in documents(), flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4), cut in any::<prop::sample::Index>(),
    ) {
        let bytes = flags(&document).table().encode();
        let mut damaged = bytes.clone();
        for (at, mask) in flips {
            let place = at.index(damaged.len());
            damaged[place] ^= mask;
        }
        prop_assert!(damaged == bytes || Table::decode(&damaged).is_err());
        prop_assert!(Table::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Table::decode(&longer).is_err());
    }

    /// A snapshot whose writer means harm, with checksums that are right, is refused, or decides something, and never fails.
    #[test]
    fn malice_is_refused_or_harmless(
        document in documents(), values in values(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = flags(&document).table().encode();
        for (at, byte) in changes {
            let place = 28 + at.index(bytes.len() - 28);
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(28 + cut.index(bytes.len() - 28));
        }
        seal(&mut bytes);
        match Table::decode(&bytes) {
            Ok(table) => ask_everything(table, &values),
            Err(refusal) => prop_assert_eq!(refusal, Refusal::Content),
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Table::decode(&bytes).is_err());
    }
}

#[test]
fn a_refusal_says_what_it_is() {
    let bytes = flags(&document(json!({ "x": {} }))).table().encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Table::decode(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(Table::decode(&[]).map(|_| ()), Err(Refusal::Form));
    assert_eq!(with(0, b'X'), Refusal::Form);
    assert_eq!(with(8, 2), Refusal::Newer);
    assert_eq!(with(12, 2), Refusal::Newer);
    assert_eq!(with(16, 0), Refusal::Form);
    assert_eq!(with(30, 0xff), Refusal::Checksum);
}

/// A count that says there are more rows than bytes takes no room.
#[test]
fn a_snapshot_cannot_ask_for_memory() {
    let mut bytes = flags(&document(json!({}))).table().encode();
    bytes.truncate(28);
    // Revision, nothing killed, no text, and as many flags as can be written.
    bytes.extend_from_slice(&[0, 0, 0]);
    bytes.extend_from_slice(&[0xff; 9]);
    bytes.push(1);
    seal(&mut bytes);
    let counted = allocation_counter::measure(|| assert!(Table::decode(&bytes).is_err()));
    assert!(counted.bytes_max < 10_000, "{}", counted.bytes_max);
}

/// A thousand flags in a snapshot take a hundred bytes each or so, and come back.
#[test]
fn a_snapshot_is_small() {
    let many: serde_json::Map<String, serde_json::Value> = (0..1_000)
        .map(|n| (format!("flag-{n}"), json!({ "rules": [{ "if": [{ "attr": "country", "in": ["DE", "FR"] }], "rollout": 25, "serve": "on" }] })))
        .collect();
    let table = set(&document(many.into())).compile().unwrap();
    let bytes = table.encode();
    assert!(bytes.len() < 200_000, "{}", bytes.len());
    assert_eq!(Table::decode(&bytes).unwrap().all().len(), 1_000);
}
