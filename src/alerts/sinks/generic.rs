//! The envelope of Standard Webhooks: `type`, `timestamp` and `data`.

use serde_json::{Value, json};

use super::{data, event_type};
use crate::alerts::lifecycle::Event;
use crate::clock::Instant;
use crate::report::timestamp::iso8601;

/// The body.
pub(super) fn body(event: &Event) -> Value {
    json!({ "type": event_type(event), "timestamp": iso8601(Instant(event.at_ms)), "data": data(event) })
}
