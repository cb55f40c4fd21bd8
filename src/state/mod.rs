//! What survives between invocations. Nothing else is ever persisted.
//!
//! A snapshot is a **hint**: what isolates learnt, merged in any order. Losing or repeating a write is harmless,
//! and a store that throws, is slow, is stale or holds garbage changes nothing but the hint.

pub mod codec;
pub mod fleet;
pub mod merge;
pub mod recorder;
pub mod schema;
pub mod sketch;
pub mod sync;
