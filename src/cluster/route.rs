//! The memory of running routes: a bounded table whose entries expire, because a cancelled request never reports.

use super::Wish;
use crate::clock::{Instant, Millis};

/// Routes that one cluster runs at once.
const ROUTES_MAX: usize = 1 << 14;
/// A route is forgotten this much later than its deadline, in milliseconds: hosts may be late.
const GRACE_MS: Millis = 10_000;
/// A route without a deadline is forgotten after this, in milliseconds. It may still end well; it is only not counted.
const UNHEARD_MS: Millis = 600_000;
/// Entries that each new route looks at.
const LOOKS: usize = 2;

/// Names one running route. That of a route which has ended is recognised and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteId(u32);

impl RouteId {
    const INDEX_BITS: u32 = 14;
    const AGE_BITS: u32 = 8;
    /// Bits of a route's number.
    pub const BITS: u32 = Self::INDEX_BITS + Self::AGE_BITS;

    const fn new(index: usize, age: u32) -> Self {
        Self(index as u32 | (age & ((1 << Self::AGE_BITS) - 1)) << Self::INDEX_BITS)
    }

    const fn index(self) -> usize {
        (self.0 & ((1 << Self::INDEX_BITS) - 1)) as usize
    }

    /// The id as a number for the host.
    #[must_use]
    pub const fn to_number(self) -> u32 {
        self.0
    }

    /// The id that a host was given.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// One running operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) is_read: bool,
    /// Whether it is a transaction, which stays where it began.
    pub(super) is_transaction: bool,
    /// Whether its caller gave it a time of its own.
    pub(super) is_timed: bool,
    pub(super) fails_over: bool,
    pub(super) wish: Wish,
    /// Endpoints that it was given.
    pub(super) tried: u32,
    /// Of those, the ones that did not refuse by an open circuit.
    pub(super) targets: u8,
    pub(super) endpoint: u8,
    pub(super) began_at: Instant,
    /// When its present target began.
    pub(super) since: Instant,
    pub(super) deadline: Instant,
    /// After this it moves on no more.
    pub(super) move_by: Instant,
    pub(super) retry_at: Instant,
}

#[derive(Clone, Debug)]
struct Entry {
    age: u32,
    route: Option<Route>,
}

/// The running routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    entries: Vec<Entry>,
    vacant: Vec<u32>,
    running: usize,
    /// The entry to look at next.
    hand: usize,
}

impl Routes {
    /// Sets a place aside for [`Routes::put`]; `None` when the table is full.
    pub(super) fn reserve(&mut self) -> Option<RouteId> {
        let index = match self.vacant.pop() {
            Some(index) => index as usize,
            None if self.entries.len() < ROUTES_MAX => {
                self.entries.push(Entry { age: 0, route: None });
                self.entries.len() - 1
            }
            None => return None,
        };
        self.running += 1;
        Some(RouteId::new(index, self.entries.get(index)?.age))
    }

    pub(super) fn put(&mut self, id: RouteId, route: Route) {
        if let Some(entry) = self.entries.get_mut(id.index()) {
            entry.route = Some(route);
        }
    }

    pub(super) fn get(&self, id: RouteId) -> Option<&Route> {
        let entry = self.entries.get(id.index())?;
        if RouteId::new(id.index(), entry.age) == id { entry.route.as_ref() } else { None }
    }

    pub(super) fn remove(&mut self, id: RouteId) {
        let Some(entry) = self.entries.get_mut(id.index()) else { return };
        if RouteId::new(id.index(), entry.age) == id {
            entry.route = None;
            entry.age = entry.age.wrapping_add(1);
            self.vacant.push(id.index() as u32);
            self.running -= 1;
        }
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// How many entries to look at for each new route.
    pub(super) fn looks(&self) -> usize {
        LOOKS.min(self.entries.len())
    }

    /// Looks at the next entry: its route, if nobody can still be waiting for it.
    pub(super) fn next_vanished(&mut self, now: Instant) -> Option<RouteId> {
        self.hand = if self.hand + 1 < self.entries.len() { self.hand + 1 } else { 0 };
        let entry = self.entries.get(self.hand)?;
        let route = entry.route.as_ref()?;
        let ends = route.deadline.min(route.since.plus(UNHEARD_MS)).plus(GRACE_MS);
        (ends < now).then(|| RouteId::new(self.hand, entry.age))
    }
}
