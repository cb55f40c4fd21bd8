//! The circuit: when it opens, what it refuses, how it recovers.

use seawall::clock::Instant;
use seawall::engine::step::{CallId, Step};
use seawall::error::Code;
use seawall::note::Note;
use seawall::outcome::{Evidence, Judgement, Outcome, judge};
use seawall::policy::breaker::{Change, Forced, State};
use seawall::query::Query;

use crate::host::{Host, READ, lost, not_sent, refused, settings, unavailable};

const PRODUCTION: &str = r#"{"platform":{"isProduction":true}}"#;

/// A circuit that is open, at the time when probing may begin.
fn ready_to_probe(text: &str) -> Host {
    let mut host = Host::new(text);
    host.fail(3);
    assert_eq!(host.state(), State::Open);
    host.now = host.engine.breaker().retry_at();
    host
}

fn changes(host: &mut Host) -> Vec<(State, State, Change)> {
    let (events, _) = host.engine.notes_mut().take_events();
    let change = |(_, note)| match note {
        Note::CircuitChanged { from, to, change } => Some((from, to, change)),
        _ => None,
    };
    events.into_iter().filter_map(change).collect()
}

/// CB-01: the states are called CLOSED, OPEN and HALF_OPEN in the status document.
#[test]
fn the_states_have_their_names_in_the_document() {
    let mut host = Host::new("{}");
    assert_eq!(host.status().breaker.state, "CLOSED");
    host.fail(3);
    assert_eq!(host.status().breaker.state, "OPEN");
    host.now = host.engine.breaker().retry_at();
    assert_eq!(host.status().breaker.state, "HALF_OPEN");
}

/// CB-02, CB-06: it opens by itself on exactly the third failure in development, the fifth in production.
#[test]
fn it_opens_on_exactly_the_threshold() {
    for (text, threshold) in [("{}", 3), (PRODUCTION, 5), (r#"{"circuitBreaker":{"failureThreshold":7}}"#, 7)] {
        let mut host = Host::new(text);
        host.fail(threshold - 1);
        for _ in 0..20 {
            host.call(Judgement::SUCCESS);
        }
        assert_eq!(host.state(), State::Closed, "{text}");
        host.fail(1);
        assert_eq!(host.state(), State::Open, "{text}");
        let count = (State::Closed, State::Open, Change::FailureCount);
        assert_eq!(changes(&mut host), [count], "{text}");
    }
}

/// CB-03: each kind of failure has its class, and only what says something about the database counts.
#[test]
fn failures_are_classified_and_the_callers_own_do_not_count() {
    let table = [
        (judge(0, "TIMEOUT", true), Outcome::Timeout, Evidence::Failing),
        (lost(), Outcome::Network, Evidence::Failing),
        (not_sent(), Outcome::Network, Evidence::Failing),
        (unavailable(), Outcome::ServerError, Evidence::Failing),
        (judge(429, "", true), Outcome::RateLimited, Evidence::Failing),
        (judge(200, "BAD_RESPONSE", true), Outcome::BadResponse, Evidence::Failing),
        (judge(401, "", true), Outcome::Auth, Evidence::None),
        (judge(403, "", true), Outcome::Auth, Evidence::None),
        (judge(200, "SQLITE_BUSY", true), Outcome::Busy, Evidence::None),
        (judge(404, "", true), Outcome::Request, Evidence::None),
        (judge(200, "SQLITE_CONSTRAINT", true), Outcome::Statement, Evidence::Healthy),
        (judge(200, "SQLITE_CONSTRAINT_PRIMARYKEY", true), Outcome::Statement, Evidence::Healthy),
        (judge(200, "SQL_PARSE_ERROR", true), Outcome::Statement, Evidence::Healthy),
    ];
    for (judgement, outcome, evidence) in table {
        assert_eq!((judgement.outcome, judgement.outcome.evidence()), (outcome, evidence));
        let mut host = Host::new("{}");
        for _ in 0..3 {
            host.call(judgement);
        }
        let expected = if evidence == Evidence::Failing { State::Open } else { State::Closed };
        assert_eq!(host.state(), expected, "{}", outcome.name());
        assert_eq!(host.status().totals.by_outcome, [(outcome.name().into(), 3)]);
    }
}

/// CB-04, CB-08: a call that takes longer than 5,000 ms is slow, and counts as a failure.
#[test]
fn slow_calls_are_counted_and_open_it() {
    let mut host = Host::new("{}");
    for (ms, slow, state) in
        [(5_000, 0, State::Closed), (5_001, 1, State::Closed), (5_001, 2, State::Closed), (9_000, 3, State::Open)]
    {
        let call = host.attempt(READ);
        host.later(ms).succeed(call);
        assert_eq!((host.status().totals.slow, host.state()), (slow, state));
    }
}

/// CB-04, CB-08: where slow calls are not failures they are still counted.
#[test]
fn slow_calls_need_not_be_failures() {
    let text = r#"{"circuitBreaker":{"slowIsFailure":false,"timeoutThreshold":100}}"#;
    let mut host = Host::new(text);
    for _ in 0..20 {
        let call = host.attempt(READ);
        host.later(101).succeed(call);
    }
    assert_eq!((host.status().totals.slow, host.state()), (20, State::Closed));
    let mut by_share = Host::new(
        r#"{"circuitBreaker":{"slowIsFailure":false,"timeoutThreshold":100,"slowRate":0.5,"minimumCalls":4}}"#,
    );
    for _ in 0..4 {
        let call = by_share.attempt(READ);
        by_share.later(101).succeed(call);
    }
    assert_eq!(by_share.state(), State::Open);
}

/// CB-05: an open circuit refuses without an attempt, and says when to ask again.
#[test]
fn an_open_circuit_refuses_without_an_attempt() {
    let mut host = Host::new("{}");
    host.fail(3);
    let retry_at = host.engine.breaker().retry_at();
    for _ in 0..10_000 {
        let step = host.begin(READ);
        assert_eq!(step, Step::Refuse { code: Code::CircuitOpen, retry_at, attempts: 0 });
    }
    let status = host.status();
    assert_eq!((status.breaker.requests, status.pool.borrowed), (3, 0));
    assert_eq!(status.breaker.retry_at_ms, Some(retry_at.0));
    assert_eq!(status.totals.by_refusal, [("CIRCUIT_OPEN".into(), 10_000)]);
    assert_eq!(host.engine.running(), 0);
}

/// CB-05: a waiter finds out when its turn comes, or when it asks again.
#[test]
fn waiters_are_refused_when_the_circuit_opens_meanwhile() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    host.fail(2);
    let call = host.attempt(READ);
    let (waiter, _) = crate::host::queued(host.begin(READ));
    host.report(call, unavailable());
    assert_eq!(refused(host.wake(waiter)), Code::CircuitOpen);
    assert_eq!(host.status().pool.pending, 0);
}

