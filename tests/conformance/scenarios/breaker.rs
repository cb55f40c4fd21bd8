//! Scenarios of kind `breaker`: one [`Breaker`], with a [`LeasePool`] where the scenario bounds what is in flight and
//! [`Deadlines`] where it bounds time.
//!
//! Three fields of a configuration switch a peer's defect on or off and change nothing here: results of an earlier
//! epoch never count (`generation_check`), the window is empty after a close (`window_reset_on_close`), and a refused
//! call is no call (`rejected_calls_counted_as_requests`). A scenario that needs the defect says `ours_must_differ`.

use std::collections::{BTreeMap, BTreeSet};

use seawall::clock::{Instant, Millis};
use seawall::note::Notes;
use seawall::outcome::Outcome;
use seawall::policy::Cx;
use seawall::policy::backoff::Backoff;
use seawall::policy::breaker::{
    Admission, Breaker, BreakerAnswer, BreakerConfig, Change, Corners, Forced, Kept, Neutral, PROBES_MAX, ProbeRule,
    State, Weights,
};
use seawall::policy::deadline::Deadlines;
use seawall::policy::lease::{Lease, LeaseAnswer, LeasePool, PoolConfig};
use seawall::query::{Class, Kind, Priority, Query};
use seawall::rng::SplitMix;

use super::script::{Answer, Fields};
use super::{Misfit, Subject, settings};

const FALLBACK: &str = "what to answer instead of a refusal or a failure is the caller's `catch`: the error says code, \
                        origin and when to ask again, and no layer here makes up a result";
const WAIT: &str = "a call that comes while all probes are out is refused with the time at which to ask again; it is \
                    not parked until another request's probe ends, because on Workers one request cannot resume \
                    another, and a probe that hangs would hold every caller";
const PROBES: &str = "at most 16 probes at once";

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    let has_fallback = config.switch("fallback")? == Some(true);
    for defect in ["generation_check", "window_reset_on_close", "rejected_calls_counted_as_requests"] {
        config.switch(defect)?;
    }
    let timeout_ms = config.whole("timeout_ms")?;
    let transition = config.word("half_open_transition")?;
    let is_lazy = match transition.as_deref() {
        Some("lazy") => true,
        Some("timer") | None => false,
        Some(other) => return Err(Misfit::unknown("half_open_transition", other)),
    };
    let half_open = config.need("half_open", config.section("half_open"))?;
    let parks = match half_open.word("excess")?.as_deref() {
        Some("wait") => true,
        Some("reject") | None => false,
        Some(other) => return Err(Misfit::unknown("excess", other)),
    };
    let breaker_config = breaker_config(config, &half_open, parks)?;
    let mut breaker = Breaker::new(breaker_config, 1);
    if config.switch("warm_up")? == Some(true) {
        breaker.warm_up(start.plus(breaker_config.window_ms));
    }
    let pool = config.whole("capacity")?.map(|capacity| {
        LeasePool::new(PoolConfig {
            leases_max: capacity as u32,
            connections_min: 0,
            acquire_timeout_ms: 0,
            queue_max: 0,
            lease_ttl_ms: Millis::MAX,
            idle_ttl_ms: Millis::MAX,
            ..settings().pool
        })
    });
    Ok(Box::new(Circuit {
        config: breaker_config,
        breaker,
        pool,
        deadlines: Deadlines::new(settings().deadlines),
        timeout_ms,
        is_lazy,
        parks,
        is_shut_down: false,
        caveat: has_fallback.then_some(FALLBACK),
        rng: SplitMix::new(1),
        notes: Notes::default(),
        calls: BTreeMap::new(),
        kept: BTreeMap::new(),
        handles: BTreeSet::new(),
        writer: 1,
    }))
}

