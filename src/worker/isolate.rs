//! What the requests of one isolate share, and what each of them brings along.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::rc::Rc;

use serde_json::json;
use worker::Env;
use worker::js_sys::Reflect;

use super::clock;
use super::driver::{self, AttemptCx, Host};
use super::kv::{self, Place, Store, StoreFailed};
use super::upstream::{self, Failure};
use super::watched;
use crate::clock::{Instant, Millis};
use crate::config::update;
use crate::config::variables::{self, Settings};
use crate::engine::Engine;
use crate::engine::step::CallId;
use crate::hrana::proto::{PipelineRequest, PipelineResponse};
use crate::orders::control::Hold;
use crate::orders::follow::Command;
use crate::outcome::{Judgement, judge};
use crate::policy::breaker::Forced;
use crate::policy::lease::Cleanup;
use crate::query::{Class, Kind, Query};
use crate::report::facts::{ConnectionFacts, DatabaseFacts, TimesFacts};
use crate::report::probe::{Probe, ProbeAnswer};
use crate::report::status::Status;
use crate::telemetry::events;
use crate::telemetry::logs::{Level, Record};
use crate::telemetry::span::{self, Attributes, Codes, Span};
use crate::telemetry::trace_context::TraceContext;
use crate::telemetry::watch::Tracing;

/// A cold isolate waits at most this long for what others know, in milliseconds.
const COLD_READ_MS: Millis = 100;
/// A background read or write that takes longer is given up, in milliseconds.
const STORE_MS: Millis = 5_000;
/// A probe that has not come back this long after its deadline never will, in milliseconds.
const PROBE_GRACE_MS: Millis = 1_000;
/// What the one database is called in documents and orders.
pub(super) const DATABASE: &str = "primary";
/// What the npm package calls its probes in traces.
const HEALTH_CHECK: &str = "healthCheck";
/// Spans that wait for the monitor to take them.
const SPANS_MAX: usize = 256;

thread_local! {
    static ISOLATE: OnceCell<Result<Rc<Isolate>, Rc<str>>> = const { OnceCell::new() };
}

/// What the requests of one isolate share.
pub(super) struct Isolate {
    settings: Settings,
    engine: RefCell<Engine>,
    probe: Cell<Probe>,
    has_near: bool,
    /// Where it is: the first request that knows tells the others.
    colo: OnceCell<String>,
    /// When the latest probe ended of which the log knows.
    told_at_ms: Cell<u64>,
    /// What spans say of the database, once something is traced.
    place: OnceCell<Attributes>,
    codes: RefCell<Codes>,
    spans: RefCell<Vec<Span>>,
}

impl Isolate {
    /// This isolate, made by the first event that asks; or what is wrong with the settings.
    pub(super) fn of(env: &Env, place: &Place) -> Result<Rc<Self>, Rc<str>> {
        let isolate = ISOLATE
            .with(|isolate| isolate.get_or_init(|| Self::new(env, place).map(Rc::new).map_err(Rc::from)).clone())?;
        if let Some(colo) = &place.colo {
            isolate.colo.get_or_init(|| colo.clone());
        }
        Ok(isolate)
    }

    fn new(env: &Env, place: &Place) -> Result<Self, String> {
        let has_near = place.has_cache && kv::is_bound(env);
        let settings = variables::read(|name| variable(env, name), has_near)?;
        let engine = Engine::new(settings.checked.config.clone(), clock::seed(), clock::now());
        Ok(Self {
            settings,
            engine: RefCell::new(engine),
            probe: Cell::default(),
            has_near,
            colo: OnceCell::new(),
            told_at_ms: Cell::default(),
            place: OnceCell::new(),
            codes: RefCell::default(),
            spans: RefCell::default(),
        })
    }
}

impl Isolate {
    /// Another name of the database: where it is.
    pub(super) fn address_name(&self) -> &str {
        &self.settings.address.name
    }

    /// Does what an operator ordered.
    ///
    /// # Errors
    ///
    /// What is wrong with settings; nothing has changed then.
    pub(super) fn obey(&self, command: &Command, now: Instant) -> Result<(), String> {
        let mut engine = self.engine.borrow_mut();
        match command {
            Command::Hold { state, .. } => {
                let forced = state.map(|state| match state {
                    Hold::Open => Forced::Open,
                    Hold::Closed => Forced::Closed,
                });
                engine.force(forced, now);
            }
            Command::Reset { .. } => engine.reset_breaker(now),
            Command::Drain { is_all, .. } => {
                engine.clean_up(if *is_all { Cleanup::All } else { Cleanup::Idle }, now);
            }
            Command::Configure { settings } => {
                let checked = update::over(&self.settings.raw, settings).map_err(|problems| problems.to_string())?;
                engine.reconfigure(checked.config);
            }
            // There is one database, and it is nobody's.
            Command::Tenants { .. } => {}
        }
        Ok(())
    }

