//! Bodies of requests, which are JSON and not long.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{BODY_MAX, QUOTED_MAX, Request, Response};
use crate::orders::json::{self, Problem};
use crate::orders::order::{REASON_MAX, says_why};

/// Why a body is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is encoded.
    Encoded,
    /// There is more than may be.
    TooLong,
    /// It is not UTF-8.
    NotText,
    /// It ended early.
    Early,
    /// It is said to be something else than JSON in UTF-8.
    MediaType,
    /// It is no JSON.
    Malformed(String),
    /// It is JSON that readers would not agree on.
    Unusable(String),
}

impl Unread {
    /// What is wrong, and what to do, where at most `max` bytes are taken.
    #[must_use]
    pub fn detail(&self, max: usize) -> String {
        match self {
            Self::Encoded => "Encoded bodies are not taken. Send it without content-encoding.".to_owned(),
            Self::TooLong => format!("A body has at most {max} bytes."),
            Self::NotText => "The body is not UTF-8.".to_owned(),
            Self::Early => "The body ended early.".to_owned(),
            Self::MediaType => "The body must be JSON in UTF-8. Send `Content-Type: application/json`.".to_owned(),
            Self::Malformed(problem) => format!("The body is no JSON: {problem}."),
            Self::Unusable(problem) => format!("The body cannot be taken: {problem}."),
        }
    }

