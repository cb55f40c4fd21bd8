//! How an attempt ended, and whose fault it was. The only reader of upstream error codes.
//!
//! A host reports three facts: the HTTP status (0 when there was no answer), the error code (from the body, or the
//! transport's own), and whether the request may have reached the server. [`judge`] turns them into a [`Judgement`].
//! A constraint violation and a dead server both reject the caller's promise; only the second says anything about
//! the health of the database.

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The database did what was asked.
    Success = 0,
    /// The database answered and refused this statement: syntax, constraint, arguments, size.
    Statement = 1,
    /// Nothing came back before the deadline.
    Timeout = 2,
    /// The connection could not be made, or was lost.
    Network = 3,
    /// The server, or something in front of it, failed: HTTP 5xx, or an in-band fault of the storage.
    ServerError = 4,
    /// The server asked for less traffic: HTTP 429.
    RateLimited = 5,
    /// The server closed an idle stream; what was sent on it did not run.
    StreamExpired = 6,
    /// Another writer holds the lock, or took it back.
    Busy = 7,
    /// The credentials were refused: HTTP 401 or 403.
    Auth = 8,
    /// The server did not understand the request: any other HTTP 4xx.
    Request = 9,
    /// The answer was not the protocol: HTML from a proxy, cut JSON.
    BadResponse = 10,
    /// The caller went away. Says nothing about anybody.
    Aborted = 11,
}

/// Every outcome, in the order of its number.
pub const OUTCOMES: [Outcome; 12] = [
    Outcome::Success,
    Outcome::Statement,
    Outcome::Timeout,
    Outcome::Network,
    Outcome::ServerError,
    Outcome::RateLimited,
    Outcome::StreamExpired,
    Outcome::Busy,
    Outcome::Auth,
    Outcome::Request,
    Outcome::BadResponse,
    Outcome::Aborted,
];

impl Outcome {
    /// The outcome with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        OUTCOMES.get(number as usize).copied()
    }

    /// What it says about the health of the database.
    #[must_use]
    pub const fn evidence(self) -> Evidence {
        match self {
            Self::Success | Self::Statement => Evidence::Healthy,
            Self::Timeout | Self::Network | Self::ServerError | Self::RateLimited | Self::BadResponse => {
                Evidence::Failing
            }
            Self::StreamExpired | Self::Busy | Self::Auth | Self::Request | Self::Aborted => Evidence::None,
        }
    }

    /// Whether the same request may fare better a moment later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Timeout
            | Self::Network
            | Self::ServerError
            | Self::RateLimited
            | Self::StreamExpired
            | Self::Busy
            | Self::BadResponse => true,
            Self::Success | Self::Statement | Self::Auth | Self::Request | Self::Aborted => false,
        }
    }

    /// The name used in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Statement => "statement",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::ServerError => "server_error",
            Self::RateLimited => "rate_limited",
            Self::StreamExpired => "stream_expired",
            Self::Busy => "busy",
            Self::Auth => "auth",
            Self::Request => "request",
            Self::BadResponse => "bad_response",
            Self::Aborted => "aborted",
        }
    }
}

/// What an outcome tells about the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It answered.
    Healthy,
    /// It did not do its part.
    Failing,
    /// Nothing: not recorded, and a probe's permit is given back.
    None,
}

/// Whether the statement took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did not run, or was rolled back: sending it again cannot double it.
    NotExecuted,
    /// It ran.
    Executed,
    /// The answer was lost: it may have run.
    Unknown,
}

/// An outcome with what is known of the statement's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Whether the statement took effect.
    pub effect: Effect,
}

impl Judgement {
    /// The verdict for an attempt that returned a result.
    pub const SUCCESS: Self = Self { outcome: Outcome::Success, effect: Effect::Executed };
    /// The verdict for an attempt that outlived its deadline.
    pub const TIMEOUT: Self = Self { outcome: Outcome::Timeout, effect: Effect::Unknown };
    /// The verdict for an attempt whose caller went away.
    pub const ABORTED: Self = Self { outcome: Outcome::Aborted, effect: Effect::Unknown };

    const fn new(outcome: Outcome, effect: Effect) -> Self {
        Self { outcome, effect }
    }

    /// Packs both parts into one number for the boundary: the outcome in the low byte, the effect above it.
    #[must_use]
    pub const fn to_number(self) -> u32 {
        let effect = match self.effect {
            Effect::NotExecuted => 0,
            Effect::Executed => 1,
            Effect::Unknown => 2,
        };
        self.outcome as u32 | effect << 8
    }

    /// Undoes [`Judgement::to_number`]; `None` for a number that it never gives.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let effect = match number >> 8 {
            0 => Effect::NotExecuted,
            1 => Effect::Executed,
            2 => Effect::Unknown,
            _ => return None,
        };
        Outcome::from_number(number & 0xFF).map(|outcome| Self { outcome, effect })
    }
}

