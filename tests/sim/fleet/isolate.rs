//! One isolate: its engine, its clock, its chance, and what is under way for it.

use seawall::clock::Instant;
use seawall::config::Config;
use seawall::engine::Engine;
use seawall::engine::step::CallId;
use seawall::outcome::Judgement;
use seawall::rng::{Rng, SplitMix, mix};

use super::clock::{Clock, Ms, between, exponential};
use super::kv::Text;
use super::naive::Naive;
use super::plan::{Plan, Policy};

/// How far the first read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cold {
    /// The first request reads what others know.
    Unread,
    /// Requests wait for it until then.
    Reading(Ms),
    Done,
}

/// Lives in a slot until it is evicted; then another one does.
pub(crate) struct Isolate {
    pub(crate) engine: Engine,
    pub(crate) colo: u16,
    pub(crate) life: u32,
    pub(crate) clock: Clock,
    pub(crate) rng: SplitMix,
    /// Events of this isolate that will happen, without its next request.
    pub(crate) pending: u32,
    pub(crate) dies_at: Ms,
    /// It stands still in between.
    pub(crate) frozen: (Ms, Ms),
    pub(crate) cold: Cold,
    pub(crate) naive: Option<Box<Naive>>,
}

impl Isolate {
    /// An isolate that knows nothing.
    pub(crate) fn new(plan: &Plan, config: &Config, slot: u32, life: u32, colo: u16, at: Ms) -> Self {
        let mut rng = SplitMix::new(mix(plan.seed) ^ mix(u64::from(slot) << 32 | u64::from(life)));
        let clock = Clock::new(plan.clocks, plan.end, &mut rng);
        let frozen = if rng.unit() < plan.freezing {
            let from = between(at, plan.end, &mut rng);
            (from, from + between(1, plan.freeze_max_ms, &mut rng))
        } else {
            (0, 0)
        };
        Self {
            engine: Engine::new(config.clone(), rng.bits(), clock.read(at)),
            colo,
            life,
            clock,
            pending: 0,
            dies_at: at + exponential(plan.life_ms, &mut rng),
            frozen,
            cold: if plan.policy.is_sharing() { Cold::Unread } else { Cold::Done },
            naive: (plan.policy == Policy::Naive).then(Box::default),
            rng,
        }
    }

    /// What its clock shows.
    pub(crate) fn now(&self, at: Ms) -> Instant {
        self.clock.read(at)
    }

    /// Whether it stands still.
    pub(crate) const fn is_frozen(&self, at: Ms) -> bool {
        at >= self.frozen.0 && at < self.frozen.1
    }
}

/// Why the store is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The engine wants to know.
    Know,
    /// The engine wants to write, and reads before.
    Tell,
    /// The naive policy polls.
    Poll,
}

/// Something that will happen to an isolate.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A request comes in.
    Arrive,
    /// A request that waited for the first read begins.
    Begin,
    /// The first read is over.
    Warm(Option<Text>),
    /// An attempt leaves for the database.
    Send { call: CallId, timeout_ms: u32, renew_ms: u32 },
    /// A running attempt keeps its lease.
    Renew { call: CallId, renew_ms: u32, ends_at: u32 },
    /// An attempt ends.
    Report { call: CallId, judgement: Judgement },
    /// A wait ends.
    Wake(CallId),
    /// The store is read; nothing of it may happen after `by`.
    Get { why: Why, by: u32 },
    /// The store has answered.
    Got { why: Why, by: u32, read: Result<Option<Text>, ()> },
    /// The store is written.
    Put { by: u32, text: Text },
    /// The store was written.
    Kept { by: u32, text: Text, is_kept: bool },
    /// The near layer is read; whether it is to be written next.
    NearGet { is_telling: bool },
    /// The near layer has answered; whether it is to be written next.
    NearGot { text: Option<Text>, is_telling: bool },
}

/// To whom it will happen.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) slot: u32,
    pub(crate) life: u32,
    pub(crate) what: What,
}
