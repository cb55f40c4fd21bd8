//! The head of the audit log: which record is the last, and how much may still be written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::sha256;
use crate::clock::{Instant, Millis};
use crate::policy::rate::{Rate, RateConfig};

const SCHEMA: u32 = 1;
/// Records are numbered up to here: what has 12 digits.
const SEQ_MAX: u64 = 999_999_999_999;
/// The longest that a bucket of a minute owes, with what rounding and clocks that are nearly right may add, in milliseconds.
const OWED_MAX_MS: Millis = 61_000;
/// What stands for the digest of a record that cannot be known, because the head was damaged.
pub const UNKNOWN: &str = "unknown";

/// What a write is counted against. Each has a budget of its own, so that no flood of the one keeps the other from being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Budget {
    /// Writes of all kinds.
    #[default]
    Writes,
    /// What turns something off at once.
    Kill,
    /// Work of our own, which has bounds of its own.
    Unlimited,
}

/// How much may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Writes a minute, and at once after a pause.
    pub writes_per_minute: u32,
    /// The same for the kill switch.
    pub kills_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { writes_per_minute: 60, kills_per_minute: 60 }
    }
}

/// Which order holds: whoever reads the head knows whether the orders that he has are the newest, and are what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The order's version.
    pub version: u64,
    /// Its checksum.
    pub sha256: String,
}

/// The head as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    schema: u32,
    /// The number of the last record; 0 before the first.
    pub seq: u64,
    /// The digest of its text; [`UNKNOWN`] after damage.
    pub sha256: String,
    /// The number of the first record that is kept.
    pub first: u64,
    /// What that one holds as the digest of the record before it.
    pub anchor: String,
    /// When the next write is due, in milliseconds since the epoch: see [`Rate`].
    writes_due_ms: u64,
    /// The same for the kill switch.
    kills_due_ms: u64,
    /// The orders by name.
    #[serde(default)]
    pub orders: BTreeMap<String, Mark>,
}

impl Head {
    /// Before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: SCHEMA, first: 1, ..Self::default() }
    }

    /// After damage: records go on above `seq`, and what comes next says that the chain is broken there.
    #[must_use]
    pub fn after_damage(seq: u64) -> Self {
        Self { schema: SCHEMA, seq, sha256: UNKNOWN.to_owned(), first: 1, ..Self::default() }
    }

    /// Reads a head; `None` for a text that is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let head: Self = serde_json::from_str(text).ok()?;
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_chained = is_digest(&head.sha256) || head.sha256 == UNKNOWN;
        let is_sound =
            head.schema == SCHEMA && (1..SEQ_MAX).contains(&head.seq) && is_chained && head.first <= head.seq + 1;
        is_sound.then_some(head)
    }

    /// The head as text.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes what one write costs.
    ///
    /// # Errors
    ///
    /// When there is none left: in how many milliseconds there is.
    pub fn take(&mut self, budget: Budget, limits: Limits, now: Instant) -> Result<(), Millis> {
        let (due_ms, per_minute) = match budget {
            Budget::Unlimited => return Ok(()),
            Budget::Writes => (&mut self.writes_due_ms, limits.writes_per_minute),
            Budget::Kill => (&mut self.kills_due_ms, limits.kills_per_minute),
        };
        // No bucket owes more than a minute: what says so was written by a clock ahead of ours, which must not keep everybody
        // else from writing until they get there.
        if *due_ms > now.0.saturating_add(OWED_MAX_MS) {
            *due_ms = now.0;
        }
        let config = RateConfig::per_second(f64::from(per_minute) / 60.0, per_minute);
        let mut rate = Rate::new(config);
        rate.restore(Instant(*due_ms));
        rate.decide(now).map_err(|at| at.since(now).max(1))?;
        *due_ms = rate.due().0;
        Ok(())
    }

    /// Goes on to `entry`, which has the text `text`.
    pub fn append(&mut self, entry: &Entry, text: &str) {
        self.seq = entry.seq;
        self.sha256 = sha256(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_704_067_200_000);

    #[test]
    fn a_head_is_what_its_text_says() {
        let mut head = Head::new();
        head.seq = 3;
        head.sha256 = sha256("x");
        assert_eq!(Head::read(&head.text()), Some(head.clone()));
        for wrong in ["", "{}", "null", &head.text().replace("\"schema\":1", "\"schema\":2"), &Head::new().text()] {
            assert_eq!(Head::read(wrong), None, "{wrong}");
        }
        // H104: a number after which there is none.
        for seq in [SEQ_MAX, u64::MAX] {
            assert_eq!(Head::read(&Head { seq, ..head.clone() }.text()), None, "{seq}");
        }
        assert!(Head::read(&Head::after_damage(7).text()).is_some());
    }

    /// A clock that is ahead of the others uses up no more than what it takes: least of all the kill switch of all others.
    #[test]
    fn a_clock_that_is_ahead_locks_nobody_out() {
        for ahead_ms in [1_000, 62_000, 3_600_000, 86_400_000, u64::MAX - NOW.0] {
            let mut head = Head::new();
            let limits = Limits::default();
            for budget in [Budget::Writes, Budget::Kill] {
                assert_eq!(head.take(budget, limits, NOW.plus(ahead_ms)), Ok(()), "{ahead_ms}");
                assert_eq!(head.take(budget, limits, NOW), Ok(()), "{ahead_ms}");
            }
        }
    }

    /// H088: so many writes a minute, for all isolates together; the kill switch has a budget of its own.
    #[test]
    fn a_flood_of_writes_leaves_the_kill_switch_alone() {
        let mut head = Head::new();
        let limits = Limits { writes_per_minute: 10, kills_per_minute: 2 };
        let taken = (0..10_000).filter(|_| head.take(Budget::Writes, limits, NOW).is_ok()).count();
        assert_eq!(taken, 10);
        let wait = head.take(Budget::Writes, limits, NOW).unwrap_err();
        assert_eq!(wait, 6_000);
        assert_eq!(head.take(Budget::Writes, limits, NOW.plus(wait)), Ok(()));
        assert_eq!((0..10).filter(|_| head.take(Budget::Kill, limits, NOW).is_ok()).count(), 2);
        assert_eq!(head.take(Budget::Unlimited, limits, NOW), Ok(()));
    }
}
