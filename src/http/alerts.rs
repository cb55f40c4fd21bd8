//! The routes of alerts: the list, and what operators order.
//!
//! Whoever gets here was let in by the table of routes. `seawall/monitor` gives the same orders from within the process.

use serde::{Deserialize, Serialize};

use super::alert_writes::write;
use super::call::Call;
use super::exchange::{Cx, Next};
use super::{Response, body};
use crate::alerts::Alerts;
use crate::alerts::delivery::{Change, change};
use crate::alerts::lifecycle::{Alert, OrderFailed, SILENCE_MAX_MS, Stage};
use crate::alerts::silence::{Matcher, Silence};
use crate::alerts::state::Document;
use crate::alerts::url_policy;
use crate::clock::Millis;
use crate::report::health::Health;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "order", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Order {
    /// All there is.
    List,
    /// Somebody saw an alert.
    Acknowledge {
        /// Which.
        id: String,
        /// Who.
        #[serde(default)]
        by: String,
    },
    /// Something is not told for a while.
    Silence {
        /// An alert: all of its rule about its database.
        #[serde(default)]
        id: Option<String>,
        /// Or any that match.
        #[serde(default, rename = "match")]
        matcher: Option<Matcher>,
        /// How long, in milliseconds; 0 ends the silence.
        duration_ms: Millis,
        /// Why.
        #[serde(default)]
        reason: String,
        /// Whose it is.
        #[serde(default)]
        by: String,
    },
}

/// The body of `POST …/{id}/ack`; it may be empty.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AckBody {
    by: String,
}

/// The body of `POST …/{id}/silence`, and of `POST …/silences`, where `match` says which alerts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SilenceBody {
    duration_ms: Millis,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    by: String,
    #[serde(default, rename = "match")]
    matcher: Option<Matcher>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    alerts: Vec<&'a Alert>,
    history: Vec<&'a Alert>,
    silences: &'a [Silence],
    sinks: Vec<SinkListed<'a>>,
    /// Messages that are still to be sent.
    pending: usize,
    /// Conditions that found no room.
    dropped: u64,
}

/// A receiver as it may be shown: an address is a secret, so its path and query are not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SinkListed<'a> {
    name: &'a str,
    kind: &'static str,
    url: String,
    is_signed: bool,
    /// Whether its address answered that it is gone.
    is_gone: bool,
}

/// `GET /alerts`.
pub(super) fn list(_: &Call, _: &mut Cx<'_>) -> Next {
    begin(Order::List)
}

/// `POST /alerts/{id}/ack`.
pub(super) fn acknowledge(call: &Call, _: &mut Cx<'_>) -> Next {
    let Call { request, rest: id, .. } = call;
    let is_empty = request.body.is_empty() && request.body_problem.is_none();
    match if is_empty { Ok(AckBody::default()) } else { body::object(request) } {
        Ok(AckBody { by }) => {
            write(call, "acknowledgeAlert", Order::Acknowledge { id: id.to_owned(), by: said(call, by) })
        }
        Err(refused) => Next::Respond(refused),
    }
}

/// `POST /alerts/{id}/silence`.
pub(super) fn silence(call: &Call, _: &mut Cx<'_>) -> Next {
    match body::object(&call.request) {
        Ok(SilenceBody { duration_ms, reason, by, matcher: None }) => {
            let (id, by) = (Some(call.rest.clone()), said(call, by));
            write(call, "silenceAlert", Order::Silence { id, matcher: None, duration_ms, reason, by })
        }
        Ok(_) => {
            let detail = "The alert in the path says what is silenced; `match` belongs to POST /alerts/silences.";
            Next::Respond(body::unusable(detail))
        }
        Err(refused) => Next::Respond(refused),
    }
}

/// `POST /alerts/silences`.
pub(super) fn silences(call: &Call, _: &mut Cx<'_>) -> Next {
    match body::object(&call.request) {
        Ok(SilenceBody { duration_ms, reason, by, matcher }) => {
            let by = said(call, by);
            write(call, "silenceAlerts", Order::Silence { id: None, matcher, duration_ms, reason, by })
        }
        Err(refused) => Next::Respond(refused),
    }
}

/// Who acts, unless they say for whom.
fn said(call: &Call, by: String) -> String {
    if by.is_empty() { call.principal.name.clone() } else { by }
}

