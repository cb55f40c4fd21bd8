//! Acts out calls for scenarios of the kinds `retry` and `timeout`. An attempt that answers exactly at its deadline is
//! too late.

use std::collections::{BTreeMap, VecDeque};

use seawall::clock::{Instant, Millis};
use seawall::outcome::{Effect, Judgement, Outcome};
use seawall::policy::backoff::{Backoff, Pace, Pacing};
use seawall::policy::deadline::Deadlines;
use seawall::policy::retry::{Retries, RetryAnswer, RetryConfig, RetryQuestion};
use seawall::query::{Class, Kind, Query};
use seawall::rng::Rng;

use super::script::{Answer, Fields};
use super::{Misfit, settings};

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
pub(super) fn judged(word: &str) -> Result<(Judgement, String), Misfit> {
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

    /// Takes a token of the retries' own budget, as a hedge does.
    pub(super) fn withdraw(&mut self) -> bool {
        self.retries.withdraw()
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
            policy: 0,
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
