//! Laws of swaps: all changes or none, whoever comes between, and what is written down is what is read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seawall::http::exchange::{CHANGES_MAX, Change, Question, swap};
use seawall::orders::remote;

type Texts = BTreeMap<String, String>;
/// For each key what is expected and what is wanted.
type Wish = BTreeMap<String, (Option<String>, Option<String>)>;

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["orders/flags", "audit/head", "audit/1", "ключ \u{0}\"", "é"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(vec!["", "1", "2", "\u{0}\u{1f30a}"]).prop_map(str::to_owned))
}

/// What one writer wants, and whether it looks first at what is there.
fn wish() -> impl Strategy<Value = (bool, Wish)> {
    (prop::bool::weighted(0.7), prop::collection::btree_map(key(), (text(), text()), 1..5))
}

fn changes_of(wish: Wish) -> Vec<Change> {
    wish.into_iter().map(|(key, (expected, text))| Change { key, expected, text }).collect()
}

proptest! {
    /// A swap is done exactly if each key has what is expected; then each has what is wanted, and no other key is touched.
    /// A swap that is not done changes nothing.
    #[test]
    fn a_swap_makes_all_changes_or_none(wishes in prop::collection::vec(wish(), 1..30)) {
        let mut texts = Texts::new();
        for (looks, wish) in wishes {
            let mut changes = changes_of(wish);
            if looks {
                changes.iter_mut().for_each(|change| change.expected = texts.get(&change.key).cloned());
            }
            let before = texts.clone();
            let holds = changes.iter().filter(|change| before.get(&change.key) == change.expected.as_ref()).count();
            let is_swapped = swap(&mut texts, changes.clone());
            prop_assert_eq!(is_swapped, holds == changes.len());
            prop_assert!(is_swapped || !looks);
            for key in before.keys().chain(texts.keys()) {
                let wanted = changes.iter().find(|change| is_swapped && change.key == *key);
                let expected = wanted.map_or_else(|| before.get(key).cloned(), |change| change.text.clone());
                prop_assert_eq!(texts.get(key).cloned(), expected);
            }
        }
    }

    /// Of writers who all have seen the same, and who have a key in common, one is done: which one, their order says.
    #[test]
    fn of_swaps_that_expect_the_same_the_first_is_done(count in 2_usize..10, others in 0_usize..CHANGES_MAX - 1) {
        let mut texts = Texts::new();
        let done = (0..count).filter(|writer| {
            let own = (0..others).map(|other| format!("{writer}/{other}"));
            let keys = own.chain(["common".to_owned()]);
            let changes = keys.map(|key| Change { key, expected: None, text: Some(writer.to_string()) }).collect();
            swap(&mut texts, changes)
        });
        prop_assert_eq!(done.collect::<Vec<_>>(), vec![0]);
        prop_assert_eq!(texts.len(), others + 1);
        prop_assert!(texts.values().all(|text| text == "0"));
    }

    /// What is asked of a store elsewhere arrives as it was asked.
    #[test]
    fn a_swap_is_read_as_it_was_written((_, wish) in wish()) {
        let question = Question::Swap { changes: changes_of(wish) };
        prop_assert_eq!(remote::read(&serde_json::to_string(&question).unwrap()), Ok(question));
    }
}
