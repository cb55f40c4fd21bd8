//! The audit log: who changed what, when, why, and what was there before. Nothing in it is ever changed, and each record
//! holds the digest of the one before it.
//!
//! ```text
//! audit/head           {"schema":1,"seq":12,"sha256":"5e…","first":1,"anchor":"", …}
//! audit/000000000012   {"seq":12,"actor":"ada","action":"replaceFlags", …,"previous":"c4…"}
//! ```
//!
//! `commit` writes a change, its record and the head in one step of the strong store: there is no change without a record
//! and no record without a change, wherever a writer dies. The head also holds the budgets of writes, which are exact for
//! the whole fleet for the same reason. `look` reads pages and verifies the chain, `forget` ends what is too old.

pub mod commit;
pub mod entry;
pub mod forget;
pub mod head;
pub mod look;

use sha2::{Digest, Sha256};

/// Where the head is kept in the strong store.
pub const HEAD_KEY: &str = "audit/head";
/// What the keys of records begin with.
const PREFIX: &str = "audit/";

/// Where a record is kept: 12 digits, so that keys are in the order of numbers.
#[must_use]
pub fn key(seq: u64) -> String {
    format!("{PREFIX}{seq:012}")
}

/// The number in a record's key; `None` for any other key.
#[must_use]
pub fn seq_of(key: &str) -> Option<u64> {
    let digits = key.strip_prefix(PREFIX)?;
    let is_key = digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_key)
}

/// SHA-256 in 64 hexadecimal digits.
#[must_use]
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
