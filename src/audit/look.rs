//! Pages of the audit log, and whether its chain is whole.

use serde::Serialize;

use super::entry::Entry;
use super::head::Head;
use super::{HEAD_KEY, key, sha256};
use crate::http::exchange::{Answer, Cx, Next, Question};

/// Most records of one page.
pub const PAGE_MAX: usize = 100;

/// What is said of a head that cannot be read.
const DAMAGED: &str = "The head of the audit log is damaged. The next write goes on without it.";

/// Which records are wanted: the newest first, below `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Records with lower numbers than this.
    pub before: u64,
    /// At most so many, and at most [`PAGE_MAX`].
    pub limit: usize,
}

/// A page: texts of records, with what they hold if they can be read.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The newest first.
    pub records: Vec<(u64, Option<String>)>,
    /// Where the next page begins: its `before`; `None` when this is the last.
    pub next: Option<u64>,
    /// The head; `None` before the first record, or when it is damaged.
    pub head: Option<Head>,
}

/// What a look at the chain has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Whether everything that was looked at hangs together.
    pub is_whole: bool,
    /// The numbers of the records that were looked at, from and to; 0 if there were none.
    pub from: u64,
    /// The last of them.
    pub to: u64,
    /// How many those are.
    pub records: u64,
    /// The first record that is missing, changed, or does not hang on the one before it; and what is wrong with it.
    pub broken: Option<Broken>,
    /// Where to go on; `None` when all was looked at.
    pub next: Option<u64>,
}

/// See [`Verified::broken`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The record's number; 0 for the head.
    pub seq: u64,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads a page.
///
/// # Errors
///
/// What the store said.
pub fn page(wanted: Wanted, then: impl FnOnce(Result<Page, String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    with_head(move |head, cx| {
        let head = match head {
            Ok(Some(head)) => head,
            Ok(None) => return then(Ok(Page::default()), cx),
            Err(problem) => return then(Err(problem), cx),
        };
        let last = head.seq.min(wanted.before.saturating_sub(1));
        let limit = wanted.limit.clamp(1, PAGE_MAX) as u64;
        let lowest = (last + 1).saturating_sub(limit).max(head.first);
        let seqs: Vec<u64> = (lowest..=last).rev().collect();
        let next = (lowest > head.first && lowest <= last).then_some(lowest);
        read(seqs, cx, move |read, cx| then(read.map(|records| Page { records, next, head: Some(head) }), cx))
    })
}

/// Verifies the records from `from` on, at most [`PAGE_MAX`] of them: each is there, is a record of its number, and holds
/// the digest of the one before; the last of all has the digest that the head has. Beyond the last there is nothing to look at.
///
/// # Errors
///
/// What the store said.
pub fn verify(from: u64, then: impl FnOnce(Result<Verified, String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    with_head(move |head, cx| {
        let head = match head {
            Ok(Some(head)) => head,
            Err(problem) if problem == DAMAGED => {
                let broken = Some(Broken { seq: 0, problem: "the head is damaged" });
                let none = Verified { is_whole: false, from: 0, to: 0, records: 0, broken, next: None };
                return then(Ok(none), cx);
            }
            Ok(None) => {
                let none = Verified { is_whole: true, from: 0, to: 0, records: 0, broken: None, next: None };
                return then(Ok(none), cx);
            }
            Err(problem) => return then(Err(problem), cx),
        };
        let from = from.max(head.first);
        let to = head.seq.min(from.saturating_add(PAGE_MAX as u64 - 1));
        // The record before is read as well: the first of these hangs on it.
        let begin = if from > head.first { from - 1 } else { from };
        let seqs = if from > to { Vec::new() } else { (begin..=to).collect() };
        read(seqs, cx, move |read, cx| then(read.map(|texts| judged(&head, from, to, &texts)), cx))
    })
}

/// What is to be said of `texts`, in the order of their numbers, of which those before `from` are only hung on.
fn judged(head: &Head, from: u64, to: u64, texts: &[(u64, Option<String>)]) -> Verified {
    let mut previous = (from == head.first).then(|| head.anchor.clone());
    let mut broken = None;
    for (seq, text) in texts {
        let problem = problem_of(*seq, text.as_deref(), previous.as_deref());
        if let Some(problem) = problem.filter(|_| *seq >= from) {
            broken = Some(Broken { seq: *seq, problem });
            break;
        }
        previous = text.as_deref().map(sha256);
    }
    if broken.is_none() && to == head.seq && previous.as_ref() != Some(&head.sha256) && to >= from {
        broken = Some(Broken { seq: to, problem: "the head has another digest" });
    }
    Verified {
        is_whole: broken.is_none(),
        from,
        to,
        records: (to + 1).saturating_sub(from),
        broken,
        next: (to < head.seq).then_some(to + 1),
    }
}

fn problem_of(seq: u64, text: Option<&str>, previous: Option<&str>) -> Option<&'static str> {
    let Some(text) = text else { return Some("it is missing") };
    let Ok(entry) = serde_json::from_str::<Entry>(text) else { return Some("it is no record") };
    if entry.seq != seq {
        return Some("it has another number");
    }
    match previous {
        Some(previous) if previous != entry.previous => Some("it does not hang on the one before"),
        None => Some("what it hangs on is not known"),
        Some(_) => None,
    }
}

/// Reads the head; `None` before the first record.
pub(super) fn with_head(then: impl FnOnce(Result<Option<Head>, String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    Next::ask(Question::Read { key: HEAD_KEY.to_owned() }, move |answer, cx| match answer {
        Answer::Text(None) => then(Ok(None), cx),
        Answer::Text(Some(text)) => match Head::read(&text) {
            Some(head) => then(Ok(Some(head)), cx),
            None => then(Err(DAMAGED.to_owned()), cx),
        },
        other => then(Err(other.problem()), cx),
    })
}

/// Reads the records of these numbers; without any, nobody is asked.
pub(super) fn read(
    seqs: Vec<u64>,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<Vec<(u64, Option<String>)>, String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    if seqs.is_empty() {
        return then(Ok(Vec::new()), cx);
    }
    Next::ask(Question::ReadAll { keys: seqs.iter().map(|&seq| key(seq)).collect() }, move |answer, cx| match answer {
        Answer::Texts(texts) if texts.len() == seqs.len() => then(Ok(seqs.into_iter().zip(texts).collect()), cx),
        other => then(Err(other.problem()), cx),
    })
}
