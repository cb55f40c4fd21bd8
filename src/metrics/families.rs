//! The ONE list of what is measured: canonical names. `aliases` says it again by the names of older systems.

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How values are spread.
    Histogram,
}

impl Kind {
    /// The name in both text formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// Its name in OpenTelemetry.
    pub otlp_name: &'static str,
    /// Its unit in OpenTelemetry (UCUM).
    pub unit: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
}

macro_rules! families {
    ($($(#[$doc:meta])* $id:ident: $kind:ident, $name:literal, $otlp:literal, $unit:literal, [$($label:literal),*], $help:literal;)*) => {
        $($(#[$doc])* #[doc = $help] pub const $id: &str = $name;)*
        /// All of them, in the order in which they are shown.
        pub const FAMILIES: &[Family] = &[
            $(Family { name: $name, otlp_name: $otlp, unit: $unit, kind: Kind::$kind, labels: &[$($label),*], help: $help },)*
        ];
    };
}

families! {
    DURATION: Histogram, "db_client_operation_duration_seconds", "db.client.operation.duration", "s",
        ["db_system_name", "db_namespace", "error_type"], "Time from the start of an attempt to its end, if its caller stayed.";
    CONNECTIONS: Gauge, "db_client_connections", "db.client.connection.count", "{connection}",
        ["pool", "state"], "Connections of the pool: used by an operation, or idle.";
    CONNECTION_MAX: Gauge, "db_client_connection_max", "db.client.connection.max", "{connection}",
        ["pool"], "Most connections at once.";
    CONNECTION_IDLE_MAX: Gauge, "db_client_connection_idle_max", "db.client.connection.idle.max", "{connection}",
        ["pool"], "Most connections that may be idle.";
    CONNECTION_IDLE_MIN: Gauge, "db_client_connection_idle_min", "db.client.connection.idle.min", "{connection}",
        ["pool"], "Connections that are kept warm.";
    CONNECTION_PENDING: Gauge, "db_client_connection_pending_requests", "db.client.connection.pending_requests", "{request}",
        ["pool"], "Operations that wait for a connection.";
    CONNECTION_TIMEOUTS: Counter, "db_client_connection_timeouts_total", "db.client.connection.timeouts", "{timeout}",
        ["pool"], "Operations that got no connection in time.";
    CONNECTION_WAIT: Histogram, "db_client_connection_wait_time_seconds", "db.client.connection.wait_time", "s",
        ["pool"], "Time for which an operation that had to wait for a connection waited until it got one.";
    CONNECTION_USE: Histogram, "db_client_connection_use_time_seconds", "db.client.connection.use_time", "s",
        ["pool"], "Time from taking a connection to giving it back.";
    CONNECTION_CREATE: Histogram, "db_client_connection_create_time_seconds", "db.client.connection.create_time", "s",
        ["pool"], "Time that it took to set up a connection, where there is something to set up.";
    CONNECTION_EVENTS: Counter, "seawall_connection_events_total", "seawall.connection.events", "{event}",
        ["pool", "event"], "Steps in the lives of connections.";
    OPERATIONS: Counter, "seawall_operations_total", "seawall.operations", "{operation}",
        ["pool", "outcome"], "Attempts that ended, by how.";
    REFUSALS: Counter, "seawall_refusals_total", "seawall.refusals", "{operation}",
        ["pool", "code"], "Operations that a policy ended, by code.";
    SLOW: Counter, "seawall_slow_operations_total", "seawall.slow_operations", "{operation}",
        ["pool"], "Attempts that took longer than the limit.";
    IN_FLIGHT: Gauge, "seawall_operations_in_flight", "seawall.operations_in_flight", "{operation}",
        ["pool"], "Operations that have begun and not ended.";
    TIMEOUTS: Counter, "seawall_timeouts_total", "seawall.timeouts", "{timeout}",
        ["pool", "kind"], "What took too long: an attempt, waiting for a connection (acquire), or an operation before it was sent (deadline).";
    RETRIES: Counter, "seawall_retries_total", "seawall.retries", "{retry}",
        ["pool", "reason"], "Attempts that were made again, by how the one before ended.";
    RETRIES_DENIED: Counter, "seawall_retries_denied_total", "seawall.retries_denied", "{retry}",
        ["pool"], "Retries that the budget did not allow.";
    HEDGES: Counter, "seawall_hedges_total", "seawall.hedges", "{leg}",
        ["pool", "result"], "Second legs of slow reads: all that were sent, and those that answered first (won).";
    CIRCUIT_STATE: Gauge, "seawall_circuit_breaker_state", "seawall.circuit_breaker.state", "1",
        ["pool", "state"], "1 for the state that the circuit is in, 0 for the others. Of several isolates the worst counts.";
    CIRCUIT_TRANSITIONS: Counter, "seawall_circuit_breaker_transitions_total", "seawall.circuit_breaker.transitions", "{transition}",
        ["pool", "from", "to"], "Changes of the circuit.";
    CIRCUIT_FAILURES: Gauge, "seawall_circuit_breaker_failures", "seawall.circuit_breaker.failures", "{failure}",
        ["pool"], "Failures in the circuit's window. Of several isolates the most.";
    UTILIZATION: Gauge, "seawall_pool_utilization_ratio", "seawall.pool.utilization", "1",
        ["pool"], "Connections in use, as a share of the most that may be.";
    HEALTH_SCORE: Gauge, "seawall_health_score", "seawall.health.score", "1",
        [], "How healthy the first database is, 0 to 100, as the health document of this isolate has it.";
    CACHE_REQUESTS: Counter, "seawall_cache_requests_total", "seawall.cache.requests", "{request}",
        ["pool", "result"], "Reads that may be kept: served from memory (hit, or stale beyond its time), or not (miss).";
    CACHE_ENTRIES: Gauge, "seawall_cache_entries", "seawall.cache.entries", "{entry}",
        ["pool"], "Results that are kept.";
    CACHE_UTILIZATION: Gauge, "seawall_cache_utilization_ratio", "seawall.cache.utilization", "1",
        ["pool"], "Results that are kept, as a share of the most that may be.";
    NAMED_OPERATIONS: Counter, "seawall_named_operations_total", "seawall.named_operations", "{operation}",
        ["pool", "operation", "table"], "Operations that their callers named.";
    NAMED_FAILURES: Counter, "seawall_named_operations_failed_total", "seawall.named_operations.failed", "{operation}",
        ["pool", "operation", "table"], "Of those, the ones that gave no value.";
    NAMED_DURATION: Counter, "seawall_named_operations_seconds_total", "seawall.named_operations.duration", "s",
        ["pool", "operation", "table"], "Time that they took in all, waits and retries included.";
    HINTS: Counter, "seawall_shared_hints_total", "seawall.shared_hints", "{hint}",
        ["pool", "result"], "Hints of other isolates: merged, refused as garbage, or lost because the store failed.";
    WASM_RESTARTS: Counter, "seawall_wasm_restarts_total", "seawall.wasm_restarts", "{restart}",
        ["module"], "Wasm instances that trapped and were replaced, by what ran in them: the policies (core), the routes (monitor), or both (worker).";
    ADMIN_REQUESTS: Counter, "seawall_admin_requests_total", "seawall.admin.requests", "{request}",
        ["route", "status"], "Requests to the routes of operators and their tools, by class of status.";
    AUTH_FAILURES: Counter, "seawall_admin_auth_failures_total", "seawall.admin.auth_failures", "{request}",
        ["reason"], "Requests to those routes that were not let in, or not let do what they wanted.";
    WEBHOOKS: Counter, "seawall_webhook_deliveries_total", "seawall.webhook.deliveries", "{delivery}",
        ["sink", "outcome"], "Alerts sent to a receiver, by what became of the attempt.";
    DROPPED: Counter, "seawall_dropped_observations_total", "seawall.dropped_observations", "{observation}",
        ["reason"], "What was not counted: values that cannot be measured, names beyond the bound, deltas that nobody would take.";
    FLAG_EXPOSURES: Counter, "seawall_flag_exposures_total", "seawall.flag.exposures", "{exposure}",
        ["flag", "variant"], "How often somebody got a variant of a flag; without a variant where what was served has no name.";
    ISOLATES: Gauge, "seawall_isolates", "seawall.isolates", "{isolate}",
        [], "Isolates whose levels are in these numbers.";
    SCOPE: Gauge, "seawall_metrics_scope", "seawall.metrics.scope", "1",
        ["scope"], "1 for what these numbers are of: the fleet, from the strong store, or this isolate alone.";
    BUILD: Gauge, "seawall_build_info", "seawall.build_info", "1",
        ["version"], "1; the version is the label.";
}

/// Of these, the ones that are only used on the way: levels from which a shown one is worked out.
pub mod hidden {
    /// 0 closed, 1 half-open, 2 open.
    pub const CIRCUIT_LEVEL: &str = "circuit_level";
    /// Durations of the last minute's attempts, in milliseconds.
    pub const RECENT_MS: &str = "recent_ms";
    /// The last minute's attempts.
    pub const RECENT_ATTEMPTS: &str = "recent_attempts";
    /// Results that may be kept.
    pub const CACHE_MAX: &str = "cache_max";
}

/// The family of this name.
#[must_use]
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_say_what_they_are() {
        for (at, family) in FAMILIES.iter().enumerate() {
            assert!(!FAMILIES.iter().skip(at + 1).any(|other| other.name == family.name), "{}", family.name);
            assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
            assert!(family.help.ends_with('.') && !family.help.contains('\\'), "{}", family.name);
            assert_eq!(family.name.ends_with("_seconds"), family.kind == Kind::Histogram, "{}", family.name);
        }
    }
}
