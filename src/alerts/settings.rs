//! What a host says of alerts: the option `alerts` of `createMonitor`, and the Worker's variables.

use serde::{Deserialize, Deserializer};

use super::burn::{self, BurnRate};
use super::signature::Secret;
use super::sinks::Kind;
use super::url_policy::{self, Refused};
use crate::clock::Millis;

/// Most sinks.
pub const SINKS_MAX: usize = 10;
/// Most burn-rate rules.
pub const RULES_MAX: usize = 10;
/// Most secrets of one sink.
const SECRETS_MAX: usize = 4;
/// Most hosts in one list.
const HOSTS_MAX: usize = 50;
/// Longest time to wait for a receiver, in milliseconds.
const TIMEOUT_MAX_MS: Millis = 10_000;
/// Longest cool-down, in milliseconds.
const COOL_DOWN_MAX_MS: Millis = 86_400_000;

/// The options. What is unknown is refused.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Whether anything is watched, listed and told.
    pub enabled: bool,
    /// Where alerts are posted, in the form that its host wants.
    pub webhook_url: Option<String>,
    /// From where on something is worth an alert.
    pub thresholds: Thresholds,
    /// How long after one message the same alert is not told again, in milliseconds.
    pub cool_down_ms: Millis,
    /// Further receivers.
    pub sinks: Vec<Sink>,
    /// The only hosts that are sent to, if there are any.
    pub allowed_hosts: Vec<String>,
    /// Hosts of the service itself, which are never sent to. The hosts of requests that came in are added.
    pub own_hosts: Vec<String>,
    /// How long a receiver is waited for, in milliseconds.
    pub timeout_ms: Millis,
    /// The part of attempts that must succeed, 0 to 1: what the burn rates of `rules` are reckoned from.
    pub objective: f64,
    /// Burn rates that are worth an alert: those of the SRE workbook, unless others are given.
    pub rules: Vec<BurnRate>,
}

/// From where on something is worth an alert.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Thresholds {
    /// A lower health score, 0 to 100.
    pub health_score: f64,
    /// A higher utilization of the pool, in percent.
    pub pool_utilization: f64,
    /// A longer mean time of queries, in milliseconds.
    pub query_time: f64,
    /// A higher share of failures, in percent.
    pub error_rate: f64,
    /// So many operations of the last minute that got no connection in time, or more; 0 for none.
    pub connection_timeouts: u64,
}

/// A receiver.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sink {
    /// What it is called in lists and metrics: letters, digits, `-` and `_`.
    pub name: String,
    /// What it wants to be sent; without it, what its host wants.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Where it is. PagerDuty's own address if it is left out there.
    #[serde(default)]
    pub url: Option<String>,
    /// Secrets to sign with, `whsec_…`. The newest first.
    #[serde(default)]
    pub secrets: Vec<SecretText>,
    /// PagerDuty's key of the integration.
    #[serde(default)]
    pub routing_key: Option<SecretText>,
    /// Sent as `authorization`.
    #[serde(default)]
    pub authorization: Option<SecretText>,
}

/// A text that never shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Reads the options so that an error names what is wrong and shows nothing of it: they hold secrets.
///
/// # Errors
///
/// See [`Deserialize`].
pub fn without_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    serde_json::from_value(value).map_err(|error| {
        // What stands between quotation marks was given; names of fields stand between backticks.
        let text = error.to_string();
        let (before, after) = (text.split('"').next().unwrap_or_default(), text.rsplit('"').next().unwrap_or_default());
        let shown = if text.contains('"') { format!("{before}…{after}") } else { text.clone() };
        serde::de::Error::custom(format_args!("alerts: {shown}"))
    })
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            webhook_url: None,
            thresholds: Thresholds::default(),
            cool_down_ms: 300_000,
            sinks: Vec::new(),
            allowed_hosts: Vec::new(),
            own_hosts: Vec::new(),
            timeout_ms: TIMEOUT_MAX_MS,
            objective: 0.999,
            rules: burn::WORKBOOK.to_vec(),
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            health_score: 70.0,
            pool_utilization: 80.0,
            query_time: 1_000.0,
            error_rate: 5.0,
            connection_timeouts: 1,
        }
    }
}

