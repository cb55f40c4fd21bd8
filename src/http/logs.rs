//! The log route: recent records of this isolate, by level and age.

use super::exchange::{Cx, Next, Question};
use super::{Problem, Request, Response};
use crate::telemetry::logs::Filter;

/// `?level=error&hours=2&lines=50`: a document with the records, each as it was written, oldest first.
pub(super) fn recent(request: &Request, _: &str, _: &mut Cx<'_>) -> Next {
    match Filter::of_query(&request.query) {
        Err(detail) => {
            let title = "Unusable query";
            Next::Respond(
                Problem { code: "QUERY_INVALID", title, status: 400, detail: &detail, instance: None }.response(),
            )
        }
        Ok(filter) => Next::ask(Question::Logs, move |answer, cx| {
            cx.monitor.take_in(answer);
            let lines = cx.monitor.telemetry().recent().found(&filter, cx.now).join(",");
            // Records are JSON already. `scope` says that other isolates have others.
            let body = format!(
                r#"{{"scope":"isolate","level":"{}","hours":{},"records":[{lines}]}}"#,
                filter.level.name(),
                filter.past_ms as f64 / 3_600_000.0,
            );
            Next::Respond(Response::new(200, "application/json", body))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Instant;
    use crate::http::exchange::Answer;
    use crate::monitor::Monitor;

    fn asked(query: &str, records: &str) -> Response {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
        let request = Request { query: query.to_owned(), ..Request::default() };
        match recent(&request, "", &mut cx) {
            Next::Respond(response) => response,
            Next::Ask(Question::Logs, then) => {
                let answer = Answer::Logs(serde_json::from_str(records).unwrap());
                let Next::Respond(response) = then(answer, &mut cx) else { panic!("no response") };
                response
            }
            _ => panic!("an unknown question"),
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
