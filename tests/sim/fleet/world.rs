//! The loop: takes the next event, lets it happen, counts.
//!
//! An isolate for which nothing is under way can only be refused or ask for something, and neither depends on others:
//! so its requests are run ahead of the queue until it asks. What it asks happens at its time, in the queue.

use seawall::config::Config;
use seawall::config::parse::parse;
use seawall::rng::mix;

use super::clock::{Ms, exponential};
use super::isolate::{Event, Isolate, What};
use super::kv::{Kv, KvCounts};
use super::measure::Measure;
use super::near::{Near, NearCounts};
use super::plan::{Plan, Policy};
use super::queue::Queue;
use super::upstream::Upstream;
use super::watch::{Act, Moment, Watch};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) measure: Measure,
    pub(crate) kv: KvCounts,
    pub(crate) near: NearCounts,
    /// Events that happened, requests included.
    pub(crate) events: u64,
    /// A hash of all of them in order.
    pub(crate) digest: u64,
}

/// A fleet while it runs.
pub(crate) struct World<'w> {
    pub(super) plan: &'w Plan,
    configs: Vec<Config>,
    pub(super) isolates: Vec<Isolate>,
    pub(super) queue: Queue<Event>,
    pub(super) upstream: Upstream,
    pub(super) kv: Kv,
    pub(super) near: Near,
    pub(super) measure: Measure,
    watch: Option<&'w mut dyn Watch>,
    events: u64,
    digest: u64,
}

/// Runs a world to its end.
pub(crate) fn run(plan: &Plan) -> Outcome {
    World::new(plan, None).run()
}

/// Runs a world while a law looks on.
pub(crate) fn run_watched(plan: &Plan, watch: &mut dyn Watch) -> Outcome {
    World::new(plan, Some(watch)).run()
}

impl<'w> World<'w> {
    fn new(plan: &'w Plan, watch: Option<&'w mut dyn Watch>) -> Self {
        let sizes = plan.sizes();
        let configs: Vec<Config> = sizes
            .iter()
            .enumerate()
            .map(|(colo, &size)| parse(&plan.settings_of(colo, size)).unwrap_or_else(|problems| panic!("{problems}")))
            .collect();
        // The naive policy has one key; cells have one per colo.
        let keys = if plan.policy == Policy::Naive { 1 } else { sizes.len() };
        let capacity = f64::from(plan.isolates) * plan.requests_per_s * plan.headroom;
        let mut world = Self {
            plan,
            isolates: Vec::with_capacity(plan.isolates as usize),
            queue: Queue::new(plan.end),
            upstream: Upstream::new(capacity.max(20.0)),
            kv: Kv::new(plan.kv, keys, sizes.len()),
            near: Near::new(sizes.len()),
            measure: Measure::new(plan, sizes.len()),
            watch,
            configs,
            events: 0,
            digest: 0,
        };
        let colos = sizes.iter().enumerate().flat_map(|(colo, &size)| (0..size).map(move |_| colo as u16));
        for (slot, colo) in colos.enumerate() {
            let slot = slot as u32;
            let config = &world.configs[usize::from(colo)];
            let mut isolate = Isolate::new(plan, config, slot, 0, colo, 0);
            let first = exponential(world.gap_ms(), &mut isolate.rng);
            world.isolates.push(isolate);
            world.note(slot, 0, Act::Born);
            world.queue.push(first, Event { slot, life: 0, what: What::Arrive });
        }
        world
    }

    fn run(mut self) -> Outcome {
        while let Some(event) = self.queue.pop() {
            let at = self.queue.now();
            let isolate = &mut self.isolates[event.slot as usize];
            if isolate.life != event.life {
                continue;
            }
            if isolate.is_frozen(at) {
                self.queue.push(isolate.frozen.1, event);
                continue;
            }
            self.events += 1;
            let is_request = matches!(event.what, What::Arrive);
            if !is_request {
                isolate.pending -= 1;
            }
            self.mark(at, event.slot, code(&event.what));
            if is_request { self.requests(event.slot, at) } else { self.happen(event, at) }
        }
        Outcome {
            measure: self.measure,
            kv: self.kv.counts,
            near: self.near.counts,
            events: self.events,
            digest: self.digest,
        }
    }

    /// One request, and all that follow before anything of this isolate's happens in the queue.
    fn requests(&mut self, slot: u32, mut at: Ms) {
        loop {
            if at >= self.isolates[slot as usize].dies_at {
                self.replace(slot, at);
            }
            self.request(slot, at);
            let gap_ms = self.gap_ms();
            let isolate = &mut self.isolates[slot as usize];
            at += exponential(gap_ms, &mut isolate.rng);
            if at >= self.plan.end {
                return;
            }
            if isolate.pending > 0 || at >= isolate.dies_at || isolate.is_frozen(at) {
                let event = Event { slot, life: isolate.life, what: What::Arrive };
                self.queue.push(at, event);
                return;
            }
            self.events += 1;
        }
    }

    /// Evicts the isolate of a slot, with all that was under way for it, and starts another.
    fn replace(&mut self, slot: u32, at: Ms) {
        let isolate = &mut self.isolates[slot as usize];
        let config = &self.configs[usize::from(isolate.colo)];
        *isolate = Isolate::new(self.plan, config, slot, isolate.life + 1, isolate.colo, at);
        self.note(slot, at, Act::Born);
    }

    const fn gap_ms(&self) -> f64 {
        1_000.0 / self.plan.requests_per_s
    }

    /// Lets something happen to an isolate later.
    pub(super) fn plan_event(&mut self, slot: u32, at: Ms, what: What) {
        if at < self.plan.end {
            let isolate = &mut self.isolates[slot as usize];
            isolate.pending += 1;
            self.queue.push(at, Event { slot, life: isolate.life, what });
        }
    }

    /// Shows a law what happened.
    pub(super) fn note(&mut self, slot: u32, at: Ms, act: Act<'_>) {
        if let Some(watch) = &mut self.watch {
            let isolate = &self.isolates[slot as usize];
            let moment = Moment { at, now: isolate.now(at), slot, life: isolate.life, colo: isolate.colo, act };
            watch.see(&moment, &isolate.engine);
        }
    }

    /// Adds to the digest.
    pub(super) fn mark(&mut self, at: Ms, slot: u32, code: u64) {
        self.digest = mix(self.digest.rotate_left(5) ^ at ^ u64::from(slot) << 32 ^ code << 56);
    }
}

const fn code(what: &What) -> u64 {
    match what {
        What::Arrive => 1,
        What::Begin => 2,
        What::Warm(_) => 3,
        What::Send { .. } => 4,
        What::Renew { .. } => 5,
        What::Report { .. } => 6,
        What::Wake(_) => 7,
        What::Get { .. } => 8,
        What::Got { .. } => 9,
        What::Kept { .. } => 10,
        What::NearGot { .. } => 11,
        What::Put { .. } => 12,
        What::NearGet { .. } => 13,
    }
}
