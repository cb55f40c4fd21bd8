//! What becomes of connections that nobody uses, with a host that has something behind them.

use seawall::clock::Millis;
use seawall::engine::step::{CallId, Step};
use seawall::outcome::Judgement;
use seawall::policy::connection::ConnectionState;
use seawall::policy::lease::{Cleanup, PoolWork};
use seawall::query::{Priority, Query};

use crate::host::{Host, READ, attempted, lost, queued, settings};

/// A host with connections, in production: five leases.
fn host(pool: &str) -> Host {
    Host::new(&format!(r#"{{"connectionPool":{{{pool}}},"platform":{{"isProduction":true,"hasConnections":true}}}}"#))
}

/// All that is to be done now.
fn work(host: &mut Host) -> Vec<PoolWork> {
    let mut all = Vec::new();
    while let Some(work) = host.engine.next_pool_work(host.now) {
        all.push(work);
        if matches!(work, PoolWork::AskAt(_)) {
            break;
        }
    }
    all
}

fn states(host: &mut Host) -> Vec<(u32, ConnectionState)> {
    let now = host.now;
    host.engine.pool(now).connections().map(|it| (it.id(), it.state())).collect()
}

fn checking(step: Step) -> (CallId, Millis) {
    match step {
        Step::Check { call, timeout_ms } => (call, timeout_ms),
        other => panic!("expected a check, got {other:?}"),
    }
}

/// POOL-21, POOL-24, POOL-20: before the first operation, initialConnections are set up, never more than the maximum.
#[test]
fn initial_connections_are_set_up_before_the_first_operation() {
    let mut host = host(r#""initialConnections":9"#);
    assert!(host.engine.has_pool_work());
    let all = work(&mut host);
    assert_eq!(all, (1..=5).map(PoolWork::SetUp).collect::<Vec<_>>());
    for id in 1..=5 {
        host.engine.set_up(id, true, host.now);
    }
    assert_eq!(states(&mut host), (1..=5).map(|id| (id, ConnectionState::Ready)).collect::<Vec<_>>());
    assert_eq!((host.status().pool.warmed, work(&mut host).len()), (5, 0));
    host.call(Judgement::SUCCESS);
    assert_eq!(host.status().pool.created, 5, "the first operation made another one");
}

/// POOL-21, POOL-30: nothing is warmed unless somebody asks for it, nor when warming is off, nor where there is nothing.
#[test]
fn nothing_is_sent_ahead_of_demand_by_default() {
    assert_eq!(work(&mut host("")), []);
    assert_eq!(work(&mut host(r#""initialConnections":3,"connectionWarming":false"#)), []);
    assert_eq!(work(&mut Host::new(r#"{"connectionPool":{"initialConnections":3}}"#)), []);
    assert_eq!(work(&mut host(r#""strategy":"performance""#)).len(), 5);
    assert_eq!(work(&mut host(r#""strategy":"balanced""#)).len(), 1);
}

/// POOL-21: an operation does not wait for a set-up that is under way; what the set-up finds then changes nothing.
#[test]
fn an_operation_takes_a_connection_that_is_being_set_up() {
    let mut host = host(r#""initialConnections":1"#);
    assert_eq!(work(&mut host), [PoolWork::SetUp(1)]);
    let call = host.attempt(READ);
    assert_eq!(host.engine.connection_of(call), 1);
    host.engine.set_up(1, false, host.now);
    assert_eq!(states(&mut host), [(1, ConnectionState::Leased)]);
}

/// POOL-29, POOL-28: a set-up that fails is tried three more times, 500 ms apart, and then again after 30 s.
#[test]
fn a_set_up_that_fails_is_tried_again() {
    let mut host = host(r#""initialConnections":1"#);
    let mut tried = Vec::new();
    let start = host.now;
    while tried.len() < 6 {
        match work(&mut host)[..] {
            [PoolWork::SetUp(id)] => {
                tried.push(host.now.since(start));
                host.engine.set_up(id, false, host.now);
            }
            [PoolWork::Retire(_), ..] | [PoolWork::AskAt(_)] | [] => {
                host.later(100);
                host.status();
            }
            ref other => panic!("{other:?}"),
        }
    }
    let gaps: Vec<Millis> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[..3].iter().all(|gap| (500..=1_500).contains(gap)), "{gaps:?}");
    assert!((30_000..=31_100).contains(&gaps[3]), "{gaps:?}");
    assert_eq!(settings("{}").pool.setup_timeout_ms, 30_000);
}

/// POOL-27, POOL-12: a connection is checked that was idle for longer than 60 s, and never sooner.
#[test]
fn a_connection_is_checked_when_it_was_idle_for_long() {
    let mut host = host("");
    host.call(Judgement::SUCCESS);
    for idle_ms in [1, 59_999, 60_000] {
        host.later(idle_ms).call(Judgement::SUCCESS);
    }
    let step = host.later(60_001).begin(READ);
    let (call, timeout_ms) = checking(step);
    assert_eq!(timeout_ms, 1_000, "half of the lease's life");
    assert_eq!(attempted(host.engine.checked(call, true, host.now)), call);
    assert_eq!((host.engine.connection_of(call), host.status().pool.validated), (1, 1));
    host.succeed(call);
    host.later(60_000).call(Judgement::SUCCESS);
}

/// POOL-12, POOL-16: one that the check finds broken is replaced, and the operation never hears of it.
#[test]
fn a_broken_connection_is_replaced_before_the_lease() {
    let mut host = host("");
    host.call(Judgement::SUCCESS);
    let step = host.later(60_001).begin(READ);
    let (call, _) = checking(step);
    assert_eq!(attempted(host.engine.checked(call, false, host.now)), call);
    assert_eq!((host.engine.connection_of(call), host.status().pool.recycled), (2, 1));
    assert_eq!(work(&mut host), [PoolWork::Retire(1)]);
    host.succeed(call);
    assert_eq!(states(&mut host), [(2, ConnectionState::Ready)]);
}

/// POOL-12: a caller that leaves during a check gives its lease back.
#[test]
fn a_caller_that_leaves_during_a_check_leaves_no_lease() {
    let mut host = host(r#""maxConnections":1"#);
    host.call(Judgement::SUCCESS);
    let step = host.later(60_001).begin(READ);
    let (call, _) = checking(step);
    let (waiter, _) = queued(host.begin(READ));
    host.engine.cancel(call, host.now);
    assert_eq!(host.engine.next_waiter(), Some(waiter));
    attempted(host.wake(waiter));
}

/// POOL-16, POOL-20: a connection is recycled after so many uses, or at such an age, when nobody uses it.
#[test]
fn a_worn_connection_is_recycled() {
    let mut used = host(r#""maxUses":3"#);
    for _ in 0..7 {
        used.call(Judgement::SUCCESS);
    }
    let pool = used.status().pool;
    assert_eq!((pool.created, pool.recycled, pool.retired), (3, 2, 2));
    assert_eq!(work(&mut used), [PoolWork::Retire(2), PoolWork::Retire(1)]);

    let mut old = host(r#""maxAge":10000,"idleTimeout":600000"#);
    let call = old.attempt(Query { timeout_ms: Some(0), ..READ });
    for _ in 0..11 {
        old.later(1_000);
        old.engine.renew(call, old.now);
    }
    assert_eq!(old.status().pool.recycled, 0, "while it is in use it stays");
    old.succeed(call);
    assert_eq!(old.status().pool.recycled, 1);
    old.call(Judgement::SUCCESS);
    old.later(10_001);
    assert_eq!((old.status().pool.recycled, old.status().pool.size), (2, 0), "an idle one goes by itself");
}

/// POOL-09: idle connections, a single one, or all can be closed by hand; those in use when they come back.
#[test]
fn connections_are_closed_by_hand() {
    let three = || {
        let mut host = host("");
        let calls = [host.attempt(READ), host.attempt(READ), host.attempt(READ)];
        host.succeed(calls[0]);
        host.succeed(calls[1]);
        (host, calls[2])
    };
    let (mut host, held) = three();
    assert_eq!(host.engine.clean_up(Cleanup::Idle, host.now), 2);
    assert_eq!(states(&mut host), [(3, ConnectionState::Leased)]);
    host.succeed(held);
    assert_eq!(states(&mut host), [(3, ConnectionState::Ready)]);

    let (mut host, held) = three();
    assert_eq!(host.engine.clean_up(Cleanup::One(2), host.now), 1);
    assert_eq!(host.engine.clean_up(Cleanup::One(2), host.now), 0, "it is gone");
    assert_eq!(states(&mut host).len(), 2);
    host.succeed(held);

    let (mut host, held) = three();
    assert_eq!(host.engine.clean_up(Cleanup::All, host.now), 3);
    assert_eq!(states(&mut host), [(3, ConnectionState::Draining)]);
    host.call(Judgement::SUCCESS);
    host.succeed(held);
    assert_eq!(states(&mut host), [(4, ConnectionState::Ready)], "the pool goes on with a fresh one");
    let mut retired = work(&mut host);
    retired.reverse();
    assert_eq!(retired, [1, 2, 3].map(PoolWork::Retire));
}

/// POOL-20: what a failure, an idle time and a close end is told to the host, so that it closes what is behind it.
#[test]
fn the_host_hears_of_every_connection_that_ends() {
    let mut host = host(r#""minConnections":0"#);
    host.call(lost());
    assert_eq!(work(&mut host), [PoolWork::Retire(1)]);
    host.call(Judgement::SUCCESS);
    host.later(300_001).status();
    assert_eq!(work(&mut host), [PoolWork::Retire(2)]);
    host.call(Judgement::SUCCESS);
    host.engine.close(host.now);
    assert_eq!(work(&mut host), [PoolWork::Retire(3)]);
    assert_eq!(host.status().pool.retired, 3);
}

/// POOL-32: nothing here has a timer: a host that never asks has the same pool, and the next call does what was left.
#[test]
fn upkeep_happens_when_somebody_calls() {
    let mut host = host(r#""minConnections":0,"initialConnections":2"#);
    for _ in work(&mut host) {}
    for id in [1, 2] {
        host.engine.set_up(id, true, host.now);
    }
    host.later(3_600_000);
    host.call(Judgement::SUCCESS);
    assert_eq!(host.status().pool.created, 3, "both had been idle for an hour");
    assert!(host.engine.has_pool_work());
}

/// POOL-13: the priority of an operation decides who waits, and a cancelled waiter leaves no slot.
#[test]
fn the_urgent_are_served_first() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    let holder = host.attempt(READ);
    let ask = |host: &mut Host, priority| queued(host.begin(Query { priority, ..READ })).0;
    let [low, medium, high, critical] =
        [Priority::Low, Priority::Medium, Priority::High, Priority::Critical].map(|it| ask(&mut host, it));
    host.succeed(holder);
    host.engine.cancel(high, host.now);
    for waiter in [critical, medium, low] {
        assert_eq!(host.engine.next_waiter(), Some(waiter));
        let call = attempted(host.wake(waiter));
        host.succeed(call);
    }
    assert_eq!((host.engine.next_waiter(), host.status().pool.pending), (None, 0));
}

/// POOL-15: exhaustion is seen in the status and is over when leases come back.
#[test]
fn exhaustion_is_seen_and_passes() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":5}}"#);
    let calls: Vec<CallId> = (0..5).map(|_| host.attempt(READ)).collect();
    let (waiter, _) = queued(host.begin(READ));
    let pool = host.status().pool;
    assert_eq!((pool.borrowed, pool.available, pool.pending, pool.max), (5, 0, 1, 5));
    calls.into_iter().for_each(|call| host.succeed(call));
    let waited = attempted(host.wake(waiter));
    host.succeed(waited);
    let pool = host.status().pool;
    assert_eq!((pool.borrowed, pool.available, pool.pending), (0, 5, 0));
}

/// POOL-11: bounds change while it runs: a smaller maximum is reached as leases come back, a larger one at once.
#[test]
fn the_size_follows_its_bounds_at_run_time() {
    let mut host = Host::new(r#"{"connectionPool":{"minConnections":2,"maxConnections":5}}"#);
    let calls: Vec<CallId> = (0..5).map(|_| host.attempt(READ)).collect();
    host.reconfigure(r#"{"connectionPool":{"minConnections":1,"maxConnections":2}}"#);
    calls.into_iter().for_each(|call| host.succeed(call));
    let pool = host.status().pool;
    assert_eq!((pool.size, pool.min, pool.max), (2, 1, 2));
    host.reconfigure(r#"{"connectionPool":{"minConnections":1,"maxConnections":20}}"#);
    for _ in 0..20 {
        host.attempt(READ);
    }
}
