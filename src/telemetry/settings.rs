//! What a monitor is told of telemetry: the option `telemetry` of `createMonitor`, and OpenTelemetry's own variables.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::logs::Level;
use super::trace_context::TraceContext;
use super::watch::Tracing;
use crate::clock::Millis;

/// Least time between two exports, in milliseconds.
pub const INTERVAL_MIN_MS: Millis = 1_000;
/// Most headers of a collector.
const HEADERS_MAX: usize = 32;

/// The option `telemetry`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Where metrics, logs and spans are exported to.
    pub otlp: Otlp,
    /// Which spans are made, where the host makes them itself.
    pub traces: Traces,
    /// Records of this level and above are made, where the host makes them itself.
    pub log_level: Level,
}

/// Spans of what is asked of the database. There are none without a collector.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Traces {
    /// Whether they are made.
    pub enabled: bool,
    /// Share of the traces that are recorded, 0 to 1, of those that begin here.
    pub sample_ratio: f64,
    /// Whether requests to the database carry `traceparent` and `tracestate`.
    pub propagate: bool,
}

/// A collector that takes OTLP/HTTP.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Otlp {
    /// Its address; `/v1/metrics` and `/v1/logs` are added. Empty for none.
    pub endpoint: String,
    /// Headers of each request: an object, or text such as `key=value,other=more`. They may hold keys and are never shown.
    pub headers: Headers,
    /// Time between two exports, in milliseconds.
    pub interval_ms: Millis,
    /// What this service is called.
    pub service_name: String,
}

/// Headers by name, in small letters.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Given")]
pub struct Headers(pub BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Text(String),
    Each(BTreeMap<String, String>),
}

impl Default for Settings {
    fn default() -> Self {
        Self { otlp: Otlp::default(), traces: Traces::default(), log_level: Level::Info }
    }
}

impl Default for Traces {
    fn default() -> Self {
        Self { enabled: true, sample_ratio: 1.0, propagate: false }
    }
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            headers: Headers::default(),
            interval_ms: 60_000,
            service_name: "unknown_service".to_owned(),
        }
    }
}

impl Otlp {
    /// Whether anything is exported.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.endpoint.is_empty()
    }

    /// Where a signal is sent: `metrics`, `logs` or `traces`.
    #[must_use]
    pub fn url(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.endpoint.trim_end_matches('/'))
    }
}

impl Settings {
    /// How what a request with this trace context asks of the database is traced; `None` when it is not.
    #[must_use]
    pub fn tracing(&self, parent: Option<&TraceContext>) -> Option<Tracing> {
        let Traces { enabled, sample_ratio, propagate: propagates } = self.traces;
        (self.otlp.is_on() && enabled).then(|| Tracing { parent: parent.cloned(), sample_ratio, propagates })
    }

    /// What is wrong with them, in words that name the option and repeat no value.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let Otlp { endpoint, interval_ms, headers, .. } = &self.otlp;
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://")).unwrap_or_default();
        let authority = host.split('/').next().unwrap_or_default();
        let is_plain = endpoint.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte));
        if !endpoint.is_empty() && (authority.is_empty() || authority.contains('@') || !is_plain) {
            return Some(
                "telemetry.otlp.endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) must be an http: or https: address without credentials; put those into headers."
                    .to_owned(),
            );
        }
        if *interval_ms < INTERVAL_MIN_MS {
            return Some(format!("telemetry.otlp.intervalMs must be at least {INTERVAL_MIN_MS}."));
        }
        if !(0.0..=1.0).contains(&self.traces.sample_ratio) {
            return Some(
                "telemetry.traces.sampleRatio (TRACING_SAMPLE_RATIO) must be a number from 0 to 1.".to_owned(),
            );
        }
        (headers.0.len() > HEADERS_MAX).then(|| format!("telemetry.otlp.headers may be at most {HEADERS_MAX}."))
    }
}

impl TryFrom<Given> for Headers {
    type Error = String;

    fn try_from(given: Given) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = match given {
            Given::Each(each) => each.into_iter().collect(),
            Given::Text(text) => text
                .split(',')
                .filter(|pair| !pair.trim().is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').ok_or("headers must be pairs such as key=value.")?;
                    Ok((name.trim().to_owned(), decoded(value.trim())))
                })
                .collect::<Result<_, String>>()?,
        };
        let mut headers = BTreeMap::new();
        for (name, value) in pairs {
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
            let is_value = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if !is_name || !is_value {
                return Err("headers must have names and values that HTTP can carry.".to_owned());
            }
            headers.insert(name.to_ascii_lowercase(), value);
        }
        Ok(Self(headers))
    }
}

/// Percent-encoded text, decoded; what is none stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%')
            .then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { headers, interval_ms, service_name, .. } = self;
        f.debug_struct("Otlp")
            .field("is_on", &self.is_on())
            .field("headers", headers)
            .field("interval_ms", interval_ms)
            .field("service_name", service_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Result<Settings, String> {
        let settings: Settings = serde_json::from_str(json).map_err(|error| error.to_string())?;
        settings.problem().map_or(Ok(settings), Err)
    }

    #[test]
    fn headers_are_an_object_or_the_text_of_the_standard_variable() {
        let text = settings(r#"{"otlp":{"endpoint":"http://c:4318/","headers":"X-Key=a%20b, other=c=d,"}}"#).unwrap();
        let each = settings(r#"{"otlp":{"endpoint":"http://c:4318/","headers":{"x-key":"a b","OTHER":"c=d"}}}"#);
        assert_eq!(each.as_ref(), Ok(&text));
        assert_eq!(text.otlp.url("metrics"), "http://c:4318/v1/metrics");
        assert!(!settings("{}").unwrap().otlp.is_on());
    }

    #[test]
    fn nothing_is_traced_without_a_collector_or_when_it_is_off() {
        let is_traced = |json| settings(json).unwrap().tracing(None).is_some();
        assert!(is_traced(r#"{"otlp":{"endpoint":"http://c"}}"#));
        assert!(!is_traced("{}"));
        assert!(!is_traced(r#"{"traces":{"enabled":true,"propagate":true}}"#));
        assert!(!is_traced(r#"{"otlp":{"endpoint":"http://c"},"traces":{"enabled":false}}"#));
    }

    /// S: a collector's key is in no debug text, and what cannot be used is named without its value
    #[test]
    fn a_key_is_never_shown() {
        let secret = settings(r#"{"otlp":{"endpoint":"http://c","headers":{"x-key":"hunter2"}}}"#).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        for wrong in [
            r#"{"otlp":{"endpoint":"collector/hunter2"}}"#,
            r#"{"otlp":{"endpoint":"https://user:hunter2@c"}}"#,
            r#"{"otlp":{"endpoint":"https://"}}"#,
            r#"{"otlp":{"endpoint":"https://c/?key=hunter2"}}"#,
            r#"{"otlp":{"headers":{"x-key":"hunter2\n"}}}"#,
            r#"{"otlp":{"headers":"hunter2"}}"#,
            r#"{"otlp":{"intervalMs":5}}"#,
            r#"{"traces":{"sampleRatio":1.5}}"#,
            r#"{"traces":{"sampleRatio":-1}}"#,
        ] {
            let problem = settings(wrong).unwrap_err();
            assert!(!problem.contains("hunter2") && !problem.is_empty(), "{problem}");
        }
    }
}
