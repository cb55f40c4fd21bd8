//! When to ask the database whether it is there: at most once a second, whatever the traffic.
//!
//! A burst of 1,000 health checks sends one probe. One request carries it out; the others are told what the last one
//! found, or, before there was any, to look again in a moment on timers of their own. A probe that never comes back,
//! because its request was cancelled, is given up after its deadline.

use crate::clock::{Instant, Millis};

/// Time for which the last result stands, in milliseconds.
pub const INTERVAL_MS: Millis = 1_000;
/// How often a request without any result looks again, in milliseconds.
const LOOK_AGAIN_MS: Millis = 5;

/// What a request that wants to know does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// Send one, then tell [`Probe::ended`].
    Send,
    /// Use this result.
    Known {
        /// Whether the database answered.
        is_connected: bool,
    },
    /// Ask again after so many milliseconds.
    LookAgain(Millis),
}

/// The last probe and the one under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probe {
    last: Option<(Instant, bool)>,
    running_until: Option<Instant>,
}

impl Probe {
    /// Says what to do at `now`. [`ProbeAnswer::Send`] claims the probe until it ended, or for `limit_ms`.
    ///
    /// `interval_ms` is the age from which the last result is too old; a clock that stepped back makes none too old.
    pub fn decide(&mut self, interval_ms: Millis, limit_ms: Millis, now: Instant) -> ProbeAnswer {
        let known = self.last.map(|(_, is_connected)| ProbeAnswer::Known { is_connected });
        let is_fresh = self.last.is_some_and(|(at, _)| now.since(at) < interval_ms);
        let is_running = self.running_until.is_some_and(|until| now < until);
        match known {
            Some(known) if is_fresh || is_running => known,
            None if is_running => ProbeAnswer::LookAgain(LOOK_AGAIN_MS),
            _ => {
                self.running_until = Some(now.plus(limit_ms));
                ProbeAnswer::Send
            }
        }
    }

    /// Takes in what a probe found.
    pub const fn ended(&mut self, is_connected: bool, now: Instant) {
        self.last = Some((now, is_connected));
        self.running_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_MS: Millis = 3_000;

    fn decide(probe: &mut Probe, now: u64) -> ProbeAnswer {
        probe.decide(INTERVAL_MS, LIMIT_MS, Instant(now))
    }

    #[test]
    fn a_burst_sends_one_probe() {
        let mut probe = Probe::default();
        assert_eq!(decide(&mut probe, 0), ProbeAnswer::Send);
        assert_eq!(decide(&mut probe, 1), ProbeAnswer::LookAgain(5));
        probe.ended(true, Instant(20));
        let sent = (20..5_020).filter(|now| {
            let is_sent = decide(&mut probe, *now) == ProbeAnswer::Send;
            if is_sent {
                probe.ended(true, Instant(*now));
            }
            is_sent
        });
        assert_eq!(sent.count(), 4);
    }

    #[test]
    fn the_last_result_serves_while_the_next_is_awaited() {
        let mut probe = Probe::default();
        probe.ended(false, Instant(0));
        assert_eq!(decide(&mut probe, 1_000), ProbeAnswer::Send);
        assert_eq!(decide(&mut probe, 1_001), ProbeAnswer::Known { is_connected: false });
    }

    #[test]
    fn a_probe_that_never_came_back_is_sent_anew() {
        let mut probe = Probe::default();
        assert_eq!(decide(&mut probe, 0), ProbeAnswer::Send);
        assert_eq!(decide(&mut probe, LIMIT_MS - 1), ProbeAnswer::LookAgain(5));
        assert_eq!(decide(&mut probe, LIMIT_MS), ProbeAnswer::Send);
    }
}