/// CB-07: it is not half-open before 30,000 ms have passed, whatever chance says, and at most a tenth later.
#[test]
fn it_is_half_open_after_the_recovery_timeout_and_not_before() {
    for seed in 0..100 {
        let mut host = Host::seeded("{}", seed);
        host.fail(3).later(29_999);
        assert_eq!(host.state(), State::Open);
        assert_eq!(refused(host.begin(READ)), Code::CircuitOpen);
        host.later(3_001);
        assert_eq!(host.state(), State::HalfOpen);
        host.attempt(READ);
    }
    let mut exact = Host::new(r#"{"circuitBreaker":{"recoveryTimeout":1234,"recoveryJitter":0}}"#);
    exact.fail(3).later(1_233);
    assert_eq!(exact.state(), State::Open);
    exact.later(1);
    assert_eq!(exact.state(), State::HalfOpen);
}

/// CB-11, CB-14: two successes in a row close it, one does not, a failure opens it again.
#[test]
fn two_successful_probes_close_it() {
    let mut host = ready_to_probe("{}");
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::HalfOpen);
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::Closed);
    assert_eq!(
        changes(&mut host),
        [
            (State::Closed, State::Open, Change::FailureCount),
            (State::Open, State::HalfOpen, Change::Elapsed),
            (State::HalfOpen, State::Closed, Change::Recovered),
        ]
    );
    host.fail(2);
    assert_eq!(host.state(), State::Closed, "failures of before the recovery still count");
}

/// CB-11, CB-14: the successes must be in a row.
#[test]
fn a_failed_probe_opens_it_again_and_the_count_starts_anew() {
    let mut host = ready_to_probe("{}");
    host.call(Judgement::SUCCESS);
    host.fail(1);
    assert_eq!(host.state(), State::Open);
    assert!(host.engine.breaker().retry_at().since(host.now) >= 30_000);
    host.now = host.engine.breaker().retry_at();
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::HalfOpen, "the success of the earlier probing still counts");
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::Closed);
}

