//! The document that alerts survive in: a text under one key of the strong store.
//!
//! Alerts and messages are one document, swapped as a whole: no alert changes without its messages, and no message is lost
//! between two writes. It is at most about a megabyte and a half: 200 alerts that 32 isolates hold each, 100 that are over,
//! 200 messages. The usual one has a few kilobytes.

use serde::{Deserialize, Serialize};

use super::lifecycle::Book;
use super::outbox::Outbox;

/// Where it lies.
pub const KEY: &str = "alerts/state";
/// The version of its form.
const VERSION: u32 = 1;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    version: u32,
    /// Alerts and silences.
    #[serde(default)]
    pub book: Book,
    /// Messages.
    #[serde(default)]
    pub outbox: Outbox,
}

/// Why a text could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A newer release wrote it: it is left alone.
    Newer,
    /// It is no document: it is written anew.
    Garbage,
}

impl Default for Document {
    fn default() -> Self {
        Self { version: VERSION, book: Book::default(), outbox: Outbox::default() }
    }
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// See [`Unreadable`].
    pub fn decode(text: &str) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text).map_err(|_| Unreadable::Garbage)?;
        if version > VERSION {
            return Err(Unreadable::Newer);
        }
        serde_json::from_str(text).map_err(|_| Unreadable::Garbage)
    }

    /// The text.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes over what another document has and this one lacks.
    pub fn absorb(&mut self, other: Self) {
        self.book.absorb(other.book);
        self.outbox.absorb(other.outbox);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::conditions::{Condition, MESSAGE_MAX, Severity};
    use crate::alerts::lifecycle::{ALERTS_MAX, Alert, HISTORY_MAX, Look};
    use crate::alerts::settings::{Settings, Sink};
    use crate::clock::Instant;
    use crate::http::exchange::Question;
    use crate::orders::remote;

    fn full() -> Document {
        full_of("\"")
    }

    /// As much as there can be, in texts of `c`.
    fn full_of(c: &str) -> Document {
        let condition = |number: usize| Condition {
            rule: format!("burnRate.{number:040}"),
            database: c.repeat(100),
            severity: Severity::Critical,
            message: c.repeat(MESSAGE_MAX),
            value: 0.123_456_789,
            threshold: 1e300,
            state: "HALF_OPEN".to_owned(),
        };
        let conditions: Vec<Condition> = (0..ALERTS_MAX).map(condition).collect();
        let mut document = Document::default();
        let now = Instant(1_704_067_200_000);
        let look = Look { isolate: "0123456789abcdef", token: 1, now, cool_down_ms: 1 };
        let events = document.book.observe(&conditions, &look);
        let sink = Sink {
            name: "a".to_owned(),
            kind: None,
            url: Some("https://alerts.acme.com/".to_owned()),
            secrets: Vec::new(),
            routing_key: None,
            authorization: None,
        };
        let receivers = Settings { sinks: vec![sink], ..Settings::default() }.receivers().unwrap();
        document.outbox.put(&events, &receivers, 1, look.now);
        document
    }

    /// An alert that nobody could write would never be told.
    #[test]
    fn the_longest_document_fits_into_the_strong_store() {
        for c in ["\"", "\u{1f980}"] {
            let mut document = full_of(c);
            for number in 0..40 {
                let isolate = format!("{number:016x}");
                let look = Look { isolate: &isolate, token: number, now: Instant(1_704_067_201_000), cool_down_ms: 1 };
                let found: Vec<Condition> = document.book.alerts.iter().map(found_again).collect();
                document.book.observe(&found, &look);
            }
            document.book.history =
                document.book.alerts.iter().take(HISTORY_MAX).cloned().map(without_holders).collect();
            let text = document.encode();
            let question = Question::swap(KEY, Some(text.clone()), Some(text));
            assert!(remote::read(&serde_json::to_string(&question).unwrap()).is_ok(), "{}", document.encode().len());
        }
    }

    fn found_again(alert: &Alert) -> Condition {
        let Alert { rule, database, severity, message, value, threshold, state, .. } = alert.clone();
        Condition { rule, database, severity, message, value, threshold, state }
    }

    fn without_holders(alert: Alert) -> Alert {
        Alert { holders: Vec::new(), ..alert }
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(Document::decode(&Document::default().encode()), Ok(Document::default()));
        let document = full();
        let text = document.encode();
        assert_eq!(Document::decode(&text), Ok(document));
        assert!(text.len() < 700_000, "{}", text.len());
    }

    #[test]
    fn garbage_is_told_from_what_a_newer_release_wrote() {
        let cut = full().encode();
        let cut = &cut[..cut.len() / 2];
        for text in ["", "null", "[]", "{}", r#"{"version":"1"}"#, r#"{"version":1,"book":7}"#, cut] {
            assert_eq!(Document::decode(text), Err(Unreadable::Garbage), "{text:.40}");
        }
        assert_eq!(Document::decode(r#"{"version":2,"book":7}"#), Err(Unreadable::Newer));
    }
}
