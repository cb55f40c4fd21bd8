//! The life of an alert: it fires, somebody acknowledges it, it is resolved.
//!
//! Conditions of one fingerprint are one alert, whichever isolate finds them. An isolate that finds a condition *holds* the
//! alert for a while and renews its hold; when the last hold is given up or lapses, the alert is resolved. So the alert of
//! an isolate that vanished ends, and one that two isolates see ends when both are well.
//!
//! What is told: that it fires, each change of its state, that it was acknowledged, and that it is resolved. After a message
//! the same alert may fire again untold until its cool-down is over; if it still fires then, it is told. A change of a
//! circuit has no cool-down: each is told once. What was told to fire is told to be resolved, in a silence too.

use serde::{Deserialize, Serialize};

use super::conditions::{CIRCUIT, Condition, Severity, cut, fingerprint};
use super::silence::{Matcher, Silence};
use crate::clock::{Instant, Millis};

/// Alerts at once; what comes on top is counted and not kept.
pub const ALERTS_MAX: usize = 200;
/// Alerts that are over, as they are listed.
pub const HISTORY_MAX: usize = 100;
/// Silences at once.
pub const SILENCES_MAX: usize = 50;
/// Isolates that hold one alert at once; those on top of them hold nothing.
const HOLDERS_MAX: usize = 32;
/// How long a hold lasts, in milliseconds.
pub const HOLD_MS: Millis = 300_000;
/// Longest silence, in milliseconds: a week.
pub const SILENCE_MAX_MS: Millis = 604_800_000;
/// Longest name of an operator, and longest reason, in characters.
const BY_MAX: usize = 100;
const REASON_MAX: usize = 300;

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is there.
    Firing,
    /// It is there, and somebody said so.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An alert. One that is over is kept for its cool-down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Names one firing of it.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// The database that it is about.
    pub database: String,
    /// How bad it is.
    pub severity: Severity,
    /// What to tell.
    pub message: String,
    /// What was found.
    pub value: f64,
    /// What it was compared with.
    pub threshold: f64,
    /// Which of its states it is in; empty for rules that have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// Where it is in its life.
    pub stage: Stage,
    /// When it fired, in milliseconds since the epoch.
    pub fired_at_ms: Millis,
    /// When it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at_ms: Option<Millis>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at_ms: Option<Millis>,
    /// Whether it was told that it fires, and not yet that it is over.
    pub is_told: bool,
    /// When it was last told that it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at_ms: Option<Millis>,
    /// Who finds the condition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
}

/// An isolate that finds the condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    isolate: String,
    until_ms: Millis,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    severity: Severity,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It fires.
    Firing,
    /// It fires on, in another state.
    Changed,
    /// Somebody saw it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// A message about an alert, as it was then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// When, in milliseconds since the epoch.
    pub at_ms: Millis,
    /// The alert; without its holders.
    pub alert: Alert,
}

/// Why an order about an alert was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderFailed {
    /// There is no alert of this id.
    NotFound,
    /// It is over.
    Resolved,
    /// There are as many silences as there may be.
    TooMany,
}

/// All alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Book {
    /// One for each fingerprint.
    pub alerts: Vec<Alert>,
    /// Those that are over, oldest first.
    pub history: Vec<Alert>,
    /// What is not told.
    pub silences: Vec<Silence>,
    /// Conditions that found no room.
    pub dropped: u64,
}

/// Who looks, and with what rules.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The isolate.
    pub isolate: &'a str,
    /// What new ids begin with: nobody else has it.
    pub token: u64,
    /// When.
    pub now: Instant,
    /// How long after a message the same alert is not told again, in milliseconds.
    pub cool_down_ms: Millis,
}

