//! Regular checks: asks every so often how all databases are, so that an outage is known before somebody asks.
//!
//! Where a host has timers, they begin it; where it has none, as on Workers, it is done after the next request that comes
//! when it is due.

use crate::clock::{Instant, Millis};
use crate::http::exchange::{Cx, Next, Question};

/// When the next check is due.
#[derive(Debug, Default)]
pub(super) struct Checks {
    last: Option<Instant>,
}

impl Checks {
    /// Takes the check on, if it is due at `now`. A clock that stepped back makes it due.
    fn claim(&mut self, interval_ms: Millis, now: Instant) -> bool {
        let is_young = self.last.is_some_and(|last| last <= now && now.since(last) < interval_ms);
        if !is_young {
            self.last = Some(now);
        }
        !is_young
    }
}

/// Has all databases probed, if `check_interval_ms` has passed since the last time.
pub(super) fn begin(cx: &mut Cx<'_>) -> Next {
    let Some(interval_ms) = cx.monitor.settings.check_interval_ms else { return Next::Done };
    if !cx.monitor.checks.claim(interval_ms, cx.now) {
        return Next::Done;
    }
    // A probe that somebody asked for since then is as good, but for the last bit, in which timers may jitter.
    Next::ask(Question::AllFacts { probe_age_max_ms: interval_ms / 2 }, |_, _| Next::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::{Monitor, Settings};

    fn asks(monitor: &mut Monitor, now: u64) -> bool {
        matches!(begin(&mut Cx { monitor, now: Instant(now), random: 0 }), Next::Ask(Question::AllFacts { .. }, _))
    }

    #[test]
    fn they_are_regular_whatever_the_traffic() {
        let settings = Settings { check_interval_ms: Some(15_000), ..Settings::default() };
        let mut monitor = Monitor::new(settings);
        let asked = (1_000..61_000).step_by(100).filter(|now| asks(&mut monitor, *now)).count();
        assert_eq!(asked, 4);
        assert!(asks(&mut monitor, 10), "a clock that stepped back");
    }

    #[test]
    fn nobody_wants_them_unless_they_say_so() {
        let mut monitor = Monitor::default();
        assert!(!asks(&mut monitor, 1_000_000));
    }
}
