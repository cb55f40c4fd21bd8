//! Resources: a pool of things that take time to make, break, grow old and are lent to one call at a time.
//!
//! Where [`super::lease`] hands out bare permits (a request over HTTP needs nothing else), this pool owns what is behind
//! the permit: it says when to create a resource, when to check it and when to destroy it, and it never does so itself.
//! Every verb may leave [`PoolStep`]s, which the host takes, carries out and reports. Each resource is a
//! [`Connection`] and moves by its table of transitions.
//!
//! A waiter is served by whatever comes first: a resource that is given back, or one that was being created for
//! another. The strategies that size, warm and retire only change [`ResourcesConfig`], while the pool runs.
//!
//! With `max = 2` and a creation of 500 ms: a takes r1 at 500. b asks at 600, r2 is begun; a gives r1 back at 700 and b
//! has it at once; r2 is idle at 1 100.

mod upkeep;
mod waiting;

pub use waiting::{Order, WaitingConfig};

use std::collections::BTreeMap;

use super::connection::{Connection, ConnectionState, Reason};
use crate::clock::{Instant, Millis};
use waiting::Waiting;

/// Which idle resource is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The one used latest, so that the others can age and go.
    Latest,
    /// The one idle for longest, so that all stay warm.
    Oldest,
}

/// How many, for how long, and how they are looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourcesConfig {
    /// Idle resources are kept, whatever their age, while there are no more than this.
    pub min: u32,
    /// Resources at most, those being created included.
    pub max: u32,
    /// Whether `min` of them are created ahead of demand, and again when one is lost.
    pub is_prefilled: bool,
    /// Who waits, and how long.
    pub waiting: WaitingConfig,
    /// Which idle resource is taken.
    pub reuse: Reuse,
    /// One that is idle for longer goes, in milliseconds; [`Millis::MAX`] for never.
    pub idle_ttl_ms: Millis,
    /// How often that is looked for, in milliseconds; 0 for as soon as it is so.
    pub reap_interval_ms: Millis,
    /// Whether it is also looked for when one is taken, `min` or not: a frozen isolate reaps nothing, and what it
    /// finds when it thaws was closed by the server long ago.
    pub is_idle_checked_on_take: bool,
    /// One that was taken so often goes when it is given back.
    pub uses_max: u64,
    /// One that is older goes when it is given back or would be taken, in milliseconds.
    pub age_max_ms: Millis,
    /// One that was not checked for so long is checked before it is taken, in milliseconds: 0 for every time,
    /// [`Millis::MAX`] for never. A new one needs no check.
    pub validate_after_ms: Millis,
    /// A creation that takes longer has failed, in milliseconds.
    pub create_timeout_ms: Millis,
    /// After a failed creation, how long until the next, in milliseconds.
    pub create_retry_ms: Millis,
    /// Whether a failed creation fails the waiter whose turn it is; else all wait for the next creation.
    pub is_create_failure_told: bool,
    /// One that is held for so long is reported, once, in milliseconds; [`Millis::MAX`] for never.
    pub leak_ms: Millis,
    /// Whether it is then taken away from its holder and destroyed, since that one may still use it.
    pub is_leak_reclaimed: bool,
}

/// What the host must do, in this order, and report where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolStep {
    /// Create this resource; report by [`Resources::created`].
    Create(u32),
    /// Check this resource; report by [`Resources::validated`].
    Validate(u32),
    /// Destroy this resource. It is no part of the pool any more.
    Destroy(u32),
    /// Give this resource to this call, which must come back by [`Resources::release`].
    Grant {
        /// The call.
        call: u32,
        /// The resource.
        resource: u32,
    },
    /// Tell this call that its time to wait is over.
    TimeOut(u32),
    /// Tell this call that it gets none: the queue is full, the pool is closed, or a creation failed.
    Reject(u32),
    /// Tell whoever watches that this call has held its resource for too long.
    Leak(u32),
}

#[derive(Clone, Debug)]
struct Slot {
    connection: Connection,
    /// Who holds it.
    call: Option<u32>,
    /// Since when it is in its state.
    since: Instant,
    /// When it was found to work.
    checked_at: Instant,
    /// The order in which resources became idle.
    idle_serial: u64,
    is_leak_told: bool,
}

/// The pool. Calls are numbers that the host gives, resources numbers that the pool gives, from 1.
#[derive(Clone, Debug)]
pub struct Resources {
    config: ResourcesConfig,
    slots: BTreeMap<u32, Slot>,
    waiting: Waiting,
    steps: Vec<PoolStep>,
    next_resource: u32,
    next_idle: u64,
    reap_at: Instant,
    create_at: Instant,
    is_closed: bool,
}

