//! Laws of what operators do at once, wherever isolates die, answers get lost or come late, and clocks step: an order is
//! neither lost nor doubled nor half-applied, and there is one record of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seawall::audit::entry::Entry;
use seawall::audit::seq_of;
use seawall::clock::Instant;
use seawall::http::auth::Access;
use seawall::http::exchange::{Answer, Change, Cx, Next, Question, swap};
use seawall::http::{Request, Response, routes};
use seawall::monitor::{Monitor, Settings};
use seawall::orders::order::Order;
use seawall::orders::{Name, follow, history_key};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";
const OPERATORS: usize = 4;
const ISOLATES: usize = 3;
/// An hour before midnight, so that days end while things happen.
const START: u64 = 1_704_067_200_000 - 3_600_000;
const NAMES: [Name; 3] = [Name::Kill, Name::Control, Name::Flags];

/// What happens to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is answered.
    Answered,
    /// It is never done.
    Refused,
    /// It is done, and the answer is lost.
    Lost,
    /// A client of the store repeats it, and only the second answer arrives.
    Repeated,
    /// It is done later, when nobody waits for it any more.
    Late,
    /// It is done, and the isolate dies with all that it had under way.
    Died,
}

#[derive(Default)]
struct Store {
    texts: BTreeMap<String, String>,
    late: Vec<Vec<Change>>,
}

impl Store {
    fn answer(&mut self, question: Question, fate: Fate) -> Answer {
        let failed = || Answer::Failed("The store is gone.".to_owned());
        match (question, fate) {
            (_, Fate::Refused) => failed(),
            (Question::Swap { changes }, Fate::Late) => {
                self.late.push(changes);
                failed()
            }
            (Question::Swap { changes }, Fate::Repeated) => {
                swap(&mut self.texts, changes.clone());
                Answer::Swapped(swap(&mut self.texts, changes))
            }
            (question, Fate::Lost | Fate::Late) => {
                self.done(question);
                failed()
            }
            (question, Fate::Answered | Fate::Repeated | Fate::Died) => self.done(question),
        }
    }

    fn done(&mut self, question: Question) -> Answer {
        let text = |key: &String| self.texts.get(key).cloned();
        match question {
            Question::Read { key } => Answer::Text(text(&key)),
            Question::ReadAll { keys } => Answer::Texts(keys.iter().map(text).collect()),
            Question::List { prefix } => {
                Answer::Keys(self.texts.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
            }
            Question::Swap { changes } => Answer::Swapped(swap(&mut self.texts, changes)),
            Question::ReadCached { .. } => Answer::Text(None),
            Question::PutCached { .. } => Answer::Cached(false),
            Question::Obey { .. } => Answer::Obeyed,
            other => panic!("{other:?}"),
        }
    }

    fn order(&self, name: Name) -> Option<Order> {
        self.texts.get(&name.key()).map(|text| Order::read(name, text).unwrap())
    }

    fn records(&self) -> Vec<Entry> {
        let texts = self.texts.iter().filter(|(key, _)| seq_of(key).is_some());
        texts.map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
    }
}

struct Isolate {
    monitor: Monitor,
    /// Rises when it dies.
    life: usize,
}

impl Isolate {
    fn new(life: usize) -> Self {
        let mut settings = Settings { admin_token: Access::by_token(TOKEN), ..Settings::default() };
        settings.admin.writes_per_minute = 100_000;
        settings.admin.kills_per_minute = 100_000;
        Self { monitor: Monitor::new(settings), life }
    }
}

/// One who sends a request again, with its key, until he is told what became of it.
struct Operator {
    number: usize,
    sent: usize,
    request: Option<(String, Request)>,
    running: Option<(usize, usize, Next)>,
}

/// What operators were told, by the reason that they gave.
#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    refused: Vec<String>,
}

struct World {
    store: Store,
    isolates: Vec<Isolate>,
    operators: Vec<Operator>,
    told: Told,
    now: u64,
    random: u64,
}

impl World {
    fn new() -> Self {
        let operator = |number| Operator { number, sent: 0, request: None, running: None };
        Self {
            store: Store::default(),
            isolates: (0..ISOLATES).map(|_| Isolate::new(0)).collect(),
            operators: (0..OPERATORS).map(operator).collect(),
            told: Told::default(),
            now: START,
            random: 1,
        }
    }

