//! What each kind of receiver wants to be sent. An event in, a body and its headers out.
//!
//! Texts of others, such as names of databases, reach a receiver as text: no mention, link or markup of it is carried out.

pub mod alertmanager;
pub mod chat;
pub mod cloudevents;
pub mod generic;
pub mod pagerduty;

use serde::Deserialize;
use serde_json::Value;

use super::lifecycle::{self, Event};
use super::settings::Receiver;

/// A kind of receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON of our own in the envelope of Standard Webhooks.
    Generic,
    /// A CloudEvent 1.0 in structured JSON.
    CloudEvents,
    /// An incoming webhook of Slack.
    Slack,
    /// A webhook of Discord.
    Discord,
    /// Version 2 of PagerDuty's events.
    PagerDuty,
    /// Alertmanager itself: `/api/v2/alerts`.
    Alertmanager,
    /// What takes webhooks of Alertmanager: version 4 of its payload.
    #[serde(rename = "alertmanager-webhook")]
    AlertmanagerWebhook,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Its `content-type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Kind {
    /// What a host is known to want; [`Kind::Generic`] if it is not known.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        match host {
            "hooks.slack.com" | "hooks.slack-gov.com" => Self::Slack,
            "discord.com" | "discordapp.com" | "ptb.discord.com" | "canary.discord.com" => Self::Discord,
            "events.pagerduty.com" | "events.eu.pagerduty.com" => Self::PagerDuty,
            _ => Self::Generic,
        }
    }

    /// In one word, as it is written in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::CloudEvents => "cloudevents",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::PagerDuty => "pagerduty",
            Self::Alertmanager => "alertmanager",
            Self::AlertmanagerWebhook => "alertmanager-webhook",
        }
    }

    /// Whether it can make something of such an event: a chat is not told who acknowledged what.
    #[must_use]
    pub const fn wants(self, kind: lifecycle::Kind) -> bool {
        match self {
            Self::Generic | Self::CloudEvents | Self::PagerDuty => true,
            Self::Slack | Self::Discord | Self::Alertmanager | Self::AlertmanagerWebhook => {
                !matches!(kind, lifecycle::Kind::Acknowledged)
            }
        }
    }
}

/// What `receiver` is sent about `event`, as the message `id`.
#[must_use]
pub fn payload(receiver: &Receiver, event: &Event, id: &str) -> Payload {
    let (content_type, body) = match receiver.kind {
        Kind::Generic => ("application/json", generic::body(event)),
        Kind::CloudEvents => ("application/cloudevents+json; charset=utf-8", cloudevents::body(event, id)),
        Kind::Slack => ("application/json", chat::slack(event)),
        Kind::Discord => ("application/json", chat::discord(event)),
        Kind::PagerDuty => ("application/json", pagerduty::body(event, &receiver.routing_key)),
        Kind::Alertmanager => ("application/json", alertmanager::alerts(event)),
        Kind::AlertmanagerWebhook => ("application/json", alertmanager::webhook(event)),
    };
    Payload { content_type, body: body.to_string() }
}

/// `alert.firing` and the like.
fn event_type(event: &Event) -> &'static str {
    match event.kind {
        lifecycle::Kind::Firing => "alert.firing",
        lifecycle::Kind::Changed => "alert.changed",
        lifecycle::Kind::Acknowledged => "alert.acknowledged",
        lifecycle::Kind::Resolved => "alert.resolved",
    }
}

/// The alert in one line for people, without markup.
fn line(event: &Event) -> String {
    let alert = &event.alert;
    let what = match event.kind {
        lifecycle::Kind::Firing => "FIRING",
        lifecycle::Kind::Changed => "CHANGED",
        lifecycle::Kind::Acknowledged => "ACKNOWLEDGED",
        lifecycle::Kind::Resolved => "RESOLVED",
    };
    format!("[{what}] {} {} ({}): {}", alert.severity.name(), alert.rule, alert.database, alert.message)
}

/// The alert as our own sinks write it.
fn data(event: &Event) -> Value {
    serde_json::to_value(&event.alert)
        .map(|mut value| {
            if let Some(fields) = value.as_object_mut() {
                for own in ["isTold", "toldAtMs", "holders"] {
                    fields.remove(own);
                }
                fields.insert("fingerprint".to_owned(), event.alert.fingerprint().into());
            }
            value
        })
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
