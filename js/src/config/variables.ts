// Written from src/config/ by `UPDATE=1 cargo test --test conformance generated`. Do not edit.

/** Variables: name, path of the setting, and the unit of a bare number where it is not the setting's own. */
export const VARIABLES: readonly (readonly [name: string, path: string, unit: string])[] = [
  ["ENVIRONMENT", "environment", ""],
  ["DB_MAX_CONNECTIONS", "connectionPool.maxConnections", ""],
  ["DB_CONNECTION_LIMIT", "connectionPool.maxConnections", ""],
  ["DB_ACQUIRE_TIMEOUT", "connectionPool.acquireTimeout", ""],
  ["DB_POOL_TIMEOUT", "connectionPool.acquireTimeout", "s"],
  ["ENABLE_CIRCUIT_BREAKER", "circuitBreaker.enabled", ""],
  ["DB_CIRCUIT_BREAKER", "circuitBreaker.enabled", ""],
  ["CB_FAILURE_THRESHOLD", "circuitBreaker.failureThreshold", ""],
  ["DB_CB_FAILURE_THRESHOLD", "circuitBreaker.failureThreshold", ""],
  ["CB_RECOVERY_TIMEOUT", "circuitBreaker.recoveryTimeout", ""],
  ["DB_CB_TIMEOUT", "circuitBreaker.recoveryTimeout", ""],
  ["DB_TIMEOUTS", "timeouts.enabled", ""],
  ["DB_MONITORING", "monitoring.enabled", ""],
  ["DB_HEALTH_CHECK_INTERVAL", "health.checkInterval", ""],
  ["DB_ALERT_WEBHOOK_URL", "alerts.webhookUrl", ""],
  ["CUSTOM_WEBHOOK_URL", "alerts.webhookUrl", ""],
  ["DB_ALERT_HEALTH_SCORE_THRESHOLD", "alerts.healthScore", ""],
  ["DB_ALERT_POOL_UTILIZATION_THRESHOLD", "alerts.poolUtilization", ""],
  ["DB_ALERT_QUERY_TIME_THRESHOLD", "alerts.queryTime", ""],
  ["DB_ALERT_ERROR_RATE_THRESHOLD", "alerts.errorRate", ""],
  ["FEATURE_ENABLE_CONNECTION_POOL", "features.ENABLE_CONNECTION_POOL", ""],
  ["FEATURE_ENABLE_STATE_MACHINE", "features.ENABLE_STATE_MACHINE", ""],
  ["FEATURE_ENABLE_CIRCUIT_BREAKER", "features.ENABLE_CIRCUIT_BREAKER", ""],
  ["FEATURE_ENABLE_ENTERPRISE_MONITORING", "features.ENABLE_ENTERPRISE_MONITORING", ""],
  ["ENABLE_DETAILED_LOGGING", "features.ENABLE_DETAILED_LOGGING", ""],
  ["FEATURE_ENABLE_DETAILED_LOGGING", "features.ENABLE_DETAILED_LOGGING", ""],
  ["ROLLOUT_ENABLE_CONNECTION_POOL", "rollouts.ENABLE_CONNECTION_POOL", ""],
  ["ROLLOUT_ENABLE_STATE_MACHINE", "rollouts.ENABLE_STATE_MACHINE", ""],
  ["ROLLOUT_ENABLE_CIRCUIT_BREAKER", "rollouts.ENABLE_CIRCUIT_BREAKER", ""],
];

/** Presets: paths and values, as a variable would have them. */
export const PRESETS: Readonly<Record<string, readonly (readonly [path: string, text: string])[]>> = {
  prisma: [["circuitBreaker.recoveryTimeout", "60000"]],
  sqlite: [["circuitBreaker.recoveryTimeout", "60000"]],
};

/** The version of the settings' names that this release writes. */
export const SCHEMA_VERSION = 2;

/** What each version calls otherwise than the one before. */
export const RENAMED: readonly (readonly (readonly [old: string, now: string])[])[] = [
  [
    ["busyTimeout", "sqlite.busyTimeout"],
    ["circuitBreaker.retry", "retry"],
  ],
];