fn breaker_config(config: &Fields, half_open: &Fields, parks: bool) -> Result<BreakerConfig, Misfit> {
    let ours = settings().breaker;
    let window = config.need("window", config.section("window"))?;
    let kind = window.need("type", window.word("type"))?;
    window.skip("rotation");
    window.skip("aligned");
    let window_calls = if kind == "count" { window.need("size", window.whole("size"))? as u32 } else { 0 };
    let window_ms = if kind == "time" { window.need("size_ms", window.whole("size_ms"))? } else { ours.window_ms };
    let buckets = match window.whole("bucket_ms")? {
        Some(bucket_ms) => Some(window_ms / bucket_ms.max(1)),
        None => window.whole("buckets")?,
    };
    let in_a_row = match kind.as_str() {
        "consecutive" => Some(window.need("failures", window.whole("failures"))?),
        "count" | "time" => config.whole("consecutive_failures")?,
        other => return Err(Misfit::unknown("window", other)),
    };
    let calls_min = match (config.whole("min_calls")?, config.number("min_rps")?) {
        (Some(calls), _) => calls as u32,
        (None, Some(rps)) => (rps * window_ms as f64 / 1_000.0).ceil() as u32,
        // A window of calls is judged when it is full, a window of time from its first call.
        (None, None) => window_calls,
    };
    let probes_max = half_open.whole("permits")?.unwrap_or(1) as u32;
    if probes_max as usize > PROBES_MAX {
        return Err(Misfit::NotOffered(PROBES));
    }
    let decide = half_open.need("decide", half_open.word("decide"))?;
    let successes = half_open.whole("successes")?.map(|successes| successes as u32);
    let share = half_open.number("max_failure_rate")?;
    let (probes, successes_to_close) = match decide.as_str() {
        "first_result" => (ProbeRule::InARow, 1),
        "after_all_permits" => (ProbeRule::Ratios, probes_max),
        "consecutive_successes" => (ProbeRule::InARowOf, successes.unwrap_or(probes_max)),
        "sample" => (ProbeRule::AtMost(share.unwrap_or(0.0)), probes_max),
        other => return Err(Misfit::unknown("decide", other)),
    };
    // The vocabulary does not say what an ignored error is to a probe. Where the first result decides, or a sample,
    // a probe that ended without failing has succeeded; where results are collected, it is as if it never ran.
    let neutral = match decide.as_str() {
        "first_result" if !parks => Neutral::Success,
        "first_result" | "sample" => Neutral::ProbeSuccess,
        _ => Neutral::Nothing,
    };
    let corners = Corners {
        is_above: one_of(config, "rate_cmp", [">=", ">"])?,
        asks_failures_only: one_of(config, "evaluate_on", ["every_result", "failure"])?,
        is_later: one_of(config, "half_open_at", ["elapsed>=open_ms", "elapsed>open_ms"])?,
        open_steps_ms: match config.numbers("open_sequence_ms")? {
            Some(steps) => Vec::leak(steps.into_iter().map(|step| step as Millis).collect()),
            None => &[],
        },
        probes,
        neutral,
    };
    let open = match config.section("open_backoff")? {
        Some(backoff) => Backoff {
            initial_ms: backoff.need("base_ms", backoff.whole("base_ms"))?,
            max_ms: backoff.whole("max_ms")?.unwrap_or(86_400_000),
            multiplier: backoff.number("factor")?.unwrap_or(1.0),
            jitter: backoff.number("jitter")?.unwrap_or(0.0),
        },
        None => {
            let open_ms = config.whole("open_ms")?.unwrap_or(ours.open.initial_ms);
            Backoff { initial_ms: open_ms, max_ms: open_ms, multiplier: 1.0, jitter: 0.0 }
        }
    };
    Ok(BreakerConfig {
        failures_max: 0,
        failure_ratio: config.number("failure_rate")?.unwrap_or(0.0),
        slow_ratio: config.number("slow_rate")?.unwrap_or(0.0),
        consecutive_max: in_a_row.unwrap_or(0) as u32,
        calls_min,
        slow_ms: config.whole("slow_call_ms")?.unwrap_or(0),
        slow_is_failure: false,
        window_ms,
        window_buckets: buckets.map_or(10, |buckets| buckets as u32),
        window_calls,
        weights: Weights { is_rate_limited_soft: true, ..Weights::EQUAL },
        open,
        probes_max,
        successes_to_close,
        corners,
        ..ours
    })
}

/// Whether a word is the second of two; absent, it is the first.
fn one_of(config: &Fields, name: &str, words: [&str; 2]) -> Result<bool, Misfit> {
    match config.word(name)? {
        None => Ok(false),
        Some(word) if word == words[0] => Ok(false),
        Some(word) if word == words[1] => Ok(true),
        Some(other) => Err(Misfit::unknown(name, &other)),
    }
}

