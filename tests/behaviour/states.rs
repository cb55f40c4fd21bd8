//! The life of one connection, and what the pool makes of it.

use std::collections::{BTreeMap, VecDeque};

use seawall::clock::Instant;
use seawall::engine::step::{Ending, Step};
use seawall::error::Code;
use seawall::outcome::Judgement;
use seawall::policy::connection::{
    Connection, ConnectionState, HISTORY_MAX, IllegalTransition, Reason, STATES, TRANSITIONS,
};
use seawall::report::status::ConnectionStatus;

use crate::host::{Host, READ, attempted, ended, lost, queued, refused};
use ConnectionState::{Closed, Draining, Failed, Leased, New, Ready, Recycling, Validating, Warming};

/// The shortest way through the table from `from` to every state that can be reached.
fn ways(from: ConnectionState) -> BTreeMap<u8, Vec<ConnectionState>> {
    let mut ways = BTreeMap::from([(from as u8, vec![])]);
    let mut open = VecDeque::from([from]);
    while let Some(state) = open.pop_front() {
        for (_, to, _) in TRANSITIONS.iter().filter(|(start, _, _)| *start == state) {
            if !ways.contains_key(&(*to as u8)) {
                let way = ways[&(state as u8)].iter().copied().chain([*to]).collect();
                ways.insert(*to as u8, way);
                open.push_back(*to);
            }
        }
    }
    ways
}

/// A connection that was walked into `state` by legal steps only.
fn connection_in(state: ConnectionState) -> Connection {
    let mut connection = Connection::new(7, Instant(0));
    for to in &ways(New)[&(state as u8)] {
        connection.move_to(*to, Reason::Checked, Instant(1)).unwrap();
    }
    assert_eq!(connection.state(), state);
    connection
}

/// SM-01: of many who want to move it out of one state exactly one wins, the others get a typed error.
#[test]
fn of_many_transitions_out_of_one_state_exactly_one_wins() {
    let mut connection = connection_in(Ready);
    let results: Vec<Result<(), IllegalTransition>> =
        (0..100).map(|_| connection.move_to(Leased, Reason::Taken, Instant(2))).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(results[99], Err(IllegalTransition { connection: 7, from: Leased, to: Leased }));
    assert_eq!(connection.uses(), 1);
}

/// SM-01: two calls never get one connection.
#[test]
fn two_calls_never_share_a_connection() {
    let mut host = Host::new("{}");
    host.attempt(READ);
    host.attempt(READ);
    let now = host.now;
    let states: Vec<_> = host.engine.pool(now).connections().map(|it| (it.id(), it.state(), it.uses())).collect();
    assert_eq!(states, [(1, Leased, 1), (2, Leased, 1)]);
}

/// SM-02: what the state does not allow is refused and changes nothing.
#[test]
fn an_operation_that_the_state_does_not_allow_changes_nothing() {
    let mut connection = connection_in(Closed);
    let before: Vec<_> = connection.history().collect();
    let refused = connection.move_to(Leased, Reason::Taken, Instant(9));
    assert_eq!(refused.unwrap_err().to_string(), "connection 7 is closed and cannot become leased");
    assert_eq!(connection.history().collect::<Vec<_>>(), before);
    assert_eq!((connection.state(), connection.uses()), (Closed, 0));
}

/// SM-02: a closed client, a waiting call and a call that has ended never lead to an attempt.
#[test]
fn no_attempt_comes_of_a_call_that_may_not_make_one() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1}}"#);
    let call = host.attempt(READ);
    assert_eq!(ended(host.wake(call)), (Ending::AsReported, 1), "it is attempting already");
    let (waiter, _) = queued(host.begin(READ));
    assert_eq!(ended(host.report(waiter, Judgement::SUCCESS)), (Ending::AsReported, 0), "it made no attempt");
    host.succeed(call);
    assert_eq!(ended(host.wake(call)), (Ending::AsReported, 0), "it has ended");
    assert_eq!(ended(host.report(call, lost())), (Ending::AsReported, 0));
    assert_eq!(host.status().totals.failed, 0, "a report of a call that has ended was counted");
    host.engine.close(host.now);
    assert_eq!(refused(host.begin(READ)), Code::ClientClosed);
}