    /// What has happened since the last time, as log records.
    pub(super) fn take_records(&self, trace: Option<&TraceContext>) -> Vec<Record> {
        let database = &self.settings.address.name;
        let (events, dropped) = self.engine.borrow_mut().notes_mut().take_events();
        let mut records: Vec<Record> =
            events.into_iter().filter_map(|(at, note)| events::record_of(note, at, database, trace)).collect();
        if dropped > 0 {
            let more = json!({ "count": dropped });
            records.push(events::record(Level::Warn, "events dropped", clock::now(), database, trace, more));
        }
        if let Some(probe) = self.probe.get().found()
            && self.told_at_ms.replace(probe.at_ms) != probe.at_ms
        {
            let (level, msg) =
                if probe.is_connected { (Level::Debug, "probe answered") } else { (Level::Error, "probe failed") };
            let more = json!({ "durationMs": probe.duration_ms });
            records.push(events::record(level, msg, Instant(probe.at_ms), database, trace, more));
        }
        records
    }

    /// What spans say of the database.
    pub(super) fn place(&self) -> &Attributes {
        self.place.get_or_init(|| span::place(&self.settings.address))
    }

    /// Lends the codes that have been told.
    pub(super) fn with_codes<T>(&self, work: impl FnOnce(&mut Codes) -> T) -> T {
        work(&mut self.codes.borrow_mut())
    }

    /// Keeps spans until they are taken. Those of requests that were lost wait for the next request.
    pub(super) fn keep_spans(&self, spans: Vec<Span>) {
        let mut kept = self.spans.borrow_mut();
        let room = SPANS_MAX.saturating_sub(kept.len());
        kept.extend(spans.into_iter().take(room));
    }

    /// The spans that have ended since the last time.
    pub(super) fn take_spans(&self) -> Vec<Span> {
        self.spans.take()
    }
}

/// A variable or a secret. Wrangler's configuration may hold a number where a shell would hold its digits.
pub(super) fn variable(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &name.into()).ok()?;
    value.as_string().or_else(|| value.as_f64().map(|number| number.to_string()))
}

/// One request in the isolate, with what only it may use.
pub(super) struct Visit {
    isolate: Rc<Isolate>,
    token: Option<String>,
    store: Option<Store>,
    /// How what it does is traced, if it is.
    tracing: Option<Tracing>,
}

impl Visit {
    /// A visit with the bindings of its own request.
    pub(super) fn new(isolate: Rc<Isolate>, env: &Env, tracing: Option<Tracing>) -> Self {
        let token = variable(env, variables::AUTH_TOKEN).filter(|token| !token.is_empty());
        let store = Store::bound(env, &isolate.settings.address.name, isolate.colo.get().map(String::as_str));
        Self { isolate, token, store, tracing }
    }

    /// Where it is.
    pub(super) fn isolate(&self) -> &Isolate {
        &self.isolate
    }

