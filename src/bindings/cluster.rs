//! The cluster for JavaScript. Conversion only.
//!
//! A step is one number: its kind in bits 0 and 1, bit 2 when `takeChange` has something, bit 3 when no healthy endpoint
//! is left after this one, the endpoint in bits 4 to 8, the route above bit 10. The rest stands in the register.

use wasm_bindgen::prelude::*;

use super::settings;
use crate::clock::Instant;
use crate::cluster::{Cluster, Ended, RouteId, Step, Wish};
use crate::error::Code;
use crate::outcome::{Effect, Judgement, Outcome};
use crate::query::{self, Query};

/// Bit of the question that says: one target only.
const NO_FAILOVER: u32 = 1 << 31;
/// Bits of a report.
const REFUSED: u32 = 1 << 12;
const UNKNOWN: u32 = 1 << 8;
const CHANGED: u32 = 1 << 2;
const LAST: u32 = 1 << 3;
const ENDPOINT: u32 = 4;
const ROUTE: u32 = 10;
const _: () = assert!(ROUTE + RouteId::BITS <= 32);

/// Places in the register.
mod place {
    /// Target: its deadline in milliseconds, -1 for what it has anyway.
    pub(super) const TIMEOUT_MS: usize = 0;
    /// Refuse: the code's number. Done: the ending's number.
    pub(super) const DETAIL: usize = 1;
    /// Done: endpoints that it was given.
    pub(super) const TARGETS: usize = 2;
    /// Done: when asking again can help, infinity if unknown.
    pub(super) const RETRY_AT_MS: usize = 3;
    /// Done: what all targets might take together.
    pub(super) const TIME_MS: usize = 4;
    /// Number of places; `look` uses all from the first.
    pub(super) const COUNT: usize = 11;
}

/// The endpoints of one database.
#[wasm_bindgen(js_name = ClusterCore)]
#[derive(Debug)]
pub struct ClusterCore {
    cluster: Cluster,
    register: Box<[f64; place::COUNT]>,
    latest: Instant,
}

