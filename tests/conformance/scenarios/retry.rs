//! Scenarios of kind `retry`: [`Retries`] with delays of every [`Pacing`], budgets, throttles and hedges.
//!
//! A call's attempts are acted out by [`Caller`], which scenarios of kind `timeout` use as well. An attempt that
//! answers exactly at its deadline is too late.

use std::collections::{BTreeMap, VecDeque};

use seawall::clock::{Instant, Millis};
use seawall::outcome::{Effect, Judgement, Outcome};
use seawall::policy::backoff::{Backoff, Pace, Pacing};
use seawall::policy::budget::{ConcurrencyBudget, WindowBudget, WindowBudgetConfig};
use seawall::policy::deadline::Deadlines;
use seawall::policy::hedge::{HedgeAnswer, HedgeConfig, Race, RaceAnswer};
use seawall::policy::retry::{Retries, RetryAnswer, RetryConfig, RetryQuestion};
use seawall::policy::throttle::{Throttle, Tokens};
use seawall::query::{Class, Kind, Query};
use seawall::rng::Rng;

use super::script::{Answer, Fields};
use super::{Misfit, Subject, settings};

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, _start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    Ok(Box::new(Retrying {
        budget: budget(config)?,
        throttle: throttle(config)?,
        hedges: hedges(config)?,
        is_read: config.switch("idempotent")? != Some(false),
        caller: Caller::new(config)?,
        races: BTreeMap::new(),
        withdrawn: BTreeMap::new(),
        in_flight: (0, 0),
        storm_retries: 0,
    }))
}

/// A budget that calls share.
enum Budget {
    Window(WindowBudget),
    Concurrency(ConcurrencyBudget),
    Tokens(Tokens),
}

fn budget(config: &Fields) -> Result<Option<Budget>, Misfit> {
    let Some(budget) = config.section("budget")? else { return Ok(None) };
    match budget.need("type", budget.word("type"))?.as_str() {
        "window" => Ok(Some(Budget::Window(WindowBudget::new(WindowBudgetConfig {
            ttl_ms: budget.whole("ttl_ms")?.unwrap_or(10_000),
            slots: budget.whole("slots")?.unwrap_or(10) as u32,
            min_per_s: budget.number("min_per_sec")?.unwrap_or(0.0),
            ratio: budget.number("ratio")?.unwrap_or(0.0),
        })))),
        "concurrency" => Ok(Some(Budget::Concurrency(ConcurrencyBudget {
            percent: budget.need("percent", budget.number("percent"))?,
            min: budget.whole("min")?.unwrap_or(0) as u32,
        }))),
        "tokens" | "token_bucket" | "grpc" => Ok(Some(Budget::Tokens(tokens(&budget)?))),
        other => Err(Misfit::unknown("budget", other)),
    }
}

fn tokens(fields: &Fields) -> Result<Tokens, Misfit> {
    let named =
        |one: &str, other: &str| -> Result<Option<f64>, Misfit> { Ok(fields.number(one)?.or(fields.number(other)?)) };
    let max = fields.need("max", named("max", "max_tokens"))?;
    Ok(Tokens::new(max, fields.need("ratio", named("ratio", "token_ratio"))?))
}

/// What refuses a share of the calls.
enum Throttling {
    Adaptive(Throttle),
    Tokens(Tokens),
}

fn throttle(config: &Fields) -> Result<Option<Throttling>, Misfit> {
    let Some(throttle) = config.section("throttle")? else { return Ok(None) };
    match throttle.need("type", throttle.word("type"))?.as_str() {
        "sre" => Ok(Some(Throttling::Adaptive(Throttle::new(
            throttle.number("k")?.unwrap_or(2.0),
            throttle.whole("window_ms")?.unwrap_or(120_000),
        )))),
        "tokens" | "token_bucket" | "grpc" => Ok(Some(Throttling::Tokens(tokens(&throttle)?))),
        other => Err(Misfit::unknown("throttle", other)),
    }
}

