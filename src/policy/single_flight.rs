//! Single flight: of those who want the same thing at the same time, one loads it and the others wait for that.
//!
//! As in Go's singleflight, a failure is shared like a value, and nothing is remembered once the load has ended. Unlike
//! there, a leader may vanish without a word: its request is cancelled, and on Workers its promise can then never be
//! fulfilled. So leading is a lease of `lead_ms`, which the leader renews, and a follower that asks again after it has
//! lapsed takes over with a load of its own. Followers wait beside a timer of their own request and ask again.
//!
//! a leads at 0 and b follows at 10. When a is cancelled at 20, b leads, and its load counts.

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
    /// Whether nobody can tell a follower, who therefore asks again and again.
    pub is_polling: bool,
}

/// A follower of a polling host asks again after a quarter of the time that the load has taken so far, within these
/// bounds in milliseconds: it learns of the end late by at most a fourth, and a long load is not asked after often.
const POLL_MS: std::ops::RangeInclusive<Millis> = 4..=100;

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
    key: u32,
    leader: u32,
    began_at: Instant,
    expires_at: Instant,
    /// In the order in which they came.
    followers: Vec<u32>,
}

/// The loads under way, by slot. Slots and callers are numbers that the host gives.
#[derive(Clone, Debug)]
pub struct Flights {
    config: FlightConfig,
    /// Few at a time: looked through from the front.
    flights: Vec<Flight>,
}

impl Flights {
    /// Nothing under way.
    #[must_use]
    pub const fn new(config: FlightConfig) -> Self {
        Self { config, flights: Vec::new() }
    }

    /// Joins the load of a key, or begins it. Whoever has joined may ask again: the answer is where it stands.
    pub fn join(&mut self, key: u32, caller: u32, now: Instant) -> Role {
        let expires_at = now.plus(self.config.lead_ms);
        let followers_max = self.config.followers_max as usize;
        let Some(place) = self.place_of(key) else {
            let flights_max = self.config.flights_max as usize;
            if self.flights.len() >= flights_max {
                self.flights.retain(|flight| flight.expires_at > now);
            }
            if self.flights.len() >= flights_max {
                return Role::Alone;
            }
            self.flights.push(Flight { key, leader: caller, began_at: now, expires_at, followers: Vec::new() });
            return Role::Lead;
        };
        let Some(flight) = self.flights.get_mut(place) else { return Role::Alone };
        if flight.leader == caller {
            return Role::Lead;
        }
        if flight.expires_at <= now {
            flight.followers.retain(|follower| *follower != caller);
            (flight.leader, flight.began_at, flight.expires_at) = (caller, now, expires_at);
            return Role::Lead;
        }
        if !flight.followers.contains(&caller) {
            if flight.followers.len() >= followers_max {
                return Role::Alone;
            }
            flight.followers.push(caller);
        }
        let poll_ms = (now.since(flight.began_at) / 4).clamp(*POLL_MS.start(), *POLL_MS.end());
        let until = if self.config.is_polling { flight.expires_at.min(now.plus(poll_ms)) } else { flight.expires_at };
        Role::Follow { leader: flight.leader, until }
    }

    /// Says that the leader lives; false when another leads.
    pub fn renew(&mut self, key: u32, caller: u32, now: Instant) -> bool {
        let flight = self.place_of(key).and_then(|place| self.flights.get_mut(place));
        if let Some(flight) = flight.filter(|flight| flight.leader == caller) {
            flight.expires_at = flight.expires_at.max(now.plus(self.config.lead_ms));
            return true;
        }
        false
    }

    /// Ends a load, well or not. Returns who gets its result, in the order of coming; `None` when `caller` does not
    /// lead (any more), and then its result is its own.
    pub fn settle(&mut self, key: u32, caller: u32) -> Option<Vec<u32>> {
        let place = self.place_of(key)?;
        self.flights.get(place).filter(|flight| flight.leader == caller)?;
        Some(self.flights.swap_remove(place).followers)
    }

    /// Somebody wants the key no longer. A leader is followed by whoever came first.
    pub fn leave(&mut self, key: u32, caller: u32, now: Instant) -> Left {
        let Some(place) = self.place_of(key) else { return Left::Quietly };
        let Some(flight) = self.flights.get_mut(place) else { return Left::Quietly };
        if flight.leader != caller {
            flight.followers.retain(|follower| *follower != caller);
            return Left::Quietly;
        }
        let has_heir = self.config.is_taken_over && !flight.followers.is_empty();
        if has_heir {
            let heir = flight.followers.remove(0);
            (flight.leader, flight.began_at, flight.expires_at) = (heir, now, now.plus(self.config.lead_ms));
            return Left::TakenOver(heir);
        }
        let followers = self.flights.swap_remove(place).followers;
        if followers.is_empty() { Left::Quietly } else { Left::Abandoned(followers) }
    }

