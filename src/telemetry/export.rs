//! The background work that sends to a collector what this isolate has to say: log records, spans and metrics by OTLP/HTTP.
//!
//! It is due every `interval_ms`, with what came in until then. A collector that is busy or gone is asked again the next
//! time, not before it says; what it does not want, and what was sent by a host that lost its request, is gone.

use std::collections::VecDeque;

use super::logs::Record;
use super::otlp::{logs_body, traces_body};
use super::span::Span;
use crate::clock::{Instant, Millis};
use crate::http::exchange::{Answer, Cx, Next, Outgoing, Question};
use crate::metrics::otlp::Exported;

/// Records, and spans, that wait at most; the oldest make room.
pub const WAITING_MAX: usize = 1_000;
/// Records, or spans, of one request.
const BATCH_MAX: usize = 500;
/// Longest pause that a collector may ask for, in milliseconds.
const PAUSE_MAX_MS: Millis = 600_000;
/// Longest time for one request, in milliseconds.
const TIMEOUT_MS: Millis = 10_000;

/// What waits, and what became of the rest.
#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    sent: u64,
    dropped: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), sent: 0, dropped: 0 }
    }
}

impl<T> Queue<T> {
    fn take_in(&mut self, item: T) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(item);
    }

    fn take_batch(&mut self) -> Vec<T> {
        let length = self.waiting.len().min(BATCH_MAX);
        self.waiting.drain(..length).collect()
    }

    /// Notes what became of a batch.
    fn ended(&mut self, batch: Vec<T>, verdict: Verdict) {
        let count = batch.len() as u64;
        match verdict {
            Verdict::Taken => self.sent += count,
            Verdict::Unwanted => self.dropped += count,
            Verdict::Later(_) => {
                // Of too many the newest stay.
                let surplus = batch.len().saturating_sub(WAITING_MAX - self.waiting.len());
                self.dropped += surplus as u64;
                for item in batch.into_iter().skip(surplus).rev() {
                    self.waiting.push_front(item);
                }
            }
        }
    }
}

/// What a collector says of what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It has it.
    Taken,
    /// It does not want it.
    Unwanted,
    /// It may be asked again after so many milliseconds.
    Later(Millis),
}

impl Verdict {
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Fetched { status: 200..=299, .. } => Self::Taken,
            Answer::Fetched { status: 429 | 502 | 503 | 504, retry_after } => {
                let seconds = retry_after.as_deref().and_then(|text| text.trim().parse::<u64>().ok());
                Self::Later(seconds.unwrap_or_default().saturating_mul(1_000).min(PAUSE_MAX_MS))
            }
            Answer::Fetched { .. } => Self::Unwanted,
            _ => Self::Later(0),
        }
    }
}

/// What is to be exported, and when.
#[derive(Debug, Default)]
pub struct Exporter {
    records: Queue<Record>,
    spans: Queue<Span>,
    last: Option<Instant>,
    pause_until: Option<Instant>,
    /// What the collector has been told of the metrics.
    metrics: Exported,
}

impl Exporter {
    /// Has a record exported the next time.
    pub(super) fn take_in(&mut self, record: Record) {
        self.records.take_in(record);
    }

    /// Has a span exported the next time.
    pub(super) fn take_in_span(&mut self, span: Span) {
        self.spans.take_in(span);
    }

    /// Records that the collector took, and records that are lost.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.records.sent, self.records.dropped)
    }

    /// The same of spans.
    #[must_use]
    pub const fn span_counts(&self) -> (u64, u64) {
        (self.spans.sent, self.spans.dropped)
    }

    /// Takes the export on, if it is due at `now`. A clock that stepped back makes it due.
    fn claim(&mut self, interval_ms: Millis, now: Instant) -> bool {
        let is_young = self.last.is_some_and(|last| last <= now && now.since(last) < interval_ms);
        // A pause lies at most so far ahead, unless the clock has stepped back.
        let is_paused = self.pause_until.is_some_and(|until| now < until && until.since(now) <= PAUSE_MAX_MS);
        if is_young || is_paused {
            return false;
        }
        self.last = Some(now);
        true
    }

    /// Heeds what the collector said at `now`; whether it took what it was sent.
    fn heed(&mut self, verdict: Verdict, now: Instant) -> bool {
        if let Verdict::Later(pause_ms) = verdict {
            self.pause_until = Some(now.plus(pause_ms));
        }
        verdict == Verdict::Taken
    }
}

