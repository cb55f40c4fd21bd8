//! Log records and spans as OTLP/HTTP has them in JSON: names in camelCase, ids in hexadecimal, 64-bit numbers as text.

use serde_json::{Map, Value, json};

use super::logs::{Level, Record};
use super::span::{Attributes, Kind, Span};
use crate::clock::Instant;

/// The body of a request to `/v1/logs`.
#[must_use]
pub fn logs_body<'a>(records: impl Iterator<Item = &'a Record>, service_name: &str) -> String {
    let records: Vec<Value> = records.map(log_record).collect();
    json!({ "resourceLogs": [{
        "resource": resource(service_name),
        "scopeLogs": [{ "scope": { "name": "seawall" }, "logRecords": records }],
    }] })
    .to_string()
}

/// The body of a request to `/v1/traces`.
#[must_use]
pub fn traces_body<'a>(spans: impl Iterator<Item = &'a Span>, service_name: &str) -> String {
    let spans: Vec<Value> = spans.map(span_of).collect();
    json!({ "resourceSpans": [{
        "resource": resource(service_name),
        "scopeSpans": [{ "scope": { "name": "seawall" }, "spans": spans }],
    }] })
    .to_string()
}

/// What a service is called, as all signals say it.
#[must_use]
pub fn resource(service_name: &str) -> Value {
    json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service_name } }] })
}

/// One span, as `js/src/telemetry/otlp.ts` writes it.
#[must_use]
pub fn span_of(span: &Span) -> Value {
    const STATUS_ERROR: u32 = 2;
    let Span { context, parent, name, kind, began, ended, attributes, has_failed } = span;
    let kind = match kind {
        Kind::Internal => 1,
        Kind::Client => 3,
    };
    let mut told = json!({
        "traceId": format!("{:032x}", context.trace_id),
        "spanId": format!("{:016x}", context.span_id),
        "flags": u32::from(context.is_sampled),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": nanoseconds(*began),
        // A clock may have stepped back.
        "endTimeUnixNano": nanoseconds((*ended).max(*began)),
        "attributes": key_values(attributes),
    });
    if !context.state.is_empty() {
        told["traceState"] = context.state.as_str().into();
    }
    if let Some(parent) = parent {
        told["parentSpanId"] = format!("{parent:016x}").into();
    }
    if *has_failed {
        told["status"] = json!({ "code": STATUS_ERROR });
    }
    told
}

fn nanoseconds(at: Instant) -> String {
    format!("{}000000", at.0)
}

fn key_values(attributes: &Attributes) -> Vec<Value> {
    attributes.iter().map(|(key, value)| json!({ "key": key, "value": any_value(value) })).collect()
}

fn log_record(record: &Record) -> Value {
    let Record { level, msg, at_ms, fields } = record;
    let time = nanoseconds(Instant(*at_ms));
    let mut fields = fields.clone();
    let id = |fields: &mut Map<String, Value>, name, digits| {
        fields.remove(name).and_then(|id| Some(id.as_str()?.to_owned())).filter(|id| is_id(id, digits))
    };
    let (trace_id, span_id) = (id(&mut fields, "traceId", 32), id(&mut fields, "spanId", 16));
    let mut record = json!({
        "timeUnixNano": time,
        "observedTimeUnixNano": time,
        "severityNumber": severity(*level),
        "severityText": level.name(),
        "body": { "stringValue": msg },
        "attributes": key_values(&fields),
    });
    for (name, id) in [("traceId", trace_id), ("spanId", span_id)] {
        if let Some(id) = id {
            record[name] = Value::String(id);
        }
    }
    record
}

fn is_id(id: &str, digits: usize) -> bool {
    id.len() == digits && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The middle of each range that the specification names.
const fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 5,
        Level::Info => 9,
        Level::Warn => 13,
        Level::Error => 17,
    }
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({ "intValue": whole.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(items) => json!({ "arrayValue": { "values": items.iter().map(any_value).collect::<Vec<_>>() } }),
        Value::Object(members) => {
            json!({ "kvlistValue": { "values": key_values(members) } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_the_specification_says() {
        let text = r#"{"level":"error","msg":"operation failed","atMs":1704067200000,"traceId":"0af7651916cd43dd8448eb211c80319c",
            "spanId":"b7ad6b7169203331","code":"SERVER_ERROR","attempts":3,"share":0.5,"isCut":true,"list":[1,"a"],"at":{"b":null}}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        let body: Value = serde_json::from_str(&logs_body([&record].into_iter(), "shop")).unwrap();
        let logs = &body["resourceLogs"][0];
        assert_eq!(logs["resource"]["attributes"][0]["value"]["stringValue"], "shop");
        assert_eq!(
            logs["scopeLogs"][0]["logRecords"][0],
            json!({
                "timeUnixNano": "1704067200000000000", "observedTimeUnixNano": "1704067200000000000",
                "severityNumber": 17, "severityText": "error", "body": { "stringValue": "operation failed" },
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
                "attributes": [
                    { "key": "at", "value": { "kvlistValue": { "values": [{ "key": "b", "value": {} }] } } },
                    { "key": "attempts", "value": { "intValue": "3" } },
                    { "key": "code", "value": { "stringValue": "SERVER_ERROR" } },
                    { "key": "isCut", "value": { "boolValue": true } },
                    { "key": "list", "value": { "arrayValue": { "values": [{ "intValue": "1" }, { "stringValue": "a" }] } } },
                    { "key": "share", "value": { "doubleValue": 0.5 } },
                ],
            })
        );
    }

    #[test]
    fn an_id_that_is_none_is_left_out() {
        let record: Record =
            serde_json::from_str(r#"{"level":"info","msg":"m","atMs":1,"traceId":"nope","spanId":7}"#).unwrap();
        let body = logs_body([&record].into_iter(), "shop");
        assert!(!body.contains("traceId") && !body.contains("nope"));
    }
}
