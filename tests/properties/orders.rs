//! Laws of orders: whoever writes at once, in whatever order their steps interleave, and whoever dies in between.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::http::auth::Access;
use seawall::http::exchange::{Answer, Cx, Next, Question, swap};
use seawall::http::{Request, Response, routes};
use seawall::monitor::{Monitor, Settings};
use seawall::orders::Name;
use seawall::orders::order::Order;
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";
const KEY: &str = "orders/flags";

/// What all isolates share: the strong store, and a read cache whose puts arrive when they are made.
#[derive(Default)]
struct Stores {
    strong: BTreeMap<String, String>,
    cache: BTreeMap<String, String>,
    /// The versions that were ever there, in order.
    history: Vec<u64>,
}

impl Stores {
    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Read { key } => Answer::Text(self.strong.get(&key).cloned()),
            Question::ReadAll { keys } => Answer::Texts(keys.iter().map(|key| self.strong.get(key).cloned()).collect()),
            Question::List { prefix } => {
                Answer::Keys(self.strong.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
            }
            Question::ReadCached { key } => Answer::Text(self.cache.get(&key).cloned()),
            Question::PutCached { key, text } => {
                self.cache.insert(key, text);
                Answer::Cached(true)
            }
            Question::Swap { changes } => {
                let is_swapped = swap(&mut self.strong, changes);
                if is_swapped {
                    self.history.push(version_of(self.strong.get(KEY)));
                }
                Answer::Swapped(is_swapped)
            }
            other => panic!("{other:?}"),
        }
    }
}

fn version_of(text: Option<&String>) -> u64 {
    text.map_or(0, |text| Order::read(Name::Flags, text).unwrap().version)
}

/// One isolate: it reads by way of the cache, or signs the order with its number.
struct Isolate {
    number: usize,
    monitor: Monitor,
    running: Option<(bool, Next)>,
    /// The version that it knows, and who has signed.
    known: (String, Vec<Value>),
    seen: Vec<u64>,
    signed: usize,
}

impl Isolate {
    fn new(number: usize) -> Self {
        let settings = Settings { admin_token: Access::by_token(TOKEN), ..Settings::default() };
        let known = ("\"0\"".to_owned(), Vec::new());
        Self { number, monitor: Monitor::new(settings), running: None, known, seen: Vec::new(), signed: 0 }
    }

    /// Goes one step on; begins a write or a read if nothing runs.
    fn step(&mut self, is_write: bool, now: u64, random: u64, stores: &mut Stores) {
        let mut cx = Cx { monitor: &mut self.monitor, now: Instant(now), random };
        let (is_write, next) = match self.running.take() {
            Some((is_write, Next::Ask(question, then))) => {
                let answer = stores.answer(question);
                (is_write, then(answer, &mut cx))
            }
            _ if is_write => {
                let mut writers = self.known.1.clone();
                writers.push(json!(format!("{}:{}", self.number, self.signed)));
                let body = json!({"value": {"version": 1, "kill": writers}, "reason": "a law"}).to_string();
                let headers = [("if-match", self.known.0.as_str()), ("content-type", "application/json")];
                (true, routes::begin(&request("PUT", "", &headers, body), &mut cx))
            }
            _ => (false, routes::begin(&request("GET", "cached=true", &[], String::new()), &mut cx)),
        };
        match next {
            Next::Respond(response) => self.hear(is_write, &response),
            next => self.running = Some((is_write, next)),
        }
    }

    fn hear(&mut self, is_write: bool, response: &Response) {
        let document: Value = serde_json::from_str(&response.body).unwrap();
        if response.status != 200 {
            assert!(is_write && [409, 412].contains(&response.status), "{response:?}");
            assert!(document["currentVersion"].as_u64() > document["expectedVersion"].as_u64(), "{response:?}");
            return;
        }
        self.signed += usize::from(is_write);
        self.seen.push(document["version"].as_u64().unwrap());
        let writers = document["value"]["kill"].as_array().cloned().unwrap_or_default();
        self.known = (response.header("etag").unwrap().to_owned(), writers);
    }
}

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: String) -> Request {
    let mut all = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    all.extend(headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    let path = "/admin/api/orders/flags".to_owned();
    Request { method: method.to_owned(), path, query: query.to_owned(), headers: all, body, ..Request::default() }
}

/// What happens next: which isolate, whether it dies, whether it would rather write, and how much time passes.
type Event = (usize, bool, bool, u64);

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0_usize..5, prop::bool::weighted(0.03), any::<bool>(), 0_u64..2_000);
    prop::collection::vec(event, 0..600)
}

proptest! {
    /// Versions rise by one, no accepted order is lost, no isolate sees a version go back, and a cache that a writer left
    /// behind is mended by the first reader after a minute.
    #[test]
    fn orders_rise_and_are_never_lost(events in events()) {
        let mut stores = Stores::default();
        let mut isolates: Vec<Isolate> = (0..5).map(Isolate::new).collect();
        let mut accepted = 0;
        let mut born = isolates.len();
        let mut now = 1_704_067_200_000;
        for (random, (index, dies, is_write, passed)) in (0_u64..).zip(events) {
            now += passed;
            if dies {
                accepted += isolates[index].signed;
                isolates[index] = Isolate::new(born);
                born += 1;
                continue;
            }
            isolates[index].step(is_write, now, random, &mut stores);
            prop_assert!(isolates[index].seen.is_sorted());
        }
        let count = stores.history.len() as u64;
        prop_assert_eq!(&stores.history, &(1..=count).collect::<Vec<u64>>());
        accepted += isolates.iter().map(|isolate| isolate.signed).sum::<usize>();
        // A write whose isolate died, or that is under way, may be there without having been told of.
        prop_assert!(accepted as u64 <= count);
        let text = stores.strong.get(KEY).cloned();
        let order = text.as_deref().map(|text| Order::read(Name::Flags, text).unwrap());
        let mut writers: Vec<String> = order
            .map(|order| order.value["kill"].as_array().unwrap().iter().map(Value::to_string).collect())
            .unwrap_or_default();
        prop_assert_eq!(writers.len() as u64, count, "each order holds what those before it held");
        writers.sort();
        writers.dedup();
        prop_assert!(writers.len() >= accepted);
        let mut reader = Isolate::new(born);
        now += 60_000;
        while reader.seen.is_empty() {
            reader.step(false, now, 1, &mut stores);
        }
        prop_assert_eq!(reader.seen, vec![count]);
        prop_assert_eq!(version_of(stores.cache.get(KEY)), count);
    }

    /// A cache is never behind once every writer has ended, whatever came in between.
    #[test]
    fn a_cache_has_the_newest_when_all_writers_have_ended(events in events()) {
        let mut stores = Stores::default();
        let mut isolates: Vec<Isolate> = (0..5).map(Isolate::new).collect();
        for (random, (index, _, _, _)) in (0_u64..).zip(events) {
            isolates[index].step(true, 1_704_067_200_000, random, &mut stores);
        }
        for isolate in &mut isolates {
            while isolate.running.is_some() {
                isolate.step(true, 1_704_067_200_000, 0, &mut stores);
            }
        }
        prop_assert_eq!(version_of(stores.cache.get(KEY)), stores.history.len() as u64);
    }
}
