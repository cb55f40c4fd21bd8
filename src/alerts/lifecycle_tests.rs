use proptest::prelude::*;

use super::*;

const COOL_DOWN_MS: Millis = 300_000;
const START: u64 = 1_704_067_200_000;

fn look<'a>(isolate: &'a str, at: u64) -> Look<'a> {
    Look { isolate, token: at, now: Instant(START + at), cool_down_ms: COOL_DOWN_MS }
}

fn condition(rule: &str, state: &str) -> Condition {
    Condition {
        rule: rule.to_owned(),
        database: "primary".to_owned(),
        severity: if state == "OPEN" { Severity::Critical } else { Severity::Warning },
        message: "It is so.".to_owned(),
        value: 6.0,
        threshold: 5.0,
        state: state.to_owned(),
    }
}

fn kinds(events: &[Event]) -> Vec<Kind> {
    events.iter().map(|event| event.kind).collect()
}

/// ALR-02: each change of the circuit is told once, however often it is seen and by however many isolates.
#[test]
fn each_change_of_the_circuit_is_told_once() {
    let mut book = Book::default();
    let mut see = |isolate, at, state: &str| {
        let conditions = if state == "CLOSED" { vec![] } else { vec![condition(CIRCUIT, state)] };
        kinds(&book.observe(&conditions, &look(isolate, at)))
    };
    assert_eq!(see("a", 0, "CLOSED"), []);
    assert_eq!(see("a", 1, "OPEN"), [Kind::Firing]);
    assert_eq!(see("a", 2, "OPEN"), []);
    assert_eq!(see("b", 3, "OPEN"), [], "another isolate knows the same");
    assert_eq!(see("a", 4, "HALF_OPEN"), [], "for the other one it is open");
    assert_eq!(see("b", 5, "HALF_OPEN"), [Kind::Changed]);
    assert_eq!(see("a", 6, "OPEN"), [Kind::Changed]);
    assert_eq!(see("a", 7, "HALF_OPEN"), [Kind::Changed]);
    assert_eq!(see("a", 8, "CLOSED"), []);
    assert_eq!(see("b", 9, "CLOSED"), [Kind::Resolved]);
    assert_eq!(see("b", 10, "OPEN"), [Kind::Firing], "a change of the circuit has no cool-down");
    assert_eq!(see("b", 11, "CLOSED"), [Kind::Resolved]);
}

/// ALR-02: a circuit that opened and closed between two looks is told as both.
#[test]
fn a_circuit_that_opened_and_closed_unseen_is_told_as_both() {
    let mut book = Book::default();
    let passed = condition(CIRCUIT, "OPEN");
    assert_eq!(kinds(&book.passed(&passed, &look("a", 0))), [Kind::Firing, Kind::Resolved]);
    assert_eq!(book.active().count(), 0);
    assert_eq!(book.history.len(), 1);
    book.observe(std::slice::from_ref(&passed), &look("b", 1));
    assert_eq!(kinds(&book.passed(&passed, &look("a", 2))), [], "it is known to be open");
}

/// ALR-09: an alert that comes back is told again when its cool-down is over, and not before.
#[test]
fn what_comes_back_is_told_after_the_cool_down() {
    let mut book = Book::default();
    let mut see = |at, is_there: bool| {
        let conditions = if is_there { vec![condition("errorRate", "")] } else { vec![] };
        kinds(&book.observe(&conditions, &look("a", at)))
    };
    assert_eq!(see(0, true), [Kind::Firing]);
    assert_eq!(see(1_000, true), [], "it is the same");
    assert_eq!(see(2_000, false), [Kind::Resolved]);
    assert_eq!(see(3_000, true), []);
    assert_eq!(see(4_000, false), [], "what was not told to fire is not told to be over");
    assert_eq!(see(5_000, true), []);
    assert_eq!(see(COOL_DOWN_MS - 1, true), []);
    assert_eq!(see(COOL_DOWN_MS, true), [Kind::Firing], "it still fires");
    assert_eq!(see(COOL_DOWN_MS + 1, false), [Kind::Resolved]);
    assert_eq!(see(2 * COOL_DOWN_MS, true), [Kind::Firing]);
}

