//! What an engine counts for metrics: why it tried again, how its circuit changed, how long calls waited and attempts took.

use seawall::engine::Engine;
use seawall::note::times::{BOUNDS_MS, BUCKETS, RETRIES_AT, Row, TRANSITIONS_AT};
use seawall::outcome::{Judgement, OUTCOMES, Outcome};
use seawall::policy::breaker::State;
use seawall::query::Query;

use crate::host::{Host, READ, attempted, backed_off, lost, queued, unavailable};

const STEADY: &str = r#"{"retry":{"jitter":0},"circuitBreaker":{"enabled":false},"timeouts":{"query":0}}"#;
const FRAGILE: &str = r#"{"circuitBreaker":{"failureThreshold":1,"recoveryTimeout":1000,"successThreshold":1},
    "retry":{"attempts":1},"timeouts":{"query":0}}"#;
const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

/// Retries by how the attempt before ended, those that there were.
fn retries(engine: &Engine) -> Vec<(Outcome, u32)> {
    let counts = engine.notes().times().counts();
    let all = OUTCOMES.iter().map(|outcome| (*outcome, counts[RETRIES_AT + *outcome as usize]));
    all.filter(|(_, count)| *count > 0).collect()
}

/// Changes of the circuit, those that there were.
fn changes(engine: &Engine) -> Vec<(State, State, u32)> {
    let counts = engine.notes().times().counts();
    let pairs = STATES.iter().flat_map(|from| STATES.iter().map(|to| (*from, *to)));
    let all = pairs.map(|(from, to)| (from, to, counts[TRANSITIONS_AT + from as usize * STATES.len() + to as usize]));
    all.filter(|(_, _, count)| *count > 0).collect()
}

/// The buckets of a row that are not empty, by where they end, with the row's sum.
fn durations(engine: &Engine, row: Row) -> (Vec<(u16, u32)>, u64) {
    let times = engine.notes().times();
    let counts = &times.counts()[row as usize * BUCKETS..][..BUCKETS];
    let ends = BOUNDS_MS.iter().copied().chain([u16::MAX]);
    (ends.zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect(), times.sums_ms()[row as usize])
}

/// MET-01: each retry is counted once, under the outcome of the attempt before it; the last failure is none.
#[test]
fn a_retry_is_counted_by_what_it_follows() {
    let mut host = Host::new(STEADY);
    let mut call = host.attempt(READ);
    for judgement in [unavailable(), lost(), unavailable()] {
        let (next, delay) = backed_off(host.report(call, judgement), host.now);
        host.later(delay);
        call = attempted(host.wake(next));
    }
    host.succeed(call);
    assert_eq!(retries(&host.engine), [(Outcome::Network, 1), (Outcome::ServerError, 2)]);

    let mut once = Host::new(FRAGILE);
    let call = once.attempt(READ);
    once.report(call, lost());
    assert_eq!(retries(&once.engine), []);
}

/// CB-01: every change of the circuit is counted under the states before and after it.
#[test]
fn a_change_of_the_circuit_is_counted_by_its_states() {
    let mut host = Host::new(FRAGILE);
    let call = host.attempt(READ);
    host.report(call, unavailable());
    assert_eq!(changes(&host.engine), [(State::Closed, State::Open, 1)]);
    // The probe fails, and the next one does not.
    for judgement in [unavailable(), Judgement::SUCCESS] {
        host.later(60_000);
        let probe = host.attempt(READ);
        host.report(probe, judgement);
    }
    assert_eq!(
        changes(&host.engine),
        [
            (State::Closed, State::Open, 1),
            (State::HalfOpen, State::Closed, 1),
            (State::HalfOpen, State::Open, 1),
            (State::Open, State::HalfOpen, 2)
        ]
    );
}

/// POOL-01: a wait is counted when it ends in a lease, with its length; whoever gets one at once, or none, did not wait.
#[test]
fn a_wait_is_counted_when_it_ends_in_a_lease() {
    let patient = Query { timeout_ms: Some(0), ..READ };
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1,"acquireTimeout":1000}}"#);
    let holder = host.attempt(patient);
    assert_eq!(durations(&host.engine, Row::Waited), (vec![], 0));
    let (waiter, _) = queued(host.begin(patient));
    host.later(30).succeed(holder);
    let call = attempted(host.wake(waiter));
    assert_eq!(durations(&host.engine, Row::Waited), (vec![(32, 1)], 30));
    let (given_up, _) = queued(host.begin(patient));
    host.later(1_000);
    host.engine.renew(call, host.now);
    host.wake(given_up);
    host.succeed(call);
    assert_eq!(durations(&host.engine, Row::Waited), (vec![(32, 1)], 30));
}

/// MET-01: how long attempts took is counted by how they ended, and what their callers left is no duration of the database.
#[test]
fn an_attempt_is_counted_in_the_row_of_its_end() {
    let mut host = Host::new(STEADY);
    for (ms, judgement) in [(5, Judgement::SUCCESS), (7, lost())] {
        let call = host.attempt(READ);
        host.later(ms);
        host.report(call, judgement);
    }
    let left = host.attempt(READ);
    host.later(9);
    host.engine.cancel(left, host.now);
    assert_eq!(durations(&host.engine, Row::Leased), (vec![(5, 1)], 5));
    assert_eq!(durations(&host.engine, Row::LeasedFailed), (vec![(8, 1)], 7));
    assert_eq!(durations(&host.engine, Row::Held), (vec![(10, 1)], 9));
    let mut bare = Host::new(r#"{"connectionPool":{"enabled":false}}"#);
    let call = bare.attempt(READ);
    bare.later(3).succeed(call);
    assert_eq!(durations(&bare.engine, Row::Bare), (vec![(3, 1)], 3));
    assert_eq!(durations(&bare.engine, Row::Leased), (vec![], 0));
}
