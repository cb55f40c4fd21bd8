//! What becomes of a request: its line of the [`table`](super::table), who may, and what its answer carries.

use super::auth;
use super::call::Call;
use super::exchange::{Cx, Next};
use super::table::{Method, Operation, ROUTES, Root, Route};
use super::{BODY_MAX, Problem, QUOTED_MAX, Request, Response, idempotency, ofrep, secure};
use crate::access::Principal;
use crate::alerts::delivery::LOOP_HEADER;

/// The admin routes lie below this path, wherever the others do.
pub const ADMIN_PATH: &str = "/admin/api";

/// The routes of OFREP lie below this path, wherever the others do.
pub const OFREP_PATH: &str = "/ofrep/v1";

/// Most of a request's body, in bytes: a host stops reading there, and says that it is too long.
#[must_use]
pub fn body_max(method: &str, path: &str) -> usize {
    let route = below(ADMIN_PATH, path)
        .and_then(|path| ROUTES.iter().find(|route| route.root == Root::Admin && rest_of(route.path, path).is_some()));
    route.and_then(|route| route.operation(method)).map_or(BODY_MAX, |operation| operation.body_max)
}

/// Begins the answer to a request.
///
/// A slash at the end of the request's path makes no difference. `OPTIONS` tells the methods and allows no other origin;
/// below [`ADMIN_PATH`] it tells those of all routes there, so that nobody learns which there are.
#[must_use]
pub fn begin(request: &Request, cx: &mut Cx<'_>) -> Next {
    // An alert that comes back here would be one about its own delivery.
    if request.header(LOOP_HEADER).is_some() {
        let detail = "An alert of Seawall was sent to Seawall itself. Give its sink another address.";
        return Next::Respond(Response::problem(508, "LOOP_DETECTED", "Loop detected", detail));
    }
    let base_path = cx.monitor.settings().base_path.as_str();
    let next = match (found(Root::Base, base_path, request), below(ADMIN_PATH, &request.path)) {
        (Some((route, rest)), _) => match answering(route, request) {
            Ok(operation) => (operation.begin)(&Call::open(request, rest), cx),
            Err(response) => Next::Respond(response),
        },
        (None, Some(_)) => begin_admin(request, cx),
        (None, None) if below(OFREP_PATH, &request.path).is_some() => begin_ofrep(request, cx),
        (None, None) => Next::Respond(not_found(&request.path)),
    };
    if request.method == "HEAD" { without_body(next) } else { next }
}

/// The same below [`ADMIN_PATH`], where nobody learns what is there who is not let in.
fn begin_admin(request: &Request, cx: &mut Cx<'_>) -> Next {
    // A preflight carries no token, by its nature: it gets an answer that knows neither the path nor who asks.
    if request.method == "OPTIONS" {
        let admin = ROUTES.iter().filter(|route| route.root == Root::Admin);
        let mut response = options(admin.flat_map(Route::methods));
        secure::protect(&mut response);
        return Next::Respond(response);
    }
    let found = found(Root::Admin, ADMIN_PATH, request);
    let path = found.map_or("", |(route, _)| route.path);
    let is_write = !matches!(request.method.as_str(), "GET" | "HEAD");
    let id = super::call::id_of(cx);
    let owned = request.clone();
    let next = auth::identify(request, cx, move |principal, cx| match principal {
        Err(refused) => Next::Respond(refused),
        Ok(principal) => admitted(&owned, principal, id, cx),
    });
    finished(next, path, is_write, id, cx)
}

/// The same below [`OFREP_PATH`], which pages of other origins may ask if they are listed.
fn begin_ofrep(request: &Request, cx: &mut Cx<'_>) -> Next {
    let next = match found(Root::Ofrep, OFREP_PATH, request) {
        None => Next::Respond(not_found(&request.path)),
        Some((route, _)) if request.method == "OPTIONS" => {
            Next::Respond(ofrep::preflight(request, &[&route.allowed(), ", OPTIONS"].concat(), cx))
        }
        Some((route, rest)) => match answering(route, request) {
            Ok(operation) => (operation.begin)(&Call::open(request, rest), cx),
            Err(response) => Next::Respond(response),
        },
    };
    if request.method == "OPTIONS" { next } else { readable(request.clone(), next, cx) }
}

/// The same, with a response that a page may read if it is listed.
fn readable(request: Request, next: Next, cx: &mut Cx<'_>) -> Next {
    match next {
        Next::Respond(mut response) => {
            ofrep::shared(&request, &mut response, cx);
            Next::Respond(response)
        }
        Next::Ask(question, then) => Next::ask(question, move |answer, cx| {
            let next = then(answer, cx);
            readable(request, next, cx)
        }),
        Next::Done => Next::Done,
    }
}

