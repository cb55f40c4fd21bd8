//! Prometheus' Alertmanager: the alerts that it takes (its API, version 2), and the webhook that it sends (version 4).

use serde_json::{Value, json};

use crate::alerts::lifecycle::{Event, Kind};
use crate::clock::{Instant, Millis};
use crate::report::timestamp::iso8601;

/// How long Alertmanager takes an alert for firing if it hears no more of it, in milliseconds: a day.
///
/// It is told when an alert fires, changes and ends, and not every minute; its own limit would end the alert.
const STANDING_MS: Millis = 86_400_000;
/// The time of an alert that has no end.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

fn labels(event: &Event) -> Value {
    let alert = &event.alert;
    json!({
        "alertname": "Seawall",
        "rule": alert.rule,
        "database": alert.database,
        "severity": alert.severity.name(),
        "service": "seawall",
    })
}

/// Labels make the alert what it is, so what changes in its life is no label.
fn identity(event: &Event) -> Value {
    let mut labels = labels(event);
    if let Some(labels) = labels.as_object_mut() {
        labels.remove("severity");
    }
    labels
}

fn annotations(event: &Event) -> Value {
    let alert = &event.alert;
    let summary = if alert.state.is_empty() { alert.rule.clone() } else { format!("{} {}", alert.rule, alert.state) };
    json!({ "summary": summary, "description": alert.message, "severity": alert.severity.name() })
}

/// What `/api/v2/alerts` takes.
pub(super) fn alerts(event: &Event) -> Value {
    let ends_at = match event.alert.resolved_at_ms {
        Some(at_ms) => Instant(at_ms),
        None => Instant(event.at_ms).plus(STANDING_MS),
    };
    json!([{
        "labels": identity(event),
        "annotations": annotations(event),
        "startsAt": iso8601(Instant(event.alert.fired_at_ms)),
        "endsAt": iso8601(ends_at),
    }])
}

/// What those take that Alertmanager sends webhooks to.
pub(super) fn webhook(event: &Event) -> Value {
    let is_over = event.kind == Kind::Resolved;
    let status = if is_over { "resolved" } else { "firing" };
    let (labels, annotations) = (labels(event), annotations(event));
    let ends_at = event.alert.resolved_at_ms.map_or_else(|| NO_TIME.to_owned(), |at_ms| iso8601(Instant(at_ms)));
    json!({
        "version": "4",
        "groupKey": event.alert.fingerprint(),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "seawall",
        "groupLabels": { "rule": event.alert.rule, "database": event.alert.database },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": iso8601(Instant(event.alert.fired_at_ms)),
            "endsAt": ends_at,
            "generatorURL": "",
            "fingerprint": event.alert.fingerprint(),
        }],
    })
}
