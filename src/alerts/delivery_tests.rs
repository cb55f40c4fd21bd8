use super::*;
use crate::alerts::lifecycle::{HOLD_MS, Stage};
use crate::alerts::outbox::CLAIM_MS;
use crate::alerts::settings::Thresholds;
use crate::monitor::{Monitor, settings};
use crate::report::facts::{DatabaseFacts, Facts, ProbeFacts};
use crate::report::status::{BreakerStatus, Status, Totals};

const START: u64 = 1_704_067_200_000;
const SLACK: &str = "https://hooks.slack.com/services/T0/B0/s3cret";

/// A world of isolates with one strong store, one database and one receiver.
struct World {
    now: u64,
    random: u64,
    store: Option<String>,
    /// Whether the store can be reached.
    has_store: bool,
    /// What the receiver answers; nothing for no answer.
    answer: Option<u16>,
    received: Vec<Outgoing>,
    circuit: &'static str,
    changes: u64,
    /// The exchange is lost before the answer to this question, counted from 0.
    lost_at: Option<usize>,
    /// Somebody else writes before each of so many swaps.
    races: usize,
    reads: usize,
    swaps: usize,
}

impl World {
    const fn new() -> Self {
        Self {
            now: 0,
            random: 0,
            store: None,
            has_store: true,
            answer: Some(200),
            received: Vec::new(),
            circuit: "CLOSED",
            changes: 0,
            lost_at: None,
            races: 0,
            reads: 0,
            swaps: 0,
        }
    }

