//! Who may use the admin routes: whoever sends the admin token. Without one configured, nobody.
//!
//! Only the token's SHA-256 digest is kept, and digests are compared in a time that does not depend on where they differ.

use std::fmt;

use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::exchange::{Cx, Next};
use super::{Request, Response};
use crate::access::Principal;

/// Shortest admin token, in bytes.
pub const TOKEN_MIN: usize = 32;
/// Longest admin token, in bytes.
pub const TOKEN_MAX: usize = 1_024;

/// What lets in.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// There is no token: closed.
    #[default]
    NotConfigured,
    /// The token is too short, too long, or has characters that no header carries: closed.
    Unusable,
    /// The SHA-256 digest of the token.
    Token([u8; 32]),
}

/// Finds out who sends `request`, and goes on with that, or with the response that refuses.
pub(super) fn identify(
    request: &Request,
    cx: &mut Cx<'_>,
    then: impl FnOnce(Result<Principal, Response>, &mut Cx<'_>) -> Next + 'static,
) -> Next {
    let principal = cx.monitor.settings().admin_token.principal(request);
    then(principal, cx)
}

impl Access {
    /// By this token; an empty one is none.
    #[must_use]
    pub fn by_token(token: &str) -> Self {
        match token.len() {
            0 => Self::NotConfigured,
            TOKEN_MIN..=TOKEN_MAX if token.bytes().all(|byte| byte.is_ascii_graphic()) => Self::Token(digest(token)),
            _ => Self::Unusable,
        }
    }

    /// Who sends `request`.
    ///
    /// # Errors
    ///
    /// The response that refuses: 503 when there is no usable token here, 401 when the request does not carry it. The 401
    /// is the same for every request.
    pub fn principal(&self, request: &Request) -> Result<Principal, Response> {
        let expected = match self {
            Self::NotConfigured => {
                let detail = "The admin routes are closed: no admin token is set. Set SEAWALL_ADMIN_TOKEN (adminToken in createMonitor) to 32 random characters or more.";
                return Err(Response::problem(503, "ADMIN_NOT_CONFIGURED", "Not configured", detail));
            }
            Self::Unusable => {
                let detail = "The admin routes are closed: SEAWALL_ADMIN_TOKEN (adminToken in createMonitor) must have 32 to 1024 visible ASCII characters, without spaces.";
                return Err(Response::problem(503, "ADMIN_NOT_CONFIGURED", "Not configured", detail));
            }
            Self::Token(expected) => expected,
        };
        let sent = request.header("authorization").and_then(bearer_token).unwrap_or_default();
        // Digests have one length, so nothing is told of the token's.
        if bool::from(digest(sent).ct_eq(expected)) { Ok(Principal::admin()) } else { Err(unauthorized()) }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConfigured => "NotConfigured",
            Self::Unusable => "Unusable",
            Self::Token(_) => "Token",
        })
    }
}

/// From the token's text, of which only the digest is kept.
impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::by_token(&String::deserialize(deserializer)?))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The token of `Bearer <token>`. The scheme's case does not matter, everything else does.
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn unauthorized() -> Response {
    let detail = "Send the admin token as `Authorization: Bearer <token>`.";
    let mut response = Response::problem(401, "UNAUTHORIZED", "Not authorized", detail);
    response.headers.push(("www-authenticate", "Bearer".to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token-of-32-bytes-and-some-more";

    fn answer(access: &Access, header: Option<&str>) -> Result<Principal, Response> {
        let headers = header.map(|value| ("authorization".to_owned(), value.to_owned())).into_iter().collect();
        access.principal(&Request { headers, ..Request::default() })
    }

    /// H018, H020 and H022: whatever is not exactly the token gets the same 401.
    #[test]
    fn what_is_not_the_token_is_refused_alike() {
        let access = Access::by_token(TOKEN);
        assert_eq!(answer(&access, Some(&format!("Bearer {TOKEN}"))), Ok(Principal::admin()));
        assert_eq!(answer(&access, Some(&format!("bearer {TOKEN}"))), Ok(Principal::admin()));
        let expected = answer(&access, None).unwrap_err();
        assert_eq!((expected.status, expected.header("www-authenticate")), (401, Some("Bearer")));
        let wrong = [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "bearer x".to_owned(),
            format!("Basic {TOKEN}"),
            format!("Bearer  {TOKEN}"),
            format!("Bearer\t{TOKEN}"),
            format!(" Bearer {TOKEN}"),
            TOKEN.to_owned(),
            format!("Bearer {TOKEN}\0"),
            format!("Bearer {TOKEN}\n"),
            format!("Bearer {TOKEN} "),
            format!("Bearer {TOKEN}\u{200b}"),
            format!("Bearer {}", TOKEN.to_uppercase()),
            format!("Bearer {}", &TOKEN[1..]),
            format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]),
            format!("Bearer {TOKEN}, Bearer other"),
            format!("Bearer other, Bearer {TOKEN}"),
        ];
        for header in wrong {
            assert_eq!(answer(&access, Some(&header)), Err(expected.clone()), "{header:?}");
        }
    }

    /// H024: without a token that can be used, nobody gets in, and no token does either.
    #[test]
    fn not_configured_is_closed() {
        let unusable = ["short".to_owned(), "a".repeat(31), "a".repeat(1_025), "a ".repeat(20), "é".repeat(20)];
        for access in
            unusable.iter().map(|token| Access::by_token(token)).chain([Access::by_token(""), Access::default()])
        {
            for header in [None, Some("Bearer "), Some("Bearer short"), Some("Bearer null")] {
                let response = answer(&access, header).unwrap_err();
                assert_eq!((response.status, response.header("www-authenticate")), (503, None), "{access:?}");
                assert!(response.body.contains("ADMIN_NOT_CONFIGURED"));
            }
        }
        for token in &unusable {
            assert_eq!(answer(&Access::by_token(token), Some(&format!("Bearer {token}"))).unwrap_err().status, 503);
        }
    }

    #[test]
    fn the_token_is_not_kept() {
        assert_eq!(format!("{:?}", Access::by_token(TOKEN)), "Token");
    }
}
