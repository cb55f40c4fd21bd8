//! What a host knows of its databases at one time: the input of every document.
//!
//! Counters are this isolate's own and run from its start. A host writes it as JSON where it cannot hand it over as it is;
//! what a reader does not know it skips, and what a writer leaves out is zero.

use serde::{Deserialize, Serialize};

use super::status::Status;
use crate::clock::{Instant, Millis};

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
