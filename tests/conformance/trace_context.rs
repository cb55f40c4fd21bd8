//! What is valid trace context, and what becomes of the rest: the cases that the TypeScript twin is held to as well.

use seawall::telemetry::trace_context::TraceContext;
use serde_json::{Value, json};

/// H140: what is not valid is not repeated, and what is too much is cut
#[test]
fn trace_context_is_read_as_the_recommendation_says() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("trace-context.json")).unwrap();
    assert!(cases.len() > 40);
    for case in &cases {
        let state: String = case["tracestate"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part[0].as_str().unwrap().repeat(part[1].as_u64().unwrap() as usize))
            .collect();
        let found = TraceContext::parse(case["traceparent"].as_str().unwrap(), &state).map_or(Value::Null, |context| {
            json!({
                "traceId": format!("{:032x}", context.trace_id),
                "spanId": format!("{:016x}", context.span_id),
                "isSampled": context.is_sampled,
                "state": context.state,
                "traceparent": context.traceparent(),
            })
        });
        assert_eq!(found, case["expect"], "{}", case["about"]);
    }
}
