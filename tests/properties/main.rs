//! Laws: what must hold for every input, not only for the ones that we thought of.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod addresses;
mod admin;
mod balance;
mod breaker;
mod bulkhead;
mod cache;
mod cluster;
mod engine;
mod flags;
mod fleet;
mod hrana;
mod limit;
mod merge;
mod metrics;
mod orders;
mod outlier;
mod rate;
mod resources;
mod rollout;
mod single_flight;
mod statement;
mod suspicion;
mod swaps;
mod waiting;
mod window;
