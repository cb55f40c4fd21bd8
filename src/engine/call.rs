//! The memory of running calls: a bounded slab whose entries expire.
//!
//! A cancelled request never reports, so an entry that is long past its end is reclaimed when room is needed.

use super::step::{CALLS_MAX, CallId};
use crate::clock::Instant;
use crate::policy::breaker::Admission;
use crate::policy::lease::{Lease, Ticket};
use crate::query::Query;

/// What a call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing yet, or waiting for a lease with this ticket.
    Queueing(Option<Ticket>),
    /// One attempt is out.
    Attempting { admission: Admission, lease: Option<Lease>, since: Instant },
    /// Waiting to try again.
    BackingOff,
}

/// One running call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) query: Query,
    pub(super) deadline: Instant,
    pub(super) acquire_by: Instant,
    pub(super) attempts: u32,
    pub(super) doing: Doing,
    /// Nobody can still be waiting for it after this.
    pub(super) forgotten_at: Instant,
}

#[derive(Clone, Debug)]
struct Entry {
    age: u32,
    call: Option<Call>,
}

/// The running calls of one engine, at most [`CALLS_MAX`].
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    entries: Vec<Entry>,
    vacant: Vec<u32>,
    running: usize,
}

impl Calls {
    /// Adds a call; `None` when the table is full of calls that still live at `now`.
    pub(super) fn insert(&mut self, call: Call, now: Instant) -> Option<CallId> {
        if self.vacant.is_empty() && self.entries.len() == CALLS_MAX {
            self.reclaim(now);
        }
        let index = match self.vacant.pop() {
            Some(index) => index as usize,
            None if self.entries.len() < CALLS_MAX => {
                self.entries.push(Entry { age: 0, call: None });
                self.entries.len() - 1
            }
            None => return None,
        };
        let entry = self.entries.get_mut(index)?;
        entry.call = Some(call);
        self.running += 1;
        Some(CallId::new(index, entry.age))
    }

    /// The call of an id that is still running.
    pub(super) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        let entry = self.entries.get_mut(id.index())?;
        if CallId::new(id.index(), entry.age) == id { entry.call.as_mut() } else { None }
    }

    /// Ends a call and gives its memory back.
    pub(super) fn remove(&mut self, id: CallId) -> Option<Call> {
        let entry = self.entries.get_mut(id.index())?;
        if CallId::new(id.index(), entry.age) != id {
            return None;
        }
        let call = entry.call.take()?;
        entry.age = entry.age.wrapping_add(1);
        self.vacant.push(id.index() as u32);
        self.running -= 1;
        Some(call)
    }

    /// Calls that have begun and not ended.
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    fn reclaim(&mut self, now: Instant) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.call.is_some_and(|call| call.forgotten_at < now) {
                entry.call = None;
                entry.age = entry.age.wrapping_add(1);
                self.running -= 1;
                self.vacant.push(index as u32);
            }
        }
    }
}
