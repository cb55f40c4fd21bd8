//! Single flight: of those who want the same thing at the same time, one loads it and the others wait for that.
//!
//! As in Go's singleflight, a failure is shared like a value, and nothing is remembered once the load has ended. Unlike
//! there, a leader may vanish without a word: its request is cancelled, and on Workers its promise can then never be
//! fulfilled. So leading is a lease of `lead_ms`, which the leader renews, and a follower that asks again after it has
//! lapsed takes over with a load of its own. Followers wait beside a timer of their own request and ask again.
//!
//! a leads at 0 and b follows at 10. When a is cancelled at 20, b leads, and its load counts.

use std::collections::{BTreeMap, VecDeque};

use crate::clock::{Instant, Millis};

/// How much is shared, and for how long one may lead in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlightConfig {
    /// Keys loaded at once. Beyond it, everyone loads alone.
    pub flights_max: u32,
    /// Followers of one load. Beyond it, one loads alone.
    pub followers_max: u32,
    /// A leader that is not heard of for so long is taken to be dead, in milliseconds.
    pub lead_ms: Millis,
    /// Whether a follower leads when the leader leaves; else all fail with it.
    pub is_taken_over: bool,
}

/// What somebody who wants a key is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Load it, and tell the others.
    Lead,
    /// Wait for the leader's load. Ask again at the time given, should nothing be heard until then.
    Follow {
        /// Who leads.
        leader: u32,
        /// When the leader's lease lapses.
        until: Instant,
    },
    /// Load it, and tell nobody: too much is under way to keep account of it.
    Alone,
}

/// What follows from somebody's leaving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing for the others.
    Quietly,
    /// This one leads from now on and must load.
    TakenOver(u32),
    /// The load is given up; these fail with it.
    Abandoned(Vec<u32>),
}

#[derive(Clone, Debug)]
struct Flight {
    leader: u32,
    expires_at: Instant,
    /// In the order in which they came.
    followers: VecDeque<u32>,
}

/// The loads under way, by key. Callers are numbers that the host gives.
#[derive(Clone, Debug)]
pub struct Flights<K> {
    config: FlightConfig,
    flights: BTreeMap<K, Flight>,
}

impl<K: Ord + Clone> Flights<K> {
    /// Nothing under way.
    #[must_use]
    pub const fn new(config: FlightConfig) -> Self {
        Self { config, flights: BTreeMap::new() }
    }

    /// Joins the load of a key, or begins it. Whoever has joined may ask again: the answer is where it stands.
    pub fn join(&mut self, key: &K, caller: u32, now: Instant) -> Role {
        let expires_at = now.plus(self.config.lead_ms);
        let followers_max = self.config.followers_max as usize;
        let Some(flight) = self.flights.get_mut(key) else {
            if self.flights.len() >= self.config.flights_max as usize {
                self.flights.retain(|_, flight| flight.expires_at > now);
            }
            if self.flights.len() >= self.config.flights_max as usize {
                return Role::Alone;
            }
            let flight = Flight { leader: caller, expires_at, followers: VecDeque::new() };
            self.flights.insert(key.clone(), flight);
            return Role::Lead;
        };
        if flight.leader == caller {
            return Role::Lead;
        }
        if flight.expires_at <= now {
            flight.followers.retain(|follower| *follower != caller);
            (flight.leader, flight.expires_at) = (caller, expires_at);
            return Role::Lead;
        }
        if !flight.followers.contains(&caller) {
            if flight.followers.len() >= followers_max {
                return Role::Alone;
            }
            flight.followers.push_back(caller);
        }
        Role::Follow { leader: flight.leader, until: flight.expires_at }
    }

    /// Says that the leader lives; false when another leads.
    pub fn renew(&mut self, key: &K, caller: u32, now: Instant) -> bool {
        let flight = self.flights.get_mut(key).filter(|flight| flight.leader == caller);
        if let Some(flight) = flight {
            flight.expires_at = flight.expires_at.max(now.plus(self.config.lead_ms));
            return true;
        }
        false
    }

    /// Ends a load, well or not. Returns who gets its result, in the order of coming; `None` when `caller` does not
    /// lead (any more), and then its result is its own.
    pub fn settle(&mut self, key: &K, caller: u32) -> Option<Vec<u32>> {
        self.flights.get(key).filter(|flight| flight.leader == caller)?;
        self.flights.remove(key).map(|flight| flight.followers.into())
    }

