//! What a host is told about its monitor: the options of `createMonitor`, and the Worker's variables.
//!
//! To add an option: a field, its check, and, if the Worker is to have it, a line in [`VARIABLES`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::flag_settings;
use crate::access;
use crate::alerts;
use crate::clock::Millis;
use crate::config::environment::detect;
use crate::http::auth::Access;
use crate::metrics;
use crate::report::score::Gates;
use crate::telemetry;

/// Least time between two regular checks, in milliseconds.
pub const CHECK_INTERVAL_MIN_MS: Millis = 1_000;
/// Longest base path, in bytes.
const BASE_PATH_MAX: usize = 256;

/// The options. Names in JSON are those of JavaScript; what is unknown is refused.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// The routes lie under this path: empty, or a path that begins with a slash and does not end with one.
    pub base_path: String,
    /// All databases are probed about so often, in milliseconds, whether or not anybody asks; without it only when
    /// somebody does.
    pub check_interval_ms: Option<Millis>,
    /// Scores from which a database is well enough, for each who asks.
    pub health_score: Gates,
    /// Metrics.
    pub metrics: metrics::Settings,
    /// What lets into the admin routes; by default nobody is let in.
    pub admin_token: Access,
    /// What is allowed in the admin routes.
    pub admin: access::Settings,
    /// What is worth an alert, and who is told.
    #[serde(deserialize_with = "alerts::settings::without_values")]
    pub alerts: alerts::Settings,
    /// Where logs, metrics and spans are sent.
    pub telemetry: telemetry::Settings,
    /// Flags, and who may ask for them.
    pub flags: flag_settings::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_path: "/api".to_owned(),
            check_interval_ms: None,
            health_score: Gates::default(),
            metrics: metrics::Settings::default(),
            admin_token: Access::default(),
            admin: access::Settings::default(),
            alerts: alerts::Settings::default(),
            telemetry: telemetry::Settings::default(),
            flags: flag_settings::Settings::default(),
        }
    }
}

/// What the text of a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Itself.
    Text,
    /// JSON: a number, `true` or `false`, a list, an object.
    Json,
}

/// A variable of the Worker.
struct Variable {
    name: &'static str,
    /// The option that it sets; a dot goes into an option that is an object.
    option: &'static str,
    kind: Kind,
}

