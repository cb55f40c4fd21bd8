//! Flags: who gets what, by rules and percentages that never move a user.
//!
//! `parse` reads a document and says all that is wrong with it, `compile` makes tables of it, `evaluate` decides by those,
//! without touching the heap, once a flag has its plan. `snapshot` carries tables to isolates, `explain` says why somebody gets what it gets, `moves`
//! who would get something else after a change, `import` reads the documents of others. Knows nothing of databases.

pub mod bucket;
mod check;
mod compile;
mod constant;
pub mod context;
mod date;
pub mod decision;
pub mod evaluate;
pub mod explain;
mod export;
pub mod exposure;
pub mod fault;
mod fold;
pub mod guard;
pub mod import;
pub mod layers;
pub mod model;
pub mod moves;
mod needs;
mod network;
pub mod overrides;
pub mod packed;
pub mod parse;
mod pattern;
mod plan;
pub mod ratio;
pub mod snapshot;
pub mod table;
pub mod variables;
mod version;

pub use context::{Context, Val};
pub use decision::{Decision, ErrorCode, Reason, Served, Source};
pub use evaluate::{Flags, Moment};
pub use explain::Explanation;
pub use fault::Fault;
pub use model::FlagSet;
pub use overrides::Overrides;
pub use snapshot::Refusal;
pub use table::{FlagIndex, Found, Kind, Table};
