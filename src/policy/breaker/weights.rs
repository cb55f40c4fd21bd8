//! How much a failure of each class counts.
//!
//! With `rate_limited = 50`, two HTTP 429 count as one failure; with 0 they are not counted at all.

use crate::outcome::Outcome;

/// One failure, in the hundredths that failures are counted in.
pub const WHOLE: u16 = 100;

/// Weights in hundredths of a failure, by class; 0 leaves the class out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Nothing came back in time.
    pub timeout: u16,
    /// No connection, or a lost one.
    pub network: u16,
    /// HTTP 5xx, or a fault of the storage.
    pub server_error: u16,
    /// HTTP 429.
    pub rate_limited: u16,
    /// An answer that was not the protocol.
    pub bad_response: u16,
    /// Whether a 429 counts in the window only: it neither lengthens nor ends a row of failures.
    pub is_rate_limited_soft: bool,
}

impl Weights {
    /// Every class counts as one failure.
    pub const EQUAL: Self = Self {
        timeout: WHOLE,
        network: WHOLE,
        server_error: WHOLE,
        rate_limited: WHOLE,
        bad_response: WHOLE,
        is_rate_limited_soft: false,
    };

    /// The weight of an outcome that is a failure.
    pub(super) const fn of(&self, outcome: Outcome) -> Weight {
        let hundredths = match outcome {
            Outcome::Timeout => self.timeout,
            Outcome::Network => self.network,
            Outcome::ServerError => self.server_error,
            Outcome::RateLimited => self.rate_limited,
            Outcome::BadResponse => self.bad_response,
            _ => WHOLE,
        };
        Weight { hundredths, is_soft: self.is_rate_limited_soft && matches!(outcome, Outcome::RateLimited) }
    }
}

/// How much one result counts as a failure; 0 for a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) hundredths: u16,
    /// Counts in the window, not in the row.
    pub(super) is_soft: bool,
}

impl Weight {
    pub(super) const NONE: Self = Self { hundredths: 0, is_soft: false };
    pub(super) const WHOLE: Self = Self { hundredths: WHOLE, is_soft: false };
}
