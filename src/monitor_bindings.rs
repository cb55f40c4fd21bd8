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
use crate::http::exchange::{Answer, Cx, Next, Then};
use crate::http::routes;
use crate::monitor::{Monitor, Settings, chores};

/// Exchanges that wait for an answer; the oldest makes room. A host that lost its request never answers.
const EXCHANGES_MAX: usize = 1_000;

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
