//! Several endpoints of one database: which of them takes an operation, and who takes it when that one fails.
//!
//! Each endpoint keeps an engine of its own, with its breaker, pool, retries and deadlines; nothing here knows them. A
//! host begins a route and gets a [`Step`]. It runs the operation under the engine of that endpoint, and reports:
//!
//! ```text
//! begin ──> Target ── report ──> Target (the next one) | Done
//!       ──> Refuse
//! ```
//!
//! Reads go where the strategy says, writes to the first writable endpoint. What is healthy comes before what is not,
//! then what knows the caller's own writes, then the first priority, then the caller's region. Ill endpoints are asked
//! when no other is left: an ejection never refuses anybody.
//!
//! With three endpoints and 5 s, a read whose first one hangs moves on after 1 s, and so does its second; the third has
//! what is left. A write moves on only when it certainly was not sent.

mod choice;
mod config;
mod member;
mod route;
mod step;

use crate::clock::{Instant, Millis};
use crate::error::Code;
use crate::outcome::{Effect, Evidence, Judgement, Outcome};
use crate::policy::balance::{Algorithm, BalanceConfig, Balancer};
use crate::policy::deadline::{DeadlineConfig, Deadlines};
use crate::policy::outlier::{self, Comparison, OutlierConfig, Outliers};
use crate::query::{Class, Kind, Query};
use crate::rng::SplitMix;
pub use config::{ClusterConfig, STRATEGIES, Spread};
use member::Member;
pub use member::{Health, Report};
pub use route::RouteId;
use route::{Route, Routes};
pub use step::{Ended, RouteEnding, Step, Wish};

/// Endpoints of one cluster: a bit for each in a set.
pub const ENDPOINTS_MAX: usize = 32;

/// The next target of a read is asked for after so many times what the endpoint takes by its estimate, which leans to
/// the peak.
const PATIENCE: f64 = 4.0;
/// But not before this, in milliseconds: a long query on a quick database is no hang.
const PATIENCE_MIN_MS: f64 = 1_000.0;
/// So long without a word, and queries that pile up are a stall, in milliseconds; or twice `PATIENCE` estimates.
const STALL_MIN_MS: f64 = 500.0;
/// An answer counts as a failure when it takes so many times what the best of the others takes...
const SLOW_FACTOR: f64 = 5.0;
/// ...and so many milliseconds more.
const SLOW_ABOVE_MS: f64 = 100.0;
/// A clock of milliseconds cannot see less: it would take an answer for none.
const RTT_MIN_MS: f64 = 0.5;
/// When a circuit does not say when to ask again, it is asked after so long, in milliseconds.
const REFUSED_MS: Millis = 1_000;

const BALANCE: BalanceConfig = BalanceConfig {
    algorithm: Algorithm::LeastCost,
    decay_ms: 5_000,
    first_rtt_ms: 0.0,
    failure_penalty_ms: 500.0,
    // When nobody is healthy, health is ignored; but one healthy endpoint of three is asked, and not two that hang.
    panic_below: 0.0,
};

const OUTLIERS: OutlierConfig = OutlierConfig {
    consecutive_failures: 3,
    comparison: Comparison::None,
    endpoints_min: 0,
    requests_min: 0,
    interval_ms: 5_000,
    base_ejection_ms: 10_000,
    max_ejection_ms: 120_000,
    max_ejection_percent: 67,
    ejects_one: true,
};

/// The endpoints of one database in one isolate.
#[derive(Clone, Debug)]
pub struct Cluster {
    config: ClusterConfig,
    deadlines: Deadlines,
    members: Vec<Member>,
    balancer: Balancer,
    outliers: Outliers<false>,
    routes: Routes,
    rng: SplitMix,
    /// Who was ejected when the host last asked.
    told: u32,
}

