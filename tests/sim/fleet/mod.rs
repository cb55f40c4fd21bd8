//! A fleet of isolates, a database and stores, in one thread and one seeded stream of events.
//!
//! Every isolate runs the real [`Engine`](seawall::engine::Engine); everything around it is a model, whose assumptions
//! are in `docs/decisions/0011-simulator.md`. A world that is run twice gives the same digest of its events.

pub(crate) mod clock;
pub(crate) mod faults;
pub(crate) mod host;
pub(crate) mod isolate;
pub(crate) mod kv;
pub(crate) mod measure;
pub(crate) mod naive;
pub(crate) mod near;
pub(crate) mod plan;
pub(crate) mod queue;
pub(crate) mod sharing;
pub(crate) mod upstream;
pub(crate) mod watch;
pub(crate) mod world;
