//! The circuit breaker: refuses at once what would only fail slowly.
//!
//! Closed, it counts the recent past in exact time buckets and opens when any of its rules holds. Open, it
//! refuses until a point in time that grows, with jitter, each time a probe fails. Half-open, it lets a few
//! probes through and closes after enough of them succeed in a row. Half-open begins with the first question
//! after that point in time, never by a timer: on Workers a timer dies with the request that set it.
//!
//! Every state has an **epoch**. An admission carries the epoch it was made in, and a result from another epoch
//! changes nothing, so neither a success from before the trip can close the circuit nor a failure from before the
//! recovery reopen it. A probe's permit expires, so a lost probe cannot keep the circuit half-open for ever.
//!
//! With `failures_max = 5`, the fifth failure within 60 s opens it for 30 s.

mod advice;
mod config;
mod corners;
mod hand;
mod kept;
mod probes;
mod ramp;
mod schedule;
mod state;
mod tally;
mod weights;

use super::Cx;
use crate::clock::{Instant, Millis};
use crate::note::Note;
use crate::outcome::{Evidence, Outcome};
use crate::state::schema::{Cell, Phase};
pub use config::BreakerConfig;
pub use corners::{Corners, Neutral, ProbeRule};
pub use hand::Forced;
pub use kept::Kept;
pub use probes::PROBES_MAX;
use probes::Probes;
use ramp::Ramp;
pub use schedule::FleetConfig;
use schedule::{Search, Windows};
pub use state::{CHANGES, Change, State};
use tally::Tally;
use weights::Weight;
pub use weights::{WHOLE, Weights};

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerAnswer {
    /// It may. [`Breaker::admit`] makes it so.
    Admit,
    /// It may not; asking again can help from then on.
    Refuse {
        /// [`Instant::NEVER`] when only an operator can change it.
        retry_at: Instant,
    },
}

/// The right to one attempt, given back by [`Breaker::observe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    epoch: u32,
    /// Serial number of the probe, or 0 for an ordinary call.
    probe: u32,
}

impl Admission {
    /// For a call that bypassed the breaker: its result is never counted.
    pub const BYPASS: Self = Self { epoch: 0, probe: 0 };

    /// Whether it is a half-open probe.
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe != 0
    }
}

/// One circuit breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Changes with every state; admissions of another epoch are stale. Starts at 1: 0 is the bypass.
    epoch: u32,
    tally: Tally,
    /// While open: when probing may begin.
    until: Instant,
    opened_at: Instant,
    /// Failed probings since the circuit was last closed.
    round: u32,
    /// Isolates that share the store, as far as is known; 0 if nothing is.
    fleet_size: f64,
    /// While others' recovery is taken up.
    ramp: Option<Ramp>,
    probes: Probes,
    forced: Option<Forced>,
    /// Who holds it open through [`Breaker::isolate`].
    holders: u32,
    /// Counts from its birth, opens from here.
    opens_from: Instant,
    /// The newest shared knowledge: ours or merged.
    cell: Cell,
    /// The latest that this isolate and others know in common: what is older is never taken up again.
    known: (u32, Phase),
    /// Whether `cell` was made here and not yet stored.
    is_cell_news: bool,
    /// The same for the store near by.
    is_near_news: bool,
    /// Signs the cells made here.
    writer: u32,
    /// The latest time at which an attempt found the database healthy.
    healthy_at: Option<Instant>,
    successes: u64,
    requests: u64,
}

impl Breaker {
    /// A closed circuit that knows nothing; `writer` signs what it will tell others.
    #[must_use]
    pub fn new(config: BreakerConfig, writer: u32) -> Self {
        Self {
            state: State::Closed,
            epoch: 1,
            tally: Tally::new(&config),
            until: Instant::default(),
            opened_at: Instant::default(),
            round: 0,
            fleet_size: 0.0,
            ramp: None,
            probes: Probes::default(),
            forced: None,
            holders: 0,
            opens_from: Instant::default(),
            cell: Cell::BOTTOM,
            known: (Cell::BOTTOM.generation, Cell::BOTTOM.phase),
            is_cell_news: false,
            is_near_news: false,
            writer,
            healthy_at: None,
            successes: 0,
            requests: 0,
            config,
        }
    }

    /// Says whether an attempt may be made now. Takes nothing; half-open begins here when its time has come.
    #[inline]
    pub fn decide(&mut self, cx: &mut Cx<'_>) -> BreakerAnswer {
        if self.state == State::Closed && self.forced.is_none() {
            return BreakerAnswer::Admit;
        }
        self.decide_troubled(cx)
    }

