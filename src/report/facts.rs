//! What a host knows of its databases at one time: the input of every document.
//!
//! Counters, states and the uptime are this isolate's own, and counters run from its start. A host writes it as JSON where
//! it cannot hand it over as it is; what a reader does not know it skips, and what a writer leaves out is zero.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::clock::{Instant, Millis};
use crate::flags::ratio::Mismatch;
use crate::note::times::Times;
use crate::policy::connection::Connection;

/// One isolate at one time.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// When, in milliseconds since the epoch.
    pub now_ms: Millis,
    /// Milliseconds since the isolate started.
    pub uptime_ms: Millis,
    /// Memory of the wasm instance, in bytes; 0 where the host cannot tell.
    pub memory_bytes: u64,
    /// The databases, in the order in which the host was given them. The first is what the health document is about.
    pub databases: Vec<DatabaseFacts>,
    /// Tenants, which have databases of their own.
    pub tenants: Vec<TenantsFacts>,
    /// Wasm instances of this isolate that were replaced because they had trapped.
    pub wasm_restarts: Vec<RestartsFacts>,
    /// What flags of the host's own have served, since the isolate's start.
    pub flag_exposures: Vec<ExposureFacts>,
    /// Flags of the host's own whose users were not split as their rules say.
    pub flag_mismatches: Vec<Mismatch>,
}

/// How often a variant of a flag was served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExposureFacts {
    /// The key of the flag.
    pub flag: String,
    /// The name of the variant, if it has one.
    pub variant: String,
    /// How often.
    pub count: u64,
}

/// How often an instance of one wasm module was replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartsFacts {
    /// The module: `core`, `monitor`, or `worker`, which holds both.
    pub module: Cow<'static, str>,
    /// How often, since the isolate's start.
    pub count: u64,
}

/// One database.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseFacts {
    /// What its host calls it, such as `primary`.
    pub name: String,
    /// What the latest probe found; `None` before there was one.
    pub probe: Option<ProbeFacts>,
    /// Calls that have begun and not ended.
    pub operations: u32,
    /// State and counters of its policies.
    pub status: Status,
    /// What kind of database it is, such as `libsql` or `redis`.
    pub kind: String,
    /// Whether its operations are traced.
    pub is_traced: bool,
    /// Its query cache, if it has one that is used.
    pub cache: Option<CacheFacts>,
    /// Its endpoints, if it has several.
    pub cluster: Option<ClusterFacts>,
    /// How often its counters began anew, because the core that held them was replaced.
    pub generation: u32,
    /// How long things took.
    pub times: TimesFacts,
    /// Operations that their callers named; at most 100 pairs of names.
    pub operations_named: Vec<NamedFacts>,
    /// The connections of its pool.
    pub connections: Vec<ConnectionFacts>,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionFacts {
    /// Its number.
    pub id: u32,
    /// Where it is in its life, by the names of `policy::connection`.
    pub state: Cow<'static, str>,
    /// How often it was taken.
    pub uses: u64,
    /// How often it broke or lapsed.
    pub errors: u64,
}

impl ConnectionFacts {
    /// The same of a pool's.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        let (id, state) = (connection.id(), connection.state().name().into());
        Self { id, state, uses: connection.uses(), errors: connection.errors() }
    }
}

/// How long things took, as the counts of `note::times` lie in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimesFacts {
    /// Sums by row, in milliseconds.
    pub sums_ms: Vec<u64>,
    /// Counts of the rows by bucket, then of the circuit's changes, then of retries.
    pub counts: Vec<u32>,
}

impl TimesFacts {
    /// The same of an engine.
    #[must_use]
    pub fn of(times: &Times) -> Self {
        Self { sums_ms: times.sums_ms().to_vec(), counts: times.counts().to_vec() }
    }
}

/// Operations of one name on one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamedFacts {
    /// What callers called it.
    pub operation: String,
    /// The table that they named, or nothing.
    pub table: String,
    /// How many there were.
    pub calls: u64,
    /// Of those, the ones that gave no value.
    pub failures: u64,
    /// How long they took in all, in milliseconds.
    pub duration_ms: u64,
}

/// The query cache of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheFacts {
    /// Results that are kept.
    pub entries: u64,
    /// Most results that are kept.
    pub entries_max: u64,
    /// Their size by an estimate.
    pub bytes: u64,
    /// Reads that were served from memory, within the time to live.
    pub hits: u64,
    /// Reads that were served from memory beyond it.
    pub stale: u64,
    /// Reads that had to wait for the database.
    pub misses: u64,
    /// Results that made room for others.
    pub evictions: u64,
}

/// Several databases behind one client.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterFacts {
    /// How reads are spread; `off` when they are not.
    pub strategy: String,
    /// Whether an operation moves on to another endpoint.
    pub does_fail_over: bool,
    /// Each of them.
    pub endpoints: Vec<EndpointFacts>,
}

/// One database of a cluster.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointFacts {
    /// Its name in the cluster.
    pub name: String,
    /// `primary` or `replica`.
    pub role: String,
    /// `healthy`, `probation`, `stalled`, `refusing` or `ejected`.
    pub state: String,
    /// `CLOSED`, `HALF_OPEN` or `OPEN`.
    pub breaker: String,
    /// Operations that are out there.
    pub pending: u32,
    /// What an answer takes, in milliseconds; 0 before the first.
    pub latency_ms: f64,
    /// Reads that it was given.
    pub reads: u64,
    /// Writes that it was given.
    pub writes: u64,
    /// Operations that failed there.
    pub failures: u64,
    /// Operations that moved on from it to another.
    pub failovers: u64,
    /// How often it was ejected.
    pub ejections: u64,
}

/// Tenants with databases of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TenantsFacts {
    /// What their host calls them all.
    pub name: String,
    /// Tenants that are open.
    pub live: u64,
    /// Tenants that are put aside and of which something is kept.
    pub residues: u64,
    /// How often a tenant was put aside.
    pub evicted: u64,
}

/// The latest probe of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeFacts {
    /// Whether it was answered.
    pub is_connected: bool,
    /// When it ended, in milliseconds since the epoch.
    pub at_ms: Millis,
    /// How long it took, in milliseconds.
    pub duration_ms: Millis,
}

impl Facts {
    /// When.
    #[must_use]
    pub const fn now(&self) -> Instant {
        Instant(self.now_ms)
    }
}
