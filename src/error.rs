//! The one list of codes: what happened, whose fault it is, when asking again can help.
//!
//! A code never changes its meaning. The number crosses the boundary to JavaScript, which makes the error there;
//! the table feeds `docs/errors.md` and `js/src/codes.ts`, and a test compares both with it.

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The code that called us.
    Caller,
    /// One of our policies, as configured.
    Policy,
    /// The database or the way to it.
    Upstream,
    /// Us: a defect.
    Ours,
}

impl Origin {
    /// The name used outside Rust.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Policy => "policy",
            Self::Upstream => "upstream",
            Self::Ours => "ours",
        }
    }
}

/// When asking again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not as it stands.
    Never,
    /// If doing it twice is as good as once.
    IfRepeatable,
    /// At the time that comes with the error.
    At,
}

impl Retry {
    /// The name used outside Rust.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::IfRepeatable => "if_repeatable",
            Self::At => "at",
        }
    }
}

/// Why a policy ended a call. The number is what crosses the boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The breaker refuses: the database was failing a moment ago.
    CircuitOpen = 1,
    /// No lease came free within the acquire timeout.
    PoolTimeout = 2,
    /// The queue for leases has reached its bound.
    PoolQueueFull = 3,
    /// The client was closed.
    ClientClosed = 4,
    /// The operation outlived its deadline.
    DeadlineExceeded = 5,
    /// A write was sent and its answer was lost.
    OutcomeUnknown = 6,
    /// Every attempt that the policy allows has failed.
    RetriesExhausted = 7,
    /// A lease was held longer than it may be.
    LeaseLapsed = 8,
    /// An operation that the connection's state does not allow.
    IllegalTransition = 9,
    /// The table of running calls is full.
    Overloaded = 10,
    /// The caller's signal was aborted.
    Aborted = 11,
    /// A replica lacked what a read had asked to see.
    ReplicaBehind = 12,
    /// A consistency token that is none, or of another database.
    ConsistencyTokenInvalid = 13,
    /// No database of the cluster may take the operation.
    NoEndpoint = 14,
    /// A tenant has used up its rate limit.
    RateLimited = 15,
    /// The plan of a statement costs more than the limit.
    QueryTooExpensive = 16,
    /// A stored secret that no key opens.
    SecretUnreadable = 17,
    /// An operator has suspended the tenant.
    TenantSuspended = 18,
}

/// What the table says about one code.
#[derive(Clone, Copy, Debug)]
pub struct CodeFacts {
    /// The code.
    pub code: Code,
    /// Its name, stable for ever.
    pub name: &'static str,
    /// Who has to act.
    pub origin: Origin,
    /// When asking again can help.
    pub retry: Retry,
    /// The HTTP status that a server answers with.
    pub status: u16,
    /// What happened, in one sentence. Empty with the feature `bindings`.
    pub what: &'static str,
    /// What to do, in one sentence. Empty with the feature `bindings`.
    pub remedy: &'static str,
}

