//! The stories in tests/conformance/steps, told by the Worker's driver on a hand-set clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use seawall::clock::{Instant, Millis};
use seawall::config::parse;
use seawall::engine::Engine;
use seawall::engine::step::CallId;
use seawall::error::{CODES, Code};
use seawall::outcome::{Judgement, judge};
use seawall::query::{Class, Kind, Query};
use seawall::worker::driver::{AttemptCx, Failed, Host, run};
use serde::Deserialize;
use serde_json::{Value, json};

const START: Instant = Instant(1_795_000_000_000);
/// No story lasts longer, in milliseconds.
const STORY_MAX_MS: Millis = 100_000;

#[derive(Deserialize)]
struct Story {
    about: String,
    settings: Value,
    polling: bool,
    operations: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    after: Millis,
    class: String,
    kind: String,
    #[serde(default)]
    held: bool,
    timeout: Option<Millis>,
    attempts: Vec<Attempt>,
    expect: Vec<String>,
    #[serde(default)]
    beside: Vec<Told>,
}

#[derive(Deserialize)]
struct Attempt {
    #[serde(default)]
    takes: Millis,
    #[serde(default)]
    hangs: bool,
    status: Option<u16>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    sent: bool,
}

impl Told {
    fn query(&self) -> Query {
        let class = match self.class.as_str() {
            "query" => Class::Query,
            "transaction" => Class::Transaction,
            "batch" => Class::Batch,
            "healthCheck" => Class::HealthCheck,
            other => panic!("class {other}"),
        };
        let kind = match self.kind.as_str() {
            "read" => Kind::Read,
            "write" => Kind::Write,
            "unknown" => Kind::Unknown,
            other => panic!("kind {other}"),
        };
        let plain = Query::new(class, kind);
        Query { is_held: self.held, timeout_ms: self.timeout, ..plain }
    }
}

/// One isolate whose time moves by hand.
struct World {
    now: Cell<Instant>,
    engine: RefCell<Engine>,
    is_polling: bool,
}

impl World {
    fn until(&self, at: Instant) -> impl Future<Output = ()> {
        poll_fn(move |_| if self.now.get() >= at { Poll::Ready(()) } else { Poll::Pending })
    }
}

/// One operation of a story.
struct Actor<'a> {
    world: &'a World,
    told: &'a Told,
    trace: RefCell<Vec<String>>,
    made: Cell<usize>,
    ended_at: Cell<Instant>,
}

impl Host for Actor<'_> {
    type Value = ();
    type Failure = (u16, String, bool);

    fn now(&self) -> Instant {
        self.world.now.get()
    }

    fn with_engine<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T {
        work(&mut self.world.engine.borrow_mut())
    }

    fn sleep(&self, ms: Millis) -> impl Future<Output = ()> {
        self.world.until(self.now().plus(ms))
    }

    async fn wait_for_lease(&self, call: CallId, ms: Millis) {
        let mut timer = pin!(self.sleep(ms));
        poll_fn(|cx| {
            let is_turn = !self.world.is_polling && self.world.engine.borrow().next_waiter() == Some(call);
            if is_turn { Poll::Ready(()) } else { timer.as_mut().poll(cx) }
        })
        .await;
    }

    async fn attempt(&self, cx: AttemptCx) -> Result<(), Self::Failure> {
        if self.made.get() > 0 {
            self.trace.borrow_mut().push(format!("wait {}", self.now().since(self.ended_at.get())));
        }
        self.trace.borrow_mut().push(format!("attempt {}", cx.timeout_ms));
        let attempt = self.told.attempts.get(self.made.get()).expect("an attempt that the story tells of");
        self.made.set(self.made.get() + 1);
        assert!(cx.number as usize <= self.made.get());
        if attempt.hangs {
            pending::<()>().await;
        }
        self.sleep(attempt.takes).await;
        self.ended_at.set(self.now());
        match attempt.status {
            None => Ok(()),
            Some(status) => Err((status, attempt.code.clone(), attempt.sent)),
        }
    }

    fn judge(&self, (status, code, sent): &Self::Failure) -> Judgement {
        judge(*status, code, *sent)
    }
}

