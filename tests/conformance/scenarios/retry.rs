//! Scenarios of kind `retry`: [`seawall::policy::retry::Retries`] with delays of every kind, budgets, throttles, hedges.

use std::collections::BTreeMap;

use seawall::clock::{Instant, Millis};
use seawall::outcome::{Judgement, Outcome};
use seawall::policy::budget::{ConcurrencyBudget, WindowBudget, WindowBudgetConfig};
use seawall::policy::hedge::{HedgeAnswer, HedgeConfig, Race, RaceAnswer};
use seawall::policy::throttle::{Throttle, Tokens};

use super::caller::{Caller, judged};
use super::script::{Answer, Fields};
use super::{Misfit, Subject};

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
        let is_allowed =
            self.budget.as_mut().is_none_or(|budget| budget.withdraw(self.in_flight, now)) && self.caller.withdraw();
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