    /// Asks the database whether it is there, once, with these headers beside its own.
    pub(super) async fn send(&self, more_headers: &[(&'static str, String)]) -> Result<PipelineResponse, Failure> {
        let pipeline = PipelineRequest::single("SELECT 1");
        upstream::send(&self.isolate.settings.address, self.token.as_deref(), &pipeline, more_headers).await
    }

    /// From what age on a scheduled check asks the database again, in milliseconds.
    pub(super) fn health_check_interval_ms(&self) -> Millis {
        self.isolate.settings.checked.config.health_check_interval_ms
    }

    /// Makes sure that the latest probe is at most `interval_ms` old.
    pub(super) async fn probe(&self, interval_ms: Millis) {
        loop {
            match self.with_probe(|probe, limit_ms| probe.decide(interval_ms, limit_ms, clock::now())) {
                ProbeAnswer::Known => return,
                ProbeAnswer::LookAgain(ms) => clock::sleep(ms).await,
                ProbeAnswer::Send => {
                    self.read_if_cold().await;
                    let query = Query::new(Class::HealthCheck, Kind::Read);
                    let ended = match &self.tracing {
                        None => driver::run(self, query).await,
                        Some(tracing) => watched::run(self, HEALTH_CHECK, query, tracing.clone()).await,
                    };
                    let is_connected = ended.is_ok();
                    self.with_probe(|probe, _| probe.ended(is_connected, clock::now()));
                    return;
                }
            }
        }
    }

    fn with_probe<T>(&self, change: impl FnOnce(&mut Probe, Millis) -> T) -> T {
        let limit_ms = COLD_READ_MS + self.isolate.settings.checked.config.deadlines.health_check_ms + PROBE_GRACE_MS;
        let mut probe = self.isolate.probe.get();
        let answer = change(&mut probe, limit_ms);
        self.isolate.probe.set(probe);
        answer
    }

    /// What is known of the database at `now`, without asking it.
    pub(super) fn facts(&self, now: Instant) -> DatabaseFacts {
        let probe = self.isolate.probe.get().found();
        self.with_engine(|engine| DatabaseFacts {
            name: DATABASE.to_owned(),
            probe,
            operations: u32::try_from(engine.running_at(now)).unwrap_or(u32::MAX),
            status: Status::of(engine, now),
            kind: "libsql".to_owned(),
            times: TimesFacts::of(engine.notes().times()),
            connections: engine.pool(now).connections().map(ConnectionFacts::of).collect(),
            ..DatabaseFacts::default()
        })
    }

    /// Whether [`Visit::share`] may have something to do.
    pub(super) fn wants_store(&self) -> bool {
        self.store.is_some() && self.with_engine(|engine| engine.wants_store())
    }

    /// Reads or writes the shared snapshot, if the engine finds it due.
    pub(super) async fn share(&self) {
        let Some(store) = &self.store else { return };
        let now = clock::now();
        let write = self.with_engine(|engine| engine.claim_write(now));
        let is_read_due = self.with_engine(|engine| engine.claim_read(now));
        if self.with_engine(|engine| engine.claim_near_write()) {
            self.read_near(store, STORE_MS).await;
            let text = self.with_engine(|engine| engine.export());
            self.write_near(store, &text).await;
        } else if self.with_engine(|engine| engine.claim_near_read(now)) {
            self.read_near(store, STORE_MS).await;
        }
        if is_read_due {
            self.read(store, STORE_MS).await;
        }
        if let Some(delay_ms) = write {
            clock::sleep(delay_ms).await;
            self.write(store).await;
        }
    }

    async fn read_if_cold(&self) {
        let Some(store) = &self.store else { return };
        if !self.with_engine(|engine| engine.claim_cold_read(clock::now())) {
            return;
        }
        let began = clock::now();
        if self.isolate.has_near {
            self.read_near(store, COLD_READ_MS).await;
        }
        let left_ms = COLD_READ_MS.saturating_sub(clock::now().since(began));
        self.read(store, left_ms).await;
    }

    async fn read_near(&self, store: &Store, limit_ms: Millis) {
        // It may forget anything at any time; a failure says nothing of the far one.
        if let Some(Ok(Some(text))) = driver::within(self, limit_ms, store.read_near()).await {
            // Garbage is counted by the engine and changes nothing.
            _ = self.with_engine(|engine| engine.import_near(&text, clock::now()));
        }
    }

    async fn write_near(&self, store: &Store, text: &str) {
        _ = driver::within(self, STORE_MS, store.write_near(text)).await;
    }

    async fn read(&self, store: &Store, limit_ms: Millis) {
        let read = driver::within(self, limit_ms, store.read()).await;
        self.with_engine(|engine| match read {
            // Garbage is counted by the engine and changes nothing.
            Some(Ok(Some(text))) => _ = engine.import(&text, clock::now()),
            Some(Ok(None)) => {}
            Some(Err(StoreFailed)) | None => engine.store_failed(clock::now()),
        });
    }

    /// Reads before it writes, so that one of many isolates with the same news is enough.
    async fn write(&self, store: &Store) {
        self.read(store, STORE_MS).await;
        let Some(text) = self.with_engine(|engine| (!engine.is_stored()).then(|| engine.export())) else { return };
        let written = driver::within(self, STORE_MS, store.write(&text)).await;
        self.with_engine(|engine| match written {
            Some(Ok(())) => engine.stored(&text),
            Some(Err(StoreFailed)) | None => engine.write_failed(clock::now()),
        });
        if self.isolate.has_near && matches!(written, Some(Ok(()))) {
            self.write_near(store, &text).await;
        }
    }
}

impl Host for Visit {
    type Value = PipelineResponse;
    type Failure = Failure;

    fn now(&self) -> Instant {
        clock::now()
    }

    fn with_engine<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T {
        work(&mut self.isolate.engine.borrow_mut())
    }

    fn sleep(&self, ms: Millis) -> impl Future<Output = ()> {
        clock::sleep(ms)
    }

    fn wait_for_lease(&self, _call: CallId, ms: Millis) -> impl Future<Output = ()> {
        clock::sleep(ms)
    }

    async fn attempt(&self, _cx: AttemptCx) -> Result<PipelineResponse, Failure> {
        self.send(&[]).await
    }

    fn judge(&self, failure: &Failure) -> Judgement {
        judge(failure.status, &failure.code, failure.was_sent)
    }
}