/// Carries out an order that comes from within the process, or only looks: nothing is recorded.
#[must_use]
pub fn begin(order: Order) -> Next {
    let apply = move |document: &mut Document, cx: &mut Cx<'_>| apply(&order, document, cx);
    change(apply, |changed, cx| {
        Next::Respond(match changed {
            Change::Done(Ok(())) => {
                let alerts = cx.monitor.alerts();
                listed(alerts.document(), alerts)
            }
            Change::Done(Err(refused)) => refused.response(),
            Change::Busy => Response::problem(
                503,
                "STORE_BUSY",
                "Others were quicker",
                "Others changed the alerts at the same time. Nothing was changed: ask again.",
            ),
            Change::Unknown => unknown(),
        })
    })
}

/// Nobody knows whether an order was carried out.
pub(super) fn unknown() -> Response {
    let detail =
        "The store did not answer after the change was sent. GET the list to find out; asking again does no harm.";
    Response::problem(503, "OUTCOME_UNKNOWN", "Nobody knows whether it was done", detail)
}

/// Adds to the health document what fires and is not in it: rules that it does not know, and other databases'.
pub(super) fn add_to(health: &mut Health, first: &str, alerts: &Alerts) {
    for alert in alerts.document().book.active() {
        let is_of_first = alert.database == first;
        let name = if is_of_first { alert.rule.clone() } else { alert.fingerprint() };
        let of = if is_of_first { String::new() } else { format!(" ({})", alert.database) };
        health.add(&name, alert.severity.name(), format!("{}{of}", alert.message));
    }
}

