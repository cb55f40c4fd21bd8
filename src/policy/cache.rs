//! What may be answered from memory, and for how long. The values stay with the host; this keeps what is known of them.
//!
//! Keys stay with the host as well: it gives each a number, a *slot*, from the smallest that are free, and may give the
//! slot to another key once its value is gone. So every question is an index into a row.
//!
//! Bounded by entries and by their sizes: the least recently used go first. An entry is *fresh* while its age is at most
//! its time to live (the boundary included, as in lru-cache), *stale* for another `stale_ms` (serve it and load anew,
//! RFC 5861), and for `stale_if_error_ms` beyond its life it may still answer when loading fails. Then it is gone.
//!
//! With 100 ms to live and 200 ms stale: fresh at an age of 100, stale at 101 and at 300, gone at 301.

mod recency;

use crate::clock::{Instant, Millis};
use recency::Recency;

/// How much, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Entries at most; 0 keeps nothing.
    pub entries_max: u32,
    /// Sum of the sizes at most, in whatever unit the host counts.
    pub size_max: u64,
    /// How long an entry is fresh, in milliseconds, if it does not say; [`Millis::MAX`] for always.
    pub ttl_ms: Millis,
    /// Whether a fresh hit begins an entry's life anew.
    pub is_sliding: bool,
    /// How long beyond its life an entry may be served while a load runs, in milliseconds, if it does not say.
    pub stale_ms: Millis,
    /// How long beyond its life an entry may be served when a load failed, in milliseconds.
    pub stale_if_error_ms: Millis,
    /// Whether a stale entry is dropped once it was served, so that it is served once.
    pub is_stale_served_once: bool,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Serve it.
    Fresh,
    /// Serve it, and load it anew.
    Stale,
    /// Load it; should that fail, serve this.
    IfError,
    /// Nothing. A value that the host still has under the key must go.
    Missing,
}

/// How long one entry lives, where it differs from the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// How long it is fresh, in milliseconds.
    pub ttl_ms: Option<Millis>,
    /// How long beyond that it may be served while a load runs, in milliseconds.
    pub stale_ms: Option<Millis>,
}

#[derive(Clone, Debug)]
struct Entry {
    size: u64,
    ttl_ms: Millis,
    stale_ms: Millis,
    stored_at: Instant,
}

/// Hits and misses since the cache was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheTally {
    /// Looks that found something fresh.
    pub fresh: u64,
    /// Looks that found something stale.
    pub stale: u64,
    /// Looks that found nothing to serve.
    pub misses: u64,
    /// Entries that made room for others.
    pub evicted: u64,
}

/// The entries of one cache, by slot.
#[derive(Clone, Debug)]
pub struct Cache {
    config: CacheConfig,
    entries: Vec<Option<Entry>>,
    recency: Recency,
    count: u32,
    size: u64,
    tally: CacheTally,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub const fn new(config: CacheConfig) -> Self {
        Self {
            config,
            entries: Vec::new(),
            recency: Recency::new(),
            count: 0,
            size: 0,
            tally: CacheTally { fresh: 0, stale: 0, misses: 0, evicted: 0 },
        }
    }

    /// Looks a slot up in order to use it: it becomes the most recently used. An entry past all its times is dropped.
    pub fn look_up(&mut self, slot: u32, now: Instant) -> Found {
        let found = self.peek(slot, now);
        match found {
            Found::Fresh => self.tally.fresh += 1,
            Found::Stale => self.tally.stale += 1,
            Found::IfError | Found::Missing => self.tally.misses += 1,
        }
        if found == Found::Missing || found == Found::Stale && self.config.is_stale_served_once {
            self.remove(slot);
            return found;
        }
        self.recency.touch(slot);
        if found == Found::Fresh
            && self.config.is_sliding
            && let Some(entry) = self.entry_mut(slot)
        {
            entry.stored_at = entry.stored_at.max(now);
        }
        found
    }

