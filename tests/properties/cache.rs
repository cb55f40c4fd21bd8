//! The cache against a list of what was put in: bounds, order of eviction, ages.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::cache::{Cache, CacheConfig, Found, Life};

#[derive(Clone, Debug)]
enum Deed {
    Insert { key: u32, size: u64, ttl_ms: Option<u64> },
    LookUp(u32),
    Peek(u32),
    Remove(u32),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (0_u32..8, 0_u64..8, proptest::option::of(0_u64..300))
            .prop_map(|(key, size, ttl_ms)| Deed::Insert { key, size, ttl_ms }),
        3 => (0_u32..8).prop_map(Deed::LookUp),
        1 => (0_u32..8).prop_map(Deed::Peek),
        1 => (0_u32..8).prop_map(Deed::Remove),
    ]
}

/// What the cache should hold, the least recently used first.
struct Model {
    config: CacheConfig,
    entries: Vec<(u32, u64, u64, Instant)>,
}

impl Model {
    fn found(&self, key: u32, now: Instant) -> Found {
        let Some((.., ttl_ms, at)) = self.entries.iter().find(|entry| entry.0 == key) else { return Found::Missing };
        let beyond_ms = now.since(*at).saturating_sub(*ttl_ms);
        match beyond_ms {
            0 => Found::Fresh,
            ms if ms <= self.config.stale_ms => Found::Stale,
            ms if ms <= self.config.stale_if_error_ms => Found::IfError,
            _ => Found::Missing,
        }
    }

    fn remove(&mut self, key: u32) -> Option<(u32, u64, u64, Instant)> {
        let place = self.entries.iter().position(|entry| entry.0 == key)?;
        Some(self.entries.remove(place))
    }

    fn size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.1).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    // QC-06 and QC-03: it is a list in the order of use, whatever happens, and never exceeds its bounds
    #[test]
    fn it_is_the_list_and_never_exceeds_its_bounds(
        entries_max in 0_u32..6, size_max in 0_u64..16, is_sliding in any::<bool>(),
        stale_ms in 0_u64..100, stale_if_error_ms in 0_u64..200,
        deeds in vec((deed(), 0_u64..60), 1..80),
    ) {
        let config = CacheConfig {
            entries_max, size_max, ttl_ms: 100, is_sliding, stale_ms, stale_if_error_ms, is_stale_served_once: false,
        };
        let mut cache = Cache::new(config);
        let mut model = Model { config, entries: Vec::new() };
        let mut now = Instant(1_000_000);
        for (deed, gap) in deeds {
            now = now.plus(gap);
            match deed {
                Deed::Insert { key, size, ttl_ms } => {
                    let mut gone = Vec::new();
                    model.remove(key);
                    if entries_max == 0 || size > size_max {
                        gone.push(key);
                    } else {
                        while model.entries.len() >= entries_max as usize || model.size() + size > size_max {
                            gone.push(model.entries.remove(0).0);
                        }
                        model.entries.push((key, size, ttl_ms.unwrap_or(100), now));
                    }
                    prop_assert_eq!(cache.insert(key, size, Life { ttl_ms, stale_ms: None }, now), gone);
                }
                Deed::LookUp(key) => {
                    let found = model.found(key, now);
                    prop_assert_eq!(cache.look_up(key, now), found);
                    if let Some((key, size, ttl_ms, at)) = model.remove(key).filter(|_| found != Found::Missing) {
                        let at = if is_sliding && found == Found::Fresh { now } else { at };
                        model.entries.push((key, size, ttl_ms, at));
                    }
                }
                Deed::Peek(key) => prop_assert_eq!(cache.peek(key, now), model.found(key, now)),
                Deed::Remove(key) => prop_assert_eq!(cache.remove(key), model.remove(key).is_some()),
            }
            prop_assert_eq!((cache.len(), cache.size()), (model.entries.len(), model.size()));
            prop_assert!(cache.len() <= entries_max as usize && cache.size() <= size_max);
        }
    }
}
