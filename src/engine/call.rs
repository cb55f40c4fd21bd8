//! The memory of running calls: a bounded slab whose entries expire.
//!
//! A cancelled request never reports, so an entry that is long past its end is reclaimed when room is needed.

use super::step::{CALLS_MAX, CallId};
use crate::clock::{Instant, Millis};
use crate::policy::breaker::Admission;
use crate::policy::lease::{Lease, Ticket};
use crate::query::Query;

/// A call that was not heard of for this long after its end is forgotten, in milliseconds.
pub(super) const FORGET_MS: Millis = 600_000;

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
    pub(super) began_at: Instant,
    pub(super) deadline: Instant,
    pub(super) acquire_by: Instant,
    pub(super) attempts: u16,
    pub(super) is_repeatable: bool,
    pub(super) is_held: bool,
    pub(super) uses_breaker: bool,
    pub(super) retry: u8,
    /// Whether it may have a second leg.
    pub(super) is_hedged: bool,
    pub(super) doing: Doing,
}

// Copied for each attempt: up to this many bytes as eight numbers, beyond it by a call of the runtime that costs 10 ns.
const _: () = assert!(size_of::<Option<Call>>() <= 64);

impl Call {
    /// Attempts made.
    pub(super) fn attempts(&self) -> u32 {
        u32::from(self.attempts)
    }

    /// A call that has done nothing yet.
    pub(super) const fn new(query: &Query, began_at: Instant, deadline: Instant, acquire_by: Instant) -> Self {
        Self {
            began_at,
            deadline,
            acquire_by,
            attempts: 0,
            is_repeatable: query.is_repeatable(),
            is_held: query.is_held,
            uses_breaker: query.uses_breaker,
            retry: query.retry,
            is_hedged: query.may_hedge(),
            doing: Doing::Queueing(None),
        }
    }

    /// Nobody can still be waiting for it after this.
    fn forgotten_at(&self) -> Instant {
        if self.deadline == Instant::NEVER { self.began_at } else { self.deadline }.plus(FORGET_MS)
    }
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
    /// Sets a place aside for [`Calls::put`]; `None` when the table is full of calls that still live at `now`.
    pub(super) fn reserve(&mut self, now: Instant) -> Option<CallId> {
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
        self.running += 1;
        Some(CallId::new(index, self.entries.get(index)?.age))
    }

    /// Remembers a call in its place.
    pub(super) fn put(&mut self, id: CallId, call: Call) {
        if let Some(entry) = self.entries.get_mut(id.index()) {
            entry.call = Some(call);
        }
    }

    /// The call of an id, if it is still running.
    pub(super) fn get(&self, id: CallId) -> Option<&Call> {
        let entry = self.entries.get(id.index())?;
        if CallId::new(id.index(), entry.age) == id { entry.call.as_ref() } else { None }
    }

    /// Ends a call, if it is running, and gives its place back.
    pub(super) fn remove(&mut self, id: CallId) {
        let Some(entry) = self.entries.get_mut(id.index()) else { return };
        if CallId::new(id.index(), entry.age) == id {
            entry.call = None;
            entry.age = entry.age.wrapping_add(1);
            self.vacant.push(id.index() as u32);
            self.running -= 1;
        }
    }

    /// Calls that have begun and not ended.
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    fn reclaim(&mut self, now: Instant) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.call.is_some_and(|call| call.forgotten_at() < now) {
                entry.call = None;
                entry.age = entry.age.wrapping_add(1);
                self.running -= 1;
                self.vacant.push(index as u32);
            }
        }
    }
}