/// Judges a failed attempt.
///
/// `status` is the HTTP status, or 0 when there was no answer. `code` is the code in the body, or the transport's
/// (`CONNECT_FAILED`, `CONNECTION_LOST`, `BODY_LOST`, `BAD_RESPONSE`, `TIMEOUT`, `ABORTED`), or empty. `sent` is
/// false only when the request certainly never left. What is not known for certain is [`Effect::Unknown`].
#[must_use]
pub fn judge(status: u16, code: &str, sent: bool) -> Judgement {
    let unless_sent = if sent { Effect::Unknown } else { Effect::NotExecuted };
    match (status, code) {
        (_, "ABORTED") => Judgement::new(Outcome::Aborted, unless_sent),
        (_, "TIMEOUT") => Judgement::new(Outcome::Timeout, unless_sent),
        (_, "BAD_RESPONSE") => Judgement::new(Outcome::BadResponse, unless_sent),
        (0, _) => Judgement::new(Outcome::Network, unless_sent),
        (200..=299, "BODY_LOST" | "CONNECTION_LOST") => Judgement::new(Outcome::Network, Effect::Unknown),
        (200..=299, code) => judge_in_band(code),
        (_, "STREAM_EXPIRED") => Judgement::new(Outcome::StreamExpired, Effect::NotExecuted),
        (401 | 403, _) => Judgement::new(Outcome::Auth, Effect::NotExecuted),
        (408, _) => Judgement::new(Outcome::Timeout, Effect::Unknown),
        (429, _) => Judgement::new(Outcome::RateLimited, Effect::NotExecuted),
        (500..=599, _) => Judgement::new(Outcome::ServerError, Effect::Unknown),
        _ => Judgement::new(Outcome::Request, Effect::Unknown),
    }
}

/// Judges an error that the database itself gave inside an HTTP 200.
fn judge_in_band(code: &str) -> Judgement {
    let is = |family: &str| code == family || code.strip_prefix(family).is_some_and(|rest| rest.starts_with('_'));
    if is("SQLITE_BUSY") || is("SQLITE_LOCKED") || code == "TRANSACTION_BUSY" || code == "TRANSACTION_TIMEOUT" {
        return Judgement::new(Outcome::Busy, Effect::NotExecuted);
    }
    const STORAGE: [&str; 8] = [
        "SQLITE_IOERR",
        "SQLITE_CORRUPT",
        "SQLITE_FULL",
        "SQLITE_CANTOPEN",
        "SQLITE_NOTADB",
        "SQLITE_NOMEM",
        "SQLITE_PROTOCOL",
        "SQLITE_INTERNAL",
    ];
    if STORAGE.iter().any(|family| is(family)) || code == "PROXY_ERROR" || code == "INTERNAL_ERROR" {
        return Judgement::new(Outcome::ServerError, Effect::Unknown);
    }
    Judgement::new(Outcome::Statement, Effect::NotExecuted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_error_is_healthy_evidence() {
        for code in
            ["SQLITE_CONSTRAINT", "SQL_PARSE_ERROR", "ARGS_INVALID", "RESPONSE_TOO_LARGE", "BLOCKED", "SQLITE_UNKNOWN"]
        {
            let judgement = judge(200, code, true);
            assert_eq!(judgement.outcome, Outcome::Statement, "{code}");
            assert_eq!(judgement.outcome.evidence(), Evidence::Healthy);
            assert!(!judgement.outcome.is_transient());
        }
    }

    #[test]
    fn each_failure_has_its_class_and_effect() {
        use Effect::{NotExecuted, Unknown};
        use Outcome::*;
        let table = [
            ((0, "CONNECT_FAILED", false), (Network, NotExecuted)),
            ((0, "CONNECTION_LOST", true), (Network, Unknown)),
            ((200, "BODY_LOST", true), (Network, Unknown)),
            ((0, "TIMEOUT", true), (Timeout, Unknown)),
            ((0, "ABORTED", true), (Aborted, Unknown)),
            ((200, "BAD_RESPONSE", true), (BadResponse, Unknown)),
            ((200, "SQLITE_BUSY", true), (Busy, NotExecuted)),
            ((200, "SQLITE_BUSY_SNAPSHOT", true), (Busy, NotExecuted)),
            ((200, "TRANSACTION_TIMEOUT", true), (Busy, NotExecuted)),
            ((200, "SQLITE_IOERR_READ", true), (ServerError, Unknown)),
            ((400, "STREAM_EXPIRED", true), (StreamExpired, NotExecuted)),
            ((400, "", true), (Request, Unknown)),
            ((401, "", true), (Auth, NotExecuted)),
            ((403, "", true), (Auth, NotExecuted)),
            ((404, "", true), (Request, Unknown)),
            ((408, "", true), (Timeout, Unknown)),
            ((429, "", true), (RateLimited, NotExecuted)),
            ((500, "", true), (ServerError, Unknown)),
            ((503, "", true), (ServerError, Unknown)),
        ];
        for ((status, code, sent), (outcome, effect)) in table {
            assert_eq!(judge(status, code, sent), Judgement { outcome, effect }, "{status} {code}");
        }
    }

    #[test]
    fn a_lookalike_code_is_not_a_busy_database() {
        assert_eq!(judge(200, "SQLITE_BUSYBODY", true).outcome, Outcome::Statement);
    }

    #[test]
    fn a_judgement_survives_the_boundary() {
        for outcome in OUTCOMES {
            for effect in [Effect::NotExecuted, Effect::Executed, Effect::Unknown] {
                let judgement = Judgement { outcome, effect };
                assert_eq!(Judgement::from_number(judgement.to_number()), Some(judgement));
            }
        }
        assert_eq!(Judgement::from_number(12), None);
        assert_eq!(Judgement::from_number(3 << 8), None);
    }
}
