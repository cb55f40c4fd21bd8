//! What is not told, for a while.

use serde::{Deserialize, Serialize};

use super::conditions::Severity;
use super::lifecycle::Alert;
use crate::clock::Millis;

/// Which alerts: those that have all that is given. One with nothing given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Matcher {
    /// Of this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// About this database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Not worse than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// What is not told, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Which alerts.
    #[serde(rename = "match")]
    pub matcher: Matcher,
    /// Until when, in milliseconds since the epoch.
    pub until_ms: Millis,
    /// Why.
    pub reason: String,
    /// Whose it is.
    pub by: String,
}

impl Matcher {
    /// Whether it matches.
    #[must_use]
    pub fn matches(&self, alert: &Alert) -> bool {
        self.rule.as_ref().is_none_or(|rule| *rule == alert.rule)
            && self.database.as_ref().is_none_or(|database| *database == alert.database)
            && self.severity.is_none_or(|severity| alert.severity <= severity)
    }
}