/// SM-03: from FAILED a connection can become READY or CLOSED; from everywhere it can end.
#[test]
fn no_state_is_a_dead_end() {
    let after_failure = ways(Failed);
    assert_eq!(after_failure[&(Ready as u8)], [Recycling, Warming, Ready]);
    assert_eq!(after_failure[&(Closed as u8)], [Closed]);
    for state in STATES {
        assert!(ways(state).contains_key(&(Closed as u8)), "{} can never close", state.name());
    }
}

/// SM-03: the pool replaces what failed, in the same place.
#[test]
fn the_pool_works_on_after_every_connection_failed() {
    let mut host = Host::new(r#"{"circuitBreaker":{"enabled":false}}"#);
    for round in 1..=20 {
        let calls = [host.attempt(READ), host.attempt(READ)];
        for call in calls {
            host.report(call, lost());
            host.engine.cancel(call, host.now);
        }
        let pool = host.later(1).status().pool;
        assert_eq!((pool.size, pool.borrowed, pool.created), (2, 0, 2 * round));
    }
    assert_eq!(host.engine.notes().tally().transitions_refused, 0);
}

/// SM-04: the history is a bounded ring of from, to, when and why, and part of the document on connections.
#[test]
fn the_history_is_bounded_and_shown() {
    let mut host = Host::new("{}");
    for _ in 0..50 {
        host.later(10).call(Judgement::SUCCESS);
    }
    let now = host.now;
    let connection = host.engine.pool(now).connections().next().map(ConnectionStatus::of).unwrap();
    assert_eq!(connection.history.len(), HISTORY_MAX);
    let document = serde_json::to_value(&connection).unwrap();
    assert_eq!((&document["uses"], &document["state"]), (&50.into(), &"ready".into()));
    assert_eq!(
        document["history"][HISTORY_MAX - 1],
        serde_json::json!({"from": "leased", "to": "ready", "atMs": now.0, "reason": "returned"})
    );
}

/// SM-05: a lease that is not renewed is taken back after its time and counted as leaked.
#[test]
fn a_lease_that_nobody_renews_is_reclaimed_and_counted() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1,"acquireTimeout":10000}}"#);
    let lost = host.attempt(READ);
    let (waiter, until) = queued(host.begin(READ));
    assert_eq!(until, host.now.plus(2_000), "asks again when the lease can lapse");
    host.later(2_000);
    attempted(host.wake(waiter));
    assert_eq!(host.status().pool.leaked, 1);
    assert!(!host.engine.renew(lost, host.now), "the holder is told that it is gone");
    host.succeed(lost);
    let pool = host.status().pool;
    assert_eq!((pool.borrowed, pool.leaked), (1, 1), "the late return freed somebody else's lease");
}

/// SM-05: a holder that renews keeps its lease for as long as it likes.
#[test]
fn a_renewed_lease_does_not_lapse() {
    let mut host = Host::new(r#"{"connectionPool":{"maxConnections":1},"timeouts":{"query":0}}"#);
    let Step::Attempt { call, renew_ms, .. } = host.begin(READ) else { panic!("refused") };
    assert!(renew_ms < 2_000, "renewed {renew_ms} ms apart");
    for _ in 0..100 {
        host.later(renew_ms);
        assert!(host.engine.renew(call, host.now));
    }
    assert_eq!(host.status().pool.leaked, 0);
}

/// SM-06: every edge of the published table can be taken from a connection that lived, and nothing else.
#[test]
fn every_edge_is_taken_and_every_other_pair_refused() {
    let mut edges = 0;
    for from in STATES {
        for to in STATES {
            let mut connection = connection_in(from);
            let moved = connection.move_to(to, Reason::Checked, Instant(2));
            if TRANSITIONS.iter().any(|(a, b, _)| (*a, *b) == (from, to)) {
                edges += 1;
                assert_eq!((moved, connection.state()), (Ok(()), to));
            } else {
                assert_eq!(moved, Err(IllegalTransition { connection: 7, from, to }));
                assert_eq!(connection.state(), from);
            }
        }
    }
    assert_eq!(edges, TRANSITIONS.len(), "an edge stands in the table twice");
}

/// SM-06: warming, validation, recycling and retirement are all in the table.
#[test]
fn the_table_covers_the_whole_life() {
    let life = [
        (New, Warming),
        (Warming, Ready),
        (Ready, Validating),
        (Validating, Ready),
        (Ready, Recycling),
        (Recycling, Warming),
        (Ready, Draining),
        (Draining, Closed),
    ];
    for (from, to) in life {
        assert!(from.leads_to(to), "{} to {}", from.name(), to.name());
    }
}
