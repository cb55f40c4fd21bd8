//! What own writes changed, and whether a read that took its time may still be kept.
//!
//! A read that began before a write ended may show what was there before it, so its result must not be kept. Each end of
//! a write begins a new *epoch* for its tables; a load notes the epoch that it began in, and counts only if none of its
//! tables has changed since. While a write is open nothing of its tables is kept at all: it may take effect at any moment.
//!
//! A writer can vanish without a word, like any caller on Workers. An open write is therefore a lease: once it lapses, its
//! tables count as changed. The same holds for a write whose outcome is unknown.
//!
//! A read of t begins in epoch 4; a write to t ends and makes it 5; the read ends, and is not kept.

use crate::clock::{Instant, Millis};

/// A set of up to 64 tables, one bit each. Beyond 64, tables share a bit: a write then drops more than it must.
pub type Tables = u64;

/// All tables: of a statement that says too little of itself.
pub const ALL: Tables = Tables::MAX;

/// A point between two changes. Wraps after four thousand million writes.
pub type Epoch = u32;

/// Writes that are told apart while open. What comes on top stays open for its whole lease.
const OPEN_MAX: usize = 256;

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It certainly changed nothing: it was refused before it was sent.
    Nothing,
    /// It took effect, in part at least.
    Something,
    /// Nobody knows; it may yet take effect.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct OpenWrite {
    id: u32,
    tables: Tables,
    expires_at: Instant,
}

/// Own writes, open and ended.
#[derive(Clone, Debug)]
pub struct Changes {
    lease_ms: Millis,
    epoch: Epoch,
    /// By bit: the epoch that began with the latest change.
    changed: [Epoch; Tables::BITS as usize],
    open: Vec<OpenWrite>,
    next_id: u32,
}

impl Changes {
    /// Nothing written yet. A write that is not heard of for `lease_ms` milliseconds counts as ended.
    #[must_use]
    pub const fn new(lease_ms: Millis) -> Self {
        Self { lease_ms, epoch: 0, changed: [0; Tables::BITS as usize], open: Vec::new(), next_id: 1 }
    }

    /// Now, for a load that begins. Ask [`Changes::lapsed`] first.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// A write begins. Returns its number, never 0; 0 for one of too many, whose end need not be told.
    pub fn begin(&mut self, tables: Tables, now: Instant) -> u32 {
        let expires_at = now.plus(self.lease_ms);
        if self.open.len() >= OPEN_MAX
            && let Some(last) = self.open.last_mut()
        {
            *last = OpenWrite { id: 0, tables: last.tables | tables, expires_at: expires_at.max(last.expires_at) };
            return 0;
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.open.push(OpenWrite { id, tables, expires_at });
        id
    }

    /// A write to these tables ended. Returns the tables whose entries must go; with an unknown outcome they go now, and
    /// nothing of them is kept until the lease has lapsed.
    pub fn end(&mut self, id: u32, tables: Tables, written: Written) -> Tables {
        if written != Written::Unknown {
            self.open.retain(|write| write.id != id || id == 0);
        }
        if written == Written::Nothing {
            return 0;
        }
        self.mark(tables);
        tables
    }

    /// Counts tables as changed.
    #[inline(never)]
    pub fn mark(&mut self, tables: Tables) {
        self.epoch = self.epoch.wrapping_add(1);
        for (bit, changed) in self.changed.iter_mut().enumerate() {
            if tables >> bit & 1 == 1 {
                *changed = self.epoch;
            }
        }
    }

    /// Ends the writes whose leases have lapsed. Returns the tables whose entries must go.
    pub fn lapsed(&mut self, now: Instant) -> Tables {
        let mut tables = 0;
        self.open.retain(|write| {
            let is_open = write.expires_at > now;
            if !is_open {
                tables |= write.tables;
            }
            is_open
        });
        if tables != 0 {
            self.mark(tables);
        }
        tables
    }

    /// Whether what was read since `since` may be kept: none of its tables has changed, or is being written.
    #[must_use]
    pub fn allows(&self, tables: Tables, since: Epoch) -> bool {
        let mut changed = self.changed.iter().enumerate();
        // Wrapping: half of all numbers are before any other.
        let is_unchanged = |epoch: Epoch| since.wrapping_sub(epoch) <= Epoch::MAX / 2;
        changed.all(|(bit, epoch)| tables >> bit & 1 == 0 || is_unchanged(*epoch))
            && self.open.iter().all(|write| write.tables & tables == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: Tables = 1;
    const ORDERS: Tables = 2;

    #[test]
    fn a_read_that_a_write_overtook_is_not_kept() {
        let mut changes = Changes::new(1_000);
        let before = changes.epoch();
        let write = changes.begin(USERS, Instant(0));
        assert!(!changes.allows(USERS, before), "it may take effect at any moment");
        assert!(changes.allows(ORDERS, before));
        assert_eq!(changes.end(write, USERS, Written::Something), USERS);
        assert!(!changes.allows(USERS, before), "it may have read what was there before");
        assert!(!changes.allows(ALL, before));
        assert!(changes.allows(USERS, changes.epoch()));
    }

    #[test]
    fn a_write_that_was_refused_drops_nothing() {
        let mut changes = Changes::new(1_000);
        let write = changes.begin(ALL, Instant(0));
        assert_eq!(changes.end(write, ALL, Written::Nothing), 0);
        assert!(changes.allows(ALL, 0));
    }

    #[test]
    fn a_writer_who_vanished_is_waited_for_until_its_lease_lapses() {
        let mut changes = Changes::new(1_000);
        let write = changes.begin(USERS, Instant(0));
        assert_eq!(changes.lapsed(Instant(999)), 0);
        let late = changes.epoch();
        assert!(!changes.allows(USERS, late));
        assert_eq!(changes.lapsed(Instant(1_000)), USERS);
        assert!(!changes.allows(USERS, late), "this read began while the write was open");
        assert!(changes.allows(USERS, changes.epoch()));
        let between = changes.epoch();
        assert_eq!(changes.end(write, USERS, Written::Something), USERS, "slow, and not dead");
        assert!(!changes.allows(USERS, between));
    }

    #[test]
    fn an_unknown_outcome_drops_now_and_keeps_nothing_until_the_lease_lapses() {
        let mut changes = Changes::new(1_000);
        let write = changes.begin(USERS, Instant(0));
        assert_eq!(changes.end(write, USERS, Written::Unknown), USERS);
        assert!(!changes.allows(USERS, changes.epoch()), "it may yet take effect");
        assert_eq!(changes.lapsed(Instant(1_000)), USERS);
        assert!(changes.allows(USERS, changes.epoch()));
    }

    #[test]
    fn too_many_open_writes_become_one_that_lapses() {
        let mut changes = Changes::new(1_000);
        for at in 0..OPEN_MAX {
            assert_ne!(changes.begin(USERS, Instant(at as u64)), 0);
        }
        assert_eq!(changes.begin(ORDERS, Instant(900)), 0);
        assert_eq!(changes.end(0, ORDERS, Written::Something), ORDERS);
        assert!(!changes.allows(ORDERS, changes.epoch()));
        assert_eq!(changes.lapsed(Instant(1_900)), USERS | ORDERS);
    }

    #[test]
    fn epochs_wrap() {
        let mut changes = Changes::new(1_000);
        changes.epoch = Epoch::MAX;
        changes.changed = [Epoch::MAX; 64];
        let before = changes.epoch();
        changes.mark(USERS);
        assert_eq!(changes.epoch(), 0);
        assert!(!changes.allows(USERS, before));
        assert!(changes.allows(ORDERS, 0));
    }
}
