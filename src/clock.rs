//! Points in time and their differences, in whole milliseconds. Never reads a clock.
//!
//! The host passes `now` into every call. Its clock may stand still between two reads (Workers move it only
//! after I/O), leap, or step back; a difference therefore saturates at zero instead of going negative.

/// A length of time in milliseconds.
pub type Millis = u64;

/// A length of time for reckoning with fractions.
///
/// By way of a signed number, as which lengths that clocks can tell are the same: the processor converts those at once,
/// and takes 3 ns for unsigned ones.
#[must_use]
#[inline]
pub const fn to_fraction(ms: Millis) -> f64 {
    if ms > i64::MAX as u64 { i64::MAX as f64 } else { ms.cast_signed() as f64 }
}

/// A point in time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub Millis);

impl Instant {
    /// A point that no clock reaches: "never".
    pub const NEVER: Self = Self(Millis::MAX);

    /// Milliseconds from `earlier` to `self`; zero when the clock stepped back.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        self.0.saturating_sub(earlier.0)
    }

    /// The point `ms` later, at most [`Instant::NEVER`].
    #[must_use]
    pub const fn plus(self, ms: Millis) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Whole seconds since the epoch, at most `u32::MAX`.
    #[must_use]
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 / 1_000).unwrap_or(u32::MAX)
    }

    /// Reads a host's millisecond count, as `Date.now()` gives it.
    ///
    /// `None` unless it is a finite number from 0 up to 2^53. A fraction of a millisecond is dropped.
    #[must_use]
    pub fn from_host(ms: f64) -> Option<Self> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        if (0.0..=EXACT_MAX).contains(&ms) { Some(Self(ms as Millis)) } else { None }
    }

    /// The millisecond count for the host; infinity for [`Instant::NEVER`].
    #[must_use]
    pub fn to_host(self) -> f64 {
        if self == Self::NEVER { f64::INFINITY } else { self.0 as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stepped_back_gives_zero() {
        assert_eq!(Instant(5).since(Instant(9)), 0);
    }

    #[test]
    fn only_whole_points_in_time_come_in() {
        assert_eq!(Instant::from_host(1.9), Some(Instant(1)));
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(Instant::from_host(bad), None, "{bad}");
        }
    }

    #[test]
    fn never_is_not_passed_by_adding() {
        assert_eq!(Instant::NEVER.plus(1), Instant::NEVER);
        assert!(Instant::NEVER.to_host().is_infinite());
    }
}
