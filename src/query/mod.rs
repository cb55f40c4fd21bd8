//! A statement as the policies see it: read, write or unknown; safe to repeat or not; its tables and its text.
//!
//! What is not certainly a read is not repeated after a lost answer, so a wrong "unknown" costs a retry, and a wrong
//! "read" a second write: [`statement`] never takes one for the other.

mod names;
pub mod normal;
pub mod plan;
mod reading;
pub mod statement;
pub mod token;

use crate::clock::Millis;

pub use normal::{fingerprint, normal_text};
pub use statement::{Statement, Verb, table_hash};

/// What a statement does to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// It only reads, so it may be repeated.
    Read = 0,
    /// It may change data.
    Write = 1,
    /// It could not be told: treated as a write.
    Unknown = 2,
}

impl Kind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Read),
            1 => Some(Self::Write),
            2 => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// The class of an operation: each has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// One statement.
    Query = 0,
    /// An interactive transaction, from its lease to its end.
    Transaction = 1,
    /// Several statements in one request.
    Batch = 2,
    /// A probe that asks whether the database answers.
    HealthCheck = 3,
}

/// Number of classes.
pub const CLASSES: usize = 4;

impl Class {
    /// The class with this number, if there is one.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Query),
            1 => Some(Self::Transaction),
            2 => Some(Self::Batch),
            3 => Some(Self::HealthCheck),
            _ => None,
        }
    }
}

/// Who goes first among those who wait for a lease. The numbers are those of the packed form: 0 is what is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Priority {
    /// What is not said.
    #[default]
    Medium = 0,
    /// Before medium.
    High = 1,
    /// Before all others.
    Critical = 2,
    /// After all others.
    Low = 3,
}

impl Priority {
    /// The priority of a packed form's two bits.
    const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::Medium,
            1 => Self::High,
            2 => Self::Critical,
            _ => Self::Low,
        }
    }
}

/// One operation that a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which deadline applies.
    pub class: Class,
    /// What it does to the database.
    pub kind: Kind,
    /// Whether the caller vouches that repeating it is harmless.
    pub is_idempotent: bool,
    /// Whether it runs inside a lease that its caller already holds: no pool, no retry.
    pub is_held: bool,
    /// Whether the breaker is asked; `false` bypasses it for this call only.
    pub uses_breaker: bool,
    /// Replaces the deadline of the class; in milliseconds.
    pub timeout_ms: Option<Millis>,
    /// Number of the retry policy: 0 for the client's own, else one that the engine was told of.
    pub retry: u8,
    /// `false` keeps it from having a second leg.
    pub may_have_second_leg: bool,
    /// Who goes first among those who wait for a lease.
    pub priority: Priority,
    /// Which layers it goes without.
    pub layers: Layers,
}

/// Which layers an operation goes without, because flags say so. All are there by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers(u8);

impl Layers {
    const NO_POOL: u8 = 1;
    const RECORDED: u8 = 2;
    const UNCOUNTED: u8 = 4;
    const NO_BREAKER: u8 = 8;

    /// All of them.
    pub const ALL: Self = Self(0);

    /// Layers by what is missing.
    #[must_use]
    pub const fn without(pool: bool, enforcement: bool, counting: bool) -> Self {
        let bits = if pool { Self::NO_POOL } else { 0 } | if enforcement { Self::RECORDED } else { 0 };
        Self(bits | if counting { Self::UNCOUNTED } else { 0 })
    }

    /// The same, without the breaker where that is off as well.
    #[must_use]
    pub const fn with_breaker(self, is_on: bool) -> Self {
        if is_on { self } else { Self(self.0 | Self::NO_BREAKER) }
    }

    /// Whether the breaker is asked.
    #[must_use]
    pub const fn has_breaker(self) -> bool {
        self.0 & Self::NO_BREAKER == 0
    }

    /// Whether it waits for a lease.
    #[must_use]
    pub const fn has_pool(self) -> bool {
        self.0 & Self::NO_POOL == 0
    }

    /// Whether what its connection may not do is refused, and not only recorded.
    #[must_use]
    pub const fn is_enforced(self) -> bool {
        self.0 & Self::RECORDED == 0
    }

    /// Whether it is counted and timed.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        self.0 & Self::UNCOUNTED == 0
    }
}

/// Retry policies beside the client's own, at most.
pub const RETRY_POLICIES_MAX: usize = 15;

impl Query {
    /// A query of a class and kind with the policies' defaults.
    #[must_use]
    pub const fn new(class: Class, kind: Kind) -> Self {
        Self {
            class,
            kind,
            is_idempotent: false,
            is_held: false,
            uses_breaker: true,
            timeout_ms: None,
            retry: 0,
            may_have_second_leg: true,
            priority: Priority::Medium,
            layers: Layers::ALL,
        }
    }

