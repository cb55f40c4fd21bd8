//! What is still to be sent, to whom, and when.
//!
//! A message is claimed before it is sent and taken out after it was answered, both in the document that survives a
//! restart. Whoever claims it and vanishes leaves it due again after [`CLAIM_MS`], so it arrives at least once, and always
//! with the same id, by which its receiver knows it. Messages about one alert reach a receiver in their order: an end never
//! overtakes its beginning.
//!
//! A message that fails is sent again after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h, as Standard Webhooks has it, and later
//! if its receiver asks for that. Then it is given up. Status 410 ends it for this address at once.

use serde::{Deserialize, Serialize};

use super::lifecycle::Event;
use super::settings::Receiver;
use crate::clock::{Instant, Millis};
use crate::rng::{Rng, SplitMix};

/// Messages at once; the oldest make room.
pub const MESSAGES_MAX: usize = 200;
/// Pause before each try, in milliseconds.
pub const PAUSES_MS: [Millis; 7] = [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000];
/// Chance makes a pause longer by up to this share.
const JITTER: f64 = 0.2;
/// Longest time that a receiver may ask for, in milliseconds: an hour.
pub const RETRY_AFTER_MAX_MS: Millis = 3_600_000;
/// From when on a message that was claimed is due again, in milliseconds: longer than it can take.
pub const CLAIM_MS: Millis = 60_000;
/// From what age on a message is dropped, in milliseconds: later than its last try.
pub const AGE_MAX_MS: Millis = 129_600_000;
/// Addresses that are remembered to be gone.
const GONE_MAX: usize = 20;

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Names it, at each try.
    pub id: String,
    /// The receiver's name.
    pub sink: String,
    /// What it tells.
    pub event: Event,
    /// Tries so far.
    pub tries: u32,
    /// From when on it may be sent, in milliseconds since the epoch.
    pub due_at_ms: Millis,
}

/// What is to be sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outbox {
    /// In the order in which it happened.
    pub messages: Vec<Message>,
    /// Addresses that are gone.
    pub gone: Vec<Gone>,
}

/// An address that answered 410.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    /// The receiver's name.
    pub sink: String,
    /// A digest of its address: another address is used again.
    pub address: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: Millis,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was answered with this status, and perhaps `retry-after`.
    Answered(u16, Option<String>),
    /// There was no answer; it may have arrived.
    Unanswered,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// It was not, and is sent again.
    Failed,
    /// It was not, for the last time.
    GivenUp,
    /// Its address is gone.
    Gone,
    /// It made room for others.
    Dropped,
}

/// Every outcome.
pub const OUTCOMES: [Outcome; 5] =
    [Outcome::Delivered, Outcome::Failed, Outcome::GivenUp, Outcome::Gone, Outcome::Dropped];

impl Outcome {
    /// What becomes of a message whose try of this number, from 1, ended so.
    #[must_use]
    pub const fn of(tries: u32, ending: &Ending) -> Self {
        match ending {
            Ending::Answered(200..=299, _) => Self::Delivered,
            Ending::Answered(410, _) => Self::Gone,
            _ if tries as usize >= PAUSES_MS.len() => Self::GivenUp,
            _ => Self::Failed,
        }
    }

    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
            Self::Gone => "gone",
            Self::Dropped => "dropped",
        }
    }
}

impl Outbox {
    /// Puts a message for each receiver that wants it; gives the names of those whose messages made room.
    pub fn put(&mut self, events: &[Event], receivers: &[Receiver], token: u64, now: Instant) -> Vec<String> {
        let mut chance = SplitMix::new(token);
        for event in events {
            for receiver in receivers.iter().filter(|receiver| receiver.kind.wants(event.kind)) {
                if self.is_gone(receiver) {
                    continue;
                }
                let id = format!("msg_{:016x}{:016x}", chance.bits(), chance.bits());
                let (sink, event) = (receiver.name.clone(), event.clone());
                self.messages.push(Message { id, sink, event, tries: 0, due_at_ms: now.0 });
            }
        }
        let excess = self.messages.len().saturating_sub(MESSAGES_MAX);
        self.messages.drain(..excess).map(|message| message.sink).collect()
    }