    /// What an operator sends next.
    fn request(&self, operator: &Operator, kind: u8) -> (String, Request) {
        let reason = format!("number {} of {}", operator.sent, operator.number);
        let flag = format!("{}:{}", operator.number, operator.sent);
        let (method, path, body) = match kind {
            0 => ("POST", "/kill", json!({ "reason": reason, "flags": [flag] })),
            1 => ("POST", "/circuits/primary/reset", json!({ "reason": reason })),
            2 => ("POST", "/pools/primary/drain", json!({ "reason": reason })),
            3 => ("POST", "/circuits/primary/hold", json!({ "reason": reason, "state": "open" })),
            _ => ("PUT", "/orders/flags", json!({ "reason": reason, "value": { "version": 1, "kill": [flag] } })),
        };
        let version = self.store.order(Name::Flags).map_or(0, |order| order.version);
        let headers = [
            ("authorization", format!("Bearer {TOKEN}")),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", flag),
            ("if-match", if kind == 5 { "*".to_owned() } else { format!("\"{version}\"") }),
        ];
        let request = Request {
            method: method.to_owned(),
            path: format!("/admin/api{path}"),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: body.to_string(),
            ..Request::default()
        };
        (reason, request)
    }

    /// Has an operator's request go one question on, or sends one.
    fn step(&mut self, number: usize, isolate: usize, kind: u8, fate: Fate) {
        self.random += 1;
        let (now, random) = (Instant(self.now), self.random);
        let running = self.operators[number].running.take();
        let alive = running.filter(|(at, life, _)| self.isolates[*at].life == *life);
        let (at, next) = match alive {
            Some((at, life, Next::Ask(question, then))) => {
                let answer = self.store.answer(question, fate);
                if fate == Fate::Died {
                    self.isolates[at] = Isolate::new(life + 1);
                    return;
                }
                (at, then(answer, &mut Cx { monitor: &mut self.isolates[at].monitor, now, random }))
            }
            _ => {
                if self.operators[number].request.is_none() {
                    self.operators[number].sent += 1;
                    let request = self.request(&self.operators[number], kind);
                    self.operators[number].request = Some(request);
                }
                let (_, request) = self.operators[number].request.as_ref().unwrap();
                let mut cx = Cx { monitor: &mut self.isolates[isolate].monitor, now, random };
                (isolate, routes::begin(request, &mut cx))
            }
        };
        match next {
            Next::Respond(response) => self.hear(number, &response),
            next => self.operators[number].running = Some((at, self.isolates[at].life, next)),
        }
    }

    fn hear(&mut self, number: usize, response: &Response) {
        let (reason, _) = self.operators[number].request.clone().unwrap();
        match response.status {
            200 => self.told.acknowledged.push(reason),
            // Nobody knows, or nothing was done: he sends it again.
            429 | 503 => return,
            409 | 412 => self.told.refused.push(reason),
            _ => panic!("{response:?}"),
        }
        self.operators[number].request = None;
    }

    /// Background work of an isolate, which looks at the orders. Nothing that it has seen is taken back.
    fn look(&mut self, isolate: usize, fate: Fate) {
        let versions = |monitor: &Monitor| NAMES.map(|name| monitor.orders().newest(name).map(|order| order.version));
        let monitor = &mut self.isolates[isolate].monitor;
        let before = versions(monitor);
        let mut cx = Cx { monitor, now: Instant(self.now), random: 7 };
        let mut next = follow::begin(&mut cx);
        while let Next::Ask(question, then) = next {
            // It only reads, so nothing of it can come late.
            next = then(self.store.answer(question, if fate == Fate::Late { Fate::Lost } else { fate }), &mut cx);
        }
        let after = versions(&self.isolates[isolate].monitor);
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{before:?} {after:?}");
    }

    /// What came late arrives, and everybody is told at last.
    fn end(&mut self) {
        for changes in std::mem::take(&mut self.store.late) {
            swap(&mut self.store.texts, changes);
        }
        for number in 0..OPERATORS {
            while self.operators[number].request.is_some() {
                self.now += 1_000;
                self.step(number, 0, 0, Fate::Answered);
            }
        }
    }
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        20 => Just(Fate::Answered),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Repeated),
        1 => Just(Fate::Late),
        1 => Just(Fate::Died),
    ]
}

/// Who goes on, at which isolate, with what, and what becomes of it; then what else happens: 0 to 5, and minutes that pass.
type Event = (usize, usize, u8, Fate, u8, i64);

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..OPERATORS, 0..ISOLATES, 0_u8..6, fates(), 0_u8..40, -20_i64..25);
    prop::collection::vec(event, 0..400)
}

