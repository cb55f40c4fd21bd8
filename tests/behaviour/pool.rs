//! Leases and the connections behind them.

use std::collections::BTreeMap;

use seawall::clock::Instant;
use seawall::engine::step::{CallId, Step};
use seawall::error::Code;
use seawall::outcome::Judgement;
use seawall::policy::connection::ConnectionState;
use seawall::query::Query;

use crate::host::{Host, READ, START, attempted, lost, queued, refused, settings};

const TWO: &str = r#"{"connectionPool":{"maxConnections":2}}"#;
const PATIENT: Query = Query { timeout_ms: Some(0), ..READ };

/// POOL-01, POOL-07: a lease not obtained within 5,000 ms is a typed refusal, and its waiter leaves the queue.
#[test]
fn a_lease_not_obtained_in_time_is_a_pool_timeout_and_leaves_no_waiter() {
    let mut host = Host::new(TWO);
    let holders = [host.attempt(READ), host.attempt(READ)];
    let (waiter, _) = queued(host.begin(READ));
    assert_eq!(host.status().pool.pending, 1);
    host.later(4_999);
    for holder in holders {
        assert!(host.engine.renew(holder, host.now));
    }
    queued(host.wake(waiter));
    host.later(1);
    assert_eq!(refused(host.wake(waiter)), Code::PoolTimeout);
    let status = host.status();
    assert_eq!((status.pool.pending, status.pool.borrowed), (0, 2));
    assert_eq!(status.totals.by_refusal, [("POOL_TIMEOUT".into(), 1)]);
    assert_eq!(host.engine.running(), 2);
}

/// POOL-01: a waiter is told to ask again no later than its patience ends.
#[test]
fn a_waiter_never_sleeps_past_its_limit() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1,"acquireTimeout":700}}"#);
    host.attempt(READ);
    let (_, until) = queued(host.begin(READ));
    assert_eq!(until, host.now.plus(700));
}

/// POOL-02: what is created, leased and idle is counted, and each connection tells its own story.
#[test]
fn the_life_of_connections_is_counted_and_told() {
    let mut host = Host::new(TWO);
    let calls = [host.attempt(READ), host.attempt(READ)];
    let pool = host.status().pool;
    assert_eq!((pool.created, pool.size, pool.borrowed, pool.available), (2, 2, 2, 0));
    host.later(5).succeed(calls[0]);
    host.report(calls[1], lost());
    let pool = host.status().pool;
    assert_eq!((pool.created, pool.size, pool.borrowed), (2, 2, 0));
    assert_eq!(pool.available, 1, "a failed connection passes for an available one");
    let now = host.now;
    let told: Vec<_> = host
        .engine
        .pool(now)
        .connections()
        .map(|it| (it.id(), it.state(), it.uses(), it.errors(), it.last_used_at()))
        .collect();
    let start = Instant(now.0 - 5);
    assert_eq!(
        told,
        [(1, ConnectionState::Ready, 1, 0, now), (2, ConnectionState::Failed, 1, 1, start)],
        "the failed one was last used when it was taken"
    );
}

