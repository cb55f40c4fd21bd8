//! The log route: recent records of this isolate, and what all isolates left in the strong store, by level and age.

use super::call::Call;
use super::exchange::{Cx, Next, Question};
use super::{Problem, Response};
use crate::telemetry::keep;
use crate::telemetry::logs::Filter;

/// `?level=error&hours=2&lines=50`: a document with the records, each as it was written, oldest first.
pub(super) fn recent(call: &Call, _: &mut Cx<'_>) -> Next {
    match Filter::of_query(&call.request.query) {
        Err(detail) => {
            let title = "Unusable query";
            Next::Respond(
                Problem { code: "QUERY_INVALID", title, status: 400, detail: &detail, instance: None }.response(),
            )
        }
        Ok(filter) => Next::ask(Question::Logs, move |answer, cx| {
            cx.monitor.take_in(answer);
            keep::found(&filter, cx, move |others, cx| {
                // Without a strong store there is nothing of other isolates.
                let scope = if others.is_some() { "fleet" } else { "isolate" };
                let others = others.unwrap_or_default();
                let lines = cx.monitor.telemetry().recent().found(&others, &filter, cx.now).join(",");
                // Records are JSON already.
                let body = format!(
                    r#"{{"scope":"{scope}","level":"{}","hours":{},"records":[{lines}]}}"#,
                    filter.level.name(),
                    filter.past_ms as f64 / 3_600_000.0,
                );
                Next::Respond(Response::new(200, "application/json", body))
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Instant;
    use crate::http::Request;
    use crate::http::exchange::Answer;
    use crate::monitor::Monitor;

    fn asked(query: &str, records: &str) -> Response {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
        let request = Request { query: query.to_owned(), ..Request::default() };
        let mut next = recent(&Call::open(&request, ""), &mut cx);
        loop {
            next = match next {
                Next::Respond(response) => return response,
                Next::Ask(Question::Logs, then) => then(Answer::Logs(serde_json::from_str(records).unwrap()), &mut cx),
                Next::Ask(_, then) => then(Answer::Failed("There is no store.".to_owned()), &mut cx),
                Next::Done => panic!("no response"),
            };
        }
    }

    /// TRC-05: `debug:logs error 2` is a route that filters by level and hours
    #[test]
    fn records_are_answered_by_level_and_hours() {
        let records = r#"[{"level":"error","msg":"old","atMs":1704050000000},{"level":"error","msg":"new","atMs":1704066000000,
            "code":"SERVER_ERROR"},{"level":"debug","msg":"query","atMs":1704066000000}]"#;
        let response = asked("level=error&hours=2", records);
        assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")));
        let body: Value = serde_json::from_str(&response.body).unwrap();
        let record =
            json!({ "level": "error", "msg": "new", "time": "2023-12-31T23:40:00.000Z", "code": "SERVER_ERROR" });
        assert_eq!(body, json!({ "scope": "isolate", "level": "error", "hours": 2, "records": [record] }));
    }

    /// TRC-05: what cannot be asked for is a problem that names it
    #[test]
    fn what_cannot_be_asked_for_is_a_problem() {
        let response = asked("hours=<script>", "[]");
        assert_eq!(response.status, 400);
        assert!(response.body.contains("QUERY_INVALID") && response.body.contains("hours"));
        assert!(!response.body.contains("script"));
    }
}
