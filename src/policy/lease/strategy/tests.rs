use super::super::tests::{Bench, CONFIG};
use super::super::{Lease, LeaseAnswer, LeasePool, PoolConfig};
use super::*;
use crate::policy::connection::Connection;

const FIVE: PoolConfig =
    PoolConfig { leases_max: 5, queue_max: 100, lease_ttl_ms: 600_000, idle_ttl_ms: 300_000, ..CONFIG };

fn bench(strategy: Strategy) -> Bench {
    Bench::new(PoolConfig { strategy, ..FIVE })
}

/// Which connections are there, and how often each was used.
fn uses(bench: &Bench) -> Vec<(u32, u64)> {
    bench.pool.connections().map(|it: &Connection| (it.id(), it.uses())).collect()
}

fn take(bench: &mut Bench, count: u32) -> Vec<Lease> {
    (0..count).map(|call| bench.take(call)).collect()
}

fn give(bench: &mut Bench, leases: Vec<Lease>) {
    leases.into_iter().for_each(|lease| bench.give(lease));
}

/// Nine calls one after another on three connections that were given back in order.
fn nine_in_a_row(strategy: Strategy) -> Vec<u64> {
    let mut bench = bench(strategy);
    for lease in take(&mut bench, 3) {
        bench.later(1);
        bench.give(lease);
    }
    for call in 0..9 {
        let lease = bench.take(call);
        bench.later(1);
        bench.give(lease);
    }
    uses(&bench).iter().map(|(_, uses)| uses - 1).collect()
}

/// POOL-17: balanced uses all connections alike, adaptive the one used latest, so that the others can go.
#[test]
fn balanced_takes_turns_and_adaptive_stays_with_one() {
    assert_eq!(nine_in_a_row(Strategy::Balanced), [3, 3, 3]);
    assert_eq!(nine_in_a_row(Strategy::Adaptive), [0, 0, 9]);
}

/// POOL-31, POOL-17: performance takes the fastest; a slow one comes into the choice every sixteenth time, and stays in
/// it when it has become fast.
#[test]
fn performance_takes_a_slow_connection_less_often() {
    let mut bench = bench(Strategy::Performance);
    let work = |bench: &mut Bench, slow_ms: Millis, calls: u32| {
        for call in 0..calls {
            let lease = bench.take(call);
            let id = bench.pool.connection_of(lease).map_or(0, Connection::id);
            bench.later(if id == 2 { slow_ms } else { 10 });
            bench.give(lease);
        }
    };
    let both = take(&mut bench, 2);
    give(&mut bench, both);
    work(&mut bench, 80, 160);
    let [(1, fast), (2, slow)] = uses(&bench)[..] else { panic!("{:?}", uses(&bench)) };
    assert!((5..=12).contains(&slow) && fast + slow == 162, "{fast} and {slow}");
    work(&mut bench, 1, 640);
    let [(1, fast_later), (2, slow_later)] = uses(&bench)[..] else { panic!("{:?}", uses(&bench)) };
    assert!(slow_later - slow > fast_later - fast, "{fast_later} and {slow_later}");
}

/// POOL-17: adaptive grows at once, resource-conserving when somebody has waited for 50 ms.
#[test]
fn resource_conserving_grows_when_somebody_has_waited() {
    let mut eager = bench(Strategy::Adaptive);
    take(&mut eager, 5);
    assert_eq!(eager.pool.limit(), 5);

    let mut sparing = bench(Strategy::ResourceConserving);
    take(&mut sparing, 1);
    let (first, second) = (sparing.queue(1), sparing.queue(2));
    sparing.later(49);
    assert!(!sparing.is_granted(1, first));
    sparing.later(1);
    assert!(sparing.is_granted(1, first), "it waited for 50 ms");
    assert!(sparing.is_granted(2, second), "so did this one");
    assert_eq!(sparing.pool.limit(), 3);
    assert!(matches!(sparing.ask(3, None), LeaseAnswer::Wait { until, .. } if until == sparing.now.plus(50)));
}