impl Book {
    /// Takes in all that one isolate finds at one time, and gives what is to be told, in order.
    ///
    /// What this isolate found before and does not find now, it lets go of.
    pub fn observe(&mut self, conditions: &[Condition], look: &Look<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            self.hold(condition, index, look);
        }
        let found: Vec<String> = conditions.iter().map(Condition::fingerprint).collect();
        for alert in &mut self.alerts {
            let is_found = found.contains(&alert.fingerprint());
            alert.holders.retain(|holder| {
                let is_gone = holder.isolate == look.isolate && !is_found;
                !is_gone && look.now < Instant(holder.until_ms)
            });
        }
        self.tell(look, &mut events);
        events
    }

    /// Tells that a circuit was open and is closed again, if nobody else knows of it: two changes, two events.
    pub fn passed(&mut self, condition: &Condition, look: &Look<'_>) -> Vec<Event> {
        let is_held = self.active().any(|alert| alert.fingerprint() == condition.fingerprint());
        if is_held {
            return Vec::new();
        }
        self.hold(condition, ALERTS_MAX, look);
        let mut events = Vec::new();
        self.tell(look, &mut events);
        for alert in &mut self.alerts {
            if alert.fingerprint() == condition.fingerprint() {
                alert.holders.retain(|holder| holder.isolate != look.isolate);
            }
        }
        self.tell(look, &mut events);
        events
    }

    /// Alerts that are not over.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.stage != Stage::Resolved)
    }

    /// Whether an isolate's hold must be renewed, or something lapses, by `now`.
    #[must_use]
    pub fn is_due(&self, isolate: &str, cool_down_ms: Millis, now: Instant) -> bool {
        let is_stale = |holder: &Holder| {
            let left_ms = holder.until_ms.saturating_sub(now.0);
            left_ms == 0 || holder.isolate == isolate && left_ms < HOLD_MS / 2
        };
        let is_told_late = |alert: &Alert| {
            !alert.is_told && alert.told_at_ms.is_some_and(|told| now.since(Instant(told)) >= cool_down_ms)
        };
        self.active().any(|alert| alert.holders.iter().any(is_stale) || is_told_late(alert))
            || self.silences.iter().any(|silence| silence.until_ms <= now.0)
    }

    /// Says that somebody saw an alert. Once is enough: a second time changes nothing.
    ///
    /// # Errors
    ///
    /// If there is none, or it is over.
    pub fn acknowledge(&mut self, id: &str, by: &str, now: Instant) -> Result<Option<Event>, OrderFailed> {
        let alert = self.alerts.iter_mut().find(|alert| alert.id == id);
        let Some(alert) = alert else {
            let is_over = self.history.iter().any(|alert| alert.id == id);
            return Err(if is_over { OrderFailed::Resolved } else { OrderFailed::NotFound });
        };
        match alert.stage {
            Stage::Resolved => Err(OrderFailed::Resolved),
            Stage::Acknowledged => Ok(None),
            Stage::Firing => {
                alert.stage = Stage::Acknowledged;
                alert.acknowledged_at_ms = Some(now.0);
                alert.acknowledged_by = Some(cut(by.to_owned(), BY_MAX));
                Ok(alert.is_told.then(|| alert.event(Kind::Acknowledged, now)))
            }
        }
    }

    /// Tells nothing of what `matcher` matches for `duration_ms`, at most [`SILENCE_MAX_MS`]; 0 lifts it.
    ///
    /// # Errors
    ///
    /// If there are too many.
    pub fn silence(
        &mut self,
        matcher: Matcher,
        duration_ms: Millis,
        reason: &str,
        by: &str,
        now: Instant,
    ) -> Result<(), OrderFailed> {
        self.silences.retain(|silence| silence.matcher != matcher && now.0 < silence.until_ms);
        if duration_ms == 0 {
            return Ok(());
        }
        if self.silences.len() >= SILENCES_MAX {
            return Err(OrderFailed::TooMany);
        }
        let until_ms = now.plus(duration_ms.min(SILENCE_MAX_MS)).0;
        let (reason, by) = (cut(reason.to_owned(), REASON_MAX), cut(by.to_owned(), BY_MAX));
        self.silences.push(Silence { matcher, until_ms, reason, by });
        Ok(())
    }

    /// Takes over what another book has and this one lacks: what fires there, and silences.
    ///
    /// For an isolate that could not reach the store for a while.
    pub fn absorb(&mut self, other: Self) {
        for alert in other.alerts {
            let is_known = self.alerts.iter().any(|known| known.fingerprint() == alert.fingerprint());
            if !is_known && alert.stage != Stage::Resolved && self.alerts.len() < ALERTS_MAX {
                self.alerts.push(alert);
            }
        }
        for silence in other.silences {
            let is_known = self.silences.iter().any(|known| known.matcher == silence.matcher);
            if !is_known && self.silences.len() < SILENCES_MAX {
                self.silences.push(silence);
            }
        }
    }

    /// Makes the isolate a holder of the condition's alert.
    fn hold(&mut self, condition: &Condition, index: usize, look: &Look<'_>) {
        let fingerprint = condition.fingerprint();
        let at = self.alerts.iter().position(|alert| alert.fingerprint() == fingerprint);
        let id = || format!("{:016x}-{index:03}", look.token);
        let index = match at {
            Some(at) => {
                if self.alerts.get(at).is_some_and(|alert| alert.stage == Stage::Resolved)
                    && let Some(alert) = self.alerts.get_mut(at)
                {
                    *alert = Alert { told_at_ms: alert.told_at_ms, ..Alert::new(condition, id(), look.now) };
                }
                at
            }
            None => {
                if self.alerts.len() >= ALERTS_MAX {
                    // What is over is only kept for its cool-down.
                    match self.alerts.iter().position(|alert| alert.stage == Stage::Resolved && !alert.is_told) {
                        Some(over) => _ = self.alerts.remove(over),
                        None => {
                            self.dropped = self.dropped.saturating_add(1);
                            return;
                        }
                    }
                }
                self.alerts.push(Alert::new(condition, id(), look.now));
                self.alerts.len() - 1
            }
        };
        if let Some(alert) = self.alerts.get_mut(index) {
            alert.held(condition, look);
        }
    }

    /// Moves alerts on and says what is to be told of them.
    fn tell(&mut self, look: &Look<'_>, events: &mut Vec<Event>) {
        let now = look.now;
        self.silences.retain(|silence| now.0 < silence.until_ms);
        let silences = &self.silences;
        let is_silent = |alert: &Alert| silences.iter().any(|silence| silence.matcher.matches(alert));
        for alert in &mut self.alerts {
            if alert.stage == Stage::Resolved {
                continue;
            }
            if alert.holders.is_empty() {
                alert.stage = Stage::Resolved;
                alert.resolved_at_ms = Some(now.0);
                if std::mem::take(&mut alert.is_told) {
                    events.push(alert.event(Kind::Resolved, now));
                }
                self.history.push(Alert { holders: Vec::new(), ..alert.clone() });
                continue;
            }
            let has_changed = alert.follow_holders();
            if is_silent(alert) {
                continue;
            }
            let is_cool = alert.rule == CIRCUIT
                || alert.told_at_ms.is_none_or(|told| now.since(Instant(told)) >= look.cool_down_ms);
            if alert.is_told && has_changed {
                alert.told_at_ms = Some(now.0);
                events.push(alert.event(Kind::Changed, now));
            } else if !alert.is_told && is_cool {
                alert.is_told = true;
                alert.told_at_ms = Some(now.0);
                events.push(alert.event(Kind::Firing, now));
            }
        }
        let excess = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..excess);
        self.alerts.retain(|alert| {
            let is_cool = alert.told_at_ms.is_none_or(|told| now.since(Instant(told)) >= look.cool_down_ms);
            alert.stage != Stage::Resolved || !is_cool
        });
    }
}

