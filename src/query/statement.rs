//! What one SQL statement does, to which tables, and whether its answer may be kept.
//!
//! One pass over the tokens, no grammar: words count by where they stand. In doubt the answer is the one that harms
//! nothing: unknown instead of read, a table too many, not to be kept. With
//! `WITH recent AS (SELECT * FROM orders) INSERT INTO report SELECT * FROM recent, Users` it writes `report` and reads
//! `orders` and `users`; `recent` is no table.
//!
//! **What no text tells**: the tables behind a view, those that a trigger or a cascading foreign key writes, and what a
//! virtual table reads. Whoever keeps answers must be told of those, or forget everything at every write.

use super::Kind;
use super::reading::Reading;
use super::token::{Sort, Token};

/// Tables of one statement that are told apart, of each kind; with more it touches everything.
pub const TABLES_MAX: usize = 64;
/// What a statement begins with, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verb {
    /// Nothing that is known, or several statements.
    Other = 0,
    /// `SELECT`, `VALUES`.
    Select = 1,
    /// `INSERT`, `REPLACE`.
    Insert = 2,
    /// `UPDATE`.
    Update = 3,
    /// `DELETE`.
    Delete = 4,
    /// `CREATE`, `DROP`, `ALTER`: the schema changes.
    Schema = 5,
    /// `BEGIN`, `COMMIT`, `END`, `ROLLBACK`, `SAVEPOINT`, `RELEASE`.
    Transaction = 6,
    /// `PRAGMA`.
    Pragma = 7,
    /// `ATTACH`, `DETACH`.
    Attach = 8,
    /// `VACUUM`, `ANALYZE`, `REINDEX`.
    Maintenance = 9,
    /// `EXPLAIN`: nothing is run.
    Explain = 10,
}

/// What is known of one statement from its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does to the database. Only a read may be repeated or hedged.
    pub kind: Kind,
    /// What it begins with.
    pub verb: Verb,
    /// Whether its answer depends on nothing but its arguments and the tables that it reads.
    pub is_cacheable: bool,
    /// Whether it may touch any table: those that are named are not all.
    pub touches_everything: bool,
    /// Tables that it reads, in the order in which they are named, each once: see [`table_hash`].
    pub reads: Vec<u32>,
    /// Tables that it names as targets.
    pub writes: Vec<u32>,
}

impl Statement {
    /// Tells what `sql` does.
    ///
    /// Text that is no single complete statement is [`Kind::Unknown`], and so is a read that calls a function which
    /// acts, such as `load_extension`. Functions of the user count as readers whose results are not kept.
    #[must_use]
    pub fn of(sql: &str) -> Self {
        let mut reading = Reading::new(sql.as_bytes());
        reading.run();
        reading.finish()
    }

    /// Packed for the boundary: bits 0 and 1 the kind, 2 cacheable, 3 "touches everything", 4 to 7 the verb.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        self.kind as u32
            | (self.is_cacheable as u32) << 2
            | (self.touches_everything as u32) << 3
            | (self.verb as u32) << 4
    }
}

/// The number of a table: FNV-1a, 32 bits, of its name without quotes and schema, ASCII letters in lower case.
///
/// The schema is left out, because a bare name may mean a table of any of them. Two names of one number make
/// somebody forget too much, never too little.
#[must_use]
pub fn table_hash(name: &str) -> u32 {
    hash(&Token { sort: Sort::Word, text: name.as_bytes() }.name())
}

#[inline(never)]
pub(super) fn hash(name: &[u8]) -> u32 {
    crate::state::codec::checksum(name)
}
