//! Records: what happened. They are appended to a log, and forgotten when they are old; nobody changes one.
//!
//! ```text
//! records::append(&ALERTS, records, cx, |appended, cx| …)      // one question, sometimes a few more to forget old ones
//! records::since(&ALERTS, range, |found, cx| …)                // one question, and one for each batch that is read
//! ```
//!
//! A log is a set of batches in the strong store, each under a key of its own that begins with its time, such as
//! `records/alerts/1704067200000-00f3a2b1c4d5e6f7`. So isolates that append at once never meet.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{Instant, Millis};
use crate::http::exchange::{Answer, Cx, Next, Question};

/// Most records of one batch.
pub const BATCH_MAX: usize = 100;
/// Longest text of one batch, in bytes.
pub const TEXT_MAX: usize = 60_000;
/// Most batches that one look at a log reads.
pub const READ_MAX: usize = 50;
/// Most batches that are forgotten at a time.
pub const FORGOTTEN_MAX: usize = 32;
/// A record is appended at most this long after its time, in milliseconds; else a look at its time may overlook it.
pub const LATE_MAX_MS: Millis = 3_600_000;

/// One of this many appends also forgets old batches.
const FORGET_ONE_IN: u64 = 16;
/// Keys are tried so often: chance gives the same 64 bits twice only if it is none.
const TRIES_MAX: u32 = 3;

/// A log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// Small letters and `-`: a part of its keys.
    pub name: &'static str,
    /// What is older is forgotten, in milliseconds.
    pub keep_ms: Millis,
    /// When there are more batches than this the oldest are forgotten, however young.
    pub batches_max: usize,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What.
    pub value: Value,
}

/// Which records are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// From this time on.
    pub from: Instant,
    /// Up to this time, which is included.
    pub until: Instant,
    /// At most so many, the newest.
    pub records_max: usize,
}

/// The records that were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Oldest first.
    pub records: Vec<Record>,
    /// Whether these are all of the range.
    pub is_complete: bool,
    /// Batches that were there and could not be read.
    pub unread: u32,
}

impl Log {
    fn prefix(&self) -> String {
        ["records/", self.name, "/"].concat()
    }

    fn key(&self, now: Instant, random: u64) -> String {
        format!("records/{}/{:013}-{random:016x}", self.name, now.0)
    }

    /// The time in a key of this log; `None` for a key that is none.
    fn time_of(&self, key: &str) -> Option<Instant> {
        let (time, chance) =
            key.strip_prefix("records/")?.strip_prefix(self.name)?.strip_prefix('/')?.split_once('-')?;
        let is_key = time.len() == 13 && chance.len() == 16 && time.bytes().all(|byte| byte.is_ascii_digit());
        time.parse().ok().filter(|_| is_key).map(Instant)
    }
}

/// Appends records to a log: as many, from the first on, as one batch holds.
///
/// `then` gets how many those are. After an error nobody knows: appending them again may repeat them.
///
/// # Errors
///
/// What the store said, or that the first record alone is longer than [`TEXT_MAX`].
pub fn append(
    log: &Log,
    records: &[Record],
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<usize, String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let Some((text, count)) = batch(records) else {
        return then(Err("A record is longer than a batch may be.".to_owned()), cx);
    };
    if count == 0 {
        return then(Ok(0), cx);
    }
    let log = *log;
    put(log, text, TRIES_MAX, cx, move |put, cx| match put {
        // It was appended, whatever becomes of the old ones.
        Ok(()) if cx.random.is_multiple_of(FORGET_ONE_IN) => forget(&log, move |_, cx| then(Ok(count), cx)),
        put => then(put.map(|()| count), cx),
    })
}

/// The text of the longest batch that these records begin with, and how many are in it; `None` if not even one fits.
fn batch(records: &[Record]) -> Option<(String, usize)> {
    let mut text = String::from("[");
    let mut count = 0;
    for record in records.iter().take(BATCH_MAX) {
        let record = serde_json::to_string(record).ok()?;
        if text.len() + record.len() + 2 > TEXT_MAX {
            break;
        }
        if count > 0 {
            text.push(',');
        }
        text.push_str(&record);
        count += 1;
    }
    text.push(']');
    (count > 0 || records.is_empty()).then_some((text, count))
}