/// All variables. An empty one counts as not set.
const VARIABLES: &[Variable] = &[
    Variable { name: "MONITOR_BASE_PATH", option: "basePath", kind: Kind::Text },
    Variable { name: "MONITOR_CHECK_INTERVAL_MS", option: "checkIntervalMs", kind: Kind::Json },
    Variable { name: "HEALTH_SCORE_MIN", option: "healthScore.deploy", kind: Kind::Json },
    Variable { name: "METRICS_ENABLED", option: "metrics.enabled", kind: Kind::Json },
    Variable { name: "METRICS_STATS_INTERVAL_MS", option: "metrics.statsIntervalMs", kind: Kind::Json },
    Variable { name: "SEAWALL_ADMIN_TOKEN", option: "adminToken", kind: Kind::Text },
    Variable { name: "SEAWALL_ADMIN_WRITES_PER_MINUTE", option: "admin.writesPerMinute", kind: Kind::Json },
    Variable { name: "SEAWALL_ADMIN_KILLS_PER_MINUTE", option: "admin.killsPerMinute", kind: Kind::Json },
    Variable { name: "SEAWALL_AUDIT_KEEP_DAYS", option: "admin.auditKeepDays", kind: Kind::Json },
    Variable { name: "SEAWALL_FOLLOW_INTERVAL_MS", option: "admin.followIntervalMs", kind: Kind::Json },
    Variable { name: "SEAWALL_ADMIN_FAILURES_PER_MINUTE", option: "admin.failuresPerMinute", kind: Kind::Json },
    Variable { name: "SEAWALL_ADMIN_ORIGINS", option: "admin.origins", kind: Kind::Json },
    Variable { name: "CF_ACCESS_TEAM_DOMAIN", option: "admin.access.teamDomain", kind: Kind::Text },
    Variable { name: "CF_ACCESS_AUD", option: "admin.access.audience", kind: Kind::Text },
    Variable { name: "SEAWALL_ACCESS_ROLES", option: "admin.access.roles", kind: Kind::Json },
    Variable { name: "PRODUCTION_MIGRATION_APPROVED", option: "admin.migrationApproved", kind: Kind::Text },
    Variable { name: "SEAWALL_FOLLOW_CACHE", option: "admin.followCache", kind: Kind::Json },
    Variable { name: "LOG_LEVEL", option: "telemetry.logLevel", kind: Kind::Text },
    Variable { name: "OTEL_EXPORTER_OTLP_ENDPOINT", option: "telemetry.otlp.endpoint", kind: Kind::Text },
    Variable { name: "OTEL_EXPORTER_OTLP_HEADERS", option: "telemetry.otlp.headers", kind: Kind::Text },
    Variable { name: "OTEL_METRIC_EXPORT_INTERVAL", option: "telemetry.otlp.intervalMs", kind: Kind::Json },
    Variable { name: "OTEL_SERVICE_NAME", option: "telemetry.otlp.serviceName", kind: Kind::Text },
    Variable { name: "TRACING_ENABLED", option: "telemetry.traces.enabled", kind: Kind::Json },
    Variable { name: "TRACING_SAMPLE_RATIO", option: "telemetry.traces.sampleRatio", kind: Kind::Json },
    Variable { name: "TRACING_PROPAGATE", option: "telemetry.traces.propagate", kind: Kind::Json },
    Variable { name: "HEALTH_SCORE_CUSTOM_MIN", option: "healthScore.custom", kind: Kind::Json },
    Variable { name: "SEAWALL_FLAGS", option: "flags.definitions", kind: Kind::Json },
    Variable { name: "SEAWALL_OFREP_PUBLIC", option: "flags.ofrep.public", kind: Kind::Json },
    Variable { name: "SEAWALL_OFREP_ORIGINS", option: "flags.ofrep.origins", kind: Kind::Json },
    Variable { name: "SEAWALL_OFREP_PER_MINUTE", option: "flags.ofrep.requestsPerMinute", kind: Kind::Json },
    Variable { name: "SEAWALL_OFREP_STRICT", option: "flags.ofrep.strict", kind: Kind::Json },
    // All of it at once; what the others say goes before it.
    Variable { name: "SEAWALL_ALERTS", option: "alerts", kind: Kind::Json },
    Variable { name: "CUSTOM_WEBHOOK_URL", option: "alerts.webhookUrl", kind: Kind::Text },
    Variable { name: "DB_ALERT_WEBHOOK_URL", option: "alerts.webhookUrl", kind: Kind::Text },
    Variable { name: "DB_ALERT_HEALTH_SCORE_THRESHOLD", option: "alerts.thresholds.healthScore", kind: Kind::Json },
    Variable {
        name: "DB_ALERT_POOL_UTILIZATION_THRESHOLD",
        option: "alerts.thresholds.poolUtilization",
        kind: Kind::Json,
    },
    Variable { name: "DB_ALERT_QUERY_TIME_THRESHOLD", option: "alerts.thresholds.queryTime", kind: Kind::Json },
    Variable { name: "DB_ALERT_ERROR_RATE_THRESHOLD", option: "alerts.thresholds.errorRate", kind: Kind::Json },
];