impl Actor<'_> {
    async fn act(&self) {
        let start = self.now();
        let ended = run(self, self.told.query()).await;
        let name = |code: Code| CODES[code as usize - 1].name;
        let word = match ended {
            Ok(()) => "value".to_owned(),
            Err(Failed::Upstream((_, code, _))) => format!("error {code}"),
            Err(Failed::Refused { code, .. }) => format!("refused {}", name(code)),
            Err(Failed::Ended { code, .. }) => format!("ended {}", name(code)),
        };
        self.trace.borrow_mut().push(format!("{word} at {}", self.now().since(start)));
        assert_eq!(self.made.get(), self.told.attempts.len(), "attempts");
    }
}

fn tell(story: &Story) {
    let mut settings = story.settings.clone();
    settings["platform"] = json!({ "isProduction": true, "isPolling": story.polling, "database": "story" });
    let config = parse::parse(&settings.to_string()).expect("settings");
    let engine = RefCell::new(Engine::new(config, 7, START));
    let world = World { now: Cell::new(START), engine, is_polling: story.polling };
    for told in &story.operations {
        world.now.set(world.now.get().plus(told.after));
        let all: Vec<&Told> = std::iter::once(told).chain(&told.beside).collect();
        let actors: Vec<Actor<'_>> = all.iter().map(|told| actor(&world, told)).collect();
        live(&world, actors.iter().map(|actor| Box::pin(actor.act()) as Pin<Box<dyn Future<Output = ()>>>).collect());
        for actor in &actors {
            assert_eq!(*actor.trace.borrow(), actor.told.expect, "{}", story.about);
        }
    }
    assert_eq!(world.engine.borrow().running(), 0, "{}: calls that never ended", story.about);
}

fn actor<'a>(world: &'a World, told: &'a Told) -> Actor<'a> {
    let ended_at = Cell::new(world.now.get());
    Actor { world, told, trace: RefCell::default(), made: Cell::new(0), ended_at }
}

/// Lets time pass, a millisecond at a time, until all have ended. In each, whoever can go on does.
fn live(world: &World, mut running: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    let mut cx = Context::from_waker(Waker::noop());
    let latest = world.now.get().plus(STORY_MAX_MS);
    loop {
        for _ in 0..3 {
            running.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
        }
        if running.is_empty() {
            return;
        }
        assert!(world.now.get() < latest, "a story without end");
        world.now.set(world.now.get().plus(1));
    }
}

#[test]
fn every_story_is_told_as_by_the_other_driver() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/steps");
    let stories: BTreeMap<String, Story> = fs::read_dir(folder)
        .expect("the stories")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a story");
            (path.display().to_string(), serde_json::from_str(&text).expect("a story"))
        })
        .collect();
    assert!(stories.len() >= 10);
    stories.values().for_each(tell);
}

/// A request that is cancelled half way gives back what it held.
#[test]
fn a_dropped_call_gives_its_lease_back() {
    let settings = json!({ "connectionPool": { "maxConnections": 1 }, "platform": { "isPolling": true } });
    let engine = RefCell::new(Engine::new(parse::parse(&settings.to_string()).expect("settings"), 7, START));
    let world = World { now: Cell::new(START), engine, is_polling: true };
    let hanging = Attempt { takes: 0, hangs: true, status: None, code: String::new(), sent: false };
    let told = Told {
        after: 0,
        class: "query".to_owned(),
        kind: "read".to_owned(),
        held: false,
        timeout: None,
        attempts: vec![hanging],
        expect: Vec::new(),
        beside: Vec::new(),
    };
    let actor = actor(&world, &told);
    {
        let mut call = pin!(actor.act());
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(world.engine.borrow_mut().pool(START).in_use(), 1);
    }
    assert_eq!(world.engine.borrow_mut().pool(START).in_use(), 0);
    assert_eq!(world.engine.borrow().running(), 0);
}
