//! A token bucket: so many operations a second, and so many at once after a pause.
//!
//! The generic cell rate algorithm in its form of virtual scheduling (ITU-T I.371, annex A; ATM Forum TM 4.0, section 4.4.2):
//! one point in time, the theoretical arrival time `t` of the next operation, is all that is kept. With `T` as the time between
//! two operations and `τ = (burst − 1) · T`:
//!
//! ```text
//! now < t − τ      refused; asking again helps at t − τ
//! else             admitted; t = max(t, now) + T
//! ```
//!
//! That is a bucket of `burst` tokens which gains one every `T`. It needs no timer, and a tenant that is put aside leaves
//! eight bytes. With 10 a second and a burst of 5, five pass at once, and the sixth 100 ms later.

use crate::clock::Instant;

const MICROS: u64 = 1_000;

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateConfig {
    /// Time between two operations in the long run, in microseconds; 0 for no limit.
    pub interval_us: u64,
    /// Operations at once after a pause; 0 counts as 1.
    pub burst: u32,
}

impl RateConfig {
    /// From operations a second, where 0 is no limit; a burst of 0 is what comes in one second, and at least 1.
    #[must_use]
    pub fn per_second(rate: f64, burst: u32) -> Self {
        if rate <= 0.0 {
            return Self::default();
        }
        let burst = if burst > 0 { burst } else { rate as u32 };
        Self { interval_us: ((1e6 / rate) as u64).max(1), burst: burst.max(1) }
    }

    /// How much earlier than due an operation may come, in microseconds.
    const fn tolerance_us(&self) -> u64 {
        self.interval_us.saturating_mul(self.burst.saturating_sub(1) as u64)
    }
}

/// The bucket of one tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    config: RateConfig,
    /// When the next operation is due, in microseconds since the epoch.
    due_us: u64,
}

impl Rate {
    /// A full bucket.
    #[must_use]
    pub const fn new(config: RateConfig) -> Self {
        Self { config, due_us: 0 }
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// When there is none: the time at which there is one, to the millisecond above. Nothing is taken then.
    pub fn decide(&mut self, now: Instant) -> Result<(), Instant> {
        if self.config.interval_us == 0 {
            return Ok(());
        }
        let now_us = now.0.saturating_mul(MICROS);
        // A clock that stepped back owes no longer pause than the emptiest bucket does.
        let emptiest_us = now_us.saturating_add(self.config.tolerance_us()).saturating_add(self.config.interval_us);
        self.due_us = self.due_us.min(emptiest_us);
        let opens_us = self.due_us.saturating_sub(self.config.tolerance_us());
        if now_us < opens_us {
            return Err(Instant(opens_us.div_ceil(MICROS)));
        }
        self.due_us = self.due_us.max(now_us).saturating_add(self.config.interval_us);
        Ok(())
    }

    /// When the next operation is due: all that is to be kept of a bucket. In the past, the bucket is full.
    #[must_use]
    pub const fn due(&self) -> Instant {
        Instant(self.due_us.div_ceil(MICROS))
    }

    /// Goes on from what [`Rate::due`] said.
    pub const fn restore(&mut self, due: Instant) {
        self.due_us = due.0.saturating_mul(MICROS);
    }

    /// Takes other settings. What was used stays used.
    pub const fn reconfigure(&mut self, config: RateConfig) {
        self.config = config;
    }

    /// Whether there is a limit.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.config.interval_us > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(1_000_000);

    fn admitted(rate: &mut Rate, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| rate.decide(now).is_ok()).count()
    }

    /// TIER-10: a bucket lets a burst through, then its rate, and says when asking again helps
    #[test]
    fn a_burst_passes_and_then_one_for_each_interval() {
        let mut rate = Rate::new(RateConfig::per_second(10.0, 5));
        assert_eq!(admitted(&mut rate, 20, START), 5);
        assert_eq!(rate.decide(START), Err(START.plus(100)));
        assert_eq!(rate.decide(START.plus(99)), Err(START.plus(100)));
        assert_eq!(admitted(&mut rate, 20, START.plus(100)), 1);
        assert_eq!(admitted(&mut rate, 20, START.plus(350)), 2);
        assert_eq!(admitted(&mut rate, 20, START.plus(100_000)), 5, "a pause fills no more than the burst");
    }

    #[test]
    fn rates_below_one_a_second_and_without_a_burst_work() {
        let mut slow = Rate::new(RateConfig::per_second(0.1, 0));
        assert_eq!(admitted(&mut slow, 3, START), 1);
        assert_eq!(slow.decide(START), Err(START.plus(10_000)));
        let mut second = Rate::new(RateConfig::per_second(50.0, 0));
        assert_eq!(admitted(&mut second, 100, START), 50);
        assert!(!Rate::new(RateConfig::per_second(0.0, 5)).is_on());
    }

    #[test]
    fn a_clock_that_steps_back_does_not_shut_the_tenant_out() {
        let mut rate = Rate::new(RateConfig::per_second(10.0, 5));
        assert_eq!(admitted(&mut rate, 5, START.plus(3_600_000)), 5);
        assert_eq!(rate.decide(START), Err(START.plus(100)));
    }

    #[test]
    fn a_bucket_that_was_put_aside_is_as_empty_as_it_was() {
        let config = RateConfig::per_second(10.0, 5);
        let mut rate = Rate::new(config);
        assert_eq!(admitted(&mut rate, 5, START), 5);
        let mut next = Rate::new(config);
        next.restore(rate.due());
        assert_eq!(next.decide(START), Err(START.plus(100)));
        assert_eq!(admitted(&mut next, 9, START.plus(200)), 2);
    }
}
