//! The fleet simulator's laws: what holds in a running fleet, whatever goes wrong.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, reason = "the report in report.rs uses the rest")]

mod fleet;
mod goals;
mod invariants;
mod kept;
mod model;
mod overload;
mod repeat;