impl Cluster {
    /// No endpoints yet. `seed` must differ between isolates.
    #[must_use]
    pub fn new(config: ClusterConfig, deadlines: DeadlineConfig, seed: u64, now: Instant) -> Self {
        Self {
            config,
            deadlines: Deadlines::new(deadlines),
            members: Vec::new(),
            balancer: Balancer::new(BALANCE, 0, now),
            outliers: Outliers::new(OUTLIERS, 0, now),
            routes: Routes::default(),
            rng: SplitMix::new(seed),
            told: 0,
        }
    }

    /// Takes an endpoint in; its number, or `None` when there are [`ENDPOINTS_MAX`].
    ///
    /// `priority` 1 comes first. The number of one that left is given anew when nothing is out there any more.
    #[inline(never)]
    pub fn add(&mut self, is_writable: bool, priority: u32, now: Instant) -> Option<usize> {
        let vacant = (0..self.members.len()).find(|&index| {
            self.members.get(index).is_some_and(|member| member.is_gone) && self.balancer.pending(index) == 0
        });
        let index = match vacant {
            Some(index) => {
                self.balancer.forget(index);
                self.outliers.reset(index, false);
                index
            }
            None if self.members.len() < ENDPOINTS_MAX && self.balancer.add(now) => {
                self.outliers.add();
                self.members.push(Member::default());
                self.members.len() - 1
            }
            None => return None,
        };
        *self.members.get_mut(index)? = Member { is_writable, priority, ..Member::default() };
        Some(index)
    }

    /// Lets an endpoint go: no route is given it again, and those that have it end as they do.
    pub fn remove(&mut self, endpoint: usize) {
        if let Some(member) = self.members.get_mut(endpoint) {
            member.is_gone = true;
            self.outliers.reset(endpoint, true);
        }
    }

    /// Starts a route.
    #[inline(never)]
    pub fn begin(&mut self, query: &Query, wish: Wish, now: Instant) -> Step {
        self.look_around(now);
        for _ in 0..self.routes.looks() {
            if let Some(id) = self.routes.next_vanished(now) {
                self.report(id, Ended::Left, now);
            }
        }
        let is_read = query.kind == Kind::Read;
        let deadline = self.deadlines.decide(query, now);
        let by = now.plus(self.config.failover_ms);
        let route = Route {
            is_read,
            is_transaction: query.class == Class::Transaction,
            is_timed: query.timeout_ms.is_some(),
            fails_over: wish.fails_over && self.config.fails_over && !query.is_held,
            wish,
            tried: 0,
            targets: 0,
            endpoint: 0,
            began_at: now,
            since: now,
            deadline,
            move_by: if query.timeout_ms.is_some() { deadline } else { by.min(deadline) },
            retry_at: Instant::NEVER,
        };
        if self.reach(&route) == 0 {
            return Step::Refuse(Code::NoEndpoint);
        }
        match self.routes.reserve() {
            Some(id) => self.proceed(id, route, now).unwrap_or_else(|| {
                self.routes.remove(id);
                Step::Refuse(Code::NoEndpoint)
            }),
            None => Step::Refuse(Code::Overloaded),
        }
    }

    /// Takes in how a target ended, and says where to go on. Reporting an unknown route changes nothing.
    #[inline(never)]
    pub fn report(&mut self, id: RouteId, ended: Ended, now: Instant) -> Step {
        let Some(route) = self.routes.get(id).copied() else {
            return Step::Done { ending: RouteEnding::AsReported, targets: 0, retry_at: Instant::NEVER, time_ms: 0 };
        };
        self.learn(&route, ended, now);
        self.look_around(now);
        let mut route = route;
        if let Ended::Refused { code: Code::CircuitOpen, retry_at } = ended {
            route.retry_at = route.retry_at.min(retry_at);
            // It was asked and not tried.
            route.targets = route.targets.saturating_sub(1);
        }
        let is_worthy = can_move(route.is_read, ended);
        let has_time = now < route.move_by && now < route.deadline;
        let has_targets = u32::from(route.targets) < self.config.targets_max.max(1);
        if route.fails_over
            && is_worthy
            && has_time
            && has_targets
            && let Some(step) = self.proceed(id, route, now)
        {
            if let Some(member) = self.members.get_mut(usize::from(route.endpoint)) {
                member.moved_on += 1;
            }
            return step;
        }
        self.routes.remove(id);
        let ending = match ended {
            _ if !is_worthy || route.tried.count_ones() < 2 || route.targets == 0 => RouteEnding::AsReported,
            Ended::Failed(Judgement { outcome: Outcome::Timeout, .. }) => RouteEnding::Late,
            _ => RouteEnding::Exhausted,
        };
        let time_ms = route.move_by.since(route.began_at);
        Step::Done { ending, targets: route.tried.count_ones(), retry_at: route.retry_at, time_ms }
    }

