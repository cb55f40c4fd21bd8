//! Who takes it: sets of endpoints, one bit each, narrowed step by step, and then the strategy.

use super::route::Route;
use super::{Cluster, Health, PATIENCE, STALL_MIN_MS, Spread};
use crate::clock::{Instant, Millis};
use crate::policy::balance::Algorithm;
use crate::rng::Rng;

/// Up to so many endpoints all costs are compared; beyond, those of two at random.
const COMPARED_MAX: u32 = 5;
/// Estimates differ when the highest is this many times the lowest...
const SPREAD: f64 = 2.0;
/// ...and a clock's step more, in milliseconds.
const SPREAD_ABOVE_MS: f64 = 1.0;
/// An endpoint that has not shown what a read must see takes so much longer, in milliseconds: a guess at how far replicas
/// lag. If it is far too low, their answers tell.
const UNSHOWN_MS: f64 = 20.0;
/// Pending queries for each endpoint that are a crowd.
const CROWD: u32 = 2;

impl Cluster {
    /// The endpoint for a route that it has not been at; `None` when nobody is left.
    #[inline(never)]
    pub(super) fn choose(&mut self, route: &Route, now: Instant) -> Option<usize> {
        let open = self.reach(route) & !route.tried;
        let mut among = unless_empty(open & self.healthy(now), open);
        if route.is_read && route.wish.floor > 0 {
            // The first of the writable ones wrote it; whoever else has not shown it yet would have to wait for it.
            let knowing = self.set(|member| member.is_writable || member.index >= route.wish.floor);
            among = self.unless_dear(among & knowing, among & !knowing, now);
        }
        among = self.first_tier(among);
        among = unless_empty(among & route.wish.near, among);
        if !route.is_read || !self.config.is_balanced {
            return (among != 0).then(|| among.trailing_zeros() as usize);
        }
        let algorithm = self.algorithm(among);
        let compared = if algorithm == Algorithm::LeastCost { self.pair_of(among) } else { among };
        self.balancer.choose_among(u64::from(compared), algorithm, now)
    }

    /// Those that know, unless the others are cheaper although they must wait: whoever writes all the time would never ask
    /// another than the one it writes to, however slow that has become.
    fn unless_dear(&self, knowing: u32, others: u32, now: Instant) -> u32 {
        let cheapest = |set: u32, extra_ms: f64| {
            let within = (0..self.members.len()).filter(move |index| set >> index & 1 != 0);
            within.map(|index| self.balancer.cost(index, extra_ms, now)).fold(f64::INFINITY, f64::min)
        };
        if cheapest(others, UNSHOWN_MS) < cheapest(knowing, 0.0) { others } else { unless_empty(knowing, others) }
    }

    /// Endpoints that a route could go to at all.
    pub(super) fn reach(&self, route: &Route) -> u32 {
        self.set(|member| !member.is_gone && (route.is_read || member.is_writable)) & route.wish.allowed
    }

    /// Endpoints that should take operations.
    #[inline(never)]
    pub(super) fn healthy(&self, now: Instant) -> u32 {
        let is_healthy = |index: &usize| matches!(self.health(*index, now), Health::Healthy | Health::Probation);
        (0..self.members.len()).filter(is_healthy).fold(0, |set, index| set | 1 << index)
    }

    /// Endpoints that are ejected.
    #[inline(never)]
    pub(super) fn ejected(&self) -> u32 {
        (0..self.members.len()).filter(|&index| self.outliers.is_ejected(index)).fold(0, |set, index| set | 1 << index)
    }

    #[inline(never)]
    pub(super) fn health(&self, index: usize, now: Instant) -> Health {
        let Some(member) = self.members.get(index) else { return Health::Gone };
        let stall_ms = (2.0 * PATIENCE * self.balancer.estimate_ms(index)).max(STALL_MIN_MS);
        if member.is_gone {
            Health::Gone
        } else if self.outliers.is_ejected(index) {
            Health::Ejected
        } else if member.refused_until > now {
            Health::Refusing
        } else if member.stall.is_stalled(stall_ms as Millis, now) {
            Health::Stalled
        } else if member.is_on_probation {
            Health::Probation
        } else {
            Health::Healthy
        }
    }

    /// The lowest estimate of the others that have answered, in milliseconds; 0 when none has.
    #[inline(never)]
    pub(super) fn best_but(&self, index: usize) -> f64 {
        let others = (0..self.members.len()).filter(|&other| other != index && !self.outliers.is_ejected(other));
        let best = others.map(|other| self.balancer.estimate_ms(other)).filter(|&ms| ms > 0.0).reduce(f64::min);
        best.unwrap_or(0.0)
    }

    /// All of a few; of many, two at random, so that isolates that see the same numbers do not all go to one.
    fn pair_of(&mut self, among: u32) -> u32 {
        let mut pair = among;
        while pair.count_ones() > 2 && among.count_ones() > COMPARED_MAX {
            pair &= self.rng.bits() as u32;
            pair = if pair.count_ones() < 2 { among } else { pair };
        }
        pair
    }

    #[inline(never)]
    fn algorithm(&self, among: u32) -> Algorithm {
        match self.config.strategy {
            Spread::Performance => Algorithm::LeastCost,
            Spread::RoundRobin => Algorithm::RoundRobin,
            Spread::LeastConnections => Algorithm::LeastPending,
            Spread::Adaptive => {
                let (mut best, mut worst, mut pending) = (f64::INFINITY, 0.0_f64, 0);
                for index in (0..self.members.len()).filter(|index| among >> index & 1 != 0) {
                    let ms = self.balancer.estimate_ms(index);
                    best = if ms > 0.0 { best.min(ms) } else { best };
                    worst = worst.max(ms);
                    pending += self.balancer.pending(index);
                }
                if worst > best * SPREAD + SPREAD_ABOVE_MS {
                    Algorithm::LeastCost
                } else if pending >= CROWD * among.count_ones() {
                    Algorithm::LeastPending
                } else {
                    Algorithm::RoundRobin
                }
            }
        }
    }

    fn first_tier(&self, among: u32) -> u32 {
        let (mut first, mut tier) = (u32::MAX, 0);
        for (index, member) in self.members.iter().enumerate().filter(|(index, _)| among >> index & 1 != 0) {
            if member.priority < first {
                (first, tier) = (member.priority, 0);
            }
            tier |= u32::from(member.priority == first) << index;
        }
        tier
    }

    fn set(&self, is_in: impl Fn(&super::Member) -> bool) -> u32 {
        self.members.iter().enumerate().filter(|(_, member)| is_in(member)).fold(0, |set, (index, _)| set | 1 << index)
    }
}

/// The first set, or the second where the first is empty.
const fn unless_empty(first: u32, second: u32) -> u32 {
    if first != 0 { first } else { second }
}
