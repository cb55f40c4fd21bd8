//! The ONE table of routes.

use serde::Serialize;

use super::health::{Question, Resource};
use super::{Problem, Request, Response};
use crate::clock::Instant;

/// The routes lie under this path unless the host says otherwise.
pub const BASE_PATH: &str = "/api";

/// Paths are quoted up to here, in bytes.
const PATH_QUOTED_MAX: usize = 200;

/// What lies where, below the base path.
const ROUTES: [(&str, Resource); 3] =
    [("/health", Resource::Health), ("/health/live", Resource::Live), ("/health/ready", Resource::Ready)];

/// Every route answers these.
const ALLOWED: &str = "GET, HEAD";

/// What the host does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Send this.
    Respond(Response),
    /// Find out how the database is, then send the question's answer.
    Health(Question),
}

/// Plans the answer to a request.
///
/// `base_path` is where the host has put the routes: empty, or a path that begins with a slash and does not end with
/// one. A slash at the end of the request's path makes no difference.
#[must_use]
pub fn plan(request: &Request<'_>, base_path: &str, now: Instant) -> Plan {
    let below = request.path.strip_prefix(base_path);
    let below = below.map(|path| path.strip_suffix('/').unwrap_or(path));
    let resource = ROUTES.iter().find(|(path, _)| Some(*path) == below).map(|(_, resource)| *resource);
    let is_head = request.method == "HEAD";
    let plan = match resource {
        None => Plan::Respond(refusal(404, "NOT_FOUND", "There is nothing at this path.", request.path)),
        Some(_) if !is_head && request.method != "GET" => {
            let message = "This path answers GET and HEAD only.";
            let mut response = refusal(405, "METHOD_NOT_ALLOWED", message, request.path);
            response.headers.push(("allow", ALLOWED.to_owned()));
            Plan::Respond(response)
        }
        Some(resource) => Question::new(resource, request, is_head).plan(now),
    };
    match plan {
        Plan::Respond(mut response) if is_head => {
            response.body.clear();
            Plan::Respond(response)
        }
        plan => plan,
    }
}

fn refusal(status: u16, code: &'static str, message: &str, path: &str) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        error: Problem<'a>,
    }
    let path = path.get(..path.floor_char_boundary(PATH_QUOTED_MAX));
    Response::json(status, "application/json", &Body { error: Problem { code, message, path } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(method: &str, path: &str) -> Plan {
        plan(&Request { method, path, accept: None }, BASE_PATH, Instant(1_704_067_200_000))
    }

    fn response_to(method: &str, path: &str) -> Response {
        match plan_of(method, path) {
            Plan::Respond(response) => response,
            Plan::Health(question) => panic!("{question:?}"),
        }
    }

    #[test]
    fn a_path_that_is_not_there_is_named_in_json() {
        for path in ["/", "/api", "/api/", "/health", "/api/health/nope", "/api/healthy", "/api/health//live", ""] {
            let response = response_to("GET", path);
            assert_eq!(response.status, 404);
            assert_eq!(response.header("content-type"), Some("application/json"));
            assert_eq!(response.header("cache-control"), Some("no-store"));
            let body: serde_json::Value = serde_json::from_str(&response.body).unwrap_or_default();
            assert_eq!(body["error"]["code"], "NOT_FOUND");
            assert_eq!(body["error"]["path"], path);
        }
    }

    #[test]
    fn a_long_path_is_quoted_in_part() {
        assert!(response_to("GET", &"/é".repeat(10_000)).body.len() < 400);
    }

    #[test]
    fn other_methods_are_told_which_are_allowed() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
            let response = response_to(method, "/api/health/live");
            assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{method}");
            assert!(response.body.contains("/api/health/live"));
        }
        assert_eq!(response_to("POST", "/nope").status, 404);
    }

    #[test]
    fn liveness_needs_nobody_and_a_head_has_no_body() {
        let response = response_to("GET", "/api/health/live");
        assert_eq!(response.status, 200);
        assert_eq!(response.body, r#"{"alive":true,"timestamp":"2024-01-01T00:00:00.000Z"}"#);
        let head = response_to("HEAD", "/api/health/live/");
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.headers, response.headers);
        assert_eq!(response_to("HEAD", "/nope").body, "");
    }

    #[test]
    fn health_and_readiness_ask_how_the_database_is() {
        for path in ["/api/health", "/api/health/", "/api/health/ready"] {
            assert!(matches!(plan_of("GET", path), Plan::Health(_)), "{path}");
        }
    }

    #[test]
    fn the_host_says_where_the_routes_lie() {
        let at = |path, base| plan(&Request { method: "GET", path, accept: None }, base, Instant(0));
        assert!(matches!(at("/internal/db/health", "/internal/db"), Plan::Health(_)));
        assert!(matches!(at("/health", ""), Plan::Health(_)));
        assert!(matches!(at("/api/health", ""), Plan::Respond(Response { status: 404, .. })));
    }
}