fn hedges(config: &Fields) -> Result<Option<HedgeConfig>, Misfit> {
    let Some(hedge) = config.section("hedge")? else { return Ok(None) };
    Ok(Some(HedgeConfig {
        delay_ms: hedge.need("delay_ms", hedge.whole("delay_ms"))?,
        legs_max: hedge.need("max", hedge.whole("max"))? as u32,
    }))
}

fn pacing(backoff: &Fields) -> Result<Pacing, Misfit> {
    let initial_ms = backoff.need("base_ms", backoff.whole("base_ms"))?;
    let max_ms = backoff.whole("max_ms")?.unwrap_or(Millis::MAX);
    let multiplier = backoff.number("factor")?.unwrap_or(2.0);
    let kind = backoff.need("type", backoff.word("type"))?;
    let (jitter, spread) = match backoff.value("jitter") {
        Some(value) if value.is_number() => (backoff.number("jitter")?.unwrap_or(0.0), None),
        _ => (0.0, backoff.word("jitter")?),
    };
    let plain = match kind.as_str() {
        "constant" => Backoff { initial_ms, max_ms, multiplier: 1.0, jitter },
        "exponential" => Backoff { initial_ms, max_ms, multiplier, jitter },
        "linear" => return Ok(Pacing::Linear { step_ms: initial_ms, max_ms }),
        "decorrelated" => return Ok(Pacing::Decorrelated { initial_ms, max_ms }),
        "decorrelated_v2" => return Ok(Pacing::Smooth { initial_ms, max_ms }),
        other => return Err(Misfit::unknown("backoff", other)),
    };
    match spread.as_deref() {
        None | Some("none") => Ok(Pacing::Exponential(plain)),
        Some("full") => Ok(Pacing::Full(plain)),
        Some("equal" | "half") => Ok(Pacing::Equal(plain)),
        Some(other) => Err(Misfit::unknown("jitter", other)),
    }
}

/// The uniform numbers that a scenario tells; without a list, the middle.
struct Told(Option<VecDeque<f64>>);

impl Rng for Told {
    fn bits(&mut self) -> u64 {
        0
    }

    fn unit(&mut self) -> f64 {
        match &mut self.0 {
            None => 0.5,
            Some(told) => told.pop_front().expect("the scenario tells fewer uniform numbers than the delays take"),
        }
    }
}

/// How an attempt ends: the judgement that the policies see, and the word for the caller.
fn judged(word: &str) -> Result<(Judgement, String), Misfit> {
    let outcome = match word {
        "success" => Outcome::Success,
        "failure" => Outcome::ServerError,
        "rate_limited" => Outcome::RateLimited,
        "bad_result" => Outcome::BadResponse,
        "timeout" => Outcome::Timeout,
        "fatal" | "ignored_error" => Outcome::Statement,
        other => return Err(Misfit::unknown("outcome", other)),
    };
    Ok((Judgement { outcome, effect: Effect::NotExecuted }, word.to_owned()))
}

/// What a call waits for.
enum Doing {
    /// The attempt that ends then, unless its deadline comes first.
    Attempting {
        ends_at: Instant,
        cut_at: Instant,
    },
    /// The back-off.
    Waiting {
        until: Instant,
    },
    Ended {
        result: String,
    },
}

struct Call {
    began_at: Instant,
    deadline: Instant,
    outcomes: Vec<(Judgement, String)>,
    durations_ms: Vec<Millis>,
    attempts: u32,
    is_aborted: bool,
    pace: Pace,
    doing: Doing,
}

/// Acts out calls: makes the attempts that [`Retries`] and [`Deadlines`] allow, when they allow them.
pub(super) struct Caller {
    retries: Retries<Pacing>,
    deadlines: Deadlines,
    rng: Told,
    /// The limit of a whole call, and of each attempt, in milliseconds.
    total_ms: Option<Millis>,
    attempt_timeout_ms: Option<Millis>,
    calls: BTreeMap<String, Call>,
}