/// Answers somebody who was let in.
fn admitted(request: &Request, principal: Principal, id: u64, cx: &mut Cx<'_>) -> Next {
    let Some((route, rest)) = found(Root::Admin, ADMIN_PATH, request) else {
        return Next::Respond(not_found(&request.path));
    };
    let operation = answering(route, request);
    // To somebody who is bound to a tenant, what is of all of them is not there, whatever their role.
    if principal.tenant.is_some() && !operation.as_ref().is_ok_and(|operation| operation.is_for_tenants) {
        return Next::Respond(not_found(&request.path));
    }
    match operation {
        Err(response) => Next::Respond(response),
        Ok(_) if secure::is_foreign(request, &cx.monitor.settings().admin) => Next::Respond(auth::foreign(cx)),
        Ok(operation) if principal.role < operation.role => {
            Next::Respond(auth::forbidden(operation.role, principal.role, cx))
        }
        Ok(operation) => {
            let address = auth::address_digest(request, &cx.monitor.settings().admin_token);
            let rest = rest.to_owned();
            let request = request.clone();
            let mut call = Call { request, rest, principal, idempotency: None, id, address };
            if operation.method == Method::Get || operation.is_question {
                return (operation.begin)(&call, cx);
            }
            match idempotency::key_of(&call) {
                Err(response) => return Next::Respond(response),
                Ok(key) => call.idempotency = key,
            }
            // Without a key it goes on at once; what follows an answer asks for its own `cx`.
            let begin = operation.begin;
            if call.idempotency.is_none() {
                return begin(&call, cx);
            }
            idempotency::replayed(call, cx.now, move |call, cx| begin(&call, cx))
        }
    }
}

/// What answers a request at this path; else the response that says what there is.
fn answering(route: &'static Route, request: &Request) -> Result<&'static Operation, Response> {
    match (route.operation(&request.method), request.method.as_str()) {
        (Some(operation), _) => Ok(operation),
        (None, "OPTIONS") => Err(options(route.methods())),
        (None, _) => Err(method_not_allowed(&route.allowed())),
    }
}

/// The line of the table for a request, and what its path has where the line has braces.
fn found<'a>(root: Root, root_path: &str, request: &'a Request) -> Option<(&'static Route, &'a str)> {
    let path = below(root_path, &request.path)?;
    let path = if root == Root::Base { unaliased(path) } else { path };
    ROUTES.iter().filter(|route| route.root == root).find_map(|route| Some((route, rest_of(route.path, path)?)))
}

/// What follows `root` in `path`, without a slash at its end.
fn below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    let below = path.strip_prefix(root)?;
    (below.is_empty() || below.starts_with('/')).then(|| below.strip_suffix('/').unwrap_or(below))
}

/// The same; its response is counted, and carries the number of the request.
fn finished(next: Next, route: &'static str, is_write: bool, id: u64, cx: &mut Cx<'_>) -> Next {
    match next {
        Next::Respond(mut response) => {
            cx.monitor.admin_requests_mut().count(route, is_write, response.status);
            response.number(id);
            secure::protect(&mut response);
            Next::Respond(response)
        }
        Next::Ask(question, then) => {
            Next::ask(question, move |answer, cx| finished(then(answer, cx), route, is_write, id, cx))
        }
        Next::Done => Next::Done,
    }
}

/// `/platform/health` and what is below it are other names of `/health` and what is below that.
fn unaliased(path: &str) -> &str {
    const ALIAS: &str = "/platform";
    let is_health =
        |path: &&str| path.strip_prefix("/health").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.strip_prefix(ALIAS).filter(is_health).unwrap_or(path)
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

/// These methods, each once.
fn options(methods: impl Iterator<Item = &'static str>) -> Response {
    let mut allowed: Vec<&str> = Vec::new();
    for method in methods.chain(["OPTIONS"]) {
        if !allowed.contains(&method) {
            allowed.push(method);
        }
    }
    let headers = vec![("allow", allowed.join(", ")), ("cache-control", "no-store".to_owned())];
    Response { status: 204, headers, body: String::new() }
}

fn method_not_allowed(allowed: &str) -> Response {
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
#[path = "writes_tests.rs"]
mod writes_tests;

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
        for method in ["POST", "PUT", "DELETE", "TRACE", "options", "get", "GET, HEAD", ""] {
            let response = response_to(method, "/api/health/live");
            assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{method}");
        }
        assert_eq!(response_to("POST", "/nope").status, 404);
    }

    /// H124: an alert that was sent to the service itself goes no further.
    #[test]
    fn an_alert_that_comes_back_goes_no_further() {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
        let headers = vec![(LOOP_HEADER.to_owned(), "1".to_owned())];
        for path in ["/api/health", "/admin/api/alerts", "/"] {
            let (path, headers) = (path.to_owned(), headers.clone());
            let Next::Respond(response) = begin(&Request { path, headers, ..Request::default() }, &mut cx) else {
                panic!("it goes on");
            };
            assert_eq!(response.status, 508);
        }
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

    /// HLT-05: every health route has its other name, and nothing else has.
    #[test]
    fn the_health_routes_have_another_name() {
        for path in ["", "/", "/live", "/ready", "/score"] {
            let [own, other] = ["/api/health", "/api/platform/health"].map(|prefix| format!("{prefix}{path}"));
            let kind = |path: &str| match begin_at("GET", path, "/api") {
                Next::Respond(response) => response.body,
                Next::Ask(question, _) => format!("{question:?}"),
                Next::Done => String::new(),
            };
            assert_eq!(kind(&own), kind(&other));
        }
        for path in
            ["/platform/health", "/api/platform", "/api/platform/", "/api/platform/healthy", "/api/platform/status"]
        {
            assert_eq!(response_to("GET", path).status, 404, "{path}");
        }
        assert_eq!(response_to("GET", "/api/platform/platform/health").status, 404);
    }

    #[test]
    fn options_tells_the_methods_and_lets_no_other_origin_in() {
        for path in ["/api/health", "/api/health/live", "/api/status"] {
            let response = response_to("OPTIONS", path);
            assert_eq!((response.status, response.body.as_str()), (204, ""));
            assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
            assert_eq!(response.header("access-control-allow-origin"), None);
        }
        assert_eq!(response_to("OPTIONS", "/nope").status, 404);
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
