//! The same health in the shape of draft-inadarei-api-health-check-06, which monitors ask for as `application/health+json`.
//!
//! `fail` is what the other document calls `unhealthy`, `warn` is `degraded`: they have the same HTTP status. The first
//! database decides; another that fails makes it `warn`. Each check has one line for each database, with its name as
//! `componentId`. Everything is this isolate's own, and says so.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::{DatabaseFacts, Facts};
use super::health::{
    ERROR_RATE_MAX, Health, HealthFacts, HealthState, QUERY_TIME_MAX_MS, UTILIZATION_MAX, percent, ratio, to_tenth,
};
use super::score::{Gates, Score};
use super::short_number;
use super::timestamp::iso8601;
use crate::clock::Instant;

/// Raised when a reader of the document would have to change.
const VERSION: &str = "1";

/// Says whose the numbers are.
pub const NOTE: &str = "Counters, states and uptime are those of the one isolate that answered, not of all.";

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthJson {
    /// In one word.
    pub status: Word,
    version: &'static str,
    release_id: &'static str,
    service_id: &'static str,
    description: &'static str,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    output: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<&'static str, Vec<Check>>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Well.
    Pass,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    #[serde(skip_serializing_if = "String::is_empty")]
    component_id: String,
    component_type: &'static str,
    observed_value: Observed,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_unit: Option<&'static str>,
    status: Word,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    affected_endpoints: Vec<String>,
    time: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    output: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Observed {
    Number(#[serde(serialize_with = "short_number")] f64),
    Text(String),
    Nothing(()),
}

impl HealthJson {
    /// The health of all databases. `base_path` is where the routes lie.
    #[must_use]
    pub fn of(facts: &Facts, gates: Gates, base_path: &str) -> Self {
        let mut checks: BTreeMap<&'static str, Vec<Check>> = BTreeMap::new();
        let mut word = Word::Pass;
        let mut output = Vec::new();
        for (index, database) in facts.databases.iter().enumerate() {
            let health = Health::of(&HealthFacts::of_one(facts, database));
            let own = Word::of(health.status);
            word = word.max(if index == 0 { own } else { own.min(Word::Warn) });
            output.extend(health.alerts().map(|message| format!("{}: {message}", database.name)));
            let affected = if index == 0 { vec![format!("{base_path}/health/ready")] } else { Vec::new() };
            for (key, mut check) in checks_of(database, facts.now(), gates) {
                if check.status == Word::Fail {
                    check.affected_endpoints.clone_from(&affected);
                }
                checks.entry(key).or_default().push(check);
            }
        }
        for (key, value, unit) in
            [("uptime", facts.uptime_ms as f64 / 1_000.0, "s"), ("memory:wasm", facts.memory_bytes as f64, "B")]
        {
            let check = Check { component_type: "system", ..Check::passing(String::new(), facts.now()) };
            let check = Check { observed_value: Observed::Number(value), observed_unit: Some(unit), ..check };
            checks.entry(key).or_default().push(check);
        }
        Self { output: output.join(" "), checks, ..Self::empty(word) }
    }

    /// For a host that cannot say how anything is; `problem` says why.
    #[must_use]
    pub fn unknown(problem: &str) -> Self {
        Self { output: problem.to_owned(), ..Self::empty(Word::Fail) }
    }

    fn empty(status: Word) -> Self {
        Self {
            status,
            version: VERSION,
            release_id: env!("CARGO_PKG_VERSION"),
            service_id: "seawall",
            description: "Databases as one isolate sees them",
            notes: vec![NOTE.to_owned()],
            output: String::new(),
            checks: BTreeMap::new(),
        }
    }
}

fn checks_of(database: &DatabaseFacts, now: Instant, gates: Gates) -> Vec<(&'static str, Check)> {
    let DatabaseFacts { name, probe, status, .. } = database;
    let (pool, recent) = (&status.pool, &status.recent);
    let passing = || Check::passing(name.clone(), now);
    let number = |value: f64, unit, word| Check {
        observed_value: Observed::Number(value),
        observed_unit: Some(unit),
        status: word,
        ..passing()
    };
    let warn_if = |is_bad| if is_bad { Word::Warn } else { Word::Pass };
    let response = match probe {
        Some(probe) => Check {
            time: iso8601(Instant(probe.at_ms)),
            output: if probe.is_connected { String::new() } else { "The database does not answer.".to_owned() },
            ..number(probe.duration_ms as f64, "ms", if probe.is_connected { Word::Pass } else { Word::Fail })
        },
        None => Check {
            observed_value: Observed::Nothing(()),
            status: Word::Fail,
            output: "It was not asked yet.".to_owned(),
            ..passing()
        },
    };
    let circuit = match status.breaker.state.as_ref() {
        "CLOSED" => Word::Pass,
        "OPEN" => Word::Fail,
        _ => Word::Warn,
    };
    let breaker = Check {
        component_type: "component",
        observed_value: Observed::Text(status.breaker.state.to_string()),
        status: circuit,
        ..passing()
    };
    let utilization = percent(ratio(u64::from(pool.borrowed), u64::from(pool.max)));
    let average = to_tenth(recent.average_ms());
    let errors = percent(ratio(recent.failing, recent.healthy + recent.failing));
    let component = |check: Check| Check { component_type: "component", ..check };
    let score = Score::of(database, now);
    let score_word = match score.critical() {
        0 => warn_if(score.score < gates.deploy),
        _ => Word::Fail,
    };
    let reasons: Vec<_> = score.parts.iter().map(|part| format!("{} -{}", part.name, part.points)).collect();
    vec![
        ("libsql:responseTime", response),
        ("libsql:averageQueryTime", number(average, "ms", warn_if(average > QUERY_TIME_MAX_MS))),
        ("libsql:errorRate", number(errors, "percent", warn_if(errors > ERROR_RATE_MAX))),
        ("pool:utilization", component(number(utilization, "percent", warn_if(utilization > UTILIZATION_MAX)))),
        ("pool:connections", component(number(f64::from(pool.borrowed), "connections", Word::Pass))),
        ("breaker:state", breaker),
        (
            "health:score",
            Check { output: reasons.join(", "), ..component(number(f64::from(score.score), "points", score_word)) },
        ),
    ]
}

impl Check {
    fn passing(component_id: String, now: Instant) -> Self {
        Self {
            component_id,
            component_type: "datastore",
            observed_value: Observed::Nothing(()),
            observed_unit: None,
            status: Word::Pass,
            affected_endpoints: Vec::new(),
            time: iso8601(now),
            output: String::new(),
        }
    }
}

impl Word {
    const fn of(state: HealthState) -> Self {
        match state {
            HealthState::Healthy => Self::Pass,
            HealthState::Degraded => Self::Warn,
            HealthState::Unhealthy => Self::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::facts::ProbeFacts;
    use crate::report::status::{BreakerStatus, PoolStatus, Recent, Status};

    fn database(name: &str, circuit: &'static str, is_connected: bool) -> DatabaseFacts {
        let breaker = BreakerStatus { state: circuit.into(), ..BreakerStatus::default() };
        let pool = PoolStatus { max: 10, borrowed: 3, ..PoolStatus::default() };
        let recent = Recent { healthy: 95, failing: 5, duration_ms: 4_500, ..Recent::default() };
        DatabaseFacts {
            name: name.to_owned(),
            probe: Some(ProbeFacts { is_connected, at_ms: 1_704_067_199_000, duration_ms: 7 }),
            status: Status { breaker, pool, recent, ..Status::default() },
            ..DatabaseFacts::default()
        }
    }

    fn written(databases: Vec<DatabaseFacts>) -> serde_json::Value {
        let facts = Facts {
            now_ms: 1_704_067_200_000,
            uptime_ms: 90_500,
            memory_bytes: 1_114_112,
            databases,
            ..Facts::default()
        };
        serde_json::to_value(HealthJson::of(&facts, Gates::default(), "/api")).unwrap_or_default()
    }

    /// HLT-31: the detailed documents tell the memory of the wasm instance in bytes.
    #[test]
    fn a_database_that_is_well_reads_as_documented() {
        let time = "2024-01-01T00:00:00.000Z";
        let of = |kind, value: serde_json::Value, unit| {
            json!([{
                "componentId": "primary", "componentType": kind, "observedValue": value, "observedUnit": unit,
                "status": "pass", "time": time
            }])
        };
        let mut expected = json!({
            "status": "pass",
            "version": "1",
            "releaseId": env!("CARGO_PKG_VERSION"),
            "serviceId": "seawall",
            "description": "Databases as one isolate sees them",
            "notes": [NOTE],
            "checks": {
                "libsql:responseTime": of("datastore", 7.into(), "ms"),
                "libsql:averageQueryTime": of("datastore", 45.into(), "ms"),
                "libsql:errorRate": of("datastore", 5.into(), "percent"),
                "pool:utilization": of("component", 30.into(), "percent"),
                "pool:connections": of("component", 3.into(), "connections"),
                "breaker:state": [{
                    "componentId": "primary", "componentType": "component", "observedValue": "CLOSED",
                    "status": "pass", "time": time
                }],
                "health:score": of("component", 90.into(), "points"),
                "uptime": [{
                    "componentType": "system", "observedValue": 90.5, "observedUnit": "s", "status": "pass", "time": time
                }],
                "memory:wasm": [{
                    "componentType": "system", "observedValue": 1_114_112, "observedUnit": "B", "status": "pass",
                    "time": time
                }]
            }
        });
        expected["checks"]["libsql:responseTime"][0]["time"] = "2023-12-31T23:59:59.000Z".into();
        expected["checks"]["health:score"][0]["output"] = "errorRate -10".into();
        assert_eq!(written(vec![database("primary", "CLOSED", true)]), expected);
    }

    #[test]
    fn the_first_database_decides_and_the_others_warn() {
        let status = |first: DatabaseFacts, second: DatabaseFacts| written(vec![first, second])["status"].clone();
        let well = || database("primary", "CLOSED", true);
        assert_eq!(status(well(), database("other", "CLOSED", true)), "pass");
        assert_eq!(status(well(), database("other", "OPEN", false)), "warn");
        assert_eq!(status(database("primary", "OPEN", true), well()), "fail");
        assert_eq!(status(database("primary", "HALF_OPEN", true), well()), "warn");
    }

    #[test]
    fn what_fails_says_so_and_whom_it_affects() {
        let document = written(vec![database("primary", "OPEN", false), database("other", "OPEN", false)]);
        let checks = &document["checks"];
        assert_eq!(checks["breaker:state"][0]["status"], "fail");
        assert_eq!(checks["breaker:state"][0]["affectedEndpoints"], json!(["/api/health/ready"]));
        assert_eq!(checks["breaker:state"][1]["affectedEndpoints"], json!(null));
        assert_eq!(checks["libsql:responseTime"][0]["output"], "The database does not answer.");
        assert_eq!(checks["health:score"][0]["status"], "fail");
        let output = document["output"].as_str().unwrap_or_default();
        assert!(output.contains("primary: The circuit is OPEN") && output.contains("other: "), "{output}");
    }

    #[test]
    fn nothing_known_is_a_failure_and_divides_by_nothing() {
        let document = written(vec![DatabaseFacts::default()]);
        assert_eq!(document["checks"]["libsql:responseTime"][0]["observedValue"], json!(null));
        assert_eq!(document["status"], "fail");
        assert_eq!(serde_json::to_value(HealthJson::unknown("Why.")).unwrap_or_default()["output"], "Why.");
    }
}
