//! What one isolate tells the others: what it has counted since it last told, with a number, until it knows that it was
//! counted.
//!
//! A swap whose outcome nobody knows is asked for again with the same delta under the same number, and
//! [`Aggregate`](super::aggregate::Aggregate) counts a number once. Only what was never sent may still change.

use serde::{Deserialize, Serialize};

use super::business::Declared;
use super::samples::Samples;
use crate::clock::{Instant, Millis};

/// What was sent and may have been counted is sent again for this long to an aggregate that does not know its isolate (any
/// more), in milliseconds; it is given up then. See [`FORGET_MS`](super::aggregate::FORGET_MS).
pub const RESEND_MAX_MS: Millis = 300_000;

/// What an isolate tells at one time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// Which isolate: 16 hexadecimal digits of chance.
    pub isolate: String,
    /// The first is 1, the next 2.
    pub number: u64,
    /// What was counted since the number before.
    pub counts: Samples,
    /// How high the levels are.
    pub levels: Samples,
    /// Names of the application's own.
    pub declared: Vec<Declared>,
}

/// What an isolate has told, and what it is telling.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// Empty until the first delta.
    isolate: String,
    number: u64,
    /// Everything up to the latest number that was counted.
    told: Samples,
    pending: Option<Pending>,
    given_up: u64,
}

#[derive(Clone, Debug)]
struct Pending {
    delta: Delta,
    /// Everything up to this delta.
    up_to: Samples,
    /// When a swap with it was first asked for.
    sent_at: Option<Instant>,
}

impl Sender {
    /// The isolate's name; empty before the first delta.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.isolate
    }

    /// Somebody else has told all this.
    pub fn go_on_from(&mut self, told: Samples) {
        self.told = told;
    }

    /// Makes ready what to send, and returns its number: the delta that may have been counted, else all that came since.
    /// `all` is what was counted since the isolate's start, and its levels.
    pub fn prepare(&mut self, all: &Samples, declared: &[Declared], random: u64) -> u64 {
        if self.isolate.is_empty() {
            self.isolate = format!("{random:016x}");
        }
        if let Some(Pending { delta, sent_at: Some(_), .. }) = &mut self.pending {
            delta.levels = all.levels();
            return delta.number;
        }
        let up_to = all.counts();
        let delta = Delta {
            isolate: self.isolate.clone(),
            number: self.number + 1,
            counts: up_to.since(&self.told),
            levels: all.levels(),
            declared: declared.to_vec(),
        };
        let number = delta.number;
        self.pending = Some(Pending { delta, up_to, sent_at: None });
        number
    }

    /// The delta of this number, while it is not known to be counted.
    #[must_use]
    pub fn pending(&self, number: u64) -> Option<&Delta> {
        self.pending.as_ref().map(|pending| &pending.delta).filter(|delta| delta.number == number)
    }

    /// A swap with the pending delta is asked for.
    pub fn sent(&mut self, now: Instant) {
        if let Some(pending) = &mut self.pending {
            pending.sent_at.get_or_insert(now);
        }
    }

    /// Whether the pending delta may have been counted by an aggregate that has forgotten it since.
    #[must_use]
    pub fn is_doubtful(&self, now: Instant) -> bool {
        let sent_at = self.pending.as_ref().and_then(|pending| pending.sent_at);
        sent_at.is_some_and(|at| now.since(at) > RESEND_MAX_MS)
    }

    /// The delta of this number was counted.
    pub fn counted(&mut self, number: u64) {
        if let Some(pending) = self.pending.take_if(|pending| pending.delta.number == number) {
            self.number = number;
            self.told = pending.up_to;
        }
    }

    /// The pending delta is given up: nobody can tell whether it was counted.
    pub fn give_up(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.number = pending.delta.number;
            self.told = pending.up_to;
            self.given_up += 1;
        }
    }

    /// How many deltas were given up.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }
}
