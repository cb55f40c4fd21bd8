//! Leases: at most `leases_max` requests or transactions in flight from one isolate.
//!
//! A full pool answers `Wait { until }` and keeps no waiter to be woken, only a ticket: resuming one request from
//! another's continuation kills it on Workers. The host waits beside a timer of its own request and asks again,
//! with its ticket. Tickets are served in order. One whose holder did not come back when it was told to is passed
//! over, because a cancelled request never comes back; should it come after all, it has its old place.
//!
//! A lease expires, because a cancelled request runs no `finally` either. Its holder renews it while it lives.
//!
//! With `leases_max = 2` and `lease_ttl = 5 s`, two lost leases hold everyone up for at most 5 s.

use std::collections::VecDeque;

use super::Cx;
use super::connection::{Connection, ConnectionState, Reason};
use crate::clock::{Instant, Millis, to_fraction};
use crate::note::Note;

/// A waiter may be this much later than it was told, in milliseconds.
const LATENESS_MAX_MS: Millis = 250;

/// No waiter of a polling host asks less often than this, in milliseconds.
const POLL_MAX_MS: Millis = 50;

/// On the way to a lease, idle connections are looked for this often, in milliseconds.
const SWEEP_INTERVAL_MS: Millis = 1_000;

/// What the recent holding time never falls below, in milliseconds: on its way to zero it would become a number so small
/// that processors take ten times as long to reckon with it.
const HOLD_MIN_MS: f64 = 0.001;

/// How many, for how long, and how hosts wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Leases at once; at least 1.
    pub leases_max: u32,
    /// Idle connections that are kept whatever their age.
    pub connections_min: u32,
    /// How long a call may wait for a lease, in milliseconds.
    pub acquire_timeout_ms: Millis,
    /// Calls that may wait at once.
    pub queue_max: u32,
    /// A lease that is not renewed for this long is taken back, in milliseconds.
    pub lease_ttl_ms: Millis,
    /// A connection that is idle for longer is closed, in milliseconds.
    pub idle_ttl_ms: Millis,
    /// Whether waiters must ask on their own (Workers), instead of being told when a lease comes free.
    pub is_polling: bool,
}

/// The right to one connection until it is given back or lapses: a slot and a serial number above it.
///
/// One number, because two that are written apart and read together cost every call 6 ns: the processor has to wait for
/// both stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(u64);

impl Lease {
    const fn new(slot: u32, serial: u32) -> Self {
        Self((serial as u64) << 32 | slot as u64)
    }

    const fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    const fn serial(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The answer to a call that wants a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// Take it; `Lease` must come back by [`LeasePool::release`].
    Granted(Lease),
    /// Ask again at `until` with this ticket, or sooner when told to.
    Wait {
        /// The sooner of the caller's own limit and the next time that asking can help.
        until: Instant,
        /// The place in the queue.
        ticket: Ticket,
    },
    /// The queue has reached its bound.
    QueueFull,
    /// The time to wait is over; the ticket is given up.
    TimedOut,
    /// The pool is closed.
    Closed,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: Ticket,
    call: u32,
    asks_by: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    serial: u32,
    since: Instant,
    expires_at: Instant,
}

#[derive(Clone, Debug)]
struct Slot {
    connection: Connection,
    held: Option<Held>,
}

/// The pool of one database in one isolate.
#[derive(Clone, Debug)]
pub struct LeasePool {
    config: PoolConfig,
    slots: Vec<Slot>,
    in_use: u32,
    queue: VecDeque<Waiter>,
    next_ticket: u64,
    next_serial: u32,
    next_connection: u32,
    sweep_at: Instant,
    /// Recent holding time, as a moving average over about five leases; says how soon asking again can help.
    hold_ms: f64,
    created: u64,
    is_closed: bool,
}

impl LeasePool {
    /// An empty pool: connections are made when they are needed.
    #[must_use]
    pub const fn new(config: PoolConfig) -> Self {
        Self {
            config,
            slots: Vec::new(),
            in_use: 0,
            queue: VecDeque::new(),
            next_ticket: 1,
            next_serial: 1,
            next_connection: 1,
            sweep_at: Instant(0),
            hold_ms: 5.0,
            created: 0,
            is_closed: false,
        }
    }

