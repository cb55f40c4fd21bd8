//! What becomes of connections that nobody uses at the moment: they are set up, worn out, closed. No timer does it:
//! whoever asks for a lease, or looks, does. What only the host can do is asked for by [`LeasePool::next_work`].

use super::{ConnectionState, Cx, LeasePool, Reason, Slot};
use crate::clock::Instant;
use crate::note::Note;
use crate::note::times::Row;
use crate::policy::connection::Connection;

/// On the way to a lease, idle connections are looked for this often, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 1_000;

/// Connections that the host is yet to close, at most; beyond it they close by themselves.
const RETIRED_MAX: usize = 64;

/// What only the host can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolWork {
    /// Close what is behind this connection.
    Retire(u32),
    /// Set this connection up, and report by [`LeasePool::set_up`].
    SetUp(u32),
    /// Ask again then.
    AskAt(Instant),
}

/// Which connections to close by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Those that nobody uses.
    Idle,
    /// All; those in use when they are given back.
    All,
    /// The one with this number.
    One(u32),
}

/// How often the steps of a life were taken, since the pool was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lives {
    /// Made.
    pub created: u64,
    /// Set up ahead of demand.
    pub warmed: u64,
    /// Checked before a lease.
    pub validated: u64,
    /// Closed for their age, their uses, or what a check found.
    pub recycled: u64,
    /// Closed for whatever reason.
    pub retired: u64,
}

/// Setting up ahead of demand.
#[derive(Clone, Debug, Default)]
pub(super) struct Warming {
    pub(super) failures: u32,
    pub(super) at: Instant,
    pub(super) is_due: bool,
}

impl LeasePool {
    /// Takes back what lapsed, closes what is idle for too long or worn, and shrinks the limit. No timer does it: whoever
    /// looks does.
    pub fn sweep(&mut self, cx: &mut Cx<'_>) {
        self.take_back_lapsed(cx);
        self.close_idle(cx);
    }

    #[cold]
    pub(super) fn close_idle(&mut self, cx: &mut Cx<'_>) {
        self.sweep_at = cx.now.plus(SWEEP_INTERVAL_MS);
        self.sizing.shrink(&self.config, self.in_use, cx.now);
        // One after another, beginning with the one that is idle for longest.
        loop {
            let ready = self.slots.iter().enumerate();
            let ready = ready.filter(|(_, slot)| slot.connection.state() == ConnectionState::Ready);
            let Some((index, slot)) = ready.min_by_key(|(_, slot)| slot.connection.last_used_at()) else { break };
            let working = self.count(ConnectionState::Ready) + self.count(ConnectionState::Leased);
            let is_late = cx.now.since(slot.connection.last_used_at()) > self.config.idle_max_ms();
            if self.is_old(index, cx.now) {
                self.recycle(index, cx);
            } else if working > self.config.kept() && (is_late || working > self.sizing.limit) {
                self.let_go(index, ConnectionState::Closed, Reason::Idle, cx);
            } else {
                break;
            }
        }
        self.warming.is_due |=
            self.config.has_connections && !self.is_closed && cx.now >= self.warming.at && self.is_cold();
    }

    fn count(&self, state: ConnectionState) -> u32 {
        self.slots.iter().filter(|slot| slot.connection.state() == state).count() as u32
    }

    fn is_cold(&self) -> bool {
        let states = [ConnectionState::Ready, ConnectionState::Leased, ConnectionState::Warming];
        states.into_iter().map(|state| self.count(state)).sum::<u32>() < self.config.warm_level()
    }

    /// Moves a connection to where it will not be used again.
    #[inline(never)]
    pub(super) fn let_go(&mut self, index: usize, to: ConnectionState, reason: Reason, cx: &mut Cx<'_>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let id = slot.connection.id();
        Self::advance(slot, to, reason, self.is_enforced, cx);
        self.lives.retired += 1;
        if self.config.has_connections && self.retired.len() < RETIRED_MAX {
            self.retired.push(id);
            self.warming.is_due = true;
        }
    }

    pub(super) fn is_old(&self, index: usize, now: Instant) -> bool {
        let created_at = self.slots.get(index).map_or(now, |slot| slot.connection.created_at());
        now.since(created_at) > self.config.age_max_ms
    }

    /// Closes an idle connection that is worn; the next call that needs one makes a fresh one.
    #[cold]
    pub(super) fn recycle(&mut self, index: usize, cx: &mut Cx<'_>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        Self::advance(slot, ConnectionState::Recycling, Reason::Worn, self.is_enforced, cx);
        self.lives.recycled += 1;
        self.let_go(index, ConnectionState::Closed, Reason::Worn, cx);
    }

    /// Whether [`LeasePool::next_work`] may have an answer; cheap enough to ask every time.
    #[must_use]
    pub const fn has_work(&self) -> bool {
        self.warming.is_due
    }