/// POOL-19: adaptive keeps what the last 30 s needed and one more, within minConnections and maxConnections.
#[test]
fn adaptive_shrinks_to_what_the_load_needed() {
    let mut bench = bench(Strategy::Adaptive);
    assert_eq!(bench.pool.limit(), 1);
    let leases = take(&mut bench, 5);
    give(&mut bench, leases);
    let seen: Vec<(u32, usize)> = (0..13)
        .map(|_| {
            bench.later(10_000);
            let lease = bench.take(1);
            bench.give(lease);
            (bench.pool.limit(), bench.pool.connections().count())
        })
        .collect();
    assert_eq!(seen[..3], [(5, 5); 3], "not before a whole window was quiet");
    assert_eq!(seen[9..], [(2, 2); 4], "one in use, and one more");
    let leases = take(&mut bench, 5);
    assert_eq!(bench.pool.limit(), 5, "it grows again at once");
    give(&mut bench, leases);
}

/// POOL-17: after a burst, adaptive has 2 connections left, resource-conserving 1, balanced closes what is idle for 300 s,
/// performance keeps all.
#[test]
fn what_is_left_after_a_burst_differs() {
    let left = |strategy, ms: u64| {
        let mut bench = bench(strategy);
        let mut leases = Vec::new();
        while leases.len() < 5 {
            match bench.ask(9, None) {
                LeaseAnswer::Granted(lease) => leases.push(lease),
                // Resource-conserving takes its time to grow.
                LeaseAnswer::Wait { ticket, .. } => {
                    bench.later(50);
                    match bench.ask(9, Some(ticket)) {
                        LeaseAnswer::Granted(lease) => leases.push(lease),
                        other => panic!("{other:?}"),
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        give(&mut bench, leases);
        for _ in 0..ms / 1_000 {
            bench.later(1_000);
            bench.with(LeasePool::sweep);
        }
        bench.pool.connections().count()
    };
    let at = [20_000, 70_000, 301_000];
    assert_eq!(at.map(|ms| left(Strategy::Adaptive, ms)), [5, 1, 1]);
    assert_eq!(at.map(|ms| left(Strategy::ResourceConserving, ms)), [1, 1, 1]);
    assert_eq!(at.map(|ms| left(Strategy::Balanced, ms)), [5, 5, 1]);
    assert_eq!(at.map(|ms| left(Strategy::Performance, ms)), [5, 5, 5]);
}

/// POOL-23: whatever the strategy, no limit leaves its bounds, which may change while it runs.
#[test]
fn the_limit_stays_within_its_bounds() {
    for number in 0..4 {
        let strategy = Strategy::from_number(number);
        let mut bench = Bench::new(PoolConfig { strategy, connections_min: 2, connections_initial: 9, ..FIVE });
        assert_eq!(bench.pool.limit(), 5);
        bench.pool.reconfigure(PoolConfig { strategy, connections_min: 2, leases_max: 3, ..FIVE });
        assert_eq!(bench.pool.limit(), 3);
        for _ in 0..200 {
            bench.later(1_000);
            bench.with(LeasePool::sweep);
        }
        assert_eq!(bench.pool.limit(), if strategy.has_own_limit() { 2 } else { 3 });
        bench.pool.reconfigure(PoolConfig { strategy, leases_max: 8, ..FIVE });
        take(&mut bench, if strategy == Strategy::ResourceConserving { 2 } else { 8 });
    }
}

/// POOL-21, POOL-22, POOL-24: what is warm at first, which the maximum bounds.
#[test]
fn each_strategy_has_its_own_warm_level() {
    let level = |strategy, connections_initial| {
        PoolConfig { strategy, connections_min: 2, connections_initial, ..FIVE }.warm_level()
    };
    assert_eq!([0, 3, 9].map(|initial| level(Strategy::Adaptive, initial)), [0, 3, 5]);
    assert_eq!([0, 3, 9].map(|initial| level(Strategy::Balanced, initial)), [2, 3, 5]);
    assert_eq!([0, 3, 9].map(|initial| level(Strategy::Performance, initial)), [5, 5, 5]);
    assert_eq!([0, 3, 9].map(|initial| level(Strategy::ResourceConserving, initial)), [0, 3, 5]);
    assert_eq!(PoolConfig { is_warming_on: false, connections_initial: 3, ..FIVE }.warm_level(), 0);
}