    fn response(&self, max: usize) -> Response {
        let (status, code, title) = match self {
            Self::Encoded => (415, "UNSUPPORTED_ENCODING", "Unsupported encoding"),
            Self::TooLong => (413, "BODY_TOO_LONG", "Body too long"),
            Self::NotText | Self::Early | Self::Malformed(_) => (400, "BODY_MALFORMED", "Malformed body"),
            Self::MediaType => (415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"),
            Self::Unusable(_) => (422, "BODY_UNUSABLE", "Unusable body"),
        };
        let mut response = Response::problem(status, code, title, &self.detail(max));
        if *self == Self::Encoded {
            response.headers.push(("accept-encoding", "identity".to_owned()));
        }
        response
    }
}

/// Reads a request's body.
///
/// # Errors
///
/// The response that refuses it: 413 when it is too long, 415 when it is encoded or said to be something else, 400 when
/// it is no JSON, and 422 when readers of it would not agree; see [`json::read`].
pub fn json(request: &Request) -> Result<Value, Response> {
    json_up_to(request, BODY_MAX)
}

/// The same for an operation that takes longer bodies, of at most `max` bytes.
///
/// # Errors
///
/// As [`json`].
pub fn json_up_to(request: &Request, max: usize) -> Result<Value, Response> {
    read(request, max).map_err(|unread| unread.response(max))
}

/// The same, for who answers in another way.
///
/// # Errors
///
/// Why it is not taken.
pub fn read(request: &Request, max: usize) -> Result<Value, Unread> {
    use super::BodyProblem;
    if request.header("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Unread::Encoded);
    }
    match request.body_problem {
        None if request.body.len() <= max => {}
        None | Some(BodyProblem::TooLong) => return Err(Unread::TooLong),
        Some(BodyProblem::NotText) => return Err(Unread::NotText),
        Some(BodyProblem::Unread) => return Err(Unread::Early),
    }
    let mut media_type = request.header("content-type").unwrap_or_default().split(';').map(str::trim);
    let is_json = media_type.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    if !is_json || !media_type.all(is_utf8) {
        return Err(Unread::MediaType);
    }
    json::read(&request.body).map_err(|problem| match problem {
        Problem::Malformed(problem) => Unread::Malformed(problem),
        Problem::Unusable(problem) => Unread::Unusable(problem),
    })
}

/// Reads a request's body, an object that has the members of `T`. None of them is null, at any depth: a program that lost a
/// value must not be taken for one that left the member out, which says "all flags", "of all tenants" or "for ever".
///
/// # Errors
///
/// As [`json`], and 422 when it is something else.
pub fn object<T: DeserializeOwned>(request: &Request) -> Result<T, Response> {
    let value = json(request)?;
    if !value.is_object() {
        return Err(unusable("The body must be an object."));
    }
    if let Some(member) = null_in(&value) {
        let quoted = &member[..member.floor_char_boundary(QUOTED_MAX)];
        return Err(unusable(&format!(
            "The body cannot be taken: {quoted:?} is null. Give it a value, or leave it out."
        )));
    }
    serde_json::from_value(value).map_err(|error| {
        // It quotes what was sent.
        let error = error.to_string();
        unusable(&format!("The body cannot be taken: {}.", &error[..error.floor_char_boundary(2 * QUOTED_MAX)]))
    })
}

/// What is answered to a body that is JSON and cannot be taken.
pub(super) fn unusable(detail: &str) -> Response {
    Response::problem(422, "BODY_UNUSABLE", "Unusable body", detail)
}

/// Refuses a `reason` that says nothing, or too much.
pub(super) fn checked_reason(reason: &str) -> Result<(), Response> {
    if says_why(reason) {
        return Ok(());
    }
    Err(unusable(&format!("`reason` must say why, in at most {REASON_MAX} bytes.")))
}

/// Whether a parameter of a media type says no other encoding than that which JSON has (RFC 8259, 8.1).
fn is_utf8(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or_default();
    !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// The first member of an object, at any depth, that is null.
fn null_in(value: &Value) -> Option<&str> {
    let Value::Object(members) = value else { return None };
    members.iter().find_map(|(name, value)| if value.is_null() { Some(name.as_str()) } else { null_in(value) })
}

#[cfg(test)]
mod tests {
    use super::super::BodyProblem;
    use super::*;

    fn request(body: &str) -> Request {
        let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Request { headers, body: body.to_owned(), ..Request::default() }
    }

    fn refused(request: &Request) -> (u16, String) {
        let response = json(request).unwrap_err();
        (response.status, response.body)
    }

    /// H058: more than the limit is refused, whether the host counted or not.
    #[test]
    fn a_body_that_is_too_long_is_refused() {
        let at_limit = format!("\"{}\"", "a".repeat(BODY_MAX - 2));
        assert!(json(&request(&at_limit)).is_ok());
        assert_eq!(refused(&request(&format!("{at_limit} "))).0, 413);
        let cut = Request { body_problem: Some(BodyProblem::TooLong), ..request("") };
        assert_eq!(refused(&cut).0, 413);
    }

    /// H060: an encoded body is refused and never decoded.
    #[test]
    fn an_encoded_body_is_refused() {
        for encoding in ["gzip", "br", "deflate, gzip", "identity, gzip", "x", ""] {
            let mut request = request("{}");
            request.headers.push(("content-encoding".to_owned(), encoding.to_owned()));
            assert_eq!(refused(&request).0, 415, "{encoding}");
        }
        let mut request = request("{}");
        request.headers.push(("content-encoding".to_owned(), "identity".to_owned()));
        assert!(json(&request).is_ok());
    }

    #[test]
    fn null_is_not_taken_for_a_member_that_was_left_out() {
        #[derive(Debug, Default, serde::Deserialize)]
        struct Members {
            flags: Option<Vec<String>>,
        }
        let left_out: Members = object(&request("{}")).unwrap();
        assert_eq!(left_out.flags, None);
        for (body, member) in [(r#"{"flags":null}"#, "flags"), (r#"{"flags":[],"match":{"rule":null}}"#, "rule")] {
            let response = object::<Members>(&request(body)).unwrap_err();
            assert_eq!(response.status, 422, "{body}");
            assert!(response.body.contains(&format!(r#"\"{member}\" is null"#)), "{}", response.body);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for body in ["", "{", "{} {}"] {
            assert_eq!(refused(&request(body)).0, 400, "{body}");
        }
        assert_eq!(refused(&request(r#"{"a":1,"a":2}"#)).0, 422);
        for (problem, status) in [(BodyProblem::NotText, 400), (BodyProblem::Unread, 400)] {
            assert_eq!(refused(&Request { body_problem: Some(problem), ..request("") }).0, status);
        }
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json2",
            "",
            "application/json; charset=utf-16",
            "application/json;a=b; CHARSET = latin1",
        ] {
            let headers = vec![("content-type".to_owned(), media_type.to_owned())];
            assert_eq!(refused(&Request { headers, ..request("{}") }).0, 415, "{media_type}");
        }
        assert_eq!(refused(&Request { headers: vec![], ..request("{}") }).0, 415);
        for media_type in ["application/json", "Application/JSON ;charset=\"UTF-8\"", "application/json; a=b;"] {
            let headers = vec![("content-type".to_owned(), media_type.to_owned())];
            assert!(json(&Request { headers, ..request("{}") }).is_ok(), "{media_type}");
        }
    }
}