/// CB-14: the number of successes is a setting.
#[test]
fn the_number_of_successes_that_close_it_is_a_setting() {
    let mut host = ready_to_probe(r#"{"circuitBreaker":{"successThreshold":4}}"#);
    for state in [State::HalfOpen, State::HalfOpen, State::HalfOpen, State::Closed] {
        host.call(Judgement::SUCCESS);
        assert_eq!(host.state(), state);
    }
}

/// CB-16: failures of more than 60,000 ms ago are forgotten.
#[test]
fn failures_older_than_the_window_are_forgotten() {
    let mut host = Host::new("{}");
    host.fail(2).later(60_001).fail(2);
    assert_eq!((host.state(), host.status().breaker.failures), (State::Closed, 2));
    let mut within = Host::new("{}");
    within.fail(2).later(54_000).fail(1);
    assert_eq!(within.state(), State::Open);
    let mut short = Host::new(r#"{"circuitBreaker":{"monitorWindow":1000}}"#);
    short.fail(2).later(1_001).fail(1);
    assert_eq!((short.state(), short.status().breaker.failures), (State::Closed, 1));
}

/// CB-18: state, failures, successes and requests are in the document, and right.
#[test]
fn the_document_counts_failures_successes_and_requests() {
    let mut host = Host::new(PRODUCTION);
    for _ in 0..7 {
        host.call(Judgement::SUCCESS);
    }
    host.fail(2);
    host.call(judge(200, "SQLITE_CONSTRAINT", true));
    host.call(judge(401, "", true));
    let document = serde_json::to_value(host.status().breaker).unwrap();
    let expected = serde_json::json!(
        {"state": "CLOSED", "failures": 2, "successes": 8, "requests": 11, "generation": 0}
    );
    assert_eq!(document, expected);
}

/// CB-19: held open by hand it refuses without naming a time, held closed it admits whatever happens; both are noted.
#[test]
fn a_hand_holds_it_open_or_closed() {
    let mut host = Host::new("{}");
    host.engine.force(Some(Forced::Open), host.now);
    let status = host.status().breaker;
    assert_eq!((status.state, status.forced, status.retry_at_ms), ("OPEN".into(), Some("OPEN".into()), None));
    host.later(1_000_000_000);
    let never = Step::Refuse { code: Code::CircuitOpen, retry_at: Instant::NEVER, attempts: 0 };
    assert_eq!(host.begin(READ), never);
    assert_eq!(changes(&mut host), [(State::Closed, State::Open, Change::Forced)]);

    host.engine.force(Some(Forced::Closed), host.now);
    host.fail(50);
    let status = host.status().breaker;
    assert_eq!((status.state, status.forced, status.failures), ("CLOSED".into(), Some("CLOSED".into()), 0));
    assert_eq!(changes(&mut host), [(State::Open, State::Closed, Change::Forced)]);

    host.engine.force(None, host.now);
    host.fail(2);
    assert_eq!(host.state(), State::Closed, "what failed under the hand counts");
    host.fail(1);
    assert_eq!(host.state(), State::Open, "the hand still holds it");
}

/// CB-19: let go, it probes before it trusts.
#[test]
fn after_being_held_open_it_probes() {
    let mut host = Host::new("{}");
    host.engine.force(Some(Forced::Open), host.now);
    host.later(5);
    host.engine.force(None, host.now);
    assert_eq!(host.state(), State::HalfOpen);
    host.call(Judgement::SUCCESS);
    host.call(Judgement::SUCCESS);
    assert_eq!((host.state(), host.status().breaker.forced), (State::Closed, None));
}

/// CB-20: reset closes it, with counts of zero and no hand on it.
#[test]
fn reset_closes_it_with_zero_counts() {
    let mut host = Host::new("{}");
    host.call(Judgement::SUCCESS);
    host.fail(3);
    host.engine.force(Some(Forced::Open), host.now);
    host.engine.reset_breaker(host.now);
    let status = host.status().breaker;
    assert_eq!((status.state, status.forced), ("CLOSED".into(), None));
    assert_eq!((status.failures, status.successes, status.requests), (0, 0, 0));
    host.fail(2);
    assert_eq!(host.state(), State::Closed);
}

/// CB-20: an attempt from before the reset does not count after it.
#[test]
fn a_result_from_before_the_reset_counts_for_nothing() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":5},"retry":{"attempts":1}}"#);
    let calls: Vec<CallId> = (0..3).map(|_| host.attempt(READ)).collect();
    host.engine.reset_breaker(host.now);
    for call in calls {
        host.report(call, unavailable());
    }
    assert_eq!((host.state(), host.status().breaker.failures), (State::Closed, 0));
}

/// CB-21: a call that bypasses the breaker is attempted while it is open, and neither closes nor opens it.
#[test]
fn one_call_can_bypass_it() {
    const BYPASS: Query = Query { uses_breaker: false, ..READ };
    let mut host = Host::new("{}");
    for _ in 0..10 {
        let call = host.attempt(BYPASS);
        host.report(call, unavailable());
        host.engine.cancel(call, host.now);
    }
    assert_eq!(host.state(), State::Closed, "failures of bypassing calls count");
    host.fail(3);
    let call = host.attempt(BYPASS);
    host.succeed(call);
    assert_eq!(host.state(), State::Open);
    assert_eq!(refused(host.begin(READ)), Code::CircuitOpen);
}

/// CB-24: half-open lets three probes through at once, in either way of writing the setting; the rest fail fast.
#[test]
fn half_open_lets_three_probes_through_at_once() {
    let pool = r#""connectionPool":{"maxConnections":50}"#;
    for (breaker, bound) in [
        ("{}", 3),
        (r#"{"halfOpenMaxCalls":1}"#, 1),
        (r#"{"half_open_max_calls":5}"#, 5),
        (r#"{"halfOpenMaxCalls":16}"#, 16),
    ] {
        let mut host = ready_to_probe(&format!(r#"{{{pool},"circuitBreaker":{breaker}}}"#));
        let probes: Vec<CallId> = (0..bound).map(|_| host.attempt(READ)).collect();
        for _ in 0..100 {
            assert_eq!(refused(host.begin(READ)), Code::CircuitOpen, "{breaker}");
        }
        assert_eq!(host.state(), State::HalfOpen);
        host.succeed(probes[0]);
        if host.state() == State::HalfOpen {
            host.attempt(READ);
            assert_eq!(refused(host.begin(READ)), Code::CircuitOpen, "{breaker}");
        }
    }
}

/// CB-24: a probe that never reports does not keep it half-open for ever.
#[test]
fn a_lost_probe_gives_its_permit_back() {
    let mut host = ready_to_probe(r#"{"circuitBreaker":{"halfOpenMaxCalls":1}}"#);
    host.attempt(READ);
    assert_eq!(refused(host.begin(READ)), Code::CircuitOpen);
    host.later(15_000);
    host.attempt(READ);
}

/// CB-11: a probe that says nothing about the database only gives its permit back.
#[test]
fn a_probe_that_is_cancelled_or_denied_decides_nothing() {
    let mut host = ready_to_probe(r#"{"circuitBreaker":{"halfOpenMaxCalls":1}}"#);
    for _ in 0..10 {
        let call = host.attempt(READ);
        host.engine.cancel(call, host.now);
        host.call(judge(401, "", true));
    }
    assert_eq!(host.state(), State::HalfOpen);
}

/// Off, it refuses nothing: not for failures, not for an opening from before it was switched off.
#[test]
fn switched_off_it_refuses_nothing() {
    const OFF: &str = r#"{"circuitBreaker":{"enabled":false}}"#;
    let mut host = Host::new(OFF);
    host.fail(100);
    assert_eq!(host.state(), State::Closed);
    let mut switched = Host::new("{}");
    switched.fail(3);
    assert_eq!(switched.state(), State::Open);
    switched.reconfigure(OFF);
    switched.attempt(READ);
    assert_eq!(switched.status().breaker.state, "CLOSED");
    switched.reconfigure("{}");
    assert_eq!(refused(switched.begin(READ)), Code::CircuitOpen, "what it learnt is forgotten");
}

/// CB-06: another threshold takes effect for the next failure.
#[test]
fn a_changed_threshold_takes_effect_at_once() {
    let mut host = Host::new(r#"{"circuitBreaker":{"failureThreshold":100}}"#);
    host.fail(10);
    host.reconfigure(r#"{"circuitBreaker":{"failureThreshold":11}}"#);
    assert_eq!(host.state(), State::Closed);
    host.fail(1);
    assert_eq!(host.state(), State::Open);
}

/// CB-06, CB-07, CB-08, CB-14, CB-16, CB-24: the defaults.
#[test]
fn the_defaults() {
    let breaker = settings("{}").breaker;
    assert_eq!(breaker.failures_max, 3);
    assert_eq!(settings(PRODUCTION).breaker.failures_max, 5);
    assert_eq!((breaker.open.initial_ms, breaker.open.max_ms), (30_000, 30_000));
    assert_eq!((breaker.slow_ms, breaker.slow_is_failure), (5_000, true));
    assert_eq!((breaker.window_ms, breaker.window_buckets), (60_000, 12));
    assert_eq!((breaker.successes_to_close, breaker.probes_max), (2, 3));
    assert_eq!((breaker.failure_ratio, breaker.slow_ratio, breaker.consecutive_max), (0.0, 0.0, 0));
}

/// The longest open time is a setting; each failed probing doubles it up to there.
#[test]
fn failed_probings_make_it_stay_open_for_longer() {
    let text = r#"{"circuitBreaker":{"recoveryTimeout":1000,"recoveryTimeoutMax":5000,"recoveryJitter":0}}"#;
    let mut host = Host::new(text);
    host.fail(3);
    for open_ms in [1_000, 2_000, 4_000, 5_000, 5_000] {
        assert_eq!(host.engine.breaker().retry_at().since(host.now), open_ms);
        host.later(open_ms).fail(1);
    }
}

/// CB-27: a database that is down for a minute under load sees the threshold and the probes, and nothing else.
#[test]
fn an_outage_under_load_costs_the_threshold_and_the_probes() {
    let mut host = Host::new(r#"{"circuitBreaker":{"recoveryTimeout":2000},"platform":{"isProduction":true}}"#);
    let (down_ms, every_ms) = (60_000, 10);
    let (mut sent, mut openings) = (0, 0);
    for _ in 0..down_ms / every_ms {
        if let Step::Attempt { call, .. } = host.begin(READ) {
            sent += 1;
            let before = host.state();
            host.report(call, unavailable());
            openings += u32::from(host.state() == State::Open && before != State::Open);
        }
        host.later(every_ms);
    }
    assert!(openings >= 20, "{openings}");
    assert!(sent <= 5 + 3 * openings, "{sent} of 6000 calls were sent in {openings} openings");
    let back = host.now;
    while host.state() != State::Closed {
        if let Step::Attempt { call, .. } = host.begin(READ) {
            host.succeed(call);
        }
        host.later(every_ms);
    }
    assert!(host.now.since(back) <= 3_000, "recovered after {} ms", host.now.since(back));
}

/// CB-09: a share replaces the default count, unless a count is set as well.
#[test]
fn a_share_that_is_set_alone_replaces_the_count() {
    let breaker = |text: &str| settings(text).breaker;
    let share = breaker(r#"{"circuitBreaker":{"errorThresholdPercentage":50,"volumeThreshold":20}}"#);
    assert_eq!((share.failures_max, share.failure_ratio, share.calls_min), (0, 0.5, 20));
    let both = breaker(r#"{"circuitBreaker":{"failureRate":0.5,"failure_threshold":7}}"#);
    assert_eq!((both.failures_max, both.failure_ratio), (7, 0.5));
    let opossum = breaker(
        r#"{"circuitBreaker":{"resetTimeout":7,"rollingCountTimeout":8,"rollingCountBuckets":4,"errorThresholdPercentage":0}}"#,
    );
    assert_eq!((opossum.open.initial_ms, opossum.window_ms, opossum.window_buckets), (7, 8, 4));
    assert_eq!(opossum.failures_max, 3, "no share, so the count stands");
}

/// CB-12: a host takes the changes one by one, oldest first, with their times and reasons.
#[test]
fn changes_are_handed_over_once() {
    let mut host = ready_to_probe(r#"{"circuitBreaker":{"recoveryJitter":0}}"#);
    host.call(Judgement::SUCCESS);
    host.call(Judgement::SUCCESS);
    let notes = host.engine.notes_mut();
    assert!(notes.has_events());
    let taken: Vec<_> =
        std::iter::from_fn(|| notes.take_change()).map(|(_, from, to, change)| (from, to, change)).collect();
    assert_eq!(
        taken,
        [
            (State::Closed, State::Open, Change::FailureCount),
            (State::Open, State::HalfOpen, Change::Elapsed),
            (State::HalfOpen, State::Closed, Change::Recovered),
        ]
    );
    assert!(!notes.has_events() && notes.take_change().is_none());
}
