//! Version 2 of PagerDuty's events: an alert is one incident, from its first message to its last.

use serde_json::{Value, json};

use super::{data, line};
use crate::alerts::conditions::cut;
use crate::alerts::lifecycle::{Event, Kind};
use crate::clock::Instant;
use crate::report::timestamp::iso8601;

/// Where events are sent to.
pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Longest summary and longest key, in characters.
const SUMMARY_MAX: usize = 1_024;
const KEY_MAX: usize = 255;

/// The body.
pub(super) fn body(event: &Event, routing_key: &str) -> Value {
    let alert = &event.alert;
    let dedup_key = cut(format!("seawall/{}", alert.fingerprint()), KEY_MAX);
    let action = match event.kind {
        Kind::Firing | Kind::Changed => "trigger",
        Kind::Acknowledged => "acknowledge",
        Kind::Resolved => "resolve",
    };
    let mut body = json!({ "routing_key": routing_key, "event_action": action, "dedup_key": dedup_key });
    if action == "trigger"
        && let Some(fields) = body.as_object_mut()
    {
        let payload = json!({
            "summary": cut(line(event), SUMMARY_MAX),
            "source": alert.database,
            "severity": alert.severity.name(),
            "timestamp": iso8601(Instant(event.at_ms)),
            "component": "database",
            "class": alert.rule,
            "custom_details": data(event),
        });
        fields.insert("client".to_owned(), "seawall".into());
        fields.insert("payload".to_owned(), payload);
    }
    body
}
