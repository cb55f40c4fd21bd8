use super::*;
use crate::report::status::{BreakerStatus, PoolStatus, Recent, Status, Totals};

const NOW: u64 = 1_704_067_200_000;

fn settings() -> Settings {
    Settings { rules: Vec::new(), ..Settings::default() }
}

fn facts(at: u64, status: Status) -> Facts {
    let database = DatabaseFacts { name: "primary".to_owned(), status, ..DatabaseFacts::default() };
    Facts { now_ms: NOW + at, databases: vec![database], ..Facts::default() }
}

fn rules(found: &Found) -> Vec<&str> {
    found.conditions.iter().map(|condition| condition.rule.as_str()).collect()
}

fn circuit_is(state: &'static str, circuit_changes: u64) -> Status {
    Status {
        breaker: BreakerStatus { state: state.into(), ..BreakerStatus::default() },
        totals: Totals { circuit_changes, ..Totals::default() },
        ..Status::default()
    }
}

/// ALR-02: a circuit that is not closed is a condition with its state, and a change that nobody saw is one as well.
#[test]
fn a_circuit_that_is_not_closed_is_told_with_its_state() {
    let mut watch = Watch::default();
    let mut look = |at, state, changes| watch.look(&facts(at, circuit_is(state, changes)), &[], &settings());
    assert_eq!(look(0, "CLOSED", 0), Found::default());
    let open = look(1, "OPEN", 1);
    assert_eq!((open.conditions[0].state.as_str(), open.conditions[0].severity), ("OPEN", Severity::Critical));
    let half_open = look(2, "HALF_OPEN", 2);
    assert_eq!(
        (half_open.conditions[0].state.as_str(), half_open.conditions[0].severity),
        ("HALF_OPEN", Severity::Warning)
    );
    assert_eq!(look(3, "CLOSED", 3), Found::default(), "it was seen");
    let passed = look(4, "CLOSED", 6);
    assert_eq!((passed.conditions.len(), passed.passed.len()), (0, 1), "it opened and closed in between");
    assert_eq!(look(5, "CLOSED", 6), Found::default());
}

/// ALR-03: a pool at 80 % is well, one at 80.1 % is not.
#[test]
fn a_pool_is_well_up_to_its_threshold() {
    for (borrowed, is_raised) in [(0, false), (800, false), (801, true), (1_000, true), (2_000, true)] {
        let pool = PoolStatus { borrowed, max: 1_000, ..PoolStatus::default() };
        let found = Watch::default().look(&facts(0, Status { pool, ..Status::default() }), &[], &settings());
        assert_eq!(rules(&found).contains(&"poolUtilization"), is_raised, "{borrowed}");
    }
    let none = Watch::default().look(&facts(0, Status::default()), &[], &settings());
    assert_eq!(none, Found::default(), "a pool of nothing is not in use");
}

/// ALR-04: a mean of 1000 ms is well, a longer one is not.
#[test]
fn queries_are_well_up_to_their_threshold() {
    for (duration_ms, is_raised) in [(0, false), (10_000, false), (10_001, true), (90_000, true)] {
        let recent = Recent { healthy: 10, duration_ms, ..Recent::default() };
        let found = Watch::default().look(&facts(0, Status { recent, ..Status::default() }), &[], &settings());
        assert_eq!(rules(&found), if is_raised { vec!["queryTime"] } else { vec![] }, "{duration_ms}");
    }
}

/// ALR-05: 5 % of failures are well, more are not.
#[test]
fn failures_are_well_up_to_their_threshold() {
    for (failing, is_raised) in [(0, false), (50, false), (51, true), (1_000, true)] {
        let recent = Recent { healthy: 1_000 - failing, failing, ..Recent::default() };
        let found = Watch::default().look(&facts(0, Status { recent, ..Status::default() }), &[], &settings());
        assert_eq!(rules(&found), if is_raised { vec!["errorRate"] } else { vec![] }, "{failing}");
    }
}

/// ALR-06: a score of 70 is well, a lower one is not, and one that is not known is neither.
#[test]
fn a_score_is_well_down_to_its_threshold() {
    for (score, is_raised) in
        [(Some(100.0), false), (Some(70.0), false), (Some(69.9), true), (Some(0.0), true), (None, false)]
    {
        let found = Watch::default().look(&facts(0, Status::default()), &[score], &settings());
        assert_eq!(rules(&found), if is_raised { vec!["healthScore"] } else { vec![] }, "{score:?}");
    }
}

/// ALR-08: one operation of the last minute that got no connection is an alert, and a minute later it is none.
#[test]
fn one_timeout_is_an_alert_for_a_minute() {
    let status = |count| Status {
        totals: Totals { by_refusal: vec![("POOL_TIMEOUT".into(), count)], ..Totals::default() },
        ..Status::default()
    };
    let mut watch = Watch::default();
    let table =
        [(0, 0, false), (1_000, 1, true), (30_000, 1, true), (59_000, 1, true), (62_000, 1, false), (63_000, 2, true)];
    for (at, count, is_raised) in table {
        let found = watch.look(&facts(at, status(count)), &[], &settings());
        assert_eq!(rules(&found), if is_raised { vec!["connectionTimeouts"] } else { vec![] }, "{at}");
    }
    let mut none = settings();
    none.thresholds.connection_timeouts = 0;
    assert_eq!(Watch::default().look(&facts(0, status(9)), &[], &none), Found::default(), "0 is for none");
}

#[test]
fn looks_without_end_take_no_memory_without_end() {
    let mut watch = Watch::default();
    for at in 0..10_000 {
        let mut facts = facts(at * 10, Status::default());
        facts.databases[0].name = format!("tenant {}", at % 200);
        watch.look(&facts, &[], &settings());
    }
    assert!(watch.databases.len() <= DATABASES_MAX);
    assert!(watch.databases.values().all(|seen| seen.timeouts.len() <= LOOKS_MAX));
}

/// ALR-05: an outage burns the error budget so fast that the hour's rule fires, and statements that are wrong burn nothing.
#[test]
fn failures_burn_the_budget_and_wrong_statements_do_not() {
    let status = |outcome: &'static str, failed| Status {
        totals: Totals {
            successful: 100,
            failed,
            by_outcome: vec![("success".into(), 100), (outcome.into(), failed)],
            ..Totals::default()
        },
        ..Status::default()
    };
    let found = Watch::default().look(&facts(0, status("network", 50)), &[], &Settings::default());
    assert!(rules(&found).contains(&"burnRate.1h"), "{found:?}");
    let found = Watch::default().look(&facts(0, status("statement", 50)), &[], &Settings::default());
    assert_eq!(rules(&found), [""; 0]);
}