    /// What the host is to do next for connections that nobody uses. It asks until the answer is none.
    ///
    /// A set-up that fails is tried again after `setup_delay`, `setup_retries` times, and then not before
    /// `upkeep_interval` has passed.
    pub fn next_work(&mut self, cx: &mut Cx<'_>) -> Option<PoolWork> {
        if let Some(id) = self.retired.pop() {
            return Some(PoolWork::Retire(id));
        }
        self.warming.is_due = false;
        if self.is_closed || !self.config.has_connections || !self.is_cold() {
            return None;
        }
        if cx.now < self.warming.at {
            let is_retry = self.warming.failures > 0;
            return is_retry.then_some(PoolWork::AskAt(self.warming.at));
        }
        let index = self.make(ConnectionState::Warming, cx);
        self.slots.get(index).map(|slot| PoolWork::SetUp(slot.connection.id()))
    }

    /// Takes in how a set-up ended. One whose connection was taken meanwhile changes nothing.
    pub fn set_up(&mut self, id: u32, is_well: bool, cx: &mut Cx<'_>) {
        let is_it = |slot: &Slot| slot.connection.id() == id && slot.connection.state() == ConnectionState::Warming;
        let Some(index) = self.slots.iter().position(is_it) else { return };
        if is_well {
            let slot = &mut self.slots[index];
            cx.notes.took(Row::SetUp, cx.now.since(slot.connection.created_at()));
            Self::advance(slot, ConnectionState::Ready, Reason::SetUp, self.is_enforced, cx);
            self.lives.warmed += 1;
            self.warming.failures = 0;
            return;
        }
        self.let_go(index, ConnectionState::Failed, Reason::Broken, cx);
        let is_given_up = self.warming.failures >= self.config.setup_retries;
        self.warming.failures = if is_given_up { 0 } else { self.warming.failures + 1 };
        let delay_ms = if is_given_up { self.config.upkeep_interval_ms } else { self.config.setup_delay_ms };
        self.warming.at = cx.now.plus(delay_ms);
    }

    /// Closes connections by hand, and says how many: idle ones at once, those in use when they are given back.
    pub fn clean_up(&mut self, what: Cleanup, cx: &mut Cx<'_>) -> u32 {
        self.end_all(what, Reason::Cleaned, cx)
    }

    pub(super) fn end_all(&mut self, what: Cleanup, reason: Reason, cx: &mut Cx<'_>) -> u32 {
        let is_enforced = self.is_enforced;
        let mut cleaned = 0;
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            let (id, state) = (slot.connection.id(), slot.connection.state());
            let is_idle = matches!(state, ConnectionState::Ready | ConnectionState::Failed);
            let is_meant = match what {
                Cleanup::Idle => is_idle,
                Cleanup::All => true,
                Cleanup::One(one) => one == id,
            };
            if !is_meant || matches!(state, ConnectionState::Closed | ConnectionState::Draining) {
                continue;
            }
            cleaned += 1;
            let is_used = matches!(state, ConnectionState::Leased | ConnectionState::Validating);
            if is_used || state == ConnectionState::Ready {
                Self::advance(slot, ConnectionState::Draining, reason, is_enforced, cx);
            }
            if state == ConnectionState::Failed {
                Self::advance(slot, ConnectionState::Closed, reason, is_enforced, cx);
            } else if !is_used {
                self.let_go(index, ConnectionState::Closed, reason, cx);
            }
        }
        cleaned
    }

    /// A fresh connection in a free slot, set up, or on its way to it.
    #[cold]
    pub(super) fn make(&mut self, state: ConnectionState, cx: &mut Cx<'_>) -> usize {
        let mut connection = Connection::new(self.next_connection, cx.now);
        self.next_connection = self.next_connection.wrapping_add(1);
        self.lives.created += 1;
        let vacant = self.slots.iter().position(|slot| {
            slot.held.is_none() && matches!(slot.connection.state(), ConnectionState::Failed | ConnectionState::Closed)
        });
        for (to, reason) in [(ConnectionState::Warming, Reason::Demand), (ConnectionState::Ready, Reason::SetUp)] {
            if connection.move_to(to, reason, cx.now).is_err() {
                cx.notes.push(Note::TransitionRefused, cx.now);
            }
            if to == state {
                break;
            }
        }
        let fresh = Slot { connection, held: None, latency_ms: 0.0 };
        match vacant {
            Some(index) => {
                let old = &mut self.slots[index];
                if old.connection.state() == ConnectionState::Failed {
                    Self::advance(old, ConnectionState::Closed, Reason::Broken, self.is_enforced, cx);
                }
                self.slots[index] = fresh;
                index
            }
            None => {
                self.slots.push(fresh);
                self.slots.len() - 1
            }
        }
    }
}
