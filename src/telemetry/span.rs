//! Spans: what took how long, below what, and what may be said of it. Attributes are those of OpenTelemetry's database
//! conventions 1.44, as `js/src/telemetry/describe.ts` has them; `tests/conformance/spans.json` holds both to the same.
//! Never an argument, a literal or a token: errors are codes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::trace_context::TraceContext;
use crate::clock::Instant;
use crate::config::address::Address;
use crate::error::CODES;

/// Characters of a name, at most.
const NAME_MAX: usize = 255;
/// Different codes of servers that are told; the next ones are `_OTHER`.
const CODES_MAX: usize = 100;
/// What stands for an error without a code.
const OTHER: &str = "_OTHER";
/// Codes of the transport and of the protocol, beside those of [`CODES`].
const TRANSPORT_CODES: &[&str] = &[
    "CONNECT_FAILED",
    "CONNECTION_LOST",
    "BODY_LOST",
    "BAD_RESPONSE",
    "ABORTED",
    "SERVER_ERROR",
    "STREAM_EXPIRED",
    "AUTH_TOKEN_INVALID",
    "CLIENT_CLOSED",
    "TRANSACTION_CLOSED",
];

/// What is said of a span, by name.
pub type Attributes = Map<String, Value>;

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A part of an operation.
    Internal,
    /// It asks somebody else.
    Client,
}

/// A span that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Where it stands.
    pub context: TraceContext,
    /// The span above it; `None` at the top of a trace.
    pub parent: Option<u64>,
    /// What is done, in few different texts.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// When it began.
    pub began: Instant,
    /// When it ended. A clock may have stepped back meanwhile.
    pub ended: Instant,
    /// What is said of it.
    pub attributes: Attributes,
    /// Whether it ended in an error, which `error.type` names.
    pub has_failed: bool,
}

/// Why an attempt, or an operation, gave no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cause<'a> {
    /// The code of whoever ended it.
    pub code: &'a str,
    /// The database's own code, if it answered at all.
    pub own_code: &'a str,
    /// The status of its answer; 0 without one.
    pub status: u16,
}

impl<'a> Cause<'a> {
    /// An answer of the database, or the lack of one.
    #[must_use]
    pub const fn upstream(code: &'a str, status: u16) -> Self {
        Self { code, own_code: code, status }
    }

    /// The word of a policy.
    #[must_use]
    pub const fn policy(code: &'a str) -> Self {
        Self { code, own_code: "", status: 0 }
    }
}

/// The database at `address`: the same of all that it is asked.
#[must_use]
pub fn place(address: &Address) -> Attributes {
    let authority = address.base_url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => (host, port.parse::<u16>().ok()),
        _ => (authority, None),
    };
    let mut place = Attributes::new();
    place.insert("db.system.name".to_owned(), "sqlite".into());
    place.insert("seawall.dialect".to_owned(), "libsql".into());
    place.insert("db.namespace".to_owned(), address.name.chars().take(NAME_MAX).collect::<String>().into());
    place.insert("server.address".to_owned(), host.into());
    if let Some(port) = port {
        place.insert("server.port".to_owned(), port.into());
    }
    place
}

/// The codes of servers that have been told. It is what keeps `error.type` to few different values.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    known: BTreeSet<String>,
}

impl Codes {
    /// A code as it may be told: one of ours, or one of few of SQLite, of sqld, of the system, or SQLSTATE; else `_OTHER`.
    pub fn told(&mut self, code: &str) -> String {
        let is_own = CODES.iter().any(|own| own.name == code) || TRANSPORT_CODES.contains(&code);
        if is_own || self.known.contains(code) {
            return code.to_owned();
        }
        if !is_plain(code) || self.known.len() >= CODES_MAX {
            return OTHER.to_owned();
        }
        self.known.insert(code.to_owned());
        code.to_owned()
    }

    /// What is said of an error.
    pub fn attributes(&mut self, cause: Cause<'_>) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.insert("error.type".to_owned(), self.told(cause.code).into());
        if cause.own_code.starts_with("SQLITE_") {
            let own = self.told(cause.own_code);
            if own != OTHER {
                attributes.insert("db.response.status_code".to_owned(), own.into());
            }
        }
        if cause.status >= 300 {
            attributes.insert("http.response.status_code".to_owned(), cause.status.into());
        }
        attributes
    }
}

/// Whether a code is of a kind that holds nothing else. Others may hold anything that a server likes.
fn is_plain(code: &str) -> bool {
    let has = |prefix: &str, least: usize, most: usize| {
        code.strip_prefix(prefix).is_some_and(|rest| {
            (least..=most).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
    };
    let is_sql_state = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    has("SQLITE_", 2, 40) || has("SQL_", 2, 40) || has("E", 3, 24) || is_sql_state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_a_server_made_up_is_not_told_and_there_are_few_of_the_others() {
        let mut codes = Codes::default();
        for (code, told) in [
            ("SQLITE_BUSY", "SQLITE_BUSY"),
            ("CIRCUIT_OPEN", "CIRCUIT_OPEN"),
            ("ECONNRESET", "ECONNRESET"),
            ("22P02", "22P02"),
            ("SQLITE_hunter2", OTHER),
            ("password=hunter2", OTHER),
            ("", OTHER),
        ] {
            assert_eq!(codes.told(code), told);
        }
        for number in 0..CODES_MAX {
            codes.told(&format!("{number:05}"));
        }
        assert_eq!(codes.known.len(), CODES_MAX);
        assert_eq!(codes.told("99999"), OTHER);
        assert_eq!(codes.told("22P02"), "22P02");
    }
}
