//! CloudEvents 1.0 in structured JSON.

use serde_json::{Value, json};

use super::{data, event_type};
use crate::alerts::lifecycle::Event;
use crate::clock::Instant;
use crate::report::timestamp::iso8601;

/// The body. A message that is sent again has the same `source` and `id`.
pub(super) fn body(event: &Event, id: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/seawall",
        "type": format!("dev.seawall.{}", event_type(event)),
        "subject": event.alert.fingerprint(),
        "time": iso8601(Instant(event.at_ms)),
        "datacontenttype": "application/json",
        "data": data(event),
    })
}