/// POOL-03, POOL-05: at least one connection is kept; 2 leases in development, 5 in production.
#[test]
fn the_defaults_are_two_in_development_and_five_in_production() {
    let development = settings("{}").pool;
    assert_eq!((development.connections_min, development.leases_max), (1, 2));
    let production = settings(r#"{"platform":{"isProduction":true}}"#).pool;
    assert_eq!((production.connections_min, production.leases_max), (1, 5));
    assert_eq!(production.acquire_timeout_ms, 5_000);
    assert_eq!((production.queue_max, production.lease_ttl_ms, production.idle_ttl_ms), (10_000, 2_000, 300_000));
}

/// POOL-04: a closed pool refuses newcomers and waiters, lets holders end, and closes what they give back.
#[test]
fn close_refuses_new_calls_lets_running_ones_end_and_may_be_repeated() {
    let mut host = Host::new(TWO);
    let calls = [host.attempt(READ), host.attempt(READ)];
    let (waiter, _) = queued(host.begin(READ));
    host.succeed(calls[0]);
    for _ in 0..2 {
        host.engine.close(host.now);
    }
    assert_eq!(host.engine.next_waiter(), Some(waiter), "the waiter is not told");
    assert_eq!(refused(host.wake(waiter)), Code::ClientClosed);
    assert_eq!(refused(host.begin(READ)), Code::ClientClosed);
    assert_eq!((host.engine.running(), host.status().pool.size), (1, 1));
    host.succeed(calls[1]);
    assert_eq!((host.engine.running(), host.status().pool.size), (0, 0));
    host.engine.reopen();
    host.attempt(READ);
}

/// POOL-04: a failed attempt is not tried again after the close.
#[test]
fn a_call_between_two_attempts_is_refused_after_the_close() {
    let mut host = Host::new(TWO);
    let call = host.attempt(READ);
    host.report(call, lost());
    host.engine.close(host.now);
    host.later(1_000);
    assert_eq!(refused(host.wake(call)), Code::ClientClosed);
}

/// POOL-05: 1,000 calls at once never hold more leases than the bound, and all of them end.
#[test]
fn a_thousand_calls_at_once_never_exceed_the_bound() {
    let bounds = [(r#""platform":{}"#, 2), (r#""platform":{"isProduction":true}"#, 5)];
    for (platform, bound) in bounds {
        thousand_at_once(&format!("{{{platform}}}"), bound);
    }
    thousand_at_once(r#"{"connectionPool":{"maxConnections":3}}"#, 3);
    thousand_at_once(r#"{"connectionPool":{"maxConnections":3},"platform":{"isPolling":true}}"#, 3);
}

fn thousand_at_once(text: &str, bound: usize) {
    let mut host = Host::new(text);
    let mut flying: Vec<CallId> = Vec::new();
    let mut waiting: BTreeMap<CallId, Instant> = BTreeMap::new();
    let mut done = 0;
    let is_polling = text.contains("isPolling");
    for _ in 0..1_000 {
        match host.begin(READ) {
            Step::Attempt { call, .. } => flying.push(call),
            step => drop(waiting.insert(queued(step).0, queued(step).1)),
        }
        assert!(flying.len() <= bound, "{text}");
    }
    assert_eq!((flying.len(), waiting.len()), (bound, 1_000 - bound));
    while done < 1_000 {
        host.later(1);
        for call in flying.drain(..) {
            host.succeed(call);
            done += 1;
        }
        let now = host.now;
        let mut asking: Vec<CallId> = waiting.iter().filter(|it| *it.1 <= now).map(|it| *it.0).collect();
        while let Some(call) = asking.pop().or_else(|| told(&host, is_polling)) {
            match host.wake(call) {
                Step::Attempt { .. } => {
                    waiting.remove(&call);
                    flying.push(call);
                }
                step => drop(waiting.insert(call, queued(step).1)),
            }
        }
        assert!(flying.len() <= bound, "{text}: {} in flight", flying.len());
        assert!(host.engine.pool(now).in_use() as usize <= bound);
        assert!(now.since(START) < 5_000, "{text}: {} waited too long", waiting.len());
    }
    assert!(waiting.is_empty());
    assert!(host.status().pool.created <= bound as u64, "no more connections than leases");
}

/// The waiter to wake before its time, where the host may do so.
fn told(host: &Host, is_polling: bool) -> Option<CallId> {
    host.engine.next_waiter().filter(|_| !is_polling)
}

/// POOL-06: a minimum above the maximum is a problem that names both.
#[test]
fn a_minimum_above_the_maximum_is_refused() {
    let problems = seawall::config::parse::parse(r#"{"connectionPool":{"minConnections":4,"maxConnections":3}}"#)
        .expect_err("accepted")
        .0;
    assert_eq!(problems, ["connectionPool.minConnections is 4, above connectionPool.maxConnections, which is 3"]);
}

/// POOL-06, POOL-08, POOL-26: at the next sweep idle connections close, and minConnections that work are kept.
#[test]
fn idle_connections_close_at_the_next_sweep_down_to_the_minimum() {
    for minimum in [0, 1, 2, 3] {
        let mut host = Host::new(&format!(
            r#"{{"connectionPool":{{"maxConnections":3,"minConnections":{minimum},"idleTimeout":300000}}}}"#
        ));
        let calls = [host.attempt(READ), host.attempt(READ), host.attempt(READ)];
        for call in calls {
            host.succeed(call);
        }
        host.later(300_000);
        assert_eq!(host.status().pool.size, 3, "300 s is not yet more than 300 s");
        host.later(1);
        assert_eq!(host.status().pool.size, minimum);
    }
}

/// POOL-08: the next call sweeps too, so an isolate that nobody asks for its status reuses nothing stale.
#[test]
fn a_call_closes_what_was_idle_for_too_long() {
    for (idle_ms, created) in [(300_000, 1), (300_001, 2)] {
        let mut host = Host::new(r#"{"connectionPool":{"minConnections":0}}"#);
        host.call(Judgement::SUCCESS);
        host.later(idle_ms).call(Judgement::SUCCESS);
        assert_eq!(host.status().pool.created, created, "after {idle_ms} ms");
    }
}

/// POOL-06: a failed connection does not count as one of those that are kept.
#[test]
fn a_failed_connection_does_not_push_out_the_last_one_that_works() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":2,"minConnections":1}}"#);
    let calls = [host.attempt(READ), host.attempt(READ)];
    host.succeed(calls[0]);
    host.report(calls[1], lost());
    host.later(300_001);
    assert_eq!(host.status().pool.available, 1);
}

/// POOL-07: another acquire timeout holds for the next call; one that already waits keeps its own.
#[test]
fn a_changed_acquire_timeout_takes_effect_for_the_next_acquire() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1,"leaseTtl":60000}}"#);
    host.attempt(PATIENT);
    let (old, until) = queued(host.begin(PATIENT));
    assert_eq!(until, host.now.plus(5_000));
    host.reconfigure(r#"{"connectionPool":{"maxConnections":1,"leaseTtl":60000,"acquireTimeout":100}}"#);
    let (new, until) = queued(host.begin(PATIENT));
    assert_eq!(until, host.now.plus(100));
    host.later(100);
    assert_eq!(refused(host.wake(new)), Code::PoolTimeout);
    queued(host.wake(old));
    host.later(4_900);
    assert_eq!(refused(host.wake(old)), Code::PoolTimeout);
}

/// POOL-05, POOL-07: a larger bound lets the next call through; a smaller one takes no lease away.
#[test]
fn a_changed_bound_takes_effect_for_the_next_acquire() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    let first = host.attempt(READ);
    let (second, _) = queued(host.begin(READ));
    host.reconfigure(r#"{"connectionPool":{"maxConnections":3}}"#);
    attempted(host.wake(second));
    let third = host.attempt(READ);
    host.reconfigure(r#"{"connectionPool":{"maxConnections":1}}"#);
    assert_eq!(host.status().pool.borrowed, 3);
    queued(host.begin(READ));
    host.succeed(first);
    host.succeed(second);
    assert_eq!(host.engine.next_waiter(), None, "one lease is still out");
    host.succeed(third);
    attempted(host.wake(host.engine.next_waiter().unwrap()));
}

/// POOL-01, POOL-13: the queue has a bound, beyond which the refusal is immediate.
#[test]
fn a_full_queue_refuses_at_once() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1,"maxQueue":2}}"#);
    host.attempt(READ);
    queued(host.begin(READ));
    let (second, _) = queued(host.begin(READ));
    assert_eq!(refused(host.begin(READ)), Code::PoolQueueFull);
    host.engine.cancel(second, host.now);
    queued(host.begin(READ));
}

/// POOL-13: waiters are served in the order in which they came, and a cancelled one leaves no place behind.
#[test]
fn waiters_are_served_in_order_and_cancelled_ones_leave() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    let holder = host.attempt(READ);
    let waiters: Vec<CallId> = (0..3).map(|_| queued(host.begin(READ)).0).collect();
    host.engine.cancel(waiters[0], host.now);
    host.succeed(holder);
    assert_eq!(host.engine.next_waiter(), Some(waiters[1]));
    queued(host.begin(READ));
    queued(host.wake(waiters[2]));
    attempted(host.wake(waiters[1]));
}

/// POOL-33: one after another needs one connection.
#[test]
fn a_hundred_calls_in_a_row_use_one_connection() {
    let mut host = Host::new("{}");
    for _ in 0..100 {
        host.later(3).call(Judgement::SUCCESS);
    }
    assert_eq!(host.status().pool.created, 1);
}

/// Switched off, nothing waits and nothing is counted.
#[test]
fn without_a_pool_nothing_waits() {
    let mut host = Host::new(r#"{"connectionPool":{"enabled":false}}"#);
    for _ in 0..1_000 {
        host.attempt(READ);
    }
    assert_eq!(host.status().pool.borrowed, 0);
}

/// More calls at once than the table holds are refused, not forgotten.
#[test]
fn the_table_of_running_calls_has_a_bound() {
    let mut host = Host::new(r#"{"connectionPool":{"enabled":false}}"#);
    let calls: Vec<CallId> = (0..seawall::engine::step::CALLS_MAX).map(|_| host.attempt(READ)).collect();
    assert_eq!(refused(host.begin(READ)), Code::Overloaded);
    host.succeed(calls[7]);
    host.attempt(READ);
    assert_eq!(refused(host.begin(READ)), Code::Overloaded);
}

/// A cancelled request runs no `finally`: its call never ends by itself.
#[test]
fn callers_that_leave_do_not_make_it_refuse_the_others_for_overload() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1000}}"#);
    for _ in 0..20_000 {
        let step = host.later(30).begin(READ);
        assert!(matches!(step, Step::Attempt { .. }), "{step:?}");
    }
}

