//! The background work: look, note what is found in the document that all isolates share, send what is due.
//!
//! A message is claimed by the same swap that notes what is found, sent, and settled by the next one. Whoever is cut off in
//! between leaves a document that is right: the message is sent once more, with its id. Without a strong store, or while it
//! fails, the isolate goes on with the document that it knows, and brings what the store lacks along when it is back.

use litemap::LiteMap;

use super::conditions::Condition;
use super::lifecycle::{Event, Look};
use super::outbox::{Ending, Message, OUTCOMES, Outcome};
use super::rules::Watch;
use super::settings::{Receiver, Settings};
use super::signature;
use super::sinks;
use super::state::{Document, KEY, Unreadable};
use super::url_policy::{self, Refused};
use crate::clock::{Instant, Millis};
use crate::http::exchange::{Answer, Cx, Next, Outgoing, Question};
use crate::report::score::Score;
use crate::rng::SplitMix;

/// Least time between two looks, in milliseconds.
const LOOK_MS: Millis = 1_000;
/// The document is read again after so long, in milliseconds: while something fires or is to be sent, and while nothing does.
const READ_BUSY_MS: Millis = 30_000;
const READ_IDLE_MS: Millis = 300_000;
/// Swaps that others were quicker with, before it is left for the next look.
const SWAPS_MAX: u32 = 5;
/// Messages that are sent in one go.
const SENDS_MAX: u32 = 20;
/// Circuits that opened and closed unseen, and are not yet noted.
const PASSED_MAX: usize = 20;
/// What each message carries, so that a service that is told of its own alerts answers 508 and tells nobody.
pub const LOOP_HEADER: &str = "seawall-alert";

/// What an isolate keeps of alerts.
#[derive(Debug, Default)]
pub struct Alerts {
    receivers: Vec<Receiver>,
    /// The name under which it holds alerts; empty before the first look.
    isolate: String,
    watch: Watch,
    passed: Vec<Condition>,
    looked_at: Option<Instant>,
    read_at: Option<Instant>,
    document: Document,
    /// Whether the document has what the store may lack.
    is_ahead: bool,
    counts: LiteMap<String, [u64; OUTCOMES.len()]>,
}

/// How a change of the document ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<R> {
    /// It is done; this was its answer.
    Done(R),
    /// Others were quicker, again and again. Nothing was changed.
    Busy,
    /// Nobody knows whether it was done.
    Unknown,
}

impl Alerts {
    /// Knows of no alert yet. Settings that cannot be used were refused before; here they tell nobody.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { receivers: settings.receivers().unwrap_or_default(), ..Self::default() }
    }

    /// What is known of alerts, as it was read last.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// Who is told.
    #[must_use]
    pub fn receivers(&self) -> &[Receiver] {
        &self.receivers
    }

    /// How often this isolate's messages ended in which way: receiver, outcome, count. It never decreases.
    pub fn deliveries(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        self.counts.iter().flat_map(|(sink, counts)| {
            OUTCOMES.iter().zip(counts).map(move |(outcome, count)| (sink.as_str(), outcome.name(), *count))
        })
    }

    fn count(&mut self, sink: &str, outcome: Outcome) {
        // Messages of receivers that are not known here come from other isolates.
        if !self.counts.contains_key(sink) && self.counts.len() <= self.receivers.len() {
            self.counts.insert(sink.to_owned(), [0; OUTCOMES.len()]);
        }
        if let Some(count) = self.counts.get_mut(sink).and_then(|counts| counts.get_mut(outcome as usize)) {
            *count = count.saturating_add(1);
        }
    }

    fn is_read_due(&self, now: Instant) -> bool {
        let is_busy = self.document.book.active().next().is_some() || !self.document.outbox.messages.is_empty();
        let age_max_ms = if is_busy { READ_BUSY_MS } else { READ_IDLE_MS };
        self.read_at.is_none_or(|read| read > now || now.since(read) >= age_max_ms)
    }
}

