//! Every variable: which setting it sets, in what unit, and what to write into `.env.local.example`.
//!
//! The order is the precedence: of two variables for one setting the first holds.

/// A variable that sets a setting.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Path of the setting.
    pub of: &'static str,
    /// What a bare number is counted in where that is not the setting's own unit: `"s"`, or empty.
    pub unit: &'static str,
}

/// A variable that is read by whoever opens a connection, and sets nothing in the list of settings.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// Its name.
    pub name: &'static str,
    /// What it may look like; empty for a secret.
    pub example: &'static str,
    /// Whether it must never be shown.
    pub is_secret: bool,
    /// One sentence.
    pub help: &'static str,
}

const fn variable(name: &'static str, of: &'static str) -> Variable {
    Variable { name, of, unit: "" }
}

/// Variables of settings.
pub const VARIABLES: &[Variable] = &[
    variable("ENVIRONMENT", "environment"),
    variable("DB_MAX_CONNECTIONS", "connectionPool.maxConnections"),
    variable("DB_CONNECTION_LIMIT", "connectionPool.maxConnections"),
    variable("DB_ACQUIRE_TIMEOUT", "connectionPool.acquireTimeout"),
    Variable { unit: "s", ..variable("DB_POOL_TIMEOUT", "connectionPool.acquireTimeout") },
    variable("ENABLE_CIRCUIT_BREAKER", "circuitBreaker.enabled"),
    variable("DB_CIRCUIT_BREAKER", "circuitBreaker.enabled"),
    variable("CB_FAILURE_THRESHOLD", "circuitBreaker.failureThreshold"),
    variable("DB_CB_FAILURE_THRESHOLD", "circuitBreaker.failureThreshold"),
    variable("CB_RECOVERY_TIMEOUT", "circuitBreaker.recoveryTimeout"),
    variable("DB_CB_TIMEOUT", "circuitBreaker.recoveryTimeout"),
    variable("DB_TIMEOUTS", "timeouts.enabled"),
    variable("DB_MONITORING", "monitoring.enabled"),
    variable("DB_HEALTH_CHECK_INTERVAL", "health.checkInterval"),
    variable("DB_ALERT_WEBHOOK_URL", "alerts.webhookUrl"),
    variable("CUSTOM_WEBHOOK_URL", "alerts.webhookUrl"),
    variable("DB_ALERT_HEALTH_SCORE_THRESHOLD", "alerts.healthScore"),
    variable("DB_ALERT_POOL_UTILIZATION_THRESHOLD", "alerts.poolUtilization"),
    variable("DB_ALERT_QUERY_TIME_THRESHOLD", "alerts.queryTime"),
    variable("DB_ALERT_ERROR_RATE_THRESHOLD", "alerts.errorRate"),
    variable("FEATURE_ENABLE_CONNECTION_POOL", "features.ENABLE_CONNECTION_POOL"),
    variable("FEATURE_ENABLE_STATE_MACHINE", "features.ENABLE_STATE_MACHINE"),
    variable("FEATURE_ENABLE_CIRCUIT_BREAKER", "features.ENABLE_CIRCUIT_BREAKER"),
    variable("FEATURE_ENABLE_ENTERPRISE_MONITORING", "features.ENABLE_ENTERPRISE_MONITORING"),
    variable("ENABLE_DETAILED_LOGGING", "features.ENABLE_DETAILED_LOGGING"),
    variable("FEATURE_ENABLE_DETAILED_LOGGING", "features.ENABLE_DETAILED_LOGGING"),
    variable("ROLLOUT_ENABLE_CONNECTION_POOL", "rollouts.ENABLE_CONNECTION_POOL"),
    variable("ROLLOUT_ENABLE_STATE_MACHINE", "rollouts.ENABLE_STATE_MACHINE"),
    variable("ROLLOUT_ENABLE_CIRCUIT_BREAKER", "rollouts.ENABLE_CIRCUIT_BREAKER"),
];

/// The variable that names the database.
pub const DATABASE_URL: &str = "TURSO_DATABASE_URL";
/// The one that names it where the first is not set.
pub const DATABASE_URL_ELSE: &str = "DATABASE_URL";
/// The variable that holds the token; a secret.
pub const AUTH_TOKEN: &str = "TURSO_AUTH_TOKEN";
/// The variable that lets a migration change production; see [`super::super::approval`].
pub const APPROVAL: &str = "PRODUCTION_MIGRATION_APPROVED";

/// The other variables.
pub const ADDRESSES: &[Address] = &[
    Address {
        name: DATABASE_URL,
        example: "libsql://your-database.turso.io",
        is_secret: false,
        help: "The database: libsql:, https:, http: or wss:.",
    },
    Address { name: AUTH_TOKEN, example: "", is_secret: true, help: "Its token." },
    Address {
        name: DATABASE_URL_ELSE,
        example: "",
        is_secret: true,
        help: "The database where TURSO_DATABASE_URL is not set. It may hold a password, and is never shown.",
    },
    Address {
        name: "REDIS_URL",
        example: "",
        is_secret: true,
        help: "Redis, for your own client: nothing here reads it.",
    },
    Address {
        name: "MONGODB_URL",
        example: "",
        is_secret: true,
        help: "MongoDB, for your own client: nothing here reads it.",
    },
    Address {
        name: "SEAWALL_CRYPTO_KEY",
        example: "",
        is_secret: true,
        help: "Keys that `seawall/records` encrypts connection strings with: 32 random bytes each as base64 or hex, parted by commas, the newest first.",
    },
    Address { name: "PG_META_CRYPTO_KEY", example: "", is_secret: true, help: "An older name of SEAWALL_CRYPTO_KEY." },
    Address {
        name: APPROVAL,
        example: "",
        is_secret: false,
        help: "Lets a migration change production, if it is exactly \"true\".",
    },
];

/// A name for several settings at once: they hold where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Paths and values, as a variable would have them.
    pub settings: &'static [(&'static str, &'static str)],
}

/// Every preset.
pub const PRESETS: &[Preset] = &[
    Preset { name: "prisma", settings: &[("circuitBreaker.recoveryTimeout", "60000")] },
    Preset { name: "sqlite", settings: &[("circuitBreaker.recoveryTimeout", "60000")] },
];
