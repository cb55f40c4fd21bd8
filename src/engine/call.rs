//! The memory of running calls: a bounded slab whose entries expire.
//!
//! A cancelled request never reports. Each new call therefore looks at a few entries in turn for those whose host is no
//! longer heard of, so that callers who left neither fill the table nor count as running for ever. A host that lives
//! renews the lease of each attempt, so an attempt without a deadline lasts for as long as it is renewed.
//!
//! With `lease_ttl = 2 s` an attempt that nobody renewed for 12 s is forgotten.

use super::step::{CALLS_MAX, CallId};
use crate::clock::{Instant, Millis};
use crate::policy::breaker::Admission;
use crate::policy::lease::{Lease, Ticket};
use crate::query::{Layers, Priority, Query};

/// How much later than its lease, its patience or its deadline a call is forgotten, in milliseconds: hosts may be late.
const GRACE_MS: Millis = 10_000;
/// Entries that each new call looks at.
const LOOKS: usize = 2;

/// What a call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing yet, or waiting for a lease with this ticket.
    Queueing(Option<Ticket>),
    /// Its connection is being checked.
    Checking(Lease),
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
    /// Those that it goes through, the breaker among them.
    pub(super) layers: Layers,
    pub(super) retry: u8,
    pub(super) priority: Priority,
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
            layers: query.layers.with_breaker(query.uses_breaker),
            retry: query.retry,
            priority: query.priority,
            is_hedged: query.may_hedge(),
            doing: Doing::Queueing(None),
        }
    }

    /// After this nobody can still be waiting for it. `renewed_at`: when its host last renewed its lease, or any.
    fn forgotten_at(&self, renewed_at: Instant, lease_ttl_ms: Millis) -> Instant {
        let heard_until = match self.doing {
            Doing::Attempting { since, .. } => since.max(renewed_at).plus(lease_ttl_ms),
            Doing::Queueing(_) | Doing::Checking(_) | Doing::BackingOff => self.acquire_by,
        };
        heard_until.min(self.deadline).plus(GRACE_MS)
    }
}

#[derive(Clone, Debug)]
struct Entry {
    age: u32,
    /// When a host here last renewed a lease: beside the call, which is copied as a whole.
    renewed_at: Instant,
    call: Option<Call>,
}

/// The running calls of one engine, at most [`CALLS_MAX`].
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    entries: Vec<Entry>,
    vacant: Vec<u32>,
    running: usize,
    /// The entry to look at next.
    hand: usize,
    all_renewed_at: Instant,
}

impl Calls {
    /// Sets a place aside for [`Calls::put`]; `None` when the table is full.
    pub(super) fn reserve(&mut self) -> Option<CallId> {
        let index = match self.vacant.pop() {
            Some(index) => index as usize,
            None if self.entries.len() < CALLS_MAX => {
                self.entries.push(Entry { age: 0, renewed_at: Instant(0), call: None });
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

    /// The same without statements of transactions, whose lease is a call of its own.
    pub(super) fn running_apart(&self) -> usize {
        self.entries.iter().filter(|entry| entry.call.is_some_and(|call| !call.is_held)).count()
    }

    /// Notes that the host of a call lives.
    pub(super) fn renew(&mut self, id: CallId, now: Instant) {
        if self.get(id).is_some()
            && let Some(entry) = self.entries.get_mut(id.index())
        {
            entry.renewed_at = now;
        }
    }

    /// Notes that the hosts of all calls live.
    pub(super) fn renew_all(&mut self, now: Instant) {
        self.all_renewed_at = self.all_renewed_at.max(now);
    }

    /// How many entries to look at for each new call. More than one, or the table could not shrink.
    pub(super) fn looks(&self) -> usize {
        LOOKS.min(self.entries.len())
    }

    /// How many entries to look at to see all.
    pub(super) const fn places(&self) -> usize {
        self.entries.len()
    }

    /// Looks at the next entry: its call, if nobody can still be waiting for it at `now`.
    pub(super) fn next_vanished(&mut self, lease_ttl_ms: Millis, now: Instant) -> Option<CallId> {
        self.hand = if self.hand + 1 < self.entries.len() { self.hand + 1 } else { 0 };
        let entry = self.entries.get(self.hand)?;
        let ends = entry.call.as_ref()?.forgotten_at(entry.renewed_at.max(self.all_renewed_at), lease_ttl_ms);
        (ends < now).then(|| CallId::new(self.hand, entry.age))
    }
}
