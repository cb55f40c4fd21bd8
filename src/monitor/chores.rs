//! Background work: what is to be done when nobody asks, such as a delivery that is due.
//!
//! Each piece is an exchange that ends with [`Next::Done`]; one with nothing to do ends at once. Hosts begin all of them
//! after each response, on a timer where they have one, and by hand. A piece is under way at most once in an isolate. It
//! asks nothing more after [`LIMIT_MS`], the time that Workers give to work after a response; what a host has lost on the
//! way may be begun again from then on.
//!
//! To add one: a line in [`CHORES`]. What it must remember, such as when it is due, belongs to its own field of
//! `Monitor`; it must bear to be cut off between any two questions.

use crate::clock::{Instant, Millis};
use crate::http::exchange::{Cx, Next};

/// A piece of background work.
struct Chore {
    /// Does what is due at `cx.now`, or ends at once.
    begin: fn(cx: &mut Cx<'_>) -> Next,
}

/// All of them, in the order in which they begin.
const CHORES: [Chore; 10] = [
    Chore { begin: crate::orders::follow::begin },
    Chore { begin: crate::http::idempotency::forget },
    Chore { begin: crate::audit::forget::begin },
    Chore { begin: crate::http::order_history::forget },
    Chore { begin: super::checks::begin },
    Chore { begin: crate::http::flag_guards::begin },
    Chore { begin: crate::alerts::delivery::begin },
    Chore { begin: crate::telemetry::export::begin },
    Chore { begin: crate::telemetry::keep::begin },
    Chore { begin: crate::metrics::fleet::begin },
];

/// How many there are: hosts begin each of 0 to `COUNT - 1`.
pub const COUNT: usize = CHORES.len();

/// Longest time for one, in milliseconds.
pub const LIMIT_MS: Millis = 25_000;

/// Which are under way: when each began.
#[derive(Debug, Default)]
pub(super) struct UnderWay([Option<Instant>; COUNT]);

impl UnderWay {
    /// Takes `index` on at `now`, unless it is under way. A clock that stepped back ends what it was.
    fn claim(&mut self, index: usize, now: Instant) -> bool {
        let Some(began) = self.0.get_mut(index) else { return false };
        let is_under_way = began.is_some_and(|began| began <= now && now.since(began) < LIMIT_MS);
        if !is_under_way {
            *began = Some(now);
        }
        !is_under_way
    }

    /// Lets go of what was claimed at `began`.
    fn free(&mut self, index: usize, began: Instant) {
        if let Some(claim) = self.0.get_mut(index)
            && *claim == Some(began)
        {
            *claim = None;
        }
    }
}

/// Begins the piece of this number, below [`COUNT`]; [`Next::Done`] if nothing is due, or it is under way already.
#[must_use]
pub fn begin(index: usize, cx: &mut Cx<'_>) -> Next {
    let Some(chore) = CHORES.get(index) else { return Next::Done };
    begin_as(index, chore.begin, cx)
}

fn begin_as(index: usize, begin: fn(&mut Cx<'_>) -> Next, cx: &mut Cx<'_>) -> Next {
    let began = cx.now;
    if !cx.monitor.under_way.claim(index, began) {
        return Next::Done;
    }
    let next = begin(cx);
    followed(index, began, next, cx)
}

/// `next`, up to the limit; at its end the claim is free.
fn followed(index: usize, began: Instant, next: Next, cx: &mut Cx<'_>) -> Next {
    match next {
        Next::Ask(question, then) if cx.now.since(began) < LIMIT_MS => Next::ask(question, move |answer, cx| {
            let next = then(answer, cx);
            followed(index, began, next, cx)
        }),
        Next::Ask(..) | Next::Respond(_) | Next::Done => {
            cx.monitor.under_way.free(index, began);
            Next::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::{Answer, Question, Then};
    use crate::monitor::Monitor;

    fn endless(_: &mut Cx<'_>) -> Next {
        fn again(_: Answer, cx: &mut Cx<'_>) -> Next {
            endless(cx)
        }
        Next::ask(Question::List { prefix: String::new() }, again)
    }

    fn at(monitor: &mut Monitor, now: u64, work: impl FnOnce(&mut Cx<'_>) -> Next) -> Option<Then> {
        match work(&mut Cx { monitor, now: Instant(now), random: 0 }) {
            Next::Ask(_, then) => Some(then),
            Next::Done => None,
            Next::Respond(response) => panic!("{response:?}"),
        }
    }

    fn start(monitor: &mut Monitor, now: u64) -> Option<Then> {
        at(monitor, now, |cx| begin_as(0, endless, cx))
    }

    fn go_on(monitor: &mut Monitor, now: u64, then: Option<Then>) -> Option<Then> {
        at(monitor, now, |cx| then.expect("it goes on")(Answer::Keys(Vec::new()), cx))
    }

    #[test]
    fn a_piece_is_under_way_at_most_once() {
        let mut monitor = Monitor::default();
        let first = start(&mut monitor, 1_000);
        assert!(first.is_some());
        assert!(start(&mut monitor, 1_000).is_none());
        assert!(start(&mut monitor, 1_000 + LIMIT_MS - 1).is_none());
    }

    #[test]
    fn a_piece_asks_nothing_more_when_its_time_is_over_and_may_begin_again() {
        let mut monitor = Monitor::default();
        let first = start(&mut monitor, 1_000);
        let second = go_on(&mut monitor, 1_000 + LIMIT_MS - 1, first);
        assert!(second.is_some());
        assert!(go_on(&mut monitor, 1_000 + LIMIT_MS, second).is_none());
        assert!(start(&mut monitor, 1_000 + LIMIT_MS).is_some());
    }

    #[test]
    fn a_piece_that_was_lost_begins_again_and_what_comes_late_of_it_frees_nothing() {
        let mut monitor = Monitor::default();
        let lost = start(&mut monitor, 1_000);
        assert!(start(&mut monitor, 1_000 + LIMIT_MS).is_some());
        assert!(go_on(&mut monitor, 1_000 + LIMIT_MS, lost).is_none());
        assert!(start(&mut monitor, 1_001 + LIMIT_MS).is_none());
    }

    #[test]
    fn a_clock_that_steps_back_holds_nothing_up() {
        let mut monitor = Monitor::default();
        assert!(start(&mut monitor, 1_000_000).is_some());
        assert!(start(&mut monitor, 500_000).is_some());
    }

    #[test]
    fn there_is_nothing_beyond_the_last() {
        let mut monitor = Monitor::default();
        assert!(at(&mut monitor, 0, |cx| begin(COUNT, cx)).is_none());
    }
}
