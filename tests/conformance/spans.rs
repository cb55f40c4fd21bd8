//! What the spans of an operation say: the stories that the npm package is held to as well.

use seawall::clock::Instant;
use seawall::config::address::Address;
use seawall::telemetry::otlp::span_of;
use seawall::telemetry::span::{Cause, Codes, place};
use seawall::telemetry::trace_context::TraceContext;
use seawall::telemetry::watch::{Tracing, Watch};
use serde_json::{Map, Value, json};

const START: u64 = 1_704_067_200_000;

/// TRC-01: the Worker's spans have the names, the attributes and the parents of the npm package's
#[test]
fn spans_say_what_those_of_the_npm_package_say() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("spans.json")).unwrap();
    assert!(cases.len() >= 6);
    for case in &cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let address = Address { base_url: text("url").to_owned(), name: text("database").to_owned() };
        let parent = TraceContext::parse(text("traceparent"), text("tracestate"));
        let tracing = Tracing { parent: parent.clone(), sample_ratio: 1.0, propagates: true };
        let mut codes = Codes::default();
        let mut watch = Watch::begin("healthCheck", &place(&address), tracing, 7, Instant(START));
        let mut leg = None;
        let mut spans = Vec::new();
        let mut headers = Vec::new();
        for step in case["story"].as_array().unwrap() {
            let at = |name: &str| step[name].as_u64().map(|ms| Instant(START + ms));
            let own = step["code"].as_str().map(|code| Cause::upstream(code, step["status"].as_u64().unwrap() as u16));
            if let Some(now) = at("begin") {
                let begun = watch.attempt(now);
                headers.push(begun.headers());
                leg = Some(begun);
            } else if let Some(now) = at("answer").or_else(|| at("fail")) {
                watch.attempt_ended(leg.take().unwrap(), own, &mut codes, now);
            } else if let Some(now) = at("end") {
                let policy = step["policy"].as_str();
                let cause = match (policy, own) {
                    (Some(code), Some(own)) => Some(Cause { code, ..own }),
                    (Some(code), None) => Some(Cause::policy(code)),
                    (None, own) => own,
                };
                spans = watch.ended(cause, &mut codes, now);
                break;
            } else {
                panic!("{step}");
            }
        }
        let spans: Vec<Value> = spans.iter().map(span_of).collect();
        assert_eq!(Value::Array(seen(&spans, parent.as_ref())), case["expect"], "{}", case["about"]);
        let attempts: Vec<&Value> = spans.iter().filter(|span| span["name"] == "attempt").collect();
        for (index, headers) in headers.iter().enumerate() {
            let said = headers[0].1.as_str();
            assert!(parent.as_ref().is_none_or(|parent| said[3..35] == format!("{:032x}", parent.trace_id)));
            assert!(attempts.get(index).is_none_or(|span| span["spanId"] == said[36..52]), "{}", case["about"]);
            assert_eq!(headers.get(1).map_or("", |(_, state)| state), text("tracestate"));
        }
    }
}

/// Spans without what differs from time to time.
fn seen(spans: &[Value], parent: Option<&TraceContext>) -> Vec<Value> {
    let see = |span: &Value| {
        assert_eq!(span["traceState"].as_str().unwrap_or_default(), parent.map_or("", |parent| &parent.state));
        let above = spans.iter().find(|other| other["spanId"] == span["parentSpanId"]);
        let above = above.map_or(&span["parentSpanId"], |above| &above["name"]);
        let ms = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap() / 1_000_000 - START;
        let attributes: Map<String, Value> = span["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                let value = &pair["value"];
                let number = value["intValue"].as_str().map(|digits| digits.parse::<u64>().unwrap().into());
                (pair["key"].as_str().unwrap().to_owned(), number.unwrap_or_else(|| value["stringValue"].clone()))
            })
            .collect();
        let mut seen = json!({
            "name": span["name"], "kind": span["kind"], "above": above, "attributes": attributes,
            "from": ms("startTimeUnixNano"), "to": ms("endTimeUnixNano"),
        });
        if !span["status"].is_null() {
            seen["status"] = span["status"]["code"].clone();
        }
        seen
    };
    spans.iter().map(see).collect()
}
