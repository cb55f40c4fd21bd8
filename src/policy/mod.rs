//! The rules, one per file. A policy never calls another policy; the engine asks them in order.
//!
//! Each has the same verbs: `decide` before an attempt, `observe` after it, `reconfigure` while it runs. A
//! [`Cx`] carries what they may use of the world.

pub mod backoff;
pub mod balance;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod cache;
pub mod changes;
pub mod connection;
pub mod deadline;
pub mod hedge;
pub mod lease;
pub mod limit;
pub mod outlier;
pub mod rate;
pub mod read_through;
pub mod resources;
pub mod retry;
pub mod single_flight;
pub mod stall;
pub mod suspicion;
pub mod throttle;
pub mod tier;
pub mod window;

use crate::clock::Instant;
use crate::note::Notes;
use crate::rng::SplitMix;

/// What a policy may use of the world: the time, chance, and a place for what is worth counting.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time of this call, as the host read it.
    pub now: Instant,
    /// Chance, for jitter.
    pub rng: &'a mut SplitMix,
    /// Where noteworthy things go.
    pub notes: &'a mut Notes,
}
