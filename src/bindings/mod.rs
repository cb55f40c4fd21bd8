//! What JavaScript may call. Conversion only.
//!
//! Numbers cross on the path of a query, never JSON and never an exception. A step is one number: its kind in the
//! low three bits, the call's id above them. What belongs to the step stands in the register, a row of numbers in
//! wasm memory that the host reads through a `Float64Array` right after the call.

mod pool;

use wasm_bindgen::prelude::*;

use crate::clock::Instant;
use crate::config::parse;
use crate::engine::Engine;
use crate::engine::step::{CallId, Step};
use crate::outcome::{self, Judgement, Outcome};
use crate::policy::breaker::Forced;
use crate::policy::hedge::HedgeAnswer;
use crate::query::{self, Query};
use crate::report::status::{ConnectionStatus, Status};

/// Kinds of steps, in the low three bits.
mod kind {
    pub(super) const ATTEMPT: u32 = 0;
    pub(super) const WAIT: u32 = 1;
    pub(super) const REFUSE: u32 = 2;
    pub(super) const DONE: u32 = 3;
    // 4 is the host's own, for a core that has trapped.
    pub(super) const CHECK: u32 = 5;
}

/// Places in the register.
mod place {
    /// Attempt: abort after so many milliseconds, 0 for never.
    pub(super) const TIMEOUT_MS: usize = 0;
    /// Attempt: renew the lease this often, in milliseconds.
    pub(super) const RENEW_MS: usize = 1;
    /// Wait: until when. Refuse: when asking again can help, infinity if unknown.
    pub(super) const AT_MS: usize = 2;
    /// Wait: for what. Refuse: the code's number. Done: the ending's number.
    pub(super) const DETAIL: usize = 3;
    /// Refuse, Done: attempts made.
    pub(super) const ATTEMPTS: usize = 4;
    /// Refuse: the breaker's state.
    pub(super) const STATE: usize = 5;
    /// Change: when it happened.
    pub(super) const CHANGED_AT_MS: usize = 6;
    /// Attempt: ask for a second leg after so many milliseconds, 0 for never.
    pub(super) const HEDGE_MS: usize = 7;
    /// Number of places.
    pub(super) const COUNT: usize = 8;
}

/// Something for the host to look at after a report: somebody waits for a lease that is free.
const LOOK_WAITER: u32 = 1;
/// The same: the store may have to be read or written.
const LOOK_STORE: u32 = 2;
/// The same: something rare was noted, which `takeChange` empties.
const LOOK_NOTES: u32 = 4;
/// The same: `nextPoolWork` may have an answer.
const LOOK_POOL: u32 = 8;

/// The memory of this instance, for a view on the register.
#[wasm_bindgen(js_name = wasmMemory, unchecked_return_type = "WebAssembly.Memory")]
pub fn wasm_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// Throws one error that names every setting that cannot be used; else does nothing.
#[wasm_bindgen(js_name = checkSettings)]
pub fn check_settings(settings: &str) -> Result<(), JsError> {
    parse::parse(settings)?;
    Ok(())
}

/// Tells what one SQL statement does: 0 reads, 1 writes, 2 unknown.
#[wasm_bindgen(js_name = kindOf)]
pub fn kind_of(sql: &str) -> u32 {
    query::kind_of(sql) as u32
}

/// Judges a failed attempt; the result goes into `Core.report`.
///
/// `status` is the HTTP status or 0, `code` the error's code or empty, `sent` false only when the request certainly
/// never left.
#[wasm_bindgen]
pub fn judge(status: u16, code: &str, sent: bool) -> u32 {
    outcome::judge(status, code, sent).to_number()
}

/// Judges an attempt by its class alone, for failures that are no HTTP answer: 2 timeout, 3 network, 11 aborted.
#[wasm_bindgen(js_name = judgeClass)]
pub fn judge_class(class: u32) -> u32 {
    match Outcome::from_number(class) {
        Some(Outcome::Success) => Judgement::SUCCESS.to_number(),
        Some(Outcome::Aborted) => Judgement::ABORTED.to_number(),
        Some(outcome) => Judgement { outcome, effect: outcome::Effect::Unknown }.to_number(),
        None => Judgement::TIMEOUT.to_number(),
    }
}

/// The policies of one database.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    engine: Engine,
    register: Box<[f64; place::COUNT]>,
    latest: Instant,
    latest_ms: f64,
}

