//! Balancing: which of a few endpoints takes the next query.
//!
//! Round robin, the fewest pending, or the lower of two random costs. The cost is a latency estimate that believes bad
//! news at once and good news slowly (peak EWMA, from Finagle and tower), times the pending queries:
//!
//! ```text
//! on an answer:  estimate = rtt                                  if rtt > estimate
//!                estimate = estimate · w + rtt · (1 − w)         else, with w = e^(−Δt / decay)
//! on a look:     cost     = estimate · e^(−Δt / decay) · (pending + 1)
//! ```
//!
//! A look changes nothing: it projects (as linkerd does; tower's look decays the estimate itself, so that its costs
//! depend on how often somebody looked). An endpoint that is not asked grows cheaper until it is tried again. A failed
//! answer counts as one that took at least `failure_penalty_ms`, because a database that refuses at once is not fast.
//!
//! Of four endpoints with two unavailable, the other two take everything. With three unavailable and `panic_below` at
//! one half, all four are used again: so many cannot be ill alone, and one that is left would drown.

use crate::clock::{Instant, Millis};
use crate::rng::Rng;

/// Endpoints of one balancer, whatever is asked for.
pub const ENDPOINTS_MAX: usize = 64;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other, in the order of the list.
    RoundRobin,
    /// The one with the fewest pending queries.
    LeastPending,
    /// Of two at random, the one with fewer pending queries.
    PairPending,
    /// The one with the lowest cost: right for up to five or so.
    LeastCost,
    /// Of two at random, the one with the lower cost: no herd when many isolates see the same numbers.
    PairCost,
}

/// The rule and its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BalanceConfig {
    /// How an endpoint is chosen.
    pub algorithm: Algorithm,
    /// Time in which an estimate falls to 1/e, in milliseconds; at least 1.
    pub decay_ms: Millis,
    /// The estimate of an endpoint that has not answered yet, in milliseconds. With 0 it costs nothing while idle, and
    /// the penalty while its first query is out.
    pub first_rtt_ms: f64,
    /// A failed answer counts as one that took at least so long, in milliseconds. 0 counts it as it was.
    pub failure_penalty_ms: f64,
    /// When the available share is below this, availability is ignored. 0 to 1; 0 never ignores it.
    pub panic_below: f64,
}

#[derive(Clone, Copy, Debug)]
struct Endpoint {
    is_available: bool,
    pending: u32,
    estimate_ms: f64,
    observed_at: Instant,
}

impl Endpoint {
    const fn new(config: &BalanceConfig, now: Instant) -> Self {
        Self { is_available: true, pending: 0, estimate_ms: config.first_rtt_ms, observed_at: now }
    }
}

/// The endpoints of one database, by their place in the list.
#[derive(Clone, Debug)]
pub struct Balancer {
    config: BalanceConfig,
    endpoints: Vec<Endpoint>,
    /// Where round robin goes on.
    next: usize,
}

impl Balancer {
    /// All available, nothing pending, no answer yet. At most [`ENDPOINTS_MAX`]; others are left out.
    #[must_use]
    pub fn new(config: BalanceConfig, endpoints: usize, now: Instant) -> Self {
        Self { config, endpoints: vec![Endpoint::new(&config, now); endpoints.min(ENDPOINTS_MAX)], next: 0 }
    }

    /// Says whether an endpoint may be chosen: it is ejected, isolated by hand, or back.
    pub fn set_available(&mut self, endpoint: usize, is_available: bool) {
        if let Some(it) = self.endpoints.get_mut(endpoint) {
            it.is_available = is_available;
        }
    }

    /// Whether so few are available that availability is ignored: strictly below `panic_below`.
    #[must_use]
    pub fn is_panicking(&self) -> bool {
        let available = self.endpoints.iter().filter(|endpoint| endpoint.is_available).count();
        (available as f64) < self.config.panic_below * self.endpoints.len() as f64
    }

