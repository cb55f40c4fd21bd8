//! The order in which policies are asked. Nothing that a single policy could own.
//!
//! A host begins a call and gets a [`Step`]. It carries the step out, reads its clock again, and reports or wakes,
//! which gives the next step, until `Refuse` or `Done`:
//!
//! ```text
//! begin ──> Attempt ── report ──> Done | Wait (back-off) | Refuse
//!       ──> Wait ───── wake ────> Attempt | Wait | Refuse
//!       ──> Refuse
//! ```
//!
//! One mutation at a time: a step is carried out before the next call into the engine for the same `CallId`.

/// Splits the engine into one policy and the context that the others lend it.
macro_rules! cx {
    ($engine:expr, $now:expr) => {
        &mut $crate::policy::Cx { now: $now, rng: &mut $engine.rng, notes: &mut $engine.notes }
    };
}

mod call;
mod control;
mod fleet;
mod gate;
mod hedging;
mod legs;
mod pooling;
mod sharing;
pub mod step;

use crate::clock::{Instant, Millis};
use crate::config::Config;
use crate::error::Code;
use crate::note::times::Row;
use crate::note::{Note, Notes};
use crate::outcome::{Effect, Evidence, Judgement, Outcome};
use crate::policy::breaker::{Admission, Breaker, BreakerAnswer, State};
use crate::policy::deadline::Deadlines;
use crate::policy::lease::{Lease, LeaseAnswer, LeasePool, Ticket};
use crate::policy::rate::Rate;
use crate::policy::retry::{Retries, RetryAnswer, RetryQuestion};
use crate::query::{Layers, Query};
use crate::rng::{Rng, SplitMix};
use crate::state::recorder::Recorder;
use crate::state::schema::Snapshot;
use crate::state::sync::Sync;
use call::{Call, Calls, Doing};
use legs::Legs;
use step::{CallId, Ending, Step, Wait};

/// A probe without a deadline keeps its permit for this long at most, in milliseconds.
const PERMIT_MAX_MS: Millis = 600_000;

/// The policies of one database in one isolate.
#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
    deadlines: Deadlines,
    breaker: Breaker,
    pool: LeasePool,
    retries: Retries,
    calls: Calls,
    legs: Legs,
    rng: SplitMix,
    notes: Notes,
    health: Recorder,
    sync: Sync,
    shared: Snapshot,
    started_at: Instant,
    /// Random number of this isolate.
    id: u32,
    /// Whether the store takes the fleet to be much smaller than this isolate's id shows it to be.
    is_uncounted: bool,
    is_closed: bool,
    /// How much a tenant may use.
    rate: Rate,
    /// Whether a call has to be asked about before anything else.
    is_gated: bool,
}

