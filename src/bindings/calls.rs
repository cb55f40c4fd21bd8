//! The path of an operation: begin, wake, report.

use wasm_bindgen::prelude::*;

use super::register::Register;
use super::settings;
use crate::clock::Instant;
use crate::engine::Engine;
use crate::engine::step::{CallId, Step};
use crate::outcome::Judgement;
use crate::policy::hedge::HedgeAnswer;
use crate::query::{self, Query};

/// Something for the host to look at after a report: somebody waits for a lease that is free.
const LOOK_WAITER: u32 = 1;
/// The same: the store may have to be read or written.
const LOOK_STORE: u32 = 2;
/// The same: something rare was noted, which `takeChange` empties.
const LOOK_NOTES: u32 = 4;
/// The same: `nextPoolWork` may have an answer.
const LOOK_POOL: u32 = 8;

/// The policies of one database.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    pub(super) engine: Engine,
    pub(super) register: Register,
    pub(super) latest: Instant,
    latest_ms: f64,
}

#[wasm_bindgen]
impl Core {
    /// Makes the policies from settings, as `checkSettings` takes them. `seedHigh` and `seedLow` are 32 random bits each.
    ///
    /// Throws one error that names every setting that cannot be used.
    #[wasm_bindgen(constructor)]
    pub fn new(
        lines: &str,
        numbers: &[f64],
        database: &str,
        #[wasm_bindgen(js_name = seedHigh)] seed_high: u32,
        #[wasm_bindgen(js_name = seedLow)] seed_low: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> Result<Core, JsError> {
        let config = settings::read(lines, numbers, database)?.config;
        let now = Instant::from_host(now_ms).unwrap_or_default();
        let seed = u64::from(seed_high) << 32 | u64::from(seed_low);
        Ok(Self {
            engine: Engine::new(config, seed, now),
            register: Register::default(),
            latest: now,
            latest_ms: now_ms,
        })
    }

    /// Address of the register in `wasmMemory()`, in bytes: 9 numbers of 64 bits. The last is the address of the counts of
    /// durations, which lie there as `note::times` says.
    #[wasm_bindgen(js_name = registerAddress)]
    pub fn register_address(&mut self) -> usize {
        self.register.put_times_at(self.engine.notes().times().address());
        self.register.address()
    }

    /// Starts a call and returns its first step.
    ///
    /// `bits` as in `Query::from_bits`; `timeoutMs` replaces the class's deadline unless it is negative. `nowMs` is
    /// `Date.now()`, read after the caller's latest await; anything that is no time counts as the latest time seen.
    pub fn begin(
        &mut self,
        bits: u32,
        #[wasm_bindgen(js_name = timeoutMs)] timeout_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> u32 {
        let now = self.at(now_ms);
        let timeout_ms = (timeout_ms >= 0.0).then_some(timeout_ms as u64);
        let query = Query::from_bits(bits, timeout_ms)
            .unwrap_or_else(|| Query { timeout_ms, ..Query::new(query::Class::Query, query::Kind::Unknown) });
        let step = self.engine.begin(query, now);
        self.put(step)
    }

    /// Goes on with a call that waited, and returns its next step.
    pub fn wake(&mut self, call: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        let step = self.engine.wake(CallId::from_number(call), now);
        self.put(step)
    }

    /// Reports a success. Nonzero when the host has something to look at, as `look` says.
    pub fn succeed(&mut self, call: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        self.engine.succeed(CallId::from_number(call), now);
        self.look()
    }

    /// Reports a failure as `judge` put it, and returns the next step.
    pub fn report(&mut self, call: u32, judgement: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        let judgement = Judgement::from_number(judgement).unwrap_or(Judgement::TIMEOUT);
        let step = self.engine.report(CallId::from_number(call), judgement, now);
        self.put(step)
    }

    /// Ends a call whose caller went away.
    pub fn cancel(&mut self, call: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.cancel(CallId::from_number(call), now);
    }

    /// Asks for a second leg of an attempt that is out: 0 to start it, -1 for never, else the milliseconds to wait first.
    pub fn hedge(&mut self, call: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> f64 {
        let now = self.at(now_ms);
        match self.engine.hedge(CallId::from_number(call), now) {
            HedgeAnswer::Start => 0.0,
            HedgeAnswer::At(at) => at.since(now).max(1) as f64,
            HedgeAnswer::Never => -1.0,
        }
    }

    /// Reports how one of two legs ended; true when the call goes on with the other one, false when this leg's end is
    /// now to be reported as the attempt's.
    #[wasm_bindgen(js_name = endLeg)]
    pub fn end_leg(
        &mut self,
        call: u32,
        #[wasm_bindgen(js_name = isSecond)] is_second: bool,
        judgement: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> bool {
        let now = self.at(now_ms);
        let judgement = Judgement::from_number(judgement).unwrap_or(Judgement::TIMEOUT);
        self.engine.end_leg(CallId::from_number(call), is_second, judgement, now)
    }

    /// Keeps a running attempt's lease; false when it has lapsed.
    pub fn renew(&mut self, call: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.renew(CallId::from_number(call), now)
    }

    /// Keeps all leases.
    #[wasm_bindgen(js_name = renewAll)]
    pub fn renew_all(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.renew_all(now);
    }

    /// What to look at: 1 a waiter could go on, 2 the store may have to be read or written, 4 notes to take.
    pub fn look(&self) -> u32 {
        let waiter = if self.engine.next_waiter().is_some() { LOOK_WAITER } else { 0 };
        let store = if self.engine.wants_store() { LOOK_STORE } else { 0 };
        let notes = if self.engine.notes().has_events() { LOOK_NOTES } else { 0 };
        let pool = if self.engine.has_pool_work() { LOOK_POOL } else { 0 };
        waiter | store | notes | pool
    }

    /// The call to wake, or -1.
    #[wasm_bindgen(js_name = nextWaiter)]
    pub fn next_waiter(&self) -> f64 {
        self.engine.next_waiter().map_or(-1.0, |call| f64::from(call.to_number()))
    }

    pub(super) fn at(&mut self, now_ms: f64) -> Instant {
        // Most calls come within the millisecond of the one before: comparing is cheaper than converting.
        if now_ms != self.latest_ms
            && let Some(now) = Instant::from_host(now_ms)
        {
            self.latest = now;
            self.latest_ms = now_ms;
        }
        self.latest
    }

    pub(super) fn put(&mut self, step: Step) -> u32 {
        self.register.put(step, self.engine.breaker(), self.latest)
    }
}
