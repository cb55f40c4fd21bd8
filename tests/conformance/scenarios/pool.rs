//! Scenarios of kind `pool`: resources that are made, lent, checked and let go.

use std::collections::{BTreeMap, BTreeSet};

use seawall::clock::{Instant, Millis};
use seawall::policy::resources::{Order, PoolStep, Resources, ResourcesConfig, Reuse, WaitingConfig};
use serde_json::{Map, Value};

use super::script::{Answer, Fields};
use super::{Misfit, Subject};

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    let validation = config.section("validate")?;
    let invalid = match &validation {
        Some(section) => section.words("fail")?.unwrap_or_default(),
        None => Vec::new(),
    };
    let is_checked = validation.is_some() || config.switch("test_on_borrow")?.unwrap_or(false);
    let mut pool = Pool {
        pool: Resources::new(resources_config(config, is_checked)?, start),
        create_ms: config.whole("create_ms")?.unwrap_or(0),
        failing: failing(config)?,
        invalid: invalid.into_iter().collect(),
        creating: Vec::new(),
        creations: 0,
        names: BTreeMap::new(),
        destroyed: Vec::new(),
        calls: BTreeMap::new(),
        ids: Vec::new(),
        leaks: Vec::new(),
        is_frozen: false,
        awake_since: start,
    };
    pool.carry_out(start);
    Ok(Box::new(pool))
}

fn resources_config(config: &Fields, is_checked: bool) -> Result<ResourcesConfig, Misfit> {
    let or = |names: &[&str], default: Millis| -> Result<Millis, Misfit> {
        let mut found = None;
        for name in names {
            found = found.or(config.whole(name)?);
        }
        Ok(found.unwrap_or(default))
    };
    let is_checked_on_take = match config.word("idle_check")?.as_deref() {
        None | Some("timer" | "interval" | "reap") => false,
        Some("on_borrow") => true,
        Some(other) => return Err(Misfit::unknown("idle_check", other)),
    };
    let reuse = match config.word("reuse")?.as_deref() {
        None | Some("lifo") => Reuse::Latest,
        Some("fifo") => Reuse::Oldest,
        Some(other) => return Err(Misfit::unknown("reuse", other)),
    };
    Ok(ResourcesConfig {
        min: or(&["min"], 0)? as u32,
        max: config.need("max", config.whole("max"))? as u32,
        is_prefilled: config.switch("prefill")?.unwrap_or(true),
        waiting: waiting_config(config)?,
        reuse,
        idle_ttl_ms: or(&["idle_timeout_ms", "soft_idle_timeout_ms"], Millis::MAX)?,
        reap_interval_ms: or(
            &["reap_interval_ms", "evict_interval_ms", "eviction_interval_ms"],
            if is_checked_on_take { Millis::MAX } else { 0 },
        )?,
        is_idle_checked_on_take: is_checked_on_take,
        uses_max: or(&["max_uses"], u64::MAX)?,
        age_max_ms: or(&["max_age_ms", "max_lifetime_ms"], Millis::MAX)?,
        validate_after_ms: or(&["validation_interval_ms"], if is_checked { 0 } else { Millis::MAX })?,
        create_timeout_ms: or(&["create_timeout_ms"], 30_000)?,
        create_retry_ms: or(&["create_retry_ms", "create_retry_interval_ms"], 200)?,
        is_create_failure_told: config.switch("propagate_create_error")?.unwrap_or(false),
        leak_ms: or(&["leak_ms"], Millis::MAX)?,
        is_leak_reclaimed: config.switch("leak_reclaim")?.unwrap_or(false),
    })
}

