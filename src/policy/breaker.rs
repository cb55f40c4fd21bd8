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
mod probes;
mod ramp;
mod schedule;
mod tally;

use super::Cx;
use super::backoff::Backoff;
use crate::clock::{Instant, Millis};
use crate::note::Note;
use crate::outcome::Evidence;
use crate::state::schema::{Cell, Phase};
pub use probes::PROBES_MAX;
use probes::Probes;
use ramp::Ramp;
pub use schedule::FleetConfig;
use schedule::{Search, Windows};
use tally::Tally;

/// When the breaker opens and how it recovers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerConfig {
    /// Opens on this many failures in the window; 0 turns the rule off.
    pub failures_max: u32,
    /// Opens when failures / calls reaches this; 0 turns the rule off.
    pub failure_ratio: f64,
    /// Opens when slow / calls reaches this; 0 turns the rule off.
    pub slow_ratio: f64,
    /// Opens on this many failures in a row; 0 turns the rule off.
    pub consecutive_max: u32,
    /// The ratio rules need at least this many calls in the window.
    pub calls_min: u32,
    /// A call that takes longer is slow, in milliseconds; 0 turns slowness off.
    pub slow_ms: Millis,
    /// Whether a slow success counts as a failure.
    pub slow_is_failure: bool,
    /// How far back the window reaches, in milliseconds.
    pub window_ms: Millis,
    /// Buckets in the window.
    pub window_buckets: u32,
    /// How long it stays open: the first time, and longer each time that a probe fails.
    pub open: Backoff,
    /// Probes in flight at once while half-open; at most [`PROBES_MAX`].
    pub probes_max: u32,
    /// Successes in a row that close it again.
    pub successes_to_close: u32,
    /// What isolates that share a store do together.
    pub fleet: FleetConfig,
}

impl BreakerConfig {
    /// Whether anything can open it. Without a rule it is off: others' hints and an earlier opening refuse nothing.
    const fn has_rule(&self) -> bool {
        self.failures_max > 0 || self.failure_ratio > 0.0 || self.slow_ratio > 0.0 || self.consecutive_max > 0
    }
}

/// What the circuit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Works.
    Closed = 0,
    /// Probes.
    HalfOpen = 1,
    /// Refuses.
    Open = 2,
}

impl State {
    /// The name in status documents and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::HalfOpen => "HALF_OPEN",
            Self::Open => "OPEN",
        }
    }
}

/// What an operator holds the circuit in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// Open by hand: refuses everything until it is let go.
    Open,
    /// Closed by hand: admits everything and counts nothing.
    Closed,
}

/// Why the state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The count of failures in the window.
    FailureCount,
    /// The share of failures in the window.
    FailureRatio,
    /// The share of slow calls in the window.
    SlowRatio,
    /// Failures in a row.
    Consecutive,
    /// The open time had passed.
    Elapsed,
    /// A probe failed.
    ProbeFailed,
    /// Enough probes succeeded.
    Recovered,
    /// An operator's hand.
    Forced,
    /// An operator's reset.
    Reset,
    /// What other isolates learnt.
    Advice,
}

