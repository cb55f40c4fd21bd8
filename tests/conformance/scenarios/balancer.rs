//! Scenarios of kind `balancer`: choosing endpoints, ejecting outliers, suspecting the silent.

use std::collections::BTreeMap;

use seawall::clock::{Instant, Millis};
use seawall::policy::balance::{Algorithm, BalanceConfig, Balancer};
use seawall::policy::outlier::{Comparison, OutlierConfig, Outliers};
use seawall::policy::suspicion::{Suspicion, SuspicionConfig};
use seawall::rng::SplitMix;

use super::script::{Answer, Fields};
use super::{Misfit, Subject};

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    let names = config.words("endpoints")?.unwrap_or_default();
    let outliers = match config.section("outlier")? {
        Some(section) => Some(<Outliers>::new(outlier_config(&section)?, names.len(), start)),
        None => None,
    };
    let suspicion = config.section("phi")?.map(|section| suspicion_config(&section)).transpose()?.map(Suspicion::new);
    let balancer = Balancer::new(balance_config(config)?, names.len(), start);
    let picks = BTreeMap::new();
    let eligible = BTreeMap::new();
    let (manual, beats) = (vec![false; names.len()], Vec::new());
    Ok(Box::new(Endpoints { names, balancer, outliers, suspicion, picks, eligible, manual, beats }))
}

fn balance_config(config: &Fields) -> Result<BalanceConfig, Misfit> {
    let algorithm = match config.word("algo")?.as_deref() {
        None | Some("round_robin") => Algorithm::RoundRobin,
        Some("least_pending" | "least_request" | "least_requests" | "least_loaded" | "least_connections") => {
            Algorithm::LeastPending
        }
        Some("p2c" | "p2c_pending" | "p2c_least_pending" | "p2c_least_request" | "p2c_least_loaded") => {
            Algorithm::PairPending
        }
        Some("peak_ewma" | "least_cost") => Algorithm::LeastCost,
        Some("p2c_peak_ewma") => Algorithm::PairCost,
        Some(other) => return Err(Misfit::unknown("algo", other)),
    };
    let (failure_ms, penalty_ms) = (config.number("failure_penalty_ms")?, config.number("penalty_ms")?);
    Ok(BalanceConfig {
        algorithm,
        decay_ms: config.whole("decay_ms")?.unwrap_or(10_000),
        first_rtt_ms: config.number("default_rtt_ms")?.unwrap_or(0.0),
        failure_penalty_ms: failure_ms.or(penalty_ms).unwrap_or(0.0),
        panic_below: config.number("panic_threshold")?.unwrap_or(0.5),
    })
}

fn outlier_config(config: &Fields) -> Result<OutlierConfig, Misfit> {
    let rule = config.word("type")?;
    let comparison = match rule.as_deref() {
        None | Some("consecutive") => Comparison::None,
        Some("success_rate") => Comparison::SuccessRate { factor: config.number("stdev_factor")?.unwrap_or(1.9) },
        Some("failure_percentage") => {
            let (short, long) = (config.number("threshold")?, config.number("failure_percentage_threshold")?);
            Comparison::FailureShare { share: short.or(long).unwrap_or(85.0) / 100.0 }
        }
        Some(other) => return Err(Misfit::unknown("outlier type", other)),
    };
    let compares = comparison != Comparison::None;
    let whole = |name: &str, default: u64| Ok::<u32, Misfit>(config.whole(name)?.unwrap_or(default) as u32);
    let interval_ms = config.whole("interval_ms")?.unwrap_or(10_000);
    let base_ejection_ms = config.whole("base_ejection_ms")?.unwrap_or(30_000);
    let requests_min = if matches!(comparison, Comparison::FailureShare { .. }) { 50 } else { 100 };
    Ok(OutlierConfig {
        consecutive_failures: whole("consecutive_failures", if compares { 0 } else { 5 })?,
        comparison,
        endpoints_min: whole("min_hosts", 5)?,
        requests_min: whole("request_volume", requests_min)?,
        interval_ms,
        base_ejection_ms,
        max_ejection_ms: config.whole("max_ejection_ms")?.unwrap_or(base_ejection_ms.max(300_000)),
        max_ejection_percent: whole("max_ejection_percent", 10)?,
        ejects_one: config.switch("always_eject_one_host")?.unwrap_or(false),
    })
}

fn suspicion_config(config: &Fields) -> Result<SuspicionConfig, Misfit> {
    let (first_ms, estimate_ms) = (config.whole("first_heartbeat_ms")?, config.whole("first_heartbeat_estimate_ms")?);
    Ok(SuspicionConfig {
        threshold: config.number("threshold")?.unwrap_or(8.0),
        samples_max: config.whole("samples")?.unwrap_or(1_000) as u32,
        sd_min_ms: config.whole("min_sd_ms")?.unwrap_or(100),
        acceptable_pause_ms: config.whole("acceptable_pause_ms")?.unwrap_or(0),
        first_interval_ms: first_ms.or(estimate_ms).unwrap_or(1_000),
    })
}

struct Endpoints {
    names: Vec<String>,
    balancer: Balancer,
    outliers: Option<Outliers>,
    suspicion: Option<Suspicion>,
    picks: BTreeMap<String, Option<usize>>,
    eligible: BTreeMap<String, Vec<String>>,
    /// Ejected by hand.
    manual: Vec<bool>,
    /// Heartbeats to come, the next one last.
    beats: Vec<Instant>,
}

impl Endpoints {
    fn endpoint(&self, event: &Fields) -> Result<usize, Misfit> {
        let name = event.need("endpoint", event.word("endpoint"))?;
        let place = self.names.iter().position(|known| *known == name);
        place.ok_or_else(|| Misfit::unknown("endpoint", &name))
    }

