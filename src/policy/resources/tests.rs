use super::*;

const START: Instant = Instant(1_000_000);

const CONFIG: ResourcesConfig = ResourcesConfig {
    min: 0,
    max: 2,
    is_prefilled: true,
    waiting: WaitingConfig {
        waiters_max: 10,
        timeout_ms: 1_000,
        order: Order::Fifo,
        standing_after_ms: Millis::MAX,
        standing_timeout_ms: 0,
    },
    reuse: Reuse::Latest,
    idle_ttl_ms: Millis::MAX,
    reap_interval_ms: 1_000,
    is_idle_checked_on_take: false,
    uses_max: u64::MAX,
    age_max_ms: Millis::MAX,
    validate_after_ms: Millis::MAX,
    create_timeout_ms: 2_000,
    create_retry_ms: 200,
    is_create_failure_told: false,
    leak_ms: Millis::MAX,
    is_leak_reclaimed: false,
};

fn at(ms: Millis) -> Instant {
    START.plus(ms)
}

/// The steps, with every creation ended well at once.
fn steps(it: &mut Resources, now: Instant) -> Vec<PoolStep> {
    let mut all = Vec::new();
    loop {
        let steps = it.take_steps();
        if steps.is_empty() {
            return all;
        }
        for step in steps {
            all.push(step);
            if let PoolStep::Create(resource) = step {
                it.created(resource, true, now);
            }
        }
    }
}

/// A pool whose first two calls, 1 and 2, hold resources 1 and 2.
fn both_held(config: ResourcesConfig) -> Resources {
    let mut it = Resources::new(config, START);
    it.acquire(1, 0, START);
    it.acquire(2, 0, START);
    let _ = steps(&mut it, START);
    assert_eq!((it.held_by(1), it.held_by(2)), (Some(1), Some(2)));
    it
}

fn grant(call: u32, resource: u32) -> PoolStep {
    PoolStep::Grant { call, resource }
}

#[test]
fn it_creates_up_to_its_bound_and_then_they_wait() {
    let mut it = both_held(CONFIG);
    it.acquire(3, 0, at(1));
    it.acquire(4, 0, at(2));
    assert_eq!(steps(&mut it, at(2)), []);
    assert_eq!((it.in_use(), it.idle(), it.waiting(), it.size()), (2, 0, 2, 2));
    assert!(it.release(1, false, at(3)));
    assert_eq!(steps(&mut it, at(3)), [grant(3, 1)]);
    assert!(!it.release(1, false, at(3)), "given back twice");
    assert_eq!(it.in_use(), 2);
}

#[test]
fn who_comes_first_is_served_by_whatever_comes_first() {
    let mut it = Resources::new(CONFIG, START);
    it.acquire(1, 0, START);
    assert_eq!(it.take_steps(), [PoolStep::Create(1)]);
    it.acquire(2, 0, START);
    assert_eq!(it.take_steps(), [PoolStep::Create(2)]);
    it.created(2, true, at(10));
    assert_eq!(it.take_steps(), [grant(1, 2)]);
    it.release(1, false, at(20));
    assert_eq!(it.take_steps(), [grant(2, 2)]);
    it.created(1, true, at(30));
    assert_eq!((it.take_steps(), it.idle()), (vec![], 1));
}

#[test]
fn a_wait_ends_in_time_or_when_the_caller_gives_up() {
    let mut it = both_held(CONFIG);
    it.acquire(3, 0, at(100));
    it.acquire(4, 0, at(200));
    assert_eq!(it.wake_at(), at(1_100));
    assert!(it.leave_queue(4) && !it.leave_queue(4));
    it.advance_to(at(1_099));
    assert_eq!(it.take_steps(), []);
    it.advance_to(at(1_100));
    assert_eq!(it.take_steps(), [PoolStep::TimeOut(3)]);
    it.release(1, false, at(1_200));
    assert_eq!((it.take_steps(), it.idle()), (vec![], 1), "nobody waits");
}

