use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::commit::{Committed, commit};
use super::entry::{Act, Entry};
use super::fake::{Fault, Host};
use super::forget::forget;
use super::head::{Budget, Head};
use super::look::{Broken, Verified, Wanted, page, verify};
use super::{HEAD_KEY, key, sha256};
use crate::access::Role;
use crate::clock::Instant;
use crate::http::exchange::{Change, Cx, Next};

fn act(reason: &str) -> Act {
    Act {
        actor: "ada".to_owned(),
        role: Role::Operator,
        action: "replaceFlags",
        target: "orders/flags".to_owned(),
        before: Value::Null,
        after: json!({ "a": 1 }),
        reason: reason.to_owned(),
        request_id: "7".to_owned(),
        address: None,
    }
}

fn change(key: &str, expected: Option<&str>, text: Option<&str>) -> Change {
    Change { key: key.to_owned(), expected: expected.map(str::to_owned), text: text.map(str::to_owned) }
}

/// What an exchange without a response has found out; `None` if the host died.
fn found<T: 'static>(host: &mut Host, begin: impl FnOnce(&mut Cx<'_>, Rc<RefCell<Option<T>>>) -> Next) -> Option<T> {
    let slot = Rc::new(RefCell::new(None));
    let given = Rc::clone(&slot);
    host.carry_out(|cx| begin(cx, given));
    slot.take()
}

fn committed(host: &mut Host, changes: Vec<Change>, reason: &str, budget: Budget) -> Option<Committed> {
    let act = act(reason);
    found(host, |_, slot| {
        commit(changes, act, budget, Vec::new(), move |committed, _| {
            slot.replace(Some(committed));
            Next::Done
        })
    })
}

fn written(host: &mut Host, number: u64) {
    let text = number.to_string();
    let before = host.strong.get("x").cloned();
    let changes = vec![change("x", before.as_deref(), Some(&text))];
    assert_eq!(committed(host, changes, "a test", Budget::Unlimited), Some(Committed::Done(number)));
}

fn verified(host: &mut Host, from: u64) -> Verified {
    let verified = found(host, |_, slot| {
        verify(from, move |verified, _| {
            slot.replace(Some(verified));
            Next::Done
        })
    });
    verified.unwrap().unwrap()
}