/// Begins the background work, if it is time to look.
pub(crate) fn begin(cx: &mut Cx<'_>) -> Next {
    let (now, random) = (cx.now, cx.random);
    let is_enabled = cx.monitor.settings().alerts.enabled;
    let alerts = cx.monitor.alerts_mut();
    let is_young = alerts.looked_at.is_some_and(|looked| looked <= now && now.since(looked) < LOOK_MS);
    if !is_enabled || is_young {
        return Next::Done;
    }
    alerts.looked_at = Some(now);
    if alerts.isolate.is_empty() {
        alerts.isolate = format!("{random:016x}");
    }
    Next::ask(Question::Facts { probe_age_max_ms: None }, looked)
}

/// Judges what the host knows.
fn looked(answer: Answer, cx: &mut Cx<'_>) -> Next {
    let Answer::Facts(facts) = answer else { return Next::Done };
    let scores: Vec<Option<f64>> =
        facts.databases.iter().map(|database| Some(f64::from(Score::of(database, facts.now()).score))).collect();
    let (now, random) = (cx.now, cx.random);
    let (settings, alerts) = cx.monitor.alerts_and_settings();
    let found = alerts.watch.look(&facts, &scores, settings);
    alerts.passed.extend(found.passed);
    let excess = alerts.passed.len().saturating_sub(PASSED_MAX);
    alerts.passed.drain(..excess);
    // On a copy: whether anything would come of it.
    let mut draft = alerts.document.clone();
    noted(&mut draft, alerts, &found.conditions, settings, random, now);
    let is_due = draft.outbox.due_at(&alerts.receivers).is_some_and(|due| due <= now);
    if draft == alerts.document && !is_due && !alerts.is_read_due(now) {
        return Next::Done;
    }
    note(Work { conditions: found.conditions, settled: None, sends: 0 })
}

/// What is to be noted and done.
#[derive(Clone, Debug)]
struct Work {
    conditions: Vec<Condition>,
    settled: Option<(Message, Receiver, Ending)>,
    sends: u32,
}

/// Notes it, and goes on with the message that was claimed on the way.
fn note(work: Work) -> Next {
    let Work { conditions, settled, sends } = work.clone();
    let apply = move |document: &mut Document, cx: &mut Cx<'_>| {
        let (now, random) = (cx.now, cx.random);
        let (settings, alerts) = cx.monitor.alerts_and_settings();
        if let Some((message, receiver, ending)) = &settled {
            document.outbox.settle(message, receiver, ending, &mut SplitMix::new(random), now);
        }
        let dropped = noted(document, alerts, &conditions, settings, random, now);
        let claimed = if sends < SENDS_MAX { document.outbox.claim(&alerts.receivers, now) } else { None };
        (claimed, dropped)
    };
    change(apply, move |changed, cx| {
        let Change::Done((claimed, dropped)) = changed else { return Next::Done };
        let alerts = cx.monitor.alerts_mut();
        alerts.passed.clear();
        for sink in dropped {
            alerts.count(&sink, Outcome::Dropped);
        }
        match claimed {
            Some(message) => send(message, work, cx),
            None => Next::Done,
        }
    })
}

/// Writes into `document` what was found; the receivers of messages that made room.
fn noted(
    document: &mut Document,
    alerts: &Alerts,
    conditions: &[Condition],
    settings: &Settings,
    token: u64,
    now: Instant,
) -> Vec<String> {
    let look = Look { isolate: &alerts.isolate, token, now, cool_down_ms: settings.cool_down_ms };
    let mut events: Vec<Event> = Vec::new();
    for passed in &alerts.passed {
        events.extend(document.book.passed(passed, &look));
    }
    events.extend(document.book.observe(conditions, &look));
    let mut dropped = document.outbox.expire(now);
    dropped.extend(document.outbox.put(&events, &alerts.receivers, token, now));
    dropped
}

/// Sends a message that was claimed, then notes how that ended.
fn send(message: Message, work: Work, cx: &mut Cx<'_>) -> Next {
    let now = cx.now;
    let (settings, alerts) = cx.monitor.alerts_and_settings();
    let Some(receiver) = alerts.receivers.iter().find(|receiver| receiver.name == message.sink).cloned() else {
        return Next::Done;
    };
    // Once more, where it matters: nothing that was let in is sent anywhere else.
    if let Err(Refused(_)) = url_policy::check(&receiver.url, &settings.allowed_hosts, &settings.own_hosts) {
        return Next::Done;
    }
    let outgoing = outgoing(&receiver, &message, settings.timeout_ms, now);
    Next::ask(Question::Fetch(outgoing), move |answer, cx| {
        let ending = match answer {
            Answer::Fetched { status, retry_after } => Ending::Answered(status, retry_after),
            _ => Ending::Unanswered,
        };
        cx.monitor.alerts_mut().count(&receiver.name, Outcome::of(message.tries, &ending));
        note(Work { settled: Some((message, receiver, ending)), sends: work.sends + 1, ..work })
    })
}

