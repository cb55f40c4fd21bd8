//! The health routes: the document, liveness, readiness, the score, and everything at a glance.

use std::collections::BTreeMap;

use serde::Serialize;

use super::accept::prefers;
use super::alerts;
use super::call::Call;
use super::exchange::{Answer, Cx, Next, Question};
use super::{Problem, Response};
use crate::flags::ratio::Mismatch;
use crate::monitor::Settings;
use crate::report::facts::Facts;
use crate::report::flags::{FAILING_MAX, FlagsSeen, MISMATCHES_MAX, MismatchSeen, RefusedSeen};
use crate::report::health::{Health, HealthFacts};
use crate::report::health_json::{HealthJson, Word};
use crate::report::overview::Overview;
use crate::report::probe::INTERVAL_MS;
use crate::report::score::{Gates, Score};
use crate::report::short_number;
use crate::report::timestamp::iso8601;

#[derive(Serialize)]
struct Liveness {
    alive: bool,
    timestamp: String,
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem<'a>>,
}

#[derive(Serialize)]
struct Scores<'a> {
    scope: &'static str,
    timestamp: String,
    /// The worst database's.
    score: u8,
    critical: usize,
    gates: AllGates,
    databases: BTreeMap<&'a str, Score>,
}

#[derive(Serialize)]
struct AllGates {
    deploy: Gate,
    alert: Gate,
    custom: Gate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    #[serde(serialize_with = "short_number")]
    score_min: f64,
    passes: bool,
}

#[derive(Serialize)]
struct Unknown<'a> {
    status: &'static str,
    timestamp: String,
    error: Problem<'a>,
}

/// Says whose the numbers are: not all of them fit into the documents, whose shapes are others'.
const SCOPE: (&str, &str) = ("seawall-scope", "isolate");

/// The whole document, in one of two shapes.
pub(super) fn document(call: &Call, _: &mut Cx<'_>) -> Next {
    let request = &call.request;
    if request.header("accept").is_some_and(|accept| prefers(accept, HEALTH_JSON, JSON)) {
        return ask(ALL, |facts, cx| {
            let Settings { health_score, base_path, .. } = cx.monitor.settings();
            let health = match facts {
                Ok(facts) => HealthJson::of(&facts, *health_score, base_path),
                Err(error) => HealthJson::unknown(error.detail),
            };
            labelled(Response::json(status_of(health.status != Word::Fail), HEALTH_JSON, &health))
        });
    }
    ask(FIRST, |facts, cx| match facts {
        Ok(facts) => {
            let mut health = HealthFacts::of(&facts).map(|facts| Health::of(&facts));
            if let (Some(health), Some(first)) = (&mut health, facts.databases.first()) {
                alerts::add_to(health, &first.name, cx.monitor.alerts());
            }
            // A reason to look, and none to send traffic elsewhere.
            let found = mismatches(facts.flag_mismatches, cx);
            if let Some(health) = &mut health
                && !found.is_empty()
            {
                let reasons: Vec<&str> = found.iter().map(|mismatch| mismatch.reason.as_str()).collect();
                health.add("sampleRatio", "warning", reasons.join(" "));
            }
            let is_ready = health.as_ref().is_some_and(|health| health.status.is_ready());
            labelled(Response::json(status_of(is_ready), JSON, &health))
        }
        Err(error) => {
            labelled(Response::json(503, JSON, &Unknown { status: "unhealthy", timestamp: iso8601(cx.now), error }))
        }
    })
}

/// Whether the code runs: no I/O.
pub(super) fn liveness(_: &Call, cx: &mut Cx<'_>) -> Next {
    Next::Respond(Response::json(200, JSON, &Liveness { alive: true, timestamp: iso8601(cx.now) }))
}

/// Whether traffic should be sent here.
pub(super) fn readiness(_: &Call, _: &mut Cx<'_>) -> Next {
    ask(FIRST, |facts, cx| {
        let (ready, error) = match facts {
            Ok(facts) => (HealthFacts::of(&facts).is_some_and(|facts| Health::of(&facts).status.is_ready()), None),
            Err(error) => (false, Some(error)),
        };
        Response::json(status_of(ready), JSON, &Readiness { ready, timestamp: iso8601(cx.now), error })
    })
}