#[test]
fn a_full_queue_rejects_unless_something_can_be_made() {
    let waiting = WaitingConfig { waiters_max: 0, ..CONFIG.waiting };
    let mut it = Resources::new(ResourcesConfig { waiting, ..CONFIG }, START);
    it.acquire(1, 0, START);
    it.acquire(2, 0, START);
    it.acquire(3, 0, START);
    assert_eq!(steps(&mut it, START)[..3], [PoolStep::Create(1), PoolStep::Create(2), PoolStep::Reject(3)]);
    it.created(1, true, START);
    it.created(2, true, START);
    let _ = it.take_steps();
    it.acquire(4, 0, START);
    assert_eq!(it.take_steps(), [PoolStep::Reject(4)]);
}

#[test]
fn while_creations_fail_the_queue_is_bounded_all_the_same() {
    let mut it = Resources::new(CONFIG, START);
    it.acquire(1, 0, START);
    it.created(1, false, START);
    for call in 2..100 {
        it.acquire(call, 0, at(1));
    }
    assert_eq!((it.waiting(), it.size()), (10, 0));
}

#[test]
fn a_creation_that_fails_or_hangs_is_made_again_after_a_pause() {
    let mut it = Resources::new(CONFIG, START);
    it.acquire(1, 0, START);
    assert_eq!(it.take_steps(), [PoolStep::Create(1)]);
    it.created(1, false, START);
    assert_eq!((it.take_steps(), it.wake_at()), (vec![], at(200)));
    it.advance_to(at(200));
    assert_eq!(it.take_steps(), [PoolStep::Create(2)]);
    it.acquire(9, 0, at(2_100));
    let _ = it.take_steps();
    it.advance_to(at(2_200));
    let hung = "it hung; should it come after all, it must go";
    assert_eq!(it.take_steps(), [PoolStep::TimeOut(1), PoolStep::Destroy(2)], "{hung}");
    it.created(2, true, at(2_201));
    assert_eq!(it.take_steps(), [], "too late");
}

#[test]
fn a_failed_creation_can_be_told_to_whose_turn_it_is() {
    let mut it = Resources::new(ResourcesConfig { is_create_failure_told: true, ..CONFIG }, START);
    it.acquire(1, 0, START);
    it.acquire(2, 0, START);
    let _ = it.take_steps();
    it.created(2, false, at(1));
    assert_eq!((it.take_steps(), it.waiting()), (vec![PoolStep::Reject(1)], 1));
}

#[test]
fn the_minimum_is_there_before_anyone_asks_and_comes_back() {
    let mut it = Resources::new(ResourcesConfig { min: 2, max: 5, ..CONFIG }, START);
    assert_eq!(steps(&mut it, START), [PoolStep::Create(1), PoolStep::Create(2)]);
    it.acquire(1, 0, at(1));
    it.release(1, true, at(2));
    assert_eq!(steps(&mut it, at(2)), [grant(1, 2), PoolStep::Destroy(2), PoolStep::Create(3)]);
    let mut lazy = Resources::new(ResourcesConfig { min: 2, is_prefilled: false, ..CONFIG }, START);
    assert_eq!(lazy.take_steps(), []);
}

#[test]
fn the_latest_or_the_oldest_idle_one_is_taken() {
    for (reuse, taken) in [(Reuse::Latest, 2), (Reuse::Oldest, 1)] {
        let mut it = both_held(ResourcesConfig { reuse, ..CONFIG });
        it.release(1, false, at(10));
        it.release(2, false, at(10));
        it.acquire(3, 0, at(30));
        assert_eq!(it.take_steps(), [grant(3, taken)]);
    }
}

#[test]
fn what_fails_its_check_is_replaced() {
    let mut it = both_held(ResourcesConfig { validate_after_ms: 0, ..CONFIG });
    it.release(1, false, at(10));
    it.acquire(3, 0, at(20));
    assert_eq!(it.take_steps(), [PoolStep::Validate(1)]);
    it.validated(1, false, at(25));
    assert_eq!(steps(&mut it, at(25)), [PoolStep::Destroy(1), PoolStep::Create(3), grant(3, 3)]);
}

