//! Behaviour: what the public API promises, one file per behaviour, on a hand-set clock.
//!
//! A test's doc comment names the entries of the feature list that it proves.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod breaker;
mod breaker_rules;
mod cluster;
mod counts;
mod deadline;
mod fleet;
mod hedge;
mod host;
mod pool;
mod pool_upkeep;
mod retry;
mod settings;
mod sharing;
mod states;
mod variables;