/// How a call ends: what the breaker is told, and what the caller sees.
type End = (Outcome, &'static str);

fn end(event: &Fields) -> Result<End, Misfit> {
    match event.need("outcome", event.word("outcome"))?.as_str() {
        "success" => Ok((Outcome::Success, "success")),
        "failure" => Ok((Outcome::ServerError, "failure")),
        "ignored_error" => Ok((Outcome::Request, "ignored_error")),
        "rate_limited" => Ok((Outcome::RateLimited, "failure")),
        // A value came back, and the classification says that it is none.
        "bad_result" => Ok((Outcome::BadResponse, "success")),
        "timeout" => Ok((Outcome::Timeout, "timeout")),
        other => Err(Misfit::unknown("outcome", other)),
    }
}

/// One call of the scenario.
struct Call {
    admission: Admission,
    lease: Option<Lease>,
    since: Instant,
    deadline: Instant,
    /// When it ends by itself, and how.
    ends: Option<(Instant, End)>,
    is_admitted: bool,
    result: Option<&'static str>,
}

struct Circuit {
    config: BreakerConfig,
    breaker: Breaker,
    pool: Option<LeasePool>,
    deadlines: Deadlines,
    timeout_ms: Option<Millis>,
    /// Whether the state that shows is the one that was last entered.
    is_lazy: bool,
    /// Whether the peer lets calls wait for the verdict of a probe.
    parks: bool,
    is_shut_down: bool,
    caveat: Option<&'static str>,
    rng: SplitMix,
    notes: Notes,
    calls: BTreeMap<String, Call>,
    kept: BTreeMap<String, Kept>,
    /// Who holds the circuit open.
    handles: BTreeSet<String>,
    writer: u32,
}

macro_rules! cx {
    ($circuit:expr, $now:expr) => {
        &mut Cx { now: $now, rng: &mut $circuit.rng, notes: &mut $circuit.notes }
    };
}

impl Circuit {
    fn begin(&mut self, id: String, ends: Option<(Instant, End)>, now: Instant) {
        let mut call = Call {
            admission: Admission::BYPASS,
            lease: None,
            since: now,
            deadline: Instant::NEVER,
            ends: None,
            is_admitted: false,
            result: None,
        };
        match self.ask(now) {
            Ok(lease) => {
                let query = Query { timeout_ms: self.timeout_ms, ..Query::new(Class::Query, Kind::Read) };
                let deadline = self.deadlines.decide(&query, now);
                call.admission = self.breaker.admit(deadline, cx!(self, now));
                call.deadline = if self.timeout_ms.is_some() { deadline } else { Instant::NEVER };
                call.lease = lease;
                call.ends = ends;
                call.is_admitted = true;
            }
            Err(refusal) => call.result = Some(refusal),
        }
        self.calls.insert(id, call);
    }

    /// Asks in the order of the engine: whether it is closed, the breaker, the pool.
    fn ask(&mut self, now: Instant) -> Result<Option<Lease>, &'static str> {
        if self.is_shut_down {
            return Err("rejected:shutdown");
        }
        if let BreakerAnswer::Refuse { .. } = self.breaker.decide(cx!(self, now)) {
            if self.parks && self.breaker.state(now) == State::HalfOpen {
                self.caveat = Some(WAIT);
            }
            return Err(if self.handles.is_empty() { "rejected:open" } else { "rejected:isolated" });
        }
        let Some(pool) = &mut self.pool else { return Ok(None) };
        match pool.decide(0, Priority::Medium, None, now, cx!(self, now)) {
            LeaseAnswer::Granted(lease) => Ok(Some(lease)),
            _ => Err("rejected:bulkhead"),
        }
    }

    fn end(&mut self, id: &str, (outcome, result): End, now: Instant) -> Result<(), Misfit> {
        let Some(call) = self.calls.get_mut(id) else { return Err(Misfit::unknown("call", id)) };
        call.ends = None;
        if call.result.is_some() {
            return Ok(());
        }
        call.result = Some(result);
        call.deadline = Instant::NEVER;
        if let (Some(lease), Some(pool)) = (call.lease.take(), &mut self.pool) {
            pool.release(lease, false, cx!(self, now));
        }
        self.breaker.observe_outcome(call.admission, outcome, now.since(call.since), cx!(self, now));
        Ok(())
    }

    /// The next call that ends by itself or by its deadline; at one instant the deadline comes first.
    fn next_due(&self) -> Option<(Instant, String, End)> {
        let ends = self.calls.iter().filter_map(|(id, call)| call.ends.map(|(at, end)| (at, 1, id, end)));
        let overdue = self.calls.iter().filter(|(_, call)| call.deadline != Instant::NEVER);
        let overdue = overdue.map(|(id, call)| (call.deadline, 0, id, (Outcome::Timeout, "timeout")));
        let next = ends.chain(overdue).min_by_key(|(at, order, id, _)| (*at, *order, *id));
        next.map(|(at, _, id, end)| (at, id.clone(), end))
    }

    fn state_word(&self, wanted: &str, now: Instant) -> String {
        let forced = self.breaker.forced();
        let is_held = match wanted {
            "forced_open" => forced == Some(Forced::Open) && self.handles.is_empty(),
            "isolated" => forced == Some(Forced::Open) && !self.handles.is_empty(),
            "disabled" => forced == Some(Forced::Closed),
            "metrics_only" => forced == Some(Forced::Counting),
            "shutdown" => self.is_shut_down,
            _ => false,
        };
        if is_held {
            return wanted.to_owned();
        }
        let state = if self.is_lazy { self.breaker.entered() } else { self.breaker.state(now) };
        state.name().to_lowercase()
    }
}