#[test]
fn a_check_is_made_once_for_each_waiter_and_not_too_often() {
    let mut it = both_held(ResourcesConfig { validate_after_ms: 1_000, ..CONFIG });
    it.release(1, false, at(10));
    it.release(2, false, at(10));
    it.acquire(3, 0, at(999));
    assert_eq!(it.take_steps(), [grant(3, 2)]);
    it.release(3, false, at(1_000));
    it.acquire(4, 0, at(1_000));
    assert_eq!(it.take_steps(), [PoolStep::Validate(2)], "one check for one waiter");
    it.validated(2, true, at(1_005));
    assert_eq!(it.take_steps(), [grant(4, 2)]);
    it.release(4, false, at(1_500));
    it.acquire(5, 0, at(1_500));
    assert_eq!(it.take_steps(), [grant(5, 2)], "checked 495 ms ago");
}

#[test]
fn one_that_passed_its_check_for_nobody_stays() {
    let mut it = both_held(ResourcesConfig { validate_after_ms: 0, ..CONFIG });
    it.release(1, false, at(10));
    it.acquire(3, 0, at(20));
    it.leave_queue(3);
    it.validated(1, true, at(25));
    assert_eq!((it.idle(), it.take_steps()), (1, vec![PoolStep::Validate(1)]));
}

#[test]
fn the_idle_are_reaped_at_intervals_down_to_the_minimum() {
    let mut it = both_held(ResourcesConfig { min: 1, idle_ttl_ms: 5_000, ..CONFIG });
    it.release(1, false, at(100));
    it.release(2, false, at(200));
    assert_eq!(it.wake_at(), at(6_000));
    it.advance_to(at(5_000));
    assert_eq!((it.take_steps(), it.wake_at()), (vec![], at(6_000)));
    it.advance_to(at(6_000));
    assert_eq!(it.take_steps(), [PoolStep::Destroy(1)], "the longest idle");
    it.advance_to(at(60_000));
    assert_eq!((it.take_steps(), it.wake_at()), (vec![], Instant::NEVER));
    let mut at_once = both_held(ResourcesConfig { reap_interval_ms: 0, idle_ttl_ms: 5_000, ..CONFIG });
    at_once.release(1, false, at(100));
    assert_eq!(at_once.wake_at(), at(5_101));
    at_once.advance_to(at(5_101));
    assert_eq!(at_once.take_steps(), [PoolStep::Destroy(1)]);
}

#[test]
fn what_was_idle_in_a_frozen_isolate_is_not_lent_even_if_it_is_the_minimum() {
    let config = ResourcesConfig {
        min: 1,
        max: 1,
        idle_ttl_ms: 10_000,
        reap_interval_ms: Millis::MAX,
        is_idle_checked_on_take: true,
        ..CONFIG
    };
    let mut it = Resources::new(config, START);
    let _ = steps(&mut it, START);
    it.acquire(1, 0, at(3_600_000));
    assert_eq!(steps(&mut it, at(3_600_000)), [PoolStep::Destroy(1), PoolStep::Create(2), grant(1, 2)]);
    it.release(1, false, at(3_600_000));
    it.acquire(2, 0, at(3_610_000));
    assert_eq!(steps(&mut it, at(3_610_000)), [grant(2, 2)], "exactly at its time");
}

#[test]
fn between_two_looks_an_idle_one_is_lent_whatever_its_age() {
    let mut it = both_held(ResourcesConfig { idle_ttl_ms: 500, ..CONFIG });
    it.release(1, false, at(100));
    it.acquire(3, 0, at(900));
    assert_eq!(it.take_steps(), [grant(3, 1)]);
}

#[test]
fn the_worn_go_when_they_come_back_and_the_old_before_they_are_lent() {
    let mut it = both_held(ResourcesConfig { uses_max: 1, ..CONFIG });
    it.release(1, false, at(10));
    assert_eq!(it.take_steps(), [PoolStep::Destroy(1)]);
    let mut it = both_held(ResourcesConfig { age_max_ms: 1_000, ..CONFIG });
    it.release(1, false, at(1_000));
    it.release(2, false, at(1_001));
    assert_eq!(it.take_steps(), [PoolStep::Destroy(2)]);
    it.acquire(3, 0, at(1_001));
    assert_eq!(steps(&mut it, at(1_001)), [PoolStep::Destroy(1), PoolStep::Create(3), grant(3, 3)]);
}

