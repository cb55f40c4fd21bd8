//! Carries an exchange out: the twin of `js/src/monitor/exchange.ts`.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use worker::js_sys::Reflect;
use worker::{Context, Env, console_debug, console_error, console_log, console_warn};

use super::caller;
use super::entries;
use super::isolate::{DATABASE, Isolate, Visit, variable};
use super::kv::{self, StoreFailed};
use super::{clock, driver, strong, trust, upstream};
use crate::clock::Millis;
use crate::flags::variables::{FEATURE, ROLLOUT};
use crate::http::exchange::{Answer, Cx, Next, Outgoing, Question};
use crate::http::{Response, exchange};
use crate::monitor::{Monitor, Settings, chores};
use crate::orders::follow::Command;
use crate::report::facts::{Facts, RestartsFacts};
use crate::telemetry::logs::{Level, Record};
use crate::telemetry::trace_context::TraceContext;
use crate::telemetry::watch::Tracing;

/// The read cache is not waited for any longer, in milliseconds.
const CACHE_MS: Millis = 2_000;

thread_local! {
    static MONITOR: RefCell<Monitor> = RefCell::default();
    /// Whether the monitor has its settings, and what is wrong with them.
    static PROBLEM: OnceCell<Option<Rc<str>>> = const { OnceCell::new() };
}

/// Gives the monitor its settings, at the first event; says what is wrong with them, and goes on with the defaults then.
fn problem_of(env: &Env) -> Option<Rc<str>> {
    PROBLEM.with(|problem| {
        let settle = || match Settings::from_variables(|name| variable(env, name), flag_variables(env)) {
            Ok(settings) => {
                MONITOR.replace(Monitor::new(settings));
                None
            }
            Err(problem) => Some(Rc::from(problem)),
        };
        problem.get_or_init(settle).clone()
    })
}

/// The variables that say what flags are.
fn flag_variables(env: &Env) -> BTreeMap<String, String> {
    let names = Reflect::own_keys(env).unwrap_or_default();
    let names = names.iter().filter_map(|name| name.as_string());
    let names = names.filter(|name| name.starts_with(FEATURE) || name.starts_with(ROLLOUT));
    names.filter_map(|name| variable(env, &name).map(|value| (name, value))).collect()
}

/// What one event has to answer questions with.
pub(super) struct Host {
    isolate: Result<Rc<Isolate>, Rc<str>>,
    env: Env,
    /// That of the request, if it has one.
    trace: Option<TraceContext>,
}

impl Host {
    pub(super) fn new(isolate: Result<Rc<Isolate>, Rc<str>>, env: Env, trace: Option<TraceContext>) -> Self {
        let isolate = match problem_of(&env) {
            Some(problem) => isolate.and(Err(problem)),
            None => isolate,
        };
        Self { isolate, env, trace }
    }

    /// A visit to the isolate, traced if that is wanted; or what is wrong with the settings.
    pub(super) fn visit(&self) -> Result<Visit, Rc<str>> {
        let isolate = Rc::clone(self.isolate.as_ref().map_err(Rc::clone)?);
        Ok(Visit::new(isolate, &self.env, self.tracing()))
    }

    fn tracing(&self) -> Option<Tracing> {
        MONITOR.with_borrow(|monitor| monitor.settings().telemetry.tracing(self.trace.as_ref()))
    }

