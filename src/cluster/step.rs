//! What a host says of an operation, and what it is told to do.

use super::RouteId;
use crate::clock::{Instant, Millis};
use crate::error::Code;
use crate::outcome::Judgement;

/// What an operation wants besides being run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Endpoints that it may go to, bit `i` for the i-th.
    pub allowed: u32,
    /// Endpoints that are near by, which come first.
    pub near: u32,
    /// A read must see this index of the log; 0 for any.
    pub floor: u64,
    /// `false`: this operation has one target.
    pub fails_over: bool,
}

impl Wish {
    /// Anywhere.
    pub const ANY: Self = Self { allowed: u32::MAX, near: 0, floor: 0, fails_over: true };
}

/// How a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did what was asked.
    Answered,
    /// Its caller went away, or gave a transaction's lease back. Says nothing about anybody.
    Left,
    /// It failed.
    Failed(Judgement),
    /// A policy refused it, and nothing was sent.
    Refused {
        /// Why.
        code: Code,
        /// When asking again can help; [`Instant::NEVER`] if no time can be named.
        retry_at: Instant,
    },
}

/// How a route ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RouteEnding {
    /// Hand on what the last target gave.
    AsReported = 0,
    /// Every target that there was has failed.
    Exhausted = 1,
    /// The time for all targets is over.
    Late = 2,
}

/// What the host does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run it at this endpoint; then [`Cluster::report`].
    Target {
        /// Whose.
        route: RouteId,
        /// Where.
        endpoint: usize,
        /// Its deadline there; `None` for what it has anyway.
        timeout_ms: Option<Millis>,
        /// Whether no healthy endpoint is left after it: only then is time well spent on trying again at the same one.
        is_last: bool,
    },
    /// Give up; nothing was sent. The route has ended.
    Refuse(Code),
    /// The route has ended.
    Done {
        /// How.
        ending: RouteEnding,
        /// Endpoints that it was given.
        targets: u32,
        /// The soonest time at which an open circuit said that asking again can help; [`Instant::NEVER`] for none.
        retry_at: Instant,
        /// Milliseconds that all of them might take together.
        time_ms: Millis,
    },
}
