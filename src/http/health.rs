//! The health routes: the document, liveness and readiness.

use serde::Serialize;

use super::exchange::{Answer, Cx, Next, Question};
use super::{Problem, Request, Response};
use crate::clock::Instant;
use crate::report::health::{Health, HealthFacts};
use crate::report::probe::INTERVAL_MS;
use crate::report::timestamp::iso8601;

#[derive(Serialize)]
struct Liveness {
    alive: bool,
    timestamp: String,
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem<'a>>,
}

#[derive(Serialize)]
struct Unknown<'a> {
    status: &'static str,
    timestamp: String,
    error: Problem<'a>,
}

/// The whole document.
pub(super) fn document(request: &Request, _: &str, _: &mut Cx<'_>) -> Next {
    let wants_health_json = request.header("accept").is_some_and(|accept| accept.contains(HEALTH_JSON));
    let content_type = if wants_health_json { HEALTH_JSON } else { "application/json" };
    ask(move |facts, now| match facts {
        Ok(facts) => {
            let health = Health::of(&facts);
            varied(Response::json(status_of(health.status.is_ready()), content_type, &health))
        }
        Err(error) => {
            varied(Response::json(503, content_type, &Unknown { status: "unhealthy", timestamp: iso8601(now), error }))
        }
    })
}

/// Whether the code runs: no I/O.
pub(super) fn liveness(_: &Request, _: &str, cx: &mut Cx<'_>) -> Next {
    Next::Respond(Response::json(200, "application/json", &Liveness { alive: true, timestamp: iso8601(cx.now) }))
}

/// Whether traffic should be sent here.
pub(super) fn readiness(_: &Request, _: &str, _: &mut Cx<'_>) -> Next {
    ask(|facts, now| {
        let (ready, error) = match facts {
            Ok(facts) => (Health::of(&facts).status.is_ready(), None),
            Err(error) => (false, Some(error)),
        };
        Response::json(status_of(ready), "application/json", &Readiness { ready, timestamp: iso8601(now), error })
    })
}

const HEALTH_JSON: &str = "application/health+json";

/// Asks how the first database is, with a probe that is at most [`INTERVAL_MS`] old.
fn ask(answer: impl FnOnce(Result<HealthFacts, Problem<'_>>, Instant) -> Response + 'static) -> Next {
    Next::ask(Question::Facts { probe_age_max_ms: Some(INTERVAL_MS) }, |found, cx| {
        let unknown = |detail| Problem {
            code: "CONFIGURATION_INVALID",
            title: "Unusable settings",
            status: 503,
            detail,
            instance: None,
        };
        let response = match &found {
            Answer::Facts(facts) => match HealthFacts::of(facts) {
                Some(health) => answer(Ok(health), cx.now),
                None => answer(Err(unknown("No database was given to watch.")), cx.now),
            },
            // Its words are the host's own, and hold no values.
            Answer::Failed(message) => answer(Err(unknown(message)), cx.now),
            _ => answer(Err(unknown("The host answered another question.")), cx.now),
        };
        Next::Respond(response)
    })
}

const fn status_of(is_ready: bool) -> u16 {
    if is_ready { 200 } else { 503 }
}

fn varied(mut response: Response) -> Response {
    response.headers.push(("vary", "accept".to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::begin;
    use crate::monitor::Monitor;
    use crate::report::facts::{DatabaseFacts, Facts, ProbeFacts};
    use crate::report::status::{BreakerStatus, PoolStatus, Status};

    fn facts(circuit: &'static str, is_connected: bool) -> Facts {
        let breaker = BreakerStatus { state: circuit.into(), ..BreakerStatus::default() };
        let status = Status { breaker, pool: PoolStatus { max: 5, ..PoolStatus::default() }, ..Status::default() };
        let probe = Some(ProbeFacts { is_connected, ..ProbeFacts::default() });
        let database = DatabaseFacts { name: "primary".to_owned(), probe, status, ..DatabaseFacts::default() };
        Facts { now_ms: 1_704_067_200_000, databases: vec![database], ..Facts::default() }
    }

    fn ask(method: &str, path: &str, accept: Option<&str>, answer: Answer) -> Response {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
        let headers = accept.map(|accept| ("accept".to_owned(), accept.to_owned())).into_iter().collect();
        let request = Request { method: method.to_owned(), path: path.to_owned(), headers, ..Request::default() };
        match begin(&request, &mut cx) {
            Next::Ask(Question::Facts { .. }, then) => match then(answer, &mut cx) {
                Next::Respond(response) => response,
                _ => panic!("it asks again"),
            },
            _ => panic!("it does not ask"),
        }
    }

    #[test]
    fn only_an_unhealthy_database_answers_503() {
        let table = [
            (facts("CLOSED", true), 200, "healthy", true),
            (facts("HALF_OPEN", true), 200, "degraded", true),
            (facts("OPEN", true), 503, "unhealthy", false),
            (facts("CLOSED", false), 503, "unhealthy", false),
        ];
        for (facts, status, state, is_ready) in table {
            let health = ask("GET", "/api/health", None, Answer::Facts(facts.clone()));
            assert_eq!(health.status, status, "{state}");
            assert!(health.body.starts_with(&format!(r#"{{"status":"{state}","#)), "{}", health.body);
            let ready = ask("GET", "/api/health/ready", None, Answer::Facts(facts));
            assert_eq!(ready.status, status);
            assert_eq!(ready.body, format!(r#"{{"ready":{is_ready},"timestamp":"2024-01-01T00:00:00.000Z"}}"#));
        }
    }

    #[test]
    fn the_media_type_is_what_was_asked_for() {
        let accept = Some("application/health+json, application/json;q=0.5");
        let response = ask("GET", "/api/health", accept, Answer::Facts(facts("CLOSED", true)));
        assert_eq!(response.header("content-type"), Some("application/health+json"));
        assert_eq!(response.header("vary"), Some("accept"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let response = ask("GET", "/api/health", Some("*/*"), Answer::Facts(facts("CLOSED", true)));
        assert_eq!(response.header("content-type"), Some("application/json"));
    }

    #[test]
    fn a_head_has_the_status_and_no_body() {
        let response = ask("HEAD", "/api/health", None, Answer::Facts(facts("CLOSED", false)));
        assert_eq!((response.status, response.body.as_str()), (503, ""));
    }

    #[test]
    fn unusable_settings_are_a_problem_that_says_so() {
        let failed = || Answer::Failed("TURSO_DATABASE_URL is not set.".to_owned());
        let response = ask("GET", "/api/health", None, failed());
        assert_eq!(response.status, 503);
        assert!(response.body.contains("TURSO_DATABASE_URL") && response.body.contains("unhealthy"));
        let ready = ask("GET", "/api/health/ready", None, failed());
        assert_eq!(ready.status, 503);
        assert!(ready.body.starts_with(r#"{"ready":false,"#) && ready.body.contains("CONFIGURATION_INVALID"));
    }
}
