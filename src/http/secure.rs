//! What is the same for all admin routes: headers of their responses, what a browser must show before it may write, and the
//! approval of production.

use super::exchange::Cx;
use super::{Request, Response};
use crate::access;
use crate::config::approval::approve;

/// A header that no form and no simple request of another page can send.
pub(super) const OWN_HEADER: &str = "x-seawall-request";

/// What every response of an admin route has, unless it says otherwise itself.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
];

/// Gives a response of an admin route the headers that all of them have.
pub(super) fn protect(response: &mut Response) {
    for (name, value) in HEADERS {
        if response.header(name).is_none() {
            response.headers.push((name, value.to_owned()));
        }
    }
}

/// Whether a request that a browser lets in by itself (a cookie) was meant by a page of ours: its address is said and ours,
/// it carries our header, and its body is JSON. Reading changes nothing, and is not looked at.
pub(super) fn is_meant(request: &Request, settings: &access::Settings) -> bool {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return true;
    }
    let is_origin = request.header("origin").is_some_and(|origin| is_own(origin, request, settings));
    let media_type = request.header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
    is_origin
        && request.header("sec-fetch-site").is_none_or(|site| site == "same-origin")
        && request.header(OWN_HEADER) == Some("1")
        && media_type.trim().eq_ignore_ascii_case("application/json")
}

/// Whether a browser says that a write comes from a page of somebody else. Such a page has no business with a token either:
/// whatever it was given it for, nobody has listed it.
pub(super) fn is_foreign(request: &Request, settings: &access::Settings) -> bool {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return false;
    }
    match (request.header("sec-fetch-site"), request.header("origin")) {
        (Some("same-origin"), _) => false,
        (_, Some(origin)) => !is_own(origin, request, settings),
        // Who typed an address, and who is no browser. "same-site" and "cross-site" are others.
        (site, None) => site.is_some_and(|site| site != "none"),
    }
}

/// Whether an `Origin` is this site's own, or one that was listed. What is sent twice arrives joined, and is neither.
fn is_own(origin: &str, request: &Request, settings: &access::Settings) -> bool {
    let is_here = request.origin.as_deref().is_some_and(|own| own == origin);
    origin != "null" && (is_here || settings.origins.iter().any(|listed| listed == origin))
}

