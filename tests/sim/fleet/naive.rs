//! What many write first: one key that holds the state of the breaker, overwritten by whoever changes its own, and
//! polled by everybody.

use seawall::engine::Engine;
use seawall::policy::breaker::{Forced, State};

use super::clock::Ms;
use super::isolate::Isolate;
use super::kv::Text;

/// Between two reads of one isolate, in milliseconds.
const POLL_MS: Ms = 5_000;

/// What an isolate remembers of the key.
#[derive(Debug)]
pub(crate) struct Naive {
    polled_at: Option<Ms>,
    /// The latest state that was taken from the key or written there.
    seen_at: Ms,
    held_until: Option<Ms>,
    state: State,
}

impl Default for Naive {
    fn default() -> Self {
        Self { polled_at: None, seen_at: 0, held_until: None, state: State::Closed }
    }
}

impl Naive {
    /// Whether a poll is due. Saying yes starts the interval.
    pub(crate) fn claim_poll(&mut self, at: Ms) -> bool {
        let is_due = self.polled_at.is_none_or(|polled_at| at >= polled_at + POLL_MS);
        if is_due {
            self.polled_at = Some(at);
        }
        is_due
    }
}

/// Lets a circuit go that the key held open, when its time has come.
pub(crate) fn let_go(isolate: &mut Isolate, at: Ms) {
    let now = isolate.now(at);
    let Some(naive) = &mut isolate.naive else { return };
    if naive.held_until.is_some_and(|until| at >= until) {
        naive.held_until = None;
        isolate.engine.force(None, now);
        naive.state = isolate.engine.breaker().state(now);
    }
}

/// The text to write when this isolate's own circuit has changed.
pub(crate) fn news(isolate: &mut Isolate, at: Ms) -> Option<Text> {
    let now = isolate.now(at);
    let naive = isolate.naive.as_mut()?;
    let state = isolate.engine.breaker().state(now);
    if naive.held_until.is_some() || state == naive.state {
        return None;
    }
    naive.state = state;
    let text = match state {
        State::Open => format!("open {at} {}", at + isolate.engine.breaker().retry_at().since(now)),
        State::Closed => format!("closed {at} 0"),
        State::HalfOpen => return None,
    };
    naive.seen_at = at;
    Some(text.into())
}

/// Does what the key says, if it says something new.
pub(crate) fn follow(isolate: &mut Isolate, text: &str, at: Ms) {
    let now = isolate.now(at);
    let mut words = text.split(' ');
    let (Some(word), Some(written_at), Some(until)) = (words.next(), words.next(), words.next()) else { return };
    let (Ok(written_at), Ok(until)) = (written_at.parse::<Ms>(), until.parse::<Ms>()) else { return };
    let Some(naive) = &mut isolate.naive else { return };
    if written_at <= naive.seen_at {
        return;
    }
    naive.seen_at = written_at;
    let engine: &mut Engine = &mut isolate.engine;
    if word == "open" && until > at {
        engine.force(Some(Forced::Open), now);
        naive.held_until = Some(until);
    } else if word == "closed" {
        naive.held_until = None;
        engine.reset_breaker(now);
    }
    naive.state = engine.breaker().state(now);
}
