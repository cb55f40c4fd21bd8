//! Leases: at most `leases_max` requests or transactions in flight from one isolate.
//!
//! A full pool answers `Wait { until }` and keeps no waiter to be woken, only a ticket: resuming one request from
//! another's continuation kills it on Workers. The host waits beside a timer of its own request and asks again,
//! with its ticket. [`queue`] says in which order they are served. One whose holder did not come back when it was told to is passed
//! over, because a cancelled request never comes back; should it come after all, it has its old place.
//!
//! A lease expires, because a cancelled request runs no `finally` either. Its holder renews it while it lives.
//!
//! How many connections there are and which one is taken is the [`strategy`]'s; [`upkeep`] looks after those that nobody
//! uses. What is behind a connection, if there is anything (in Node, a socket), is the host's: it is asked to check one
//! that was idle for long before it is used, to set some up ahead of demand, and to close those that are given up.
//!
//! With `leases_max = 2` and `lease_ttl = 5 s`, two lost leases hold everyone up for at most 5 s.

mod config;
mod queue;
mod strategy;
mod upkeep;
mod waiting;

pub use config::PoolConfig;
pub use queue::{AGEING_MS, Order, ROTATES_EVERY, Ticket};
pub use strategy::Strategy;
pub use upkeep::{Cleanup, Lives, PoolWork};

use super::Cx;
use super::connection::{Connection, ConnectionState, Reason};
use crate::clock::{Instant, to_fraction};
use crate::note::Note;
use crate::query::Priority;
use queue::Queue;
use strategy::Sizing;
use upkeep::Warming;

/// What the recent holding time never falls below, in milliseconds: on its way to zero it would become a number so small
/// that processors take ten times as long to reckon with it.
const HOLD_MIN_MS: f64 = 0.001;

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

/// The answer to a call that wants a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// Take it; `Lease` must come back by [`LeasePool::release`].
    Granted(Lease),
    /// The same, after a check of its connection; [`LeasePool::checked`] takes the result.
    Check(Lease),
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
struct Held {
    serial: u32,
    since: Instant,
    expires_at: Instant,
}

#[derive(Clone, Debug)]
struct Slot {
    connection: Connection,
    held: Option<Held>,
    /// Recent holding time, as a moving average, if the strategy asks for it.
    latency_ms: f64,
}

/// The pool of one database in one isolate.
#[derive(Clone, Debug)]
pub struct LeasePool {
    config: PoolConfig,
    slots: Vec<Slot>,
    in_use: u32,
    /// The slot that came back last.
    latest: usize,
    sizing: Sizing,
    queue: Queue,
    next_serial: u32,
    next_connection: u32,
    sweep_at: Instant,
    /// Recent holding time, as a moving average over about five leases; says how soon asking again can help.
    hold_ms: f64,
    lives: Lives,
    warming: Warming,
    /// Connections that the host is yet to close.
    retired: Vec<u32>,
    is_closed: bool,
    /// Whether, for who uses the pool now, a change that the table does not know is refused.
    is_enforced: bool,
}

