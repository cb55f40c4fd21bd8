//! A change, its record and the head, written in one step.
//!
//! ```text
//! read audit/head
//! swap [the change …, audit/head 12 -> 13, audit/000000000013 nothing -> record]
//!   done      there it is
//!   not done  the head has moved on: again with the new head. It has not: what was to be changed has changed itself
//!   lost      read audit/000000000013: our own text says that it was done
//! ```

use std::collections::BTreeMap;

use super::entry::{Act, Entry};
use super::head::{Budget, Head, Mark};
use super::{HEAD_KEY, PREFIX, key, seq_of};
use crate::clock::Millis;
use crate::http::exchange::{Answer, Change, Cx, Next, Question};
use crate::orders::Name;
use crate::orders::order::{Order, checksum};

/// Other writers may come first so many times. Each time one of them has got on.
const TRIES_MAX: u32 = 64;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is done, and this is its record's number.
    Done(u64),
    /// Nothing was done: something that was to be changed is not what it was expected to be.
    Changed,
    /// Nothing was done: there is no more to be written for so many milliseconds.
    Limited(Millis),
    /// Nothing was done: others came first, again and again.
    Busy,
    /// Nothing was done: the store did not answer. In its words.
    Failed(String),
    /// Nobody knows whether it was done. In the store's words.
    Unknown(String),
}

/// What is to be done.
#[derive(Clone, Debug)]
struct Commit {
    changes: Vec<Change>,
    act: Act,
    budget: Budget,
    marks: Vec<(Name, Mark)>,
    tries: u32,
}

