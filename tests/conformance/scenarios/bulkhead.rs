//! Scenarios of kind `bulkhead`: bounded concurrency, shares of tiers, limits that adapt.

use std::collections::BTreeMap;

use seawall::clock::{Instant, Millis};
use seawall::policy::bulkhead::{Bulkhead, BulkheadConfig, Lending, Standing, WHOLE};
use seawall::policy::limit::{
    AdaptiveLimit, Gradient, Gradient2, Gradient2Config, GradientConfig, Sample, Vegas, VegasConfig,
};
use seawall::rng::SplitMix;
use serde_json::Value;

use super::script::{Answer, Fields};
use super::{Misfit, Subject};

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, _start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    if config.value("algo").is_some() {
        return Ok(Box::new(Limited { limit: limit(config)?, rng: SplitMix::new(1) }));
    }
    let mut tiers = Vec::new();
    let mut shares = Vec::new();
    if let Some(Value::Object(named)) = config.value("tiers") {
        for (tier, share) in named {
            tiers.push(tier.clone());
            shares.push((share.as_f64().unwrap_or(0.0) * f64::from(WHOLE)).round() as u32);
        }
    }
    let (max, limit) = (config.whole("max_concurrent")?, config.whole("limit")?);
    let (concurrency, capacity) = (config.whole("concurrency")?, config.whole("capacity")?);
    // Tiers of the source have no queue, and a limiter that names none has one without an end.
    let queue_max = config.whole("max_queue")?.unwrap_or(if tiers.is_empty() { u64::from(u32::MAX) } else { 0 });
    let (wait_ms, queue_ms) = (config.whole("max_wait_ms")?, config.whole("queue_timeout_ms")?);
    let lending = match config.word("lending")?.as_deref() {
        None | Some("guaranteed") => Lending::Guaranteed,
        Some("strict") => Lending::Strict,
        Some(other) => return Err(Misfit::unknown("lending", other)),
    };
    let room = Bulkhead::new(BulkheadConfig {
        limit: config.need("max_concurrent", Ok(max.or(limit).or(concurrency).or(capacity)))? as u32,
        queue_max: queue_max as u32,
        wait_max_ms: wait_ms.or(queue_ms).unwrap_or(Millis::MAX),
        permit_ttl_ms: Millis::MAX,
        shares,
        lending,
    });
    Ok(Box::new(Room { room, tiers, calls: BTreeMap::new(), names: Vec::new(), rejected: BTreeMap::new() }))
}

fn limit(config: &Fields) -> Result<AdaptiveLimit, Misfit> {
    let whole = |name: &str, default: u64| Ok::<u32, Misfit>(config.whole(name)?.unwrap_or(default) as u32);
    let number = |name: &str, default: f64| Ok::<f64, Misfit>(config.number(name)?.unwrap_or(default));
    Ok(match config.need("algo", config.word("algo"))?.as_str() {
        "gradient2" => AdaptiveLimit::Gradient2(Gradient2::new(Gradient2Config {
            initial: whole("initial", 20)?,
            min: whole("min", 20)?,
            max: whole("max", 200)?,
            smoothing: number("smoothing", 0.2)?,
            queue_size: number("queue_size", 4.0)?,
            tolerance: number("tolerance", 1.5)?,
            long_window: whole("long_window", 600)?,
            warm_up: whole("warmup", 10)?,
            long_rtt_ms: config.number("long_rtt_ms")?,
        })),
        "vegas" => {
            config.skip("min");
            AdaptiveLimit::Vegas(Vegas::new(VegasConfig {
                initial: whole("initial", 20)?,
                max: whole("max", 1_000)?,
                smoothing: number("smoothing", 1.0)?,
                no_load_rtt_ms: config.number("noload_rtt_ms")?,
            }))
        }
        "envoy_gradient" | "gradient" => AdaptiveLimit::Gradient(Gradient::new(GradientConfig {
            initial: whole("initial", 3)?,
            min: whole("min", 3)?,
            max: whole("max", 1_000)?,
            buffer: number("buffer", 0.25)?,
            min_rtt_ms: config.number("min_rtt_ms")?,
            measure_every_ms: config.whole("min_rtt_interval_ms")?.unwrap_or(Millis::MAX),
            measure_jitter: number("jitter", 0.0)?,
            measure_samples: whole("min_rtt_requests", 50)?,
        })),
        other => return Err(Misfit::unknown("algo", other)),
    })
}

/// A limit that adapts.
struct Limited {
    limit: AdaptiveLimit,
    rng: SplitMix,
}

impl Subject for Limited {
    fn advance(&mut self, _now: Instant) {}

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "samples" | "sample" => {
                let (dropped, drop) = (event.switch("dropped")?, event.switch("drop")?);
                let did_drop = event.switch("did_drop")?;
                let outcome = event.word("outcome")?;
                let sample = Sample {
                    rtt_ms: event.need("rtt_ms", event.number("rtt_ms"))?,
                    in_flight: event.whole("inflight")?.map_or(self.limit.limit(), |in_flight| in_flight as u32),
                    is_dropped: dropped.or(drop).or(did_drop).unwrap_or(false)
                        || outcome.is_some_and(|outcome| outcome != "success"),
                };
                for _ in 0..event.whole("n")?.unwrap_or(1) {
                    self.limit.observe(sample, now, &mut self.rng);
                }
                Ok(())
            }
            other => Err(Misfit::unknown("event", other)),
        }
    }

    fn look(&mut self, _expectation: &Fields, _now: Instant) -> Result<Answer, Misfit> {
        let limit = self.limit.estimate();
        Ok(Answer::default().with("limit", limit).with("limit_at_least", limit).with("limit_between", limit))
    }
}

