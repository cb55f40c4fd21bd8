//! Deadlines: each class of operation may take so long, waits and retries included.

use seawall::clock::Millis;
use seawall::engine::step::{Ending, Step};
use seawall::error::Code;
use seawall::outcome::Judgement;
use seawall::query::{Class, Kind, Query};

use crate::host::{Host, READ, WRITE, attempted, backed_off, ended, lost, queued, refused};

fn allowed(step: Step) -> Millis {
    match step {
        Step::Attempt { timeout_ms, .. } => timeout_ms,
        other => panic!("expected an attempt, got {other:?}"),
    }
}

fn limit(text: &str, class: Class) -> Millis {
    allowed(Host::new(text).begin(Query::new(class, Kind::Read)))
}

/// RT-07 to RT-11: each class has its own limit.
#[test]
fn each_class_has_its_own_default() {
    assert_eq!(limit("{}", Class::Query), 15_000);
    assert_eq!(limit("{}", Class::Transaction), 30_000);
    assert_eq!(limit("{}", Class::Batch), 60_000);
    assert_eq!(limit("{}", Class::HealthCheck), 3_000);
}

/// RT-07 to RT-11: and its own setting, which changes no other.
#[test]
fn each_class_has_its_own_setting() {
    let names = [
        ("query", Class::Query),
        ("transaction", Class::Transaction),
        ("batchInsert", Class::Batch),
        ("healthCheck", Class::HealthCheck),
    ];
    for (name, changed) in names {
        let text = format!(r#"{{"timeouts":{{"{name}":777}}}}"#);
        for (_, class) in names {
            let expected = if class == changed { 777 } else { limit("{}", class) };
            assert_eq!(limit(&text, class), expected, "{name}");
        }
    }
}

/// RT-12: the limit of one call wins over its class, in both directions; 0 is no limit.
#[test]
fn the_limit_of_one_call_wins() {
    let mut host = Host::new(r#"{"connectionPool":{"enabled":false}}"#);
    for (class, own, expected) in [
        (Class::Query, 5_000, 5_000),
        (Class::Transaction, 10_000, 10_000),
        (Class::Query, 30_000, 30_000),
        (Class::Batch, 0, 0),
    ] {
        let query = Query { timeout_ms: Some(own), ..Query::new(class, Kind::Read) };
        assert_eq!(allowed(host.begin(query)), expected);
    }
}

/// RT-07: waiting for a lease is part of the limit.
#[test]
fn what_was_spent_waiting_is_not_left_for_the_attempt() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    let holder = host.attempt(READ);
    let (waiter, _) = queued(host.begin(READ));
    host.later(2_000).succeed(holder);
    assert_eq!(allowed(host.wake(waiter)), 13_000);
}

/// RT-07: so are delays and earlier attempts.
#[test]
fn what_earlier_attempts_spent_is_not_left_for_the_next() {
    let mut host = Host::new(r#"{"retry":{"jitter":0}}"#);
    let call = host.attempt(READ);
    let (call, delay) = backed_off(host.later(1_000).report(call, lost()), host.now);
    assert_eq!(allowed(host.later(delay).wake(call)), 13_500);
}

/// RT-15: an attempt that outlives the limit ends the call; no retry begins that could only be late.
#[test]
fn at_the_deadline_the_call_ends() {
    let mut host = Host::new(r#"{"timeouts":{"query":1000}}"#);
    for query in [READ, WRITE] {
        let call = host.attempt(query);
        let step = host.later(1_000).report(call, Judgement::TIMEOUT);
        assert_eq!(ended(step), (Ending::DeadlineExceeded, 1));
    }
    let call = host.attempt(READ);
    let step = host.later(600).report(call, lost());
    assert_eq!(ended(step), (Ending::AsReported, 1), "a retry was begun that the deadline would cut off");
}

/// RT-15: a waiter whose whole time is over is refused, not attempted.
#[test]
fn a_call_whose_time_is_over_is_not_attempted() {
    let mut host = Host::new(r#"{"timeouts":{"query":1000},"retry":{"jitter":0}}"#);
    let call = host.attempt(READ);
    let (call, _) = backed_off(host.report(call, lost()), host.now);
    let step = host.later(1_000).wake(call);
    assert!(matches!(step, Step::Refuse { code: Code::DeadlineExceeded, attempts: 1, .. }), "{step:?}");
}

/// RT-07, RT-15: a limit below the acquire timeout ends the wait.
#[test]
fn the_limit_ends_a_wait_for_a_lease() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1},"timeouts":{"query":800}}"#);
    attempted(host.begin(READ));
    let (waiter, until) = queued(host.begin(READ));
    assert_eq!(until, host.now.plus(800));
    assert_eq!(refused(host.later(800).wake(waiter)), Code::PoolTimeout);
}

/// RT-12: another limit holds for the next call; a running one keeps its own.
#[test]
fn a_changed_limit_takes_effect_for_the_next_call() {
    let mut host = Host::new(r#"{"retry":{"jitter":0}}"#);
    let call = host.attempt(READ);
    host.reconfigure(r#"{"retry":{"jitter":0},"timeouts":{"query":100}}"#);
    assert_eq!(allowed(host.begin(READ)), 100);
    let (call, delay) = backed_off(host.report(call, lost()), host.now);
    assert_eq!(allowed(host.later(delay).wake(call)), 14_500);
}

/// A clock that steps back gives no call more than its whole limit again, and never panics.
#[test]
fn a_clock_that_steps_back_is_survived() {
    let mut host = Host::new(r#"{"retry":{"jitter":0}}"#);
    let call = host.attempt(READ);
    host.now = seawall::clock::Instant(host.now.0 - 60_000);
    let (call, delay) = backed_off(host.report(call, lost()), host.now);
    assert_eq!(delay, 500);
    attempted(host.later(delay).wake(call));
}