    /// When the next message to one of `receivers` may be sent, if there is one.
    #[must_use]
    pub fn due_at(&self, receivers: &[Receiver]) -> Option<Instant> {
        self.firsts(receivers).map(|message| Instant(message.due_at_ms)).min()
    }

    /// Takes on one message to one of `receivers` that is due, or says that there is none.
    pub fn claim(&mut self, receivers: &[Receiver], now: Instant) -> Option<Message> {
        let id = self.firsts(receivers).find(|message| message.due_at_ms <= now.0)?.id.clone();
        let message = self.messages.iter_mut().find(|message| message.id == id)?;
        message.tries = message.tries.saturating_add(1);
        message.due_at_ms = now.plus(CLAIM_MS).0;
        Some(message.clone())
    }

    /// Notes how the try of `claimed` ended; a receiver that is gone loses all of its messages.
    pub fn settle(
        &mut self,
        claimed: &Message,
        receiver: &Receiver,
        ending: &Ending,
        rng: &mut impl Rng,
        now: Instant,
    ) -> Outcome {
        let outcome = Outcome::of(claimed.tries, ending);
        match outcome {
            Outcome::Failed => {
                let pause_ms = PAUSES_MS.get(claimed.tries as usize).copied().unwrap_or_default();
                let pause_ms = (pause_ms as f64 * (1.0 + JITTER * rng.unit())) as Millis;
                let asked_ms = match ending {
                    Ending::Answered(_, Some(text)) => retry_after_ms(text),
                    _ => 0,
                };
                if let Some(message) = self.messages.iter_mut().find(|message| message.id == claimed.id) {
                    message.due_at_ms = now.plus(pause_ms.max(asked_ms)).0;
                }
            }
            Outcome::Gone => {
                self.messages.retain(|message| message.sink != receiver.name);
                self.gone.retain(|gone| gone.sink != receiver.name);
                self.gone.push(Gone { sink: receiver.name.clone(), address: digest(&receiver.url), at_ms: now.0 });
                let excess = self.gone.len().saturating_sub(GONE_MAX);
                self.gone.drain(..excess);
            }
            _ => self.messages.retain(|message| message.id != claimed.id),
        }
        outcome
    }

    /// Drops messages that are too old to be news; gives the names of their receivers, which may be gone from the settings.
    pub fn expire(&mut self, now: Instant) -> Vec<String> {
        let is_old = |message: &Message| now.since(Instant(message.event.at_ms)) > AGE_MAX_MS;
        let old = self.messages.iter().filter(|message| is_old(message)).map(|message| message.sink.clone()).collect();
        self.messages.retain(|message| !is_old(message));
        old
    }

    /// Whether the receiver's address answered 410.
    #[must_use]
    pub fn is_gone(&self, receiver: &Receiver) -> bool {
        self.gone.iter().any(|gone| gone.sink == receiver.name && gone.address == digest(&receiver.url))
    }

    /// Takes over messages that another outbox has and this one lacks.
    pub fn absorb(&mut self, other: Self) {
        for message in other.messages {
            if !self.messages.iter().any(|known| known.id == message.id) && self.messages.len() < MESSAGES_MAX {
                self.messages.push(message);
            }
        }
    }

    /// Of the messages about one alert to one receiver the first: the others wait for it.
    ///
    /// Only those to `receivers`: while a release with other settings is rolled out, another isolate knows the rest.
    fn firsts(&self, receivers: &[Receiver]) -> impl Iterator<Item = &Message> {
        let is_same = |a: &Message, b: &Message| {
            a.sink == b.sink
                && a.event.alert.rule == b.event.alert.rule
                && a.event.alert.database == b.event.alert.database
        };
        self.messages.iter().enumerate().filter_map(move |(at, message)| {
            let is_first = !self.messages.iter().take(at).any(|earlier| is_same(earlier, message));
            let is_known = receivers.iter().any(|receiver| receiver.name == message.sink);
            (is_first && is_known).then_some(message)
        })
    }
}

/// What a receiver asks for, in milliseconds, at most [`RETRY_AFTER_MAX_MS`]; 0 for a date, as clocks differ.
fn retry_after_ms(text: &str) -> Millis {
    let text = text.trim();
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits {
        return 0;
    }
    text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000).min(RETRY_AFTER_MAX_MS)
}

/// Eight bytes of SHA-256 as hexadecimal digits: tells addresses apart and does not show them.
fn digest(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
