//! A host that carries steps out by hand: it holds the clock, and says how each attempt ended.

use seawall::clock::{Instant, Millis};
use seawall::config::Config;
use seawall::config::parse::parse;
use seawall::engine::Engine;
use seawall::engine::step::{CallId, Ending, Step, Wait};
use seawall::error::Code;
use seawall::outcome::{Judgement, judge};
use seawall::policy::breaker::State;
use seawall::query::{Class, Kind, Query};
use seawall::report::status::Status;

/// When every test begins.
pub(crate) const START: Instant = Instant(1_795_000_000_000);

pub(crate) const READ: Query = Query::new(Class::Query, Kind::Read);
pub(crate) const WRITE: Query = Query::new(Class::Query, Kind::Write);

/// The server answered 503.
pub(crate) fn unavailable() -> Judgement {
    judge(503, "", true)
}

/// The request never left.
pub(crate) fn not_sent() -> Judgement {
    judge(0, "CONNECT_FAILED", false)
}

/// The connection was lost after the request had left.
pub(crate) fn lost() -> Judgement {
    judge(0, "CONNECTION_LOST", true)
}

pub(crate) fn settings(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
}

impl Host {
    pub(crate) fn new(text: &str) -> Self {
        Self::seeded(text, 1)
    }

    pub(crate) fn seeded(text: &str, seed: u64) -> Self {
        Self { engine: Engine::new(settings(text), seed, START), now: START }
    }

    pub(crate) fn later(&mut self, ms: Millis) -> &mut Self {
        self.now = self.now.plus(ms);
        self
    }

    pub(crate) fn begin(&mut self, query: Query) -> Step {
        self.engine.begin(query, self.now)
    }

    pub(crate) fn wake(&mut self, call: CallId) -> Step {
        self.engine.wake(call, self.now)
    }

    pub(crate) fn report(&mut self, call: CallId, judgement: Judgement) -> Step {
        self.engine.report(call, judgement, self.now)
    }

    /// Begins a call that must be let through at once.
    pub(crate) fn attempt(&mut self, query: Query) -> CallId {
        attempted(self.begin(query))
    }

    pub(crate) fn succeed(&mut self, call: CallId) {
        let step = self.report(call, Judgement::SUCCESS);
        assert!(matches!(step, Step::Done { ending: Ending::AsReported, .. }), "{step:?}");
    }

    /// One whole call whose only attempt ends as judged; what is to be tried again is given up.
    pub(crate) fn call(&mut self, judgement: Judgement) {
        let call = self.attempt(READ);
        if let Step::Wait { call, .. } = self.report(call, judgement) {
            self.engine.cancel(call, self.now);
        }
    }

    pub(crate) fn fail(&mut self, times: u32) -> &mut Self {
        for _ in 0..times {
            self.call(unavailable());
        }
        self
    }

    pub(crate) fn state(&self) -> State {
        self.engine.breaker().state(self.now)
    }

    pub(crate) fn status(&mut self) -> Status {
        Status::of(&mut self.engine, self.now)
    }

    pub(crate) fn reconfigure(&mut self, text: &str) {
        self.engine.reconfigure(settings(text));
    }
}

/// The call that a step lets through.
pub(crate) fn attempted(step: Step) -> CallId {
    match step {
        Step::Attempt { call, .. } => call,
        other => panic!("expected an attempt, got {other:?}"),
    }
}

/// The call that waits for a lease, and until when.
pub(crate) fn queued(step: Step) -> (CallId, Instant) {
    match step {
        Step::Wait { call, until, what: Wait::Lease } => (call, until),
        other => panic!("expected to wait for a lease, got {other:?}"),
    }
}

/// The delay of a call that is to be tried again.
pub(crate) fn backed_off(step: Step, now: Instant) -> (CallId, Millis) {
    match step {
        Step::Wait { call, until, what: Wait::Backoff } => (call, until.since(now)),
        other => panic!("expected a delay, got {other:?}"),
    }
}

/// Why a step refuses.
pub(crate) fn refused(step: Step) -> Code {
    match step {
        Step::Refuse { code, .. } => code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// How a step ended the call, after how many attempts.
pub(crate) fn ended(step: Step) -> (Ending, u32) {
    match step {
        Step::Done { ending, attempts } => (ending, attempts),
        other => panic!("expected the end, got {other:?}"),
    }
}