#[test]
fn what_comes_back_has_another_id_and_what_stays_keeps_it() {
    let mut book = Book::default();
    let conditions = [condition("errorRate", "")];
    book.observe(&conditions, &look("a", 0));
    let first = book.alerts[0].id.clone();
    book.observe(&conditions, &look("a", 1));
    assert_eq!(book.alerts[0].id, first);
    book.observe(&[], &look("a", 2));
    book.observe(&conditions, &look("a", 3));
    assert_ne!(book.alerts[0].id, first);
}

#[test]
fn the_hold_of_an_isolate_that_vanished_lapses() {
    let mut book = Book::default();
    book.observe(&[condition("errorRate", "")], &look("a", 0));
    assert!(!book.is_due("b", COOL_DOWN_MS, Instant(START + HOLD_MS - 1)));
    assert!(book.is_due("a", COOL_DOWN_MS, Instant(START + HOLD_MS / 2 + 1)), "its own is renewed before");
    assert_eq!(kinds(&book.observe(&[], &look("b", HOLD_MS - 1))), []);
    assert!(book.is_due("b", COOL_DOWN_MS, Instant(START + HOLD_MS)));
    assert_eq!(kinds(&book.observe(&[], &look("b", HOLD_MS))), [Kind::Resolved]);
}

/// ALR-09: an alert is acknowledged once, and one that is over or unknown cannot be.
#[test]
fn an_alert_is_acknowledged_once() {
    let mut book = Book::default();
    book.observe(&[condition("errorRate", "")], &look("a", 0));
    let id = book.alerts[0].id.clone();
    let event = book.acknowledge(&id, "anna", Instant(START + 5)).unwrap().unwrap();
    assert_eq!((event.kind, event.alert.acknowledged_by.as_deref()), (Kind::Acknowledged, Some("anna")));
    assert_eq!(book.acknowledge(&id, "bert", Instant(START + 6)), Ok(None));
    assert_eq!(book.alerts[0].acknowledged_by.as_deref(), Some("anna"));
    assert_eq!(book.active().count(), 1, "it is still there");
    assert_eq!(kinds(&book.observe(&[], &look("a", 7))), [Kind::Resolved]);
    assert_eq!(book.acknowledge(&id, "anna", Instant(START + 8)), Err(OrderFailed::Resolved));
    assert_eq!(book.acknowledge("nope", "anna", Instant(START + 8)), Err(OrderFailed::NotFound));
}

/// ALR-09: in a silence nothing new is told, and when it is over what still fires is.
#[test]
fn a_silence_holds_until_it_is_over() {
    let mut book = Book::default();
    let matcher = Matcher { rule: Some("errorRate".to_owned()), ..Matcher::default() };
    book.silence(matcher.clone(), 60_000, "deploy", "anna", Instant(START)).unwrap();
    let conditions = [condition("errorRate", ""), condition("queryTime", "")];
    let events = book.observe(&conditions, &look("a", 1));
    assert_eq!(events.iter().map(|event| event.alert.rule.as_str()).collect::<Vec<_>>(), ["queryTime"]);
    assert_eq!(book.active().count(), 2, "it is listed all the same");
    assert_eq!(kinds(&book.observe(&conditions, &look("a", 59_999))), []);
    assert!(book.is_due("a", COOL_DOWN_MS, Instant(START + 60_000)));
    assert_eq!(kinds(&book.observe(&conditions, &look("a", 60_000))), [Kind::Firing]);
    assert!(book.silences.is_empty());
    book.silence(matcher.clone(), u64::MAX, "", "", Instant(START)).unwrap();
    assert_eq!(book.silences[0].until_ms, START + SILENCE_MAX_MS);
    assert_eq!(
        kinds(&book.observe(&[], &look("a", 60_001))),
        [Kind::Resolved, Kind::Resolved],
        "what was told is told to be over"
    );
    book.silence(matcher, 0, "", "", Instant(START)).unwrap();
    assert!(book.silences.is_empty(), "0 lifts it");
}

#[test]
fn a_matcher_matches_what_has_all_that_it_names() {
    let alert = Alert::new(&condition(CIRCUIT, "OPEN"), "1".to_owned(), Instant(0));
    let of = |rule: Option<&str>, database: Option<&str>, severity| {
        Matcher { rule: rule.map(str::to_owned), database: database.map(str::to_owned), severity }.matches(&alert)
    };
    assert!(of(None, None, None) && of(Some(CIRCUIT), Some("primary"), Some(Severity::Critical)));
    assert!(!of(Some("queryTime"), None, None) && !of(None, Some("replica"), None));
    assert!(!of(None, None, Some(Severity::Warning)), "a silence up to warnings lets what is critical through");
}

