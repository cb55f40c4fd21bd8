//! The dashboard: one page, which asks the other routes from a browser.
//!
//! The page is for everybody and holds nothing of anybody. Whoever wants to see what is below the admin routes types a token
//! there, which the page sends as a header and keeps nowhere. `npm run dashboard` writes page and policy from `dashboard/`;
//! script and style are in the page, and the policy lets nothing else run: it names their digests.

use super::call::Call;
use super::exchange::{Cx, Next};
use super::{Response, secure};

const PAGE: &str = include_str!("dashboard/page.html");
/// The content security policy, by which nobody else's script, style, frame or form works in the page.
const POLICY: &str = include_str!("dashboard/policy.txt");

/// `GET /dashboard`.
pub(super) fn page(_: &Call, _: &mut Cx<'_>) -> Next {
    let mut response = Response::new(200, "text/html; charset=utf-8", PAGE.to_owned());
    response.headers.push(("content-security-policy", POLICY.trim_end().to_owned()));
    response.headers.push(("x-frame-options", "DENY".to_owned()));
    secure::protect(&mut response);
    Next::Respond(response)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::super::Request;
    use super::*;
    use crate::clock::Instant;
    use crate::monitor::Monitor;

    fn asked() -> Response {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(0), random: 0 };
        match page(&Call::open(&Request::default(), ""), &mut cx) {
            Next::Respond(response) => response,
            _ => panic!("it asks"),
        }
    }

    /// What stands between `before` and `after` in the page, by its digest as a policy names it.
    fn digest_between(before: &str, after: &str) -> String {
        let inside =
            PAGE.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map_or("", |(inside, _)| inside);
        assert!(inside.len() > 100, "{before}");
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inside)))
    }

    /// HLT-29: the page runs under a policy that knows its one script and its one style, and nothing else.
    #[test]
    fn the_policy_lets_this_page_run_and_nothing_else() {
        let response = asked();
        assert_eq!((response.status, response.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = response.header("content-security-policy").unwrap_or_default();
        let mut parts: Vec<&str> = policy.split("; ").collect();
        parts.sort_unstable();
        let style = format!("style-src {}", digest_between("<style>", "</style>"));
        let script = format!("script-src {}", digest_between("<script type=\"module\">", "</script>"));
        let expected = [
            "base-uri 'none'",
            "connect-src 'self'",
            "default-src 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "img-src data:",
            "require-trusted-types-for 'script'",
            &script,
            &style,
            "trusted-types 'none'",
        ];
        assert_eq!(parts, expected);
        assert!(!policy.contains("unsafe") && policy.is_ascii());
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(response.header(name), Some(value));
        }
    }

    /// HLT-29: the page is small, and names no other place.
    #[test]
    fn the_page_asks_nobody_else() {
        assert!(PAGE.len() <= 64_000, "{}", PAGE.len());
        let elsewhere = ["https://", "src=", "@import", "url("].map(|text| PAGE.matches(text).count());
        assert_eq!(elsewhere, [0; 4]);
    }
}
