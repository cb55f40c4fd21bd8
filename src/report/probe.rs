//! When to ask the database whether it is there: at most once a second, whatever the traffic.
//!
//! A burst of 1,000 health checks sends one probe. One request carries it out; the others are told what the last one
//! found, or, before there was any, to look again in a moment on timers of their own. A probe that never comes back,
//! because its request was cancelled, is given up after its deadline.

use std::collections::BTreeMap;

use super::facts::ProbeFacts;
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
    /// [`Probe::found`] is young enough.
    Known,
    /// Ask again after so many milliseconds.
    LookAgain(Millis),
}

/// The last probe and the one under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probe {
    last: Option<ProbeFacts>,
    /// When the one under way began, and when it is given up.
    running: Option<(Instant, Instant)>,
}

impl Probe {
    /// Says what to do at `now`. [`ProbeAnswer::Send`] claims the probe until it ended, or for `limit_ms`.
    ///
    /// `interval_ms` is the age from which the last result is too old; a clock that stepped back makes none too old.
    pub fn decide(&mut self, interval_ms: Millis, limit_ms: Millis, now: Instant) -> ProbeAnswer {
        let is_fresh = self.last.is_some_and(|last| now.since(Instant(last.at_ms)) < interval_ms);
        let is_running = self.running.is_some_and(|(_, until)| now < until);
        match self.last {
            Some(_) if is_fresh || is_running => ProbeAnswer::Known,
            None if is_running => ProbeAnswer::LookAgain(LOOK_AGAIN_MS),
            _ => {
                self.running = Some((now, now.plus(limit_ms)));
                ProbeAnswer::Send
            }
        }
    }

    /// Takes in what a probe found.
    pub fn ended(&mut self, is_connected: bool, now: Instant) {
        let duration_ms = self.running.take().map_or(0, |(began, _)| now.since(began));
        self.last = Some(ProbeFacts { is_connected, at_ms: now.0, duration_ms });
    }

    /// What the latest that ended found.
    #[must_use]
    pub const fn found(&self) -> Option<ProbeFacts> {
        self.last
    }
}

/// The probes of several databases, by their names.
#[derive(Clone, Debug, Default)]
pub struct Probes(BTreeMap<String, Probe>);

/// More names than this are no databases any more; what is beyond has no memory.
pub const PROBES_MAX: usize = 1_000;

impl Probes {
    /// The probe of this name; a new one if there is none.
    pub fn of(&mut self, name: &str) -> Option<&mut Probe> {
        if !self.0.contains_key(name) && self.0.len() < PROBES_MAX {
            self.0.insert(name.to_owned(), Probe::default());
        }
        self.0.get_mut(name)
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
        assert_eq!(decide(&mut probe, 1_001), ProbeAnswer::Known);
        assert_eq!(probe.found(), Some(ProbeFacts { is_connected: false, at_ms: 0, duration_ms: 0 }));
    }

    #[test]
    fn a_probe_that_never_came_back_is_sent_anew() {
        let mut probe = Probe::default();
        assert_eq!(decide(&mut probe, 0), ProbeAnswer::Send);
        assert_eq!(decide(&mut probe, LIMIT_MS - 1), ProbeAnswer::LookAgain(5));
        assert_eq!(decide(&mut probe, LIMIT_MS), ProbeAnswer::Send);
    }
}