impl LeasePool {
    /// An empty pool: connections are made when they are needed, unless some are to be warm before.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        let is_due = config.has_connections && config.warm_level() > 0;
        Self {
            sizing: Sizing::new(&config),
            is_enforced: config.is_enforced,
            config,
            slots: Vec::new(),
            in_use: 0,
            latest: 0,
            queue: Queue::default(),
            next_serial: 1,
            next_connection: 1,
            sweep_at: Instant(0),
            hold_ms: 5.0,
            lives: Lives::default(),
            warming: Warming { is_due, ..Warming::default() },
            retired: Vec::new(),
            is_closed: false,
        }
    }

    /// Grants a lease, or says until when to wait. Waiting changes no lease.
    ///
    /// `call` names the caller for [`LeasePool::next_waiter`]; `ticket` is its place if it waited before, which keeps the
    /// `priority` that it began with; `acquire_by` is when its patience ends.
    #[inline]
    pub fn decide(
        &mut self,
        call: u32,
        priority: Priority,
        ticket: Option<Ticket>,
        acquire_by: Instant,
        cx: &mut Cx<'_>,
    ) -> LeaseAnswer {
        if self.is_closed {
            return LeaseAnswer::Closed;
        }
        if cx.now >= self.sweep_at {
            self.close_idle(cx);
        }
        if self.in_use >= self.sizing.limit {
            self.make_room(cx);
        }
        let is_free = self.in_use < self.sizing.limit;
        if is_free && (self.queue.is_empty() || self.is_next(priority, ticket, cx)) {
            return self.grant(cx);
        }
        self.wait(call, priority, ticket, acquire_by, cx)
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
        let is_enforced = self.is_enforced;
        if slot.connection.state() == ConnectionState::Draining || is_broken {
            self.end(lease.slot(), cx);
        } else {
            Self::advance(slot, ConnectionState::Ready, Reason::Returned, is_enforced, cx);
            if self.config.strategy == Strategy::Performance {
                slot.latency_ms = (slot.latency_ms + (held_ms - slot.latency_ms) * 0.2).max(HOLD_MIN_MS);
            }
            self.latest = lease.slot();
            let age_ms = cx.now.since(slot.connection.created_at());
            if slot.connection.uses() >= self.config.uses_max || age_ms > self.config.age_max_ms {
                self.recycle(lease.slot(), cx);
            }
        }
        if !self.queue.is_empty() {
            self.turn(cx.now);
        }
    }

    /// Takes in what a check found. A connection that does not work is replaced under the same lease.
    ///
    /// A lease that lapsed meanwhile, or whose connection was not being checked, changes nothing.
    pub fn checked(&mut self, lease: Lease, is_well: bool, cx: &mut Cx<'_>) {
        let index = lease.slot();
        let Some(slot) = self.slots.get_mut(index) else { return };
        let is_checking = slot.connection.state() == ConnectionState::Validating;
        if !is_checking || slot.held.is_none_or(|held| held.serial != lease.serial()) {
            return;
        }
        let is_enforced = self.is_enforced;
        self.lives.validated += 1;
        if is_well {
            Self::advance(slot, ConnectionState::Ready, Reason::Checked, is_enforced, cx);
        } else {
            let held = slot.held.take();
            self.let_go(index, ConnectionState::Failed, Reason::Broken, cx);
            self.lives.recycled += 1;
            // Into the slot that has just become free: it is the only one, or as good as any.
            let fresh = self.make(ConnectionState::Ready, cx);
            self.slots.swap(index, fresh);
            self.slots[index].held = held;
        }
        Self::advance(&mut self.slots[index], ConnectionState::Leased, Reason::Taken, is_enforced, cx);
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
        self.connection_of(lease).is_some()
    }

    /// The connection that a lease is for, while it is held.
    #[must_use]
    pub fn connection_of(&self, lease: Lease) -> Option<&Connection> {
        let slot = self.slots.get(lease.slot())?;
        slot.held.filter(|held| held.serial == lease.serial()).map(|_| &slot.connection)
    }

    /// Gives up a place in the queue.
    pub fn leave_queue(&mut self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.queue.remove(ticket);
        }
    }

    /// The call to tell that a lease is free, if one is free and one waits.
    #[must_use]
    pub fn next_waiter(&self) -> Option<u32> {
        if self.queue.is_empty() || !self.is_closed && self.in_use >= self.sizing.limit {
            return None;
        }
        self.queue.next()
    }

    /// Grants nothing from now on. Idle connections close, held ones when they come back.
    pub fn close(&mut self, cx: &mut Cx<'_>) {
        self.is_closed = true;
        self.end_all(Cleanup::All, Reason::Shutdown, cx);
    }

    /// Grants again after [`LeasePool::close`].
    pub const fn reopen(&mut self) {
        self.is_closed = false;
    }

    /// Says whether who uses the pool from now on has changes refused that the table does not know, where the settings want
    /// that: else they are only recorded.
    #[inline]
    pub const fn enforce(&mut self, is_wanted: bool) {
        self.is_enforced = is_wanted && self.config.is_enforced;
    }

    /// Takes other settings. A smaller bound takes no lease away: it fills no slot until enough came back.
    pub fn reconfigure(&mut self, config: PoolConfig) {
        self.is_enforced = config.is_enforced;
        self.config = config;
        self.sizing.reconfigure(&config);
        // Who waits need not wait for the next to come.
        let wanted = self.in_use.saturating_add(self.queue.len() as u32).min(config.leases_max);
        self.sizing.limit = self.sizing.limit.max(if self.queue.is_empty() { 0 } else { wanted });
        self.sweep_at = Instant(0);
    }

    /// The settings in force.
    #[must_use]
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Leases at once as the strategy has it, within the settings' bounds.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.sizing.limit
    }

    /// Leases held, including those that lapsed unnoticed.
    #[must_use]
    pub const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Calls that wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How often the steps of a life were taken.
    #[must_use]
    pub const fn lives(&self) -> &Lives {
        &self.lives
    }

    /// Connections ever made.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.lives.created
    }

    /// The connections that are not closed.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().map(|slot| &slot.connection).filter(|it| it.state() != ConnectionState::Closed)
    }

    /// Lends the connection that the strategy prefers.
    #[inline]
    fn grant(&mut self, cx: &mut Cx<'_>) -> LeaseAnswer {
        let serial = self.next_serial;
        let is_idle = |slot: &Slot| slot.connection.state() == ConnectionState::Ready;
        // Nearly always the one that came back last, or another one just as good.
        let index = match self.slots.get(self.latest) {
            Some(slot) if self.config.strategy.takes_latest() && is_idle(slot) => self.latest,
            _ => self.preferred(cx),
        };
        self.next_serial = serial.wrapping_add(1);
        self.in_use += 1;
        self.sizing.peak = self.sizing.peak.max(self.in_use);
        let expires_at = cx.now.plus(self.config.lease_ttl_ms);
        let lease = Lease::new(index as u32, serial);
        let is_enforced = self.is_enforced;
        let Some(slot) = self.slots.get_mut(index) else { return LeaseAnswer::Granted(lease) };
        slot.held = Some(Held { serial, since: cx.now, expires_at });
        if self.config.has_connections && cx.now.since(slot.connection.last_used_at()) > self.config.validate_after_ms {
            Self::advance(slot, ConnectionState::Validating, Reason::Checked, is_enforced, cx);
            return LeaseAnswer::Check(lease);
        }
        Self::advance(slot, ConnectionState::Leased, Reason::Taken, is_enforced, cx);
        LeaseAnswer::Granted(lease)
    }

    /// The idle connection that the strategy prefers, or one more.
    #[inline(never)]
    fn preferred(&mut self, cx: &mut Cx<'_>) -> usize {
        let (strategy, serial) = (self.config.strategy, self.next_serial);
        let idle = self.slots.iter().enumerate();
        let idle = idle.filter(|(_, slot)| slot.connection.state() == ConnectionState::Ready);
        let best = idle.max_by_key(|(_, slot)| strategy.preference(slot, serial)).map(|(index, _)| index);
        best.unwrap_or_else(|| self.one_more(cx))
    }

    /// Nothing is idle: a call does not wait for a set-up that it can make itself.
    #[cold]
    fn one_more(&mut self, cx: &mut Cx<'_>) -> usize {
        let is_warming = |slot: &Slot| slot.connection.state() == ConnectionState::Warming;
        let Some(index) = self.slots.iter().position(is_warming) else { return self.make(ConnectionState::Ready, cx) };
        let slot = &mut self.slots[index];
        Self::advance(slot, ConnectionState::Ready, Reason::SetUp, self.is_enforced, cx);
        index
    }

    /// The end of a connection that broke, or was to go when it came back.
    #[cold]
    fn end(&mut self, index: usize, cx: &mut Cx<'_>) {
        let is_leaving = self.slots.get(index).is_some_and(|slot| slot.connection.state() == ConnectionState::Draining);
        let (to, reason) = match is_leaving {
            true => (ConnectionState::Closed, Reason::Shutdown),
            false => (ConnectionState::Failed, Reason::Broken),
        };
        self.let_go(index, to, reason, cx);
    }

    /// Takes back what nobody renewed in time.
    #[cold]
    pub(crate) fn take_back_lapsed(&mut self, cx: &mut Cx<'_>) {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.held.is_some_and(|held| held.expires_at <= cx.now) {
                slot.held = None;
                self.in_use -= 1;
                cx.notes.push(Note::LeaseLapsed, cx.now);
                self.let_go(index, ConnectionState::Failed, Reason::Lapsed, cx);
            }
        }
    }

    fn held_mut(&mut self, lease: Lease) -> Option<&mut Held> {
        let slot = self.slots.get_mut(lease.slot())?;
        slot.held.as_mut().filter(|held| held.serial == lease.serial())
    }

    /// Puts the connection of a lease into a state, whatever the table says: as if something had gone wrong with it.
    #[cfg(test)]
    pub(crate) fn upset(&mut self, lease: Lease, to: ConnectionState, now: Instant) {
        if let Some(slot) = self.slots.get_mut(lease.slot()) {
            slot.connection.record(to, Reason::Worn, now);
        }
    }

    #[inline]
    fn advance(slot: &mut Slot, to: ConnectionState, reason: Reason, is_enforced: bool, cx: &mut Cx<'_>) {
        if slot.connection.move_to(to, reason, cx.now).is_err() {
            Self::refused(slot, to, reason, is_enforced, cx);
        }
    }

    #[cold]
    fn refused(slot: &mut Slot, to: ConnectionState, reason: Reason, is_enforced: bool, cx: &mut Cx<'_>) {
        cx.notes.push(Note::TransitionRefused, cx.now);
        if !is_enforced {
            slot.connection.record(to, reason, cx.now);
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests;
