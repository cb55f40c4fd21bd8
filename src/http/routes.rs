//! The ONE table of routes.

use super::exchange::{Cx, Next};
use super::{Problem, QUOTED_MAX, Request, Response};
use super::{health, metrics};

/// What a request may be sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Methods {
    /// GET and HEAD.
    Read,
}

/// One line of the table.
struct Route {
    /// Below the base path. A part in braces stands for any one part of a path: it is handed on.
    path: &'static str,
    methods: Methods,
    /// `rest` is what the path has where the table has braces.
    begin: fn(request: &Request, rest: &str, cx: &mut Cx<'_>) -> Next,
}

/// What lies where.
const ROUTES: [Route; 5] = [
    Route { path: "/health", methods: Methods::Read, begin: health::document },
    Route { path: "/health/live", methods: Methods::Read, begin: health::liveness },
    Route { path: "/health/ready", methods: Methods::Read, begin: health::readiness },
    Route { path: "/health/metrics", methods: Methods::Read, begin: metrics::text },
    Route { path: "/platform/metrics", methods: Methods::Read, begin: metrics::text },
];

impl Methods {
    const fn allowed(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD",
        }
    }

    fn has(self, method: &str) -> bool {
        self.allowed().split(", ").any(|allowed| allowed == method)
    }
}

/// Begins the answer to a request.
///
/// A slash at the end of the request's path makes no difference.
#[must_use]
pub fn begin(request: &Request, cx: &mut Cx<'_>) -> Next {
    let base_path = cx.monitor.settings().base_path.as_str();
    let below = request.path.strip_prefix(base_path).map(|path| path.strip_suffix('/').unwrap_or(path));
    let found = below.and_then(|below| ROUTES.iter().find_map(|route| Some((route, rest_of(route.path, below)?))));
    let route = found.as_ref().map_or("none", |(route, _)| route.path);
    let next = match found {
        None => Next::Respond(not_found(&request.path)),
        Some((route, _)) if !route.methods.has(&request.method) => {
            Next::Respond(method_not_allowed(route.methods.allowed()))
        }
        Some((route, rest)) => (route.begin)(request, rest, cx),
    };
    let next = if request.method == "HEAD" { without_body(next) } else { next };
    counted(route, next, cx)
}

/// The same, with its response counted.
fn counted(route: &'static str, next: Next, cx: &mut Cx<'_>) -> Next {
    match next {
        Next::Respond(response) => {
            cx.monitor.metrics.requested(route, response.status);
            Next::Respond(response)
        }
        Next::Ask(question, then) => Next::ask(question, move |answer, cx| {
            let next = then(answer, cx);
            counted(route, next, cx)
        }),
        Next::Done => Next::Done,
    }
}

/// What stands in `path` for the part in braces of `pattern`; empty if it has none; `None` if they do not match.
fn rest_of<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = pattern.split_once('{') else { return (pattern == path).then_some("") };
    let after = after.split_once('}').map_or("", |(_, after)| after);
    let rest = path.strip_prefix(before)?.strip_suffix(after)?;
    (!rest.is_empty() && !rest.contains('/')).then_some(rest)
}

/// The same, with a response that has no body.
fn without_body(next: Next) -> Next {
    match next {
        Next::Respond(mut response) => {
            response.body.clear();
            Next::Respond(response)
        }
        Next::Ask(question, then) => Next::ask(question, |answer, cx| without_body(then(answer, cx))),
        Next::Done => Next::Done,
    }
}

fn not_found(path: &str) -> Response {
    let detail = "There is nothing at this path.";
    let instance = path.get(..path.floor_char_boundary(QUOTED_MAX));
    Problem { code: "NOT_FOUND", title: "Not found", status: 404, detail, instance }.response()
}

fn method_not_allowed(allowed: &'static str) -> Response {
    let detail = format!("This path answers {allowed}.");
    let mut response = Problem {
        code: "METHOD_NOT_ALLOWED",
        title: "Method not allowed",
        status: 405,
        detail: &detail,
        instance: None,
    }
    .response();
    response.headers.push(("allow", allowed.to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::http::exchange::Question;
    use crate::monitor::{Monitor, Settings};

    fn begin_at(method: &str, path: &str, base_path: &str) -> Next {
        let mut monitor = Monitor::new(Settings { base_path: base_path.to_owned(), ..Settings::default() });
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
        let request = Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() };
        begin(&request, &mut cx)
    }

    fn response_to(method: &str, path: &str) -> Response {
        match begin_at(method, path, "/api") {
            Next::Respond(response) => response,
            Next::Ask(question, _) => panic!("{question:?}"),
            Next::Done => panic!("no response"),
        }
    }

    fn asks(method: &str, path: &str, base_path: &str) -> bool {
        matches!(begin_at(method, path, base_path), Next::Ask(Question::Facts { probe_age_max_ms: Some(_) }, _))
    }

    #[test]
    fn a_path_that_is_not_there_is_a_problem() {
        for path in ["/", "/api", "/api/", "/health", "/api/health/nope", "/api/healthy", "/api/health//live", ""] {
            let response = response_to("GET", path);
            assert_eq!(response.status, 404);
            assert_eq!(response.header("content-type"), Some("application/problem+json"));
            assert_eq!(response.header("cache-control"), Some("no-store"));
            let body: serde_json::Value = serde_json::from_str(&response.body).unwrap_or_default();
            assert_eq!(body["code"], "NOT_FOUND");
            assert_eq!((&body["status"], &body["instance"]), (&404.into(), &path.into()));
        }
    }

    #[test]
    fn a_long_path_is_quoted_in_part() {
        assert!(response_to("GET", &"/é".repeat(10_000)).body.len() < 250);
    }

    #[test]
    fn other_methods_are_told_which_are_allowed() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", "GET, HEAD", ""] {
            let response = response_to(method, "/api/health/live");
            assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{method}");
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
            assert!(asks("GET", path, "/api"), "{path}");
        }
    }

    #[test]
    fn the_host_says_where_the_routes_lie() {
        assert!(asks("GET", "/internal/db/health", "/internal/db"));
        assert!(asks("GET", "/health", ""));
        assert!(matches!(begin_at("GET", "/api/health", ""), Next::Respond(Response { status: 404, .. })));
    }

    #[test]
    fn a_part_in_braces_stands_for_one_part_of_a_path() {
        assert_eq!(rest_of("/a/{id}", "/a/7"), Some("7"));
        assert_eq!(rest_of("/a/{id}/ack", "/a/7/ack"), Some("7"));
        for path in ["/a", "/a/", "/a/7/8", "/a//ack"] {
            assert_eq!(rest_of("/a/{id}", path), None, "{path}");
        }
    }
}
