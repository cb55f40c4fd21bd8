use super::*;
use crate::alerts::conditions::{Condition, Severity};
use crate::alerts::lifecycle::{Book, Kind, Look};
use crate::alerts::settings::{Settings, Sink};

const START: u64 = 1_704_067_200_000;

struct Half;

impl Rng for Half {
    fn bits(&mut self) -> u64 {
        1 << 63
    }
}

fn receivers(names: &[&str]) -> Vec<Receiver> {
    let sink = |name: &&str| Sink {
        name: (*name).to_owned(),
        kind: None,
        url: Some(format!("https://{name}.acme.com/hook")),
        secrets: Vec::new(),
        routing_key: None,
        authorization: None,
    };
    Settings { sinks: names.iter().map(sink).collect(), ..Settings::default() }.receivers().unwrap()
}

/// That a rule fires, and that it is over.
fn events(rule: &str) -> Vec<Event> {
    let mut book = Book::default();
    let condition = Condition {
        rule: rule.to_owned(),
        database: "primary".to_owned(),
        severity: Severity::Warning,
        message: String::new(),
        value: 0.0,
        threshold: 0.0,
        state: String::new(),
    };
    let look = Look { isolate: "a", token: 0, now: Instant(START), cool_down_ms: 0 };
    let mut events = book.observe(&[condition], &look);
    events.extend(book.observe(&[], &look));
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::Firing, Kind::Resolved]);
    events
}

fn at(ms: u64) -> Instant {
    Instant(START + ms)
}

fn settle(outbox: &mut Outbox, message: &Message, ending: Ending, now: u64) -> Outcome {
    let receiver = &receivers(&[&message.sink])[0];
    outbox.settle(message, receiver, &ending, &mut Half, at(now))
}

/// ALR-01: 2xx is success and nothing else; what fails is sent again after longer and longer pauses, then given up.
#[test]
fn what_fails_is_sent_again_after_longer_and_longer_pauses() {
    for status in [200, 201, 202, 204, 299] {
        let mut outbox = Outbox::default();
        outbox.put(&events("x")[..1], &receivers(&["a"]), 1, at(0));
        let message = outbox.claim(&receivers(&["a", "b"]), at(0)).unwrap();
        assert_eq!(settle(&mut outbox, &message, Ending::Answered(status, None), 0), Outcome::Delivered);
        assert_eq!(outbox, Outbox::default());
    }
    let mut outbox = Outbox::default();
    outbox.put(&events("x")[..1], &receivers(&["a"]), 1, at(0));
    let mut now = 0;
    let mut ids = Vec::new();
    // Half of the jitter: a tenth more.
    for pause_ms in [5_500, 330_000, 1_980_000, 7_920_000, 19_800_000, 39_600_000] {
        let message = outbox.claim(&receivers(&["a", "b"]), at(now)).unwrap();
        assert_eq!(outbox.claim(&receivers(&["a", "b"]), at(now)), None, "it is claimed");
        let ending = if pause_ms == 5_500 { Ending::Unanswered } else { Ending::Answered(500, None) };
        assert_eq!(settle(&mut outbox, &message, ending, now), Outcome::Failed);
        assert_eq!(outbox.due_at(&receivers(&["a"])), Some(at(now + pause_ms)));
        assert_eq!(outbox.claim(&receivers(&["a", "b"]), at(now + pause_ms - 1)), None);
        ids.push(message.id);
        now += pause_ms;
    }
    let message = outbox.claim(&receivers(&["a", "b"]), at(now)).unwrap();
    ids.push(message.id.clone());
    ids.dedup();
    assert_eq!(ids.len(), 1, "it keeps its id");
    assert_eq!(settle(&mut outbox, &message, Ending::Answered(302, None), now), Outcome::GivenUp);
    assert!(outbox.messages.is_empty());
}

