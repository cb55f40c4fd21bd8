//! What a circuit can be, and why it changes.

/// What the circuit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Works.
    Closed = 0,
    /// Probes.
    HalfOpen = 1,
    /// Refuses.
    Open = 2,
}

impl State {
    /// The name in status documents and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::HalfOpen => "HALF_OPEN",
            Self::Open => "OPEN",
        }
    }
}

/// Why the state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The count of failures in the window.
    FailureCount,
    /// The share of failures in the window.
    FailureRatio,
    /// The share of slow calls in the window.
    SlowRatio,
    /// Failures in a row.
    Consecutive,
    /// The open time had passed.
    Elapsed,
    /// A probe failed.
    ProbeFailed,
    /// Enough probes succeeded.
    Recovered,
    /// An operator's hand.
    Forced,
    /// An operator's reset.
    Reset,
    /// What other isolates learnt.
    Advice,
    /// A health check failed.
    HealthCheck,
}

/// Every reason, in the order of its number.
pub const CHANGES: [Change; 11] = [
    Change::FailureCount,
    Change::FailureRatio,
    Change::SlowRatio,
    Change::Consecutive,
    Change::Elapsed,
    Change::ProbeFailed,
    Change::Recovered,
    Change::Forced,
    Change::Reset,
    Change::Advice,
    Change::HealthCheck,
];

impl Change {
    /// The name used outside Rust.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailureCount => "failure_count",
            Self::FailureRatio => "failure_ratio",
            Self::SlowRatio => "slow_ratio",
            Self::Consecutive => "consecutive_failures",
            Self::Elapsed => "open_time_elapsed",
            Self::ProbeFailed => "probe_failed",
            Self::Recovered => "recovered",
            Self::Forced => "forced",
            Self::Reset => "reset",
            Self::Advice => "shared_state",
            Self::HealthCheck => "health_check_failed",
        }
    }
}
