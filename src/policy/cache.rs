//! What may be answered from memory, and for how long. The values stay with the host; this keeps what is known of them.
//!
//! Bounded by entries and by their sizes: the least recently used go first. An entry is *fresh* while its age is at most
//! its time to live (the boundary included, as in lru-cache), *stale* for another `stale_ms` (serve it and load anew,
//! RFC 5861), and for `stale_if_error_ms` beyond its life it may still answer when loading fails. Then it is gone.
//!
//! With 100 ms to live and 200 ms stale: fresh at an age of 100, stale at 101 and at 300, gone at 301.

mod recency;

use std::collections::BTreeMap;

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
    /// How long beyond its life an entry may be served while a load runs, in milliseconds.
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

#[derive(Clone, Debug)]
struct Entry<K> {
    key: K,
    size: u64,
    ttl_ms: Millis,
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

/// The entries of one cache, by key.
#[derive(Clone, Debug)]
pub struct Cache<K> {
    config: CacheConfig,
    slots: BTreeMap<K, u32>,
    entries: Vec<Option<Entry<K>>>,
    vacant: Vec<u32>,
    recency: Recency,
    size: u64,
    tally: CacheTally,
}

impl<K: Ord + Clone> Cache<K> {
    /// An empty cache.
    #[must_use]
    pub const fn new(config: CacheConfig) -> Self {
        Self {
            config,
            slots: BTreeMap::new(),
            entries: Vec::new(),
            vacant: Vec::new(),
            recency: Recency::new(),
            size: 0,
            tally: CacheTally { fresh: 0, stale: 0, misses: 0, evicted: 0 },
        }
    }

    /// Looks a key up in order to use it: it becomes the most recently used. An entry past all its times is dropped.
    pub fn look_up(&mut self, key: &K, now: Instant) -> Found {
        let found = self.peek(key, now);
        match found {
            Found::Fresh => self.tally.fresh += 1,
            Found::Stale => self.tally.stale += 1,
            Found::IfError | Found::Missing => self.tally.misses += 1,
        }
        let Some(&slot) = self.slots.get(key) else { return found };
        if found == Found::Missing || found == Found::Stale && self.config.is_stale_served_once {
            self.remove(key);
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
    pub fn peek(&self, key: &K, now: Instant) -> Found {
        let entry = self.slots.get(key).and_then(|&slot| self.entries.get(slot as usize)?.as_ref());
        let Some(entry) = entry else { return Found::Missing };
        let age_ms = now.since(entry.stored_at);
        let within = |beyond_ms: Millis| age_ms <= entry.ttl_ms.saturating_add(beyond_ms);
        if within(0) {
            Found::Fresh
        } else if within(self.config.stale_ms) && self.config.stale_ms > 0 {
            Found::Stale
        } else if within(self.config.stale_if_error_ms) && self.config.stale_if_error_ms > 0 {
            Found::IfError
        } else {
            Found::Missing
        }
    }

    /// Remembers that the host has a value for a key, from `now` on, as the most recently used.
    ///
    /// `ttl_ms` overrides the configured one. Returns the keys whose values must go to make room, oldest first: `key`
    /// itself, when it is larger than the whole cache. An older entry of the same key is replaced, or dropped with it.
    #[must_use = "the values of these keys must go"]
    pub fn insert(&mut self, key: K, size: u64, ttl_ms: Option<Millis>, now: Instant) -> Vec<K> {
        self.remove(&key);
        if self.config.entries_max == 0 || size > self.config.size_max {
            return vec![key];
        }
        let mut evicted = Vec::new();
        while self.slots.len() >= self.config.entries_max as usize || self.config.size_max - size < self.size {
            match self.evict() {
                Some(key) => evicted.push(key),
                None => break,
            }
        }
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() as u32 - 1
        });
        let entry = Entry { key: key.clone(), size, ttl_ms: ttl_ms.unwrap_or(self.config.ttl_ms), stored_at: now };
        if let Some(place) = self.entries.get_mut(slot as usize) {
            *place = Some(entry);
        }
        self.recency.add(slot);
        self.slots.insert(key, slot);
        self.size += size;
        evicted
    }