impl Engine {
    /// An engine that has seen nothing. `seed` must differ between isolates; it feeds jitter and the isolate's id.
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let mut rng = SplitMix::new(seed);
        let id = (rng.bits() >> 32) as u32;
        Self {
            deadlines: Deadlines::new(config.deadlines),
            breaker: Breaker::new(config.breaker, id),
            pool: LeasePool::new(config.pool),
            retries: Retries::new(config.retry),
            calls: Calls::default(),
            legs: Legs::default(),
            rng,
            notes: Notes::default(),
            health: Recorder::new(id),
            sync: Sync::new(config.sync),
            shared: Snapshot::default(),
            started_at: now,
            id,
            is_uncounted: false,
            is_closed: false,
            rate: Rate::new(config.rate),
            is_gated: config.rate.interval_us > 0 || config.concurrent_max > 0,
            config,
        }
    }

    /// Starts a call.
    pub fn begin(&mut self, query: Query, now: Instant) -> Step {
        if self.is_gated
            && let Some(refusal) = self.gate(&query, now)
        {
            return refusal;
        }
        let deadline = self.deadlines.decide(&query, now);
        let acquire_by = now.plus(self.config.pool.acquire_timeout_ms).min(deadline);
        let mut call = Call::new(&query, now, deadline, acquire_by);
        call.is_hedged &= self.config.hedge.delay_ms > 0;
        call.layers = call.layers.with_breaker(self.config.is_breaker_on);
        self.forget_vanished(self.calls.looks(), now);
        match self.calls.reserve() {
            Some(id) => self.proceed(id, call, now),
            None => self.refuse(Code::Overloaded, Instant::NEVER, 0, now),
        }
    }

    /// Goes on with a call that waited.
    pub fn wake(&mut self, id: CallId, now: Instant) -> Step {
        match self.calls.get(id).copied() {
            Some(call) => self.proceed_again(id, call, now),
            None => Step::Done { ending: Ending::AsReported, attempts: 0 },
        }
    }

    /// Takes in that an attempt did what was asked: [`Engine::report`] for the common case.
    pub fn succeed(&mut self, id: CallId, now: Instant) -> Step {
        if !self.legs.is_empty() {
            self.drop_leg(id, now);
        }
        let Some(call) = self.calls.get(id) else {
            return Step::Done { ending: Ending::AsReported, attempts: 0 };
        };
        let attempts = call.attempts();
        let layers = call.layers;
        if let Doing::Attempting { admission, lease, since } = call.doing {
            self.calls.remove(id);
            self.observe(Outcome::Success, admission, lease, since, layers, now);
        }
        Step::Done { ending: Ending::AsReported, attempts }
    }

    /// Takes in how an attempt ended. Reporting an unknown call changes nothing.
    pub fn report(&mut self, id: CallId, judgement: Judgement, now: Instant) -> Step {
        if judgement.outcome == Outcome::Success {
            return self.succeed(id, now);
        }
        if !self.legs.is_empty() {
            self.drop_leg(id, now);
        }
        let Some(call) = self.calls.get(id) else {
            return Step::Done { ending: Ending::AsReported, attempts: 0 };
        };
        let attempts = call.attempts();
        let Doing::Attempting { admission, lease, since } = call.doing else {
            return Step::Done { ending: Ending::AsReported, attempts };
        };
        let mut call = *call;
        self.observe_rare(judgement.outcome, admission, lease, since, call.layers, now);
        match self.retry(&call, judgement, now) {
            RetryAnswer::After(delay_ms) => {
                self.notes.retried_after(judgement.outcome);
                let until = now.plus(delay_ms);
                call.doing = Doing::BackingOff;
                call.acquire_by = until.plus(self.config.pool.acquire_timeout_ms).min(call.deadline);
                self.calls.put(id, call);
                Step::Wait { call: id, until, what: Wait::Backoff }
            }
            answer => {
                self.calls.remove(id);
                Step::Done { ending: ending(&call, judgement, answer), attempts: call.attempts() }
            }
        }
    }

    /// Keeps a running attempt's lease for another while; false when the lease has lapsed.
    pub fn renew(&mut self, id: CallId, now: Instant) -> bool {
        self.calls.renew(id, now);
        if let Some(lease) = self.legs.of(id).and_then(|leg| leg.out.lease) {
            self.pool.renew(lease, now);
        }
        match self.calls.get(id).map(|call| call.doing) {
            Some(Doing::Attempting { lease: Some(lease), .. }) => self.pool.renew(lease, now),
            Some(Doing::Attempting { lease: None, .. }) => true,
            Some(Doing::Checking(lease)) => self.pool.renew(lease, now),
            _ => false,
        }
    }

    /// Keeps all leases for another while: for a host that knows that none of its callers has vanished.
    pub fn renew_all(&mut self, now: Instant) {
        self.calls.renew_all(now);
        self.pool.renew_all(now);
    }

    /// Ends a call whose caller went away. It counts for nothing; its lease and its probe permit are free again.
    pub fn cancel(&mut self, id: CallId, now: Instant) {
        let Some(&Call { doing, layers, .. }) = self.calls.get(id) else { return };
        self.drop_leg(id, now);
        self.calls.remove(id);
        match doing {
            Doing::Queueing(ticket) => self.pool.leave_queue(ticket),
            Doing::Attempting { admission, lease, since } => {
                self.observe_rare(Outcome::Aborted, admission, lease, since, layers, now);
            }
            Doing::Checking(lease) => self.pool.release(lease, false, cx!(self, now)),
            Doing::BackingOff => {}
        }
    }

    /// The waiting call that should be woken now, because a lease is free or the pool closed.
    #[must_use]
    pub fn next_waiter(&self) -> Option<CallId> {
        self.pool.next_waiter().map(CallId::from_number)
    }

    /// Calls that have begun and not ended.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.calls.running()
    }

    /// The same without those of callers who left, which are forgotten: their host was not heard of since their lease
    /// lapsed or their deadline passed, 10 s ago or longer.
    pub fn running_at(&mut self, now: Instant) -> usize {
        self.forget_vanished(self.calls.places(), now);
        self.calls.running()
    }

    fn forget_vanished(&mut self, looks: usize, now: Instant) {
        for _ in 0..looks {
            if let Some(id) = self.calls.next_vanished(self.config.pool.lease_ttl_ms, now) {
                // First, or its lease would pass for one that was given back.
                self.pool.take_back_lapsed(cx!(self, now));
                self.cancel(id, now);
            }
        }
    }

    /// [`Engine::proceed`] for a call that waited.
    #[inline(never)]
    fn proceed_again(&mut self, id: CallId, call: Call, now: Instant) -> Step {
        self.proceed(id, call, now)
    }

    /// Asks in order: deadline, breaker, lease. Only when all agree does anything change hands.
    ///
    /// A copy for each caller, because a call that begins then goes from registers to its place in the table.
    #[inline(always)]
    fn proceed(&mut self, id: CallId, mut call: Call, now: Instant) -> Step {
        let ticket = match call.doing {
            Doing::Queueing(ticket) => ticket,
            Doing::BackingOff | Doing::Checking(_) => None,
            Doing::Attempting { .. } => return Step::Done { ending: Ending::AsReported, attempts: call.attempts() },
        };
        if self.is_closed {
            return self.give_up(id, Code::ClientClosed, Instant::NEVER, now);
        }
        if now >= call.deadline {
            let code = if ticket.is_some() { Code::PoolTimeout } else { Code::DeadlineExceeded };
            return self.give_up(id, code, Instant::NEVER, now);
        }
        if call.layers.has_breaker()
            && let BreakerAnswer::Refuse { retry_at } = self.breaker.decide(cx!(self, now))
        {
            return self.give_up(id, Code::CircuitOpen, retry_at, now);
        }
        let lease = match self.lease(id, &call, ticket, now) {
            Ok(lease) => lease,
            Err(LeaseAnswer::Wait { until, ticket }) => {
                call.doing = Doing::Queueing(Some(ticket));
                self.calls.put(id, call);
                return Step::Wait { call: id, until, what: Wait::Lease };
            }
            Err(LeaseAnswer::Check(lease)) => return self.check(id, call, lease),
            Err(LeaseAnswer::QueueFull) => return self.give_up(id, Code::PoolQueueFull, Instant::NEVER, now),
            Err(LeaseAnswer::Closed) => return self.give_up(id, Code::ClientClosed, Instant::NEVER, now),
            Err(_) => return self.give_up(id, Code::PoolTimeout, Instant::NEVER, now),
        };
        let admission = if call.layers.has_breaker() {
            let permit_ends = call.deadline.min(now.plus(PERMIT_MAX_MS));
            self.breaker.admit(permit_ends, cx!(self, now))
        } else {
            Admission::BYPASS
        };
        call.attempts = call.attempts.saturating_add(1);
        call.doing = Doing::Attempting { admission, lease, since: now };
        self.calls.put(id, call);
        let timeout_ms = if call.deadline == Instant::NEVER { 0 } else { call.deadline.since(now) };
        let hedge_ms = if call.is_hedged { self.config.hedge.delay_ms } else { 0 };
        Step::Attempt { call: id, timeout_ms, renew_ms: self.config.pool.lease_ttl_ms / 3, hedge_ms }
    }

    #[inline]
    fn lease(
        &mut self,
        id: CallId,
        call: &Call,
        ticket: Option<Ticket>,
        now: Instant,
    ) -> Result<Option<Lease>, LeaseAnswer> {
        if call.is_held || !call.layers.has_pool() || !self.config.is_pool_on {
            return Ok(None);
        }
        self.pool.enforce(call.layers.is_enforced());
        if let Doing::Checking(lease) = call.doing {
            return Ok(Some(lease));
        }
        match self.pool.decide(id.to_number(), call.priority, ticket, call.acquire_by, cx!(self, now)) {
            LeaseAnswer::Granted(lease) => Ok(Some(lease)),
            answer => Err(answer),
        }
    }

    /// Anything but a success, in a copy that they share.
    #[inline(never)]
    fn observe_rare(
        &mut self,
        outcome: Outcome,
        admission: Admission,
        lease: Option<Lease>,
        since: Instant,
        layers: Layers,
        now: Instant,
    ) {
        self.observe(outcome, admission, lease, since, layers, now);
    }

    /// Policies learn in the reverse order: the lease comes back first.
    ///
    /// A copy for each caller, because a success, known as one, needs a fraction of it.
    #[inline(always)]
    fn observe(
        &mut self,
        outcome: Outcome,
        admission: Admission,
        lease: Option<Lease>,
        since: Instant,
        layers: Layers,
        now: Instant,
    ) {
        let duration_ms = now.since(since);
        let evidence = outcome.evidence();
        if let Some(lease) = lease {
            self.pool.enforce(layers.is_enforced());
            let is_broken = matches!(outcome, Outcome::Timeout | Outcome::Network);
            self.pool.release(lease, is_broken, cx!(self, now));
        }
        let was_troubled = self.breaker.is_troubled();
        self.breaker.observe_outcome(admission, outcome, duration_ms, cx!(self, now));
        if outcome == Outcome::Success {
            self.retries.observe_success(duration_ms);
        }
        if evidence == Evidence::Failing {
            self.sync.suspect();
            if self.breaker.is_troubled() && !was_troubled {
                self.sync.opened(self.breaker.retry_at(), now);
            }
        }
        if self.config.is_monitoring_on && layers.is_counted() {
            let is_slow = self.breaker.is_slow(duration_ms);
            self.notes.attempt_ended(outcome, is_slow);
            self.notes.took(Row::of_attempt(outcome, lease.is_some()), duration_ms);
            self.health.record(evidence, is_slow, duration_ms, now);
        }
    }

    fn retry(&mut self, call: &Call, judgement: Judgement, now: Instant) -> RetryAnswer {
        if call.is_held {
            return RetryAnswer::No;
        }
        // Waiting for an attempt that the circuit will refuse helps nobody.
        if call.layers.has_breaker() && self.breaker.state(now) == State::Open {
            return RetryAnswer::Spent;
        }
        let question = RetryQuestion {
            policy: call.retry,
            attempts: call.attempts(),
            judgement,
            is_repeatable: call.is_repeatable,
            began_at: call.began_at,
            deadline: call.deadline,
        };
        self.retries.decide(&question, cx!(self, now))
    }

    fn give_up(&mut self, id: CallId, code: Code, retry_at: Instant, now: Instant) -> Step {
        let mut attempts = 0;
        if let Some(call) = self.calls.get(id) {
            attempts = call.attempts();
            match call.doing {
                Doing::Queueing(ticket) => self.pool.leave_queue(ticket),
                Doing::Checking(lease) => self.pool.release(lease, false, cx!(self, now)),
                Doing::BackingOff | Doing::Attempting { .. } => {}
            }
        }
        self.calls.remove(id);
        self.refuse(code, retry_at, attempts, now)
    }

    fn refuse(&mut self, code: Code, retry_at: Instant, attempts: u32, now: Instant) -> Step {
        self.notes.push(Note::Refused(code), now);
        Step::Refuse { code, retry_at, attempts }
    }
}

/// What to tell the caller of a call whose last attempt failed.
///
/// The database's own errors pass through. A lost answer to a write is named as such, whatever lost it; a timeout
/// is named as a timeout, because there is no error of the attempt to hand on.
fn ending(call: &Call, judgement: Judgement, answer: RetryAnswer) -> Ending {
    let is_lost_write = judgement.effect == Effect::Unknown && !call.is_repeatable;
    match judgement.outcome {
        Outcome::Timeout => Ending::DeadlineExceeded,
        Outcome::Network | Outcome::BadResponse | Outcome::ServerError if is_lost_write => Ending::OutcomeUnknown,
        Outcome::Network | Outcome::BadResponse | Outcome::ServerError | Outcome::RateLimited
            if answer == RetryAnswer::Spent && call.attempts > 1 =>
        {
            Ending::RetriesExhausted
        }
        _ => Ending::AsReported,
    }
}
