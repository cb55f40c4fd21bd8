//! How a step crosses: one number, and a row of numbers beside it.

use crate::clock::{Instant, Millis};
use crate::engine::step::Step;
use crate::policy::breaker::Breaker;

/// Kinds of steps, in the low three bits.
mod kind {
    pub(super) const ATTEMPT: u32 = 0;
    pub(super) const WAIT: u32 = 1;
    pub(super) const REFUSE: u32 = 2;
    pub(super) const DONE: u32 = 3;
    // 4 is the host's own, for a core that has trapped.
    pub(super) const CHECK: u32 = 5;
}

/// Places in the register.
mod place {
    /// Attempt: abort after so many milliseconds, 0 for never.
    pub(super) const TIMEOUT_MS: usize = 0;
    /// Attempt: renew the lease this often, in milliseconds.
    pub(super) const RENEW_MS: usize = 1;
    /// Wait: until when. Refuse: when asking again can help, infinity if unknown.
    pub(super) const AT_MS: usize = 2;
    /// Wait: for what. Refuse: the code's number. Done: the ending's number.
    pub(super) const DETAIL: usize = 3;
    /// Refuse, Done: attempts made.
    pub(super) const ATTEMPTS: usize = 4;
    /// Refuse: the breaker's state.
    pub(super) const STATE: usize = 5;
    /// Change: when it happened.
    pub(super) const CHANGED_AT_MS: usize = 6;
    /// Attempt: ask for a second leg after so many milliseconds, 0 for never.
    pub(super) const HEDGE_MS: usize = 7;
    /// Where the counts of durations are, in bytes.
    pub(super) const TIMES_AT: usize = 8;
    /// Number of places.
    pub(super) const COUNT: usize = 9;
}

/// The row of numbers in wasm memory, which the host reads right after a call.
#[derive(Debug, Default)]
pub(super) struct Register(Box<[f64; place::COUNT]>);

impl Register {
    /// Where it is, in bytes.
    pub(super) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Notes when the change happened that is handed out.
    pub(super) fn put_changed_at(&mut self, at: Instant) {
        self.0[place::CHANGED_AT_MS] = at.to_host();
    }

    /// Notes where the counts of durations are.
    pub(super) fn put_times_at(&mut self, address: usize) {
        self.0[place::TIMES_AT] = address as f64;
    }

    /// Notes how long a set-up may take.
    pub(super) fn put_timeout(&mut self, timeout_ms: Millis) {
        self.0[place::TIMEOUT_MS] = timeout_ms as f64;
    }

    /// Notes when to ask again.
    pub(super) fn put_at(&mut self, at: Instant) {
        self.0[place::AT_MS] = at.to_host();
    }

    /// Puts down what belongs to a step, and returns the step's number. A refusal comes with the breaker's state.
    #[inline]
    pub(super) fn put(&mut self, step: Step, breaker: &Breaker, now: Instant) -> u32 {
        let register = &mut *self.0;
        match step {
            Step::Attempt { call, timeout_ms, renew_ms, hedge_ms } => {
                register[place::TIMEOUT_MS] = timeout_ms as f64;
                register[place::RENEW_MS] = renew_ms as f64;
                register[place::HEDGE_MS] = hedge_ms as f64;
                call.to_number() << 3 | kind::ATTEMPT
            }
            Step::Check { call, timeout_ms } => {
                register[place::TIMEOUT_MS] = timeout_ms as f64;
                call.to_number() << 3 | kind::CHECK
            }
            Step::Wait { call, until, what } => {
                register[place::AT_MS] = until.to_host();
                register[place::DETAIL] = f64::from(what as u32);
                call.to_number() << 3 | kind::WAIT
            }
            Step::Refuse { code, retry_at, attempts } => {
                register[place::STATE] = f64::from(breaker.state(now) as u32);
                register[place::AT_MS] = retry_at.to_host();
                register[place::DETAIL] = f64::from(code as u32);
                register[place::ATTEMPTS] = f64::from(attempts);
                kind::REFUSE
            }
            Step::Done { ending, attempts } => {
                register[place::DETAIL] = f64::from(ending as u32);
                register[place::ATTEMPTS] = f64::from(attempts);
                kind::DONE
            }
        }
    }
}