    /// Somebody wants the key no longer. A leader is followed by whoever came first.
    pub fn leave(&mut self, key: &K, caller: u32, now: Instant) -> Left {
        let Some(flight) = self.flights.get_mut(key) else { return Left::Quietly };
        if flight.leader != caller {
            flight.followers.retain(|follower| *follower != caller);
            return Left::Quietly;
        }
        let heir = if self.config.is_taken_over { flight.followers.pop_front() } else { None };
        if let Some(heir) = heir {
            (flight.leader, flight.expires_at) = (heir, now.plus(self.config.lead_ms));
            return Left::TakenOver(heir);
        }
        match self.flights.remove(key) {
            Some(flight) if !flight.followers.is_empty() => Left::Abandoned(flight.followers.into()),
            _ => Left::Quietly,
        }
    }

    /// Makes the next who asks load anew, whatever is under way. Who leads keeps its followers no longer: they are
    /// returned and must join again.
    pub fn forget(&mut self, key: &K) -> Vec<u32> {
        self.flights.remove(key).map_or_else(Vec::new, |flight| flight.followers.into())
    }

    /// Keys that are being loaded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether nothing is being loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FlightConfig = FlightConfig { flights_max: 2, followers_max: 2, lead_ms: 1_000, is_taken_over: true };

    fn flights() -> Flights<&'static str> {
        let mut flights = Flights::new(CONFIG);
        assert_eq!(flights.join(&"k", 1, Instant(0)), Role::Lead);
        for caller in [2, 3] {
            assert_eq!(flights.join(&"k", caller, Instant(10)), Role::Follow { leader: 1, until: Instant(1_000) });
        }
        flights
    }

    #[test]
    fn one_loads_and_all_get_it_once() {
        let mut flights = flights();
        assert_eq!(flights.settle(&"k", 2), None, "a follower settles nothing");
        assert_eq!(flights.settle(&"k", 1), Some(vec![2, 3]));
        assert_eq!(flights.settle(&"k", 1), None);
        assert_eq!(flights.join(&"k", 4, Instant(20)), Role::Lead, "nothing is remembered");
    }

    #[test]
    fn the_first_follower_takes_over_from_a_leader_that_leaves() {
        let mut flights = flights();
        assert_eq!(flights.leave(&"k", 1, Instant(20)), Left::TakenOver(2));
        assert_eq!(flights.settle(&"k", 1), None, "the old leader's load is its own");
        assert_eq!(flights.leave(&"k", 3, Instant(20)), Left::Quietly);
        assert_eq!(flights.settle(&"k", 2), Some(vec![]));
    }

    #[test]
    fn a_leader_that_vanished_is_replaced_by_the_first_who_asks_after_its_time() {
        let mut flights = flights();
        assert!(flights.renew(&"k", 1, Instant(500)));
        assert_eq!(flights.join(&"k", 3, Instant(1_499)), Role::Follow { leader: 1, until: Instant(1_500) });
        assert_eq!(flights.join(&"k", 3, Instant(1_500)), Role::Lead);
        assert_eq!(flights.join(&"k", 2, Instant(1_500)), Role::Follow { leader: 3, until: Instant(2_500) });
        assert!(!flights.renew(&"k", 1, Instant(1_501)));
        assert_eq!(flights.settle(&"k", 3), Some(vec![2]));
    }

    #[test]
    fn without_take_over_everyone_fails_with_the_leader() {
        let mut flights = Flights::new(FlightConfig { is_taken_over: false, ..CONFIG });
        for caller in 1..=3 {
            flights.join(&"k", caller, Instant(0));
        }
        assert_eq!(flights.leave(&"k", 1, Instant(1)), Left::Abandoned(vec![2, 3]));
        assert!(flights.is_empty());
    }

    #[test]
    fn beyond_the_bounds_everyone_loads_alone() {
        let mut flights = flights();
        assert_eq!(flights.join(&"k", 4, Instant(20)), Role::Alone);
        assert_eq!(flights.join(&"k", 2, Instant(20)), Role::Follow { leader: 1, until: Instant(1_000) });
        assert_eq!(flights.join(&"l", 5, Instant(20)), Role::Lead);
        assert_eq!(flights.join(&"m", 6, Instant(20)), Role::Alone);
        assert_eq!(flights.join(&"m", 6, Instant(1_000)), Role::Lead, "a dead flight makes room");
        assert_eq!(flights.len(), 2);
    }

    #[test]
    fn what_is_forgotten_is_loaded_anew() {
        let mut flights = flights();
        assert_eq!(flights.forget(&"k"), [2, 3]);
        assert_eq!(flights.join(&"k", 2, Instant(20)), Role::Lead);
        assert_eq!(flights.settle(&"k", 1), None);
    }
}