impl Caller {
    pub(super) fn new(config: &Fields) -> Result<Self, Misfit> {
        let no_delay = Pacing::Linear { step_ms: 0, max_ms: 0 };
        let (pacing, told) = match config.section("backoff")? {
            Some(backoff) => (pacing(&backoff)?, backoff.numbers("rng")?),
            None => (no_delay, None),
        };
        const PLENTY: f64 = 1e9;
        let mut retries = Retries::new(RetryConfig {
            attempts_max: config.whole("max_retries")?.unwrap_or(0) as u32 + 1,
            backoff: pacing,
            total_max_ms: config.whole("max_total_ms")?.unwrap_or(0),
            // The budget of a scenario is one of its own.
            budget_initial: PLENTY,
            budget_max: PLENTY,
            budget_ratio: 0.0,
        });
        if let Some(expected_ms) = config.whole("expected_attempt_ms")? {
            retries.observe_success(expected_ms);
        }
        let total_ms = config.whole("deadline_ms")?.or(config.whole("total_timeout_ms")?);
        Ok(Self {
            retries,
            deadlines: Deadlines::new(settings().deadlines),
            rng: Told(told.map(VecDeque::from)),
            total_ms,
            attempt_timeout_ms: config.whole("timeout_ms")?,
            calls: BTreeMap::new(),
        })
    }

    /// Begins the call of an event: its attempts one after the other, the last one told again if there are more.
    pub(super) fn begin(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        let words = match event.words("outcomes")? {
            Some(words) => words,
            None => vec![event.need("outcome", event.word("outcome"))?],
        };
        let outcomes: Vec<_> = words.iter().map(|word| judged(word)).collect::<Result<_, _>>()?;
        let durations = event.numbers("attempt_durs")?;
        let each_ms = event.whole("attempt_ms")?.or(event.whole("dur_ms")?).unwrap_or(0);
        let durations_ms =
            durations.map_or_else(|| vec![each_ms], |told| told.iter().map(|ms| *ms as Millis).collect());
        if outcomes.is_empty() || durations_ms.is_empty() {
            return Err(Misfit::Unknown("a call without an attempt".to_owned()));
        }
        let deadline = self.limit(self.total_ms, now);
        let mut call = Call {
            began_at: now,
            deadline,
            outcomes,
            durations_ms,
            attempts: 0,
            is_aborted: false,
            pace: Pace::default(),
            doing: Doing::Waiting { until: now },
        };
        self.attempt(&mut call, now);
        self.calls.insert(event.id()?, call);
        Ok(())
    }

    /// The caller goes away.
    pub(super) fn abort(&mut self, id: &str, now: Instant) -> Result<(), Misfit> {
        let mut call = self.calls.remove(id).ok_or_else(|| Misfit::unknown("call", id))?;
        if !matches!(call.doing, Doing::Ended { .. }) {
            call.is_aborted = true;
            self.settle(&mut call, &(Judgement::ABORTED, "cancelled".to_owned()), now, &mut |_| true);
        }
        self.calls.insert(id.to_owned(), call);
        Ok(())
    }

    /// Carries out what is due until `now`, in the order of time. `allows` asks a budget that calls share.
    pub(super) fn advance(&mut self, now: Instant, mut allows: impl FnMut(Instant) -> bool) {
        loop {
            let due = self.calls.iter().filter_map(|(id, call)| Some((call.due()?, id.clone()))).min();
            let Some((at, id)) = due.filter(|(at, _)| *at <= now) else { return };
            let Some(mut call) = self.calls.remove(&id) else { return };
            self.turn(&mut call, at, &mut allows);
            self.calls.insert(id, call);
        }
    }

