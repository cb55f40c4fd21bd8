//! What JavaScript may call of the monitor: a wasm module of its own, which only those load who serve its routes, so
//! that the core of every other isolate stays small. Conversion only.
//!
//! Everything crosses as JSON text: nothing here is on the path of an operation.

use litemap::LiteMap;
use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::clock::Instant;
use crate::http::Request;
use crate::http::alerts::{self, Order};
use crate::http::exchange::{Answer, Cx, Next, Question, Then};
use crate::http::routes;
use crate::monitor::{Monitor, Settings, chores};
use crate::orders::follow;
use crate::report::probe::{Probe, ProbeAnswer};

/// Exchanges that wait for an answer: a thousand requests, and all background work beside them; the oldest makes room. A
/// host that lost its request never answers.
const EXCHANGES_MAX: usize = 1_000 + chores::COUNT;

/// The monitor of one isolate.
#[wasm_bindgen(js_name = Monitor)]
#[derive(Debug)]
pub struct MonitorHandle {
    monitor: Monitor,
    waiting: Waiting,
}

#[derive(Default)]
struct Waiting {
    last: u32,
    exchanges: LiteMap<u32, Then>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("exchanges", &self.exchanges.len()).finish()
    }
}

#[wasm_bindgen(js_class = Monitor)]
impl MonitorHandle {
    /// Makes a monitor. `settings` is the JSON of [`Settings`].
    ///
    /// Throws what is wrong with them.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str) -> Result<Self, JsError> {
        let settings = Settings::from_json(settings).map_err(|problem| JsError::new(&problem))?;
        Ok(Self { monitor: Monitor::new(settings), waiting: Waiting::default() })
    }

    /// Begins the answer to a request and returns the first step as JSON: `{"respond": …}`, or `{"id": …, "question": …}`.
    ///
    /// `random` is 16 hexadecimal digits of chance. Throws when `request` is none.
    pub fn begin(
        &mut self,
        request: &str,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
        random: &str,
    ) -> Result<String, JsError> {
        let request: Request = read(request)?;
        let next = routes::begin(&request, &mut self.cx(now_ms, random));
        Ok(self.step(next))
    }

    /// Goes on with what was asked as `id`. Throws when `answer` is none, or nothing waits for it any more.
    pub fn answer(
        &mut self,
        id: u32,
        answer: &str,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
        random: &str,
    ) -> Result<String, JsError> {
        let answer: Answer = read(answer)?;
        let then = self.waiting.exchanges.remove(&id).ok_or_else(|| JsError::new("nothing waits for this answer"))?;
        let next = then(answer, &mut self.cx(now_ms, random));
        Ok(self.step(next))
    }

    /// Most of a request's body, in bytes: the host stops reading there, and says that it is too long.
    #[wasm_bindgen(js_name = bodyMax)]
    #[must_use]
    pub fn body_max(&self, method: &str, path: &str) -> f64 {
        routes::body_max(method, path) as f64
    }

    /// Begins an order about alerts, the JSON of [`Order`], and returns its first step as JSON. Throws when it is none.
    pub fn alerts(&mut self, order: &str) -> Result<String, JsError> {
        let order: Order = read(order)?;
        Ok(self.step(alerts::begin(order)))
    }

    /// What was seen of the orders, by name, as JSON.
    #[must_use]
    pub fn orders(&self) -> String {
        follow::document(self.monitor.orders()).to_string()
    }

    /// When what was seen of the orders was last known to be all that there is, in milliseconds since the epoch; 0 if it never was.
    #[must_use]
    #[wasm_bindgen(js_name = ordersConfirmedAt)]
    pub fn orders_confirmed_at(&self) -> f64 {
        self.monitor.follow().confirmed_at().map_or(0.0, |at| at.0 as f64)
    }

    /// This instance replaces one that trapped: what the host counts was told to the others.
    pub fn resume(&mut self) {
        self.monitor.metrics.resume();
    }

    /// How many pieces of background work there are.
    #[must_use]
    pub fn chores(&self) -> usize {
        chores::COUNT
    }

    /// Begins one of them, if it is due, and returns its first step as JSON: `{"done":true}` if it is not.
    pub fn chore(&mut self, index: usize, #[wasm_bindgen(js_name = nowMs)] now_ms: f64, random: &str) -> String {
        let next = chores::begin(index, &mut self.cx(now_ms, random));
        self.step(next)
    }

    /// Has all databases probed every so many milliseconds from now on; 0 ends it.
    #[wasm_bindgen(js_name = checkEvery)]
    pub fn check_every(&mut self, #[wasm_bindgen(js_name = intervalMs)] interval_ms: f64) {
        self.monitor.check_every((interval_ms >= 1.0).then_some(interval_ms as u64));
    }

    /// Learns of a metric of the application's own, the JSON of `Declared`, and returns its name as it is shown.
    ///
    /// Throws what is wrong with it.
    #[wasm_bindgen(js_name = declareMetric)]
    pub fn declare_metric(&mut self, declared: &str) -> Result<String, JsError> {
        self.monitor.metrics.business.declare(read(declared)?).map_err(|problem| JsError::new(&problem))
    }

    /// Counts a value of such a metric, the JSON of `Measured`. What cannot be counted is dropped, and counted as that.
    pub fn measure(&mut self, measured: &str) {
        if let Ok(measured) = read(measured) {
            self.monitor.metrics.business.measure(&measured);
        }
    }

    /// Says what to do of a database's probe: 0 when the last one is young enough, -1 to send one and tell
    /// `probeEnded`, else to ask again after so many milliseconds.
    pub fn probe(
        &mut self,
        name: &str,
        #[wasm_bindgen(js_name = ageMaxMs)] age_max_ms: f64,
        #[wasm_bindgen(js_name = limitMs)] limit_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> f64 {
        let now = Instant::from_host(now_ms).unwrap_or_default();
        let decide = |probe: &mut Probe| probe.decide(age_max_ms as u64, limit_ms as u64, now);
        match self.monitor.probes().of(name).map_or(ProbeAnswer::Known, decide) {
            ProbeAnswer::Known => 0.0,
            ProbeAnswer::Send => -1.0,
            ProbeAnswer::LookAgain(ms) => ms.max(1) as f64,
        }
    }

    /// Takes in what a probe found.
    #[wasm_bindgen(js_name = probeEnded)]
    pub fn probe_ended(
        &mut self,
        name: &str,
        #[wasm_bindgen(js_name = isConnected)] is_connected: bool,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) {
        let now = Instant::from_host(now_ms).unwrap_or_default();
        if let Some(probe) = self.monitor.probes().of(name) {
            probe.ended(is_connected, now);
        }
    }

    /// What the latest probe of a database found, as JSON: `null` before there was one.
    pub fn probed(&mut self, name: &str) -> String {
        let found = self.monitor.probes().of(name).and_then(|probe| probe.found());
        serde_json::to_string(&found).unwrap_or_default()
    }

    /// The document at this path for these facts, without asking for others: what is known at the moment.
    ///
    /// Throws when there is no such document, or `facts` are none.
    pub fn glance(
        &mut self,
        path: &str,
        facts: &str,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> Result<String, JsError> {
        let facts = read(facts)?;
        let base_path = &self.monitor.settings().base_path;
        let request = Request { method: "GET".to_owned(), path: format!("{base_path}{path}"), ..Request::default() };
        let mut cx = self.cx(now_ms, "");
        match routes::begin(&request, &mut cx) {
            Next::Ask(Question::Facts { .. } | Question::AllFacts { .. }, then) => {
                match then(Answer::Facts(facts), &mut cx) {
                    Next::Respond(response) => Ok(response.body),
                    Next::Ask(..) | Next::Done => Err(JsError::new("this document needs more than facts")),
                }
            }
            Next::Ask(..) | Next::Respond(_) | Next::Done => Err(JsError::new("there is no such document")),
        }
    }

    /// The memory of this instance, in bytes.
    #[wasm_bindgen(js_name = memoryBytes)]
    #[must_use]
    pub fn memory_bytes(&self) -> f64 {
        const PAGE: f64 = 65_536.0;
        #[cfg(target_arch = "wasm32")]
        let pages = core::arch::wasm32::memory_size::<0>() as f64;
        #[cfg(not(target_arch = "wasm32"))]
        let pages = 0.0;
        pages * PAGE
    }

    fn cx(&mut self, now_ms: f64, random: &str) -> Cx<'_> {
        let now = Instant::from_host(now_ms).unwrap_or_default();
        let random = u64::from_str_radix(random, 16).unwrap_or_default();
        Cx { monitor: &mut self.monitor, now, random }
    }

    fn step(&mut self, next: Next) -> String {
        let step: Value = match next {
            Next::Respond(response) => json!({ "respond": response }),
            Next::Ask(question, then) => {
                let waiting = &mut self.waiting;
                waiting.last = waiting.last.wrapping_add(1);
                if waiting.exchanges.len() >= EXCHANGES_MAX
                    && let Some(oldest) = waiting.exchanges.first().map(|(id, _)| *id)
                {
                    waiting.exchanges.remove(&oldest);
                }
                waiting.exchanges.insert(waiting.last, then);
                json!({ "id": waiting.last, "question": question })
            }
            Next::Done => json!({ "done": true }),
        };
        step.to_string()
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, JsError> {
    serde_json::from_str(text).map_err(|error| JsError::new(&error.to_string()))
}
