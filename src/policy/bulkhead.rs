//! Bulkheads: at most so many at once, a bounded queue before them, and a share of the room for each tier.
//!
//! A tier below its share is never kept out by the others' borrowing, and what a tier does not use is lent: anyone may
//! run while the total is below the limit. The two promises collide when a share that was lent is wanted back.
//! [`Lending`] says which one holds then.
//!
//! With a limit of 10 and shares of 1, 2, 3 and 4: ten calls of the first tier run when nobody else is there. Four of
//! the last tier then run as well under [`Lending::Guaranteed`], 14 in all, until the borrowers are done; under
//! [`Lending::Strict`] they are first in the queue.
//!
//! A waiter is a number, not a promise: whoever frees room gets the numbers that may run, or the host asks.

use std::collections::{BTreeMap, VecDeque};

use crate::clock::{Instant, Millis};

/// Shares count in this many parts of the whole.
pub const WHOLE: u32 = 10_000;

/// What holds when a share that was lent is wanted back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lending {
    /// The share: its tier runs at once, and the total may exceed the limit by at most the sum of the shares (Netflix
    /// concurrency-limits).
    Guaranteed,
    /// The total: never above the limit. The tier waits for whoever ends first.
    Strict,
}

/// How many, who, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// Calls at once.
    pub limit: u32,
    /// Calls that may wait.
    pub queue_max: u32,
    /// How long one may wait, in milliseconds.
    pub wait_max_ms: Millis,
    /// A permit that is held for longer is taken back, in milliseconds: a cancelled request gives nothing back.
    pub permit_ttl_ms: Millis,
    /// The share of each tier, from 0 to [`WHOLE`]. More than the whole in sum is scaled down to it.
    pub shares: Vec<u32>,
    /// What holds when a share that was lent is wanted back.
    pub lending: Lending,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may run, and must leave.
    Running,
    /// It waits, and must leave if it gives up.
    Queued,
    /// It may not run; nothing is kept of it.
    Rejected,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    call: u32,
    tier: Option<usize>,
    gives_up_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Permit {
    tier: Option<usize>,
    expires_at: Instant,
}

/// The room, those in it, and those before it. Calls are numbers that the host gives.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    config: BulkheadConfig,
    /// The room of each tier, from `limit` and `shares`.
    rooms: Vec<u32>,
    running: BTreeMap<u32, Permit>,
    queue: VecDeque<Waiter>,
}

impl Bulkhead {
    /// An empty room.
    #[must_use]
    pub fn new(config: BulkheadConfig) -> Self {
        let rooms = divide(config.limit, &config.shares);
        Self { config, rooms, running: BTreeMap::new(), queue: VecDeque::new() }
    }

    /// Lets a call in, or to the end of the queue, or away. `tier` is its place in `shares`; without one, or with one
    /// that is not there, a call has no share and may only borrow. One that is in already stays where it stands.
    pub fn enter(&mut self, call: u32, tier: Option<usize>, now: Instant) -> Standing {
        if let Some(standing) = self.standing(call) {
            return standing;
        }
        let tier = tier.filter(|tier| *tier < self.rooms.len());
        if self.has_room(tier) {
            self.admit(call, tier, now);
            Standing::Running
        } else if self.queue.len() < self.config.queue_max as usize {
            self.queue.push_back(Waiter { call, tier, gives_up_at: now.plus(self.config.wait_max_ms) });
            Standing::Queued
        } else {
            Standing::Rejected
        }
    }

    /// A call has ended, however it did, or gives up waiting. Returns those that may run instead. A call that is not
    /// there changes nothing.
    #[must_use = "these calls may run"]
    pub fn leave(&mut self, call: u32, now: Instant) -> Vec<u32> {
        self.running.remove(&call);
        self.queue.retain(|waiter| waiter.call != call);
        self.fill(now)
    }

    /// Takes back permits that lapsed and lets go who waited too long; returns those that may run. No timer does it.
    #[must_use = "these calls may run"]
    pub fn sweep(&mut self, now: Instant) -> Vec<u32> {
        self.running.retain(|_, permit| permit.expires_at > now);
        self.queue.retain(|waiter| waiter.gives_up_at > now);
        self.fill(now)
    }

    /// When [`Bulkhead::sweep`] has something to do; [`Instant::NEVER`] for not at all.
    #[must_use]
    pub fn wake_at(&self) -> Instant {
        let permits = self.running.values().map(|permit| permit.expires_at);
        permits.chain(self.queue.iter().map(|waiter| waiter.gives_up_at)).min().unwrap_or(Instant::NEVER)
    }