    fn turn(&mut self, call: &mut Call, at: Instant, allows: &mut impl FnMut(Instant) -> bool) {
        match call.doing {
            Doing::Ended { .. } => {}
            _ if at >= call.deadline => {
                call.is_aborted = true;
                call.doing = Doing::Ended { result: "timeout".to_owned() };
            }
            Doing::Waiting { .. } => self.attempt(call, at),
            Doing::Attempting { cut_at, .. } if at >= cut_at => {
                call.is_aborted = true;
                self.settle(call, &(Judgement::TIMEOUT, "timeout".to_owned()), at, allows);
            }
            Doing::Attempting { .. } => {
                let ended = call.outcome().clone();
                self.settle(call, &ended, at, allows);
            }
        }
    }

    fn attempt(&mut self, call: &mut Call, now: Instant) {
        call.attempts += 1;
        let index = (call.attempts as usize - 1).min(call.durations_ms.len() - 1);
        let ends_at = now.plus(call.durations_ms[index]);
        call.doing = Doing::Attempting { ends_at, cut_at: self.limit(self.attempt_timeout_ms, now) };
    }

    /// An attempt has ended, or the wait for one: asks whether there is another.
    fn settle(
        &mut self,
        call: &mut Call,
        (judgement, word): &(Judgement, String),
        now: Instant,
        allows: &mut impl FnMut(Instant) -> bool,
    ) {
        let ended = Doing::Ended { result: word.clone() };
        if judgement.outcome == Outcome::Success {
            call.doing = ended;
            return;
        }
        let question = RetryQuestion {
            attempts: call.attempts,
            judgement: *judgement,
            is_repeatable: true,
            began_at: call.began_at,
            deadline: call.deadline,
        };
        call.doing = match self.retries.decide_paced(&question, &mut call.pace, now, &mut self.rng, |_| {}) {
            RetryAnswer::After(delay_ms) if allows(now) => Doing::Waiting { until: now.plus(delay_ms) },
            RetryAnswer::After(_) | RetryAnswer::No | RetryAnswer::Spent => ended,
        };
    }

    fn limit(&self, limit_ms: Option<Millis>, now: Instant) -> Instant {
        let query = Query { timeout_ms: Some(limit_ms.unwrap_or(0)), ..Query::new(Class::Query, Kind::Read) };
        self.deadlines.decide(&query, now)
    }

    /// What an expectation about a call gets.
    pub(super) fn look(&self, id: &str) -> Result<Answer, Misfit> {
        let call = self.calls.get(id).ok_or_else(|| Misfit::unknown("call", id))?;
        let result = match &call.doing {
            Doing::Ended { result } => Some(result.clone()),
            _ => None,
        };
        Ok(Answer::default().with("attempts", call.attempts).with("result", result).with("aborted", call.is_aborted))
    }
}

impl Call {
    fn outcome(&self) -> &(Judgement, String) {
        &self.outcomes[(self.attempts as usize - 1).min(self.outcomes.len() - 1)]
    }

    fn due(&self) -> Option<Instant> {
        match self.doing {
            Doing::Ended { .. } => None,
            Doing::Waiting { until } => Some(until.min(self.deadline)),
            Doing::Attempting { ends_at, cut_at } => Some(ends_at.min(cut_at).min(self.deadline)),
        }
    }
}

/// One call that may be hedged.
struct Hedged {
    race: Race,
    legs: Vec<(Judgement, String, Millis)>,
    /// When the legs that are out end, by number from 1.
    out: Vec<(Instant, usize)>,
    cancelled: Vec<usize>,
    result: Option<String>,
}

struct Retrying {
    caller: Caller,
    budget: Option<Budget>,
    throttle: Option<Throttling>,
    hedges: Option<HedgeConfig>,
    is_read: bool,
    races: BTreeMap<String, Hedged>,
    withdrawn: BTreeMap<String, bool>,
    /// Calls and retries in flight, as the scenario sets them.
    in_flight: (u32, u32),
    storm_retries: u32,
}

impl Budget {
    fn withdraw(&mut self, (active, retries): (u32, u32), now: Instant) -> bool {
        match self {
            Self::Window(budget) => budget.withdraw(now),
            Self::Concurrency(budget) => budget.allows(active, retries),
            Self::Tokens(tokens) => tokens.allows(),
        }
    }