/// Makes `changes` and writes down `act`, both or neither. `marks` are those of the orders among the changes.
///
/// There may be [`CHANGES_MAX`](crate::http::exchange::CHANGES_MAX) changes less two.
pub fn commit(
    changes: Vec<Change>,
    act: Act,
    budget: Budget,
    marks: Vec<(Name, Mark)>,
    then: impl FnOnce(Committed, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let commit = Commit { changes, act, budget, marks, tries: TRIES_MAX };
    with_head(move |head, cx| match head {
        Ok((expected, head)) => swap(commit, expected, head, cx, then),
        Err(problem) => then(Committed::Failed(problem), cx),
    })
}

/// Reads the head: its text as it is there, and what it says. Records go on after a head that is damaged.
fn with_head(then: impl FnOnce(Result<(Option<String>, Head), String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    Next::ask(Question::Read { key: HEAD_KEY.to_owned() }, move |answer, cx| {
        let text = match answer {
            Answer::Text(text) => text,
            other => return then(Err(other.problem()), cx),
        };
        match text.as_deref().map(Head::read) {
            Some(Some(head)) => then(Ok((text, head)), cx),
            // Also nothing: a head that was removed must not have the records begin at 1 again.
            damaged_or_nothing => {
                let is_damaged = damaged_or_nothing.is_some();
                recovered(is_damaged, BTreeMap::new(), move |head, cx| then(head.map(|head| (text, head)), cx))
            }
        }
    })
}

/// The head that follows what is there: above the last record, and with the orders as they are, or as `marks` has them where
/// those are newer. A head without them would have isolates that begin follow nothing of what was ordered before.
fn recovered(
    is_damaged: bool,
    mut marks: BTreeMap<String, Mark>,
    then: impl FnOnce(Result<Head, String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    Next::ask(Question::List { prefix: PREFIX.to_owned() }, move |answer, cx| {
        let keys = match answer {
            Answer::Keys(keys) => keys,
            other => return then(Err(other.problem()), cx),
        };
        let last = keys.iter().filter_map(|key| seq_of(key)).max();
        let mut head = match last {
            None if !is_damaged => return then(Ok(Head::new()), cx),
            last => Head::after_damage(last.unwrap_or_default()),
        };
        let keys = Name::ALL.map(Name::key).to_vec();
        Next::ask(Question::ReadAll { keys }, move |answer, cx| {
            let texts = match answer {
                Answer::Texts(texts) => texts,
                other => return then(Err(other.problem()), cx),
            };
            for (name, text) in Name::ALL.into_iter().zip(texts) {
                let Some(text) = text else { continue };
                let Ok(order) = Order::read(name, &text) else { continue };
                if marks.get(name.text()).is_none_or(|mark| mark.version <= order.version) {
                    let mark = Mark { version: order.version, sha256: checksum(&text).to_owned() };
                    marks.insert(name.text().to_owned(), mark);
                }
            }
            head.orders = marks;
            then(Ok(head), cx)
        })
    })
}

fn swap(
    commit: Commit,
    expected: Option<String>,
    mut head: Head,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Committed, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let limits = cx.monitor.settings().admin.limits();
    if let Err(wait_ms) = head.take(commit.budget, limits, cx.now) {
        return then(Committed::Limited(wait_ms), cx);
    }
    // Two tries of one commit may have the same chance: the try tells them apart.
    let id = cx.random ^ u64::from(commit.tries);
    let entry = Entry::new(&commit.act, head.seq + 1, head.sha256.clone(), cx.now, id);
    let record = entry.text();
    head.append(&entry, &record);
    head.orders.extend(commit.marks.iter().map(|(name, mark)| (name.text().to_owned(), mark.clone())));
    let record_key = key(entry.seq);
    let mut changes = commit.changes.clone();
    changes.push(Change { key: HEAD_KEY.to_owned(), expected: expected.clone(), text: Some(head.text()) });
    changes.push(Change { key: record_key.clone(), expected: None, text: Some(record.clone()) });
    Next::ask(Question::Swap { changes }, move |answer, cx| match answer {
        Answer::Swapped(true) => then(Committed::Done(entry.seq), cx),
        Answer::Swapped(false) => look_again(commit, expected, (record_key, record, entry.seq), then),
        other => {
            let problem = other.problem();
            Next::ask(Question::Read { key: record_key }, move |answer, cx| match answer {
                Answer::Text(Some(found)) if found == record => then(Committed::Done(entry.seq), cx),
                // What was sent may arrive yet.
                _ => then(Committed::Unknown(problem), cx),
            })
        }
    })
}

/// After a swap that was not done: another record came first, or what was to be changed has changed, or the store's own client
/// has sent it twice and was answered to the second. If the record's number is taken and the head is as it was, that is an old
/// one which somebody has put back, and the records go on above the last.
fn look_again(
    commit: Commit,
    expected: Option<String>,
    (record_key, record, seq): (String, String, u64),
    then: impl FnOnce(Committed, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let mut keys = vec![record_key, HEAD_KEY.to_owned()];
    keys.extend(commit.changes.iter().map(|change| change.key.clone()));
    Next::ask(Question::ReadAll { keys }, move |answer, cx| {
        let texts = match answer {
            Answer::Texts(texts) => texts,
            other => return then(Committed::Unknown(other.problem()), cx),
        };
        let found = |index: usize| texts.get(index).and_then(|text| text.as_deref());
        if found(0) == Some(&record) {
            return then(Committed::Done(seq), cx);
        }
        let is_changed = |(index, change): (usize, &Change)| !change.holds(found(index + 2));
        let is_head_same = found(1) == expected.as_deref();
        let is_taken = found(0).is_some();
        if commit.changes.iter().enumerate().any(is_changed) || (is_head_same && !is_taken) {
            return then(Committed::Changed, cx);
        }
        if commit.tries <= 1 {
            return then(Committed::Busy, cx);
        }
        let commit = Commit { tries: commit.tries - 1, ..commit };
        let text = found(1).map(str::to_owned);
        match found(1).and_then(Head::read) {
            Some(head) if !is_head_same => swap(commit, text, head, cx, then),
            head => {
                let marks = head.map(|head| head.orders).unwrap_or_default();
                recovered(is_taken || text.is_some(), marks, move |head, cx| match head {
                    Ok(head) => swap(commit, text, head, cx, then),
                    Err(problem) => then(Committed::Failed(problem), cx),
                })
            }
        }
    })
}