impl Resources {
    /// An empty pool. With `is_prefilled`, the first steps are to create `min` resources.
    #[must_use]
    pub fn new(config: ResourcesConfig, now: Instant) -> Self {
        let mut it = Self {
            slots: BTreeMap::new(),
            waiting: Waiting::default(),
            steps: Vec::new(),
            next_resource: 1,
            next_idle: 0,
            reap_at: now.plus(config.reap_interval_ms),
            create_at: Instant(0),
            is_closed: false,
            config,
        };
        it.serve(now);
        it
    }

    /// A call wants a resource. It hears by a step: at once, or when one comes free, or when its time is over.
    ///
    /// Of those who wait, the most urgent go first; 0 is the most urgent. A call that waits or holds already changes
    /// nothing.
    pub fn acquire(&mut self, call: u32, urgency: u8, now: Instant) {
        if self.waiting.has(call) || self.slots.values().any(|slot| slot.call == Some(call)) {
            return;
        }
        let is_full = self.waiting.len() >= self.config.waiting.waiters_max as usize;
        let can_serve = self.idle() > 0 || now >= self.create_at && self.size() < self.config.max as usize;
        if self.is_closed || is_full && !can_serve {
            self.steps.push(PoolStep::Reject(call));
            return;
        }
        self.waiting.push(call, urgency, &self.config.waiting, now);
        self.serve(now);
    }

    /// A call gives its resource back, broken or not. False, and nothing changes, when it holds none (any more).
    pub fn release(&mut self, call: u32, is_broken: bool, now: Instant) -> bool {
        let Some((&resource, slot)) = self.slots.iter_mut().find(|(_, slot)| slot.call == Some(call)) else {
            return false;
        };
        slot.call = None;
        let is_worn = slot.connection.uses() >= self.config.uses_max || self.is_old(resource, now);
        if is_broken {
            self.destroy(resource, Reason::Broken, now);
        } else {
            self.rest(resource, Reason::Returned, now);
            if self.is_closed {
                self.destroy(resource, Reason::Shutdown, now);
            } else if is_worn || self.size() > self.config.max as usize {
                self.destroy(resource, Reason::Worn, now);
            }
        }
        self.serve(now);
        true
    }

    /// A call gives up waiting. False when it does not wait.
    pub fn leave_queue(&mut self, call: u32) -> bool {
        self.waiting.remove(call)
    }

    /// A creation has ended, well or not.
    pub fn created(&mut self, resource: u32, is_well: bool, now: Instant) {
        if self.state(resource) != Some(ConnectionState::Warming) {
            return;
        }
        if is_well {
            self.rest(resource, Reason::SetUp, now);
            if self.is_closed {
                self.destroy(resource, Reason::Shutdown, now);
            }
        } else {
            self.give_up_creation(resource, now);
        }
        self.serve(now);
    }

    /// A check has ended, well or not.
    pub fn validated(&mut self, resource: u32, is_well: bool, now: Instant) {
        if self.state(resource) != Some(ConnectionState::Validating) {
            return;
        }
        if is_well {
            self.rest(resource, Reason::Checked, now);
            if self.is_closed {
                self.destroy(resource, Reason::Shutdown, now);
            } else {
                self.grant(resource, now);
            }
        } else {
            self.destroy(resource, Reason::Broken, now);
        }
        self.serve(now);
    }

    /// Lends nothing from now on: waiters are rejected, idle resources destroyed, the others when they come back.
    pub fn close(&mut self, now: Instant) {
        self.is_closed = true;
        while let Some(call) = self.waiting.pop(&self.config.waiting, now) {
            self.steps.push(PoolStep::Reject(call));
        }
        for resource in self.in_state(ConnectionState::Ready) {
            self.destroy(resource, Reason::Shutdown, now);
        }
    }

    /// Takes other settings. A smaller `max` destroys idle resources at once and held ones when they come back.
    pub fn reconfigure(&mut self, config: ResourcesConfig, now: Instant) {
        self.config = config;
        self.reap_at = self.reap_at.min(now.plus(config.reap_interval_ms));
        for resource in self.in_state(ConnectionState::Ready) {
            if self.size() > self.config.max as usize {
                self.destroy(resource, Reason::Worn, now);
            }
        }
        self.serve(now);
    }

    /// What the host must do, in order. Empty until something happens again.
    #[must_use = "these steps must be carried out"]
    pub fn take_steps(&mut self) -> Vec<PoolStep> {
        std::mem::take(&mut self.steps)
    }

    /// The resource that a call holds.
    #[must_use]
    pub fn held_by(&self, call: u32) -> Option<u32> {
        self.slots.iter().find(|(_, slot)| slot.call == Some(call)).map(|(resource, _)| *resource)
    }

