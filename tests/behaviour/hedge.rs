//! Second legs of slow reads: when they start, what pays for them, and what becomes of the leg that lost.

use seawall::engine::step::Step;
use seawall::outcome::{Judgement, judge};
use seawall::policy::breaker::State;
use seawall::policy::hedge::HedgeAnswer;
use seawall::query::{Class, Kind, Query};

use crate::host::{Host, READ, START, WRITE, lost};

const HEDGED: &str =
    r#"{"hedge":{"delay":50},"connectionPool":{"maxConnections":4},"circuitBreaker":{"recoveryJitter":0}}"#;

/// A read whose first leg has been out for 50 ms.
fn slow_read(host: &mut Host) -> seawall::engine::step::CallId {
    let call = host.attempt(READ);
    host.later(50);
    call
}

#[test]
fn the_step_says_when_to_ask_and_only_reads_are_asked_for() {
    let mut host = Host::new(HEDGED);
    let hedge_ms = |step| match step {
        Step::Attempt { hedge_ms, .. } => hedge_ms,
        other => panic!("{other:?}"),
    };
    assert_eq!(hedge_ms(host.begin(READ)), 50);
    let others = [
        WRITE,
        Query { is_idempotent: true, ..WRITE },
        Query { is_held: true, ..READ },
        Query { may_have_second_leg: false, ..READ },
        Query::new(Class::HealthCheck, Kind::Read),
    ];
    for query in others {
        let mut host = Host::new(HEDGED);
        let step = host.begin(query);
        assert_eq!(hedge_ms(step), 0, "{query:?}");
        let call = crate::host::attempted(step);
        host.later(5_000);
        assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Never, "{query:?}");
    }
    assert_eq!(hedge_ms(Host::new("{}").begin(READ)), 0, "off by default");
}

#[test]
fn asked_too_soon_it_says_how_long_to_wait() {
    let mut host = Host::new(HEDGED);
    let call = host.attempt(READ);
    host.later(20);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::At(START.plus(50)));
    host.later(30);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Start);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Never, "one second leg is all");
}

#[test]
fn the_leg_that_lost_counts_for_nothing_and_both_leases_come_back() {
    for is_second in [false, true] {
        let mut host = Host::new(HEDGED);
        let call = slow_read(&mut host);
        assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Start);
        assert_eq!(host.status().pool.borrowed, 2);
        host.later(10);
        assert!(!host.engine.end_leg(call, is_second, Judgement::SUCCESS, host.now));
        host.succeed(call);
        let status = host.status();
        assert_eq!((status.pool.borrowed, status.breaker.successes, status.totals.successful), (0, 1, 1));
        assert_eq!((status.totals.failed, status.totals.hedged), (0, 1));
        assert_eq!(status.totals.hedges_won, u64::from(is_second));
    }
}

#[test]
fn a_leg_that_fails_leaves_the_call_to_the_other() {
    let mut host = Host::new(HEDGED);
    let call = slow_read(&mut host);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Start);
    assert!(host.engine.end_leg(call, false, lost(), host.now));
    let status = host.status();
    assert_eq!((status.pool.borrowed, status.breaker.failures), (1, 1));
    host.succeed(call);
    assert_eq!(host.status().pool.borrowed, 0);
}

#[test]
fn the_databases_own_answer_ends_the_call_whatever_else_is_out() {
    let mut host = Host::new(HEDGED);
    let call = slow_read(&mut host);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Start);
    assert!(!host.engine.end_leg(call, true, judge(200, "SQLITE_CONSTRAINT", true), host.now));
    assert_eq!(host.status().pool.borrowed, 1);
}

#[test]
fn the_share_and_the_budget_bound_them() {
    let text = |hedge: &str, retry: &str| {
        format!(r#"{{"hedge":{{"delay":50,{hedge}}},"retry":{{{retry}}},"connectionPool":{{"maxConnections":5}}}}"#)
    };
    let hedged = |text: &str, reads: u32| {
        let mut host = Host::new(text);
        for _ in 0..reads {
            let call = slow_read(&mut host);
            if host.engine.hedge(call, host.now) == HedgeAnswer::Start {
                host.engine.end_leg(call, true, Judgement::SUCCESS, host.now);
            }
            host.succeed(call);
        }
        host.status().totals.hedged
    };
    assert_eq!(hedged(&text(r#""maxRatio":0.1"#, r#""budgetRatio":1"#), 100), 11);
    assert_eq!(hedged(&text(r#""maxRatio":1"#, r#""budgetInitial":4,"budgetRatio":0"#), 100), 4);
    assert_eq!(hedged(&text(r#""maxRatio":0"#, r#""budgetInitial":4"#), 100), 1);
}

#[test]
fn nobody_is_kept_waiting_for_a_second_leg() {
    let mut host = Host::new(r#"{"hedge":{"delay":50},"connectionPool":{"maxConnections":1}}"#);
    let call = slow_read(&mut host);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Never);
    assert_eq!(host.status().pool.pending, 0);
}

#[test]
fn a_circuit_that_probes_gets_no_copies() {
    let mut host = Host::new(HEDGED);
    host.fail(3);
    host.now = host.engine.breaker().retry_at();
    let call = slow_read(&mut host);
    assert_eq!(host.state(), State::HalfOpen);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Never);
}

#[test]
fn a_caller_who_goes_away_gives_both_leases_back() {
    let mut host = Host::new(HEDGED);
    let call = slow_read(&mut host);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Start);
    host.engine.cancel(call, host.now);
    let status = host.status();
    assert_eq!((status.pool.borrowed, status.breaker.failures), (0, 0));
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Never);
    assert!(!host.engine.end_leg(call, true, Judgement::SUCCESS, host.now));
}

#[test]
fn both_leases_are_renewed_and_both_lapse() {
    let mut host = Host::new(HEDGED);
    let call = slow_read(&mut host);
    assert_eq!(host.engine.hedge(call, host.now), HedgeAnswer::Start);
    for _ in 0..10 {
        host.later(1_000);
        assert!(host.engine.renew(call, host.now));
    }
    assert_eq!(host.status().pool.leaked, 0);
    host.later(60_000);
    for _ in 0..4 {
        host.attempt(READ);
    }
    assert_eq!(host.status().pool.leaked, 2);
}