fn put(
    log: Log,
    text: String,
    tries: u32,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<(), String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let key = log.key(cx.now, cx.random);
    let question = Question::swap(key.clone(), None, Some(text.clone()));
    Next::ask(question, move |answer, cx| match answer {
        Answer::Swapped(true) => then(Ok(()), cx),
        // A client of the store that repeats what got lost finds what it has put itself.
        Answer::Swapped(false) => Next::ask(Question::Read { key }, move |answer, cx| match answer {
            Answer::Text(Some(found)) if found == text => then(Ok(()), cx),
            Answer::Text(_) if tries > 1 => put(log, text, tries - 1, cx, then),
            Answer::Text(_) => then(Err("Every key was taken.".to_owned()), cx),
            other => then(Err(other.problem()), cx),
        }),
        other => then(Err(other.problem()), cx),
    })
}

/// Finds the newest records of a range.
///
/// # Errors
///
/// What the store said.
pub fn since(log: &Log, range: Range, then: impl FnOnce(Result<Found, String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    let log = *log;
    Next::ask(Question::List { prefix: log.prefix() }, move |answer, cx| {
        let keys = match answer {
            Answer::Keys(keys) => keys,
            other => return then(Err(other.problem()), cx),
        };
        let until = range.until.plus(LATE_MAX_MS);
        let mut keys: Vec<(Instant, String)> = keys
            .into_iter()
            .filter_map(|key| Some((log.time_of(&key)?, key)))
            .filter(|(time, _)| range.from <= *time && *time <= until)
            .collect();
        keys.sort();
        let found = Found { is_complete: keys.len() <= READ_MAX, ..Found::default() };
        keys.drain(..keys.len().saturating_sub(READ_MAX));
        read_on(keys, range, found, cx, then)
    })
}

/// Reads the last of `keys`, then those before it.
fn read_on(
    mut keys: Vec<(Instant, String)>,
    range: Range,
    mut found: Found,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<Found, String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    // A batch before may hold younger records than this one, but none that is younger than its own time.
    let is_enough = |found: &Found, before: Instant| {
        let count = found.records.iter().filter(|record| Instant(record.at_ms) >= before).count();
        count >= range.records_max
    };
    let next = keys.pop().filter(|(time, _)| !is_enough(&found, *time) || found.records.is_empty());
    let Some((_, key)) = next else {
        found.is_complete &= keys.is_empty() && found.records.len() <= range.records_max;
        found.records.sort_by_key(|record| record.at_ms);
        found.records.drain(..found.records.len().saturating_sub(range.records_max));
        return then(Ok(found), cx);
    };
    Next::ask(Question::Read { key }, move |answer, cx| {
        match answer {
            Answer::Text(Some(text)) => match serde_json::from_str::<Vec<Record>>(&text) {
                Ok(mut records) => {
                    records.retain(|record| range.from.0 <= record.at_ms && record.at_ms <= range.until.0);
                    found.records.splice(0..0, records);
                }
                Err(_) => found.unread += 1,
            },
            // Forgotten meanwhile.
            Answer::Text(None) => {}
            other => return then(Err(other.problem()), cx),
        }
        read_on(keys, range, found, cx, then)
    })
}

/// Forgets batches that are too old, and the oldest of too many; at most [`FORGOTTEN_MAX`] at a time.
///
/// `then` gets how many. Each append in sixteen does this by itself.
///
/// # Errors
///
/// What the store said.
pub fn forget(log: &Log, then: impl FnOnce(Result<usize, String>, &mut Cx<'_>) -> Next + 'static) -> Next {
    let log = *log;
    Next::ask(Question::List { prefix: log.prefix() }, move |answer, cx| {
        let keys = match answer {
            Answer::Keys(keys) => keys,
            other => return then(Err(other.problem()), cx),
        };
        let mut keys: Vec<(Instant, String)> =
            keys.into_iter().filter_map(|key| Some((log.time_of(&key)?, key))).collect();
        keys.sort();
        let is_old = |(time, _): &(Instant, String)| cx.now.since(*time) >= log.keep_ms;
        let too_many = keys.len().saturating_sub(log.batches_max);
        let old = keys.iter().take_while(|key| is_old(key)).count();
        keys.truncate(old.max(too_many).min(FORGOTTEN_MAX));
        keys.reverse();
        forget_on(keys, 0, cx, then)
    })
}

fn forget_on(
    mut keys: Vec<(Instant, String)>,
    forgotten: usize,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<usize, String>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let Some((_, key)) = keys.pop() else { return then(Ok(forgotten), cx) };
    Next::ask(Question::Read { key: key.clone() }, move |answer, cx| match answer {
        Answer::Text(Some(text)) => Next::ask(Question::swap(key, Some(text), None), move |answer, cx| match answer {
            Answer::Swapped(_) => forget_on(keys, forgotten + 1, cx, then),
            other => then(Err(other.problem()), cx),
        }),
        // Another isolate was faster.
        Answer::Text(None) => forget_on(keys, forgotten, cx, then),
        other => then(Err(other.problem()), cx),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use serde_json::json;

    use super::*;
    use crate::http::exchange::swap;
    use crate::monitor::Monitor;

    const LOG: Log = Log { name: "alerts", keep_ms: 1_000_000, batches_max: 40 };

    #[derive(Default)]
    struct Host {
        texts: BTreeMap<String, String>,
        is_down: bool,
        now: u64,
        random: u64,
        repeats_swap: bool,
        asked: usize,
    }

    impl Host {
        fn at(now: u64) -> Self {
            Self { now, random: 1, ..Self::default() }
        }

        fn run<T: 'static>(
            &mut self,
            begin: impl FnOnce(&mut Cx<'_>, Box<dyn FnOnce(Result<T, String>, &mut Cx<'_>) -> Next>) -> Next,
        ) -> Result<T, String> {
            let told = Rc::new(RefCell::new(None));
            let teller = Rc::clone(&told);
            let then = Box::new(move |result: Result<T, String>, _: &mut Cx<'_>| {
                *teller.borrow_mut() = Some(result);
                Next::Done
            });
            let mut monitor = Monitor::default();
            let mut cx = Cx { monitor: &mut monitor, now: Instant(self.now), random: self.random };
            let mut next = begin(&mut cx, then);
            while let Next::Ask(question, then) = next {
                self.asked += 1;
                let answer = self.answer(question);
                next = then(answer, &mut Cx { monitor: &mut monitor, now: Instant(self.now), random: self.random });
            }
            let told = told.take();
            told.unwrap()
        }

        fn answer(&mut self, question: Question) -> Answer {
            if self.is_down {
                return Answer::Failed("The store is gone.".to_owned());
            }
            match question {
                Question::Read { key } => Answer::Text(self.texts.get(&key).cloned()),
                Question::List { prefix } => {
                    Answer::Keys(self.texts.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
                }
                Question::Swap { changes } => {
                    if !swap(&mut self.texts, changes) {
                        self.random += 1;
                        return Answer::Swapped(false);
                    }
                    Answer::Swapped(!std::mem::take(&mut self.repeats_swap))
                }
                other => panic!("{other:?}"),
            }
        }

        fn append(&mut self, records: &[Record]) -> Result<usize, String> {
            self.run(|cx, then| append(&LOG, records, cx, then))
        }

        fn since(&mut self, from: u64, until: u64, records_max: usize) -> Found {
            let range = Range { from: Instant(from), until: Instant(until), records_max };
            self.run(|_, then| since(&LOG, range, then)).unwrap()
        }

        fn forget(&mut self) -> usize {
            self.run(|_, then| forget(&LOG, then)).unwrap()
        }
    }

    fn record(at_ms: u64) -> Record {
        Record { at_ms, value: json!({"number": at_ms}) }
    }

    fn times(found: &Found) -> Vec<u64> {
        found.records.iter().map(|record| record.at_ms).collect()
    }

    #[test]
    fn what_was_appended_is_found_in_order_of_time() {
        let mut host = Host::at(1_000);
        assert_eq!(host.append(&[record(900), record(950)]), Ok(2));
        host.now = 2_000;
        assert_eq!(host.append(&[record(1_500), record(940)]), Ok(2));
        assert_eq!(host.append(&[]), Ok(0));
        let all = host.since(0, 9_999, 10);
        assert_eq!((times(&all), all.is_complete, all.unread), (vec![900, 940, 950, 1_500], true, 0));
        assert_eq!(all.records[0], record(900));
        assert_eq!(times(&host.since(940, 950, 10)), [940, 950]);
        let newest = host.since(0, 9_999, 2);
        assert_eq!((times(&newest), newest.is_complete), (vec![950, 1_500], false));
    }

    #[test]
    fn isolates_that_append_in_the_same_moment_never_meet() {
        let mut host = Host::at(1_000);
        for number in 0..3 {
            host.random = 1;
            assert_eq!(host.append(&[record(number)]), Ok(1), "with the same chance");
        }
        assert_eq!(host.texts.len(), 3);
    }

    #[test]
    fn a_batch_that_a_client_sent_twice_by_itself_is_there_once() {
        let mut host = Host { repeats_swap: true, ..Host::at(1_000) };
        assert_eq!(host.append(&[record(1)]), Ok(1));
        assert_eq!(host.texts.len(), 1);
    }

    #[test]
    fn a_batch_has_a_bound_and_a_record_that_exceeds_it_is_refused() {
        let mut host = Host::at(1_000);
        let many: Vec<Record> = (0..250).map(record).collect();
        assert_eq!(host.append(&many), Ok(BATCH_MAX));
        let long = Record { at_ms: 1, value: json!("x".repeat(25_000)) };
        assert_eq!(host.append(&[long.clone(), long.clone(), long]), Ok(2));
        assert!(host.texts.values().all(|text| text.len() <= TEXT_MAX));
        let longest = Record { at_ms: 1, value: json!("x".repeat(TEXT_MAX)) };
        assert!(host.append(&[longest]).is_err());
    }

    #[test]
    fn what_is_old_is_forgotten_and_the_oldest_of_too_many() {
        let mut host = Host::at(1_000);
        for number in 0..100 {
            host.now = 1_000 + number;
            host.random = 2 * number + 1;
            host.append(&[record(host.now)]).unwrap();
        }
        assert_eq!((host.forget(), host.forget(), host.forget()), (32, 28, 0));
        assert_eq!(times(&host.since(0, 9_999, 1_000)), (1_060..1_100).collect::<Vec<u64>>());
        host.now = 1_060 + LOG.keep_ms;
        assert_eq!(host.forget(), 1);
        host.now = 1_099 + LOG.keep_ms;
        assert_eq!((host.forget(), host.forget(), host.texts.len()), (32, 7, 0));
    }

    #[test]
    fn some_appends_forget_by_themselves() {
        let mut host = Host::at(1_000);
        host.append(&[record(1)]).unwrap();
        host.now += LOG.keep_ms;
        host.random = 32;
        assert_eq!(host.append(&[record(2)]), Ok(1));
        assert_eq!(host.texts.len(), 1);
    }

    #[test]
    fn a_look_has_a_bound_too() {
        let mut host = Host::at(10_000_000_000);
        for number in 0..80 {
            let record = serde_json::to_string(&[record(host.now + number)]).unwrap();
            host.texts.insert(LOG.key(Instant(host.now + number), number), record);
        }
        let found = host.since(0, u64::MAX, 1_000);
        assert_eq!((found.records.len(), found.is_complete), (READ_MAX, false));
        assert_eq!(host.asked, READ_MAX + 1);
        host.asked = 0;
        assert_eq!(host.since(0, u64::MAX, 3).records.len(), 3);
        assert!(host.asked <= 6, "{}", host.asked);
    }

    #[test]
    fn what_is_no_batch_is_overlooked_and_counted() {
        let mut host = Host::at(1_000);
        host.append(&[record(900)]).unwrap();
        for (key, text) in [
            (LOG.key(Instant(1_001), 7), "[{"),
            ("records/alerts/short-7".to_owned(), "[]"),
            ("records/alerts/00000000010x0-0000000000000000".to_owned(), "[]"),
            ("records/alertsx/0000000001000-0000000000000000".to_owned(), "[]"),
        ] {
            host.texts.insert(key, text.to_owned());
        }
        let found = host.since(0, 9_999, 10);
        assert_eq!((times(&found), found.unread), (vec![900], 1));
        host.now += LOG.keep_ms + 1;
        assert_eq!(host.forget(), 2);
        assert_eq!(host.texts.len(), 3);
    }

    #[test]
    fn a_store_that_is_gone_is_an_error() {
        let mut host = Host { is_down: true, ..Host::at(1_000) };
        assert_eq!(host.append(&[record(1)]), Err("The store is gone.".to_owned()));
        let range = Range { from: Instant(0), until: Instant(1), records_max: 1 };
        assert!(host.run(|_, then| since(&LOG, range, then)).is_err());
        assert!(host.run(|_, then| forget(&LOG, then)).is_err());
    }
}