/// The score of each database, with what lowered it, and who would be let through.
pub(super) fn score(_: &Call, _: &mut Cx<'_>) -> Next {
    ask(ALL, |facts, cx| match facts {
        Ok(facts) => {
            let worst = Score::of_all(&facts).unwrap_or(Score { score: 0, parts: Vec::new() });
            let Settings { health_score: Gates { deploy, custom }, alerts, .. } = cx.monitor.settings();
            let alert = alerts.thresholds.health_score;
            let gate = |score_min| Gate { score_min, passes: worst.passes(score_min) };
            let document = Scores {
                scope: SCOPE.1,
                timestamp: iso8601(cx.now),
                score: worst.score,
                critical: worst.critical(),
                gates: AllGates { deploy: gate((*deploy).into()), alert: gate(alert), custom: gate((*custom).into()) },
                databases: facts.databases.iter().map(|it| (it.name.as_str(), Score::of(it, facts.now()))).collect(),
            };
            Response::json(200, JSON, &document)
        }
        Err(error) => error.response(),
    })
}

/// Everything at a glance.
pub(super) fn overview(_: &Call, _: &mut Cx<'_>) -> Next {
    ask(ALL, |facts, cx| match facts {
        Ok(facts) => {
            let (monitor, admin) = (&*cx.monitor, &cx.monitor.settings().admin);
            let overview = Overview::of(&facts, monitor.is_metered());
            let (is_cached, interval_ms) = (admin.follow_cache, admin.follow_interval_ms);
            let overview = overview.with_orders(monitor.orders(), monitor.follow(), is_cached, interval_ms);
            let overview = overview.with_flags(flags_of(facts.flag_mismatches, cx));
            Response::json(200, JSON, &overview)
        }
        Err(error) => error.response(),
    })
}

/// FLG-12: whether flags are there, how old they are, and whether each of them evaluates.
fn flags_of(of_application: Vec<Mismatch>, cx: &mut Cx<'_>) -> FlagsSeen {
    let now = cx.now;
    let mismatches = mismatches(of_application, cx);
    let state = cx.monitor.flags(now);
    let table = state.flags().table();
    FlagsSeen {
        ready: state.is_ready(),
        revision: table.revision(),
        version: state.version(),
        kill_version: state.kill_version(),
        age_ms: state.age_ms(now),
        count: table.all().len(),
        warnings: state.warnings(),
        failing: state.failing().iter().take(FAILING_MAX).cloned().collect(),
        mismatches,
        refused: state.refused().map(|refused| RefusedSeen { version: refused.version, faults: refused.faults.len() }),
    }
}

/// FLG-07: the flags whose users were not split as their rules say, by OFREP and in the application.
fn mismatches(of_application: Vec<Mismatch>, cx: &mut Cx<'_>) -> Vec<MismatchSeen> {
    let now = cx.now;
    let own = cx.monitor.flags(now).mismatches(MISMATCHES_MAX);
    let own = own.into_iter().map(|mismatch| MismatchSeen::of(mismatch, "ofrep"));
    let others = of_application.into_iter().map(|mismatch| MismatchSeen::of(mismatch, "application"));
    own.chain(others).take(MISMATCHES_MAX).collect()
}

const JSON: &str = "application/json";
const HEALTH_JSON: &str = "application/health+json";

const FIRST: Question = Question::Facts { probe_age_max_ms: Some(INTERVAL_MS) };
const ALL: Question = Question::AllFacts { probe_age_max_ms: INTERVAL_MS };

/// Asks how the databases are; there is one at least.
fn ask(question: Question, answer: impl FnOnce(Result<Facts, Problem<'_>>, &mut Cx<'_>) -> Response + 'static) -> Next {
    Next::ask(question, |found, cx| {
        let unknown = |detail| Problem {
            code: "CONFIGURATION_INVALID",
            title: "Unusable settings",
            status: 503,
            detail,
            instance: None,
        };
        let response = match found {
            Answer::Facts(mut facts) if !facts.databases.is_empty() => {
                facts.uptime_ms = cx.monitor.uptime_ms(facts.uptime_ms);
                answer(Ok(facts), cx)
            }
            Answer::Facts(_) => answer(Err(unknown("No database was given to watch.")), cx),
            // Its words are the host's own, and hold no values.
            other => answer(Err(unknown(&other.problem())), cx),
        };
        Next::Respond(response)
    })
}