fn outgoing(receiver: &Receiver, message: &Message, timeout_ms: Millis, now: Instant) -> Outgoing {
    let payload = sinks::payload(receiver, &message.event, &message.id);
    let mut headers = vec![
        ("content-type", payload.content_type.to_owned()),
        ("user-agent", concat!("seawall/", env!("CARGO_PKG_VERSION")).to_owned()),
        (LOOP_HEADER, "1".to_owned()),
    ];
    headers.extend(signature::headers(&receiver.secrets, &message.id, &payload.body, now));
    if !receiver.authorization.is_empty() {
        headers.push(("authorization", receiver.authorization.clone()));
    }
    Outgoing { url: receiver.url.clone(), method: "POST", headers, body: payload.body, timeout_ms }
}

/// Changes the document by compare-and-set: `apply` is called anew whenever somebody else was quicker.
///
/// An `apply` that changes nothing writes nothing.
pub(crate) fn change<R: 'static>(
    apply: impl Fn(&mut Document, &mut Cx<'_>) -> R + 'static,
    then: impl FnOnce(Change<R>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    attempt(apply, then, 1)
}

fn attempt<R: 'static>(
    apply: impl Fn(&mut Document, &mut Cx<'_>) -> R + 'static,
    then: impl FnOnce(Change<R>, &mut Cx<'_>) -> Next + 'static,
    number: u32,
) -> Next {
    Next::ask(Question::Read { key: KEY.to_owned() }, move |answer, cx| {
        let text = match answer {
            Answer::Text(text) => text,
            _ => return alone(&apply, then, cx),
        };
        let Some((known, mut draft)) = drafted(text.as_deref(), cx) else { return alone(&apply, then, cx) };
        let answered = apply(&mut draft, cx);
        if draft == known {
            settle_on(draft, false, cx);
            return then(Change::Done(answered), cx);
        }
        let question = Question::swap(KEY, text, Some(draft.encode()));
        Next::ask(question, move |answer, cx| match answer {
            Answer::Swapped(true) => {
                settle_on(draft, false, cx);
                then(Change::Done(answered), cx)
            }
            Answer::Swapped(false) if number < SWAPS_MAX => attempt(apply, then, number + 1),
            Answer::Swapped(false) => then(Change::Busy, cx),
            _ => then(Change::Unknown, cx),
        })
    })
}

/// The document that the store has, and a draft of the next one, which has what this isolate knows and the store lacks.
/// `None` if a newer release wrote it.
pub(crate) fn drafted(text: Option<&str>, cx: &mut Cx<'_>) -> Option<(Document, Document)> {
    let known = match text.map(Document::decode) {
        None | Some(Err(Unreadable::Garbage)) => Document::default(),
        Some(Ok(document)) => document,
        Some(Err(Unreadable::Newer)) => return None,
    };
    let mut draft = known.clone();
    let alerts = cx.monitor.alerts_mut();
    alerts.read_at = Some(cx.now);
    if alerts.is_ahead {
        draft.absorb(alerts.document.clone());
    }
    Some((known, draft))
}

/// The same without a store.
fn alone<R>(
    apply: &impl Fn(&mut Document, &mut Cx<'_>) -> R,
    then: impl FnOnce(Change<R>, &mut Cx<'_>) -> Next,
    cx: &mut Cx<'_>,
) -> Next {
    let mut draft = cx.monitor.alerts_mut().document.clone();
    let answered = apply(&mut draft, cx);
    cx.monitor.alerts_mut().read_at = Some(cx.now);
    settle_on(draft, true, cx);
    then(Change::Done(answered), cx)
}

/// This is the document, as far as is known.
pub(crate) fn settle_on(document: Document, is_ahead: bool, cx: &mut Cx<'_>) {
    let alerts = cx.monitor.alerts_mut();
    alerts.document = document;
    alerts.is_ahead = is_ahead;
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