/// H126: whatever a receiver answers, it is sent to again within bounds, and 410 ends it.
#[test]
fn no_answer_of_a_receiver_is_more_than_a_pause() {
    let after = |text: &str| Some(text.to_owned());
    let table = [
        (Ending::Unanswered, 5_500),
        (Ending::Answered(500, None), 5_500),
        (Ending::Answered(503, after("60")), 60_000),
        (Ending::Answered(429, after("1")), 5_500),
        (Ending::Answered(429, after("1000000000")), RETRY_AFTER_MAX_MS),
        (Ending::Answered(429, after("99999999999999999999999")), RETRY_AFTER_MAX_MS),
        (Ending::Answered(429, after("-1")), 5_500),
        (Ending::Answered(429, after("1e9")), 5_500),
        (Ending::Answered(429, after("")), 5_500),
        (Ending::Answered(429, after("Wed, 21 Oct 2115 07:28:00 GMT")), 5_500),
        (Ending::Answered(301, None), 5_500),
        (Ending::Answered(404, None), 5_500),
        (Ending::Answered(0, None), 5_500),
        (Ending::Answered(u16::MAX, None), 5_500),
    ];
    for (ending, pause_ms) in table {
        let mut outbox = Outbox::default();
        outbox.put(&events("x")[..1], &receivers(&["a"]), 1, at(0));
        let message = outbox.claim(&receivers(&["a", "b"]), at(0)).unwrap();
        assert_eq!(settle(&mut outbox, &message, ending.clone(), 0), Outcome::Failed);
        assert_eq!(outbox.due_at(&receivers(&["a"])), Some(at(pause_ms)), "{ending:?}");
    }
    let mut outbox = Outbox::default();
    let both = receivers(&["a", "b"]);
    outbox.put(&events("x"), &both, 1, at(0));
    let message = outbox.claim(&receivers(&["a", "b"]), at(0)).unwrap();
    assert_eq!(
        (message.sink.as_str(), settle(&mut outbox, &message, Ending::Answered(410, None), 0)),
        ("a", Outcome::Gone)
    );
    assert!(outbox.messages.iter().all(|message| message.sink == "b"));
    assert!(outbox.is_gone(&both[0]) && !outbox.is_gone(&both[1]));
    outbox.put(&events("y"), &both, 2, at(0));
    assert!(outbox.messages.iter().all(|message| message.sink == "b"), "nothing more is sent there");
    let moved = Receiver { url: "https://new.acme.com/".to_owned(), ..both[0].clone() };
    assert!(!outbox.is_gone(&moved), "another address is used");
    let text = serde_json::to_string(&outbox).unwrap();
    assert!(!text.contains("acme.com"), "no address is stored: {text}");
}

#[test]
fn an_end_never_overtakes_its_beginning() {
    let mut outbox = Outbox::default();
    outbox.put(&[events("x"), events("y")].concat(), &receivers(&["a"]), 1, at(0));
    let first = outbox.claim(&receivers(&["a", "b"]), at(0)).unwrap();
    let second = outbox.claim(&receivers(&["a", "b"]), at(0)).unwrap();
    assert_eq!((first.event.alert.rule.as_str(), second.event.alert.rule.as_str()), ("x", "y"));
    assert_eq!(outbox.claim(&receivers(&["a", "b"]), at(0)), None, "both ends wait");
    settle(&mut outbox, &first, Ending::Answered(500, None), 0);
    settle(&mut outbox, &second, Ending::Answered(200, None), 0);
    let end = outbox.claim(&receivers(&["a", "b"]), at(1)).unwrap();
    assert_eq!((end.event.alert.rule.as_str(), end.event.kind), ("y", Kind::Resolved));
    assert_eq!(outbox.claim(&receivers(&["a", "b"]), at(1)), None);
    let again = outbox.claim(&receivers(&["a", "b"]), at(5_500)).unwrap();
    assert_eq!((again.id.as_str(), again.tries), (first.id.as_str(), 2));
}

#[test]
fn what_was_claimed_and_never_settled_is_due_again() {
    let mut outbox = Outbox::default();
    outbox.put(&events("x")[..1], &receivers(&["a"]), 1, at(0));
    let first = outbox.claim(&receivers(&["a", "b"]), at(0)).unwrap();
    assert_eq!(outbox.claim(&receivers(&["a", "b"]), at(CLAIM_MS - 1)), None);
    let again = outbox.claim(&receivers(&["a", "b"]), at(CLAIM_MS)).unwrap();
    assert_eq!((&again.id, again.tries), (&first.id, 2));
}

#[test]
fn it_holds_so_many_messages_and_no_more() {
    let mut outbox = Outbox::default();
    let mut dropped = 0;
    for number in 0..150 {
        dropped += outbox.put(&events(&number.to_string()), &receivers(&["a"]), number, at(0)).len();
    }
    assert_eq!((outbox.messages.len(), dropped), (MESSAGES_MAX, 100));
    let mut ids: Vec<&str> = outbox.messages.iter().map(|message| message.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), MESSAGES_MAX);
    assert_eq!(outbox.claim(&receivers(&["b"]), at(0)), None, "another isolate knows that receiver");
    assert!(outbox.expire(at(AGE_MAX_MS)).is_empty());
    assert_eq!(outbox.expire(at(AGE_MAX_MS + 1)).len(), MESSAGES_MAX);
    assert!(outbox.messages.is_empty());
}