    /// Resources that calls hold.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.count(ConnectionState::Leased)
    }

    /// Resources that wait for calls.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.count(ConnectionState::Ready)
    }

    /// Resources in whatever state, those being created included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.slots.len()
    }

    /// Calls that wait for resources.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The resources, with their states, counts and histories.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.slots.values().map(|slot| &slot.connection)
    }

    /// Gives waiters what there is and begins to create what they lack, and what `min` lacks.
    fn serve(&mut self, now: Instant) {
        if self.is_closed {
            return;
        }
        while self.waiting.len() > 0
            && let Some(resource) = self.next_idle(now)
        {
            if !self.is_check_due(resource, now) {
                self.grant(resource, now);
            } else if self.waiting.len() > self.count(ConnectionState::Validating) {
                self.advance(resource, ConnectionState::Validating, Reason::Checked, now);
                self.steps.push(PoolStep::Validate(resource));
            } else {
                break;
            }
        }
        if now >= self.create_at {
            (0..self.lacking()).for_each(|_| self.create(now));
        }
    }

    /// How many must be created for those who wait and for `min`, as far as `max` allows.
    fn lacking(&self) -> usize {
        let (min, max) = (self.config.min.min(self.config.max) as usize, self.config.max as usize);
        let coming = self.count(ConnectionState::Validating) + self.count(ConnectionState::Warming);
        let ahead = if self.config.is_prefilled { min.saturating_sub(self.size()) } else { 0 };
        let wanted = self.waiting.len().saturating_sub(coming).max(ahead);
        if self.is_closed { 0 } else { wanted.min(max.saturating_sub(self.size())) }
    }

    /// The idle resource to take. Those that are too old for it are destroyed on the way.
    fn next_idle(&mut self, now: Instant) -> Option<u32> {
        loop {
            let idle = self.slots.iter().filter(|(_, slot)| slot.connection.state() == ConnectionState::Ready);
            let (&resource, slot) = match self.config.reuse {
                Reuse::Latest => idle.max_by_key(|(_, slot)| slot.idle_serial)?,
                Reuse::Oldest => idle.min_by_key(|(_, slot)| slot.idle_serial)?,
            };
            if self.config.is_idle_checked_on_take && now.since(slot.since) > self.config.idle_ttl_ms {
                self.destroy(resource, Reason::Idle, now);
            } else if self.is_old(resource, now) {
                self.destroy(resource, Reason::Worn, now);
            } else {
                return Some(resource);
            }
        }
    }

    fn is_old(&self, resource: u32, now: Instant) -> bool {
        let created_at = self.slots.get(&resource).map_or(now, |slot| slot.connection.created_at());
        now.since(created_at) > self.config.age_max_ms
    }

    fn is_check_due(&self, resource: u32, now: Instant) -> bool {
        self.config.validate_after_ms != Millis::MAX
            && self.slots.get(&resource).is_some_and(|slot| {
                let is_new = slot.connection.uses() == 0 && slot.checked_at == now;
                !is_new && now.since(slot.checked_at) >= self.config.validate_after_ms
            })
    }

    fn create(&mut self, now: Instant) {
        let resource = self.next_resource;
        self.next_resource = self.next_resource.wrapping_add(1);
        let connection = Connection::new(resource, now);
        let slot = Slot { connection, call: None, since: now, checked_at: now, idle_serial: 0, is_leak_told: false };
        self.slots.insert(resource, slot);
        self.advance(resource, ConnectionState::Warming, Reason::Demand, now);
        self.steps.push(PoolStep::Create(resource));
    }

    /// Puts a resource to those that wait for calls.
    fn rest(&mut self, resource: u32, reason: Reason, now: Instant) {
        self.advance(resource, ConnectionState::Ready, reason, now);
        let idle_serial = self.next_idle;
        self.next_idle += 1;
        if let Some(slot) = self.slots.get_mut(&resource) {
            slot.idle_serial = idle_serial;
            if reason != Reason::Returned {
                slot.checked_at = now;
            }
        }
    }

    /// Gives an idle resource to the waiter whose turn it is, if there is one.
    fn grant(&mut self, resource: u32, now: Instant) {
        let Some(call) = self.waiting.pop(&self.config.waiting, now) else { return };
        self.advance(resource, ConnectionState::Leased, Reason::Taken, now);
        if let Some(slot) = self.slots.get_mut(&resource) {
            (slot.call, slot.is_leak_told) = (Some(call), false);
        }
        self.steps.push(PoolStep::Grant { call, resource });
    }

    fn state(&self, resource: u32) -> Option<ConnectionState> {
        self.slots.get(&resource).map(|slot| slot.connection.state())
    }

    fn count(&self, state: ConnectionState) -> usize {
        self.slots.values().filter(|slot| slot.connection.state() == state).count()
    }

    /// Those in a state, as a list, so that each can be moved.
    fn in_state(&self, state: ConnectionState) -> Vec<u32> {
        let slots = self.slots.iter();
        slots.filter(|(_, slot)| slot.connection.state() == state).map(|(resource, _)| *resource).collect()
    }

    fn advance(&mut self, resource: u32, to: ConnectionState, reason: Reason, now: Instant) {
        if let Some(slot) = self.slots.get_mut(&resource)
            && slot.connection.move_to(to, reason, now).is_ok()
        {
            slot.since = now;
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests;