#[wasm_bindgen]
impl Core {
    /// Makes the policies from settings as JSON text. `seedHigh` and `seedLow` are 32 random bits each.
    ///
    /// Throws one error that names every setting that cannot be used.
    #[wasm_bindgen(constructor)]
    pub fn new(
        settings: &str,
        #[wasm_bindgen(js_name = seedHigh)] seed_high: u32,
        #[wasm_bindgen(js_name = seedLow)] seed_low: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> Result<Core, JsError> {
        let config = parse::parse(settings)?;
        let now = Instant::from_host(now_ms).unwrap_or_default();
        let seed = u64::from(seed_high) << 32 | u64::from(seed_low);
        Ok(Self {
            engine: Engine::new(config, seed, now),
            register: Box::new([0.0; place::COUNT]),
            latest: now,
            latest_ms: now_ms,
        })
    }

    /// Address of the register in `wasmMemory()`, in bytes: 8 numbers of 64 bits.
    #[wasm_bindgen(js_name = registerAddress)]
    pub fn register_address(&self) -> usize {
        self.register.as_ptr() as usize
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

    /// What to look at: 1 a waiter could go on, 2 the store may have to be read or written, 4 notes to take, 8 work for the
    /// pool.
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

    /// Refuses new calls; running ones may end.
    pub fn close(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.close(now);
    }

    /// Accepts calls again.
    pub fn reopen(&mut self) {
        self.engine.reopen();
    }

    /// Calls that have begun and not ended, without those of callers who left.
    pub fn running(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        self.engine.running_at(now) as u32
    }

    /// Takes other settings, whole. Throws as the constructor does; nothing is changed then.
    pub fn reconfigure(&mut self, settings: &str) -> Result<(), JsError> {
        self.engine.reconfigure(parse::parse(settings)?);
        Ok(())
    }

    /// Learns of a retry policy, the `retry` of these settings, for single operations: its number, or 0 beyond the bound.
    /// Throws as the constructor does.
    #[wasm_bindgen(js_name = addRetryPolicy)]
    pub fn add_retry_policy(&mut self, settings: &str) -> Result<u32, JsError> {
        let policy = parse::parse(settings)?.retry;
        Ok(self.engine.add_retry_policy(policy).map_or(0, u32::from))
    }

    /// Takes the oldest change of the circuit that was not taken yet, or -1: the state before in bits 0 and 1, the one
    /// after in 2 and 3, the number of the reason above. `CHANGED_AT_MS` in the register says when; the step's places stay as they are.
    #[wasm_bindgen(js_name = takeChange)]
    pub fn take_change(&mut self) -> i32 {
        let Some((at, from, to, change)) = self.engine.notes_mut().take_change() else { return -1 };
        self.register[place::CHANGED_AT_MS] = at.to_host();
        from as i32 | (to as i32) << 2 | (change as i32) << 4
    }

    /// Holds the circuit: 0 lets go, 1 closed, 2 open.
    pub fn force(&mut self, state: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        let forced = match state {
            1 => Some(Forced::Closed),
            2 => Some(Forced::Open),
            _ => None,
        };
        self.engine.force(forced, now);
    }

    /// Closes the circuit and forgets its counts.
    #[wasm_bindgen(js_name = resetBreaker)]
    pub fn reset_breaker(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.reset_breaker(now);
    }

    /// Number of the breaker's state: 0 closed, 1 half-open, 2 open.
    #[wasm_bindgen(js_name = breakerState)]
    pub fn breaker_state(&self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        self.engine.breaker().state(Instant::from_host(now_ms).unwrap_or(self.latest)) as u32
    }

    /// When asking again can help while the circuit is open; infinity if no time can be named.
    #[wasm_bindgen(js_name = retryAt)]
    pub fn retry_at(&self) -> f64 {
        self.engine.breaker().retry_at().to_host()
    }

    /// The deadline of a class in milliseconds; 0 for none.
    #[wasm_bindgen(js_name = timeoutOf)]
    pub fn timeout_of(&self, class: u32) -> f64 {
        let deadlines = self.engine.config().deadlines;
        match query::Class::from_number(class) {
            Some(query::Class::Transaction) => deadlines.transaction_ms as f64,
            Some(query::Class::Batch) => deadlines.batch_ms as f64,
            Some(query::Class::HealthCheck) => deadlines.health_check_ms as f64,
            Some(query::Class::Query) | None => deadlines.query_ms as f64,
        }
    }

    /// The status document as JSON text.
    pub fn status(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> String {
        let now = self.at(now_ms);
        serde_json::to_string(&Status::of(&mut self.engine, now)).unwrap_or_default()
    }

    /// Connections with their histories, as JSON text.
    pub fn connections(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> String {
        let now = self.at(now_ms);
        let connections: Vec<ConnectionStatus> =
            self.engine.pool(now).connections().map(ConnectionStatus::of).collect();
        serde_json::to_string(&connections).unwrap_or_default()
    }

    /// Claims the one read that a cold isolate makes.
    #[wasm_bindgen(js_name = claimColdRead)]
    pub fn claim_cold_read(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.claim_cold_read(now)
    }

    /// Claims a read that is due.
    #[wasm_bindgen(js_name = claimRead)]
    pub fn claim_read(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.claim_read(now)
    }

    /// Claims a write that is due: the milliseconds to wait first, or -1.
    #[wasm_bindgen(js_name = claimWrite)]
    pub fn claim_write(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> f64 {
        let now = self.at(now_ms);
        self.engine.claim_write(now).map_or(-1.0, |delay_ms| delay_ms as f64)
    }

    /// Claims a read of the store near by that is due.
    #[wasm_bindgen(js_name = claimNearRead)]
    pub fn claim_near_read(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.claim_near_read(now)
    }

    /// Claims a write of the store near by that is due: read, merge and write at once.
    #[wasm_bindgen(js_name = claimNearWrite)]
    pub fn claim_near_write(&mut self) -> bool {
        self.engine.claim_near_write()
    }

    /// The text to store.
    pub fn export(&self) -> String {
        self.engine.export()
    }

    /// Merges stored text; false when it was garbage, with nothing changed.
    pub fn import(&mut self, text: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.import(text, now).is_ok()
    }

    /// Merges text of the store near by; false when it was garbage, with nothing changed.
    #[wasm_bindgen(js_name = importNear)]
    pub fn import_near(&mut self, text: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.import_near(text, now).is_ok()
    }

    /// Whether the store, as last imported, holds all that this isolate could tell it.
    #[wasm_bindgen(js_name = isStored)]
    pub fn is_stored(&self) -> bool {
        self.engine.is_stored()
    }

    /// This breaker in all data centres as JSON text, from names and stored texts in turn, with a space between any two.
    /// When it is open in most of them, that is taken as advice.
    pub fn fleet(&mut self, words: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> String {
        let now = self.at(now_ms);
        let mut words = words.split(' ');
        let view = self.engine.fleet(std::iter::from_fn(|| words.next().zip(words.next())), now);
        self.engine.advise_globally(view.is_widespread(), now);
        serde_json::to_string(&view).unwrap_or_default()
    }

    /// Notes that the store took `text`, which `export` gave.
    pub fn stored(&mut self, text: &str) {
        self.engine.stored(text);
    }

    /// Counts that the store failed.
    #[wasm_bindgen(js_name = storeFailed)]
    pub fn store_failed(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.store_failed(now);
    }

    /// The same for a write.
    #[wasm_bindgen(js_name = writeFailed)]
    pub fn write_failed(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.write_failed(now);
    }

    fn at(&mut self, now_ms: f64) -> Instant {
        // Most calls come within the millisecond of the one before: comparing is cheaper than converting.
        if now_ms != self.latest_ms
            && let Some(now) = Instant::from_host(now_ms)
        {
            self.latest = now;
            self.latest_ms = now_ms;
        }
        self.latest
    }

    fn put(&mut self, step: Step) -> u32 {
        let register = &mut *self.register;
        if matches!(step, Step::Refuse { .. }) {
            register[place::STATE] = f64::from(self.engine.breaker().state(self.latest) as u32);
        }
        match step {
            Step::Attempt { call, timeout_ms, renew_ms, hedge_ms } => {
                register[place::TIMEOUT_MS] = timeout_ms as f64;
                register[place::RENEW_MS] = renew_ms as f64;
                register[place::HEDGE_MS] = hedge_ms as f64;
                call.to_number() << 3 | kind::ATTEMPT
            }
            Step::Check { call, timeout_ms } => {
                register[place::TIMEOUT_MS] = timeout_ms as f64;
                call.to_number() << 3 | kind::CHECK
            }
            Step::Wait { call, until, what } => {
                register[place::AT_MS] = until.to_host();
                register[place::DETAIL] = f64::from(what as u32);
                call.to_number() << 3 | kind::WAIT
            }
            Step::Refuse { code, retry_at, attempts } => {
                register[place::AT_MS] = retry_at.to_host();
                register[place::DETAIL] = f64::from(code as u32);
                register[place::ATTEMPTS] = f64::from(attempts);
                kind::REFUSE
            }
            Step::Done { ending, attempts } => {
                register[place::DETAIL] = f64::from(ending as u32);
                register[place::ATTEMPTS] = f64::from(attempts);
                kind::DONE
            }
        }
    }
}
