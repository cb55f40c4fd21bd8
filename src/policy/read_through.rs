//! Reading through a cache: what to do for somebody who wants a key, and what a load that ended means for everybody.
//!
//! Joins its two parts, [`Cache`] (what is known) and [`Flights`] (who loads). A fresh entry is served. A stale one is
//! served as well, and one load, whoever asked first, runs in the background; it belongs to no caller, so the host must
//! keep it alive (`waitUntil`). Anything else waits for one load. If that fails and the entry may still serve, it does.

use super::cache::{Cache, CacheConfig, Found};
use super::single_flight::{FlightConfig, Flights, Left, Role};
use crate::clock::{Instant, Millis};

/// What to do for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Serve the value, which is fresh.
    Serve,
    /// Serve the value, which is stale.
    ServeStale,
    /// Serve the value, which is stale, and load it anew in the background, as this caller.
    ServeStaleAndLoad,
    /// Load it.
    Load,
    /// Wait for the load of another; ask again at the time given, should nothing be heard until then.
    Wait {
        /// When that load counts as lost.
        until: Instant,
    },
}

/// What a load that ended means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing<K> {
    /// Who waits for it, besides the one who loaded.
    pub followers: Vec<u32>,
    /// Whether all of them are served the old value, because the load failed and the value may still serve.
    pub is_served_stale: bool,
    /// Keys whose values must go.
    pub evicted: Vec<K>,
}

/// A cache and the loads that fill it.
#[derive(Clone, Debug)]
pub struct ReadThrough<K> {
    cache: Cache<K>,
    flights: Flights<K>,
    /// Whether loads of a key are shared.
    is_shared: bool,
}

impl<K: Ord + Clone> ReadThrough<K> {
    /// An empty cache and no load. Without `is_shared`, everyone loads alone.
    #[must_use]
    pub const fn new(cache: CacheConfig, flights: FlightConfig, is_shared: bool) -> Self {
        Self { cache: Cache::new(cache), flights: Flights::new(flights), is_shared }
    }

    /// What to do for a caller who wants a key. One who waits asks again the same way, and may be told to load, because
    /// the leader is gone; one who was told to load does not ask again.
    pub fn decide(&mut self, key: &K, caller: u32, now: Instant) -> Access {
        match self.cache.look_up(key, now) {
            Found::Fresh => Access::Serve,
            Found::Stale => match self.join(key, caller, now) {
                Role::Lead => Access::ServeStaleAndLoad,
                // Nobody waits for what is served already; and beyond the bounds, an old value will do.
                Role::Follow { .. } => {
                    self.flights.leave(key, caller, now);
                    Access::ServeStale
                }
                Role::Alone if self.is_shared => Access::ServeStale,
                Role::Alone => Access::ServeStaleAndLoad,
            },
            Found::IfError | Found::Missing => match self.join(key, caller, now) {
                Role::Lead | Role::Alone => Access::Load,
                Role::Follow { until, .. } => Access::Wait { until },
            },
        }
    }

    /// A load ended well. The value is kept, also when another leads by now: it is as good.
    #[must_use = "followers wait"]
    pub fn loaded(&mut self, key: &K, caller: u32, size: u64, ttl_ms: Option<Millis>, now: Instant) -> Landing<K> {
        let evicted = self.cache.insert(key.clone(), size, ttl_ms, now);
        Landing { followers: self.settle(key, caller), is_served_stale: false, evicted }
    }

    /// A load failed. Nothing is remembered of it: the next who asks loads again.
    #[must_use = "followers wait"]
    pub fn failed(&mut self, key: &K, caller: u32, now: Instant) -> Landing<K> {
        let is_served_stale = self.cache.peek(key, now) != Found::Missing;
        Landing { followers: self.settle(key, caller), is_served_stale, evicted: Vec::new() }
    }

    /// A caller is cancelled.
    pub fn leave(&mut self, key: &K, caller: u32, now: Instant) -> Left {
        self.flights.leave(key, caller, now)
    }

    /// What is known.
    #[must_use]
    pub const fn cache(&self) -> &Cache<K> {
        &self.cache
    }

