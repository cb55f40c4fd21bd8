//! One endpoint, as its cluster knows it.

use crate::clock::Instant;
use crate::policy::stall::Stall;

/// Whether an endpoint should take operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Yes.
    Healthy = 0,
    /// It has come back, and its next failure sends it away again.
    Probation = 1,
    /// Queries pile up there, and nothing is heard of it.
    Stalled = 2,
    /// Its circuit is open.
    Refusing = 3,
    /// It failed, or was slow, too often in a row.
    Ejected = 4,
    /// It has left the cluster.
    Gone = 5,
}

/// What is known of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Whether it should take operations.
    pub health: Health,
    /// Operations that are out there, open transactions included.
    pub pending: u32,
    /// What an answer takes, leaning to the peak, in milliseconds; 0 without one.
    pub estimate_ms: f64,
    /// For an ejected one, until when; for one whose circuit is open, when it may be asked again. 0 for others.
    pub away_until: Instant,
    /// The highest index of the log that it has answered from.
    pub index: u64,
    /// Reads that it was given.
    pub reads: u64,
    /// Writes that it was given, and statements of which nobody knows what they do.
    pub writes: u64,
    /// Of both, those that it failed.
    pub failures: u64,
    /// Operations that its policies refused.
    pub refusals: u64,
    /// Operations that moved on from it to another.
    pub moved_on: u64,
    /// Times that it was ejected.
    pub ejections: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Member {
    pub(super) is_writable: bool,
    pub(super) is_gone: bool,
    pub(super) is_on_probation: bool,
    pub(super) priority: u32,
    pub(super) stall: Stall,
    /// Its circuit refuses until then; 0 when it does not.
    pub(super) refused_until: Instant,
    pub(super) index: u64,
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) failures: u64,
    pub(super) refusals: u64,
    pub(super) moved_on: u64,
    pub(super) ejections: u64,
}