/// As above: with a lease of 2 s that nobody renews, it is forgotten 10 s after that, with or without other calls.
#[test]
fn a_call_whose_caller_left_is_not_running_for_ever() {
    for query in [READ, Query { timeout_ms: Some(0), ..READ }] {
        let mut host = Host::new(TWO);
        host.attempt(query);
        host.later(12_000);
        assert_eq!(host.engine.running_at(host.now), 1);
        host.later(1);
        assert_eq!(host.engine.running_at(host.now), 0);
        assert_eq!(host.status().pool.leaked, 1);
    }
}

/// One that waits for a lease, too: 10 s after its patience has ended.
#[test]
fn a_waiter_that_left_is_not_running_for_ever() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1,"acquireTimeout":5000}}"#);
    let call = host.attempt(Query { timeout_ms: Some(0), ..READ });
    queued(host.begin(READ));
    for _ in 0..16 {
        host.later(1_000);
        host.engine.renew(call, host.now);
    }
    assert_eq!(host.engine.running_at(host.now), 1);
}

/// A long call without a deadline lives for as long as its host does, whichever way its host says so.
#[test]
fn a_call_without_a_deadline_is_never_forgotten_while_it_is_renewed() {
    for are_all_renewed in [false, true] {
        let mut host = Host::new(TWO);
        let call = host.attempt(Query { timeout_ms: Some(0), ..READ });
        for _ in 0..3_600 {
            host.later(1_000);
            if are_all_renewed {
                host.engine.renew_all(host.now);
            } else {
                assert!(host.engine.renew(call, host.now));
            }
            host.call(Judgement::SUCCESS);
            assert_eq!(host.engine.running_at(host.now), 1);
        }
        host.succeed(call);
        assert_eq!(host.status().pool.borrowed, 0);
    }
}

/// The permit of a probe whose caller left comes back, so that the circuit need not stay half-open.
#[test]
fn a_probe_whose_caller_left_gives_its_permit_back() {
    let mut host =
        Host::new(r#"{"circuitBreaker":{"failureThreshold":1,"recoveryTimeout":1000,"halfOpenMaxCalls":1}}"#);
    host.fail(1).later(60_000);
    host.attempt(Query { timeout_ms: Some(0), ..READ });
    assert_eq!(refused(host.begin(READ)), Code::CircuitOpen);
    host.later(12_001);
    host.engine.running_at(host.now);
    host.attempt(READ);
}
