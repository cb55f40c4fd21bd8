//! What a host does with one request: the twin of `src/worker/driver.rs`, on the queue instead of timers.

use seawall::engine::step::{CallId, Step};
use seawall::outcome::Judgement;
use seawall::query::{Class, Kind, Query};

use super::clock::Ms;
use super::isolate::{Event, What};
use super::naive;
use super::watch::Act;
use super::world::World;

/// What every request asks.
const QUERY: Query = Query::new(Class::Query, Kind::Read);

/// Marks of the digest for what an engine answered.
const REFUSED: u64 = 32;
const ATTEMPTED: u64 = 33;
const WAITED: u64 = 34;
const ENDED: u64 = 35;

impl World<'_> {
    /// A request comes in.
    pub(super) fn request(&mut self, slot: u32, at: Ms) {
        if let Some(ready_at) = self.warm_up(slot, at) {
            self.note(slot, at, Act::Delayed(ready_at - at));
            self.plan_event(slot, ready_at, What::Begin);
            return;
        }
        self.begin(slot, at);
    }

    fn begin(&mut self, slot: u32, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        if isolate.naive.is_some() {
            naive::let_go(isolate, at);
        }
        let now = isolate.now(at);
        let step = isolate.engine.begin(QUERY, now);
        self.carry_out(slot, step, at);
        self.note(slot, at, Act::Stepped(step));
    }

    /// Something happens to an isolate.
    pub(super) fn happen(&mut self, event: Event, at: Ms) {
        let slot = event.slot;
        match event.what {
            What::Arrive => {}
            What::Begin => self.request(slot, at),
            What::Send { call, timeout_ms, renew_ms } => self.send(slot, call, timeout_ms, renew_ms, at),
            What::Renew { call, renew_ms, ends_at } => {
                let isolate = &mut self.isolates[slot as usize];
                let now = isolate.now(at);
                isolate.engine.renew(call, now);
                self.renew_later(slot, call, renew_ms, ends_at, at);
            }
            What::Report { call, judgement } => self.report(slot, call, judgement, at),
            What::Wake(call) => {
                let isolate = &mut self.isolates[slot as usize];
                let now = isolate.now(at);
                let step = isolate.engine.wake(call, now);
                self.carry_out(slot, step, at);
                self.note(slot, at, Act::Stepped(step));
            }
            shared => self.share(slot, shared, at),
        }
    }

    fn carry_out(&mut self, slot: u32, step: Step, at: Ms) {
        match step {
            Step::Attempt { call, timeout_ms, renew_ms, hedge_ms: _ } => {
                self.mark(at, slot, ATTEMPTED);
                let (timeout_ms, renew_ms) = (timeout_ms as u32, renew_ms as u32);
                if at == self.queue.now() {
                    self.send(slot, call, timeout_ms, renew_ms, at);
                } else {
                    self.plan_event(slot, at, What::Send { call, timeout_ms, renew_ms });
                }
            }
            Step::Check { .. } => unreachable!("this host has nothing behind its connections"),
            Step::Wait { call, until, .. } => {
                self.mark(at, slot, WAITED);
                let now = self.isolates[slot as usize].now(at);
                self.plan_event(slot, at.saturating_add(until.since(now).max(1)), What::Wake(call));
            }
            Step::Refuse { code, .. } => {
                self.mark(at, slot, REFUSED);
                let colo = self.isolates[slot as usize].colo;
                self.measure.refused(slot, colo, at, code);
            }
            Step::Done { .. } => {
                self.mark(at, slot, ENDED);
                let colo = self.isolates[slot as usize].colo;
                self.measure.ended(colo);
            }
        }
        self.tick(slot, at);
    }

    fn send(&mut self, slot: u32, call: CallId, timeout_ms: u32, renew_ms: u32, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        let is_dead = self.plan.faults.is_database_dead(at, isolate.colo);
        self.measure.sent(at, is_dead);
        let answer = self.upstream.attempt(at, isolate.colo, &self.plan.faults, &mut isolate.rng);
        let limit_ms = if timeout_ms == 0 { Ms::MAX } else { Ms::from(timeout_ms) };
        let (after_ms, judgement) = if answer.after_ms <= limit_ms {
            (answer.after_ms, answer.judgement)
        } else {
            (limit_ms, Judgement::TIMEOUT)
        };
        let ends_at = at.saturating_add(after_ms);
        self.plan_event(slot, ends_at, What::Report { call, judgement });
        self.renew_later(slot, call, renew_ms, u32::try_from(ends_at).unwrap_or(u32::MAX), at);
        self.note(slot, at, Act::Sent { call, is_dead });
    }

    fn renew_later(&mut self, slot: u32, call: CallId, renew_ms: u32, ends_at: u32, at: Ms) {
        let next = at + Ms::from(renew_ms.max(1));
        if next < Ms::from(ends_at) {
            self.plan_event(slot, next, What::Renew { call, renew_ms, ends_at });
        }
    }

    fn report(&mut self, slot: u32, call: CallId, judgement: Judgement, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        let now = isolate.now(at);
        let step = isolate.engine.report(call, judgement, now);
        self.measure.reported(at, judgement == Judgement::SUCCESS);
        self.carry_out(slot, step, at);
        self.note(slot, at, Act::Reported(call, judgement, step));
    }
}
