//! What a host does for the shared state: the twin of `js/src/state.ts`, on the queue instead of timers.

use super::clock::Ms;
use super::isolate::{Cold, What, Why};
use super::kv::Text;
use super::naive;
use super::plan::Policy;
use super::watch::Act;
use super::world::World;

/// A background read or write that takes longer is given up, in milliseconds.
const STORE_MS: Ms = 5_000;
/// What a request left behind may go on for this long, in milliseconds; then the platform cancels it.
const BACKGROUND_MS: Ms = 30_000;

impl World<'_> {
    /// Starts or awaits the first read: when the request may begin, if it may not yet.
    pub(super) fn warm_up(&mut self, slot: u32, at: Ms) -> Option<Ms> {
        let isolate = &mut self.isolates[slot as usize];
        let now = isolate.now(at);
        match isolate.cold {
            Cold::Done => None,
            Cold::Reading(until) if at < until => Some(until),
            Cold::Reading(_) => {
                isolate.cold = Cold::Done;
                None
            }
            Cold::Unread if !isolate.engine.claim_cold_read(now) => {
                isolate.cold = Cold::Done;
                None
            }
            Cold::Unread => {
                let key = usize::from(isolate.colo);
                let reply = self.kv.get(key, isolate.colo, at, &self.plan.faults, &mut isolate.rng);
                let ready_at = at + reply.after_ms.min(self.plan.cold_read_ms);
                isolate.cold = Cold::Reading(ready_at);
                // Beside it, the near layer; it is always quicker.
                if self.plan.policy == Policy::CellsNear {
                    self.plan_event(slot, at, What::NearGet { is_telling: false });
                }
                // A late answer still counts while the request that asked is alive.
                if let Ok(text) = reply.result
                    && reply.after_ms <= STORE_MS
                {
                    self.plan_event(slot, at + reply.after_ms, What::Warm(text));
                }
                Some(ready_at)
            }
        }
    }

    /// Reads or writes in the background if the engine finds it due.
    pub(super) fn tick(&mut self, slot: u32, at: Ms) {
        let policy = self.plan.policy;
        let isolate = &mut self.isolates[slot as usize];
        let by = u32::try_from(at + BACKGROUND_MS).unwrap_or(u32::MAX);
        if policy == Policy::Naive {
            if let Some(text) = naive::news(isolate, at) {
                self.plan_event(slot, at, What::Put { by, text });
            }
            let isolate = &mut self.isolates[slot as usize];
            if isolate.naive.as_mut().is_some_and(|naive| naive.claim_poll(at)) {
                self.plan_event(slot, at, What::Get { why: Why::Poll, by });
            }
            return;
        }
        if !policy.is_sharing() || !isolate.engine.wants_store() {
            return;
        }
        let now = isolate.now(at);
        let engine = &mut isolate.engine;
        let (write, is_reading) = (engine.claim_write(now), engine.claim_read(now));
        let is_telling = engine.claim_near_write();
        let is_asking = is_telling || engine.claim_near_read(now);
        if let Some(delay_ms) = write {
            self.plan_event(slot, at + delay_ms, What::Get { why: Why::Tell, by });
        }
        if is_reading {
            self.plan_event(slot, at, What::Get { why: Why::Know, by });
        }
        if is_asking {
            self.plan_event(slot, at, What::NearGet { is_telling });
        }
    }

    /// A part of a read or a write happens.
    pub(super) fn share(&mut self, slot: u32, what: What, at: Ms) {
        match what {
            What::Warm(text) => {
                let isolate = &self.isolates[slot as usize];
                let is_asked = isolate.cold != Cold::Done || isolate.engine.running() > 0;
                if let Some(text) = text.filter(|_| is_asked) {
                    self.import(slot, &text, at);
                }
            }
            What::Get { by, .. } | What::Got { by, .. } | What::Kept { by, .. } if at > Ms::from(by) => {}
            What::Get { why, by } => self.get(slot, why, by, at),
            What::Got { why: Why::Poll, read: Ok(Some(text)), .. } => {
                naive::follow(&mut self.isolates[slot as usize], &text, at);
            }
            What::Got { why: Why::Poll, .. } => {}
            What::Got { why: Why::Know, read, .. } => match read {
                Ok(Some(text)) => self.import(slot, &text, at),
                Ok(None) => {}
                Err(()) => self.store_failed(slot, at),
            },
            What::Got { why: Why::Tell, read, by } => {
                if let Ok(Some(text)) = read {
                    self.import(slot, &text, at);
                }
                let engine = &self.isolates[slot as usize].engine;
                if !engine.is_stored() {
                    let text = engine.export().into();
                    self.put(slot, text, by, at);
                }
            }
            What::NearGet { is_telling } => {
                let isolate = &mut self.isolates[slot as usize];
                let (after_ms, text) = self.near.get(isolate.colo, at, &self.plan.faults, &mut isolate.rng);
                self.plan_event(slot, at + after_ms, What::NearGot { text, is_telling });
            }
            What::NearGot { text, is_telling } => {
                if let Some(text) = text {
                    let isolate = &mut self.isolates[slot as usize];
                    let now = isolate.now(at);
                    let is_good = isolate.engine.import_near(&text, now).is_ok();
                    self.note(slot, at, Act::Imported(&text, is_good));
                }
                if is_telling {
                    let isolate = &mut self.isolates[slot as usize];
                    let text = isolate.engine.export().into();
                    self.near.put(isolate.colo, text, at, &mut isolate.rng);
                }
            }
            What::Put { by, text } => self.put(slot, text, by, at),
            What::Kept { text, is_kept, .. } => {
                if is_kept && self.plan.policy.is_sharing() {
                    let isolate = &mut self.isolates[slot as usize];
                    isolate.engine.stored(&text);
                    if self.plan.policy == Policy::CellsNear {
                        self.near.put(isolate.colo, text, at, &mut isolate.rng);
                    }
                } else if !is_kept {
                    let isolate = &mut self.isolates[slot as usize];
                    let now = isolate.now(at);
                    isolate.engine.write_failed(now);
                }
            }
            _ => {}
        }
    }

    fn get(&mut self, slot: u32, why: Why, by: u32, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        let key = if why == Why::Poll { 0 } else { usize::from(isolate.colo) };
        let reply = self.kv.get(key, isolate.colo, at, &self.plan.faults, &mut isolate.rng);
        let read = if reply.after_ms > STORE_MS { Err(()) } else { reply.result };
        self.plan_event(slot, at + reply.after_ms.min(STORE_MS), What::Got { why, by, read });
    }

    /// Asks the store to keep a text.
    fn put(&mut self, slot: u32, text: Text, by: u32, at: Ms) {
        self.note(slot, at, Act::Put(&text));
        let isolate = &mut self.isolates[slot as usize];
        let key = if isolate.naive.is_some() { 0 } else { usize::from(isolate.colo) };
        let reply = self.kv.put(key, isolate.colo, &text, at, &self.plan.faults, &mut isolate.rng);
        let is_kept = reply.result.is_ok() && reply.after_ms <= STORE_MS;
        self.plan_event(slot, at + reply.after_ms.min(STORE_MS), What::Kept { by, text, is_kept });
    }

    fn import(&mut self, slot: u32, text: &Text, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        let now = isolate.now(at);
        let is_good = isolate.engine.import(text, now).is_ok();
        self.note(slot, at, Act::Imported(text, is_good));
    }

    fn store_failed(&mut self, slot: u32, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        let now = isolate.now(at);
        isolate.engine.store_failed(now);
    }
}