#[test]
fn everything_has_a_bound() {
    let mut book = Book::default();
    let conditions: Vec<Condition> = (0..500).map(|number| condition(&format!("rule {number}"), "")).collect();
    book.observe(&conditions, &look("a", 0));
    assert_eq!((book.alerts.len(), book.dropped), (ALERTS_MAX, 300));
    for isolate in 0..100 {
        book.observe(&conditions[..1], &look(&format!("isolate {isolate}"), 1));
    }
    assert_eq!(book.alerts[0].holders.len(), HOLDERS_MAX);
    for round in 0..300 {
        book.observe(&conditions[..1], &look("z", 1_000_000 * (2 * round + 1)));
        book.observe(&[], &look("z", 1_000_000 * (2 * round + 2)));
    }
    assert_eq!(book.history.len(), HISTORY_MAX);
    for number in 0..SILENCES_MAX {
        let matcher = Matcher { rule: Some(number.to_string()), ..Matcher::default() };
        assert_eq!(book.silence(matcher, 1, &"é".repeat(9_999), "", Instant(0)), Ok(()));
    }
    let one_more = book.silence(Matcher::default(), 1, "", "", Instant(0));
    assert_eq!(one_more, Err(OrderFailed::TooMany));
    assert_eq!(book.silences[0].reason.chars().count(), REASON_MAX);
}

#[test]
fn what_fired_while_the_store_was_away_is_taken_over() {
    let mut local = Book::default();
    local.observe(&[condition("errorRate", ""), condition("queryTime", "")], &look("a", 0));
    let mut stored = Book::default();
    stored.observe(&[condition("queryTime", "")], &look("b", 0));
    stored.absorb(local);
    assert_eq!(stored.active().count(), 2);
    assert_eq!(kinds(&stored.observe(&[condition("errorRate", "")], &look("a", 1))), [], "it was told already");
}

proptest! {
    /// ALR-09: whatever isolates find and operators do, each alert is told by its laws.
    ///
    /// What fires is told at most once until it is over, and not twice within the cool-down; what was told to fire is told
    /// to be over, once, and when nobody finds anything any more nothing is left.
    #[test]
    fn the_laws_of_what_is_told_hold(
        steps in prop::collection::vec((0_usize..3, 0_usize..4, 0_u64..200_000, 0_u8..8), 1..200)
    ) {
        let isolates = ["a", "b", "c"];
        let rules = ["errorRate", "queryTime"];
        let mut book = Book::default();
        let mut now = 0;
        let mut told: Vec<Option<u64>> = vec![None; 2];
        let mut is_told = [false; 2];
        let mut check = |events: Vec<Event>, now: u64| {
            for event in events {
                let rule = rules.iter().position(|rule| *rule == event.alert.rule).unwrap();
                match event.kind {
                    Kind::Firing => {
                        assert!(!is_told[rule], "told twice");
                        assert!(told[rule].is_none_or(|told| now - told >= COOL_DOWN_MS), "told within the cool-down");
                        told[rule] = Some(now);
                        is_told[rule] = true;
                    }
                    Kind::Resolved => assert!(std::mem::take(&mut is_told[rule]), "over, and never told to fire"),
                    Kind::Changed => panic!("it has one state"),
                    Kind::Acknowledged => assert!(is_told[rule]),
                }
            }
            is_told
        };
        for (isolate, found, ms, action) in steps {
            now += ms;
            let conditions: Vec<Condition> =
                (0..2).filter(|bit| found & 1 << bit != 0).map(|bit| condition(rules[bit], "")).collect();
            let events = book.observe(&conditions, &look(isolates[isolate], now));
            check(events, now);
            match action {
                0 => {
                    let id = book.alerts.first().map_or_else(String::new, |alert| alert.id.clone());
                    check(book.acknowledge(&id, "anna", Instant(START + now)).ok().flatten().into_iter().collect(), now);
                }
                1 => book.silence(Matcher::default(), ms, "", "", Instant(START + now)).unwrap(),
                _ => {}
            }
        }
        for isolate in isolates {
            let events = book.observe(&[], &look(isolate, now));
            check(events, now);
        }
        prop_assert_eq!(check(Vec::new(), now), [false; 2], "an end was lost");
        prop_assert_eq!(book.active().count(), 0);
    }
}
