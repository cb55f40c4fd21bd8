//! Scenarios of kind `timeout`: [`seawall::policy::deadline::Deadlines`] over one attempt, or over all of them.

use seawall::clock::Instant;

use super::caller::Caller;
use super::script::{Answer, Fields};
use super::{Misfit, Subject};

const COOPERATIVE: &str = "a deadline ends the call for its caller at once and aborts the request; a mode in which an \
                           operation that ignores its abort signal holds the caller past the deadline is not offered";

/// The subject of one scenario.
pub(crate) fn subject(config: &Fields, _start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    let caveat = match config.word("mode")?.as_deref() {
        None | Some("aggressive") => None,
        Some("cooperative") => Some(COOPERATIVE),
        Some(other) => return Err(Misfit::unknown("mode", other)),
    };
    Ok(Box::new(Timed { caller: Caller::new(config)?, caveat }))
}

struct Timed {
    caller: Caller,
    caveat: Option<&'static str>,
}

impl Subject for Timed {
    fn advance(&mut self, now: Instant) {
        self.caller.advance(now, |_| true);
    }

    fn event(&mut self, event: &Fields, now: Instant) -> Result<(), Misfit> {
        match event.op()?.as_str() {
            "call" => self.caller.begin(event, now),
            "abort" => self.caller.abort(&event.id()?, now),
            other => Err(Misfit::unknown("event", other)),
        }
    }

    fn caveat(&self) -> Option<&'static str> {
        self.caveat
    }

    fn look(&mut self, expectation: &Fields, _now: Instant) -> Result<Answer, Misfit> {
        self.caller.look(&expectation.need("call", expectation.word("call"))?)
    }
}