    /// Grants a lease, or says until when to wait. Waiting changes no lease.
    ///
    /// `call` names the caller for [`LeasePool::next_waiter`]; `ticket` is its place if it waited before;
    /// `acquire_by` is when its patience ends.
    #[inline]
    pub fn decide(&mut self, call: u32, ticket: Option<Ticket>, acquire_by: Instant, cx: &mut Cx<'_>) -> LeaseAnswer {
        if self.is_closed {
            return LeaseAnswer::Closed;
        }
        if cx.now >= self.sweep_at {
            self.close_idle(cx);
        }
        if self.in_use >= self.config.leases_max {
            self.take_back_lapsed(cx);
        }
        let free = self.config.leases_max.saturating_sub(self.in_use);
        let is_my_turn = free > 0 && (self.queue.is_empty() || self.ahead_of(ticket, free, cx.now) < free);
        if is_my_turn {
            self.leave_queue(ticket);
            return LeaseAnswer::Granted(self.grant(cx));
        }
        if cx.now >= acquire_by {
            self.leave_queue(ticket);
            return LeaseAnswer::TimedOut;
        }
        self.wait(call, ticket, acquire_by, cx)
    }

    /// Gives a lease back. A lease that lapsed meanwhile changes nothing.
    #[inline]
    pub fn release(&mut self, lease: Lease, is_broken: bool, cx: &mut Cx<'_>) {
        let Some(slot) = self.slots.get_mut(lease.slot()) else { return };
        let Some(held) = slot.held.filter(|held| held.serial == lease.serial()) else { return };
        let held_ms = to_fraction(cx.now.since(held.since));
        self.hold_ms = (self.hold_ms + (held_ms - self.hold_ms) * 0.2).max(HOLD_MIN_MS);
        slot.held = None;
        self.in_use -= 1;
        if slot.connection.state() == ConnectionState::Draining {
            Self::advance(slot, ConnectionState::Closed, Reason::Shutdown, cx);
        } else if is_broken {
            Self::advance(slot, ConnectionState::Failed, Reason::Broken, cx);
        } else {
            Self::advance(slot, ConnectionState::Ready, Reason::Returned, cx);
        }
    }

    /// Lets the holder keep its lease for another `lease_ttl`; false when it has lapsed.
    pub fn renew(&mut self, lease: Lease, now: Instant) -> bool {
        let ttl_ms = self.config.lease_ttl_ms;
        match self.held_mut(lease) {
            Some(held) => {
                held.expires_at = held.expires_at.max(now.plus(ttl_ms));
                true
            }
            None => false,
        }
    }

    /// Renews every lease at once: for hosts whose callers cannot vanish, so that one timer serves all of them.
    pub fn renew_all(&mut self, now: Instant) {
        let expires_at = now.plus(self.config.lease_ttl_ms);
        for held in self.slots.iter_mut().filter_map(|slot| slot.held.as_mut()) {
            held.expires_at = held.expires_at.max(expires_at);
        }
    }

    /// Whether the holder still has it.
    #[must_use]
    pub fn is_held(&self, lease: Lease) -> bool {
        self.slots.get(lease.slot()).and_then(|slot| slot.held).is_some_and(|held| held.serial == lease.serial())
    }

    /// Gives up a place in the queue.
    pub fn leave_queue(&mut self, ticket: Option<Ticket>) {
        if let Some(index) = ticket.and_then(|ticket| self.place_of(ticket).ok()) {
            self.queue.remove(index);
        }
    }

    /// The call to tell that a lease is free, if one is free and one waits.
    #[must_use]
    pub fn next_waiter(&self) -> Option<u32> {
        if self.is_closed || self.in_use < self.config.leases_max {
            self.queue.front().map(|waiter| waiter.call)
        } else {
            None
        }
    }