impl Settings {
    /// Settings from JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words that name the option.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string()).and_then(Self::checked)
    }

    /// Settings from the variables that `variable` knows, and those of `flags`, which say what flags are.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words that name the variable, or the option that it sets; never its text.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        flags: BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut options = Map::new();
        for Variable { name, option, kind } in VARIABLES {
            let Some(text) = variable(name).filter(|text| !text.is_empty()) else { continue };
            let value = match kind {
                Kind::Text => Value::String(text),
                Kind::Json => serde_json::from_str(&text).map_err(|_| format!("{name} is not JSON."))?,
            };
            put(&mut options, option, value);
        }
        // Where nobody says what it is, a deployed Worker is production.
        if let Some(environment) = detect(&variable) {
            put(&mut options, "admin.environment", environment.into());
        }
        if !flags.is_empty() {
            put(&mut options, "flags.variables", Value::from_iter(flags));
        }
        serde_json::from_value(Value::Object(options)).map_err(|error| error.to_string()).and_then(Self::checked)
    }

    fn checked(self) -> Result<Self, String> {
        let path = &self.base_path;
        let is_path = path.is_empty() || (path.starts_with('/') && !path.ends_with('/'));
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\{}".contains(&byte));
        if !is_path || !is_plain || path.contains("//") || path.len() > BASE_PATH_MAX {
            return Err(
                "basePath must be empty, or a path such as /api: with a slash before it and none after it.".into()
            );
        }
        if self.check_interval_ms.is_some_and(|ms| ms < CHECK_INTERVAL_MIN_MS) {
            return Err(format!("checkIntervalMs must be at least {CHECK_INTERVAL_MIN_MS}."));
        }
        if self.metrics.stats_interval_ms < metrics::STATS_INTERVAL_MIN_MS {
            return Err(format!("metrics.statsIntervalMs must be at least {}.", metrics::STATS_INTERVAL_MIN_MS));
        }
        let Gates { deploy, custom } = self.health_score;
        for (name, score) in [("deploy", deploy), ("custom", custom)] {
            if score > 100 {
                return Err(format!("healthScore.{name} must be at most 100."));
            }
        }
        if let Some(problem) = self.admin.problem() {
            return Err(problem);
        }
        if let Some(problem) = self.flags.problem() {
            return Err(problem);
        }
        self.alerts.receivers()?;
        self.telemetry.problem().map_or(Ok(self), Err)
    }
}

/// Sets what `path` names in `options`.
fn put(options: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => _ = options.insert(path.to_owned(), value),
        Some((name, rest)) => {
            let within = options.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(within) = within {
                put(within, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_variables_say_the_same() {
        let json = Settings::from_json(r#"{"basePath":"/internal/db","checkIntervalMs":15000}"#);
        let variables = Settings::from_variables(
            |name| {
                let text = match name {
                    "MONITOR_BASE_PATH" => "/internal/db",
                    "MONITOR_CHECK_INTERVAL_MS" => "15000",
                    _ => "",
                };
                Some(text.to_owned())
            },
            BTreeMap::new(),
        );
        assert!(json.is_ok());
        assert_eq!(json, variables);
        assert_eq!(Settings::from_variables(|_| None, BTreeMap::new()), Ok(Settings::default()));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for path in ["api", "/api/", "/", "//a", "/a b", "/é", "/a?b", "/%61", &format!("/{}", "a".repeat(256))] {
            let wrong = Settings::from_json(&serde_json::json!({ "basePath": path }).to_string());
            assert!(wrong.is_err_and(|error| error.contains("basePath")), "{path}");
        }
        let error = |text| Settings::from_json(text).err().unwrap_or_default();
        assert!(error(r#"{"checkIntervalMs":5}"#).contains("checkIntervalMs"));
        assert!(error(r#"{"healthScore":{"deploy":101}}"#).contains("healthScore.deploy"));
        assert!(error(r#"{"basepath":""}"#).contains("unknown field `basepath`"));
        let secret = |name: &str| (name == "MONITOR_CHECK_INTERVAL_MS").then(|| "hunter2".to_owned());
        assert_eq!(
            Settings::from_variables(secret, BTreeMap::new()),
            Err("MONITOR_CHECK_INTERVAL_MS is not JSON.".to_owned())
        );
    }

    #[test]
    fn a_dot_goes_into_an_option() {
        let mut options = Map::new();
        put(&mut options, "a.b", 1.into());
        put(&mut options, "a.c.d", 2.into());
        assert_eq!(Value::Object(options), serde_json::json!({ "a": { "b": 1, "c": { "d": 2 } } }));
    }
}