fn happen(world: &mut World, events: Vec<Event>) {
    for (operator, isolate, kind, fate, what, minutes) in events {
        match what {
            0 => {
                world.now =
                    world.now.saturating_add_signed(minutes * 60_000).clamp(START - 7_200_000, START + 7_200_000)
            }
            1 => world.look(isolate, fate),
            // What came late arrives, out of turn.
            2 if !world.store.late.is_empty() => {
                let late = world.store.late.remove(minutes.unsigned_abs() as usize % world.store.late.len());
                swap(&mut world.store.texts, late);
            }
            _ => world.step(operator, isolate, kind, fate),
        }
    }
    world.end();
}

/// The answer of a page of the log that is asked of an isolate that has just begun.
fn verified(world: &mut World, from: u64) -> Value {
    let mut isolate = Isolate::new(0);
    let mut cx = Cx { monitor: &mut isolate.monitor, now: Instant(world.now), random: 3 };
    let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    let (method, path) = ("GET".to_owned(), "/admin/api/audit/verify".to_owned());
    let request = Request { method, path, query: format!("from={from}"), headers, ..Request::default() };
    let mut next = routes::begin(&request, &mut cx);
    loop {
        next = match next {
            Next::Ask(question, then) => then(world.store.done(question), &mut cx),
            Next::Respond(response) => return serde_json::from_str(&response.body).unwrap(),
            Next::Done => panic!("no response"),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whoever was told that it was done finds one record of it, whoever was refused none; versions rise by one, each has
    /// its record, and the chain is whole.
    #[test]
    fn what_operators_do_is_neither_lost_nor_doubled_nor_half_applied(events in events()) {
        let mut world = World::new();
        happen(&mut world, events);
        let records = world.store.records();
        let count = |reason: &String| records.iter().filter(|record| record.reason == *reason).count();
        for reason in &world.told.acknowledged {
            prop_assert_eq!(count(reason), 1, "acknowledged: {}", reason);
        }
        for reason in &world.told.refused {
            prop_assert_eq!(count(reason), 0, "refused: {}", reason);
        }
        prop_assert_eq!(records.len(), world.told.acknowledged.len(), "everybody was told");
        let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
        prop_assert_eq!(&seqs, &(1..=records.len() as u64).collect::<Vec<_>>());
        for name in NAMES {
            let version = world.store.order(name).map_or(0, |order| order.version);
            let written = records.iter().filter(|record| record.target == name.key());
            let versions: Vec<u64> = written.filter_map(|record| record.after["version"].as_u64()).collect();
            prop_assert_eq!(versions, (1..=version).collect::<Vec<_>>(), "{}", name);
            for old in 1..version {
                let text = &world.store.texts[&history_key(name, old)];
                prop_assert_eq!(Order::read(name, text).map(|order| order.version), Ok(old));
            }
        }
        // What the orders say is what was recorded.
        let done = |action: &str| records.iter().filter(|record| record.action == action).count();
        let control = world.store.order(Name::Control).map(|order| order.value).unwrap_or_default();
        let number = |value: &Value| value.as_u64().unwrap_or_default() as usize;
        prop_assert_eq!(number(&control["circuits"]["primary"]["resets"]), done("resetCircuit"));
        prop_assert_eq!(number(&control["pools"]["primary"]["drains"]), done("drainPool"));
        let kill = world.store.order(Name::Kill).map(|order| order.value).unwrap_or_default();
        prop_assert_eq!(kill["flags"].as_array().map_or(0, Vec::len), done("kill"));
        for from in (1..=records.len() as u64).step_by(100) {
            let verified = verified(&mut world, from);
            prop_assert_eq!(&verified["isWhole"], true, "{}", verified);
        }
    }

    /// An isolate that begins afterwards has seen the newest of all orders by its second look.
    #[test]
    fn whoever_begins_sees_what_holds(events in events()) {
        let mut world = World::new();
        happen(&mut world, events);
        world.isolates[0] = Isolate::new(9);
        for fate in [Fate::Refused, Fate::Answered] {
            world.now += 1_000;
            world.look(0, fate);
        }
        for name in NAMES {
            let seen = world.isolates[0].monitor.orders().newest(name).cloned();
            prop_assert_eq!(seen, world.store.order(name));
        }
    }
}
