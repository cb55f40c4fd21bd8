//! The shared snapshot in Workers KV. A store that throws, hangs or lies delays and fails nothing: it is counted.

use worker::Env;
use worker::kv::KvStore;

/// Name of the binding; without it each isolate learns for itself.
const BINDING: &str = "SEAWALL_KV";
/// As the npm package's prefix, so that both share what they learn.
const PREFIX: &str = "seawall/v1/";
/// The edge may answer from its own copy for this long, in seconds: KV's lower bound.
const CACHE_TTL_S: u64 = 30;
/// A hint that nobody renewed is forgotten after this, in seconds.
const TTL_S: u64 = 3_600;

/// Why the store did not do its part: nobody needs to know more.
#[derive(Debug)]
pub(super) struct StoreFailed;

/// Where one database's snapshot is kept.
pub(super) struct Store {
    kv: KvStore,
    key: String,
}

impl Store {
    /// The store that the Worker is bound to, if it is.
    pub(super) fn bound(env: &Env, database: &str) -> Option<Self> {
        let kv = env.kv(BINDING).ok()?;
        Some(Self { kv, key: format!("{PREFIX}{database}") })
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
}
