//! Those who wait for a resource: in which order they are served, and how long each may wait.
//!
//! A queue that has not been empty for `standing_after_ms` stands: more comes than goes, and a long wait only makes
//! every answer late. A newcomer to a standing queue gets `standing_timeout_ms` instead of the full time (CoDel as in
//! "Fail at Scale", Maurer 2015), and an adaptive order then serves the newest first, because the oldest have given up
//! by the time that they would be served.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::{Instant, Millis};

/// Who is served first, among equally urgent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Who came first.
    Fifo,
    /// Who came last.
    Lifo,
    /// Who came first, or last while the queue stands.
    Adaptive,
}

/// How many may wait, how long, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingConfig {
    /// Waiters at most.
    pub waiters_max: u32,
    /// How long one may wait, in milliseconds.
    pub timeout_ms: Millis,
    /// Who is served first.
    pub order: Order,
    /// A queue that was not empty for longer than this stands, in milliseconds; [`Millis::MAX`] for never.
    pub standing_after_ms: Millis,
    /// How long one may wait who comes to a standing queue, in milliseconds.
    pub standing_timeout_ms: Millis,
}

/// Urgency first (0 is the most urgent), then the order of coming.
type Place = (u8, u64);

/// The queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    calls: BTreeMap<Place, u32>,
    places: BTreeMap<u32, (Place, Instant)>,
    deadlines: BTreeSet<(Instant, u32)>,
    next_serial: u64,
    /// When it was empty for the last time.
    empty_until: Instant,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn has(&self, call: u32) -> bool {
        self.places.contains_key(&call)
    }

    pub(super) fn push(&mut self, call: u32, urgency: u8, config: &WaitingConfig, now: Instant) {
        let timeout_ms = if self.is_standing(config, now) { config.standing_timeout_ms } else { config.timeout_ms };
        if self.calls.is_empty() {
            self.empty_until = now;
        }
        let place = (urgency, self.next_serial);
        self.next_serial += 1;
        let deadline = now.plus(timeout_ms);
        self.calls.insert(place, call);
        self.places.insert(call, (place, deadline));
        self.deadlines.insert((deadline, call));
    }

    /// Takes the one out who is to be served.
    pub(super) fn pop(&mut self, config: &WaitingConfig, now: Instant) -> Option<u32> {
        let is_newest_first = match config.order {
            Order::Fifo => false,
            Order::Lifo => true,
            Order::Adaptive => self.is_standing(config, now),
        };
        let (&(urgency, _), &first) = self.calls.first_key_value()?;
        let newest = || self.calls.range(..=(urgency, u64::MAX)).next_back().map(|(_, call)| *call);
        let call = if is_newest_first { newest()? } else { first };
        self.remove(call).then_some(call)
    }

    /// Takes one out who gave up; false when it is not there.
    pub(super) fn remove(&mut self, call: u32) -> bool {
        let Some((place, deadline)) = self.places.remove(&call) else { return false };
        self.calls.remove(&place);
        self.deadlines.remove(&(deadline, call));
        true
    }

    /// Takes one out whose time is over.
    pub(super) fn pop_late(&mut self, now: Instant) -> Option<u32> {
        let &(deadline, call) = self.deadlines.first()?;
        (deadline <= now && self.remove(call)).then_some(call)
    }

    /// When the first one's time is over.
    pub(super) fn wake_at(&self) -> Instant {
        self.deadlines.first().map_or(Instant::NEVER, |(deadline, _)| *deadline)
    }

    fn is_standing(&self, config: &WaitingConfig, now: Instant) -> bool {
        !self.calls.is_empty() && now.since(self.empty_until) > config.standing_after_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: WaitingConfig = WaitingConfig {
        waiters_max: 100,
        timeout_ms: 1_000,
        order: Order::Fifo,
        standing_after_ms: 100,
        standing_timeout_ms: 5,
    };

    fn served(config: WaitingConfig, at: u64) -> Vec<u32> {
        let mut it = Waiting::default();
        for (call, urgency) in [(1, 1), (2, 0), (3, 1), (4, 0)] {
            it.push(call, urgency, &config, Instant(0));
        }
        std::iter::from_fn(|| it.pop(&config, Instant(at))).collect()
    }

    #[test]
    fn the_urgent_go_first_then_the_order_counts() {
        assert_eq!(served(CONFIG, 500), [2, 4, 1, 3]);
        assert_eq!(served(WaitingConfig { order: Order::Lifo, ..CONFIG }, 0), [4, 2, 3, 1]);
        assert_eq!(served(WaitingConfig { order: Order::Adaptive, ..CONFIG }, 100), [2, 4, 1, 3]);
        assert_eq!(served(WaitingConfig { order: Order::Adaptive, ..CONFIG }, 101), [4, 2, 3, 1]);
    }

    #[test]
    fn a_queue_that_was_empty_stands_no_longer() {
        let mut it = Waiting::default();
        it.push(1, 0, &CONFIG, Instant(0));
        it.push(2, 0, &CONFIG, Instant(101));
        assert_eq!(it.pop_late(Instant(105)), None);
        assert_eq!(it.pop_late(Instant(106)), Some(2), "5 ms instead of 1 000");
        assert!(it.remove(1) && !it.remove(1));
        it.push(3, 0, &CONFIG, Instant(110));
        assert_eq!((it.wake_at(), it.len()), (Instant(1_110), 1));
    }
}