fn records(host: &Host) -> Vec<Entry> {
    let texts = host.strong.iter().filter(|(key, _)| super::seq_of(key).is_some());
    texts.map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn each_record_hangs_on_the_one_before() {
    let mut host = Host::default();
    for number in 1..=5 {
        written(&mut host, number);
    }
    let records = records(&host);
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(records[0].previous, "");
    assert_eq!(records[4].previous, sha256(&host.strong[&key(4)]));
    let whole = Verified { is_whole: true, from: 1, to: 5, records: 5, broken: None, next: None };
    assert_eq!(verified(&mut host, 0), whole);
    assert_eq!(verified(&mut host, 3), Verified { from: 3, records: 3, ..whole });
}

/// AUD-12: whatever is changed in a record afterwards, is taken out or put in between, is found, and where.
#[test]
fn what_was_tampered_with_is_found() {
    let mut host = Host::default();
    for number in 1..=6 {
        written(&mut host, number);
    }
    let whole = host.strong.clone();
    let broken = |host: &mut Host| verified(host, 1).broken.map(|Broken { seq, problem }| (seq, problem));
    let hangs = Some((4, "it does not hang on the one before"));
    host.strong.insert(key(3), whole[&key(3)].replace("ada", "bob"));
    assert_eq!(broken(&mut host), hangs);
    host.strong.clone_from(&whole);
    host.strong.insert(key(6), whole[&key(6)].replace("ada", "bob"));
    assert_eq!(broken(&mut host), Some((6, "the head has another digest")));
    host.strong.clone_from(&whole);
    host.strong.remove(&key(2));
    assert_eq!(broken(&mut host), Some((2, "it is missing")));
    host.strong.insert(key(2), whole[&key(3)].clone());
    assert_eq!(broken(&mut host), Some((2, "it has another number")));
    host.strong.insert(key(2), "{}".to_owned());
    assert_eq!(broken(&mut host), Some((2, "it is no record")));
    // A record that hangs on a part that was left out is looked at from there as well.
    host.strong.clone_from(&whole);
    host.strong.insert(key(3), whole[&key(3)].replace("ada", "bob"));
    assert_eq!(verified(&mut host, 4).broken, Some(Broken { seq: 4, problem: "it does not hang on the one before" }));
}

/// Wherever a writer dies, or whatever answer gets lost: the change and its record are both there, or neither is, and who
/// is told that it was done, or that nothing was, is told what is so.
#[test]
fn a_change_and_its_record_are_one() {
    for fault in [Fault::Died, Fault::Refused, Fault::Lost] {
        for at in 0..8 {
            let mut host = Host::default();
            written(&mut host, 1);
            host.fault = Some((at, fault));
            let said = committed(&mut host, vec![change("x", Some("1"), Some("2"))], "a test", Budget::Writes);
            let is_written = host.strong["x"] == "2";
            assert_eq!(records(&host).len(), if is_written { 2 } else { 1 }, "{fault:?} at {at}");
            match said {
                Some(Committed::Done(seq)) => assert!(is_written && seq == 2),
                Some(Committed::Unknown(_)) | None => {}
                Some(_) => assert!(!is_written, "{fault:?} at {at}"),
            }
            host.fault = None;
            assert!(verified(&mut host, 1).is_whole);
        }
    }
}

#[test]
fn others_who_come_first_delay_a_record_and_do_not_lose_it() {
    let mut host = Host::default();
    written(&mut host, 1);
    // Ten times another writer's record takes the number.
    host.before_swap = |swap, strong| {
        if (1..=10).contains(&swap) {
            let mut head = Head::read(&strong[HEAD_KEY]).unwrap();
            let entry = Entry::new(&act("other"), head.seq + 1, head.sha256.clone(), Instant(1), swap as u64);
            head.append(&entry, &entry.text());
            strong.insert(key(entry.seq), entry.text());
            strong.insert(HEAD_KEY.to_owned(), head.text());
        }
    };
    let said = committed(&mut host, vec![change("x", Some("1"), Some("2"))], "a test", Budget::Writes);
    assert_eq!(said, Some(Committed::Done(12)));
    assert!(verified(&mut host, 1).is_whole);
}

#[test]
fn what_has_changed_meanwhile_is_told_and_leaves_no_record() {
    let mut host = Host::default();
    written(&mut host, 1);
    let said = committed(&mut host, vec![change("x", Some("0"), Some("2"))], "a test", Budget::Writes);
    assert_eq!((said, records(&host).len()), (Some(Committed::Changed), 1));
}

#[test]
fn a_budget_that_is_used_up_leaves_no_record() {
    let mut host = Host::default();
    let mut write = |budget| committed(&mut host, Vec::new(), "a test", budget).unwrap();
    for _ in 0..60 {
        assert!(matches!(write(Budget::Writes), Committed::Done(_)));
    }
    assert_eq!(write(Budget::Writes), Committed::Limited(1_000));
    assert_eq!(write(Budget::Kill), Committed::Done(61));
    assert_eq!(records(&host).len(), 61);
}

/// A head that was damaged or removed stops nobody, least of all the kill switch: records go on above the last, and a look
/// at the chain tells.
#[test]
fn a_damaged_head_stops_nobody_and_is_told() {
    for damage in [Some("{}"), Some(""), None] {
        let mut host = Host::default();
        for number in 1..=3 {
            written(&mut host, number);
        }
        match damage {
            Some(text) => host.strong.insert(HEAD_KEY.to_owned(), text.to_owned()),
            None => host.strong.remove(HEAD_KEY),
        };
        let said = committed(&mut host, vec![change("x", Some("3"), Some("4"))], "a test", Budget::Kill);
        assert_eq!(said, Some(Committed::Done(4)), "{damage:?}");
        assert_eq!(records(&host).len(), 4);
        let broken = verified(&mut host, 1).broken;
        assert_eq!(broken, Some(Broken { seq: 4, problem: "it does not hang on the one before" }));
    }
}

#[test]
fn pages_go_from_the_newest_to_the_oldest() {
    let mut host = Host::default();
    for number in 1..=7 {
        written(&mut host, number);
    }
    let mut seqs = Vec::new();
    let mut before = u64::MAX;
    for _ in 0..10 {
        let wanted = Wanted { before, limit: 3 };
        let page = found(&mut host, |_, slot| {
            page(wanted, move |page, _| {
                slot.replace(Some(page));
                Next::Done
            })
        });
        let page = page.unwrap().unwrap();
        seqs.extend(page.records.iter().filter(|(_, text)| text.is_some()).map(|(seq, _)| *seq));
        let Some(next) = page.next else { break };
        before = next;
    }
    assert_eq!(seqs, [7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn beyond_the_records_there_are_there_is_nothing_and_no_error() {
    let mut host = Host::default();
    written(&mut host, 1);
    for before in [0, 1] {
        let page = found(&mut host, |_, slot| {
            page(Wanted { before, limit: 1 }, move |page, _| {
                slot.replace(Some(page));
                Next::Done
            })
        });
        let page = page.unwrap().unwrap();
        assert_eq!((page.records.len(), page.next), (0, None), "{before}");
    }
    for from in [2, 3, u64::MAX] {
        let verified = verified(&mut host, from);
        assert_eq!((verified.is_whole, verified.records, verified.next), (true, 0, None), "{from}");
    }
}

/// AUD-10: what is too old goes, the chain of what is left is whole, and the last record stays.
#[test]
fn what_is_too_old_goes_and_what_is_left_is_whole() {
    let mut host = Host::default();
    for number in 1..=80 {
        host.now += 1_000;
        written(&mut host, number);
    }
    let mut forget_before = |until| {
        let count = found(&mut host, |_, slot| {
            forget(Instant(until), move |count, _| {
                slot.replace(Some(count));
                Next::Done
            })
        });
        let seqs: Vec<u64> = records(&host).iter().map(|record| record.seq).collect();
        assert!(verified(&mut host, 1).is_whole);
        (count.unwrap().unwrap(), seqs.first().copied().unwrap_or_default(), seqs.len())
    };
    let start = 1_704_067_200_000;
    assert_eq!(forget_before(start), (0, 1, 80));
    assert_eq!(forget_before(start + 40_000), (31, 32, 49));
    assert_eq!(forget_before(start + 40_000), (8, 40, 41));
    assert_eq!(forget_before(u64::MAX), (31, 71, 10));
    assert_eq!(forget_before(u64::MAX), (9, 80, 1));
    assert_eq!(forget_before(u64::MAX), (0, 80, 1));
    written(&mut host, 81);
    assert!(verified(&mut host, 1).is_whole);
}