const fn status_of(is_ready: bool) -> u16 {
    if is_ready { 200 } else { 503 }
}

fn labelled(mut response: Response) -> Response {
    response.headers.push(("vary", "accept".to_owned()));
    response.headers.push((SCOPE.0, SCOPE.1.to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::http::Request;
    use crate::http::routes::begin;
    use crate::monitor::Monitor;
    use crate::report::facts::{DatabaseFacts, Facts, ProbeFacts};
    use crate::report::status::{BreakerStatus, PoolStatus, Status};

    fn facts(circuit: &'static str, is_connected: bool) -> Facts {
        let breaker = BreakerStatus { state: circuit.into(), ..BreakerStatus::default() };
        let status = Status { breaker, pool: PoolStatus { max: 5, ..PoolStatus::default() }, ..Status::default() };
        let probe = Some(ProbeFacts { is_connected, ..ProbeFacts::default() });
        let database = DatabaseFacts { name: "primary".to_owned(), probe, status, ..DatabaseFacts::default() };
        Facts { now_ms: 1_704_067_200_000, databases: vec![database], ..Facts::default() }
    }

    fn ask(method: &str, path: &str, accept: Option<&str>, answer: Answer) -> Response {
        let mut monitor = Monitor::default();
        let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
        let headers = accept.map(|accept| ("accept".to_owned(), accept.to_owned())).into_iter().collect();
        let request = Request { method: method.to_owned(), path: path.to_owned(), headers, ..Request::default() };
        match begin(&request, &mut cx) {
            Next::Ask(Question::Facts { .. } | Question::AllFacts { .. }, then) => match then(answer, &mut cx) {
                Next::Respond(response) => response,
                _ => panic!("it asks again"),
            },
            _ => panic!("it does not ask"),
        }
    }

    #[test]
    fn only_an_unhealthy_database_answers_503() {
        let table = [
            (facts("CLOSED", true), 200, "healthy", true),
            (facts("HALF_OPEN", true), 200, "degraded", true),
            (facts("OPEN", true), 503, "unhealthy", false),
            (facts("CLOSED", false), 503, "unhealthy", false),
        ];
        for (facts, status, state, is_ready) in table {
            let health = ask("GET", "/api/health", None, Answer::Facts(facts.clone()));
            assert_eq!(health.status, status, "{state}");
            assert!(health.body.starts_with(&format!(r#"{{"status":"{state}","#)), "{}", health.body);
            let ready = ask("GET", "/api/health/ready", None, Answer::Facts(facts));
            assert_eq!(ready.status, status);
            assert_eq!(ready.body, format!(r#"{{"ready":{is_ready},"timestamp":"2024-01-01T00:00:00.000Z"}}"#));
        }
    }

    #[test]
    fn the_media_type_is_what_was_asked_for() {
        let accept = Some("application/health+json, application/json;q=0.5");
        let response = ask("GET", "/api/health", accept, Answer::Facts(facts("CLOSED", true)));
        assert_eq!(response.header("content-type"), Some("application/health+json"));
        assert!(response.body.starts_with(r#"{"status":"pass","version":"1","#), "{}", response.body);
        assert_eq!(response.header("vary"), Some("accept"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let response = ask("GET", "/api/health", Some("*/*"), Answer::Facts(facts("CLOSED", true)));
        assert_eq!(response.header("content-type"), Some("application/json"));
    }

    #[test]
    fn a_head_has_the_status_and_no_body() {
        let response = ask("HEAD", "/api/health", None, Answer::Facts(facts("CLOSED", false)));
        assert_eq!((response.status, response.body.as_str()), (503, ""));
    }

    #[test]
    fn unusable_settings_are_a_problem_that_says_so() {
        let failed = || Answer::Failed("TURSO_DATABASE_URL is not set.".to_owned());
        let response = ask("GET", "/api/health", None, failed());
        assert_eq!(response.status, 503);
        assert!(response.body.contains("TURSO_DATABASE_URL") && response.body.contains("unhealthy"));
        let ready = ask("GET", "/api/health/ready", None, failed());
        assert_eq!(ready.status, 503);
        assert!(ready.body.starts_with(r#"{"ready":false,"#) && ready.body.contains("CONFIGURATION_INVALID"));
        let draft = ask("GET", "/api/health", Some("application/health+json"), failed());
        assert_eq!(draft.status, 503);
        assert!(draft.body.contains(r#""status":"fail""#) && draft.body.contains("TURSO_DATABASE_URL"));
        for path in ["/api/health/score", "/api/status"] {
            let response = ask("GET", path, None, failed());
            assert_eq!((response.status, response.header("content-type")), (503, Some("application/problem+json")));
        }
    }

    #[test]
    fn both_shapes_have_the_same_status() {
        let accept = Some("application/health+json");
        for (circuit, is_connected) in [("CLOSED", true), ("HALF_OPEN", true), ("OPEN", true), ("CLOSED", false)] {
            let [own, draft] = [None, accept]
                .map(|accept| ask("GET", "/api/health", accept, Answer::Facts(facts(circuit, is_connected))).status);
            assert_eq!(own, draft, "{circuit} {is_connected}");
        }
    }

    /// HLT-26: the score of each database, with what lowered it, and whether a deployment may go on.
    #[test]
    fn the_score_says_why_and_who_is_let_through() {
        let of = |facts| ask("GET", "/api/health/score", None, Answer::Facts(facts)).body;
        let well = r#"{"score":80,"parts":[{"name":"unknown","points":20,"isCritical":false}]}"#;
        let gates = |deploy, alert, custom| {
            format!(r#"{{"deploy":{{"scoreMin":85,"passes":{deploy}}},"alert":{{"scoreMin":70,"passes":{alert}}},"#)
                + &format!(r#""custom":{{"scoreMin":80,"passes":{custom}}}}}"#)
        };
        let head = r#"{"scope":"isolate","timestamp":"2024-01-01T00:00:00.000Z","#;
        assert_eq!(
            of(facts("CLOSED", true)),
            format!(
                r#"{head}"score":80,"critical":0,"gates":{},"databases":{{"primary":{well}}}}}"#,
                gates(false, true, true)
            )
        );
        let open = of(facts("OPEN", true));
        assert!(open.contains(r#""score":40,"critical":1"#) && open.contains(&gates(false, false, false)), "{open}");
    }

    /// HLT-08: the uptime never goes back, whatever the host's clock does.
    #[test]
    fn the_uptime_never_goes_back() {
        let mut monitor = Monitor::default();
        let mut uptime = |ms| {
            let facts = Facts { uptime_ms: ms, ..facts("CLOSED", true) };
            let mut cx = Cx { monitor: &mut monitor, now: Instant(1_704_067_200_000), random: 0 };
            let Next::Ask(_, then) = document(&Call::open(&Request::default(), ""), &mut cx) else {
                panic!("it does not ask")
            };
            let Next::Respond(response) = then(Answer::Facts(facts), &mut cx) else { panic!("it asks again") };
            let body: serde_json::Value = serde_json::from_str(&response.body).unwrap_or_default();
            body["uptime"].as_u64()
        };
        assert_eq!([uptime(5_000), uptime(0), uptime(4_000), uptime(6_000)], [5_000, 5_000, 5_000, 6_000].map(Some));
    }

    /// Z-13: what is one isolate's says so, where the shape of the document allows it and in a header.
    #[test]
    fn what_is_one_isolates_says_so() {
        let response = |path, accept| ask("GET", path, accept, Answer::Facts(facts("CLOSED", true)));
        assert_eq!(response("/api/health", None).header("seawall-scope"), Some("isolate"));
        let draft = response("/api/health", Some("application/health+json"));
        assert!(draft.body.contains("the one isolate that answered"));
        for path in ["/api/health/score", "/api/status"] {
            assert!(response(path, None).body.starts_with(r#"{"scope":"isolate","#));
        }
    }
}