    fn is_ejected(&self, endpoint: usize) -> bool {
        self.manual[endpoint] || self.outliers.as_ref().is_some_and(|outliers| outliers.is_ejected(endpoint))
    }

    /// What the engine does before it asks: tells the balancer who is ejected.
    fn tell(&mut self) {
        for endpoint in 0..self.names.len() {
            self.balancer.set_available(endpoint, !self.is_ejected(endpoint));
        }
    }

    fn respond(&mut self, endpoint: usize, is_failure: bool, times: u64, now: Instant) {
        if let Some(outliers) = self.outliers.as_mut() {
            (0..times).for_each(|_| {
                outliers.observe(endpoint, is_failure, now);
            });
        }
    }

    fn heartbeats(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        let intervals: Vec<Millis> = match event.numbers("intervals_ms")? {
            Some(intervals) => intervals.into_iter().map(|interval| interval as Millis).collect(),
            None => {
                let every_ms = event.need("every_ms", event.whole("every_ms"))?;
                vec![every_ms; event.need("n", event.whole("n"))?.saturating_sub(1) as usize]
            }
        };
        let later = intervals.into_iter().scan(now, |at, interval| {
            *at = at.plus(interval);
            Some(*at)
        });
        self.beats.extend(std::iter::once(now).chain(later));
        self.beats.sort_by(|a, b| b.cmp(a));
        Ok(())
    }
}

impl Subject for Endpoints {
    fn advance(&mut self, now: Instant) {
        while let Some(at) = self.beats.pop_if(|at| *at <= now) {
            if let Some(suspicion) = self.suspicion.as_mut() {
                suspicion.observe(at);
            }
        }
        if let Some(outliers) = self.outliers.as_mut() {
            outliers.sweep(now);
        }
        self.tell();
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "pick" => {
                let pair = event.numbers("rng_pair")?.map(|pair| (pair[0] as usize, pair[1] as usize));
                let picked = match pair {
                    Some(pair) => self.balancer.choose_of(pair, now),
                    None => self.balancer.choose(&mut SplitMix::new(1), now),
                };
                self.picks.insert(event.id()?, picked);
            }
            "eligible" => {
                let eligible = self.balancer.eligible().map(|endpoint| self.names[endpoint].clone()).collect();
                self.eligible.insert(event.id()?, eligible);
            }
            op @ ("eject" | "uneject" | "restore") => {
                let endpoint = self.endpoint(event)?;
                self.manual[endpoint] = op == "eject";
            }
            "observe" => {
                let endpoint = self.endpoint(event)?;
                let failed = event.word("outcome")?.is_some_and(|outcome| outcome != "success");
                let rtt_ms = event.number("rtt_ms")?.unwrap_or(0.0);
                self.balancer.observe(endpoint, rtt_ms, failed, now);
                self.respond(endpoint, failed, 1, now);
            }
            "inflight" => {
                let endpoint = self.endpoint(event)?;
                self.balancer.set_pending(endpoint, event.need("n", event.whole("n"))? as u32);
            }
            "begin" => self.balancer.begin(self.endpoint(event)?),
            "end" => self.balancer.end(self.endpoint(event)?),
            "responses" => {
                let endpoint = self.endpoint(event)?;
                for outcome in event.need("outcomes", event.words("outcomes"))? {
                    match outcome.as_str() {
                        "success" => self.respond(endpoint, false, 1, now),
                        "failure" => self.respond(endpoint, true, 1, now),
                        other => return Err(Misfit::unknown("outcome", other)),
                    }
                }
            }
            "bulk_responses" => {
                let endpoint = self.endpoint(event)?;
                self.respond(endpoint, false, event.whole("ok")?.unwrap_or(0), now);
                self.respond(endpoint, true, event.whole("fail")?.unwrap_or(0), now);
            }
            "heartbeats" => self.heartbeats(event, now)?,
            "heartbeat" => self.beats.push(now),
            other => return Err(Misfit::unknown("event", other)),
        }
        Ok(())
    }

    fn look(&mut self, expectation: &Fields, now: Instant) -> Result<Answer, Misfit> {
        let mut answer = Answer::default();
        if let Some(id) = expectation.word("pick")? {
            let picked = self.picks.get(&id).ok_or_else(|| Misfit::unknown("pick", &id))?;
            return Ok(answer.with("endpoint", picked.map(|endpoint| self.names[endpoint].clone())));
        }
        if let Some(id) = expectation.word("eligible")? {
            let eligible = self.eligible.get(&id).ok_or_else(|| Misfit::unknown("eligible", &id))?;
            return Ok(answer.with("endpoints", eligible.clone()));
        }
        if expectation.value("endpoint").is_some() {
            let endpoint = self.endpoint(expectation)?;
            answer = answer
                .with("ejected", self.is_ejected(endpoint))
                .with("pending", self.balancer.pending(endpoint))
                .with("cost", self.balancer.cost(endpoint, 0.0, now))
                .with("cost_at_least", self.balancer.cost(endpoint, 0.0, now));
        }
        if let Some(suspicion) = &self.suspicion {
            let phi = suspicion.phi(now).min(f64::MAX);
            let is_available = suspicion.is_available(now);
            answer = answer
                .with("phi", phi)
                .with("phi_at_least", phi)
                .with("phi_between", phi)
                .with("available", is_available)
                .with("suspected", !is_available);
            // The frame bounds from below only.
            for name in ["phi_at_most", "phi_below"] {
                if let Some(bound) = expectation.number(name)? {
                    answer = answer.with(name, phi.max(bound));
                }
            }
        }
        Ok(answer.with("panic", self.balancer.is_panicking()))
    }
}