    /// Those that may be chosen, in the order of the list. Empty when none is available and that is no reason to panic.
    pub fn eligible(&self) -> impl Iterator<Item = usize> + '_ {
        let is_panicking = self.is_panicking();
        let all = self.endpoints.iter().enumerate();
        all.filter(move |(_, endpoint)| is_panicking || endpoint.is_available).map(|(index, _)| index)
    }

    /// Chooses an endpoint; `None` when none is eligible. Only round robin remembers the choice.
    ///
    /// Chance is used by the algorithms that compare two.
    pub fn choose(&mut self, rng: &mut impl Rng, now: Instant) -> Option<usize> {
        let eligible = self.eligible().count();
        self.choose_of(draw_pair(eligible, rng), now)
    }

    /// The same with the pair already drawn: two places in the list of the eligible. A place outside of it counts as
    /// the first; the others' algorithms ignore the pair.
    pub fn choose_of(&mut self, (first, second): (usize, usize), now: Instant) -> Option<usize> {
        let algorithm = self.config.algorithm;
        if matches!(algorithm, Algorithm::PairPending | Algorithm::PairCost) {
            let at = |place| self.eligible().nth(place).or_else(|| self.eligible().next());
            let (first, second) = (at(first)?, at(second)?);
            let value = |index| self.value(index, algorithm, now);
            return Some(if value(second) < value(first) { second } else { first });
        }
        let among = self.eligible().fold(0, |among, index| among | 1 << index);
        self.choose_among(among, algorithm, now)
    }

    /// Compares all endpoints that the caller names, bit `i` for the i-th, whether available or not, by an algorithm of
    /// the caller's. Of equal ones the first of the list: its order is the order of preference.
    #[inline(never)]
    pub fn choose_among(&mut self, among: u64, algorithm: Algorithm, now: Instant) -> Option<usize> {
        let mut chosen = None;
        let mut lowest = f64::INFINITY;
        for index in (0..self.endpoints.len()).filter(|index| among >> index & 1 != 0) {
            let value = self.value(index, algorithm, now);
            if value < lowest || chosen.is_none() {
                (chosen, lowest) = (Some(index), value);
            }
        }
        if algorithm == Algorithm::RoundRobin {
            self.next = chosen.map_or(self.next, |index| index + 1);
        }
        chosen
    }

    /// One more endpoint, at the end of the list; false beyond [`ENDPOINTS_MAX`].
    pub fn add(&mut self, now: Instant) -> bool {
        let has_room = self.endpoints.len() < ENDPOINTS_MAX;
        if has_room {
            self.endpoints.push(Endpoint::new(&self.config, now));
        }
        has_room
    }

    /// Forgets how long an endpoint took, as if it had never been asked; what is pending stays.
    pub fn forget(&mut self, endpoint: usize) {
        if let Some(it) = self.endpoints.get_mut(endpoint) {
            it.estimate_ms = self.config.first_rtt_ms;
        }
    }

    /// How long an endpoint takes, in milliseconds, by the answers so far, whenever they came. 0 without an answer.
    #[must_use]
    pub fn estimate_ms(&self, endpoint: usize) -> f64 {
        self.endpoints.get(endpoint).map_or(0.0, |it| it.estimate_ms)
    }

    /// A query went to an endpoint.
    pub fn begin(&mut self, endpoint: usize) {
        self.set_pending(endpoint, self.pending(endpoint).saturating_add(1));
    }

    /// A query came back from an endpoint, with or without an answer worth observing.
    pub fn end(&mut self, endpoint: usize) {
        self.set_pending(endpoint, self.pending(endpoint).saturating_sub(1));
    }

    /// Says how many queries are out at an endpoint, for a host that counts them itself.
    pub fn set_pending(&mut self, endpoint: usize, pending: u32) {
        if let Some(it) = self.endpoints.get_mut(endpoint) {
            it.pending = pending;
        }
    }

    /// Takes an answer's time, in milliseconds, into the estimate. What is not a number from 0 changes nothing.
    ///
    /// A clock that stepped back leaves no time between two answers: only a peak counts.
    #[inline(never)]
    pub fn observe(&mut self, endpoint: usize, rtt_ms: f64, is_failure: bool, now: Instant) {
        let Some(it) = self.endpoints.get_mut(endpoint) else { return };
        let rtt_ms = if is_failure { rtt_ms.max(self.config.failure_penalty_ms) } else { rtt_ms };
        if !rtt_ms.is_finite() || rtt_ms < 0.0 {
            return;
        }
        if rtt_ms > it.estimate_ms {
            it.estimate_ms = rtt_ms;
        } else {
            let weight = remaining(self.config.decay_ms, now.since(it.observed_at));
            it.estimate_ms = it.estimate_ms * weight + rtt_ms * (1.0 - weight);
        }
        it.observed_at = it.observed_at.max(now);
    }

    /// What an algorithm compares.
    fn value(&self, index: usize, algorithm: Algorithm, now: Instant) -> f64 {
        match algorithm {
            Algorithm::RoundRobin => f64::from(u8::from(index < self.next)),
            Algorithm::LeastPending | Algorithm::PairPending => f64::from(self.pending(index)),
            Algorithm::LeastCost | Algorithm::PairCost => self.cost(index, 0.0, now),
        }
    }

    /// What choosing an endpoint costs, in milliseconds of expected waiting, if its answer takes `extra_ms` more than its
    /// estimate. Infinite for one that is not there.
    #[must_use]
    #[inline(never)]
    pub fn cost(&self, endpoint: usize, extra_ms: f64, now: Instant) -> f64 {
        let Some(it) = self.endpoints.get(endpoint) else { return f64::INFINITY };
        if it.estimate_ms == 0.0 && it.pending > 0 {
            return self.config.failure_penalty_ms + f64::from(it.pending);
        }
        let projected = it.estimate_ms * remaining(self.config.decay_ms, now.since(it.observed_at));
        (projected + extra_ms) * (f64::from(it.pending) + 1.0)
    }

    /// Queries that are out at an endpoint.
    #[must_use]
    pub fn pending(&self, endpoint: usize) -> u32 {
        self.endpoints.get(endpoint).map_or(0, |it| it.pending)
    }

    /// Takes other settings; estimates and pending queries stay.
    pub const fn reconfigure(&mut self, config: BalanceConfig) {
        self.config = config;
    }
}

