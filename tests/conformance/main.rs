//! Conformance: what is generated from the core's lists is what is checked in. `UPDATE=1` writes it anew.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod flags_unleash;
mod generated;
mod plans;
mod scenarios;
mod settings;
mod spans;
mod statements;
mod steps;
mod trace_context;
