//! Seawall: what stands between short-lived isolates and a database.
//!
//! Pure rooms decide: values in, values out, no clock, chance, network, `async` or JavaScript. Shell rooms
//! (`bindings`, `monitor_bindings`, `flag_bindings`, `worker`) read the clock, call, store, and decide nothing. `ARCHITECTURE.md` is the map.

#[cfg(any(
    all(feature = "bindings", feature = "worker"),
    all(feature = "monitor", feature = "worker"),
    all(feature = "bindings", feature = "monitor"),
    all(feature = "flags", any(feature = "bindings", feature = "monitor", feature = "worker")),
    all(feature = "flag-tools", any(feature = "bindings", feature = "monitor", feature = "worker", feature = "flags")),
))]
compile_error!(
    "features `bindings`, `monitor`, `flags`, `flag-tools` and `worker` exclude each other: together, every export for npm becomes \
     a public RPC method of the Worker, and the npm core carries what only operators need"
);

pub mod access;
pub mod alerts;
pub mod audit;
#[cfg(feature = "bindings")]
pub mod bindings;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod engine;
pub mod error;
#[cfg(any(feature = "flags", feature = "flag-tools"))]
pub mod flag_bindings;
pub mod flags;
pub mod hrana;
pub mod http;
pub mod metrics;
pub mod monitor;
#[cfg(feature = "monitor")]
pub mod monitor_bindings;
pub mod note;
pub mod orders;
pub mod outcome;
pub mod policy;
pub mod query;
pub mod records;
pub mod report;
pub mod rng;
pub mod rollout;
pub mod state;
pub mod telemetry;
pub mod worker;