    fn deposit(&mut self, calls: u32, now: Instant) {
        match self {
            Self::Window(budget) => budget.deposit(calls, now),
            Self::Concurrency(_) => {}
            Self::Tokens(tokens) => (0..calls).for_each(|_| tokens.observe(true)),
        }
    }
}

impl Retrying {
    fn start_leg(hedged: &mut Hedged, now: Instant) {
        let number = hedged.race.started() as usize;
        let ends_at = hedged.legs.get(number - 1).map_or(Instant::NEVER, |(_, _, ms)| now.plus(*ms));
        hedged.out.push((ends_at, number));
    }

    /// The next leg, if the budget allows it.
    fn hedge(&mut self, hedged: &mut Hedged, now: Instant) -> bool {
        let is_allowed = self.budget.as_mut().is_none_or(|budget| budget.withdraw(self.in_flight, now))
            && self.caller.retries.withdraw();
        if is_allowed {
            hedged.race.start(now);
            Self::start_leg(hedged, now);
        } else {
            hedged.race.stop();
        }
        is_allowed
    }

    fn race(&mut self, hedges: &HedgeConfig, hedged: &mut Hedged, until: Instant) {
        while hedged.result.is_none() {
            let ends = hedged.out.iter().copied().min();
            let starts = match hedges.decide(&hedged.race, Instant::default()) {
                HedgeAnswer::Never => None,
                HedgeAnswer::At(at) => Some(at),
                HedgeAnswer::Start => Some(until),
            };
            match (ends, starts) {
                (Some((at, number)), starts) if at <= until && starts.is_none_or(|starts| at <= starts) => {
                    hedged.out.retain(|(_, other)| *other != number);
                    let (judgement, word, _) = hedged.legs[number - 1].clone();
                    match hedges.observe(&mut hedged.race, judgement.outcome) {
                        RaceAnswer::Ends => {
                            hedged.cancelled = hedged.out.drain(..).map(|(_, number)| number).collect();
                            hedged.result = Some(word);
                        }
                        RaceAnswer::Over => hedged.result = Some(word),
                        RaceAnswer::Waits => {}
                        RaceAnswer::Next => {
                            if !self.hedge(hedged, at) && hedged.race.is_over() {
                                hedged.result = Some(word);
                            }
                        }
                    }
                }
                (_, Some(at)) if at <= until => {
                    self.hedge(hedged, at);
                }
                _ => return,
            }
        }
    }

    fn storm(&mut self, rps: u64, seconds: u64, now: Instant) -> Result<(), Misfit> {
        let Some(budget) = &mut self.budget else { return Err(Misfit::unknown("event without a budget", "storm")) };
        for number in 0..rps * seconds {
            let at = now.plus(number * 1_000 / rps.max(1));
            budget.deposit(1, at);
            // Every attempt fails, so every retry asks for another.
            while budget.withdraw(self.in_flight, at) {
                self.storm_retries += 1;
            }
        }
        Ok(())
    }

    fn record(&mut self, is_success: bool, now: Instant) -> Result<(), Misfit> {
        match (&mut self.throttle, &mut self.budget) {
            (Some(Throttling::Adaptive(throttle)), _) => throttle.observe(is_success, now),
            (Some(Throttling::Tokens(tokens)), _) | (None, Some(Budget::Tokens(tokens))) => tokens.observe(is_success),
            _ => return Err(Misfit::unknown("event without a throttle", "record")),
        }
        Ok(())
    }
}