    fn facts(&self) -> Facts {
        let status = Status {
            breaker: BreakerStatus { state: self.circuit.into(), ..BreakerStatus::default() },
            totals: Totals { circuit_changes: self.changes, ..Totals::default() },
            ..Status::default()
        };
        let now_ms = START + self.now;
        let probe = Some(ProbeFacts { is_connected: true, at_ms: now_ms, duration_ms: 1 });
        let database = DatabaseFacts { name: "primary".to_owned(), status, probe, ..DatabaseFacts::default() };
        Facts { now_ms, databases: vec![database], ..Facts::default() }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Facts { .. } => Answer::Facts(self.facts()),
            Question::Read { .. } | Question::Swap { .. } if !self.has_store => {
                Answer::Failed("It is away.".to_owned())
            }
            Question::Read { key } => {
                assert_eq!(key, KEY);
                self.reads += 1;
                Answer::Text(self.store.clone())
            }
            Question::Swap { changes } => {
                self.swaps += 1;
                if self.races > 0 {
                    self.races -= 1;
                    let mut document =
                        self.store.as_deref().map_or_else(Document::default, |text| Document::decode(text).unwrap());
                    document.book.dropped += 1;
                    self.store = Some(document.encode());
                }
                let is_expected = self.store == changes[0].expected;
                if is_expected {
                    self.store.clone_from(&changes[0].text);
                }
                Answer::Swapped(is_expected)
            }
            Question::Fetch(outgoing) => {
                self.received.push(outgoing);
                match self.answer {
                    Some(status) => Answer::Fetched { status, retry_after: None },
                    None => Answer::Failed("It did not answer.".to_owned()),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Does what is due in an isolate, `ms` later.
    fn tick(&mut self, isolate: &mut Monitor, ms: u64) {
        self.now += ms;
        let mut next = begin(&mut self.cx(isolate));
        let mut asked = 0;
        while let Next::Ask(question, then) = next {
            let answer = self.answer(question);
            if self.lost_at == Some(asked) {
                return;
            }
            asked += 1;
            assert!(asked < 100, "it never ends");
            next = then(answer, &mut self.cx(isolate));
        }
    }

    fn cx<'a>(&mut self, monitor: &'a mut Monitor) -> Cx<'a> {
        self.random += 1;
        Cx { monitor, now: Instant(START + self.now), random: self.random }
    }

    fn circuit_is(&mut self, circuit: &'static str) {
        self.circuit = circuit;
        self.changes += 1;
    }

    fn texts(&self) -> Vec<String> {
        let text = |outgoing: &Outgoing| {
            let body: serde_json::Value = serde_json::from_str(&outgoing.body).unwrap();
            body["text"].as_str().unwrap().split(' ').next().unwrap().to_owned()
        };
        self.received.iter().map(text).collect()
    }
}

fn isolate() -> Monitor {
    // An open circuit lowers the score as well, which would be an alert of its own.
    let thresholds = Thresholds { health_score: 0.0, ..Thresholds::default() };
    let webhook_url = Some(SLACK.to_owned());
    let alerts = Settings { webhook_url, thresholds, rules: Vec::new(), ..Settings::default() };
    Monitor::new(settings::Settings { alerts, ..settings::Settings::default() })
}

fn id_of(outgoing: &Outgoing) -> String {
    outgoing.headers.iter().find(|(name, _)| *name == "webhook-id").unwrap().1.clone()
}

/// ALR-01 and ALR-02: an address of Slack is told each change of the circuit once.
#[test]
fn slack_is_told_each_change_of_the_circuit_once() {
    let (mut world, mut one) = (World::new(), isolate());
    world.tick(&mut one, 0);
    for circuit in ["OPEN", "OPEN", "HALF_OPEN", "HALF_OPEN", "CLOSED", "CLOSED", "OPEN", "CLOSED"] {
        if world.circuit != circuit {
            world.circuit_is(circuit);
        }
        world.tick(&mut one, 1_000);
    }
    assert_eq!(world.texts(), ["[FIRING]", "[CHANGED]", "[RESOLVED]", "[FIRING]", "[RESOLVED]"]);
    let first = &world.received[0];
    assert_eq!((first.url.as_str(), first.method, first.timeout_ms), (SLACK, "POST", 10_000));
    assert!(first.headers.contains(&(LOOP_HEADER, "1".to_owned())));
    let delivered: Vec<_> = one.alerts().deliveries().filter(|(.., count)| *count > 0).collect();
    assert_eq!(delivered, [("webhook", "delivered", 5)]);
    assert_eq!(Document::decode(&world.store.unwrap()).unwrap().outbox.messages, []);
}

/// ALR-09: many isolates that see one outage tell it once, and its end once.
#[test]
fn an_outage_that_many_isolates_see_is_told_once() {
    let mut world = World::new();
    let mut fleet: Vec<Monitor> = (0..20).map(|_| isolate()).collect();
    world.circuit_is("OPEN");
    for one in &mut fleet {
        world.tick(one, 100);
    }
    assert_eq!(world.texts(), ["[FIRING]"]);
    world.circuit_is("CLOSED");
    for one in &mut fleet {
        world.tick(one, 1_000);
    }
    assert_eq!(world.texts(), ["[FIRING]", "[RESOLVED]"]);
}

#[test]
fn a_message_survives_whoever_was_to_send_it_and_keeps_its_id() {
    // Wherever the isolate is lost: before the swap is answered, before the message is, before that is noted.
    for lost_at in 0..6 {
        let (mut world, mut lost) = (World::new(), isolate());
        world.circuit_is("OPEN");
        world.lost_at = Some(lost_at);
        world.tick(&mut lost, 0);
        world.lost_at = None;
        // The process is gone; another one starts with nothing but the store.
        drop(lost);
        let mut other = isolate();
        world.tick(&mut other, 1_000);
        world.tick(&mut other, CLAIM_MS);
        let mut ids: Vec<String> = world.received.iter().map(id_of).collect();
        assert!((1..=2).contains(&ids.len()), "lost at {lost_at}: {ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 1, "lost at {lost_at}");
        let document = Document::decode(world.store.as_deref().unwrap()).unwrap();
        assert_eq!(document.outbox.messages, [], "lost at {lost_at}");
        // The lost one's hold lapses, and the end is told as well.
        world.circuit_is("CLOSED");
        world.tick(&mut other, 1_000);
        world.tick(&mut other, HOLD_MS);
        assert_eq!(world.texts().last().map(String::as_str), Some("[RESOLVED]"), "lost at {lost_at}");
    }
}

/// ALR-01: a receiver that fails is told again later, by another isolate if need be.
#[test]
fn a_receiver_that_fails_is_told_again_later() {
    let (mut world, mut one) = (World::new(), isolate());
    world.circuit_is("OPEN");
    world.answer = Some(500);
    world.tick(&mut one, 0);
    world.answer = None;
    world.tick(&mut one, 1_000);
    assert_eq!(world.received.len(), 1, "it is not due yet");
    world.tick(&mut one, 5_000);
    assert_eq!(world.received.len(), 2);
    world.answer = Some(204);
    let mut other = isolate();
    world.tick(&mut other, 360_000);
    assert_eq!(world.received.len(), 3);
    assert_eq!(id_of(&world.received[0]), id_of(&world.received[2]));
    world.tick(&mut one, 360_000);
    assert_eq!(world.received.len(), 3, "it arrived");
    let counts = |monitor: &Monitor| {
        let counted = monitor.alerts().deliveries().filter(|(.., count)| *count > 0);
        counted.map(|(_, outcome, count)| (outcome, count)).collect::<Vec<_>>()
    };
    assert_eq!((counts(&one), counts(&other)), (vec![("failed", 2)], vec![("delivered", 1)]));
}

#[test]
fn without_a_store_each_isolate_tells_for_itself() {
    let (mut world, mut one) = (World::new(), isolate());
    world.has_store = false;
    world.circuit_is("OPEN");
    world.tick(&mut one, 0);
    world.circuit_is("CLOSED");
    world.tick(&mut one, 1_000);
    assert_eq!(world.texts(), ["[FIRING]", "[RESOLVED]"]);
    assert_eq!(world.store, None);
}

#[test]
fn what_happened_while_the_store_was_away_is_brought_along() {
    let (mut world, mut one) = (World::new(), isolate());
    world.tick(&mut one, 0);
    world.has_store = false;
    world.answer = Some(503);
    world.circuit_is("OPEN");
    world.tick(&mut one, 1_000);
    world.has_store = true;
    world.answer = Some(200);
    world.tick(&mut one, 10_000);
    assert_eq!(world.received.iter().map(id_of).collect::<std::collections::BTreeSet<_>>().len(), 1);
    let document = Document::decode(world.store.as_deref().unwrap()).unwrap();
    assert_eq!((document.book.active().count(), document.outbox.messages.len()), (1, 0));
    world.circuit_is("CLOSED");
    world.tick(&mut one, 1_000);
    assert_eq!(world.texts(), ["[FIRING]", "[FIRING]", "[RESOLVED]"]);
}

#[test]
fn who_is_slower_than_others_writes_again_and_gives_up_in_the_end() {
    let (mut world, mut one) = (World::new(), isolate());
    world.circuit_is("OPEN");
    world.races = 3;
    world.tick(&mut one, 0);
    assert_eq!(world.texts(), ["[FIRING]"]);
    assert_eq!(Document::decode(world.store.as_deref().unwrap()).unwrap().book.dropped, 3);
    world.circuit_is("CLOSED");
    world.races = 1_000;
    world.swaps = 0;
    world.tick(&mut one, 1_000);
    assert_eq!((world.swaps, world.received.len()), (SWAPS_MAX as usize, 1));
    world.races = 0;
    world.tick(&mut one, 1_000);
    assert_eq!(world.texts(), ["[FIRING]", "[RESOLVED]"], "it was not lost");
}

#[test]
fn a_healthy_isolate_reads_rarely_and_writes_never() {
    let (mut world, mut one) = (World::new(), isolate());
    for _ in 0..6_000 {
        world.tick(&mut one, 100);
    }
    assert_eq!((world.reads, world.swaps), (2, 0), "ten minutes");
    let mut off = isolate();
    off = Monitor::new(settings::Settings {
        alerts: Settings { enabled: false, ..off.settings().alerts.clone() },
        ..settings::Settings::default()
    });
    world.circuit_is("OPEN");
    world.tick(&mut off, 1_000);
    assert_eq!((world.reads, world.swaps), (2, 0), "off is off");
}

#[test]
fn an_isolate_that_sees_an_outage_writes_only_to_renew_its_hold() {
    let (mut world, mut one) = (World::new(), isolate());
    world.circuit_is("OPEN");
    for _ in 0..600 {
        world.tick(&mut one, 1_000);
    }
    // Noted, settled, and renewed every two and a half minutes.
    assert!((2..=8).contains(&world.swaps), "{}", world.swaps);
    assert_eq!(world.texts(), ["[FIRING]"]);
}

#[test]
fn a_document_of_a_newer_release_is_left_alone_and_garbage_is_written_anew() {
    let (mut world, mut one) = (World::new(), isolate());
    world.store = Some(r#"{"version":9}"#.to_owned());
    world.circuit_is("OPEN");
    world.tick(&mut one, 0);
    assert_eq!(world.store.as_deref(), Some(r#"{"version":9}"#));
    assert_eq!(world.texts(), ["[FIRING]"]);
    let mut other = isolate();
    world.store = Some("{".to_owned());
    world.tick(&mut other, 1_000);
    assert!(Document::decode(world.store.as_deref().unwrap()).is_ok());
}

/// ALR-06: the health score of a monitor is watched with its threshold.
#[test]
fn a_low_score_is_told() {
    let mut world = World::new();
    let thresholds = Thresholds { health_score: 61.0, ..Thresholds::default() };
    let alerts = Settings { thresholds, ..isolate().settings().alerts.clone() };
    let mut one = Monitor::new(settings::Settings { alerts, ..settings::Settings::default() });
    world.circuit_is("OPEN");
    world.tick(&mut one, 0);
    let active: Vec<(String, Stage)> =
        one.alerts().document().book.active().map(|alert| (alert.rule.clone(), alert.stage)).collect();
    assert_eq!(active, [("circuitBreakerState".to_owned(), Stage::Firing), ("healthScore".to_owned(), Stage::Firing)]);
}