    /// What is known, to be changed by hand.
    pub const fn cache_mut(&mut self) -> &mut Cache<K> {
        &mut self.cache
    }

    /// Who loads, to be changed by hand.
    pub const fn flights_mut(&mut self) -> &mut Flights<K> {
        &mut self.flights
    }

    fn join(&mut self, key: &K, caller: u32, now: Instant) -> Role {
        if self.is_shared { self.flights.join(key, caller, now) } else { Role::Alone }
    }

    fn settle(&mut self, key: &K, caller: u32) -> Vec<u32> {
        self.flights.settle(key, caller).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHE: CacheConfig = CacheConfig {
        entries_max: 10,
        size_max: 10,
        ttl_ms: 100,
        is_sliding: false,
        stale_ms: 200,
        stale_if_error_ms: 1_000,
        is_stale_served_once: false,
    };
    const FLIGHTS: FlightConfig =
        FlightConfig { flights_max: 10, followers_max: 10, lead_ms: 5_000, is_taken_over: true };

    fn loaded() -> ReadThrough<u32> {
        let mut it = ReadThrough::new(CACHE, FLIGHTS, true);
        assert_eq!(it.decide(&7, 1, Instant(0)), Access::Load);
        assert_eq!(it.decide(&7, 2, Instant(5)), Access::Wait { until: Instant(5_000) });
        let landing = it.loaded(&7, 1, 1, None, Instant(10));
        assert_eq!(landing, Landing { followers: vec![2], is_served_stale: false, evicted: vec![] });
        it
    }

    #[test]
    fn stale_is_served_to_all_and_loaded_by_one() {
        let mut it = loaded();
        assert_eq!(it.decide(&7, 3, Instant(110)), Access::Serve);
        assert_eq!(it.decide(&7, 3, Instant(111)), Access::ServeStaleAndLoad);
        assert_eq!(it.decide(&7, 4, Instant(112)), Access::ServeStale);
        assert_eq!(it.loaded(&7, 3, 1, None, Instant(150)).followers, [0; 0]);
        assert_eq!(it.decide(&7, 5, Instant(250)), Access::Serve);
    }

    #[test]
    fn one_who_finds_it_too_stale_waits_for_the_load_in_the_background() {
        let mut it = loaded();
        assert_eq!(it.decide(&7, 3, Instant(310)), Access::ServeStaleAndLoad);
        assert_eq!(it.decide(&7, 4, Instant(311)), Access::Wait { until: Instant(5_310) });
    }

    #[test]
    fn a_failure_serves_what_is_left_and_is_not_remembered() {
        let mut it = loaded();
        assert_eq!(it.decide(&7, 3, Instant(400)), Access::Load);
        assert!(matches!(it.decide(&7, 4, Instant(410)), Access::Wait { .. }));
        let landing = it.failed(&7, 3, Instant(420));
        assert_eq!((landing.followers, landing.is_served_stale), (vec![4], true));
        assert_eq!(it.decide(&7, 5, Instant(1_111)), Access::Load);
        assert!(!it.failed(&7, 5, Instant(1_112)).is_served_stale, "too old even for that");
    }

    #[test]
    fn unshared_everyone_loads() {
        let mut it = ReadThrough::new(CACHE, FLIGHTS, false);
        assert_eq!(it.decide(&7, 1, Instant(0)), Access::Load);
        assert_eq!(it.decide(&7, 2, Instant(0)), Access::Load);
    }

    #[test]
    fn one_who_takes_over_settles_for_the_others() {
        let mut it = ReadThrough::new(CACHE, FLIGHTS, true);
        for caller in 1..=3 {
            it.decide(&7, caller, Instant(0));
        }
        assert_eq!(it.leave(&7, 1, Instant(5)), Left::TakenOver(2));
        assert_eq!(it.loaded(&7, 1, 1, None, Instant(6)).followers, [0; 0], "late, and its own");
        assert_eq!(it.loaded(&7, 2, 1, None, Instant(9)).followers, [3]);
    }
}
