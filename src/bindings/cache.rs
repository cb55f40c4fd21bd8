//! The query cache as JavaScript asks it. Conversion only.
//!
//! Keys and values stay in JavaScript: it gives each key a slot, a small number, and is told by slot what to do and what
//! to drop.

use wasm_bindgen::prelude::*;

use super::settings;
use crate::clock::Instant;
use crate::outcome::{Evidence, Judgement};
use crate::policy::cache::Life;
use crate::policy::changes::Written;
use crate::policy::read_through::{Access, Load, ReadThrough};

/// What `decide` answers. From `WAIT` on, the number is by how many milliseconds to wait more than that.
mod access {
    pub(super) const SERVE: u32 = 0;
    pub(super) const SERVE_STALE: u32 = 1;
    pub(super) const SERVE_STALE_AND_LOAD: u32 = 2;
    pub(super) const LOAD: u32 = 3;
    pub(super) const WAIT: u32 = 4;
}

/// What is kept of one database's reads, and who makes them.
#[wasm_bindgen]
#[derive(Debug)]
pub struct QueryCache {
    reads: ReadThrough,
    is_on: bool,
    lead_ms: u64,
    /// Slots whose values must go, and that were not taken yet.
    gone: Vec<u32>,
    latest: Instant,
    latest_ms: f64,
}

#[wasm_bindgen]
impl QueryCache {
    /// Makes an empty cache; settings as `settings::read` takes them. Throws as the constructor of `Core` does.
    #[wasm_bindgen(constructor)]
    pub fn new(lines: &str, numbers: &[f64], database: &str) -> Result<QueryCache, JsError> {
        let config = settings::read(lines, numbers, database)?.config;
        Ok(Self {
            reads: ReadThrough::new(config.reads),
            is_on: config.is_cache_on,
            lead_ms: config.reads.flights.lead_ms,
            gone: Vec::new(),
            latest: Instant::default(),
            latest_ms: 0.0,
        })
    }

    /// Gives a free slot to a key whose value is read from these tables: 64 bits in two halves.
    pub fn assign(&mut self, slot: u32, low: u32, high: u32) {
        self.reads.assign(slot, tables(low, high));
    }

    /// What to do for a caller: 0 serve, 1 serve stale, 2 the same and load in the background, 3 load, from 4 on wait for
    /// so many milliseconds more than 4 and then ask with `isAgain`.
    pub fn decide(
        &mut self,
        slot: u32,
        caller: u32,
        #[wasm_bindgen(js_name = isAgain)] is_again: bool,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> u32 {
        let now = self.at(now_ms);
        let answer =
            if is_again { self.reads.decide_again(slot, caller, now) } else { self.reads.decide(slot, caller, now) };
        match answer {
            Access::Serve => access::SERVE,
            Access::ServeStale => access::SERVE_STALE,
            Access::ServeStaleAndLoad => access::SERVE_STALE_AND_LOAD,
            Access::Load => access::LOAD,
            Access::Wait { until } => (until.since(now).max(1) as u32).saturating_add(access::WAIT),
        }
    }

    /// A load ended well; `since` is what `tell` said when it began. A negative `ttlMs` or `staleMs` is the setting's.
    /// True when the value is kept. Afterwards, `take` names the slots whose values must go.
    #[expect(clippy::too_many_arguments, reason = "numbers are what crosses the boundary")]
    pub fn loaded(
        &mut self,
        slot: u32,
        caller: u32,
        since: u32,
        size: f64,
        #[wasm_bindgen(js_name = ttlMs)] ttl_ms: f64,
        #[wasm_bindgen(js_name = staleMs)] stale_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> bool {
        let now = self.at(now_ms);
        let own = |ms: f64| (ms >= 0.0).then_some(ms as u64);
        let life = Life { ttl_ms: own(ttl_ms), stale_ms: own(stale_ms) };
        let landing = self.reads.loaded(Load { slot, caller, since }, size as u64, life, now);
        self.drop_values(landing.evicted);
        landing.is_kept
    }

    /// A load failed, as `judge` put it. True when all who wait for it are served the value there is. Afterwards, `take`
    /// names the slots whose values must go.
    pub fn failed(
        &mut self,
        slot: u32,
        caller: u32,
        judgement: u32,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> bool {
        let now = self.at(now_ms);
        let judgement = Judgement::from_number(judgement).unwrap_or(Judgement::ABORTED);
        let is_down = judgement.outcome.evidence() == Evidence::Failing;
        let landing = self.reads.failed(slot, caller, is_down, now);
        self.drop_values(landing.evicted);
        landing.is_served_stale
    }

    /// What a caller tells of itself: 0 it begins to load, and gets the number for `loaded`; 1 it lives, and gets 1 while
    /// it leads; 2 it waits no longer;
    /// 3 what is kept is of no use to it, and goes.
    pub fn tell(&mut self, what: u32, slot: u32, caller: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        match what {
            0 => self.reads.epoch(),
            1 => u32::from(self.reads.renew(slot, caller, now)),
            2 => {
                self.reads.leave(slot, caller, now);
                0
            }
            _ => u32::from(self.reads.cache_mut().remove(slot)),
        }
    }

    /// A write begins; its number is for `endWrite`.
    #[wasm_bindgen(js_name = beginWrite)]
    pub fn begin_write(&mut self, low: u32, high: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        self.reads.begin_write(tables(low, high), now)
    }

    /// A write ended: 0 it changed nothing, 1 something, 2 nobody knows. With 3, `id` is none, and what was read from
    /// these tables goes because somebody says so.
    #[wasm_bindgen(js_name = endWrite)]
    pub fn end_write(&mut self, id: u32, low: u32, high: u32, written: u32) {
        let tables = tables(low, high);
        let written = match written {
            0 => Some(Written::Nothing),
            1 => Some(Written::Something),
            2 => Some(Written::Unknown),
            _ => None,
        };
        let dropped = match written {
            Some(written) => self.reads.end_write(id, tables, written),
            None => self.reads.invalidate(tables),
        };
        self.drop_values(dropped);
    }

    /// A number: 0 takes the next slot whose value must go, or -1; the others are counts: 1 entries, 2 bytes, 3 hits,
    /// 4 stale ones, 5 misses, 6 evictions; and settings: 7 whether reads are kept without being asked for each, 8 for how long
    /// a load leads, in milliseconds.
    pub fn take(&mut self, which: u32) -> f64 {
        let cache = self.reads.cache();
        let tally = cache.tally();
        let count = match which {
            0 => return self.gone.pop().map_or(-1.0, f64::from),
            1 => cache.len() as u64,
            2 => cache.size(),
            3 => tally.fresh,
            4 => tally.stale,
            5 => tally.misses,
            6 => tally.evicted,
            7 => u64::from(self.is_on),
            _ => self.lead_ms,
        };
        count as f64
    }

    fn at(&mut self, now_ms: f64) -> Instant {
        if now_ms != self.latest_ms {
            self.tick(now_ms);
        }
        self.latest
    }

    #[inline(never)]
    fn tick(&mut self, now_ms: f64) {
        if let Some(now) = Instant::from_host(now_ms) {
            (self.latest, self.latest_ms) = (now, now_ms);
            let dropped = self.reads.lapse(now);
            self.drop_values(dropped);
        }
    }

    #[inline(never)]
    fn drop_values(&mut self, mut slots: Vec<u32>) {
        self.gone.append(&mut slots);
    }
}

const fn tables(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}
