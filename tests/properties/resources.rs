//! The resource pool: bounds, every waiter hears exactly once, nobody waits while something is idle, nothing is lost.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::resources::{Order, PoolStep, Resources, ResourcesConfig, Reuse, WaitingConfig};

/// What the host knows.
#[derive(Default)]
struct World {
    creating: Vec<u32>,
    validating: Vec<u32>,
    alive: BTreeSet<u32>,
    held: BTreeMap<u32, u32>,
    waiting: BTreeSet<u32>,
    /// How many pieces of work may end well before one fails.
    luck: u32,
}

impl World {
    fn hear(&mut self, pool: &mut Resources, now: Instant) -> Result<(), TestCaseError> {
        for step in pool.take_steps() {
            match step {
                PoolStep::Create(resource) => {
                    prop_assert!(self.alive.insert(resource), "a number was used twice");
                    self.creating.push(resource);
                }
                PoolStep::Validate(resource) => self.validating.push(resource),
                PoolStep::Destroy(resource) => {
                    prop_assert!(self.alive.remove(&resource), "destroyed twice");
                    self.creating.retain(|creating| *creating != resource);
                    // Taken from a holder that kept it for too long.
                    self.held.retain(|_, held| *held != resource);
                }
                PoolStep::Grant { call, resource } => {
                    prop_assert!(self.waiting.remove(&call), "served without waiting");
                    prop_assert!(self.alive.contains(&resource));
                    prop_assert!(!self.held.values().any(|held| *held == resource), "lent to two");
                    self.held.insert(call, resource);
                }
                PoolStep::TimeOut(call) | PoolStep::Reject(call) => {
                    prop_assert!(self.waiting.remove(&call), "told without waiting");
                }
                PoolStep::Leak(call) => prop_assert!(self.held.contains_key(&call)),
            }
        }
        prop_assert!(pool.wake_at() > now, "nothing is overdue");
        Ok(())
    }

    fn luck(&mut self) -> bool {
        self.luck = self.luck.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.luck >> 29 != 0
    }
}

fn config() -> impl Strategy<Value = ResourcesConfig> {
    let order = prop_oneof![Just(Order::Fifo), Just(Order::Lifo), Just(Order::Adaptive)];
    let some = |ms: u64| prop_oneof![Just(u64::MAX), Just(ms)];
    let life =
        (some(1_500), prop_oneof![Just(0_u64), Just(700)], any::<bool>(), some(3_000), some(5_000), any::<bool>());
    (0_u32..3, 1_u32..5, any::<[bool; 3]>(), order, life, prop_oneof![Just(u64::MAX), 0_u64..500], some(50)).prop_map(
        |(min, max, [is_prefilled, is_latest, is_told], order, life, validate_after_ms, standing_after_ms)| {
            let (idle_ttl_ms, reap_interval_ms, is_idle_checked_on_take, age_max_ms, leak_ms, is_leak_reclaimed) = life;
            let waiting =
                WaitingConfig { waiters_max: 5, timeout_ms: 1_000, order, standing_after_ms, standing_timeout_ms: 20 };
            ResourcesConfig {
                min,
                max,
                is_prefilled,
                waiting,
                reuse: if is_latest { Reuse::Latest } else { Reuse::Oldest },
                idle_ttl_ms,
                reap_interval_ms,
                is_idle_checked_on_take,
                uses_max: 7,
                age_max_ms,
                validate_after_ms,
                create_timeout_ms: 900,
                create_retry_ms: 200,
                is_create_failure_told: is_told,
                leak_ms,
                is_leak_reclaimed,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn every_waiter_hears_once_and_nothing_is_lost(
        config in config(),
        deeds in vec((0_u8..7, any::<prop::sample::Index>(), 0_u64..300), 1..120),
        luck in any::<u32>(),
    ) {
        let mut now = Instant(1_000_000);
        let mut pool = Resources::new(config, now);
        let mut world = World { luck, ..World::default() };
        world.hear(&mut pool, now)?;
        for (call, (deed, which, gap)) in deeds.into_iter().enumerate() {
            now = now.plus(gap);
            pool.advance_to(now);
            world.hear(&mut pool, now)?;
            match deed {
                0..2 => {
                    world.waiting.insert(call as u32);
                    pool.acquire(call as u32, (call % 2) as u8, now);
                }
                2 if !world.waiting.is_empty() => {
                    let call = *which.get(&world.waiting.iter().copied().collect::<Vec<_>>());
                    prop_assert!(world.waiting.remove(&call) && pool.leave_queue(call));
                }
                3 | 4 if !world.held.is_empty() => {
                    let call = *which.get(&world.held.keys().copied().collect::<Vec<_>>());
                    let is_broken = !world.luck();
                    world.held.remove(&call);
                    prop_assert!(pool.release(call, is_broken, now) && !pool.release(call, is_broken, now));
                }
                5 if !world.creating.is_empty() => {
                    let resource = world.creating.swap_remove(which.index(world.creating.len()));
                    let is_well = world.luck();
                    if !is_well {
                        world.alive.remove(&resource);
                    }
                    pool.created(resource, is_well, now);
                }
                _ if !world.validating.is_empty() => {
                    let resource = world.validating.swap_remove(which.index(world.validating.len()));
                    pool.validated(resource, world.luck(), now);
                }
                _ => {}
            }
            world.hear(&mut pool, now)?;
            prop_assert_eq!(pool.in_use(), world.held.len());
            prop_assert_eq!(pool.waiting(), world.waiting.len());
            prop_assert_eq!(pool.size(), world.alive.len());
            prop_assert!(pool.size() <= config.max as usize);
            prop_assert!(pool.waiting() <= 5 + config.max as usize);
            let unchecked = pool.idle() > 0 && world.validating.len() < pool.waiting();
            prop_assert!(pool.waiting() == 0 || !unchecked, "one waits while another is idle");
        }
        pool.close(now);
        world.hear(&mut pool, now)?;
        for call in std::mem::take(&mut world.held).into_keys() {
            pool.release(call, false, now);
        }
        world.creating.iter().for_each(|resource| pool.created(*resource, true, now));
        world.validating.iter().for_each(|resource| pool.validated(*resource, true, now));
        world.creating.clear();
        world.hear(&mut pool, now)?;
        prop_assert_eq!((world.alive.len(), world.waiting.len(), pool.size()), (0, 0, 0));
    }
}