/// The share of an estimate that is left after so long.
#[inline(never)]
fn remaining(decay_ms: Millis, elapsed_ms: Millis) -> f64 {
    (-(elapsed_ms as f64) / decay_ms.max(1) as f64).exp()
}

/// Two different places of `count`, every pair as likely as another; twice the first place when there is only one.
pub fn draw_pair(count: usize, rng: &mut impl Rng) -> (usize, usize) {
    if count < 2 {
        return (0, 0);
    }
    let mut draw = |below: usize| ((rng.unit() * below as f64) as usize).min(below - 1);
    let first = draw(count);
    let second = draw(count - 1);
    (first, if second >= first { second + 1 } else { second })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix;

    const CONFIG: BalanceConfig = BalanceConfig {
        algorithm: Algorithm::PairCost,
        decay_ms: 10_000,
        first_rtt_ms: 30.0,
        failure_penalty_ms: 5_000.0,
        panic_below: 0.5,
    };
    const START: Instant = Instant(1_000_000);

    fn balancer(algorithm: Algorithm, endpoints: usize) -> Balancer {
        Balancer::new(BalanceConfig { algorithm, ..CONFIG }, endpoints, START)
    }

    #[test]
    fn a_peak_counts_at_once_and_good_news_only_with_time() {
        let mut it = balancer(Algorithm::PairCost, 2);
        it.observe(0, 200.0, false, START);
        it.observe(0, 100.0, false, START);
        assert_eq!(it.cost(0, 0.0, START), 200.0, "no time has passed");
        it.observe(0, 100.0, false, START.plus(10_000));
        let e = std::f64::consts::E;
        assert!((it.cost(0, 0.0, START.plus(10_000)) - (200.0 / e + 100.0 * (1.0 - 1.0 / e))).abs() < 1e-9);
    }

    #[test]
    fn looking_changes_nothing() {
        let mut it = balancer(Algorithm::PairCost, 1);
        it.observe(0, 200.0, false, START);
        let first = it.cost(0, 0.0, START.plus(5_000));
        assert!((it.cost(0, 0.0, START.plus(60_000)) - 200.0 * (-6.0_f64).exp()).abs() < 1e-9);
        assert_eq!(it.cost(0, 0.0, START.plus(5_000)), first);
    }

    #[test]
    fn a_fast_refusal_is_expensive() {
        let mut it = balancer(Algorithm::LeastCost, 2);
        it.observe(0, 1.0, true, START);
        it.observe(1, 400.0, false, START);
        assert_eq!(it.cost(0, 0.0, START), 5_000.0);
        assert_eq!(it.choose_of((0, 0), START), Some(1));
    }

    #[test]
    fn without_a_first_guess_only_one_query_goes_to_the_unknown() {
        let config = BalanceConfig { first_rtt_ms: 0.0, algorithm: Algorithm::LeastCost, ..CONFIG };
        let mut it = Balancer::new(config, 2, START);
        it.observe(1, 10.0, false, START);
        assert_eq!(it.choose_of((0, 1), START), Some(0));
        it.begin(0);
        assert_eq!(it.cost(0, 0.0, START), 5_001.0);
        assert_eq!(it.choose_of((0, 1), START), Some(1));
        it.end(0);
        assert_eq!(it.cost(0, 0.0, START), 0.0);
    }

    #[test]
    fn the_fewest_pending_wins_and_a_tie_goes_to_the_first() {
        let mut it = balancer(Algorithm::LeastPending, 3);
        assert_eq!(it.choose_of((2, 1), START), Some(0));
        it.set_pending(0, 2);
        it.set_pending(1, 1);
        it.set_pending(2, 1);
        assert_eq!(it.choose_of((2, 0), START), Some(1));
        let mut pair = balancer(Algorithm::PairPending, 3);
        pair.set_pending(0, 1);
        assert_eq!(pair.choose_of((0, 2), START), Some(2));
    }

    #[test]
    fn panic_is_strictly_below_its_share() {
        let mut it = balancer(Algorithm::RoundRobin, 4);
        it.set_available(0, false);
        it.set_available(1, false);
        assert!(!it.is_panicking());
        assert_eq!(it.eligible().collect::<Vec<_>>(), [2, 3]);
        it.set_available(2, false);
        assert!(it.is_panicking());
        assert_eq!(it.eligible().count(), 4);
    }

    #[test]
    fn round_robin_passes_over_the_unavailable_and_goes_round() {
        let mut it = balancer(Algorithm::RoundRobin, 3);
        it.set_available(1, false);
        let picks: Vec<_> = (0..4).filter_map(|_| it.choose_of((0, 0), START)).collect();
        assert_eq!(picks, [0, 2, 0, 2]);
        it.set_available(1, true);
        assert_eq!(it.choose_of((0, 0), START), Some(0));
        assert_eq!(it.choose_of((0, 0), START), Some(1));
    }

    #[test]
    fn nobody_is_chosen_when_nobody_is_eligible() {
        let config = BalanceConfig { panic_below: 0.0, ..CONFIG };
        let mut it = Balancer::new(config, 1, START);
        it.set_available(0, false);
        assert_eq!(it.choose(&mut SplitMix::new(1), START), None);
    }

    #[test]
    fn every_pair_of_different_places_is_drawn() {
        let mut rng = SplitMix::new(3);
        let mut seen = [[0; 3]; 3];
        for _ in 0..6_000 {
            let (first, second) = draw_pair(3, &mut rng);
            seen[first][second] += 1;
        }
        for (first, row) in seen.iter().enumerate() {
            for (second, count) in row.iter().enumerate() {
                assert!(if first == second { *count == 0 } else { (800..1_200).contains(count) }, "{seen:?}");
            }
        }
    }
}
