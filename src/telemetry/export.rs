//! The background work that sends to a collector what this isolate has to say: log records and metrics by OTLP/HTTP.
//!
//! It is due every `interval_ms`, with what came in until then. A collector that is busy or gone is asked again the next
//! time, not before it says; what it does not want, and what was sent by a host that lost its request, is gone.

use std::collections::VecDeque;

use super::logs::Record;
use super::otlp::logs_body;
use crate::clock::{Instant, Millis};
use crate::http::exchange::{Answer, Cx, Next, Outgoing, Question};
use crate::metrics::otlp::Exported;

/// Records that wait at most; the oldest make room.
pub const WAITING_MAX: usize = 1_000;
/// Records of one request.
const BATCH_MAX: usize = 500;
/// Longest pause that a collector may ask for, in milliseconds.
const PAUSE_MAX_MS: Millis = 600_000;
/// Longest time for one request, in milliseconds.
const TIMEOUT_MS: Millis = 10_000;

/// What waits, and what became of the rest.
#[derive(Debug, Default)]
pub struct Exporter {
    waiting: VecDeque<Record>,
    last: Option<Instant>,
    pause_until: Option<Instant>,
    sent: u64,
    dropped: u64,
    /// What the collector has been told of the metrics.
    metrics: Exported,
}

impl Exporter {
    /// Has a record exported the next time.
    pub(super) fn take_in(&mut self, record: Record) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(record);
    }

    /// Records that the collector took, and records that are lost.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.sent, self.dropped)
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

    fn take_batch(&mut self) -> Vec<Record> {
        let length = self.waiting.len().min(BATCH_MAX);
        self.waiting.drain(..length).collect()
    }

    /// Notes what became of a batch at `now`.
    fn ended(&mut self, batch: Vec<Record>, answer: &Answer, now: Instant) {
        let count = batch.len() as u64;
        let pause_ms = match answer {
            Answer::Fetched { status: 200..=299, .. } => {
                self.sent += count;
                return;
            }
            Answer::Fetched { status: 429 | 502 | 503 | 504, retry_after } => {
                retry_after.as_deref().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or_default() * 1_000
            }
            Answer::Fetched { .. } => {
                self.dropped += count;
                return;
            }
            _ => 0,
        };
        self.pause_until = Some(now.plus(pause_ms.min(PAUSE_MAX_MS)));
        let room = WAITING_MAX - self.waiting.len();
        // Of too many the newest stay.
        let surplus = batch.len().saturating_sub(room);
        self.dropped += surplus as u64;
        for record in batch.into_iter().skip(surplus).rev() {
            self.waiting.push_front(record);
        }
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
    let batch = cx.monitor.telemetry_mut().exporter_mut().take_batch();
    if batch.is_empty() {
        return send_metrics(cx);
    }
    let body = logs_body(batch.iter(), &cx.monitor.settings().telemetry.otlp.service_name);
    Next::ask(Question::Export(outgoing("logs", body, cx)), |answer, cx| {
        let was_sent = matches!(answer, Answer::Fetched { status: 200..=299, .. });
        cx.monitor.telemetry_mut().exporter_mut().ended(batch, &answer, cx.now);
        if was_sent { send_logs(cx) } else { Next::Done }
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
                // The pause that it asks for, and nothing else: there is no batch.
                exporter.ended(Vec::new(), &answer, now);
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
        assert_eq!(monitor.telemetry().exporter().waiting.len(), WAITING_MAX);
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
