//! The shared snapshot in Workers KV, and near by in the data centre's cache. A store that throws, hangs or lies delays
//! and fails nothing: it is counted.
//!
//! Twin of `js/src/store/workers-kv.ts` and `cache-api.ts`: keys, addresses and headers are the same, so that this Worker
//! and the npm package tell each other what they learn.

use worker::js_sys::{self, Object, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys;
use worker::{Env, IntoResponse, Request, ResponseBuilder};

use super::clock;
use super::promise::{call, settled};
use crate::clock::Instant;

/// Name of the binding; without it each isolate learns for itself.
const BINDING: &str = "SEAWALL_KV";
/// As the npm package's prefix, so that both share what they learn.
const PREFIX: &str = "seawall/v1/";
/// The edge may answer from its own copy for this long, in seconds: KV's lower bound.
const CACHE_TTL_S: u32 = 30;
/// A hint that nobody renewed is forgotten after this, in seconds.
const TTL_S: u64 = 3_600;
/// As `js/src/monitor/strong-host.ts` has it: texts of the strong store lie beside the hints.
const CACHE_PREFIX: &str = "seawall/";
/// What KV was not told again for so long is read from the strong store, in seconds.
const CACHED_S: u32 = 30 * 24 * 3_600;
/// Where the texts near by pretend to be. Nothing is ever asked there.
const NEAR_ORIGIN: &str = "https://seawall.invalid";
/// Until when a text near by counts, in milliseconds since the epoch.
const NEAR_UNTIL: &str = "x-seawall-until";
/// There the cache forgets at once whatever it is given.
const CACHELESS_HOST: &str = ".workers.dev";
/// The longest name of a data centre.
const COLO_LENGTH_MAX: usize = 32;

/// Why the store did not do its part: nobody needs to know more.
#[derive(Debug)]
pub(super) struct StoreFailed;

/// What a request tells of where this isolate is. A scheduled event tells nothing.
#[derive(Default)]
pub(super) struct Place {
    /// Name of the data centre.
    pub(super) colo: Option<String>,
    /// Whether the data centre's cache keeps what it is given.
    pub(super) has_cache: bool,
}

impl Place {
    /// What `request` tells.
    pub(super) fn of(request: &Request) -> Self {
        // Not `Cf::colo`, which panics where the platform tells none.
        let cf = Reflect::get(request.inner(), &"cf".into()).ok();
        // Asked first: what throws leaves a handle behind, see `promise::call`.
        let cf = cf.filter(JsValue::is_object);
        let colo = cf.and_then(|cf| Reflect::get(&cf, &"colo".into()).ok()).and_then(|colo| colo.as_string());
        // Not `Request::url`, whose parser would be a quarter of this Worker; the platform has parsed it already.
        let url = request.inner().url();
        let host = url.split_once("://").map(|(_, rest)| rest.split(['/', ':', '?']).next().unwrap_or_default());
        Self {
            colo: colo.filter(|name| is_colo(name)),
            has_cache: host.is_some_and(|host| !host.ends_with(CACHELESS_HOST)),
        }
    }
}

/// Whether a name can be a part of a key.
fn is_colo(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=COLO_LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

/// The namespace that the Worker is bound to, if it is to one.
fn binding(env: &Env) -> Option<JsValue> {
    Reflect::get(env, &BINDING.into()).ok().filter(JsValue::is_object)
}

/// Whether there is a store at all.
pub(super) fn is_bound(env: &Env) -> bool {
    binding(env).is_some()
}

/// Where one database's snapshot is kept.
pub(super) struct Store {
    kv: JsValue,
    key: String,
}

impl Store {
    /// The store that the Worker is bound to, if it is. Isolates of one data centre share one key.
    pub(super) fn bound(env: &Env, database: &str, colo: Option<&str>) -> Option<Self> {
        let kv = binding(env)?;
        let place = colo.map(|colo| format!("/{colo}")).unwrap_or_default();
        Some(Self { kv, key: format!("{PREFIX}{database}{place}") })
    }

    /// The text that is kept, if any. It may be old.
    pub(super) async fn read(&self) -> Result<Option<String>, StoreFailed> {
        let options = options(&[("type", "text".into()), ("cacheTtl", CACHE_TTL_S.into())])?;
        Ok(ask(&self.kv, "get", &[&self.key.as_str().into(), &options]).await?.as_string())
    }

    /// Keeps `text`. KV takes one write a second for each key.
    pub(super) async fn write(&self, text: &str) -> Result<(), StoreFailed> {
        let options = options(&[("expirationTtl", (TTL_S as f64).into())])?;
        ask(&self.kv, "put", &[&self.key.as_str().into(), &text.into(), &options]).await.map(drop)
    }

    /// The text that is kept near by, if any. It may have been forgotten at any time.
    pub(super) async fn read_near(&self) -> Result<Option<String>, StoreFailed> {
        let found = ask(&near()?, "match", &[&self.near_address().into()]).await?;
        if !found.is_object() {
            return Ok(None);
        }
        let headers = Reflect::get(&found, &"headers".into()).map_err(|_| StoreFailed)?;
        let until = call(&headers, "get", &[&NEAR_UNTIL.into()]).map_err(|_| StoreFailed)?;
        let until = until.as_string().and_then(|until| until.parse().ok()).and_then(Instant::from_host);
        // Read in any case: a body that nobody reads is held until its request ends.
        let text = ask(&found, "text", &[]).await?.as_string();
        Ok(text.filter(|_| until.is_some_and(|until| clock::now() < until)))
    }

    /// Keeps `text` near by.
    pub(super) async fn write_near(&self, text: &str) -> Result<(), StoreFailed> {
        let until = clock::now().plus(TTL_S * 1_000);
        let response = ResponseBuilder::new()
            .with_header("cache-control", &format!("max-age={TTL_S}"))
            .and_then(|builder| builder.with_header("content-type", "text/plain; charset=utf-8"))
            .and_then(|builder| builder.with_header(NEAR_UNTIL, &until.0.to_string()))
            .map_err(|_| StoreFailed)?
            .fixed(text.as_bytes().to_vec());
        let response: web_sys::Response = response.into_raw().map_err(|_| StoreFailed)?;
        ask(&near()?, "put", &[&self.near_address().into(), &response]).await.map(drop)
    }

    fn near_address(&self) -> String {
        format!("{NEAR_ORIGIN}/{}", String::from(js_sys::encode_uri_component(&self.key)))
    }
}

/// The text under a key of the strong store, as KV has it: a minute old, or more. Nothing if no namespace is bound.
pub(super) async fn read_cached(env: &Env, key: &str) -> Result<Option<String>, StoreFailed> {
    let Some(kv) = binding(env) else { return Ok(None) };
    let options = options(&[("type", "text".into()), ("cacheTtl", CACHE_TTL_S.into())])?;
    Ok(ask(&kv, "get", &[&cached(key).into(), &options]).await?.as_string())
}

/// Lets KV follow the strong store; false if no namespace is bound.
pub(super) async fn put_cached(env: &Env, key: &str, text: &str) -> Result<bool, StoreFailed> {
    let Some(kv) = binding(env) else { return Ok(false) };
    let options = options(&[("expirationTtl", CACHED_S.into())])?;
    ask(&kv, "put", &[&cached(key).into(), &text.into(), &options]).await.map(|_| true)
}

/// Where KV keeps a text of the strong store.
fn cached(key: &str) -> String {
    [CACHE_PREFIX, key].concat()
}

/// The data centre's cache.
fn near() -> Result<JsValue, StoreFailed> {
    let caches =
        Reflect::get(&js_sys::global(), &"caches".into()).ok().filter(JsValue::is_object).ok_or(StoreFailed)?;
    Reflect::get(&caches, &"default".into()).ok().filter(JsValue::is_object).ok_or(StoreFailed)
}

fn options(pairs: &[(&str, JsValue)]) -> Result<JsValue, StoreFailed> {
    let options = Object::new();
    for (name, value) in pairs {
        Reflect::set(&options, &(*name).into(), value).map_err(|_| StoreFailed)?;
    }
    Ok(options.into())
}

/// Calls a method that gives a promise, and awaits it.
async fn ask(object: &JsValue, method: &str, arguments: &[&JsValue]) -> Result<JsValue, StoreFailed> {
    let promise = call(object, method, arguments).map_err(|_| StoreFailed)?;
    settled(promise).await.map_err(|_| StoreFailed)
}