    /// Grants nothing from now on. Idle connections close, held ones when they come back.
    pub fn close(&mut self, cx: &mut Cx<'_>) {
        self.is_closed = true;
        for slot in &mut self.slots {
            match slot.connection.state() {
                ConnectionState::Ready => {
                    Self::advance(slot, ConnectionState::Draining, Reason::Shutdown, cx);
                    Self::advance(slot, ConnectionState::Closed, Reason::Shutdown, cx);
                }
                ConnectionState::Leased => Self::advance(slot, ConnectionState::Draining, Reason::Shutdown, cx),
                ConnectionState::Failed => Self::advance(slot, ConnectionState::Closed, Reason::Shutdown, cx),
                _ => {}
            }
        }
    }

    /// Grants again after [`LeasePool::close`].
    pub const fn reopen(&mut self) {
        self.is_closed = false;
    }

    /// Takes other settings. A smaller bound takes no lease away: it fills no slot until enough came back.
    pub const fn reconfigure(&mut self, config: PoolConfig) {
        self.config = config;
    }

    /// The settings in force.
    #[must_use]
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Leases held, including those that lapsed unnoticed.
    #[must_use]
    pub const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Calls that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Connections ever made.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// The connections that are not closed.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().map(|slot| &slot.connection).filter(|it| it.state() != ConnectionState::Closed)
    }

    /// Takes back what lapsed and closes what has been idle for too long. No timer does it: whoever looks does.
    pub fn sweep(&mut self, cx: &mut Cx<'_>) {
        self.take_back_lapsed(cx);
        self.close_idle(cx);
    }

    /// Closes idle connections down to `connections_min` that work.
    #[cold]
    fn close_idle(&mut self, cx: &mut Cx<'_>) {
        self.sweep_at = cx.now.plus(SWEEP_INTERVAL_MS);
        let is_working =
            |slot: &&Slot| matches!(slot.connection.state(), ConnectionState::Ready | ConnectionState::Leased);
        let working = self.slots.iter().filter(is_working).count();
        let mut spare = working.saturating_sub(self.config.connections_min as usize);
        let ttl_ms = self.config.idle_ttl_ms;
        for slot in &mut self.slots {
            let is_idle = slot.connection.state() == ConnectionState::Ready
                && cx.now.since(slot.connection.last_used_at()) > ttl_ms;
            if is_idle && spare > 0 {
                Self::advance(slot, ConnectionState::Closed, Reason::Idle, cx);
                spare -= 1;
            }
        }
    }

    #[cold]
    fn wait(&mut self, call: u32, ticket: Option<Ticket>, acquire_by: Instant, cx: &mut Cx<'_>) -> LeaseAnswer {
        let (ticket, place) = match ticket {
            Some(ticket) => (ticket, self.place_of(ticket)),
            None => {
                if self.queue.len() >= self.config.queue_max as usize {
                    self.queue.retain(|waiter| waiter.asks_by >= cx.now);
                }
                if self.queue.len() >= self.config.queue_max as usize {
                    return LeaseAnswer::QueueFull;
                }
                cx.notes.push(Note::Queued, cx.now);
                self.next_ticket += 1;
                (Ticket(self.next_ticket - 1), Err(self.queue.len()))
            }
        };
        let (Ok(index) | Err(index)) = place;
        let until = self.ask_again_at(index, acquire_by, cx.now);
        let waiter = Waiter { ticket, call, asks_by: until.plus(LATENESS_MAX_MS) };
        match place {
            Ok(index) => self.queue[index] = waiter,
            Err(index) => self.queue.insert(index, waiter),
        }
        LeaseAnswer::Wait { until, ticket }
    }