fn waiting_config(config: &Fields) -> Result<WaitingConfig, Misfit> {
    let (waiting, queue) = (config.whole("max_waiting")?, config.whole("max_queue")?);
    let clients = config.whole("max_waiting_clients")?;
    // How urgent a call is, it says itself.
    config.skip("priority_range");
    let plain = WaitingConfig {
        waiters_max: waiting.or(clients).or(queue).unwrap_or(u64::from(u32::MAX)) as u32,
        timeout_ms: config.whole("acquire_timeout_ms")?.unwrap_or(Millis::MAX),
        order: Order::Fifo,
        standing_after_ms: Millis::MAX,
        standing_timeout_ms: Millis::MAX,
    };
    let Some(queue) = config.section("queue")? else { return Ok(plain) };
    let timeout_ms = queue.whole("full_timeout_ms")?.unwrap_or(plain.timeout_ms);
    let (after_ms, target_ms) = (queue.whole("interval_ms")?, queue.whole("target_ms")?);
    let is_adaptive = queue.switch("adaptive_lifo")?.unwrap_or(false);
    let order = match queue.need("type", queue.word("type"))?.as_str() {
        "codel" if is_adaptive => Order::Adaptive,
        "adaptive_lifo" => Order::Adaptive,
        "codel" | "fifo" => Order::Fifo,
        "lifo" => Order::Lifo,
        other => return Err(Misfit::unknown("queue", other)),
    };
    Ok(WaitingConfig {
        timeout_ms,
        order,
        standing_after_ms: after_ms.unwrap_or(if order == Order::Adaptive { 0 } else { Millis::MAX }),
        standing_timeout_ms: target_ms.unwrap_or(timeout_ms),
        ..plain
    })
}

/// Which creations fail, counted from 1.
fn failing(config: &Fields) -> Result<BTreeSet<u64>, Misfit> {
    let section = config.section("create")?;
    let value = match &section {
        Some(section) => section.value("fail").cloned(),
        None => config.value("create_fail").or_else(|| config.value("create_failures")).cloned(),
    };
    match value {
        None => Ok(BTreeSet::new()),
        Some(Value::Number(first)) => Ok((1..=first.as_u64().unwrap_or(0)).collect()),
        Some(Value::Array(list)) => Ok(list
            .iter()
            .filter_map(|item| item.as_u64().or_else(|| item.as_str()?.trim_start_matches('r').parse().ok()))
            .collect()),
        Some(other) => Err(Misfit::unknown("failing creation", &other.to_string())),
    }
}

struct Call {
    number: u32,
    status: &'static str,
    resource: Option<String>,
}

struct Pool {
    pool: Resources,
    create_ms: Millis,
    failing: BTreeSet<u64>,
    invalid: BTreeSet<String>,
    /// Creations under way: when they end, of what, and whether well.
    creating: Vec<(Instant, u32, bool)>,
    creations: u64,
    /// Resources by number, named in the order in which they came to be.
    names: BTreeMap<u32, String>,
    destroyed: Vec<String>,
    calls: BTreeMap<String, Call>,
    ids: Vec<String>,
    leaks: Vec<String>,
    is_frozen: bool,
    awake_since: Instant,
}

impl Pool {
    /// Does what the pool says, until it says nothing more.
    fn carry_out(&mut self, now: Instant) {
        loop {
            let steps = self.pool.take_steps();
            if steps.is_empty() {
                return;
            }
            for step in steps {
                self.step(step, now);
            }
        }
    }

    fn step(&mut self, step: PoolStep, now: Instant) {
        match step {
            PoolStep::Create(resource) => {
                self.creations += 1;
                let is_well = !self.failing.contains(&self.creations);
                if self.create_ms == 0 {
                    self.created(resource, is_well, now);
                } else {
                    self.creating.push((now.plus(self.create_ms), resource, is_well));
                }
            }
            PoolStep::Validate(resource) => {
                let is_well = !self.names.get(&resource).is_some_and(|name| self.invalid.contains(name));
                self.pool.validated(resource, is_well, now);
            }
            PoolStep::Destroy(resource) => self.destroyed.extend(self.names.get(&resource).cloned()),
            PoolStep::Grant { call, resource } => {
                let name = self.names.get(&resource).cloned();
                self.tell(call, "leased", name);
            }
            PoolStep::TimeOut(call) => self.tell(call, "timeout", None),
            PoolStep::Reject(call) => self.tell(call, "rejected", None),
            PoolStep::Leak(call) => self.leaks.push(self.ids[call as usize].clone()),
        }
    }