#[wasm_bindgen(js_class = ClusterCore)]
impl ClusterCore {
    /// Makes a cluster without endpoints, from the settings that `Core` takes. Throws as that does.
    #[wasm_bindgen(constructor)]
    pub fn new(
        lines: &str,
        numbers: &[f64],
        seed: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> Result<ClusterCore, JsError> {
        let config = settings::read(lines, numbers, "")?.config;
        let latest = Instant::from_host(now_ms).unwrap_or_default();
        let cluster = Cluster::new(config.cluster, config.deadlines, u64::from(seed), latest);
        Ok(Self { cluster, register: Box::new([0.0; place::COUNT]), latest })
    }

    /// Address of the register in `wasmMemory()`, in bytes: 11 numbers of 64 bits.
    #[wasm_bindgen(js_name = registerAddress)]
    pub fn register_address(&self) -> usize {
        self.register.as_ptr() as usize
    }

    /// Takes an endpoint in: its number, or -1 when there are too many.
    pub fn add(
        &mut self,
        #[wasm_bindgen(js_name = isWritable)] is_writable: bool,
        priority: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> i32 {
        let now = self.at(now_ms);
        self.cluster.add(is_writable, priority, now).map_or(-1, |endpoint| endpoint as i32)
    }

    /// Lets an endpoint go.
    pub fn remove(&mut self, endpoint: u32) {
        self.cluster.remove(endpoint as usize);
    }

    /// Starts a route and returns its first step. `bits` as in `Core.begin`, with bit 31 for one target only; `timeoutMs`
    /// below 0 for the class's; `allowed` and `near` are sets of endpoints, a bit each.
    pub fn begin(
        &mut self,
        bits: u32,
        #[wasm_bindgen(js_name = timeoutMs)] timeout_ms: f64,
        allowed: u32,
        near: u32,
        floor: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> u32 {
        let now = self.at(now_ms);
        let timeout_ms = (timeout_ms >= 0.0).then_some(timeout_ms as u64);
        let query = Query::from_bits(bits & !NO_FAILOVER, timeout_ms)
            .unwrap_or_else(|| Query { timeout_ms, ..Query::new(query::Class::Query, query::Kind::Unknown) });
        let wish = Wish { allowed, near, floor: floor as u64, fails_over: bits & NO_FAILOVER == 0 };
        let step = self.cluster.begin(&query, wish, now);
        self.put(step)
    }

    /// Reports how a target ended, and returns the next step. `ended` is a judgement as `judge` put it; or, with bit 12,
    /// the number of the code with which the endpoint's policies ended it, and bit 8 when something may have been sent and
    /// taken effect.
    pub fn report(
        &mut self,
        route: u32,
        ended: u32,
        #[wasm_bindgen(js_name = retryAtMs)] retry_at_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> u32 {
        let now = self.at(now_ms);
        let step = self.cluster.report(RouteId::from_number(route), ended_of(ended, retry_at_ms), now);
        self.put(step)
    }

    /// Says that an endpoint answered from this index of the log.
    pub fn saw(&mut self, endpoint: u32, index: f64) {
        self.cluster.saw(endpoint as usize, index as u64);
    }

    /// Puts what is known of an endpoint into the register: health, pending, estimate, away until, index, reads, writes,
    /// failures, refusals, moved on, ejections.
    pub fn look(&mut self, endpoint: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        let Some(report) = self.cluster.look(endpoint as usize, now) else { return };
        *self.register = [
            f64::from(report.health as u32),
            f64::from(report.pending),
            report.estimate_ms,
            report.away_until.to_host(),
            report.index as f64,
            report.reads as f64,
            report.writes as f64,
            report.failures as f64,
            report.refusals as f64,
            report.moved_on as f64,
            report.ejections as f64,
        ];
    }

    /// Takes an ejection or a return that was not taken yet, or -1: the endpoint, plus 32 when it is ejected.
    #[wasm_bindgen(js_name = takeChange)]
    pub fn take_change(&mut self) -> i32 {
        self.cluster.take_change().map_or(-1, |(endpoint, is_ejected)| endpoint as i32 | i32::from(is_ejected) << 5)
    }

    fn at(&mut self, now_ms: f64) -> Instant {
        self.latest = Instant::from_host(now_ms).unwrap_or(self.latest);
        self.latest
    }

    #[inline(never)]
    fn put(&mut self, step: Step) -> u32 {
        let changed = if self.cluster.is_changed() { CHANGED } else { 0 };
        let register = &mut *self.register;
        changed
            | match step {
                Step::Target { route, endpoint, timeout_ms, is_last } => {
                    register[place::TIMEOUT_MS] = timeout_ms.map_or(-1.0, |ms| ms as f64);
                    let last = if is_last { LAST } else { 0 };
                    last | (endpoint as u32) << ENDPOINT | route.to_number() << ROUTE
                }
                Step::Refuse(code) => {
                    register[place::DETAIL] = f64::from(code as u32);
                    1
                }
                Step::Done { ending, targets, retry_at, time_ms } => {
                    register[place::DETAIL] = f64::from(ending as u32);
                    register[place::TARGETS] = f64::from(targets);
                    register[place::RETRY_AT_MS] = retry_at.to_host();
                    register[place::TIME_MS] = time_ms as f64;
                    2
                }
            }
    }
}

fn ended_of(ended: u32, retry_at_ms: f64) -> Ended {
    if ended & REFUSED == 0 {
        return match Judgement::from_number(ended).unwrap_or(Judgement::TIMEOUT) {
            Judgement { outcome: Outcome::Success, .. } => Ended::Answered,
            Judgement { outcome: Outcome::Aborted, .. } => Ended::Left,
            judgement => Ended::Failed(judgement),
        };
    }
    let is_unknown = ended & UNKNOWN != 0;
    let effect = if is_unknown { Effect::Unknown } else { Effect::NotExecuted };
    match Code::from_number(ended & 0xFF) {
        Some(Code::Aborted) => Ended::Left,
        Some(Code::DeadlineExceeded) => Ended::Failed(Judgement { outcome: Outcome::Timeout, effect }),
        Some(code) if !is_unknown && code != Code::RetriesExhausted => {
            Ended::Refused { code, retry_at: Instant::from_host(retry_at_ms).unwrap_or(Instant::NEVER) }
        }
        _ => Ended::Failed(Judgement { outcome: Outcome::Network, effect }),
    }
}