/// A receiver, checked.
#[derive(Clone, PartialEq)]
pub struct Receiver {
    /// What it is called.
    pub name: String,
    /// What it wants to be sent.
    pub kind: Kind,
    /// Where it is.
    pub url: String,
    /// What to sign with.
    pub secrets: Vec<Secret>,
    /// PagerDuty's key.
    pub routing_key: String,
    /// Sent as `authorization`; empty for none.
    pub authorization: String,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({}, {:?})", self.name, self.kind)
    }
}

impl Settings {
    /// The receivers, checked.
    ///
    /// # Errors
    ///
    /// What cannot be used, in words that name the option and never its value.
    pub fn receivers(&self) -> Result<Vec<Receiver>, String> {
        self.check()?;
        let own = self.webhook_url.iter().filter(|url| !url.is_empty()).map(|url| Sink {
            name: "webhook".to_owned(),
            kind: None,
            url: Some(url.clone()),
            secrets: Vec::new(),
            routing_key: None,
            authorization: None,
        });
        let mut receivers: Vec<Receiver> = Vec::new();
        for sink in own.chain(self.sinks.iter().cloned()) {
            let receiver = self.receiver(&sink)?;
            if receivers.iter().any(|known| known.name == receiver.name) {
                return Err(format!("alerts.sinks has two of the name {}.", receiver.name));
            }
            receivers.push(receiver);
        }
        Ok(receivers)
    }

    fn check(&self) -> Result<(), String> {
        let Thresholds { health_score, pool_utilization, query_time, error_rate, .. } = self.thresholds;
        for (name, value) in
            [("healthScore", health_score), ("poolUtilization", pool_utilization), ("errorRate", error_rate)]
        {
            if !(0.0..=100.0).contains(&value) {
                return Err(format!("alerts.thresholds.{name} must be from 0 to 100."));
            }
        }
        if !(0.0..=86_400_000.0).contains(&query_time) {
            return Err("alerts.thresholds.queryTime must be from 0 to 86400000 ms.".to_owned());
        }
        if self.cool_down_ms > COOL_DOWN_MAX_MS {
            return Err(format!("alerts.coolDownMs must be at most {COOL_DOWN_MAX_MS}."));
        }
        if !(1..=TIMEOUT_MAX_MS).contains(&self.timeout_ms) {
            return Err(format!("alerts.timeoutMs must be from 1 to {TIMEOUT_MAX_MS}."));
        }
        if !(0.5..1.0).contains(&self.objective) {
            return Err("alerts.objective must be from 0.5 to less than 1.".to_owned());
        }
        if self.sinks.len() > SINKS_MAX || self.rules.len() > RULES_MAX {
            return Err(format!("alerts.sinks and alerts.rules have at most {SINKS_MAX} each."));
        }
        if self.allowed_hosts.len() > HOSTS_MAX || self.own_hosts.len() > HOSTS_MAX {
            return Err(format!("alerts.allowedHosts and alerts.ownHosts have at most {HOSTS_MAX} each."));
        }
        self.rules.iter().try_for_each(BurnRate::check)
    }