    /// Makes the next who asks load anew, whatever is under way. Who leads keeps its followers no longer: they are
    /// returned and must join again.
    pub fn forget(&mut self, key: u32) -> Vec<u32> {
        self.place_of(key).map_or_else(Vec::new, |place| self.flights.swap_remove(place).followers)
    }

    /// Forgets, as [`Flights::forget`] does, every load for which `is_kept` says false.
    pub fn retain(&mut self, mut is_kept: impl FnMut(u32) -> bool) {
        self.flights.retain(|flight| is_kept(flight.key));
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

    #[inline(never)]
    fn place_of(&self, key: u32) -> Option<usize> {
        self.flights.iter().position(|flight| flight.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FlightConfig =
        FlightConfig { flights_max: 2, followers_max: 2, lead_ms: 1_000, is_taken_over: true, is_polling: false };

    fn flights() -> Flights {
        let mut flights = Flights::new(CONFIG);
        assert_eq!(flights.join(7, 1, Instant(0)), Role::Lead);
        for caller in [2, 3] {
            assert_eq!(flights.join(7, caller, Instant(10)), Role::Follow { leader: 1, until: Instant(1_000) });
        }
        flights
    }

    #[test]
    fn one_loads_and_all_get_it_once() {
        let mut flights = flights();
        assert_eq!(flights.settle(7, 2), None, "a follower settles nothing");
        assert_eq!(flights.settle(7, 1), Some(vec![2, 3]));
        assert_eq!(flights.settle(7, 1), None);
        assert_eq!(flights.join(7, 4, Instant(20)), Role::Lead, "nothing is remembered");
    }

    #[test]
    fn the_first_follower_takes_over_from_a_leader_that_leaves() {
        let mut flights = flights();
        assert_eq!(flights.leave(7, 1, Instant(20)), Left::TakenOver(2));
        assert_eq!(flights.settle(7, 1), None, "the old leader's load is its own");
        assert_eq!(flights.leave(7, 3, Instant(20)), Left::Quietly);
        assert_eq!(flights.settle(7, 2), Some(vec![]));
    }

    #[test]
    fn a_leader_that_vanished_is_replaced_by_the_first_who_asks_after_its_time() {
        let mut flights = flights();
        assert!(flights.renew(7, 1, Instant(500)));
        assert_eq!(flights.join(7, 3, Instant(1_499)), Role::Follow { leader: 1, until: Instant(1_500) });
        assert_eq!(flights.join(7, 3, Instant(1_500)), Role::Lead);
        assert_eq!(flights.join(7, 2, Instant(1_500)), Role::Follow { leader: 3, until: Instant(2_500) });
        assert!(!flights.renew(7, 1, Instant(1_501)));
        assert_eq!(flights.settle(7, 3), Some(vec![2]));
    }

    #[test]
    fn without_take_over_everyone_fails_with_the_leader() {
        let mut flights = Flights::new(FlightConfig { is_taken_over: false, ..CONFIG });
        for caller in 1..=3 {
            flights.join(7, caller, Instant(0));
        }
        assert_eq!(flights.leave(7, 1, Instant(1)), Left::Abandoned(vec![2, 3]));
        assert!(flights.is_empty());
    }

    #[test]
    fn beyond_the_bounds_everyone_loads_alone() {
        let mut flights = flights();
        assert_eq!(flights.join(7, 4, Instant(20)), Role::Alone);
        assert_eq!(flights.join(7, 2, Instant(20)), Role::Follow { leader: 1, until: Instant(1_000) });
        assert_eq!(flights.join(8, 5, Instant(20)), Role::Lead);
        assert_eq!(flights.join(9, 6, Instant(20)), Role::Alone);
        assert_eq!(flights.join(9, 6, Instant(1_000)), Role::Lead, "a dead flight makes room");
        assert_eq!(flights.len(), 2);
    }

    #[test]
    fn what_is_forgotten_is_loaded_anew() {
        let mut flights = flights();
        assert_eq!(flights.forget(7), [2, 3]);
        assert_eq!(flights.join(7, 2, Instant(20)), Role::Lead);
        assert_eq!(flights.settle(7, 1), None);
    }

    #[test]
    fn a_follower_of_a_polling_host_asks_after_a_quarter_of_the_time_so_far() {
        let mut flights = Flights::new(FlightConfig { is_polling: true, followers_max: 9, ..CONFIG });
        flights.join(7, 1, Instant(0));
        let mut until = |at| match flights.join(7, 2, Instant(at)) {
            Role::Follow { until, .. } => until.since(Instant(at)),
            _ => 0,
        };
        assert_eq!([0, 40, 400, 700, 950, 1_000].map(&mut until), [4, 10, 100, 100, 50, 0]);
    }
}