    /// Kept apart from what every call asks.
    #[inline(never)]
    fn decide_troubled(&mut self, cx: &mut Cx<'_>) -> BreakerAnswer {
        match self.forced {
            Some(Forced::Open) => return BreakerAnswer::Refuse { retry_at: Instant::NEVER },
            Some(Forced::Closed | Forced::Counting) => return BreakerAnswer::Admit,
            None => {}
        }
        match self.state {
            State::Closed => BreakerAnswer::Admit,
            _ if !self.config.has_rule() => BreakerAnswer::Admit,
            State::Open if cx.now < self.until => BreakerAnswer::Refuse { retry_at: self.until },
            State::Open => {
                self.probes.begin();
                self.enter(State::HalfOpen, Change::Elapsed, cx);
                BreakerAnswer::Admit
            }
            State::HalfOpen if self.ramp.is_some() => self.decide_ramping(cx),
            State::HalfOpen => match self.probes.refused_until(self.probes_max(), cx.now) {
                None => BreakerAnswer::Admit,
                Some(retry_at) => BreakerAnswer::Refuse { retry_at },
            },
        }
    }

    /// Takes what `decide` offered. A probe's permit expires at `expires_at`, should its result never come.
    #[inline]
    pub fn admit(&mut self, expires_at: Instant, cx: &mut Cx<'_>) -> Admission {
        self.requests += 1;
        if self.state != State::HalfOpen || self.ramp.is_some() || self.forced.is_some() {
            return Admission { epoch: self.epoch, probe: 0 };
        }
        Admission { epoch: self.epoch, probe: self.probes.admit(expires_at, cx.now) }
    }

    /// Takes in how an admitted attempt ended: [`Breaker::observe`] with the weight of the outcome's class.
    #[inline]
    pub fn observe_outcome(&mut self, admission: Admission, outcome: Outcome, duration_ms: Millis, cx: &mut Cx<'_>) {
        let failure = self.config.weights.of(outcome);
        let evidence = match outcome.evidence() {
            Evidence::Failing if failure.hundredths == 0 => Evidence::None,
            evidence => evidence,
        };
        self.take(admission, evidence, failure, duration_ms, cx);
    }

    /// Takes in how an admitted attempt ended. [`Evidence::None`] only gives the permit back.
    pub fn observe(&mut self, admission: Admission, evidence: Evidence, duration_ms: Millis, cx: &mut Cx<'_>) {
        self.take(admission, evidence, Weight::WHOLE, duration_ms, cx);
    }

    /// `failure` is what a failure weighs.
    #[inline]
    fn take(
        &mut self,
        admission: Admission,
        evidence: Evidence,
        failure: Weight,
        duration_ms: Millis,
        cx: &mut Cx<'_>,
    ) {
        if evidence == Evidence::Healthy && admission != Admission::BYPASS {
            self.successes += 1;
        }
        if admission.epoch != self.epoch || matches!(self.forced, Some(Forced::Open | Forced::Closed)) {
            return;
        }
        let neutral = self.config.corners().neutral;
        let is_neutral = evidence == Evidence::None
            && !(neutral == Neutral::Success || (neutral == Neutral::ProbeSuccess && admission.is_probe()));
        if admission.is_probe() {
            if self.config.corners().probes.is_in_all() && !is_neutral {
                self.probes.spend(admission.probe);
            } else {
                self.probes.give_back(admission.probe);
            }
        }
        if is_neutral {
            return;
        }
        let is_slow = self.is_slow(duration_ms);
        let failure = match evidence {
            Evidence::Failing => failure,
            Evidence::Healthy if is_slow && self.config.slow_is_failure => Weight::WHOLE,
            Evidence::Healthy | Evidence::None => Weight::NONE,
        };
        if failure == Weight::NONE && evidence == Evidence::Healthy {
            self.healthy_at = Some(cx.now);
        }
        match self.state {
            State::Closed => self.observe_counted(failure, is_slow, cx),
            State::HalfOpen if self.ramp.is_some() => self.observe_ramping(failure, is_slow, cx),
            State::HalfOpen => self.observe_probe(failure, is_slow, cx),
            State::Open => {}
        }
    }

    /// Whether a call of this duration is slow: strictly longer than the limit.
    #[must_use]
    pub const fn is_slow(&self, duration_ms: Millis) -> bool {
        self.config.slow_ms > 0 && duration_ms > self.config.slow_ms
    }

