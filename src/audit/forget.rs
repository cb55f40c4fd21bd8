//! Ends what is too old: the oldest records go, and the head says which is the first that is left and what it hangs on.

use super::entry::Entry;
use super::head::Head;
use super::look::{read, with_head};
use super::{HEAD_KEY, key, sha256};
use crate::clock::{Instant, Millis};
use crate::http::exchange::{Answer, CHANGES_MAX, Change, Cx, Next, Question};

/// Old records are looked for so often at most, in milliseconds.
const INTERVAL_MS: Millis = 600_000;
/// Most records that are forgotten at a time.
pub const FORGOTTEN_MAX: usize = CHANGES_MAX - 1;

/// When old records were last looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetting {
    looked_at: Option<Instant>,
}

/// Background work: forgets records that are too old, if it is time to look.
pub fn begin(cx: &mut Cx<'_>) -> Next {
    let forgetting = cx.monitor.audit_mut();
    if forgetting.looked_at.is_some_and(|at| at <= cx.now && cx.now.since(at) < INTERVAL_MS) {
        return Next::Done;
    }
    forgetting.looked_at = Some(cx.now);
    let until = Instant(cx.now.0.saturating_sub(cx.monitor.settings().admin.audit_keep_ms()));
    forget(until, |_, _| Next::Done)
}

/// Forgets records from before `until`, the oldest first, at most [`FORGOTTEN_MAX`]; `then` gets how many.
///
/// The last record stays, however old. A record that cannot be read, or that is missing, holds up nothing: it is forgotten
/// when those after it are too old.
///
/// # Errors
///
/// What the store said.
pub fn forget(until: Instant, then: impl FnOnce(Result<usize, String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    with_head(move |head, cx| match head {
        Ok(Some(head)) if head.first < head.seq => {
            let last = (head.seq - 1).min(head.first + FORGOTTEN_MAX as u64 - 1);
            read((head.first..=last).collect(), cx, move |texts, cx| match texts {
                Ok(texts) => swap(head, texts, until, cx, then),
                Err(problem) => then(Err(problem), cx),
            })
        }
        Ok(_) => then(Ok(0), cx),
        Err(problem) => then(Err(problem), cx),
    })
}

fn swap(
    head: Head,
    mut texts: Vec<(u64, Option<String>)>,
    until: Instant,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<usize, String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let at = |text: &Option<String>| serde_json::from_str::<Entry>(text.as_deref()?).ok().map(|entry| entry.at_ms);
    let is_old = |(_, text): &(u64, Option<String>)| at(text).is_some_and(|at_ms| at_ms < until.0);
    let count = texts.iter().rposition(is_old).map_or(0, |last| last + 1);
    texts.truncate(count);
    let Some((seq, last)) = texts.last() else { return then(Ok(0), cx) };
    let mut left = head.clone();
    left.first = seq + 1;
    left.anchor = last.as_deref().map(sha256).unwrap_or_default();
    let mut changes = vec![Change { key: HEAD_KEY.to_owned(), expected: Some(head.text()), text: Some(left.text()) }];
    let removed = texts.into_iter().filter_map(|(seq, text)| Some((seq, text?)));
    changes.extend(removed.map(|(seq, text)| Change { key: key(seq), expected: Some(text), text: None }));
    Next::ask(Question::Swap { changes }, move |answer, cx| match answer {
        Answer::Swapped(true) => then(Ok(count), cx),
        // A writer came first: next time.
        Answer::Swapped(false) => then(Ok(0), cx),
        other => then(Err(other.problem()), cx),
    })
}