/// Why an order is not carried out.
pub(super) enum OrderRefused {
    Alert(OrderFailed),
    Request(&'static str),
}

impl OrderRefused {
    pub(super) fn response(&self) -> Response {
        match self {
            Self::Alert(OrderFailed::NotFound) => Response::problem(
                404,
                "ALERT_NOT_FOUND",
                "No such alert",
                "There is no alert of this id. GET the list for those there are.",
            ),
            Self::Alert(OrderFailed::Resolved) => {
                Response::problem(409, "ALERT_RESOLVED", "The alert is over", "The alert of this id is over.")
            }
            Self::Alert(OrderFailed::TooMany) => Response::problem(
                409,
                "TOO_MANY_SILENCES",
                "Too many silences",
                "There are 50 silences. End one with durationMs 0.",
            ),
            Self::Request(detail) => body::unusable(detail),
        }
    }
}

/// Does in `document` what was ordered.
pub(super) fn apply(order: &Order, document: &mut Document, cx: &mut Cx<'_>) -> Result<(), OrderRefused> {
    let (now, token) = (cx.now, cx.random);
    match order {
        Order::List => Ok(()),
        Order::Acknowledge { id, by } => {
            let by = if by.is_empty() { "admin" } else { by };
            let event = document.book.acknowledge(id, by, now).map_err(OrderRefused::Alert)?;
            document.outbox.put(event.as_slice(), cx.monitor.alerts().receivers(), token, now);
            Ok(())
        }
        Order::Silence { id, matcher, duration_ms, reason, by } => {
            if *duration_ms > SILENCE_MAX_MS {
                return Err(OrderRefused::Request("durationMs must be at most 604800000, a week."));
            }
            let matcher = match (id, matcher) {
                (Some(id), None) => {
                    let book = &document.book;
                    let alert = book.alerts.iter().chain(&book.history).rev().find(|alert| alert.id == *id);
                    let alert = alert.ok_or(OrderRefused::Alert(OrderFailed::NotFound))?;
                    let (rule, database) = (Some(alert.rule.clone()), Some(alert.database.clone()));
                    Matcher { rule, database, severity: None }
                }
                (None, Some(matcher)) => matcher.clone(),
                _ => {
                    return Err(OrderRefused::Request(
                        "Say which alerts: give `match`, with a rule, a database or a severity.",
                    ));
                }
            };
            let by = if by.is_empty() { "admin" } else { by };
            document.book.silence(matcher, *duration_ms, reason, by, now).map_err(OrderRefused::Alert)
        }
    }
}

/// The list of what is in `document`.
pub(super) fn listed(document: &Document, alerts: &Alerts) -> Response {
    let Document { book, outbox, .. } = document;
    let sinks = alerts.receivers().iter().map(|receiver| SinkListed {
        name: &receiver.name,
        kind: receiver.kind.name(),
        url: url_policy::origin(&receiver.url),
        is_signed: !receiver.secrets.is_empty(),
        is_gone: outbox.is_gone(receiver),
    });
    let document = Listed {
        alerts: book.alerts.iter().filter(|alert| alert.stage != Stage::Resolved).collect(),
        history: book.history.iter().rev().collect(),
        silences: &book.silences,
        sinks: sinks.collect(),
        pending: outbox.messages.len(),
        dropped: book.dropped,
    };
    Response::json(200, "application/json", &document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::conditions::{Condition, Severity};
    use crate::alerts::lifecycle::Look;
    use crate::alerts::settings::{SecretText, Settings, Sink};
    use crate::alerts::sinks::Kind;
    use crate::alerts::state::KEY;
    use crate::audit::fake::Host;
    use crate::clock::Instant;
    use crate::http::Request;
    use crate::http::exchange::{Answer, Question};
    use crate::monitor::{Monitor, settings};
    use crate::report::facts::{DatabaseFacts, Facts};
    use crate::report::status::{Recent, Status};

    const NOW: Instant = Instant(1_704_067_200_000);

    fn monitor() -> Monitor {
        let sink = Sink {
            name: "oncall".to_owned(),
            kind: Some(Kind::PagerDuty),
            url: None,
            secrets: Vec::new(),
            routing_key: Some(SecretText("s3cret-key".to_owned())),
            authorization: None,
        };
        let webhook_url = Some("https://hooks.slack.com/services/T0/B0/s3cret?token=s3cret".to_owned());
        let alerts = Settings { webhook_url, sinks: vec![sink], ..Settings::default() };
        Monitor::new(settings::Settings { alerts, ..settings::Settings::default() })
    }

    /// A store with one alert, and that alert's id.
    fn store() -> (Option<String>, String) {
        let mut document = Document::default();
        let condition = Condition {
            rule: "errorRate".to_owned(),
            database: "primary".to_owned(),
            severity: Severity::Warning,
            message: "It fails.".to_owned(),
            value: 6.0,
            threshold: 5.0,
            state: String::new(),
        };
        document.book.observe(&[condition], &Look { isolate: "a", token: 1, now: NOW, cool_down_ms: 0 });
        let id = document.book.alerts[0].id.clone();
        (Some(document.encode()), id)
    }

    fn post(body: &str) -> Request {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Request { method: "POST".to_owned(), body: body.to_owned(), headers, ..Request::default() }
    }

    type Handler = fn(&Call, &mut Cx<'_>) -> Next;

    /// A host whose store has `document`.
    fn host(document: &Option<String>) -> Host {
        let mut host = Host::with(monitor());
        host.now = NOW.0;
        host.strong.extend(document.clone().map(|text| (KEY.to_owned(), text)));
        host
    }

    fn asked(handler: Handler, body: &str, rest: &str, store: &mut Option<String>) -> (u16, serde_json::Value) {
        let mut host = host(store);
        let response = host.carry_out(|cx| handler(&Call::open(&post(body), rest), cx)).unwrap();
        *store = host.strong.get(KEY).cloned();
        (response.status, serde_json::from_str(&response.body).unwrap())
    }

    /// ALR-09: the list has what fires, what is over, what is silent, and who is told.
    #[test]
    fn the_list_has_all_there_is() {
        let (mut store, id) = store();
        let (status, body) = asked(list, "", "", &mut store);
        assert_eq!((status, &body["alerts"][0]["id"]), (200, &id.as_str().into()));
        assert_eq!((&body["alerts"][0]["stage"], &body["history"]), (&"firing".into(), &serde_json::json!([])));
    }

    /// H132: of the address of a webhook its scheme and host are shown, and nothing else of any receiver's secrets.
    #[test]
    fn no_secret_of_a_receiver_is_shown() {
        let (mut store, _) = store();
        let (_, body) = asked(list, "", "", &mut store);
        assert_eq!(body["sinks"][0]["url"], "https://hooks.slack.com");
        assert_eq!(body["sinks"][1]["url"], "https://events.pagerduty.com");
        assert!(!body.to_string().contains("s3cret"), "{body}");
        assert!(!format!("{:?}", monitor().alerts()).contains("s3cret"));
    }

    /// HLT-19 and ALR-09: the health document has the alerts that fire, each once.
    #[test]
    fn the_health_document_has_what_fires() {
        let (mut store, _) = store();
        let mut document = Document::decode(store.as_deref().unwrap()).unwrap();
        let condition = |rule: &str, database: &str| Condition {
            rule: rule.to_owned(),
            database: database.to_owned(),
            severity: Severity::Critical,
            message: "It burns.".to_owned(),
            value: 20.0,
            threshold: 14.4,
            state: String::new(),
        };
        let conditions = [condition("burnRate.1h", "primary"), condition("errorRate", "replica")];
        document.book.observe(&conditions, &Look { isolate: "b", token: 2, now: NOW, cool_down_ms: 0 });
        store = Some(document.encode());
        let mut host = host(&store);
        host.carry_out(|_| begin(Order::List));
        let mut monitor = host.monitor;
        // The document tells of failures by itself: that alert is not there twice.
        let status = Status { recent: Recent { healthy: 1, failing: 1, ..Recent::default() }, ..Status::default() };
        let database = DatabaseFacts { name: "primary".to_owned(), status, ..DatabaseFacts::default() };
        let facts = Facts { now_ms: NOW.0, databases: vec![database], ..Facts::default() };
        let request = Request { method: "GET".to_owned(), path: "/api/health".to_owned(), ..Request::default() };
        let mut cx = Cx { monitor: &mut monitor, now: NOW, random: 7 };
        let Next::Ask(Question::Facts { .. }, then) = crate::http::routes::begin(&request, &mut cx) else { panic!() };
        let Next::Respond(response) = then(Answer::Facts(facts), &mut cx) else { panic!() };
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        let names: Vec<&str> = body["alerts"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
        for name in ["errorRate", "burnRate.1h", "errorRate/replica"] {
            assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name}: {names:?}");
        }
    }

    /// ALR-09: an alert is acknowledged and silenced through the routes, and the receivers that want to know are told.
    #[test]
    fn an_alert_is_acknowledged_and_silenced() {
        let (mut store, id) = store();
        let (status, body) = asked(acknowledge, r#"{"by":"anna"}"#, &id, &mut store);
        assert_eq!((status, &body["alerts"][0]["stage"]), (200, &"acknowledged".into()));
        assert_eq!((&body["alerts"][0]["acknowledgedBy"], &body["pending"]), (&"anna".into(), &1.into()));
        assert_eq!(asked(acknowledge, "", &id, &mut store).0, 200, "once more does no harm");
        let (status, body) = asked(silence, r#"{"durationMs":60000,"reason":"deploy","by":"anna"}"#, &id, &mut store);
        assert_eq!(status, 200);
        assert_eq!(
            body["silences"][0],
            serde_json::json!({ "match": { "rule": "errorRate", "database": "primary" },
                "untilMs": NOW.0 + 60_000, "reason": "deploy", "by": "anna" })
        );
        let (status, body) = asked(silence, r#"{"durationMs":0}"#, &id, &mut store);
        assert_eq!((status, &body["silences"]), (200, &serde_json::json!([])));
        let (status, body) = asked(silences, r#"{"match":{"severity":"warning"},"durationMs":1}"#, "", &mut store);
        assert_eq!((status, &body["silences"][0]["match"]), (200, &serde_json::json!({ "severity": "warning" })));
    }

    #[test]
    fn what_cannot_be_done_is_a_problem_that_says_so() {
        let (mut store, id) = store();
        let before = store.clone();
        let table: [(Handler, &str, &str, u16, &str); 8] = [
            (acknowledge, "", "nope", 404, "ALERT_NOT_FOUND"),
            (acknowledge, "{", &id, 400, "BODY_MALFORMED"),
            (acknowledge, r#"{"who":"anna"}"#, &id, 422, "BODY_UNUSABLE"),
            (silence, "", &id, 400, "BODY_MALFORMED"),
            (silence, r#"{"durationMs":-1}"#, &id, 422, "BODY_UNUSABLE"),
            (silence, r#"{"durationMs":604800001}"#, &id, 422, "BODY_UNUSABLE"),
            (silence, r#"{"durationMs":1}"#, "nope", 404, "ALERT_NOT_FOUND"),
            (silences, r#"{"durationMs":1}"#, "", 422, "BODY_UNUSABLE"),
        ];
        for (handler, body, rest, status, code) in table {
            let (found, problem) = asked(handler, body, rest, &mut store);
            assert_eq!((found, &problem["code"]), (status, &code.into()), "{body} {rest}");
        }
        assert_eq!(store, before);
    }

    #[test]
    fn a_store_that_does_not_answer_leaves_the_outcome_unknown() {
        let (text, id) = store();
        for handler in [
            |id: &str, cx: &mut Cx<'_>| acknowledge(&Call::open(&post(""), id), cx),
            |id: &str, _: &mut Cx<'_>| begin(Order::Acknowledge { id: id.to_owned(), by: String::new() }),
        ] {
            let mut host = host(&text);
            host.loses_swaps = true;
            let response = host.carry_out(|cx| handler(&id, cx)).unwrap();
            assert_eq!(response.status, 503);
            assert!(response.body.contains("OUTCOME_UNKNOWN"));
        }
    }
}
