//! The background work that leaves serious records in the strong store, where every isolate finds them, and their return.
//!
//! What is less than [`LEVEL`] stays in its isolate. Where there is no store, records wait within a bound, and nothing else
//! follows.

use std::collections::VecDeque;

use super::logs::{Filter, Level, RECORDS_MAX, Record};
use crate::clock::{Instant, Millis};
use crate::http::exchange::{Cx, Next, Question};
use crate::records::{self, Log, Range};

/// Records of this level and above are left in the store.
pub const LEVEL: Level = Level::Warn;
/// For seven days.
pub const LOG: Log = Log { name: "logs", keep_ms: 7 * 86_400_000, batches_max: 2_000 };
/// Time between two looks whether there is something to leave, in milliseconds.
const INTERVAL_MS: Millis = 15_000;
/// Records that wait at most; the oldest make room.
const WAITING_MAX: usize = 500;

/// What waits to be left in the store.
#[derive(Debug, Default)]
pub struct Keeper {
    waiting: VecDeque<Record>,
    last: Option<Instant>,
}

impl Keeper {
    /// Has a record left in the store, if it is serious enough.
    pub(super) fn take_in(&mut self, record: &Record) {
        if record.level < LEVEL {
            return;
        }
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(record.clone());
    }

    /// Takes the work on, if it is due at `now`. A clock that stepped back makes it due.
    fn claim(&mut self, now: Instant) -> bool {
        let is_young = self.last.is_some_and(|last| last <= now && now.since(last) < INTERVAL_MS);
        if !is_young {
            self.last = Some(now);
        }
        !is_young
    }
}

/// Leaves what waits in the store, if that is due.
pub(crate) fn begin(cx: &mut Cx<'_>) -> Next {
    if !cx.monitor.telemetry_mut().keeper_mut().claim(cx.now) {
        return Next::Done;
    }
    Next::ask(Question::Logs, |answer, cx| {
        cx.monitor.take_in(answer);
        leave(cx)
    })
}

fn leave(cx: &mut Cx<'_>) -> Next {
    let batch: Vec<Record> = {
        let waiting = &mut cx.monitor.telemetry_mut().keeper_mut().waiting;
        let length = waiting.len().min(records::BATCH_MAX);
        waiting.drain(..length).collect()
    };
    let kept: Vec<records::Record> = batch
        .iter()
        .filter_map(|record| Some(records::Record { at_ms: record.at_ms, value: serde_json::to_value(record).ok()? }))
        .collect();
    if kept.is_empty() {
        return Next::Done;
    }
    records::append(&LOG, &kept, cx, move |appended, cx| {
        let waiting = &mut cx.monitor.telemetry_mut().keeper_mut().waiting;
        // After an error nobody knows; what was appended twice is shown once.
        let appended = appended.ok();
        let surplus = batch.len().saturating_sub(WAITING_MAX - waiting.len().min(WAITING_MAX));
        for record in batch.into_iter().skip(appended.unwrap_or_default().max(surplus)).rev() {
            waiting.push_front(record);
        }
        let goes_on = appended.is_some_and(|count| count > 0) && !waiting.is_empty();
        if goes_on { leave(cx) } else { Next::Done }
    })
}

/// What all isolates have left that `filter` may ask for; `None` if there is no store, or it did not answer.
pub(crate) fn found(
    filter: &Filter,
    cx: &Cx<'_>,
    then: impl FnOnce(Option<Vec<Record>>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let from = Instant(cx.now.0.saturating_sub(filter.past_ms));
    let range = Range { from, until: cx.now, records_max: RECORDS_MAX };
    records::since(&LOG, range, |found, cx| {
        let records = found.ok().map(|found| {
            found.records.into_iter().filter_map(|record| serde_json::from_value(record.value).ok()).collect()
        });
        then(records, cx)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::http::exchange::Answer;
    use crate::http::exchange::swap;
    use crate::monitor::Monitor;

    const NOW: u64 = 1_704_067_200_000;

    type Store = BTreeMap<String, String>;

    fn records(texts: &[(&str, &str)]) -> Vec<Record> {
        let record = |(level, msg): &(&str, &str)| {
            serde_json::from_value(serde_json::json!({ "level": level, "msg": msg, "atMs": NOW })).unwrap()
        };
        texts.iter().map(record).collect()
    }

    fn answer(question: Question, store: &mut Option<&mut Store>, new: &mut Vec<Record>) -> Answer {
        let Some(store) = store.as_mut().filter(|_| !matches!(question, Question::Logs)) else {
            return match question {
                Question::Logs => Answer::Logs(std::mem::take(new)),
                _ => Answer::Failed("There is no store.".to_owned()),
            };
        };
        match question {
            Question::Swap { changes } => Answer::Swapped(swap(store, changes)),
            Question::Read { key } => Answer::Text(store.get(&key).cloned()),
            Question::List { prefix } => {
                Answer::Keys(store.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
            }
            other => panic!("{other:?}"),
        }
    }

    fn left(monitor: &mut Monitor, now: u64, mut store: Option<&mut Store>, mut new: Vec<Record>) {
        let mut cx = Cx { monitor, now: Instant(now), random: now | 1 };
        let mut next = begin(&mut cx);
        while let Next::Ask(question, then) = next {
            next = then(answer(question, &mut store, &mut new), &mut cx);
        }
    }

    fn messages(monitor: &mut Monitor, now: u64, mut store: Option<&mut Store>) -> Option<Vec<String>> {
        let mut cx = Cx { monitor, now: Instant(now), random: 7 };
        let filter = Filter::of_query("hours=1").unwrap();
        let told = std::rc::Rc::new(std::cell::RefCell::new(None));
        let out = std::rc::Rc::clone(&told);
        let mut next = found(&filter, &cx, move |records, _| {
            *out.borrow_mut() = records;
            Next::Done
        });
        while let Next::Ask(question, then) = next {
            next = then(answer(question, &mut store, &mut Vec::new()), &mut cx);
        }
        let records = told.borrow_mut().take();
        records.map(|records: Vec<Record>| records.into_iter().map(|record| record.msg).collect())
    }

    /// TRC-05: what is serious is left in the strong store, and another isolate finds it
    #[test]
    fn serious_records_are_found_by_other_isolates() {
        let mut store = Store::new();
        let mut first = Monitor::default();
        left(&mut first, NOW, Some(&mut store), records(&[("error", "failed"), ("debug", "query"), ("warn", "slow")]));
        assert_eq!(store.len(), 1);
        let mut second = Monitor::default();
        assert_eq!(
            messages(&mut second, NOW + 1, Some(&mut store)),
            Some(vec!["failed".to_owned(), "slow".to_owned()])
        );
    }

    #[test]
    fn a_store_that_fails_gets_them_later_and_what_waits_has_a_bound() {
        let mut store = Store::new();
        let mut monitor = Monitor::default();
        left(&mut monitor, NOW, None, records(&[("error", "failed"); WAITING_MAX + 50]));
        assert_eq!(monitor.telemetry_mut().keeper_mut().waiting.len(), WAITING_MAX);
        left(&mut monitor, NOW + 1_000, Some(&mut store), Vec::new());
        assert!(store.is_empty(), "it is not due yet");
        left(&mut monitor, NOW + INTERVAL_MS, Some(&mut store), Vec::new());
        assert!(monitor.telemetry_mut().keeper_mut().waiting.is_empty());
        assert!(!store.is_empty());
        assert_eq!(messages(&mut Monitor::default(), NOW, None), None);
    }
}