/// The table, in the order of the numbers, from 1.
pub const CODES: [CodeFacts; 18] = [
    CodeFacts {
        code: Code::CircuitOpen,
        name: "CIRCUIT_OPEN",
        origin: Origin::Policy,
        retry: Retry::At,
        status: 503,
        what: prose("The circuit is open: the database was failing, so nothing was sent."),
        remedy: prose("Ask again at retryAtMs, or serve something else meanwhile."),
    },
    CodeFacts {
        code: Code::PoolTimeout,
        name: "POOL_TIMEOUT",
        origin: Origin::Policy,
        retry: Retry::IfRepeatable,
        status: 503,
        what: prose("No lease came free within the acquire timeout; nothing was sent."),
        remedy: prose("Raise connectionPool.maxConnections or acquireTimeout, or hold transactions for less time."),
    },
    CodeFacts {
        code: Code::PoolQueueFull,
        name: "POOL_QUEUE_FULL",
        origin: Origin::Policy,
        retry: Retry::IfRepeatable,
        status: 503,
        what: prose("The queue for leases is full; nothing was sent."),
        remedy: prose("Raise connectionPool.maxConnections or maxQueue, or send less at once."),
    },
    CodeFacts {
        code: Code::ClientClosed,
        name: "CLIENT_CLOSED",
        origin: Origin::Caller,
        retry: Retry::Never,
        status: 503,
        what: prose("The client is closed; nothing was sent."),
        remedy: prose("Create another client, or call reconnect()."),
    },
    CodeFacts {
        code: Code::DeadlineExceeded,
        name: "DEADLINE_EXCEEDED",
        origin: Origin::Upstream,
        retry: Retry::IfRepeatable,
        status: 504,
        what: prose("The operation did not end within its deadline."),
        remedy: prose("Give it a longer timeout, or look at why the database is slow."),
    },
    CodeFacts {
        code: Code::OutcomeUnknown,
        name: "OUTCOME_UNKNOWN",
        origin: Origin::Upstream,
        retry: Retry::IfRepeatable,
        status: 502,
        what: prose("The answer to a write was lost: outcome unknown, it may have been applied."),
        remedy: prose("Read back what it would have changed before sending it again."),
    },
    CodeFacts {
        code: Code::RetriesExhausted,
        name: "RETRIES_EXHAUSTED",
        origin: Origin::Upstream,
        retry: Retry::IfRepeatable,
        status: 502,
        what: prose("Every attempt that the retry policy allows has failed."),
        remedy: prose("See the cause, which is the last attempt's own error."),
    },
    CodeFacts {
        code: Code::LeaseLapsed,
        name: "LEASE_LAPSED",
        origin: Origin::Policy,
        retry: Retry::IfRepeatable,
        status: 504,
        what: prose("The transaction held its lease longer than its deadline, so the lease was taken back."),
        remedy: prose("Do less inside the transaction, or raise timeouts.transaction."),
    },
    CodeFacts {
        code: Code::IllegalTransition,
        name: "ILLEGAL_TRANSITION",
        origin: Origin::Ours,
        retry: Retry::Never,
        status: 500,
        what: prose("The connection's state does not allow this operation."),
        remedy: prose("Report it with the history that the message holds."),
    },
    CodeFacts {
        code: Code::Overloaded,
        name: "OVERLOADED",
        origin: Origin::Policy,
        retry: Retry::IfRepeatable,
        status: 503,
        what: prose("Too many operations run at once in this isolate; nothing was sent."),
        remedy: prose("Send less at once."),
    },
    CodeFacts {
        code: Code::Aborted,
        name: "ABORTED",
        origin: Origin::Caller,
        retry: Retry::Never,
        status: 499,
        what: prose("The caller's signal was aborted."),
        remedy: prose("Nothing: this was asked for. A write that was already sent may have been applied."),
    },
    CodeFacts {
        code: Code::ReplicaBehind,
        name: "REPLICA_BEHIND",
        origin: Origin::Upstream,
        retry: Retry::IfRepeatable,
        status: 503,
        what: "The replica did not catch up with an earlier write in time, and consistency.onTimeout is error.",
        remedy: "Ask again, raise consistency.waitTimeout, or let consistency.onTimeout be stale to take an older answer.",
    },
    CodeFacts {
        code: Code::ConsistencyTokenInvalid,
        name: "CONSISTENCY_TOKEN_INVALID",
        origin: Origin::Caller,
        retry: Retry::Never,
        status: 400,
        what: "The consistency token is garbled or belongs to another database; nothing was sent.",
        remedy: "Drop it and go on without one.",
    },
    CodeFacts {
        code: Code::NoEndpoint,
        name: "NO_ENDPOINT",
        origin: Origin::Caller,
        retry: Retry::Never,
        status: 503,
        what: prose("No registered database may take the operation; nothing was sent."),
        remedy: prose("Ask for tags that one of them has, and send writes to one that is not read-only."),
    },
    CodeFacts {
        code: Code::RateLimited,
        name: "RATE_LIMITED",
        origin: Origin::Policy,
        retry: Retry::At,
        status: 429,
        what: prose("More operations came than rateLimit.rate and rateLimit.burst allow; nothing was sent."),
        remedy: prose("Ask again at retryAtMs, or send less."),
    },
    CodeFacts {
        code: Code::QueryTooExpensive,
        name: "QUERY_TOO_EXPENSIVE",
        origin: Origin::Policy,
        retry: Retry::Never,
        status: 422,
        what: prose("By its plan, the statement would visit more rows than queryCost.limit allows; it was not run."),
        remedy: prose("Add an index that it can use, ask for less, or raise queryCost.limit."),
    },
    CodeFacts {
        code: Code::SecretUnreadable,
        name: "SECRET_UNREADABLE",
        origin: Origin::Caller,
        retry: Retry::Never,
        status: 500,
        what: prose("A stored secret was sealed with a key that was not given, or is not as it was sealed."),
        remedy: prose("Give every key that is still in use in SEAWALL_CRYPTO_KEY, the newest first, or store it anew."),
    },
    CodeFacts {
        code: Code::TenantSuspended,
        name: "TENANT_SUSPENDED",
        origin: Origin::Policy,
        retry: Retry::Never,
        status: 403,
        what: prose("An operator has suspended the tenant; nothing was sent."),
        remedy: prose("Ask whoever runs the service, or take the suspension back."),
    },
];

/// Text for documents and for JavaScript's own copy of the table: what JavaScript loads goes without it.
pub(crate) const fn prose(text: &'static str) -> &'static str {
    if cfg!(feature = "bindings") { "" } else { text }
}

impl Code {
    /// What the table says.
    #[must_use]
    pub const fn facts(self) -> &'static CodeFacts {
        &CODES[self as usize - 1]
    }

    /// The code with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(CODES.get((number as usize).checked_sub(1)?)?.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_finds_its_own_row() {
        for (index, facts) in CODES.iter().enumerate() {
            assert_eq!(facts.code as usize, index + 1, "{}", facts.name);
            assert_eq!(facts.code.facts().name, facts.name);
            assert!(facts.name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
        }
    }
}