    /// A told waiter needs only the next expiry, for a lease that lapses tells nobody. A polling one asks when
    /// its turn may have come, by its place and the recent holding time.
    fn ask_again_at(&self, index: usize, acquire_by: Instant, now: Instant) -> Instant {
        let turns = (index + 1) as f64 / f64::from(self.config.leases_max);
        let sooner = if self.config.is_polling {
            let wait_ms = (turns * self.hold_ms * 0.5) as Millis;
            now.plus(wait_ms.clamp(1, POLL_MAX_MS))
        } else {
            let first_expiry = self.slots.iter().filter_map(|slot| slot.held).map(|held| held.expires_at).min();
            first_expiry.unwrap_or(acquire_by).max(now.plus(1))
        };
        sooner.min(acquire_by)
    }

    /// How many come before `ticket`, counted up to `enough`; those who stopped asking are dropped on the way.
    #[cold]
    fn ahead_of(&mut self, ticket: Option<Ticket>, enough: u32, now: Instant) -> u32 {
        while self.queue.front().is_some_and(|waiter| waiter.asks_by < now && Some(waiter.ticket) != ticket) {
            self.queue.pop_front();
        }
        let mut ahead = 0;
        for waiter in &self.queue {
            if ticket.is_some_and(|mine| waiter.ticket >= mine) || ahead >= enough {
                break;
            }
            ahead += u32::from(waiter.asks_by >= now);
        }
        ahead
    }

    fn place_of(&self, ticket: Ticket) -> Result<usize, usize> {
        self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket)
    }

    /// The most recently used idle connection, so that the others can age; else a new one in a free slot.
    #[inline]
    fn grant(&mut self, cx: &mut Cx<'_>) -> Lease {
        let idle = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.connection.state() == ConnectionState::Ready)
            .max_by_key(|(_, slot)| slot.connection.last_used_at())
            .map(|(index, _)| index);
        let index = idle.unwrap_or_else(|| self.make(cx));
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        self.in_use += 1;
        let expires_at = cx.now.plus(self.config.lease_ttl_ms);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.held = Some(Held { serial, since: cx.now, expires_at });
            Self::advance(slot, ConnectionState::Leased, Reason::Taken, cx);
        }
        Lease::new(index as u32, serial)
    }

    #[cold]
    fn make(&mut self, cx: &mut Cx<'_>) -> usize {
        let mut connection = Connection::new(self.next_connection, cx.now);
        self.next_connection = self.next_connection.wrapping_add(1);
        self.created += 1;
        let vacant = self.slots.iter().position(|slot| {
            slot.held.is_none() && matches!(slot.connection.state(), ConnectionState::Failed | ConnectionState::Closed)
        });
        for (to, reason) in [(ConnectionState::Warming, Reason::Demand), (ConnectionState::Ready, Reason::SetUp)] {
            if connection.move_to(to, reason, cx.now).is_err() {
                cx.notes.push(Note::TransitionRefused, cx.now);
            }
        }
        let fresh = Slot { connection, held: None };
        match vacant {
            Some(index) => {
                let old = &mut self.slots[index];
                if old.connection.state() == ConnectionState::Failed {
                    Self::advance(old, ConnectionState::Closed, Reason::Broken, cx);
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

    /// Takes back what nobody renewed in time.
    #[cold]
    pub(crate) fn take_back_lapsed(&mut self, cx: &mut Cx<'_>) {
        for slot in &mut self.slots {
            if slot.held.is_some_and(|held| held.expires_at <= cx.now) {
                slot.held = None;
                self.in_use -= 1;
                cx.notes.push(Note::LeaseLapsed, cx.now);
                Self::advance(slot, ConnectionState::Failed, Reason::Lapsed, cx);
            }
        }
    }

    fn held_mut(&mut self, lease: Lease) -> Option<&mut Held> {
        let slot = self.slots.get_mut(lease.slot())?;
        slot.held.as_mut().filter(|held| held.serial == lease.serial())
    }

    #[inline]
    fn advance(slot: &mut Slot, to: ConnectionState, reason: Reason, cx: &mut Cx<'_>) {
        if slot.connection.move_to(to, reason, cx.now).is_err() {
            cx.notes.push(Note::TransitionRefused, cx.now);
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests;
