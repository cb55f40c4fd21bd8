//! What is worth an alert at one time: conditions, as the rules find them.

use serde::{Deserialize, Serialize};

/// Longest text of a message, in characters.
pub const MESSAGE_MAX: usize = 300;
/// Longest name of a database that is kept, in characters.
const DATABASE_MAX: usize = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody should look at once.
    Critical,
}

impl Severity {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The rule of the circuit's alerts.
pub const CIRCUIT: &str = "circuitBreakerState";

/// Something that is worth an alert now.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The rule's name, such as `errorRate`.
    pub rule: String,
    /// The database that it is about.
    pub database: String,
    /// How bad it is.
    pub severity: Severity,
    /// What to tell: numbers and names, never a statement or an argument.
    pub message: String,
    /// What was found.
    pub value: f64,
    /// What it was compared with.
    pub threshold: f64,
    /// Which of its states it is in, for a rule that has several; empty for the others. A change is told.
    pub state: String,
}

impl Condition {
    /// What it is about: conditions of one fingerprint are one alert.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.rule, &self.database)
    }

    /// The same with bounded texts.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            database: cut(self.database, DATABASE_MAX),
            message: cut(self.message, MESSAGE_MAX),
            state: cut(self.state, 20),
            ..self
        }
    }
}

/// Rule and database in one word.
#[must_use]
pub fn fingerprint(rule: &str, database: &str) -> String {
    format!("{rule}/{database}")
}

/// At most `chars_max` characters of a text.
#[must_use]
pub fn cut(mut text: String, chars_max: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(chars_max) {
        text.truncate(at);
    }
    text
}
