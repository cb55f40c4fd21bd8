//! What guessing costs us: with a limit of 20 a minute, as an example, twenty wrong tokens are looked up, and then one every three seconds.
//!
//! There is one bucket for each isolate, whoever asks: what a request says of its sender can be made up. A credential takes
//! from the bucket before it is looked at, so that many at once are counted as well, and gives back if it was right. Those
//! that were right a short time ago take nothing, so that a flood of wrong ones does not shut them out.

use crate::clock::{Instant, Millis};
use crate::policy::rate::{Rate, RateConfig};

/// Credentials that are remembered to have been right.
const RIGHT_MAX: usize = 32;
/// They are remembered for so long, in milliseconds.
const RIGHT_MS: Millis = 600_000;

/// The bucket, and who need not take from it.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    failures: Rate,
    right: Vec<([u8; 32], Instant)>,
}

/// What a credential took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken(bool);

impl Guard {
    /// Takes for a credential with that digest, at `per_minute` failures a minute.
    ///
    /// # Errors
    ///
    /// When there is nothing left: in how many milliseconds there is.
    pub fn take(&mut self, digest: Option<&[u8; 32]>, per_minute: u32, now: Instant) -> Result<Taken, Millis> {
        let is_right =
            |(right, at): &([u8; 32], Instant)| Some(right) == digest && *at <= now && now.since(*at) < RIGHT_MS;
        if self.right.iter().any(is_right) {
            return Ok(Taken(false));
        }
        self.failures.reconfigure(RateConfig::per_second(f64::from(per_minute) / 60.0, per_minute));
        self.failures.decide(now).map_err(|at| at.since(now).max(1))?;
        Ok(Taken(true))
    }

    /// The credential was right: gives back what it took.
    pub fn give_back(&mut self, digest: &[u8; 32], taken: Taken, per_minute: u32, now: Instant) {
        if taken.0 {
            let interval_ms = 60_000 / u64::from(per_minute.max(1));
            self.failures.restore(Instant(self.failures.due().0.saturating_sub(interval_ms)));
        }
        self.forget(digest);
        if self.right.len() >= RIGHT_MAX {
            self.right.remove(0);
        }
        self.right.push((*digest, now));
    }

    /// The credential is wrong, whatever it was before.
    pub fn forget(&mut self, digest: &[u8; 32]) {
        self.right.retain(|(right, _)| right != digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_704_067_200_000);

    /// H030: twenty wrong ones at once, then one every three seconds, whoever sends them
    #[test]
    fn guessing_is_bounded() {
        let mut guard = Guard::default();
        let mut wrong = |now| guard.take(Some(&[1; 32]), 20, now).map(drop);
        assert!((0..20).all(|_| wrong(NOW).is_ok()));
        assert_eq!(wrong(NOW), Err(3_000));
        assert_eq!(wrong(NOW.plus(2_999)), Err(1));
        assert_eq!(wrong(NOW.plus(3_000)), Ok(()));
        assert!(wrong(NOW.plus(3_000)).is_err());
    }

    #[test]
    fn who_is_right_pays_nothing() {
        let mut guard = Guard::default();
        for number in 0..100 {
            let digest = [number; 32];
            let taken = guard.take(Some(&digest), 20, NOW).unwrap();
            guard.give_back(&digest, taken, 20, NOW);
        }
        assert_eq!(guard.right.len(), RIGHT_MAX);
        while guard.take(None, 20, NOW).is_ok() {}
        assert_eq!(guard.take(Some(&[99; 32]), 20, NOW), Ok(Taken(false)), "it was right a moment ago");
        assert!(guard.take(Some(&[7; 32]), 20, NOW).is_err());
        guard.forget(&[98; 32]);
        assert!(guard.take(Some(&[98; 32]), 20, NOW).is_err(), "it was revoked since");
        assert!(guard.take(Some(&[99; 32]), 20, NOW.plus(RIGHT_MS)).is_ok(), "the bucket is full again");
    }
}
