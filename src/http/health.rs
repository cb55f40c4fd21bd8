//! The health routes: the document, liveness and readiness.

use serde::Serialize;

use super::routes::Plan;
use super::{Problem, Request, Response};
use crate::clock::Instant;
use crate::report::health::{Health, HealthFacts, HealthState};
use crate::report::timestamp::iso8601;

/// What a health route shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// The whole document.
    Health,
    /// Whether the code runs: no I/O.
    Live,
    /// Whether traffic should be sent here.
    Ready,
}

/// A health request whose answer depends on the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    resource: Resource,
    content_type: &'static str,
    is_head: bool,
}

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
struct Unconfigured<'a> {
    status: HealthState,
    timestamp: String,
    error: Problem<'a>,
}

impl Question {
    pub(super) fn new(resource: Resource, request: &Request<'_>, is_head: bool) -> Self {
        let wants_health_json = request.accept.is_some_and(|accept| accept.contains("application/health+json"));
        let content_type = if wants_health_json { "application/health+json" } else { "application/json" };
        Self { resource, content_type, is_head }
    }

    pub(super) fn plan(self, now: Instant) -> Plan {
        if self.resource == Resource::Live {
            Plan::Respond(self.respond(200, &Liveness { alive: true, timestamp: iso8601(now) }))
        } else {
            Plan::Health(self)
        }
    }

    /// The answer when the facts are known: 200, or 503 when the database cannot be used.
    #[must_use]
    pub fn answer(&self, facts: &HealthFacts) -> Response {
        let health = Health::of(facts);
        let ready = health.status.is_ready();
        let status = if ready { 200 } else { 503 };
        if self.resource == Resource::Ready {
            self.respond(status, &Readiness { ready, timestamp: iso8601(facts.now), error: None })
        } else {
            self.respond(status, &health)
        }
    }

    /// The answer when the settings cannot be used, so that there is no database to ask: 503 with the reason.
    ///
    /// `message` is shown to whoever asks and must hold no values.
    #[must_use]
    pub fn answer_unconfigured(&self, message: &str, now: Instant) -> Response {
        let error = Problem { code: "CONFIGURATION_INVALID", message, path: None };
        let timestamp = iso8601(now);
        if self.resource == Resource::Ready {
            self.respond(503, &Readiness { ready: false, timestamp, error: Some(error) })
        } else {
            self.respond(503, &Unconfigured { status: HealthState::Unhealthy, timestamp, error })
        }
    }

    fn respond(&self, status: u16, body: &impl Serialize) -> Response {
        let mut response = Response::json(status, self.content_type, body);
        response.headers.push(("vary", "accept".to_owned()));
        if self.is_head {
            response.body.clear();
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::{BASE_PATH, plan};
    use crate::report::health::CircuitFacts;

    const FACTS: HealthFacts = HealthFacts {
        now: Instant(1_704_067_200_000),
        uptime_ms: 1,
        is_connected: true,
        leases_max: 5,
        leases_in_use: 0,
        operations: 0,
        recent_average_ms: 1.0,
        recent_failure_ratio: 0.0,
        slow: 0,
        successful: 1,
        failed: 0,
        timeouts: 0,
        circuit: CircuitFacts { state: "CLOSED", failures: 0, successes: 1, requests: 1 },
    };

    fn ask(method: &str, path: &str, accept: Option<&str>) -> Question {
        match plan(&Request { method, path, accept }, BASE_PATH, Instant(0)) {
            Plan::Health(question) => question,
            Plan::Respond(response) => panic!("{response:?}"),
        }
    }

    #[test]
    fn only_an_unhealthy_database_answers_503() {
        let degraded = CircuitFacts { state: "HALF_OPEN", ..FACTS.circuit };
        let open = CircuitFacts { state: "OPEN", ..FACTS.circuit };
        let table = [
            (FACTS, 200, "healthy", true),
            (HealthFacts { circuit: degraded, ..FACTS }, 200, "degraded", true),
            (HealthFacts { circuit: open, ..FACTS }, 503, "unhealthy", false),
            (HealthFacts { is_connected: false, ..FACTS }, 503, "unhealthy", false),
        ];
        for (facts, status, state, is_ready) in table {
            let health = ask("GET", "/api/health", None).answer(&facts);
            assert_eq!(health.status, status, "{state}");
            assert!(health.body.starts_with(&format!(r#"{{"status":"{state}","#)), "{}", health.body);
            let ready = ask("GET", "/api/health/ready", None).answer(&facts);
            assert_eq!(ready.status, status);
            assert_eq!(ready.body, format!(r#"{{"ready":{is_ready},"timestamp":"2024-01-01T00:00:00.000Z"}}"#));
        }
    }

    #[test]
    fn the_media_type_is_what_was_asked_for() {
        let accept = Some("application/health+json, application/json;q=0.5");
        let response = ask("GET", "/api/health", accept).answer(&FACTS);
        assert_eq!(response.header("content-type"), Some("application/health+json"));
        assert_eq!(response.header("vary"), Some("accept"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let response = ask("GET", "/api/health", Some("*/*")).answer(&FACTS);
        assert_eq!(response.header("content-type"), Some("application/json"));
    }

    #[test]
    fn a_head_has_the_status_and_no_body() {
        let response = ask("HEAD", "/api/health", None).answer(&HealthFacts { is_connected: false, ..FACTS });
        assert_eq!((response.status, response.body.as_str()), (503, ""));
    }

    #[test]
    fn unusable_settings_are_a_problem_that_says_so() {
        let response = ask("GET", "/api/health", None).answer_unconfigured("TURSO_DATABASE_URL is not set.", FACTS.now);
        assert_eq!(response.status, 503);
        assert!(response.body.contains("TURSO_DATABASE_URL") && response.body.contains("unhealthy"));
        let ready = ask("GET", "/api/health/ready", None).answer_unconfigured("x", FACTS.now);
        assert_eq!(ready.status, 503);
        assert!(ready.body.starts_with(r#"{"ready":false,"#) && ready.body.contains("CONFIGURATION_INVALID"));
    }
}