impl Subject for Circuit {
    fn advance(&mut self, now: Instant) {
        while let Some((at, id, end)) = self.next_due().filter(|(at, ..)| *at <= now) {
            let _ = self.end(&id, end, at);
        }
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "call" => {
                let ends_at = now.plus(event.whole("dur_ms")?.unwrap_or(0));
                self.begin(event.id()?, Some((ends_at, end(event)?)), now);
            }
            "begin" => self.begin(event.id()?, None, now),
            "end" => self.end(&event.id()?, end(event)?, now)?,
            "force_open" => self.breaker.trip(Change::Forced, cx!(self, now)),
            "force_open_permanent" => self.breaker.force(Some(Forced::Open), cx!(self, now)),
            "force_close" | "reset" => {
                self.handles.clear();
                self.breaker.reset(cx!(self, now));
            }
            "disable" => self.breaker.force(Some(Forced::Closed), cx!(self, now)),
            "enable" => self.breaker.force(None, cx!(self, now)),
            "metrics_only" => self.breaker.force(Some(Forced::Counting), cx!(self, now)),
            "isolate" => {
                self.handles.insert(event.need("as", event.word("as"))?);
                self.breaker.isolate(cx!(self, now));
            }
            "release" => {
                // A handle that was let go of twice was let go of once.
                if self.handles.remove(&event.need("from", event.word("from"))?) {
                    self.breaker.release(cx!(self, now));
                }
            }
            "shutdown" => self.is_shut_down = true,
            "health_check_fail" => self.breaker.trip(Change::HealthCheck, cx!(self, now)),
            "export" => {
                let kept = self.breaker.keep(now);
                self.kept.insert(event.need("as", event.word("as"))?, kept);
            }
            "import" => {
                let from = event.need("from", event.word("from"))?;
                let kept = *self.kept.get(&from).ok_or_else(|| Misfit::unknown("export", &from))?;
                self.writer += 1;
                self.breaker = Breaker::new(self.config, self.writer);
                self.breaker.restore(kept, cx!(self, now));
                // What is still out was admitted by the one that was replaced.
                self.calls.values_mut().for_each(|call| call.admission = Admission::BYPASS);
            }
            other => return Err(Misfit::unknown("event", other)),
        }
        Ok(())
    }

    fn caveat(&self) -> Option<&'static str> {
        self.caveat
    }

    fn look(&mut self, expectation: &Fields, now: Instant) -> Result<Answer, Misfit> {
        let mut answer = Answer::default();
        if let Some(wanted) = expectation.word("state")? {
            answer = answer.with("state", self.state_word(&wanted, now));
        }
        if let Some(id) = expectation.word("call")? {
            let call = self.calls.get(&id).ok_or_else(|| Misfit::unknown("call", &id))?;
            answer = answer.with("admitted", call.is_admitted).with("result", call.result);
        }
        Ok(answer)
    }
}
