//! What is tried again, when, and how often.

use seawall::clock::Millis;
use seawall::engine::step::{Ending, Step};
use seawall::outcome::{Judgement, judge};
use seawall::query::{Class, Kind, Query};

use crate::host::{Host, READ, WRITE, attempted, backed_off, ended, lost, not_sent, settings, unavailable};

const STEADY: &str = r#"{"retry":{"jitter":0},"circuitBreaker":{"enabled":false},"timeouts":{"query":0}}"#;

/// Lets every attempt of one call fail, and tells the delays between them and how the call ended.
fn exhaust(host: &mut Host, query: Query, judgement: Judgement) -> (Vec<Millis>, (Ending, u32)) {
    let mut delays = Vec::new();
    let mut call = host.attempt(query);
    loop {
        match host.report(call, judgement) {
            step @ Step::Done { .. } => return (delays, ended(step)),
            step => {
                let (next, delay) = backed_off(step, host.now);
                delays.push(delay);
                host.later(delay);
                call = attempted(host.wake(next));
            }
        }
    }
}

/// RT-01, RT-03, RT-04, RT-05: 500, 1,000, 2,000, 4,000 ms, doubling up to 10,000.
#[test]
fn delays_double_from_500_up_to_10_000() {
    let text = r#"{"retry":{"jitter":0,"attempts":9,"budgetInitial":100,"budgetMax":100},
        "circuitBreaker":{"enabled":false},"timeouts":{"query":0}}"#;
    let (delays, ending) = exhaust(&mut Host::new(text), READ, unavailable());
    assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
    assert_eq!(ending, (Ending::RetriesExhausted, 9));
}

/// RT-01: chance changes each delay by at most a fifth, to both sides.
#[test]
fn jitter_stays_within_a_fifth() {
    let text = r#"{"circuitBreaker":{"enabled":false},"timeouts":{"query":0}}"#;
    let mut firsts = Vec::new();
    for seed in 0..200 {
        let (delays, _) = exhaust(&mut Host::seeded(text, seed), READ, unavailable());
        for (delay, base) in delays.iter().zip([500.0, 1_000.0, 2_000.0, 4_000.0]) {
            let share = *delay as f64 / base;
            assert!((0.8..=1.2).contains(&share), "{delays:?}");
        }
        firsts.push(delays[0]);
    }
    assert!(firsts.iter().any(|ms| *ms < 450) && firsts.iter().any(|ms| *ms > 550), "no jitter: {firsts:?}");
}

/// RT-02: five attempts in all, then the end with their number.
#[test]
fn five_attempts_and_no_more() {
    let (delays, ending) = exhaust(&mut Host::new(STEADY), READ, unavailable());
    assert_eq!((delays.len(), ending), (4, (Ending::RetriesExhausted, 5)));
}