    /// The state now, without changing it: half-open shows once its time has come.
    #[must_use]
    pub fn state(&self, now: Instant) -> State {
        match self.forced {
            Some(Forced::Open) => State::Open,
            Some(Forced::Closed | Forced::Counting) => State::Closed,
            None if !self.config.has_rule() => State::Closed,
            None if self.state == State::Open && now >= self.until => State::HalfOpen,
            None if self.ramp.is_some() && now >= self.until => State::Closed,
            None => self.state,
        }
    }

    /// The state as it was last entered: half-open only since the first question after the open time.
    #[must_use]
    pub const fn entered(&self) -> State {
        self.state
    }

    /// Whether the circuit is anything but closed.
    #[must_use]
    pub const fn is_troubled(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// When asking again can help, if the circuit refuses now.
    #[must_use]
    pub fn retry_at(&self) -> Instant {
        if self.forced == Some(Forced::Open) { Instant::NEVER } else { self.until }
    }

    /// Failures in the window.
    pub fn failures(&mut self, now: Instant) -> u32 {
        self.tally.failures(&self.config, now)
    }

    /// Attempts that found the database healthy, since the start or the last reset.
    #[must_use]
    pub const fn successes(&self) -> u64 {
        self.successes
    }

    /// Admitted attempts since the start or the last reset.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Takes other settings. The state stays; the window starts anew when its shape changed.
    pub fn reconfigure(&mut self, config: BreakerConfig) {
        let shape = |config: &BreakerConfig| (config.window_ms, config.window_buckets, config.window_calls);
        if shape(&config) != shape(&self.config) {
            self.tally = Tally::new(&config);
        }
        self.config = config;
    }

    #[inline]
    fn observe_counted(&mut self, failure: Weight, is_slow: bool, cx: &mut Cx<'_>) {
        let change = self.tally.observe(&self.config, failure, is_slow, cx.now);
        if let Some(change) = change
            && cx.now >= self.opens_from
            && self.forced.is_none()
        {
            self.round = 0;
            self.open(change, cx);
        }
    }

    fn observe_probe(&mut self, failure: Weight, is_slow: bool, cx: &mut Cx<'_>) {
        let results = self.probes.count(failure, is_slow);
        let probes_max = self.config.probes_max.min(PROBES_MAX as u32);
        match tally::verdict(&self.config, results, probes_max) {
            Some(false) => {
                self.round = self.round.saturating_add(1);
                self.open(Change::ProbeFailed, cx);
            }
            Some(true) => self.close(Change::Recovered, cx),
            None => {}
        }
    }

    fn open(&mut self, change: Change, cx: &mut Cx<'_>) {
        self.until = cx.now.plus(self.open_ms(cx));
        if change != Change::ProbeFailed || self.cell.phase == Phase::Closed {
            // A probe that failed after others saw a recovery is a new opening, not the old one going on.
            self.opened_at = cx.now;
            self.publish(Phase::Open, cx.now);
        } else {
            self.publish_again(cx.now);
            self.schedule(Search::After(self.probes.latest_at()), cx.now);
        }
        self.enter(State::Open, change, cx);
    }

    /// How long it stays open this time.
    fn open_ms(&self, cx: &mut Cx<'_>) -> Millis {
        let steps = self.config.corners().open_steps_ms;
        let step = steps.get(self.round as usize).or(steps.last());
        let open_ms = step.map_or_else(|| self.config.open.at_least_ms(self.round, cx.rng), |step| *step);
        open_ms.saturating_add(self.config.corners().is_later.into())
    }

    fn close(&mut self, change: Change, cx: &mut Cx<'_>) {
        self.settle();
        if self.cell.phase == Phase::Open {
            self.publish(Phase::Closed, cx.now);
        }
        self.enter(State::Closed, change, cx);
    }

    /// Probes in flight at once: one until it is known how it ends, when others probe as well.
    fn probes_max(&self) -> u32 {
        let has_others = self.is_in_fleet() || self.cell.writer != self.writer;
        if has_others && !self.probes.has_succeeded() { 1 } else { self.config.probes_max }
    }

    fn settle(&mut self) {
        self.tally.clear();
        self.round = 0;
    }

    fn enter(&mut self, to: State, change: Change, cx: &mut Cx<'_>) {
        let from = self.state;
        self.state = to;
        self.ramp = None;
        self.epoch = self.epoch.wrapping_add(1).max(1);
        if from != to {
            cx.notes.push(Note::CircuitChanged { from, to, change }, cx.now);
        }
    }
}

#[cfg(test)]
mod tests;