    /// Carries out what `begin` gives; `None` for work without a response.
    pub(super) async fn carried_out(&self, begin: impl FnOnce(&mut Cx<'_>) -> Next) -> Option<Response> {
        self.ended(with_cx(begin)).await
    }

    /// Carries out the background work that is due, each piece by itself: `wait_until` keeps the invocation alive for it.
    pub(super) fn start_chores(self: &Rc<Self>, wait_until: impl Fn(Pin<Box<dyn Future<Output = ()>>>)) {
        for index in 0..chores::COUNT {
            let next = with_cx(|cx| chores::begin(index, cx));
            if matches!(next, Next::Done) {
                continue;
            }
            let host = Rc::clone(self);
            let work = async move { _ = host.ended(next).await };
            wait_until(Box::pin(async move { _ = caller::unless_lost(work).await }));
        }
    }

    async fn ended(&self, mut next: Next) -> Option<Response> {
        loop {
            next = match next {
                Next::Respond(response) => return Some(response),
                Next::Done => return None,
                Next::Ask(question, then) => {
                    let answer = self.answer(question).await;
                    with_cx(|cx| then(answer, cx))
                }
            };
        }
    }

    /// Reads and writes the shared hints after the response, if something is due.
    pub(super) fn share_after(&self, context: &Context) {
        let Ok(visit) = self.visit() else { return };
        if visit.wants_store() {
            context.wait_until(async move { _ = caller::unless_lost(async move { visit.share().await }).await });
        }
    }

    /// Writes what has happened into the console, and hands it to the monitor, as spans are.
    pub(super) fn tell(&self) {
        let Ok(isolate) = &self.isolate else { return };
        let records = isolate.take_records(self.trace.as_ref());
        let spans = isolate.take_spans();
        if !spans.is_empty() {
            with_cx(|cx| cx.monitor.take_in_spans(spans));
        }
        if records.is_empty() {
            return;
        }
        with_cx(|cx| {
            let least = cx.monitor.settings().telemetry.log_level;
            let told: Vec<Record> = records.into_iter().filter(|record| record.level >= least).collect();
            for record in &told {
                print(record);
            }
            cx.monitor.take_in(Answer::Logs(told));
        });
    }

    async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Facts { probe_age_max_ms } => self.facts(probe_age_max_ms).await,
            // There is one database.
            Question::AllFacts { probe_age_max_ms } => self.facts(Some(probe_age_max_ms)).await,
            Question::Fetch(outgoing) => self.fetched(&outgoing).await,
            Question::Export(outgoing) => self.fetched(&outgoing).await,
            Question::Keys { url, timeout_ms } => {
                match driver::first_of(upstream::load(&url), clock::sleep(timeout_ms)).await {
                    Some(text) => Answer::Text(text),
                    None => Answer::Failed(format!("It did not answer within {timeout_ms} ms.")),
                }
            }
            Question::Verify { modulus, exponent, signed, signature } => {
                Answer::Verified(trust::is_signed(&modulus, &exponent, &signed, &signature).await.unwrap_or_default())
            }
            Question::Chance => match clock::secret::<32>() {
                Some(bytes) => Answer::Chance(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
                None => Answer::Failed("The platform gives no chance.".to_owned()),
            },
            // They are handed over when they are made.
            Question::Logs => Answer::Logs(Vec::new()),
            Question::ReadCached { key } => match self.within_limit(kv::read_cached(&self.env, &key)).await {
                Some(Ok(text)) => Answer::Text(text),
                Some(Err(StoreFailed)) | None => Answer::Failed("Workers KV did not answer.".to_owned()),
            },
            Question::PutCached { key, text } => {
                match self.within_limit(kv::put_cached(&self.env, &key, &text)).await {
                    Some(Ok(is_bound)) => Answer::Cached(is_bound),
                    Some(Err(StoreFailed)) | None => Answer::Failed("Workers KV did not take it.".to_owned()),
                }
            }
            question @ (Question::Read { .. }
            | Question::ReadAll { .. }
            | Question::Swap { .. }
            | Question::List { .. }) => strong::answer(&self.env, &question).await,
            Question::Obey { commands } => self.obeyed(&commands),
        }
    }

    /// Does what was ordered to the one database, as far as it is meant. What cannot be done keeps nothing else from it.
    fn obeyed(&self, commands: &[Command]) -> Answer {
        match &self.isolate {
            Ok(isolate) => {
                let meant = commands.iter().filter(|command| {
                    command.database().is_none_or(|name| name == DATABASE || name == isolate.address_name())
                });
                let problems: Vec<String> =
                    meant.filter_map(|command| isolate.obey(command, clock::now()).err()).collect();
                if problems.is_empty() { Answer::Obeyed } else { Answer::Failed(problems.join(" ")) }
            }
            Err(problem) => Answer::Failed(problem.to_string()),
        }
    }

    async fn within_limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        driver::first_of(work, clock::sleep(CACHE_MS)).await
    }

    async fn fetched<Name: AsRef<str>>(&self, outgoing: &Outgoing<Name>) -> Answer {
        match driver::first_of(upstream::deliver(outgoing), clock::sleep(outgoing.timeout_ms)).await {
            Some(Some((status, retry_after))) => Answer::Fetched { status, retry_after },
            Some(None) => Answer::Failed("It could not be reached.".to_owned()),
            None => Answer::Failed(format!("It did not answer within {} ms.", outgoing.timeout_ms)),
        }
    }

    async fn facts(&self, probe_age_max_ms: Option<Millis>) -> Answer {
        match self.visit() {
            Err(problem) => Answer::Failed(problem.to_string()),
            Ok(visit) => {
                if let Some(age_max_ms) = probe_age_max_ms {
                    visit.probe(age_max_ms).await;
                }
                let now = clock::now();
                let database = visit.facts(now);
                Answer::Facts(Facts {
                    now_ms: now.0,
                    uptime_ms: database.status.uptime_ms,
                    memory_bytes: memory_bytes(),
                    databases: vec![database],
                    wasm_restarts: vec![RestartsFacts {
                        module: "worker".into(),
                        count: u64::from(entries::is_successor()),
                    }],
                    ..Facts::default()
                })
            }
        }
    }
}

fn with_cx<T>(work: impl FnOnce(&mut exchange::Cx<'_>) -> T) -> T {
    let now = clock::now();
    // Where there is no `crypto`, ids are as good as any; secrets are made of `Question::Chance` alone.
    let random = clock::secret().map_or_else(clock::seed, u64::from_ne_bytes);
    MONITOR.with_borrow_mut(|monitor| work(&mut Cx { monitor, now, random }))
}

fn print(record: &Record) {
    let line = record.line();
    match record.level {
        Level::Debug => console_debug!("{line}"),
        Level::Info => console_log!("{line}"),
        Level::Warn => console_warn!("{line}"),
        Level::Error => console_error!("{line}"),
    }
}

fn memory_bytes() -> u64 {
    const PAGE: u64 = 65_536;
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size::<0>() as u64;
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    pages * PAGE
}