/// RT-02: in production five failures open the circuit as well, and the five attempts are still all made.
#[test]
fn five_attempts_are_made_in_production_with_a_breaker() {
    let mut host = Host::new(r#"{"platform":{"isProduction":true}}"#);
    let (_, ending) = exhaust(&mut host, READ, unavailable());
    assert_eq!(ending, (Ending::RetriesExhausted, 5));
    assert_eq!(host.status().breaker.state, "OPEN");
}

/// CB-17, RT-01 to RT-05: the nested options are honoured, and these are the defaults.
#[test]
fn the_options_are_honoured_and_have_defaults() {
    let retry = settings("{}").retry;
    assert_eq!((retry.attempts_max, retry.backoff.initial_ms, retry.backoff.max_ms), (5, 500, 10_000));
    assert_eq!((retry.backoff.multiplier, retry.backoff.jitter), (2.0, 0.2));
    assert_eq!((retry.budget_initial, retry.budget_max, retry.budget_ratio), (4.0, 10.0, 0.2));
    let text = r#"{"retry":{"attempts":4,"initialDelay":100,"maxDelay":500,"backoffMultiplier":3,"jitter":0}}"#;
    let (delays, ending) = exhaust(&mut Host::new(text), READ, lost());
    // The circuit opens with the third failure, and nobody waits for what it will refuse.
    assert_eq!((delays, ending), (vec![100, 300], (Ending::RetriesExhausted, 3)));
    let off = text.replace(r#""jitter":0}"#, r#""jitter":0},"circuitBreaker":{"enabled":false}"#);
    let (delays, ending) = exhaust(&mut Host::new(&off), READ, lost());
    assert_eq!((delays, ending), (vec![100, 300, 500], (Ending::RetriesExhausted, 4)));
}

/// RT-06: after a lost answer only what may run twice is sent again.
#[test]
fn a_write_whose_answer_was_lost_is_not_repeated_unless_opted_in() {
    let idempotent = Query { is_idempotent: true, ..WRITE };
    let unknown = Query::new(Class::Query, Kind::Unknown);
    for judgement in [lost(), unavailable(), judge(200, "BAD_RESPONSE", true)] {
        for query in [WRITE, unknown] {
            let (delays, ending) = exhaust(&mut Host::new(STEADY), query, judgement);
            assert_eq!((delays.len(), ending), (0, (Ending::OutcomeUnknown, 1)), "{judgement:?}");
        }
        for query in [READ, idempotent] {
            let (delays, ending) = exhaust(&mut Host::new(STEADY), query, judgement);
            assert_eq!((delays.len(), ending), (4, (Ending::RetriesExhausted, 5)), "{judgement:?}");
        }
    }
}

/// RT-06: what certainly did not run is safe to send again, a write too.
#[test]
fn a_write_that_did_not_run_is_repeated() {
    for judgement in
        [not_sent(), judge(429, "", true), judge(200, "SQLITE_BUSY", true), judge(400, "STREAM_EXPIRED", true)]
    {
        let (delays, _) = exhaust(&mut Host::new(STEADY), WRITE, judgement);
        assert_eq!(delays.len(), 4, "{judgement:?}");
    }
}

/// RT-06: what cannot fare better is not repeated, and its own error is handed on.
#[test]
fn an_answer_that_would_be_the_same_is_handed_on() {
    for judgement in [judge(200, "SQLITE_CONSTRAINT", true), judge(401, "", true), judge(400, "", true)] {
        for query in [READ, WRITE] {
            let (delays, ending) = exhaust(&mut Host::new(STEADY), query, judgement);
            assert_eq!((delays.len(), ending), (0, (Ending::AsReported, 1)), "{judgement:?}");
        }
    }
}

/// RT-06: switched off, the first failure is handed on as it is.
#[test]
fn one_attempt_hands_on_its_own_error() {
    let mut host = Host::new(r#"{"retry":{"attempts":1}}"#);
    assert_eq!(exhaust(&mut host, READ, unavailable()), (vec![], (Ending::AsReported, 1)));
    assert_eq!(exhaust(&mut host, WRITE, lost()), (vec![], (Ending::OutcomeUnknown, 1)));
}

/// RT-06: a statement inside a transaction is never repeated: what came before it is gone.
#[test]
fn a_statement_of_a_transaction_is_not_repeated() {
    let held = Query { is_held: true, ..READ };
    let (delays, ending) = exhaust(&mut Host::new(STEADY), held, not_sent());
    assert_eq!((delays.len(), ending), (0, (Ending::AsReported, 1)));
}

/// RT-06: the policy can be changed for the next failure.
#[test]
fn a_changed_policy_takes_effect_for_the_next_failure() {
    let mut host = Host::new(STEADY);
    let call = host.attempt(READ);
    host.reconfigure(&STEADY.replace(r#""jitter":0"#, r#""jitter":0,"attempts":1"#));
    assert_eq!(ended(host.report(call, unavailable())), (Ending::AsReported, 1));
}

/// An isolate that has seen no success may retry four times in all; successes pay for more.
#[test]
fn retries_are_on_a_budget() {
    let mut host = Host::new(STEADY);
    assert_eq!(exhaust(&mut host, READ, unavailable()).1, (Ending::RetriesExhausted, 5));
    assert_eq!(exhaust(&mut host, READ, unavailable()).1, (Ending::AsReported, 1));
    assert_eq!(host.status().totals.retries_denied, 1);
    for _ in 0..5 {
        host.call(Judgement::SUCCESS);
    }
    assert_eq!(exhaust(&mut host, READ, unavailable()).1, (Ending::RetriesExhausted, 2));
    for _ in 0..1_000 {
        host.call(Judgement::SUCCESS);
    }
    let most: u32 = (0..10).map(|_| exhaust(&mut host, READ, unavailable()).1.1 - 1).sum();
    assert_eq!(most, 10, "more was saved up than the budget holds");
}

/// A call waits for its lease anew after each delay, and holds none meanwhile.
#[test]
fn no_lease_is_held_during_a_delay() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    let call = host.attempt(READ);
    let (waiting, delay) = backed_off(host.report(call, lost()), host.now);
    let other = host.attempt(READ);
    host.later(delay);
    let (queued, _) = crate::host::queued(host.wake(waiting));
    host.succeed(other);
    attempted(host.wake(queued));
}