impl Subject for Retrying {
    fn advance(&mut self, now: Instant) {
        let (budget, in_flight) = (&mut self.budget, self.in_flight);
        self.caller.advance(now, |at| budget.as_mut().is_none_or(|budget| budget.withdraw(in_flight, at)));
        if let Some(hedges) = self.hedges {
            for (id, mut hedged) in std::mem::take(&mut self.races) {
                self.race(&hedges, &mut hedged, now);
                self.races.insert(id, hedged);
            }
        }
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "call" => {
                if let Some(budget) = &mut self.budget {
                    budget.deposit(1, now);
                }
                self.caller.begin(event, now)?;
            }
            "abort" => self.caller.abort(&event.id()?, now)?,
            "hcall" => {
                let legs = event.sections("legs")?;
                let legs = legs.iter().map(|leg| {
                    let (judgement, word) = judged(&leg.need("outcome", leg.word("outcome"))?)?;
                    let duration_ms = leg.need("dur_ms", leg.whole("dur_ms"))?;
                    leg.all_read().map_err(Misfit::Unknown)?;
                    Ok((judgement, word, duration_ms))
                });
                let is_read = event.switch("idempotent")?.unwrap_or(self.is_read);
                let mut hedged = Hedged {
                    race: Race::new(is_read, now),
                    legs: legs.collect::<Result<_, Misfit>>()?,
                    out: Vec::new(),
                    cancelled: Vec::new(),
                    result: None,
                };
                Self::start_leg(&mut hedged, now);
                self.races.insert(event.id()?, hedged);
            }
            "deposit" => {
                let calls = event.whole("n")?.unwrap_or(1) as u32;
                let budget =
                    self.budget.as_mut().ok_or_else(|| Misfit::unknown("event without a budget", "deposit"))?;
                budget.deposit(calls, now);
            }
            "withdraw" => {
                let budget =
                    self.budget.as_mut().ok_or_else(|| Misfit::unknown("event without a budget", "withdraw"))?;
                let is_allowed = budget.withdraw(self.in_flight, now);
                self.withdrawn.insert(event.id()?, is_allowed);
            }
            "set_active" => {
                let active = event.need("active", event.whole("active"))? + event.whole("pending")?.unwrap_or(0);
                self.in_flight = (active as u32, event.need("retries", event.whole("retries"))? as u32);
            }
            "record" => {
                let (judgement, _) = judged(&event.need("outcome", event.word("outcome"))?)?;
                for _ in 0..event.whole("n")?.unwrap_or(1) {
                    self.record(judgement.outcome == Outcome::Success, now)?;
                }
            }
            "storm" => {
                let rps = event.need("rps", event.whole("rps"))?;
                self.storm(rps, event.need("seconds", event.whole("seconds"))?, now)?;
            }
            other => return Err(Misfit::unknown("event", other)),
        }
        Ok(())
    }

    fn look(&mut self, expectation: &Fields, now: Instant) -> Result<Answer, Misfit> {
        if let Some(id) = expectation.word("call")? {
            let Some(hedged) = self.races.get(&id) else { return self.caller.look(&id) };
            return Ok(Answer::default()
                .with("attempts", hedged.race.started())
                .with("result", hedged.result.clone())
                .with("cancelled_legs", hedged.cancelled.clone()));
        }
        if let Some(id) = expectation.word("withdraw")? {
            let is_allowed = *self.withdrawn.get(&id).ok_or_else(|| Misfit::unknown("withdrawal", &id))?;
            return Ok(Answer::default().with("ok", is_allowed));
        }
        let mut answer = Answer::default().with("retries_between", self.storm_retries);
        match &mut self.budget {
            Some(Budget::Window(budget)) => answer = answer.with("balance", budget.balance(now).floor()),
            Some(Budget::Tokens(tokens)) => answer = answer.with("balance", tokens.balance()),
            Some(Budget::Concurrency(_)) | None => {}
        }
        match &mut self.throttle {
            Some(Throttling::Adaptive(throttle)) => answer = answer.with("reject_p", throttle.refused_share(now)),
            Some(Throttling::Tokens(tokens)) => {
                answer = answer.with("balance", tokens.balance()).with("ok", tokens.allows());
            }
            None => {}
        }
        Ok(answer)
    }
}