    /// Looks without using: changes nothing.
    #[must_use]
    pub fn peek(&self, slot: u32, now: Instant) -> Found {
        let Some(Some(entry)) = self.entries.get(slot as usize) else { return Found::Missing };
        let age_ms = now.since(entry.stored_at);
        let within = |beyond_ms: Millis| age_ms <= entry.ttl_ms.saturating_add(beyond_ms);
        if within(0) {
            Found::Fresh
        } else if within(entry.stale_ms) && entry.stale_ms > 0 {
            Found::Stale
        } else if within(self.config.stale_if_error_ms) && self.config.stale_if_error_ms > 0 {
            Found::IfError
        } else {
            Found::Missing
        }
    }

    /// Remembers that the host has a value under a slot, from `now` on, as the most recently used.
    ///
    /// Returns the slots whose values must go to make room, oldest first: `slot` itself, when it is larger than the
    /// whole cache. An older entry of the same slot is replaced, or dropped with it.
    #[must_use = "the values of these slots must go"]
    #[inline(never)]
    pub fn insert(&mut self, slot: u32, size: u64, life: Life, now: Instant) -> Vec<u32> {
        self.remove(slot);
        if self.config.entries_max == 0 || size > self.config.size_max {
            return vec![slot];
        }
        let evicted = self.evict_down_to(self.config.entries_max - 1, self.config.size_max - size);
        if self.entries.len() <= slot as usize {
            self.entries.resize(slot as usize + 1, None);
        }
        let ttl_ms = life.ttl_ms.unwrap_or(self.config.ttl_ms);
        let stale_ms = life.stale_ms.unwrap_or(self.config.stale_ms);
        if let Some(place) = self.entries.get_mut(slot as usize) {
            *place = Some(Entry { size, ttl_ms, stale_ms, stored_at: now });
        }
        self.recency.add(slot);
        self.count += 1;
        self.size += size;
        evicted
    }