struct Call {
    number: u32,
    tier: Option<usize>,
    status: &'static str,
    /// How long it runs, if it ends by itself.
    runs_ms: Option<Millis>,
    ends_at: Option<Instant>,
}

/// A bulkhead and the calls that came to it.
struct Room {
    room: Bulkhead,
    tiers: Vec<String>,
    calls: BTreeMap<String, Call>,
    /// Calls by their number.
    names: Vec<String>,
    rejected: BTreeMap<Option<usize>, u64>,
}

impl Room {
    fn tier(&self, fields: &Fields) -> Result<Option<usize>, Misfit> {
        let Some(name) = fields.word("tier")? else { return Ok(None) };
        let place = self.tiers.iter().position(|tier| *tier == name);
        place.map(Some).ok_or_else(|| Misfit::unknown("tier", &name))
    }

    fn enter(&mut self, name: String, tier: Option<usize>, runs_ms: Option<Millis>, now: Instant) {
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        let standing = self.room.enter(number, tier, now);
        let mut call = Call { number, tier, status: "queued", runs_ms, ends_at: None };
        match standing {
            Standing::Running => call.run(now),
            Standing::Queued => {}
            Standing::Rejected => {
                call.status = "rejected";
                *self.rejected.entry(tier).or_default() += 1;
            }
        }
        self.calls.insert(name, call);
    }

    fn call(&mut self, name: &str) -> Result<&mut Call, Misfit> {
        self.calls.get_mut(name).ok_or_else(|| Misfit::unknown("call", name))
    }

    fn leave(&mut self, name: &str, status: &'static str, now: Instant) -> Result<(), Misfit> {
        let call = self.call(name)?;
        let number = call.number;
        (call.status, call.ends_at) = (status, None);
        let admitted = self.room.leave(number, now);
        self.run(admitted, now);
        Ok(())
    }

    fn run(&mut self, admitted: Vec<u32>, now: Instant) {
        for number in admitted {
            if let Some(call) = self.calls.get_mut(&self.names[number as usize]) {
                call.run(now);
            }
        }
    }
}

impl Call {
    fn run(&mut self, now: Instant) {
        self.status = "running";
        self.ends_at = self.runs_ms.map(|ms| now.plus(ms));
    }
}

impl Subject for Room {
    fn advance(&mut self, now: Instant) {
        loop {
            let ending = self.calls.iter().filter_map(|(name, call)| Some((call.ends_at?, call.number, name.clone())));
            let (ends_at, due) = ending.min().map_or((Instant::NEVER, None), |(at, _, name)| (at, Some(name)));
            let wakes_at = self.room.wake_at();
            if ends_at.min(wakes_at) > now {
                return;
            }
            match due.filter(|_| ends_at <= wakes_at) {
                Some(name) => self.leave(&name, "done", ends_at).expect("a call"),
                None => {
                    let admitted = self.room.sweep(wakes_at);
                    for call in self.calls.values_mut().filter(|call| call.status == "queued") {
                        if self.room.standing(call.number).is_none() {
                            call.status = "rejected";
                        }
                    }
                    self.run(admitted, wakes_at);
                }
            }
        }
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "begin" | "call" => {
                event.skip("outcome");
                let tier = self.tier(event)?;
                self.enter(event.id()?, tier, event.whole("dur_ms")?, now);
            }
            "begin_many" => {
                let tier = self.tier(event)?;
                for _ in 0..event.need("n", event.whole("n"))? {
                    self.enter(format!("#{}", self.names.len()), tier, None, now);
                }
            }
            "end" => {
                event.skip("outcome");
                self.leave(&event.id()?, "done", now)?;
            }
            "end_many" => {
                let tier = self.tier(event)?;
                let is_ended = |call: &&Call| call.status == "running" && call.tier == tier;
                let mut numbers: Vec<u32> = self.calls.values().filter(is_ended).map(|call| call.number).collect();
                numbers.sort_unstable();
                for number in numbers.into_iter().take(event.need("n", event.whole("n"))? as usize) {
                    self.leave(&self.names[number as usize].clone(), "done", now)?;
                }
            }
            "abort" | "cancel" => {
                let name = event.id()?;
                if matches!(self.call(&name)?.status, "queued" | "running") {
                    self.leave(&name, "cancelled", now)?;
                }
            }
            "clear_queue" => {
                let is_queued = |(name, call): (&String, &Call)| (call.status == "queued").then(|| name.clone());
                for name in self.calls.iter().filter_map(is_queued).collect::<Vec<_>>() {
                    self.leave(&name, "cancelled", now)?;
                }
            }
            "set_limit" => {
                let limit = event.need("limit", event.whole("limit"))?;
                let admitted = self.room.set_limit(limit as u32, now);
                self.run(admitted, now);
            }
            other => return Err(Misfit::unknown("event", other)),
        }
        Ok(())
    }

    fn look(&mut self, expectation: &Fields, _now: Instant) -> Result<Answer, Misfit> {
        if let Some(name) = expectation.word("call")? {
            let status = self.call(&name)?.status;
            return Ok(Answer::default().with("status", status).with("admitted", status != "rejected"));
        }
        let tier = self.tier(expectation)?;
        let running = tier.map_or(self.room.running(), |tier| self.room.running_of(tier));
        let rejected = match tier {
            Some(_) => self.rejected.get(&tier).copied().unwrap_or(0),
            None => self.rejected.values().sum(),
        };
        let queued = self.room.queued();
        Ok(Answer::default()
            .with("running", running)
            .with("active", running)
            .with("queued", queued)
            .with("pending", queued)
            .with("rejected", rejected)
            .with("total", self.room.running()))
    }
}
