//! Scenarios of kind `cache`: what is kept, who loads, and what may be served stale.

use std::collections::BTreeMap;

use seawall::clock::{Instant, Millis};
use seawall::policy::cache::{CacheConfig, Found, Life};
use seawall::policy::read_through::{Access, Landing, Load, ReadConfig, ReadThrough};
use seawall::policy::single_flight::{FlightConfig, Left};
use serde_json::Value;

use super::script::{Answer, Fields};
use super::{Misfit, Subject};

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, _start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    let (ttl_ms, fresh_ms) = (config.whole("ttl_ms")?, config.whole("fresh_ms")?);
    let (capacity, entries) = (config.whole("capacity")?, config.whole("max_entries")?);
    let (stale_ms, if_error_ms) = (config.whole("stale_ms")?, config.whole("stale_if_error_ms")?);
    let on_error = match config.value("stale_if_error") {
        Some(Value::Bool(is_on)) => is_on.then(|| if_error_ms.or(stale_ms).unwrap_or(Millis::MAX)),
        Some(Value::Number(ms)) => ms.as_u64(),
        _ => if_error_ms,
    };
    let revalidates = config.switch("swr")?.unwrap_or(on_error.is_none());
    let allows_stale = config.switch("allow_stale")?.unwrap_or(false);
    let keeps_stale = config.switch("no_delete_on_stale_get")?.unwrap_or(false);
    let (sliding, on_get) = (config.switch("sliding")?, config.switch("update_age_on_get")?);
    let max_size = config.whole("max_size")?;
    // Without any bound or time, nothing is kept: what is asked about then is the loads.
    let keeps = capacity.or(entries).or(max_size).or(ttl_ms).or(fresh_ms).is_some() || allows_stale;
    let cache = CacheConfig {
        entries_max: capacity.or(entries).unwrap_or(if keeps { u64::from(u32::MAX) } else { 0 }) as u32,
        size_max: max_size.unwrap_or(u64::MAX),
        ttl_ms: ttl_ms.or(fresh_ms).unwrap_or(Millis::MAX),
        is_sliding: sliding.or(on_get).unwrap_or(false),
        stale_ms: if allows_stale { Millis::MAX } else { stale_ms.filter(|_| revalidates).unwrap_or(0) },
        stale_if_error_ms: on_error.unwrap_or(0),
        is_stale_served_once: allows_stale && !keeps_stale,
    };
    let flights = FlightConfig {
        flights_max: u32::MAX,
        followers_max: u32::MAX,
        // Here a leader that dies says so.
        lead_ms: Millis::MAX,
        is_taken_over: config.switch("follower_takeover")?.unwrap_or(true),
        is_polling: false,
    };
    let is_shared = config.switch("coalesce")?.unwrap_or(true);
    Ok(Box::new(Reader {
        reads: ReadThrough::new(ReadConfig { cache, flights, is_shared, write_ms: 0 }),
        names: Vec::new(),
        values: BTreeMap::new(),
        got: BTreeMap::new(),
        calls: Vec::new(),
        loading: Vec::new(),
        loads: 0,
    }))
}

/// One who wants a key.
struct Call {
    id: String,
    key: u32,
    dur_ms: Millis,
    is_failure: bool,
    ttl_ms: Option<Millis>,
    result: Option<&'static str>,
    served: Option<&'static str>,
}

struct Reader {
    reads: ReadThrough,
    /// Names of the keys, by slot.
    names: Vec<String>,
    values: BTreeMap<u32, Value>,
    /// What was got, by the name of the event.
    got: BTreeMap<String, Value>,
    calls: Vec<Call>,
    /// Loads under way: when they end, and whose they are.
    loading: Vec<(Instant, u32)>,
    loads: u64,
}