impl Alert {
    fn new(condition: &Condition, id: String, now: Instant) -> Self {
        Self {
            id,
            rule: condition.rule.clone(),
            database: condition.database.clone(),
            severity: condition.severity,
            message: condition.message.clone(),
            value: finite(condition.value),
            threshold: finite(condition.threshold),
            state: condition.state.clone(),
            stage: Stage::Firing,
            fired_at_ms: now.0,
            acknowledged_at_ms: None,
            acknowledged_by: None,
            resolved_at_ms: None,
            is_told: false,
            told_at_ms: None,
            holders: Vec::new(),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.rule, &self.database)
    }

    fn event(&self, kind: Kind, now: Instant) -> Event {
        Event { kind, at_ms: now.0, alert: Self { holders: Vec::new(), ..self.clone() } }
    }

    /// Begins or renews a hold; one that has much time left is left alone, so that little is written.
    fn held(&mut self, condition: &Condition, look: &Look<'_>) {
        let until_ms = look.now.plus(HOLD_MS).0;
        let has_room = self.holders.len() < HOLDERS_MAX;
        match self.holders.iter_mut().find(|holder| holder.isolate == look.isolate) {
            Some(holder) => {
                if holder.state != condition.state {
                    self.message.clone_from(&condition.message);
                    self.value = finite(condition.value);
                }
                if holder.state != condition.state || holder.until_ms.saturating_sub(look.now.0) < HOLD_MS / 2 {
                    holder.until_ms = until_ms;
                }
                holder.state.clone_from(&condition.state);
                holder.severity = condition.severity;
            }
            None if has_room => self.holders.push(Holder {
                isolate: look.isolate.to_owned(),
                until_ms,
                state: condition.state.clone(),
                severity: condition.severity,
            }),
            None => {}
        }
    }

    /// Takes on the worst that its holders find; whether that is another state.
    fn follow_holders(&mut self) -> bool {
        let Some(worst) = self.holders.iter().max_by_key(|holder| holder.severity) else { return false };
        let has_changed = worst.state != self.state;
        self.severity = worst.severity;
        self.state.clone_from(&worst.state);
        has_changed
    }
}

/// JSON has no other numbers.
const fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