/// Whether a deployment may be moved here: in production only with the approval that is set.
///
/// # Errors
///
/// The response that refuses, before anything was changed.
pub(super) fn approved(cx: &Cx<'_>) -> Result<(), Response> {
    let access::Settings { environment, migration_approved, .. } = &cx.monitor.settings().admin;
    approve(environment, migration_approved.as_deref(), false)
        .map_err(|refused| Response::problem(403, "PRODUCTION_NOT_APPROVED", "Not approved", &refused.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::monitor::{Monitor, Settings};

    const OWN: &str = "https://db.example.com";

    fn request(changes: &[(&str, Option<&str>)]) -> Request {
        let mut headers = vec![
            ("origin".to_owned(), OWN.to_owned()),
            ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
            (OWN_HEADER.to_owned(), "1".to_owned()),
        ];
        for (name, value) in changes {
            headers.retain(|(known, _)| known != name);
            headers.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
        }
        Request { method: "PUT".to_owned(), origin: Some(OWN.to_owned()), headers, ..Request::default() }
    }

    fn is_meant_with(changes: &[(&str, Option<&str>)]) -> bool {
        is_meant(&request(changes), &access::Settings::default())
    }

    /// H048: what another page may have sent is refused, whatever of it is missing
    #[test]
    fn what_another_page_may_have_sent_is_refused() {
        assert!(is_meant_with(&[]));
        assert!(is_meant_with(&[("sec-fetch-site", None)]), "not all browsers say it");
        assert!(is_meant_with(&[("content-type", Some("application/json; charset=utf-8"))]));
        let wrong = [
            ("origin", None),
            ("origin", Some("null")),
            ("origin", Some("")),
            ("origin", Some("https://evil.example")),
            ("origin", Some("http://db.example.com")),
            ("origin", Some("https://db.example.com.evil.example")),
            ("origin", Some("https://db.example.com/")),
            ("origin", Some("https://DB.example.com")),
            ("origin", Some("https://db.example.com, https://evil.example")),
            ("sec-fetch-site", Some("cross-site")),
            ("sec-fetch-site", Some("same-site")),
            ("sec-fetch-site", Some("none")),
            ("sec-fetch-site", Some("")),
            ("content-type", None),
            ("content-type", Some("text/plain")),
            ("content-type", Some("application/x-www-form-urlencoded")),
            (OWN_HEADER, None),
            (OWN_HEADER, Some("0")),
            (OWN_HEADER, Some("1, 1")),
        ];
        for change in wrong {
            assert!(!is_meant_with(&[change]), "{change:?}");
            let reads = Request { method: "GET".to_owned(), ..request(&[change]) };
            assert!(is_meant(&reads, &access::Settings::default()));
        }
        let nowhere = Request { origin: None, ..request(&[]) };
        assert!(!is_meant(&nowhere, &access::Settings::default()));
        let listed = access::Settings { origins: vec![OWN.to_owned()], ..access::Settings::default() };
        assert!(is_meant(&nowhere, &listed));
    }

    /// H048: a page of somebody else has no business with a token either; what is no browser says nothing
    #[test]
    fn a_write_that_a_browser_says_is_anothers_is_foreign() {
        let is_foreign_with = |origin, site| {
            is_foreign(&request(&[("origin", origin), ("sec-fetch-site", site)]), &access::Settings::default())
        };
        for (origin, site) in [
            (None, None),
            (None, Some("none")),
            (Some(OWN), None),
            (Some(OWN), Some("same-origin")),
            // Behind a proxy that changes the host only the browser knows.
            (Some("https://ops.example.com"), Some("same-origin")),
        ] {
            assert!(!is_foreign_with(origin, site), "{origin:?} {site:?}");
        }
        for (origin, site) in [
            (Some("https://evil.example"), None),
            (Some("null"), None),
            (Some(""), None),
            (Some("https://evil.example"), Some("cross-site")),
            (None, Some("cross-site")),
            (None, Some("same-site")),
            (None, Some("")),
        ] {
            assert!(is_foreign_with(origin, site), "{origin:?} {site:?}");
            let reads = request(&[("origin", origin), ("sec-fetch-site", site)]);
            assert!(!is_foreign(&Request { method: "GET".to_owned(), ..reads }, &access::Settings::default()));
        }
        let listed =
            access::Settings { origins: vec!["https://ops.example.com".to_owned()], ..access::Settings::default() };
        let listed_page =
            request(&[("origin", Some("https://ops.example.com")), ("sec-fetch-site", Some("cross-site"))]);
        assert!(!is_foreign(&listed_page, &listed));
    }

    /// SEC-02: (H046) what moves a deployment in production needs exactly `true`
    #[test]
    fn production_needs_exactly_true() {
        let is_approved = |environment: &str, approved: Option<&str>| {
            let admin = access::Settings {
                environment: environment.to_owned(),
                migration_approved: approved.map(str::to_owned),
                ..access::Settings::default()
            };
            let mut monitor = Monitor::new(Settings { admin, ..Settings::default() });
            super::approved(&Cx { monitor: &mut monitor, now: Instant(0), random: 0 })
        };
        for wrong in [None, Some(""), Some("TRUE"), Some("True"), Some("1"), Some("true "), Some(" true"), Some("yes")]
        {
            let response = is_approved("production", wrong).unwrap_err();
            assert_eq!(response.status, 403);
            assert!(response.body.contains("PRODUCTION_NOT_APPROVED"));
            assert_eq!(is_approved("development", wrong), Ok(()));
        }
        assert_eq!(is_approved("production", Some("true")), Ok(()));
    }

    #[test]
    fn what_a_response_says_itself_is_kept() {
        let mut response = Response::new(200, "text/html", String::new());
        response.headers.push(("content-security-policy", "default-src 'self'".to_owned()));
        protect(&mut response);
        assert_eq!(response.header("content-security-policy"), Some("default-src 'self'"));
        for (name, _) in HEADERS {
            assert_eq!(response.headers.iter().filter(|(known, _)| *known == name).count(), 1, "{name}");
        }
    }
}
