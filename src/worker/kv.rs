//! The shared snapshot in Workers KV, and near by in the data centre's cache. A store that throws, hangs or lies delays
//! and fails nothing: it is counted.
//!
//! Twin of `js/src/store/workers-kv.ts` and `cache-api.ts`: keys, addresses and headers are the same, so that this Worker
//! and the npm package tell each other what they learn.

use worker::js_sys::{self, Reflect};
use worker::kv::KvStore;
use worker::{Cache, Env, Request, ResponseBuilder};

use super::clock;
use crate::clock::Instant;

/// Name of the binding; without it each isolate learns for itself.
const BINDING: &str = "SEAWALL_KV";
/// As the npm package's prefix, so that both share what they learn.
const PREFIX: &str = "seawall/v1/";
/// The edge may answer from its own copy for this long, in seconds: KV's lower bound.
const CACHE_TTL_S: u64 = 30;
/// A hint that nobody renewed is forgotten after this, in seconds.
const TTL_S: u64 = 3_600;
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

/// Whether there is a store at all.
pub(super) fn is_bound(env: &Env) -> bool {
    env.kv(BINDING).is_ok()
}

/// Where one database's snapshot is kept.
pub(super) struct Store {
    kv: KvStore,
    key: String,
}

impl Store {
    /// The store that the Worker is bound to, if it is. Isolates of one data centre share one key.
    pub(super) fn bound(env: &Env, database: &str, colo: Option<&str>) -> Option<Self> {
        let kv = env.kv(BINDING).ok()?;
        let place = colo.map(|colo| format!("/{colo}")).unwrap_or_default();
        Some(Self { kv, key: format!("{PREFIX}{database}{place}") })
    }

    /// The text that is kept, if any. It may be old.
    pub(super) async fn read(&self) -> Result<Option<String>, StoreFailed> {
        self.kv.get(&self.key).cache_ttl(CACHE_TTL_S).text().await.map_err(|_| StoreFailed)
    }

    /// Keeps `text`. KV takes one write a second for each key.
    pub(super) async fn write(&self, text: &str) -> Result<(), StoreFailed> {
        let put = self.kv.put(&self.key, text).map_err(|_| StoreFailed)?;
        put.expiration_ttl(TTL_S).execute().await.map_err(|_| StoreFailed)
    }

    /// The text that is kept near by, if any. It may have been forgotten at any time.
    pub(super) async fn read_near(&self) -> Result<Option<String>, StoreFailed> {
        let found = Cache::default().get(self.near_address(), false).await.map_err(|_| StoreFailed)?;
        let Some(mut kept) = found else { return Ok(None) };
        let until = kept.headers().get(NEAR_UNTIL).ok().flatten().and_then(|until| until.parse().ok());
        let is_kept = until.and_then(Instant::from_host).is_some_and(|until| clock::now() < until);
        if is_kept { kept.text().await.map(Some).map_err(|_| StoreFailed) } else { Ok(None) }
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
        Cache::default().put(self.near_address(), response).await.map_err(|_| StoreFailed)
    }

    fn near_address(&self) -> String {
        format!("{NEAR_ORIGIN}/{}", String::from(js_sys::encode_uri_component(&self.key)))
    }
}