    /// Where a call stands; `None` when it is not there (any more).
    #[must_use]
    pub fn standing(&self, call: u32) -> Option<Standing> {
        if self.running.contains_key(&call) {
            return Some(Standing::Running);
        }
        self.queue.iter().any(|waiter| waiter.call == call).then_some(Standing::Queued)
    }

    /// Takes another limit, as an adaptive one gives it; returns those that may run. A lower one sends nobody away.
    #[must_use = "these calls may run"]
    pub fn set_limit(&mut self, limit: u32, now: Instant) -> Vec<u32> {
        self.config.limit = limit;
        self.rooms = divide(limit, &self.config.shares);
        self.fill(now)
    }

    /// Takes other settings; returns those that may run. Those who wait keep their place, also beyond a shorter queue;
    /// those whose tier is gone have no share.
    #[must_use = "these calls may run"]
    pub fn reconfigure(&mut self, config: BulkheadConfig, now: Instant) -> Vec<u32> {
        let tiers = config.shares.len();
        let known = |tier: &mut Option<usize>| *tier = tier.filter(|tier| *tier < tiers);
        self.running.values_mut().for_each(|permit| known(&mut permit.tier));
        self.queue.iter_mut().for_each(|waiter| known(&mut waiter.tier));
        let limit = config.limit;
        self.config = config;
        self.set_limit(limit, now)
    }

    /// Calls that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Calls that run on behalf of a tier.
    #[must_use]
    pub fn running_of(&self, tier: usize) -> usize {
        self.running.values().filter(|permit| permit.tier == Some(tier)).count()
    }

    /// Calls that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The room of each tier. Never more than the limit in sum.
    #[must_use]
    pub fn rooms(&self) -> &[u32] {
        &self.rooms
    }

    fn is_below_share(&self, tier: Option<usize>) -> bool {
        tier.is_some_and(|tier| self.rooms.get(tier).is_some_and(|room| self.running_of(tier) < *room as usize))
    }

    fn has_room(&self, tier: Option<usize>) -> bool {
        self.running.len() < self.config.limit as usize
            || self.config.lending == Lending::Guaranteed && self.is_below_share(tier)
    }

    fn admit(&mut self, call: u32, tier: Option<usize>, now: Instant) {
        let expires_at = now.plus(self.config.permit_ttl_ms);
        self.running.insert(call, Permit { tier, expires_at });
    }

    /// Lets waiters in while there is room: the first whose tier is below its share, else the first of all.
    fn fill(&mut self, now: Instant) -> Vec<u32> {
        let mut admitted = Vec::new();
        loop {
            let owed = self.queue.iter().position(|waiter| self.is_below_share(waiter.tier));
            let place = owed.unwrap_or(0);
            let Some(waiter) = self.queue.get(place).copied().filter(|waiter| self.has_room(waiter.tier)) else {
                return admitted;
            };
            self.queue.remove(place);
            self.admit(waiter.call, waiter.tier, now);
            admitted.push(waiter.call);
        }
    }
}