    fn receiver(&self, sink: &Sink) -> Result<Receiver, String> {
        let name = &sink.name;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=40).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err("The name of one of alerts.sinks is not 1 to 40 letters, digits, - and _.".to_owned());
        }
        let url = match (&sink.url, sink.kind) {
            (Some(url), _) => url.clone(),
            (None, Some(Kind::PagerDuty)) => super::sinks::pagerduty::URL.to_owned(),
            (None, _) => return Err(format!("The sink {name} of alerts has no url.")),
        };
        let target = url_policy::check(&url, &self.allowed_hosts, &self.own_hosts)
            .map_err(|Refused(why)| format!("The address of the sink {name} of alerts {why}."))?;
        let kind = sink.kind.unwrap_or_else(|| Kind::of_host(target.host));
        if sink.secrets.len() > SECRETS_MAX {
            return Err(format!("The sink {name} of alerts has more than {SECRETS_MAX} secrets."));
        }
        let parse = |text: &SecretText| {
            Secret::parse(&text.0).map_err(|why| format!("A secret of the sink {name} of alerts {why}."))
        };
        let secrets = sink.secrets.iter().map(parse).collect::<Result<_, _>>()?;
        let text = |text: &Option<SecretText>| text.as_ref().map_or_else(String::new, |text| text.0.clone());
        let (routing_key, authorization) = (text(&sink.routing_key), text(&sink.authorization));
        if (kind == Kind::PagerDuty) == routing_key.is_empty() {
            return Err(format!("The sink {name} of alerts must have a routingKey exactly if it is of PagerDuty."));
        }
        if !authorization.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(format!("The authorization of the sink {name} of alerts cannot be sent in a header."));
        }
        Ok(Receiver { name: name.clone(), kind, url, secrets, routing_key, authorization })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Settings {
        serde_json::from_str(json).unwrap()
    }

    /// ALR-07: the options of a monitor have exactly these names, and all five thresholds can be set.
    #[test]
    fn all_five_thresholds_can_be_set() {
        let settings = read(
            r#"{"enabled":true,"webhookUrl":"https://hooks.slack.com/services/YOUR/WEBHOOK/URL","thresholds":
            {"healthScore":80,"poolUtilization":70,"queryTime":500,"errorRate":2,"connectionTimeouts":1}}"#,
        );
        let expected = Thresholds {
            health_score: 80.0,
            pool_utilization: 70.0,
            query_time: 500.0,
            error_rate: 2.0,
            connection_timeouts: 1,
        };
        assert_eq!(settings.thresholds, expected);
        assert!(settings.enabled);
        let receivers = settings.receivers().unwrap();
        assert_eq!(
            receivers.iter().map(|it| (it.name.as_str(), it.kind)).collect::<Vec<_>>(),
            [("webhook", Kind::Slack)]
        );
        assert!(serde_json::from_str::<Settings>(r#"{"thresholds":{"healthscore":1}}"#).is_err());
    }

    #[test]
    fn what_cannot_be_used_is_named_and_never_shown() {
        let url = "https://hooks.acme.com/s3cret";
        let table = [
            (r#"{"webhookUrl":"http://hooks.acme.com/s3cret"}"#.to_owned(), "sink webhook"),
            (r#"{"webhookUrl":"https://127.0.0.1/s3cret"}"#.to_owned(), "IP address"),
            (format!(r#"{{"webhookUrl":"{url}","allowedHosts":["hooks.slack.com"]}}"#), "allowedHosts"),
            (format!(r#"{{"webhookUrl":"{url}","ownHosts":["hooks.acme.com"]}}"#), "itself"),
            (format!(r#"{{"sinks":[{{"name":"a b","url":"{url}"}}]}}"#), "name"),
            (
                format!(r#"{{"sinks":[{{"name":"a","url":"{url}"}},{{"name":"a","url":"{url}"}}]}}"#),
                "two of the name a",
            ),
            (format!(r#"{{"sinks":[{{"name":"a","url":"{url}","secrets":["s3cret"]}}]}}"#), "secret of the sink a"),
            (format!(r#"{{"sinks":[{{"name":"a","url":"{url}","kind":"pagerduty"}}]}}"#), "routingKey"),
            (format!(r#"{{"sinks":[{{"name":"a","url":"{url}","authorization":"s3cret\n"}}]}}"#), "authorization"),
            (r#"{"sinks":[{"name":"a"}]}"#.to_owned(), "no url"),
            (r#"{"thresholds":{"errorRate":101}}"#.to_owned(), "errorRate"),
            (r#"{"thresholds":{"queryTime":-1}}"#.to_owned(), "queryTime"),
            (r#"{"timeoutMs":10001}"#.to_owned(), "timeoutMs"),
            (r#"{"objective":1}"#.to_owned(), "objective"),
            (r#"{"rules":[{"name":"x","factor":0,"longMs":1,"shortMs":1,"severity":"critical"}]}"#.to_owned(), "rule"),
        ];
        for (json, named) in table {
            let problem = read(&json).receivers().unwrap_err();
            assert!(problem.contains(named), "{problem}");
            assert!(!problem.contains("s3cret"), "{problem}");
        }
        for json in [
            r#"{"sinks":"s3cret"}"#,
            r#"{"sinks":[{"name":"a","url":{"s3cret":1}}]}"#,
            r#"{"sinks":[{"name":"a","secrets":"s3cret\"s3cret\""}]}"#,
            r#"{"thresholds":{"errorRate":"s3cret"}}"#,
            r#"{"enabled":"s3cret"}"#,
        ] {
            let problem = without_values(&mut serde_json::Deserializer::from_str(json)).unwrap_err().to_string();
            assert!(problem.starts_with("alerts: ") && !problem.contains("s3cret"), "{problem}");
        }
        let sink = format!(r#"{{"sinks":[{{"name":"a","url":"{url}","routingKey":"s3cret"}}]}}"#);
        assert!(!format!("{:?}", read(&sink).sinks[0].routing_key).contains("s3cret"));
    }
}