    /// Whether sending it twice is as good as once.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        self.is_idempotent || matches!(self.kind, Kind::Read)
    }

    /// Whether a second copy may be sent while the first is out: only of a read that waits for nobody else's lease.
    #[must_use]
    pub const fn may_hedge(&self) -> bool {
        let is_read = matches!(self.kind, Kind::Read) && !matches!(self.class, Class::HealthCheck);
        is_read && !self.is_held && self.may_have_second_leg
    }

    /// Reads the packed form that crosses the boundary; `None` for bits that mean nothing.
    ///
    /// Bits 0 to 3 hold the class, 4 and 5 the kind, 6 "idempotent", 7 "held", 8 "bypass the breaker", 9 to 12 the
    /// retry policy, 13 "no second leg", 14 and 15 the priority, 16 to 18 "without the pool", "connections are only
    /// recorded", "not counted".
    #[must_use]
    pub const fn from_bits(bits: u32, timeout_ms: Option<Millis>) -> Option<Self> {
        if bits >> 19 != 0 {
            return None;
        }
        match (Class::from_number(bits & 0xF), Kind::from_number(bits >> 4 & 3)) {
            (Some(class), Some(kind)) => Some(Self {
                class,
                kind,
                is_idempotent: bits & 1 << 6 != 0,
                is_held: bits & 1 << 7 != 0,
                uses_breaker: bits & 1 << 8 == 0,
                timeout_ms,
                retry: (bits >> 9 & 0xF) as u8,
                may_have_second_leg: bits & 1 << 13 == 0,
                priority: Priority::from_bits(bits >> 14),
                layers: Layers((bits >> 16) as u8),
            }),
            _ => None,
        }
    }
}

/// Tells what one SQL statement does: [`Statement::of`] without the rest.
#[must_use]
pub fn kind_of(sql: &str) -> Kind {
    Statement::of(sql).kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keyword_decides() {
        let table = [
            ("SELECT 1", Kind::Read),
            ("  -- note\n /* two\n lines */ select 1;", Kind::Read),
            ("\u{feff}SELECT 1", Kind::Read),
            ("VALUES (1), (2)", Kind::Read),
            ("EXPLAIN QUERY PLAN DELETE FROM t", Kind::Read),
            ("INSERT INTO t VALUES ('select;')", Kind::Write),
            ("replace into t values (1)", Kind::Write),
            ("WITH a AS (SELECT 1) SELECT * FROM a", Kind::Read),
            ("WITH a AS (SELECT 1), b(x) AS (DELETE) INSERT INTO t SELECT * FROM a", Kind::Write),
            ("WITH [select] AS (VALUES(1)) UPDATE t SET a = 1", Kind::Write),
            ("PRAGMA user_version", Kind::Read),
            ("PRAGMA user_version = 1", Kind::Unknown),
            ("BEGIN", Kind::Unknown),
            ("SELECT 1; DELETE FROM t", Kind::Unknown),
            ("SELECT 1; -- done", Kind::Read),
            ("SELECT ';' || \"a;b\"", Kind::Read),
            ("", Kind::Unknown),
            ("selectx", Kind::Unknown),
            ("/* never closed SELECT", Kind::Unknown),
            ("'SELECT", Kind::Unknown),
        ];
        for (sql, kind) in table {
            assert_eq!(kind_of(sql), kind, "{sql:?}");
        }
    }

    #[test]
    fn packed_bits_that_mean_nothing_are_refused() {
        assert_eq!(Query::from_bits(0, None), Some(Query::new(Class::Query, Kind::Read)));
        assert_eq!(Query::from_bits(4, None), None);
        assert_eq!(Query::from_bits(3 << 4, None), None);
        assert_eq!(Query::from_bits(1 << 19, None), None);
        for (bit, layers) in [
            (16, Layers::without(true, false, false)),
            (17, Layers::without(false, true, false)),
            (18, Layers::without(false, false, true)),
        ] {
            assert_eq!(Query::from_bits(1 << bit, None).map(|query| query.layers), Some(layers));
        }
        let held = Query::from_bits(1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 3 << 9 | 2 << 14, Some(5));
        assert_eq!(
            held,
            Some(Query {
                class: Class::Transaction,
                kind: Kind::Write,
                is_idempotent: true,
                is_held: true,
                uses_breaker: false,
                timeout_ms: Some(5),
                retry: 3,
                may_have_second_leg: true,
                priority: Priority::Critical,
                layers: Layers::ALL,
            })
        );
    }
}
