//! What time alone does to a pool: waiters whose time is over, creations that hang, leaks, and what is idle too long.

use super::{PoolStep, Resources};
use crate::clock::{Instant, Millis};
use crate::policy::connection::{ConnectionState, Reason};

impl Resources {
    /// Does what was due until `now`. No timer does it: whoever looks does, and a frozen isolate does it when it thaws.
    pub fn advance_to(&mut self, now: Instant) {
        while let Some(call) = self.waiting.pop_late(now) {
            self.steps.push(PoolStep::TimeOut(call));
        }
        for resource in self.older_than(ConnectionState::Warming, self.config.create_timeout_ms, now) {
            self.give_up_creation(resource, now);
            self.steps.push(PoolStep::Destroy(resource));
        }
        self.report_leaks(now);
        if now >= self.reap_at {
            self.reap(now);
        }
        self.serve(now);
    }

    /// When [`Resources::advance_to`] has something to do; [`Instant::NEVER`] for not at all.
    #[must_use]
    pub fn wake_at(&self) -> Instant {
        let mut at = self.waiting.wake_at();
        for slot in self.slots.values() {
            at = at.min(match slot.connection.state() {
                ConnectionState::Warming => slot.since.plus(self.config.create_timeout_ms),
                ConnectionState::Leased if !slot.is_leak_told => slot.since.plus(self.config.leak_ms),
                // Longer than the time to live, and not before the next look.
                ConnectionState::Ready => {
                    let is_spare = self.spare() > 0;
                    let late = slot.since.plus(self.config.idle_ttl_ms).plus(1);
                    if is_spare { self.next_look(late) } else { Instant::NEVER }
                }
                _ => Instant::NEVER,
            });
        }
        if self.lacking() > 0 { at.min(self.create_at) } else { at }
    }

    /// Ends a creation without a resource.
    pub(super) fn give_up_creation(&mut self, resource: u32, now: Instant) {
        self.slots.remove(&resource);
        self.create_at = now.plus(self.config.create_retry_ms);
        if self.config.is_create_failure_told
            && let Some(call) = self.waiting.pop(&self.config.waiting, now)
        {
            self.steps.push(PoolStep::Reject(call));
        }
    }

    /// Takes a resource out of the pool.
    pub(super) fn destroy(&mut self, resource: u32, reason: Reason, now: Instant) {
        if matches!(self.state(resource), Some(ConnectionState::Leased | ConnectionState::Validating)) {
            self.advance(resource, ConnectionState::Failed, reason, now);
        }
        self.advance(resource, ConnectionState::Closed, reason, now);
        self.slots.remove(&resource);
        self.steps.push(PoolStep::Destroy(resource));
    }

    fn report_leaks(&mut self, now: Instant) {
        for resource in self.older_than(ConnectionState::Leased, self.config.leak_ms, now) {
            let Some(slot) = self.slots.get_mut(&resource).filter(|slot| !slot.is_leak_told) else { continue };
            slot.is_leak_told = true;
            let call = slot.call;
            self.steps.extend(call.map(PoolStep::Leak));
            if self.config.is_leak_reclaimed {
                self.destroy(resource, Reason::Lapsed, now);
            }
        }
    }

    /// Destroys what is idle for too long, the longest idle first, down to `min` that work.
    fn reap(&mut self, now: Instant) {
        self.reap_at = self.next_look(now.plus(1));
        let ttl_ms = self.config.idle_ttl_ms.saturating_add(1);
        let mut late = self.older_than(ConnectionState::Ready, ttl_ms, now);
        late.sort_by_key(|resource| self.slots.get(resource).map(|slot| slot.idle_serial));
        for resource in late.into_iter().take(self.spare()) {
            self.destroy(resource, Reason::Idle, now);
        }
    }

    /// How many of those that work are not needed for `min`.
    fn spare(&self) -> usize {
        (self.size() - self.count(ConnectionState::Warming)).saturating_sub(self.config.min as usize)
    }

    /// The first look at idle resources that is not before `at`.
    fn next_look(&self, at: Instant) -> Instant {
        let Some(intervals) = at.since(self.reap_at).checked_div(self.config.reap_interval_ms) else { return at };
        let look = self.reap_at.plus(intervals.saturating_mul(self.config.reap_interval_ms));
        if look < at { look.plus(self.config.reap_interval_ms) } else { look }
    }

    fn older_than(&self, state: ConnectionState, age_ms: Millis, now: Instant) -> Vec<u32> {
        let is_old = |resource: &u32| self.slots.get(resource).is_some_and(|slot| now.since(slot.since) >= age_ms);
        self.in_state(state).into_iter().filter(is_old).collect()
    }
}