impl Change {
    /// The name used outside Rust.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailureCount => "failure_count",
            Self::FailureRatio => "failure_ratio",
            Self::SlowRatio => "slow_ratio",
            Self::Consecutive => "consecutive_failures",
            Self::Elapsed => "open_time_elapsed",
            Self::ProbeFailed => "probe_failed",
            Self::Recovered => "recovered",
            Self::Forced => "forced",
            Self::Reset => "reset",
            Self::Advice => "shared_state",
        }
    }
}

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
    /// The newest shared knowledge: ours or merged.
    cell: Cell,
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
            cell: Cell::BOTTOM,
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
    pub fn decide(&mut self, cx: &mut Cx<'_>) -> BreakerAnswer {
        match self.forced {
            Some(Forced::Open) => return BreakerAnswer::Refuse { retry_at: Instant::NEVER },
            Some(Forced::Closed) => return BreakerAnswer::Admit,
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
    pub fn admit(&mut self, expires_at: Instant, cx: &mut Cx<'_>) -> Admission {
        self.requests += 1;
        if self.state != State::HalfOpen || self.ramp.is_some() || self.forced.is_some() {
            return Admission { epoch: self.epoch, probe: 0 };
        }
        Admission { epoch: self.epoch, probe: self.probes.admit(expires_at, cx.now) }
    }

    /// Takes in how an admitted attempt ended. [`Evidence::None`] only gives the permit back.
    pub fn observe(&mut self, admission: Admission, evidence: Evidence, duration_ms: Millis, cx: &mut Cx<'_>) {
        if evidence == Evidence::Healthy && admission != Admission::BYPASS {
            self.successes += 1;
        }
        if admission.epoch != self.epoch || self.forced.is_some() {
            return;
        }
        if admission.is_probe() {
            self.probes.give_back(admission.probe);
        }
        if evidence == Evidence::None {
            return;
        }
        let is_slow = self.is_slow(duration_ms);
        let is_failure = evidence == Evidence::Failing || (is_slow && self.config.slow_is_failure);
        if !is_failure {
            self.healthy_at = Some(cx.now);
        }
        match self.state {
            State::Closed => self.observe_counted(is_failure, is_slow, cx),
            State::HalfOpen if self.ramp.is_some() => self.observe_ramping(is_failure, is_slow, cx),
            State::HalfOpen => self.observe_probe(is_failure, cx),
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
            Some(Forced::Closed) => State::Closed,
            None if !self.config.has_rule() => State::Closed,
            None if self.state == State::Open && now >= self.until => State::HalfOpen,
            None if self.ramp.is_some() && now >= self.until => State::Closed,
            None => self.state,
        }
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
        self.tally.failures(now)
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

    /// Holds the circuit in a state by hand, or lets it go. Let go, it is what it was learning to be: closed and
    /// empty after [`Forced::Closed`], ready to probe after [`Forced::Open`].
    pub fn force(&mut self, forced: Option<Forced>, cx: &mut Cx<'_>) {
        let before = self.state(cx.now);
        self.forced = forced;
        self.epoch = self.epoch.wrapping_add(1).max(1);
        if let Some(forced) = forced {
            self.settle();
            self.until = cx.now;
            self.state = if forced == Forced::Open { State::Open } else { State::Closed };
        }
        let after = self.state(cx.now);
        if before != after {
            cx.notes.push(Note::CircuitChanged { from: before, to: after, change: Change::Forced }, cx.now);
        }
    }

    /// What the circuit is held in, if it is.
    #[must_use]
    pub const fn forced(&self) -> Option<Forced> {
        self.forced
    }

    /// Closes the circuit and forgets counts, force and schedule. Shared knowledge of an open circuit is closed too.
    pub fn reset(&mut self, cx: &mut Cx<'_>) {
        self.forced = None;
        self.successes = 0;
        self.requests = 0;
        self.close(Change::Reset, cx);
        self.epoch = self.epoch.wrapping_add(1).max(1);
    }

    /// Takes other settings. The state stays; the window starts anew when its shape changed.
    pub fn reconfigure(&mut self, config: BreakerConfig) {
        if (config.window_ms, config.window_buckets) != (self.config.window_ms, self.config.window_buckets) {
            self.tally = Tally::new(&config);
        }
        self.config = config;
    }

    fn observe_counted(&mut self, is_failure: bool, is_slow: bool, cx: &mut Cx<'_>) {
        if let Some(change) = self.tally.observe(&self.config, is_failure, is_slow, cx.now) {
            self.round = 0;
            self.open(change, cx);
        }
    }

    fn observe_probe(&mut self, is_failure: bool, cx: &mut Cx<'_>) {
        if is_failure {
            self.round = self.round.saturating_add(1);
            self.open(Change::ProbeFailed, cx);
            return;
        }
        if self.probes.succeed() >= self.config.successes_to_close {
            self.close(Change::Recovered, cx);
        }
    }

    fn open(&mut self, change: Change, cx: &mut Cx<'_>) {
        self.until = cx.now.plus(self.config.open.at_least_ms(self.round, cx.rng));
        if change != Change::ProbeFailed || self.cell.phase == Phase::Closed {
            // A probe that failed after others saw a recovery is a new opening, not the old one going on.
            self.opened_at = cx.now;
            self.publish(Phase::Open, cx.now);
        } else {
            self.publish_again(cx.now);
            self.schedule(Search::Next, cx.now);
        }
        self.enter(State::Open, change, cx);
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
        if self.is_in_fleet() && !self.probes.has_succeeded() { 1 } else { self.config.probes_max }
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
