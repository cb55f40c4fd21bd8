//! Reading through a cache: what to do for somebody who wants a key, and what a load that ended means for everybody.
//!
//! Joins three parts: [`Cache`] (what is known), [`Flights`] (who loads) and [`Changes`] (what own writes made old). A fresh
//! entry is served. A stale one is served as well, and one load, whoever asked first, runs in the background; it belongs
//! to no caller, so the host must keep it alive (`waitUntil`). Anything else waits for one load. If that fails and the
//! entry may still serve, it does.
//!
//! A write drops what was read from its tables when it ends, and makes loads under way count for those who wait already
//! and for nobody else: who asks after a write must see it.

use super::cache::{Cache, CacheConfig, Found, Life};
use super::changes::{Changes, Epoch, Tables, Written};
use super::single_flight::{FlightConfig, Flights, Left, Role};
use crate::clock::{Instant, Millis};

/// Settings of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadConfig {
    /// What is kept.
    pub cache: CacheConfig,
    /// Who loads.
    pub flights: FlightConfig,
    /// Whether loads of a key are shared.
    pub is_shared: bool,
    /// A write that is not heard of for so long counts as ended, in milliseconds.
    pub write_ms: Millis,
}

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
        /// When that load counts as lost, or when a polling host looks again.
        until: Instant,
    },
}

/// A load that ended: whose, and what it knew when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// What was loaded.
    pub slot: u32,
    /// Who loaded.
    pub caller: u32,
    /// [`ReadThrough::epoch`] when it began.
    pub since: Epoch,
}

/// What a load that ended means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Who waits for it, besides the one who loaded.
    pub followers: Vec<u32>,
    /// Whether all of them are served the old value, because the load failed and the value may still serve.
    pub is_served_stale: bool,
    /// Whether the loaded value is kept.
    pub is_kept: bool,
    /// Slots whose values must go: the loaded one itself, when there is nothing under it any more.
    pub evicted: Vec<u32>,
}

/// A cache and the loads that fill it.
#[derive(Clone, Debug)]
pub struct ReadThrough {
    cache: Cache,
    flights: Flights,
    changes: Changes,
    is_shared: bool,
    /// By slot: the tables that its value is read from.
    tables: Vec<Tables>,
}

impl ReadThrough {
    /// An empty cache and no load.
    #[must_use]
    pub const fn new(config: ReadConfig) -> Self {
        Self {
            cache: Cache::new(config.cache),
            flights: Flights::new(config.flights),
            changes: Changes::new(config.write_ms),
            is_shared: config.is_shared,
            tables: Vec::new(),
        }
    }

    /// The host gives a free slot to a key, whose value is read from these tables.
    pub fn assign(&mut self, slot: u32, tables: Tables) {
        self.forget(slot);
        if self.tables.len() <= slot as usize {
            self.tables.resize(slot as usize + 1, 0);
        }
        if let Some(place) = self.tables.get_mut(slot as usize) {
            *place = tables;
        }
    }

    /// What to do for a caller who wants a key.
    pub fn decide(&mut self, slot: u32, caller: u32, now: Instant) -> Access {
        match self.cache.look_up(slot, now) {
            Found::Fresh => Access::Serve,
            Found::Stale => match self.join(slot, caller, now) {
                Role::Lead => Access::ServeStaleAndLoad,
                // Nobody waits for what is served already; and beyond the bounds, an old value will do.
                Role::Follow { .. } => {
                    self.flights.leave(slot, caller, now);
                    Access::ServeStale
                }
                Role::Alone if self.is_shared => Access::ServeStale,
                Role::Alone => Access::ServeStaleAndLoad,
            },
            Found::IfError | Found::Missing => self.load_or_wait(slot, caller, now),
        }
    }

    /// What to do for one who was told to wait and has heard nothing: serve, wait on, or load, because the leader is gone.
    pub fn decide_again(&mut self, slot: u32, caller: u32, now: Instant) -> Access {
        match self.cache.peek(slot, now) {
            Found::Fresh => {
                self.flights.leave(slot, caller, now);
                Access::Serve
            }
            Found::Stale | Found::IfError | Found::Missing => self.load_or_wait(slot, caller, now),
        }
    }

