use serde_json::json;

use super::*;

const WELL: HealthFacts = HealthFacts {
    now: Instant(1_704_067_200_000),
    uptime_ms: 3_600_000,
    is_connected: true,
    leases_max: 10,
    leases_in_use: 3,
    operations: 2,
    recent_average_ms: 45.0,
    recent_failure_ratio: 0.0,
    slow: 2,
    successful: 1_250,
    failed: 5,
    timeouts: 0,
    circuit: CircuitFacts { state: Cow::Borrowed("CLOSED"), failures: 0, successes: 1_250, requests: 1_255 },
};

fn state_with(change: impl Fn(&mut HealthFacts)) -> HealthState {
    let mut facts = WELL;
    change(&mut facts);
    let health = Health::of(&facts);
    assert_eq!(health.alerts.is_empty(), health.status == HealthState::Healthy, "{health:?}");
    health.status
}

#[test]
fn a_healthy_database_reads_as_documented() {
    let expected = json!({
        "status": "healthy",
        "timestamp": "2024-01-01T00:00:00.000Z",
        "uptime": 3_600_000,
        "database": {
            "connected": true,
            "connectionPool": { "total": 10, "active": 3, "idle": 7, "utilization": 30 },
            "performance": {
                "averageQueryTime": 45,
                "slowQueries": 2,
                "successfulQueries": 1250,
                "failedQueries": 5,
                "errorRate": 0.4
            },
            "reliability": {
                "circuitBreaker": { "state": "CLOSED", "failures": 0, "successes": 1250, "requests": 1255 },
                "activeOperations": 2,
                "timeouts": 0
            }
        },
        "checks": {
            "connectivity": true, "queryPerformance": true, "poolHealth": true, "circuitBreakerState": true
        },
        "alerts": []
    });
    assert_eq!(serde_json::to_value(Health::of(&WELL)).ok(), Some(expected));
}

#[test]
fn each_rule_turns_exactly_beyond_its_limit() {
    use HealthState::{Degraded, Healthy, Unhealthy};
    assert_eq!(state_with(|facts| facts.leases_in_use = 8), Healthy);
    assert_eq!(state_with(|facts| facts.leases_in_use = 9), Degraded);
    assert_eq!(state_with(|facts| facts.recent_average_ms = 1_000.0), Healthy);
    assert_eq!(state_with(|facts| facts.recent_average_ms = 1_000.1), Degraded);
    assert_eq!(state_with(|facts| facts.recent_failure_ratio = 0.05), Healthy);
    assert_eq!(state_with(|facts| facts.recent_failure_ratio = 0.051), Degraded);
    assert_eq!(state_with(|facts| facts.circuit.state = "HALF_OPEN".into()), Degraded);
    assert_eq!(state_with(|facts| facts.circuit.state = "OPEN".into()), Unhealthy);
    assert_eq!(state_with(|facts| facts.is_connected = false), Unhealthy);
}

#[test]
fn failures_of_long_ago_do_not_keep_it_degraded() {
    assert_eq!(state_with(|facts| facts.failed = 1_000_000), HealthState::Healthy);
}

#[test]
fn an_idle_isolate_divides_by_nothing() {
    let facts = HealthFacts { leases_max: 0, leases_in_use: 0, successful: 0, failed: 0, ..WELL };
    let json = serde_json::to_value(Health::of(&facts)).unwrap_or_default();
    assert_eq!(json["database"]["connectionPool"]["utilization"], 0);
    assert_eq!(json["database"]["performance"]["errorRate"], 0);
    assert_eq!(json["status"], "healthy");
}