/// Sends what waits, if that is due.
pub(crate) fn begin(cx: &mut Cx<'_>) -> Next {
    let otlp = &cx.monitor.settings().telemetry.otlp;
    if !otlp.is_on() {
        return Next::Done;
    }
    let interval_ms = otlp.interval_ms;
    if !cx.monitor.telemetry_mut().exporter_mut().claim(interval_ms, cx.now) {
        return Next::Done;
    }
    Next::ask(Question::Logs, |answer, cx| {
        cx.monitor.take_in(answer);
        send_logs(cx)
    })
}

fn send_logs(cx: &mut Cx<'_>) -> Next {
    let batch = cx.monitor.telemetry_mut().exporter_mut().records.take_batch();
    if batch.is_empty() {
        return send_spans(cx);
    }
    let body = logs_body(batch.iter(), &cx.monitor.settings().telemetry.otlp.service_name);
    Next::ask(Question::Export(outgoing("logs", body, cx)), |answer, cx| {
        let exporter = cx.monitor.telemetry_mut().exporter_mut();
        let verdict = Verdict::of(&answer);
        exporter.records.ended(batch, verdict);
        if exporter.heed(verdict, cx.now) { send_logs(cx) } else { Next::Done }
    })
}

fn send_spans(cx: &mut Cx<'_>) -> Next {
    let batch = cx.monitor.telemetry_mut().exporter_mut().spans.take_batch();
    if batch.is_empty() {
        return send_metrics(cx);
    }
    let body = traces_body(batch.iter(), &cx.monitor.settings().telemetry.otlp.service_name);
    Next::ask(Question::Export(outgoing("traces", body, cx)), |answer, cx| {
        let exporter = cx.monitor.telemetry_mut().exporter_mut();
        let verdict = Verdict::of(&answer);
        exporter.spans.ended(batch, verdict);
        if exporter.heed(verdict, cx.now) { send_spans(cx) } else { Next::Done }
    })
}

/// What was counted since the collector took it last. What it did not take, and what nobody knows of, is told again.
fn send_metrics(cx: &Cx<'_>) -> Next {
    if !cx.monitor.settings().metrics.enabled {
        return Next::Done;
    }
    Next::ask(Question::Facts { probe_age_max_ms: None }, |answer, cx| {
        let Answer::Facts(facts) = answer else { return Next::Done };
        let picture = cx.monitor.picture(&facts);
        let service = cx.monitor.settings().telemetry.otlp.service_name.clone();
        let started_at = Instant(cx.now.0.saturating_sub(facts.uptime_ms));
        let told = &cx.monitor.telemetry().exporter().metrics;
        let body = told.request(&picture, &[("service.name", &service)], started_at, cx.now);
        Next::ask(Question::Export(outgoing("metrics", body, cx)), move |answer, cx| {
            let now = cx.now;
            let exporter = cx.monitor.telemetry_mut().exporter_mut();
            if matches!(answer, Answer::Fetched { status: 200..=299, .. }) {
                exporter.metrics.keep(&picture, now);
            } else {
                _ = exporter.heed(Verdict::of(&answer), now);
            }
            Next::Done
        })
    })
}