    /// What a load that begins must know when it ends.
    pub const fn epoch(&self) -> Epoch {
        self.changes.epoch()
    }

    /// A load ended well. The value is kept, unless one of its tables has changed since, or somebody who took over was
    /// quicker: what began earlier may be older.
    #[must_use = "followers wait"]
    pub fn loaded(&mut self, load: Load, size: u64, life: Life, now: Instant) -> Landing {
        let Load { slot, caller, since } = load;
        let followers = self.flights.settle(slot, caller);
        let is_late = self.is_shared && followers.is_none() && self.cache.peek(slot, now) == Found::Fresh;
        let evicted = if is_late {
            Vec::new()
        } else if self.changes.allows(self.tables_of(slot), since) {
            self.cache.insert(slot, size, life, now)
        } else {
            self.cache.remove(slot);
            vec![slot]
        };
        let is_kept = !is_late && !evicted.contains(&slot);
        Landing { followers: followers.unwrap_or_default(), is_served_stale: false, is_kept, evicted }
    }

    /// A load failed. Nothing is remembered of it: the next who asks loads again. `is_down` says that it was the
    /// database that did not do its part; only then an old value serves.
    #[must_use = "followers wait"]
    pub fn failed(&mut self, slot: u32, caller: u32, is_down: bool, now: Instant) -> Landing {
        let is_missing = self.cache.peek(slot, now) == Found::Missing;
        let followers = self.flights.settle(slot, caller).unwrap_or_default();
        let evicted = if is_missing { vec![slot] } else { Vec::new() };
        Landing { followers, is_served_stale: is_down && !is_missing, is_kept: false, evicted }
    }

    /// A caller is cancelled.
    pub fn leave(&mut self, slot: u32, caller: u32, now: Instant) -> Left {
        self.flights.leave(slot, caller, now)
    }

    /// A leader lives; false when another leads.
    pub fn renew(&mut self, slot: u32, caller: u32, now: Instant) -> bool {
        self.flights.renew(slot, caller, now)
    }

    /// A write to these tables begins; its number is for [`ReadThrough::end_write`]. What is kept may be served until it
    /// ends, and nothing of these tables is added.
    pub fn begin_write(&mut self, tables: Tables, now: Instant) -> u32 {
        self.changes.begin(tables, now)
    }

    /// A write ended. Returns the slots whose values must go.
    #[must_use = "the values of these slots must go"]
    pub fn end_write(&mut self, id: u32, tables: Tables, written: Written) -> Vec<u32> {
        let tables = self.changes.end(id, tables, written);
        self.drop_tables(tables)
    }

    /// Ends the writes that are not heard of any more. Returns the slots whose values must go.
    #[must_use = "the values of these slots must go"]
    pub fn lapse(&mut self, now: Instant) -> Vec<u32> {
        let tables = self.changes.lapsed(now);
        self.drop_tables(tables)
    }

    /// Drops what was read from these tables, and what is being read. Returns the slots whose values must go.
    #[must_use = "the values of these slots must go"]
    pub fn invalidate(&mut self, tables: Tables) -> Vec<u32> {
        self.changes.mark(tables);
        self.drop_tables(tables)
    }

    /// What is known.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What is known, to be changed by hand.
    pub const fn cache_mut(&mut self) -> &mut Cache {
        &mut self.cache
    }

    /// Who loads, to be changed by hand.
    pub const fn flights_mut(&mut self) -> &mut Flights {
        &mut self.flights
    }

    #[inline(never)]
    fn load_or_wait(&mut self, slot: u32, caller: u32, now: Instant) -> Access {
        match self.join(slot, caller, now) {
            Role::Lead | Role::Alone => Access::Load,
            Role::Follow { until, .. } => Access::Wait { until },
        }
    }

