//! What the host must do next.

use crate::clock::{Instant, Millis};
use crate::error::Code;

/// Names one running call. An id of a call that has ended is recognised and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(u32);

/// Calls that one engine runs at once.
pub const CALLS_MAX: usize = 1 << 14;

impl CallId {
    const INDEX_BITS: u32 = 14;
    const AGE_BITS: u32 = 12;
    /// Bits of an id as a number; three more for the step fit into 32.
    pub const BITS: u32 = Self::INDEX_BITS + Self::AGE_BITS;

    pub(super) const fn new(index: usize, age: u32) -> Self {
        Self(index as u32 | (age & ((1 << Self::AGE_BITS) - 1)) << Self::INDEX_BITS)
    }

    pub(super) const fn index(self) -> usize {
        (self.0 & ((1 << Self::INDEX_BITS) - 1)) as usize
    }

    /// The id as a number for the host.
    #[must_use]
    pub const fn to_number(self) -> u32 {
        self.0
    }

    /// The id that a host was given.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wait {
    /// A lease. The host may be told sooner than `until`.
    Lease = 1,
    /// The delay before the next attempt.
    Backoff = 2,
}

/// How a call ended that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// Hand on what the last attempt gave: its result, or its own error unchanged.
    AsReported = 0,
    /// A write was sent and its answer was lost.
    OutcomeUnknown = 1,
    /// The last attempt outlived the deadline.
    DeadlineExceeded = 2,
    /// Attempts, budget or time were used up after more than one attempt.
    RetriesExhausted = 3,
}

/// The one thing that the host does next. Carry it out, read the clock, then report or wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the request; then [`Engine::report`](super::Engine::report).
    Attempt {
        /// Whose.
        call: CallId,
        /// Abort it after so long; 0 means no limit.
        timeout_ms: Millis,
        /// Report [`Engine::renew`](super::Engine::renew) this often while it runs.
        renew_ms: Millis,
        /// Ask [`Engine::hedge`](super::Engine::hedge) for a second leg after so long; 0 for never.
        hedge_ms: Millis,
    },
    /// Check the connection that the call is to use; then [`Engine::checked`](super::Engine::checked). Only for hosts
    /// that said that they can.
    Check {
        /// Whose.
        call: CallId,
        /// A check that takes longer has failed, in milliseconds.
        timeout_ms: Millis,
    },
    /// Wait beside a timer of the caller's own request; then [`Engine::wake`](super::Engine::wake).
    Wait {
        /// Whose.
        call: CallId,
        /// Until when.
        until: Instant,
        /// For what.
        what: Wait,
    },
    /// Give up without another attempt. The call has ended.
    Refuse {
        /// Why.
        code: Code,
        /// When asking again can help; [`Instant::NEVER`] if no time can be named.
        retry_at: Instant,
        /// Attempts made before; 0 means that nothing was sent.
        attempts: u32,
    },
    /// The call has ended.
    Done {
        /// How.
        ending: Ending,
        /// Attempts made.
        attempts: u32,
    },
}