/// A request to the collector.
fn outgoing(signal: &str, body: String, cx: &Cx<'_>) -> Outgoing<String> {
    let otlp = &cx.monitor.settings().telemetry.otlp;
    let mut headers: Vec<(String, String)> =
        otlp.headers.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    headers.retain(|(name, _)| name != "content-type");
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    Outgoing { url: otlp.url(signal), method: "POST", headers, body, timeout_ms: TIMEOUT_MS }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::monitor::{Monitor, Settings};
    use crate::report::facts::{DatabaseFacts, Facts};
    use crate::telemetry::span::{Attributes, Codes};
    use crate::telemetry::watch::Watch;

    fn monitor() -> Monitor {
        let settings =
            r#"{"telemetry":{"otlp":{"endpoint":"http://c:4318","headers":"x-key=k","serviceName":"shop"}}}"#;
        Monitor::new(Settings::from_json(settings).unwrap())
    }

    fn records(count: usize) -> Vec<Record> {
        let text = r#"{"level":"warn","msg":"slow query","atMs":1704067200000}"#;
        (0..count).map(|_| serde_json::from_str(text).unwrap()).collect()
    }

    /// Runs the export at `now` with these new records; what was sent, which the collector answers by `status`.
    fn exported(
        monitor: &mut Monitor,
        now: u64,
        new: usize,
        status: u16,
        retry_after: Option<&str>,
    ) -> Vec<Outgoing<String>> {
        let mut sent = Vec::new();
        let mut cx = Cx { monitor, now: Instant(now), random: 0 };
        let mut next = begin(&mut cx);
        loop {
            next = match next {
                Next::Ask(Question::Logs, then) => then(Answer::Logs(records(new)), &mut cx),
                Next::Ask(Question::Facts { .. }, then) => then(Answer::Failed(String::new()), &mut cx),
                Next::Ask(Question::Export(outgoing), then) => {
                    sent.push(outgoing);
                    then(Answer::Fetched { status, retry_after: retry_after.map(str::to_owned) }, &mut cx)
                }
                Next::Done => return sent,
                _ => panic!("an unknown question"),
            };
        }
    }

    #[test]
    fn records_are_sent_in_batches_every_interval() {
        let mut monitor = monitor();
        let sent = exported(&mut monitor, 1_000_000, 501, 200, None);
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].url, "http://c:4318/v1/logs");
        assert!(sent[0].headers.contains(&("x-key".to_owned(), "k".to_owned())));
        assert!(sent[0].body.contains(r#""stringValue":"shop""#));
        assert!(exported(&mut monitor, 1_059_999, 1, 200, None).is_empty());
        assert_eq!(exported(&mut monitor, 1_060_000, 1, 200, None).len(), 1);
        assert_eq!(monitor.telemetry().exporter().counts(), (502, 0));
    }

    #[test]
    fn a_busy_collector_is_asked_again_when_it_says() {
        let mut monitor = monitor();
        assert_eq!(exported(&mut monitor, 1_000_000, 3, 503, Some("120")).len(), 1);
        assert!(exported(&mut monitor, 1_119_999, 0, 200, None).is_empty());
        let sent = exported(&mut monitor, 1_120_000, 0, 200, None);
        assert_eq!(sent[0].body.matches("slow query").count(), 3);
        assert_eq!(monitor.telemetry().exporter().counts(), (3, 0));
    }

    #[test]
    fn what_a_collector_does_not_want_is_counted_and_what_waits_has_a_bound() {
        let mut monitor = monitor();
        _ = exported(&mut monitor, 1_000_000, 3, 400, None);
        assert_eq!(monitor.telemetry().exporter().counts(), (0, 3));
        _ = exported(&mut monitor, 2_000_000, WAITING_MAX + 7, 503, Some("soon"));
        assert_eq!(monitor.telemetry().exporter().counts(), (0, 10));
        assert_eq!(monitor.telemetry().exporter().records.waiting.len(), WAITING_MAX);
    }

    /// TRC-01: spans leave beside the records, are kept for a collector that is busy, and have a bound
    #[test]
    fn spans_are_sent_as_records_are() {
        let mut monitor = monitor();
        let settings = monitor.settings().telemetry.clone();
        let take_in = |monitor: &mut Monitor, count: usize| {
            for seed in 0..count as u64 {
                let tracing = settings.tracing(None).unwrap();
                let watch = Watch::begin("healthCheck", &Attributes::new(), tracing, seed, Instant(1));
                let mut spans = watch.ended(None, &mut Codes::default(), Instant(2));
                monitor.telemetry_mut().take_in_spans(spans.split_off(1), &settings);
            }
        };
        take_in(&mut monitor, 501);
        let sent = exported(&mut monitor, 1_000_000, 1, 200, None);
        let urls: Vec<&str> = sent.iter().map(|outgoing| outgoing.url.as_str()).collect();
        assert_eq!(urls, ["http://c:4318/v1/logs", "http://c:4318/v1/traces", "http://c:4318/v1/traces"]);
        assert!(sent[1].headers.contains(&("x-key".to_owned(), "k".to_owned())));
        assert!(sent[1].body.contains(r#""stringValue":"shop""#));
        take_in(&mut monitor, WAITING_MAX + 7);
        assert_eq!(exported(&mut monitor, 2_000_000, 0, 503, None).len(), 1);
        assert_eq!(monitor.telemetry().exporter().span_counts(), (501, 7));
        assert_eq!(monitor.telemetry().exporter().spans.waiting.len(), WAITING_MAX);
        assert_eq!(exported(&mut monitor, 3_000_000, 0, 200, None).len(), 2);
        assert_eq!(monitor.telemetry().exporter().span_counts(), (501 + WAITING_MAX as u64, 7));
    }

    #[test]
    fn metrics_tell_what_was_counted_since_the_collector_took_it_last() {
        let mut monitor = monitor();
        // How often the database answered until then, and the collector's status: what it is told.
        let mut told = |now: u64, successful: u64, status: u16| {
            let mut cx = Cx { monitor: &mut monitor, now: Instant(now), random: 0 };
            let mut database = DatabaseFacts { name: "primary".to_owned(), ..DatabaseFacts::default() };
            database.status.totals.successful = successful;
            let facts = Facts { now_ms: now, uptime_ms: 1_000, databases: vec![database], ..Facts::default() };
            let mut count = None;
            let mut next = begin(&mut cx);
            loop {
                next = match next {
                    Next::Ask(Question::Logs, then) => then(Answer::Logs(Vec::new()), &mut cx),
                    Next::Ask(Question::Facts { probe_age_max_ms: None }, then) => {
                        then(Answer::Facts(facts.clone()), &mut cx)
                    }
                    Next::Ask(Question::Export(outgoing), then) => {
                        assert_eq!(outgoing.url, "http://c:4318/v1/metrics");
                        let body: Value = serde_json::from_str(&outgoing.body).unwrap();
                        let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
                        let operations = metrics.iter().find(|it| it["name"] == "seawall.operations").unwrap();
                        assert_eq!(operations["sum"]["aggregationTemporality"], 1);
                        let points = operations["sum"]["dataPoints"].as_array().unwrap();
                        count = points.iter().filter_map(|point| point["asDouble"].as_f64()).reduce(|a, b| a + b);
                        then(Answer::Fetched { status, retry_after: None }, &mut cx)
                    }
                    Next::Done => return count,
                    _ => panic!("an unknown question"),
                };
            }
        };
        assert_eq!(told(1_000_000, 5, 200), Some(5.0));
        assert_eq!(told(1_030_000, 6, 200), None, "it is not due");
        assert_eq!(told(1_060_000, 7, 503), Some(2.0));
        assert_eq!(told(1_120_000, 9, 200), Some(4.0), "what was not taken is told again");
    }

    #[test]
    fn a_clock_that_steps_back_holds_nothing_up() {
        let mut monitor = monitor();
        _ = exported(&mut monitor, 100_000_000, 1, 503, Some("600"));
        assert_eq!(exported(&mut monitor, 1_000, 0, 200, None).len(), 1);
    }

    #[test]
    fn without_a_collector_nothing_is_asked() {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1), random: 0 };
        assert!(matches!(begin(&mut cx), Next::Done));
    }
}