    /// Says from which index of its log an endpoint has answered. It falls when the log has begun anew.
    pub fn saw(&mut self, endpoint: usize, index: u64) {
        if let Some(member) = self.members.get_mut(endpoint) {
            member.index = index;
        }
    }

    /// Takes other settings; routes keep the times that they have.
    pub fn reconfigure(&mut self, config: ClusterConfig, deadlines: DeadlineConfig) {
        self.config = config;
        self.deadlines = Deadlines::new(deadlines);
    }

    /// Routes that have begun and not ended.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.routes.running()
    }

    /// What is known of an endpoint at `now`.
    #[must_use]
    pub fn look(&self, endpoint: usize, now: Instant) -> Option<Report> {
        let member = self.members.get(endpoint)?;
        Some(Report {
            health: self.health(endpoint, now),
            pending: self.balancer.pending(endpoint),
            estimate_ms: self.balancer.estimate_ms(endpoint),
            away_until: self.outliers.ejected_until(endpoint).unwrap_or(member.refused_until),
            index: member.index,
            reads: member.reads,
            writes: member.writes,
            failures: member.failures,
            refusals: member.refusals,
            moved_on: member.moved_on,
            ejections: member.ejections,
        })
    }

    /// The first endpoint whose ejection, or return, the host has not been told of, and whether it is ejected.
    pub fn take_change(&mut self) -> Option<(usize, bool)> {
        let changed = (self.told ^ self.ejected()).trailing_zeros();
        let bit = 1_u32.checked_shl(changed)?;
        self.told ^= bit;
        Some((changed as usize, self.told & bit != 0))
    }

    /// Whether [`Cluster::take_change`] has something.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.told != self.ejected()
    }

    /// Chooses, and sends the route there; `None` when nobody is left.
    #[inline(never)]
    fn proceed(&mut self, id: RouteId, mut route: Route, now: Instant) -> Option<Step> {
        let endpoint = self.choose(&route, now)?;
        route.tried |= 1 << endpoint;
        route.targets = route.targets.saturating_add(1);
        route.endpoint = endpoint as u8;
        route.since = now;
        let left = (self.config.targets_max.max(1)).saturating_sub(u32::from(route.targets));
        let others = (self.reach(&route) & !route.tried & self.healthy(now)).count_ones();
        let others = if route.fails_over { others.min(left) } else { 0 };
        let timeout_ms = self.timeout_ms(&route, others, now);
        let member = self.members.get_mut(endpoint)?;
        *(if route.is_read { &mut member.reads } else { &mut member.writes }) += 1;
        if !route.is_transaction {
            member.stall.begin(now);
        }
        self.balancer.begin(endpoint);
        self.routes.put(id, route);
        Some(Step::Target { route: id, endpoint, timeout_ms, is_last: others == 0 })
    }

    /// A share of what is left for each target, and less for one that should have answered long before.
    ///
    /// A write keeps all of its time, because it never moves on after a timeout, and so does a read with nowhere to go
    /// and one whose caller wants no limit. A transaction has the deadline of its class.
    #[inline(never)]
    fn timeout_ms(&self, route: &Route, others: u32, now: Instant) -> Option<Millis> {
        let is_first = route.tried.count_ones() < 2;
        let is_only = others == 0 && route.targets < 2;
        let is_endless = route.is_timed && route.deadline == Instant::NEVER;
        if route.is_transaction || is_endless {
            return None;
        }
        if !route.is_read || is_only {
            return (!is_first && route.deadline != Instant::NEVER).then(|| route.deadline.since(now).max(1));
        }
        let share = route.move_by.since(now) / Millis::from(others + 1);
        let patience = (PATIENCE * self.balancer.estimate_ms(usize::from(route.endpoint))).max(PATIENCE_MIN_MS);
        let is_patient = route.is_timed || others == 0;
        Some(if is_patient { share } else { share.min(patience as Millis) }.max(1))
    }

    #[inline(never)]
    fn learn(&mut self, route: &Route, ended: Ended, now: Instant) {
        let index = usize::from(route.endpoint);
        self.balancer.end(index);
        let best = self.best_but(index);
        let rtt_ms = (now.since(route.since) as f64).max(RTT_MIN_MS);
        let Some(member) = self.members.get_mut(index) else { return };
        let outcome = match ended {
            Ended::Answered => Outcome::Success,
            Ended::Failed(judgement) => judgement.outcome,
            Ended::Left => Outcome::Aborted,
            Ended::Refused { code, retry_at } => {
                member.refusals += 1;
                if matches!(code, Code::CircuitOpen | Code::ClientClosed) {
                    let until = if retry_at == Instant::NEVER { now.plus(REFUSED_MS) } else { retry_at };
                    member.refused_until = until;
                }
                Outcome::Aborted
            }
        };
        if !route.is_transaction {
            member.stall.end(!matches!(outcome, Outcome::Aborted | Outcome::Timeout), now);
        }
        let is_failure = match outcome.evidence() {
            Evidence::Failing => true,
            Evidence::Healthy => false,
            Evidence::None if outcome == Outcome::Auth => true,
            Evidence::None => return,
        };
        member.failures += u64::from(is_failure);
        let is_bad = is_failure || (route.is_read && outlier::is_far_behind(rtt_ms, best, SLOW_FACTOR, SLOW_ABOVE_MS));
        let is_again = is_bad && member.is_on_probation;
        member.is_on_probation = false;
        if !is_failure {
            member.refused_until = Instant::default();
        }
        self.balancer.observe(index, rtt_ms, is_failure, now);
        let is_out = self.outliers.observe(index, is_bad, now) || (is_again && self.outliers.eject(index, now));
        if is_out {
            member.ejections += 1;
        }
    }

    /// Does what was due by the clock: those whose ejection is over, and whose circuit may be asked again, are new to us.
    #[inline(never)]
    fn look_around(&mut self, now: Instant) {
        let mut back = 0;
        if now >= self.outliers.wake_at() {
            back = self.ejected();
            self.outliers.sweep(now);
            back &= !self.ejected();
        }
        for (index, member) in self.members.iter_mut().enumerate() {
            let may_ask = member.refused_until != Instant::default() && member.refused_until <= now;
            if may_ask {
                member.refused_until = Instant::default();
            }
            if may_ask || back >> index & 1 != 0 {
                member.is_on_probation = true;
                self.balancer.forget(index);
            }
        }
    }
}

/// Whether another endpoint may do what this one did not: a read whatever became of it, a write only if it was not sent.
fn can_move(is_read: bool, ended: Ended) -> bool {
    match ended {
        Ended::Answered | Ended::Left => false,
        Ended::Refused { .. } => true,
        Ended::Failed(Judgement { outcome, .. }) if is_read => outcome.is_transient() || outcome == Outcome::Auth,
        Ended::Failed(Judgement { outcome, effect }) => {
            effect == Effect::NotExecuted && outcome.evidence() == Evidence::Failing
        }
    }
}
