//! What we answer over HTTP: a request value in, a response value out, or a question to answer first.
//!
//! No platform types: the Worker and the npm package's `handle` serve the same routes from the same table.
//!
//! ```text
//! let response = match routes::plan(&request, base_path, now) {
//!     Plan::Respond(response) => response,
//!     Plan::Health(question) => question.answer(&facts),   // the host finds the facts out
//! };
//! ```

pub mod health;
pub mod routes;

use serde::Serialize;

/// What a host tells about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path of the URL, as it was sent: no host, no query.
    pub path: &'a str,
    /// The `accept` header, if there is one.
    pub accept: Option<&'a str>,
}

/// What the host sends back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, with names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for a HEAD request.
    pub body: String,
}

/// Something that went wrong, as the body of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem<'a> {
    /// What, for programs.
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub message: &'a str,
    /// The path that was asked for, at most 200 characters of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<&'a str>,
}

impl Response {
    /// A response with a JSON body that nobody may keep.
    #[must_use]
    fn json(status: u16, content_type: &str, body: &impl Serialize) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", content_type.to_owned()),
                ("cache-control", "no-store".to_owned()),
                ("x-content-type-options", "nosniff".to_owned()),
            ],
            body: serde_json::to_string(body).unwrap_or_default(),
        }
    }

    /// The value of a header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}