/// Whole rooms for each share: rounded down, and what the shares are owed beyond that goes to the largest remainders.
/// (Rounding up, as Netflix does, promises three connections to four tenants.)
fn divide(limit: u32, shares: &[u32]) -> Vec<u32> {
    let shares: Vec<u64> = shares.iter().map(|share| u64::from((*share).min(WHOLE))).collect();
    let sum: u64 = shares.iter().sum();
    let whole = sum.max(u64::from(WHOLE));
    let exact = |share: u64| u64::from(limit) * share;
    let mut rooms: Vec<u32> = shares.iter().map(|share| (exact(*share) / whole) as u32).collect();
    let promised = u64::from(limit) * sum / whole;
    let given: u64 = rooms.iter().map(|room| u64::from(*room)).sum();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(exact(shares[*index]) % whole));
    for index in by_remainder.into_iter().take(promised.saturating_sub(given) as usize) {
        rooms[index] += 1;
    }
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(1_000_000);
    const FREE: Option<usize> = Some(0);
    const ENTERPRISE: Option<usize> = Some(3);

    fn config(limit: u32, queue_max: u32) -> BulkheadConfig {
        BulkheadConfig {
            limit,
            queue_max,
            wait_max_ms: 1_000,
            permit_ttl_ms: 60_000,
            shares: Vec::new(),
            lending: Lending::Guaranteed,
        }
    }

    fn tiered(lending: Lending) -> Bulkhead {
        Bulkhead::new(BulkheadConfig { shares: vec![1_000, 2_000, 3_000, 4_000], lending, ..config(10, 5) })
    }

    #[test]
    fn they_run_then_wait_then_are_rejected_and_wait_in_order() {
        let mut it = Bulkhead::new(config(1, 2));
        let entered: Vec<Standing> = (1..=4).map(|call| it.enter(call, None, START)).collect();
        assert_eq!(entered, [Standing::Running, Standing::Queued, Standing::Queued, Standing::Rejected]);
        assert_eq!(it.leave(2, START), [0; 0], "it gave up");
        assert_eq!(it.leave(1, START), [3]);
        assert_eq!(it.leave(1, START), [0; 0], "leaving twice frees nothing");
        assert_eq!((it.running(), it.queued()), (1, 0));
    }

    #[test]
    fn who_is_in_already_does_not_enter_twice() {
        let mut it = Bulkhead::new(config(2, 1));
        for _ in 0..2 {
            assert_eq!(it.enter(1, None, START), Standing::Running);
        }
        assert_eq!(it.running(), 1);
    }

    #[test]
    fn unused_shares_are_lent_and_a_guaranteed_one_is_given_beyond_the_limit() {
        let mut it = tiered(Lending::Guaranteed);
        for call in 0..10 {
            assert_eq!(it.enter(call, FREE, START), Standing::Running);
        }
        assert_eq!(it.enter(10, FREE, START), Standing::Queued);
        for call in 20..24 {
            assert_eq!(it.enter(call, ENTERPRISE, START), Standing::Running);
        }
        assert_eq!(it.enter(24, ENTERPRISE, START), Standing::Queued);
        assert_eq!((it.running(), it.running_of(0), it.running_of(3)), (14, 10, 4));
        assert_eq!(it.leave(0, START), [0; 0], "13 is still above the limit");
    }

    #[test]
    fn under_a_strict_total_the_owed_tier_goes_first() {
        let mut it = tiered(Lending::Strict);
        for call in 0..12 {
            it.enter(call, FREE, START);
        }
        assert_eq!(it.enter(20, ENTERPRISE, START), Standing::Queued);
        assert_eq!(it.enter(21, None, START), Standing::Queued);
        assert_eq!(it.leave(0, START), [20]);
        assert_eq!(it.leave(1, START), [10], "then whoever came first");
        assert_eq!(it.running(), 10);
    }

    #[test]
    fn rooms_add_up_to_the_limit_and_a_tie_goes_to_the_first() {
        assert_eq!(divide(10, &[1_000, 2_000, 3_000, 4_000]), [1, 2, 3, 4]);
        assert_eq!(divide(3, &[2_500; 4]), [1, 1, 1, 0]);
        assert_eq!(divide(5, &[1_000, 2_000, 3_000, 4_000]), [1, 1, 1, 2]);
        assert_eq!(divide(10, &[9_000, 9_000]), [5, 5]);
        assert_eq!(divide(10, &[1_000]), [1], "the rest belongs to nobody and is lent");
        assert_eq!(divide(u32::MAX, &[WHOLE]), [u32::MAX]);
    }

    #[test]
    fn what_is_lost_comes_back_and_nobody_waits_for_ever() {
        let mut it = Bulkhead::new(config(1, 2));
        it.enter(1, None, START);
        it.enter(2, None, START);
        assert_eq!(it.wake_at(), START.plus(1_000));
        it.enter(3, None, START.plus(59_500));
        assert_eq!(it.sweep(START.plus(59_999)), [0; 0]);
        assert_eq!(it.standing(2), None);
        assert_eq!(it.sweep(START.plus(60_000)), [3]);
    }

    #[test]
    fn a_higher_limit_lets_in_and_a_lower_one_sends_nobody_away() {
        let mut it = Bulkhead::new(config(1, 5));
        for call in 1..=4 {
            it.enter(call, FREE, START);
        }
        assert_eq!(it.set_limit(3, START), [2, 3]);
        assert_eq!(it.set_limit(1, START), [0; 0]);
        assert_eq!(it.running(), 3);
        assert_eq!(it.leave(1, START), [0; 0]);
        assert_eq!(it.reconfigure(config(5, 0), START), [4]);
    }
}