    /// Forgets a slot; false when nothing was known of it.
    #[inline(never)]
    pub fn remove(&mut self, slot: u32) -> bool {
        let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::take) else { return false };
        self.size -= entry.size;
        self.count -= 1;
        self.recency.remove(slot);
        true
    }

    /// Forgets every slot for which `is_kept` says false, and returns them: a write to a table drops what was read there.
    #[must_use = "the values of these slots must go"]
    pub fn retain(&mut self, mut is_kept: impl FnMut(u32) -> bool) -> Vec<u32> {
        let mut dropped = Vec::new();
        for slot in 0..self.entries.len() as u32 {
            if self.entry_mut(slot).is_some() && !is_kept(slot) {
                self.remove(slot);
                dropped.push(slot);
            }
        }
        dropped
    }

    /// Takes other settings. Smaller bounds evict at once; returns those slots, oldest first.
    #[must_use = "the values of these slots must go"]
    pub fn reconfigure(&mut self, config: CacheConfig) -> Vec<u32> {
        self.config = config;
        self.evict_down_to(config.entries_max, config.size_max)
    }

    /// Entries, stale ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sum of the sizes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Hits and misses.
    #[must_use]
    pub const fn tally(&self) -> CacheTally {
        self.tally
    }

    #[inline(never)]
    fn evict_down_to(&mut self, entries_max: u32, size_max: u64) -> Vec<u32> {
        let mut evicted = Vec::new();
        while self.count > entries_max || self.size > size_max {
            let Some(slot) = self.recency.oldest() else { break };
            self.remove(slot);
            self.tally.evicted += 1;
            evicted.push(slot);
        }
        evicted
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: CacheConfig = CacheConfig {
        entries_max: 3,
        size_max: 10,
        ttl_ms: 100,
        is_sliding: false,
        stale_ms: 0,
        stale_if_error_ms: 0,
        is_stale_served_once: false,
    };

    const A: u32 = 0;
    const B: u32 = 1;
    const C: u32 = 2;
    const D: u32 = 3;
    const E: u32 = 4;
    const F: u32 = 5;
    const ANY: Life = Life { ttl_ms: None, stale_ms: None };

    fn filled(config: CacheConfig) -> Cache {
        let mut cache = Cache::new(config);
        for (at, key) in [A, B, C].into_iter().enumerate() {
            assert_eq!(cache.insert(key, 1, ANY, Instant(at as u64)), [0; 0]);
        }
        cache
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.look_up(A, Instant(3)), Found::Fresh);
        assert_eq!(cache.peek(B, Instant(3)), Found::Fresh);
        assert_eq!(cache.insert(D, 1, ANY, Instant(4)), [B], "a was used, b only looked at");
        assert_eq!(cache.insert(C, 1, ANY, Instant(5)), [0; 0], "overwriting makes no room and is a use");
        assert_eq!(cache.insert(E, 1, ANY, Instant(6)), [A]);
        assert_eq!(cache.insert(F, 9, ANY, Instant(7)), [D, C]);
        assert_eq!((cache.len(), cache.size(), cache.tally().evicted), (2, 10, 4));
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept_and_nor_is_what_it_replaces() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.insert(A, 11, ANY, Instant(1)), [A]);
        assert_eq!((cache.len(), cache.peek(A, Instant(1))), (2, Found::Missing));
        let mut off = Cache::new(CacheConfig { entries_max: 0, ..CONFIG });
        assert_eq!(off.insert(A, 1, ANY, Instant(1)), [A]);
    }

    #[test]
    fn an_entry_lives_until_its_time_included() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.look_up(A, Instant(100)), Found::Fresh);
        assert_eq!(cache.look_up(A, Instant(101)), Found::Missing);
        assert_eq!(cache.len(), 2, "the dead one is gone");
        assert_eq!(cache.insert(A, 1, Life { ttl_ms: Some(1_000), ..ANY }, Instant(101)), [0; 0]);
        assert_eq!(cache.look_up(A, Instant(1_101)), Found::Fresh);
        assert_eq!(cache.look_up(A, Instant(5)), Found::Fresh, "the clock stepped back");
    }

    #[test]
    fn a_sliding_life_begins_anew_with_each_fresh_hit() {
        let mut cache = filled(CacheConfig { is_sliding: true, ..CONFIG });
        for at in [90, 190, 290] {
            assert_eq!(cache.look_up(A, Instant(at)), Found::Fresh);
        }
        assert_eq!(cache.peek(A, Instant(390)), Found::Fresh);
        assert_eq!(cache.peek(A, Instant(391)), Found::Missing);
    }

    #[test]
    fn stale_and_last_resort_have_times_of_their_own() {
        let mut cache = filled(CacheConfig { stale_ms: 200, stale_if_error_ms: 1_000, is_sliding: true, ..CONFIG });
        let found: Vec<Found> =
            [100, 101, 300, 301, 1_100, 1_101].map(|at| cache.peek(A, Instant(at))).into_iter().collect();
        use Found::{Fresh, IfError, Missing, Stale};
        assert_eq!(found, [Fresh, Stale, Stale, IfError, IfError, Missing]);
        assert_eq!(cache.look_up(A, Instant(300)), Stale);
        assert_eq!(cache.peek(A, Instant(301)), IfError, "a stale hit does not slide");
    }

    #[test]
    fn a_stale_entry_can_be_served_just_once() {
        let mut cache = filled(CacheConfig { stale_ms: Millis::MAX, is_stale_served_once: true, ..CONFIG });
        assert_eq!(cache.look_up(A, Instant(5_000)), Found::Stale);
        assert_eq!(cache.look_up(A, Instant(5_000)), Found::Missing);
    }

    #[test]
    fn what_is_forgotten_by_hand_makes_room() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.retain(|key| key != B), [B]);
        assert!(!cache.remove(B));
        assert_eq!(cache.insert(D, 1, ANY, Instant(4)), [0; 0]);
        assert_eq!(cache.reconfigure(CacheConfig { entries_max: 1, ..CONFIG }), [A, C]);
        assert_eq!(cache.look_up(D, Instant(4)), Found::Fresh);
    }

    #[test]
    fn an_entry_may_be_stale_for_a_time_of_its_own() {
        let mut cache = Cache::new(CacheConfig { stale_ms: 50, ..CONFIG });
        assert_eq!(cache.insert(A, 1, Life { stale_ms: Some(0), ..ANY }, Instant(0)), [0; 0]);
        assert_eq!(cache.insert(B, 1, Life { stale_ms: Some(400), ..ANY }, Instant(0)), [0; 0]);
        assert_eq!((cache.peek(A, Instant(101)), cache.peek(B, Instant(500))), (Found::Missing, Found::Stale));
    }
}