impl Reader {
    fn slot(&mut self, name: String) -> u32 {
        let known = self.names.iter().position(|known| *known == name);
        known.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        }) as u32
    }

    fn begin(&mut self, number: u32, now: Instant) {
        self.loads += 1;
        self.loading.push((now.plus(self.calls[number as usize].dur_ms), number));
    }

    /// The first answer counts: a load in the background changes nothing for who was served already.
    fn answer(&mut self, number: u32, result: &'static str, served: Option<&'static str>) {
        let call = &mut self.calls[number as usize];
        if call.result.is_none() {
            (call.result, call.served) = (Some(result), served);
        }
    }

    fn land(&mut self, number: u32, now: Instant) {
        let call = &self.calls[number as usize];
        let (key, is_failure) = (call.key, call.is_failure);
        let landing = if is_failure {
            self.reads.failed(key, number, true, now)
        } else {
            self.values.insert(key, Value::Null);
            let load = Load { slot: key, caller: number, since: 0 };
            self.reads.loaded(load, 1, Life { ttl_ms: call.ttl_ms, stale_ms: None }, now)
        };
        let Landing { followers, is_served_stale, evicted, .. } = landing;
        self.drop_values(evicted);
        let (result, served) = match (is_failure, is_served_stale) {
            (false, _) => ("success", Some("miss")),
            (true, true) => ("success", Some("stale_if_error")),
            (true, false) => ("failure", None),
        };
        for number in followers.into_iter().chain([number]) {
            self.answer(number, result, served);
        }
    }

    fn drop_values(&mut self, keys: Vec<u32>) {
        for key in keys {
            self.values.remove(&key);
        }
    }

    fn load(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        let number = self.calls.len() as u32;
        let key = self.slot(event.need("key", event.word("key"))?);
        self.calls.push(Call {
            id: event.id()?,
            key,
            dur_ms: event.whole("dur_ms")?.unwrap_or(0),
            is_failure: event.word("outcome")?.is_some_and(|outcome| outcome != "success"),
            ttl_ms: event.whole("ttl_ms")?,
            result: None,
            served: None,
        });
        match self.reads.decide(key, number, now) {
            Access::Serve => self.answer(number, "success", Some("fresh")),
            Access::ServeStale => self.answer(number, "success", Some("stale")),
            Access::ServeStaleAndLoad => {
                self.answer(number, "success", Some("stale"));
                self.begin(number, now);
            }
            Access::Load => self.begin(number, now),
            Access::Wait { .. } => {}
        }
        Ok(())
    }

    fn cancel(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        let id = event.id()?;
        let number = self.calls.iter().position(|call| call.id == id).ok_or_else(|| Misfit::unknown("load", &id))?;
        let key = self.calls[number].key;
        self.loading.retain(|(_, loading)| *loading as usize != number);
        self.answer(number as u32, "cancelled", None);
        match self.reads.leave(key, number as u32, now) {
            Left::Quietly => {}
            Left::TakenOver(heir) => self.begin(heir, now),
            Left::Abandoned(followers) => {
                followers.into_iter().for_each(|follower| self.answer(follower, "failure", None));
            }
        }
        Ok(())
    }
}

impl Subject for Reader {
    fn advance(&mut self, now: Instant) {
        while let Some(place) = (0..self.loading.len()).min_by_key(|place| self.loading[*place])
            && self.loading[place].0 <= now
        {
            let (at, number) = self.loading.remove(place);
            self.land(number, at);
        }
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        let key = event.word("key")?.map(|name| self.slot(name));
        let key = || event.need("key", Ok(key));
        match event.op()?.as_str() {
            "set" => {
                let (size, ttl_ms) = (event.whole("size")?.unwrap_or(1), event.whole("ttl_ms")?);
                self.values.insert(key()?, event.value("value").cloned().unwrap_or(Value::Null));
                let evicted = self.reads.cache_mut().insert(key()?, size, Life { ttl_ms, stale_ms: None }, now);
                self.drop_values(evicted);
            }
            "get" => {
                let found = self.reads.cache_mut().look_up(key()?, now);
                let is_served = matches!(found, Found::Fresh | Found::Stale);
                let value = self.values.get(&key()?).filter(|_| is_served);
                // One that nobody asks about is there for what it does to the order.
                let id = event.word("id")?.unwrap_or_default();
                self.got.insert(id, value.cloned().unwrap_or(Value::Null));
            }
            "peek" => {
                let is_served = matches!(self.reads.cache().peek(key()?, now), Found::Fresh | Found::Stale);
                let value = self.values.get(&key()?).filter(|_| is_served);
                self.got.insert(event.id()?, value.cloned().unwrap_or(Value::Null));
            }
            "has" => {
                let is_fresh = self.reads.cache().peek(key()?, now) == Found::Fresh;
                self.got.insert(event.id()?, Value::Bool(is_fresh));
            }
            "delete" | "remove" | "invalidate" => {
                self.reads.cache_mut().remove(key()?);
            }
            "clear" => {
                let dropped = self.reads.cache_mut().retain(|_| false);
                self.drop_values(dropped);
            }
            "load" => self.load(event, now)?,
            "cancel" => self.cancel(event, now)?,
            "forget" => {
                self.reads.flights_mut().forget(key()?);
            }
            other => return Err(Misfit::unknown("event", other)),
        }
        Ok(())
    }

    fn look(&mut self, expectation: &Fields, _now: Instant) -> Result<Answer, Misfit> {
        for name in ["get", "peek", "has"] {
            if let Some(id) = expectation.word(name)? {
                let got = self.got.get(&id).ok_or_else(|| Misfit::unknown(name, &id))?;
                return Ok(Answer::default().with("value", got.clone()).with("present", *got != Value::Null));
            }
        }
        let cache = self.reads.cache();
        let answer = Answer::default()
            .with("loads", self.loads)
            .with("entries", cache.len())
            .with("count", cache.len())
            .with("size", cache.len())
            .with("total_size", cache.size());
        let Some(id) = expectation.word("load")? else { return Ok(answer) };
        let call = self.calls.iter().find(|call| call.id == id).ok_or_else(|| Misfit::unknown("load", &id))?;
        Ok(answer.with("result", call.result).with("served", call.served))
    }
}