    fn created(&mut self, resource: u32, is_well: bool, now: Instant) {
        if is_well {
            self.names.insert(resource, format!("r{}", self.names.len() + 1));
        }
        self.pool.created(resource, is_well, now);
    }

    fn tell(&mut self, number: u32, status: &'static str, resource: Option<String>) {
        if let Some(call) = self.calls.get_mut(&self.ids[number as usize]) {
            (call.status, call.resource) = (status, resource);
        }
    }

    fn number(&self, event: &Fields) -> Result<u32, Misfit> {
        let id = event.id()?;
        self.calls.get(&id).map(|call| call.number).ok_or_else(|| Misfit::unknown("acquire", &id))
    }

    fn acquire(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        let (id, number) = (event.id()?, self.ids.len() as u32);
        self.ids.push(id.clone());
        self.calls.insert(id, Call { number, status: "pending", resource: None });
        self.pool.acquire(number, event.whole("priority")?.unwrap_or(0) as u8, now);
        Ok(())
    }
}

impl Subject for Pool {
    fn advance(&mut self, now: Instant) {
        while !self.is_frozen {
            let ends_at = self.creating.iter().map(|(at, ..)| *at).min().unwrap_or(Instant::NEVER);
            let wakes_at = self.pool.wake_at();
            if ends_at.min(wakes_at) > now {
                return;
            }
            // What came due while frozen is done on waking.
            let at = ends_at.min(wakes_at).max(self.awake_since);
            if wakes_at <= ends_at {
                self.pool.advance_to(at);
            } else if let Some(place) = self.creating.iter().position(|(end, ..)| *end == ends_at) {
                let (_, resource, is_well) = self.creating.remove(place);
                self.created(resource, is_well, at);
            }
            self.carry_out(at);
        }
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "acquire" => self.acquire(event, now)?,
            "release" => {
                let is_broken = event.switch("broken")?.unwrap_or(false);
                self.pool.release(self.number(event)?, is_broken, now);
            }
            "destroy" if event.value("id").is_some() => {
                self.pool.release(self.number(event)?, true, now);
            }
            "abort" | "cancel" => {
                let number = self.number(event)?;
                if self.pool.leave_queue(number) {
                    self.tell(number, "cancelled", None);
                }
            }
            "close" | "destroy" | "drain" | "shutdown" => self.pool.close(now),
            "freeze" => self.is_frozen = true,
            "thaw" => (self.is_frozen, self.awake_since) = (false, now),
            other => return Err(Misfit::unknown("event", other)),
        }
        self.carry_out(now);
        Ok(())
    }

    fn look(&mut self, expectation: &Fields, _now: Instant) -> Result<Answer, Misfit> {
        let counts: [(&str, Value); 8] = [
            ("in_use", self.pool.in_use().into()),
            ("idle", self.pool.idle().into()),
            ("waiting", self.pool.waiting().into()),
            ("pending", self.pool.waiting().into()),
            ("creating", self.creating.len().into()),
            ("size", self.pool.size().into()),
            ("created", self.names.len().into()),
            ("destroyed", self.destroyed.clone().into()),
        ];
        let counts: Map<String, Value> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let answer = Answer::default().with("pool", counts).with("leaks", self.leaks.clone());
        let Some(id) = expectation.word("acquire")? else { return Ok(answer) };
        let call = self.calls.get(&id).ok_or_else(|| Misfit::unknown("acquire", &id))?;
        Ok(answer.with("status", call.status).with("resource", call.resource.clone()))
    }
}