#[test]
fn a_leak_is_told_once_and_keeps_its_place_unless_it_is_reclaimed() {
    let mut it = both_held(ResourcesConfig { leak_ms: 5_000, ..CONFIG });
    it.release(2, false, at(1));
    assert_eq!(it.wake_at(), at(5_000));
    for (when, expected) in [(4_999, vec![]), (5_000, vec![PoolStep::Leak(1)]), (60_000, vec![])] {
        it.advance_to(at(when));
        assert_eq!(it.take_steps(), expected, "{when}");
    }
    assert!(it.release(1, false, at(60_001)));
    let mut it = both_held(ResourcesConfig { leak_ms: 500, is_leak_reclaimed: true, max: 2, ..CONFIG });
    it.acquire(3, 0, at(10));
    it.advance_to(at(500));
    let told = steps(&mut it, at(500));
    assert_eq!(told[..2], [PoolStep::Leak(1), PoolStep::Destroy(1)]);
    assert!(told.contains(&grant(3, 3)), "a fresh one: the holder may still use the old");
    assert!(!it.release(1, false, at(600)));
}

#[test]
fn a_closed_pool_lends_nothing_and_lets_everything_go() {
    let mut it = both_held(CONFIG);
    it.acquire(3, 0, at(1));
    it.release(2, false, at(2));
    let _ = it.take_steps();
    it.acquire(4, 0, at(3));
    it.close(at(4));
    assert_eq!(it.take_steps(), [PoolStep::Reject(4)]);
    it.release(1, false, at(5));
    it.release(3, false, at(5));
    it.acquire(5, 0, at(6));
    assert_eq!(it.take_steps(), [PoolStep::Destroy(1), PoolStep::Destroy(2), PoolStep::Reject(5)]);
    assert_eq!((it.size(), it.wake_at()), (0, Instant::NEVER));
}

#[test]
fn what_was_on_its_way_when_the_pool_closed_goes_when_it_comes() {
    let mut it = both_held(ResourcesConfig { max: 3, validate_after_ms: 0, ..CONFIG });
    it.release(1, false, at(10));
    it.acquire(3, 0, at(20));
    it.acquire(4, 0, at(20));
    assert_eq!(it.take_steps(), [PoolStep::Validate(1), PoolStep::Create(3)]);
    it.close(at(21));
    it.validated(1, true, at(22));
    it.created(3, true, at(22));
    let told = it.take_steps();
    assert_eq!(told[2..], [PoolStep::Destroy(1), PoolStep::Destroy(3)]);
}

#[test]
fn a_smaller_bound_lets_the_idle_go_at_once_and_the_held_when_they_come_back() {
    let mut it = both_held(CONFIG);
    it.release(2, false, at(1));
    it.reconfigure(ResourcesConfig { max: 1, ..CONFIG }, at(2));
    assert_eq!((it.take_steps(), it.size()), (vec![PoolStep::Destroy(2)], 1));
    let mut it = both_held(CONFIG);
    it.reconfigure(ResourcesConfig { max: 1, ..CONFIG }, at(2));
    it.acquire(3, 0, at(2));
    it.release(1, false, at(3));
    assert_eq!(it.take_steps(), [PoolStep::Destroy(1)]);
    it.release(2, false, at(4));
    assert_eq!(it.take_steps(), [grant(3, 2)]);
}

#[test]
fn a_larger_bound_serves_who_waits() {
    let mut it = both_held(CONFIG);
    it.acquire(3, 0, at(1));
    it.reconfigure(ResourcesConfig { max: 3, ..CONFIG }, at(2));
    assert_eq!(steps(&mut it, at(2)), [PoolStep::Create(3), grant(3, 3)]);
}

#[test]
fn a_resource_remembers_its_life() {
    let mut it = both_held(CONFIG);
    it.release(1, false, at(10));
    let first = it.connections().next().map(|one| (one.uses(), one.last_used_at(), one.history().count()));
    assert_eq!(first, Some((1, at(10), 4)), "warming, ready, leased, ready");
}