    #[inline(never)]
    fn join(&mut self, slot: u32, caller: u32, now: Instant) -> Role {
        if self.is_shared { self.flights.join(slot, caller, now) } else { Role::Alone }
    }

    #[inline(never)]
    fn forget(&mut self, slot: u32) {
        self.cache.remove(slot);
        self.flights.forget(slot);
    }

    fn tables_of(&self, slot: u32) -> Tables {
        self.tables.get(slot as usize).copied().unwrap_or(0)
    }

    #[inline(never)]
    fn drop_tables(&mut self, changed: Tables) -> Vec<u32> {
        if changed == 0 {
            return Vec::new();
        }
        let Self { cache, flights, tables, .. } = self;
        let is_kept = |slot: u32| tables.get(slot as usize).is_none_or(|tables| tables & changed == 0);
        flights.retain(is_kept);
        cache.retain(is_kept)
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
        FlightConfig { flights_max: 10, followers_max: 10, lead_ms: 5_000, is_taken_over: true, is_polling: false };
    const CONFIG: ReadConfig = ReadConfig { cache: CACHE, flights: FLIGHTS, is_shared: true, write_ms: 1_000 };
    const ANY: Life = Life { ttl_ms: None, stale_ms: None };
    const USERS: Tables = 1;
    const ORDERS: Tables = 2;

    const fn load(caller: u32) -> Load {
        Load { slot: 7, caller, since: 0 }
    }

    fn loaded() -> ReadThrough {
        let mut it = ReadThrough::new(CONFIG);
        assert_eq!(it.decide(7, 1, Instant(0)), Access::Load);
        assert_eq!(it.decide(7, 2, Instant(5)), Access::Wait { until: Instant(5_000) });
        let landing = it.loaded(load(1), 1, ANY, Instant(10));
        assert_eq!(landing, Landing { followers: vec![2], is_served_stale: false, is_kept: true, evicted: vec![] });
        it
    }

    #[test]
    fn stale_is_served_to_all_and_loaded_by_one() {
        let mut it = loaded();
        assert_eq!(it.decide(7, 3, Instant(110)), Access::Serve);
        assert_eq!(it.decide(7, 3, Instant(111)), Access::ServeStaleAndLoad);
        assert_eq!(it.decide(7, 4, Instant(112)), Access::ServeStale);
        assert_eq!(it.loaded(load(3), 1, ANY, Instant(150)).followers, [0; 0]);
        assert_eq!(it.decide(7, 5, Instant(250)), Access::Serve);
    }

    #[test]
    fn one_who_finds_it_too_stale_waits_for_the_load_in_the_background() {
        let mut it = loaded();
        assert_eq!(it.decide(7, 3, Instant(310)), Access::ServeStaleAndLoad);
        assert_eq!(it.decide(7, 4, Instant(311)), Access::Wait { until: Instant(5_310) });
    }

    #[test]
    fn a_failure_serves_what_is_left_and_is_not_remembered() {
        let mut it = loaded();
        assert_eq!(it.decide(7, 3, Instant(400)), Access::Load);
        assert!(matches!(it.decide(7, 4, Instant(410)), Access::Wait { .. }));
        let landing = it.failed(7, 3, true, Instant(420));
        assert_eq!((landing.followers, landing.is_served_stale), (vec![4], true));
        assert_eq!(it.decide(7, 5, Instant(1_111)), Access::Load);
        assert!(!it.failed(7, 5, true, Instant(1_112)).is_served_stale, "too old even for that");
    }

    #[test]
    fn unshared_everyone_loads() {
        let mut it = ReadThrough::new(ReadConfig { is_shared: false, ..CONFIG });
        assert_eq!(it.decide(7, 1, Instant(0)), Access::Load);
        assert_eq!(it.decide(7, 2, Instant(0)), Access::Load);
    }

    #[test]
    fn one_who_takes_over_settles_for_the_others() {
        let mut it = ReadThrough::new(CONFIG);
        for caller in 1..=3 {
            it.decide(7, caller, Instant(0));
        }
        assert_eq!(it.leave(7, 1, Instant(5)), Left::TakenOver(2));
        assert_eq!(it.loaded(load(1), 1, ANY, Instant(6)).followers, [0; 0], "late, and its own");
        assert_eq!(it.loaded(load(2), 1, ANY, Instant(9)).followers, [3]);
    }

    #[test]
    fn only_a_database_that_is_down_serves_what_is_old() {
        let mut it = loaded();
        assert_eq!(it.decide(7, 3, Instant(400)), Access::Load);
        assert!(!it.failed(7, 3, false, Instant(420)).is_served_stale, "the statement itself was wrong");
        assert_eq!(it.decide(7, 4, Instant(430)), Access::Load);
        assert_eq!(it.decide(7, 5, Instant(430)), Access::Wait { until: Instant(5_430) });
        let landing = it.failed(7, 4, true, Instant(440));
        assert_eq!((landing.is_served_stale, landing.followers), (true, vec![5]));
        assert_eq!(it.failed(7, 6, true, Instant(2_000)).evicted, [7], "and nothing that is too old is left");
    }

    #[test]
    fn who_asks_after_a_write_does_not_get_a_load_that_began_before_it_ended() {
        let mut it = ReadThrough::new(CONFIG);
        it.assign(7, USERS);
        let since = it.epoch();
        assert_eq!(it.decide(7, 1, Instant(0)), Access::Load);
        assert!(matches!(it.decide(7, 2, Instant(1)), Access::Wait { .. }));
        let write = it.begin_write(USERS, Instant(2));
        assert_eq!(it.end_write(write, USERS, Written::Something), [0; 0]);
        assert_eq!(it.decide(7, 3, Instant(4)), Access::Load);
        let landing = it.loaded(Load { since, ..load(1) }, 1, ANY, Instant(5));
        assert_eq!((landing.followers, landing.evicted), (vec![], vec![7]), "2 sees that its leader lost the lead");
        assert!(matches!(it.decide_again(7, 2, Instant(6)), Access::Wait { .. }));
        let landing = it.loaded(Load { since: it.epoch(), ..load(3) }, 1, ANY, Instant(7));
        assert_eq!((landing.followers, landing.evicted), (vec![2], vec![]));
        assert_eq!(it.decide(7, 4, Instant(8)), Access::Serve);
    }

    #[test]
    fn a_write_drops_what_was_read_from_its_tables_and_nothing_else() {
        let mut it = ReadThrough::new(CONFIG);
        for (slot, tables) in [(0, USERS), (1, ORDERS), (2, USERS | ORDERS)] {
            it.assign(slot, tables);
            it.decide(slot, 1, Instant(0));
            assert_eq!(it.loaded(Load { slot, ..load(1) }, 1, ANY, Instant(1)).evicted, [0; 0]);
        }
        let refused = it.begin_write(USERS, Instant(2));
        assert_eq!(it.end_write(refused, USERS, Written::Nothing), [0; 0]);
        let write = it.begin_write(USERS, Instant(2));
        assert_eq!(it.decide(0, 2, Instant(3)), Access::Serve, "nobody was told yet that it is written");
        assert_eq!(it.end_write(write, USERS, Written::Something), [0, 2]);
        assert_eq!(it.decide(1, 2, Instant(3)), Access::Serve);
        assert_eq!(it.invalidate(ORDERS), [1]);
    }

    #[test]
    fn a_load_that_was_overtaken_by_its_heir_does_not_replace_what_is_newer() {
        let mut it = ReadThrough::new(CONFIG);
        assert_eq!(it.decide(7, 1, Instant(0)), Access::Load);
        assert_eq!(it.decide(7, 2, Instant(5_000)), Access::Load, "1 was not heard of");
        assert_eq!(it.loaded(load(2), 1, ANY, Instant(5_010)).evicted, [0; 0]);
        let landing = it.loaded(load(1), 5, ANY, Instant(5_020));
        assert_eq!((landing.is_kept, landing.evicted), (false, vec![]));
        assert_eq!(it.cache().size(), 1);
    }
}