    /// Forgets a key; false when it was not known.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(slot) = self.slots.remove(key) else { return false };
        if let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::take) {
            self.size -= entry.size;
        }
        self.recency.remove(slot);
        self.vacant.push(slot);
        true
    }

    /// Forgets every key for which `is_kept` says false, and returns them: a write to a table drops what was read there.
    #[must_use = "the values of these keys must go"]
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K) -> bool) -> Vec<K> {
        let dropped: Vec<K> = self.slots.keys().filter(|key| !is_kept(key)).cloned().collect();
        dropped.iter().for_each(|key| {
            self.remove(key);
        });
        dropped
    }

    /// Takes other settings. Smaller bounds evict at once; returns those keys, oldest first.
    #[must_use = "the values of these keys must go"]
    pub fn reconfigure(&mut self, config: CacheConfig) -> Vec<K> {
        self.config = config;
        let mut evicted = Vec::new();
        while self.slots.len() > self.config.entries_max as usize || self.size > self.config.size_max {
            match self.evict() {
                Some(key) => evicted.push(key),
                None => break,
            }
        }
        evicted
    }

    /// Entries, stale ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
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

    fn evict(&mut self) -> Option<K> {
        let slot = self.recency.oldest()?;
        let key = self.entry_mut(slot)?.key.clone();
        self.remove(&key);
        self.tally.evicted += 1;
        Some(key)
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry<K>> {
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

    fn filled(config: CacheConfig) -> Cache<&'static str> {
        let mut cache = Cache::new(config);
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(cache.insert(key, 1, None, Instant(at as u64)), [""; 0]);
        }
        cache
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.look_up(&"a", Instant(3)), Found::Fresh);
        assert_eq!(cache.peek(&"b", Instant(3)), Found::Fresh);
        assert_eq!(cache.insert("d", 1, None, Instant(4)), ["b"], "a was used, b only looked at");
        assert_eq!(cache.insert("c", 1, None, Instant(5)), [""; 0], "overwriting makes no room and is a use");
        assert_eq!(cache.insert("e", 1, None, Instant(6)), ["a"]);
        assert_eq!(cache.insert("f", 9, None, Instant(7)), ["d", "c"]);
        assert_eq!((cache.len(), cache.size(), cache.tally().evicted), (2, 10, 4));
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept_and_nor_is_what_it_replaces() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.insert("a", 11, None, Instant(1)), ["a"]);
        assert_eq!((cache.len(), cache.peek(&"a", Instant(1))), (2, Found::Missing));
        let mut off = Cache::new(CacheConfig { entries_max: 0, ..CONFIG });
        assert_eq!(off.insert("a", 1, None, Instant(1)), ["a"]);
    }

    #[test]
    fn an_entry_lives_until_its_time_included() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.look_up(&"a", Instant(100)), Found::Fresh);
        assert_eq!(cache.look_up(&"a", Instant(101)), Found::Missing);
        assert_eq!(cache.len(), 2, "the dead one is gone");
        assert_eq!(cache.insert("a", 1, Some(1_000), Instant(101)), [""; 0]);
        assert_eq!(cache.look_up(&"a", Instant(1_101)), Found::Fresh);
        assert_eq!(cache.look_up(&"a", Instant(5)), Found::Fresh, "the clock stepped back");
    }

    #[test]
    fn a_sliding_life_begins_anew_with_each_fresh_hit() {
        let mut cache = filled(CacheConfig { is_sliding: true, ..CONFIG });
        for at in [90, 190, 290] {
            assert_eq!(cache.look_up(&"a", Instant(at)), Found::Fresh);
        }
        assert_eq!(cache.peek(&"a", Instant(390)), Found::Fresh);
        assert_eq!(cache.peek(&"a", Instant(391)), Found::Missing);
    }

    #[test]
    fn stale_and_last_resort_have_times_of_their_own() {
        let mut cache = filled(CacheConfig { stale_ms: 200, stale_if_error_ms: 1_000, is_sliding: true, ..CONFIG });
        let found: Vec<Found> =
            [100, 101, 300, 301, 1_100, 1_101].map(|at| cache.peek(&"a", Instant(at))).into_iter().collect();
        use Found::{Fresh, IfError, Missing, Stale};
        assert_eq!(found, [Fresh, Stale, Stale, IfError, IfError, Missing]);
        assert_eq!(cache.look_up(&"a", Instant(300)), Stale);
        assert_eq!(cache.peek(&"a", Instant(301)), IfError, "a stale hit does not slide");
    }

    #[test]
    fn a_stale_entry_can_be_served_just_once() {
        let mut cache = filled(CacheConfig { stale_ms: Millis::MAX, is_stale_served_once: true, ..CONFIG });
        assert_eq!(cache.look_up(&"a", Instant(5_000)), Found::Stale);
        assert_eq!(cache.look_up(&"a", Instant(5_000)), Found::Missing);
    }

    #[test]
    fn what_is_forgotten_by_hand_makes_room() {
        let mut cache = filled(CONFIG);
        assert_eq!(cache.retain(|key| *key != "b"), ["b"]);
        assert!(!cache.remove(&"b"));
        assert_eq!(cache.insert("d", 1, None, Instant(4)), [""; 0]);
        assert_eq!(cache.reconfigure(CacheConfig { entries_max: 1, ..CONFIG }), ["a", "c"]);
        assert_eq!(cache.look_up(&"d", Instant(4)), Found::Fresh);
    }
}
