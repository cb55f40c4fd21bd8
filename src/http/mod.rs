//! What we answer over HTTP: a request value in, a response value out, and questions to the host in between.
//!
//! No platform types: the Worker and the npm package's `handle` serve the same routes from the same table, `routes`.
//! `exchange` says how a host carries one out.

pub mod accept;
mod alert_writes;
pub mod alerts;
mod audit;
pub mod auth;
pub mod backup;
pub mod body;
pub mod call;
mod control;
mod dashboard;
pub mod exchange;
mod flag_context;
pub mod flag_guards;
mod flags;
pub mod health;
pub mod idempotency;
mod logs;
pub mod metrics;
mod ofrep;
pub mod openapi;
pub mod order_history;
mod order_writes;
pub mod orders;
mod query;
pub mod routes;
mod secure;
mod table;
mod tenants;
mod tokens;

use serde::{Deserialize, Serialize};

/// What a host tells about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path of the URL, as it was sent: no host, no query.
    pub path: String,
    /// The query, as it was sent: no question mark.
    pub query: String,
    /// The scheme and host that it was sent to, such as `https://db.example.com`, if the host knows.
    pub origin: Option<String>,
    /// The address that it came from, if the host knows it from others than the sender.
    pub address: Option<String>,
    /// The headers, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body; empty for GET and HEAD, and when there is a problem with it.
    pub body: String,
    /// Why the host could not read the body.
    pub body_problem: Option<BodyProblem>,
}

/// What keeps a host from reading a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BodyProblem {
    /// There is more than [`body_max`](routes::body_max): it stops reading there.
    TooLong,
    /// It is not UTF-8.
    NotText,
    /// It ended early.
    Unread,
}

/// Most of a request's body, in bytes, where the table of routes says nothing else.
pub const BODY_MAX: usize = 65_536;

/// What the host sends back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, with names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for a HEAD request.
    pub body: String,
}

/// Something that went wrong, as the body of a response: a problem document (RFC 9457) with a stable `code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem<'a> {
    /// What, for programs.
    pub code: &'static str,
    /// What kind of thing, for people: the same for every problem of this code.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: &'a str,
    /// What was asked for, at most [`QUOTED_MAX`] of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<&'a str>,
}

/// What others sent is quoted up to here, in bytes.
pub const QUOTED_MAX: usize = 64;

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

impl Problem<'_> {
    /// The response that says so.
    #[must_use]
    pub fn response(&self) -> Response {
        Response::json(self.status, PROBLEM_JSON, self)
    }
}

impl Request {
    /// The value of a header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Response {
    /// A response that nobody may keep.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: String) -> Self {
        Self {
            status,
            headers: vec![
                ("content-type", content_type.to_owned()),
                ("cache-control", "no-store".to_owned()),
                ("x-content-type-options", "nosniff".to_owned()),
            ],
            body,
        }
    }

    /// A [`Problem`] that is not about a part of what was asked.
    #[must_use]
    pub fn problem(status: u16, code: &'static str, title: &'static str, detail: &str) -> Self {
        Problem { code, title, status, detail, instance: None }.response()
    }

    /// A response with a JSON body that nobody may keep.
    #[must_use]
    pub fn json(status: u16, content_type: &str, body: &impl Serialize) -> Self {
        Self::new(status, content_type, serde_json::to_string(body).unwrap_or_default())
    }

    /// Gives it the number of its request: as `x-request-id`, and as `requestId` of a [`Problem`]; but those who are not let
    /// in all get the same body.
    pub fn number(&mut self, id: u64) {
        let id = call::id_text(id);
        if self.status != 401 && self.header("content-type") == Some(PROBLEM_JSON) && self.body.ends_with('}') {
            self.body.truncate(self.body.len() - 1);
            self.body.push_str(&format!(r#","requestId":"{id}"}}"#));
        }
        self.headers.push(("x-request-id", id));
    }

    /// The value of a header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}
