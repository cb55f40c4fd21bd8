//! What is told of users who were not split as a rule says.

use super::*;
use crate::flags::ratio::Mismatch;
use crate::http::exchange::{Answer, Cx, Next};
use crate::http::routes;
use crate::report::facts::{DatabaseFacts, Facts, ProbeFacts};
use crate::report::status::{BreakerStatus, Status};

/// FLG-07: users who were not split as a rule says are a reason in the status, in the health document and in the explanation of the
/// flag, by OFREP and in the application; no score falls for them, and a fair split is none.
#[test]
fn users_who_were_not_split_as_they_should_be_are_a_reason_in_the_status_of_flags() {
    let ask = |host: &mut Host, path: &str, of_application: Vec<Mismatch>| {
        let now = crate::clock::Instant(host.now);
        let mut cx = Cx { monitor: &mut host.monitor, now, random: 0 };
        let Next::Ask(_, then) = routes::begin(&request("GET", path, &Value::Null), &mut cx) else { panic!() };
        let probe = Some(ProbeFacts { is_connected: true, ..ProbeFacts::default() });
        let breaker = BreakerStatus { state: "CLOSED".into(), ..BreakerStatus::default() };
        let status = Status { breaker, ..Status::default() };
        let database = DatabaseFacts { name: "primary".to_owned(), probe, status, ..DatabaseFacts::default() };
        let facts = Facts { databases: vec![database], flag_mismatches: of_application, ..Facts::default() };
        let Next::Respond(response) = then(Answer::Facts(facts), &mut cx) else { panic!() };
        json_of(&response)
    };
    let mut fair = served();
    let ids: Vec<String> = (0..200).map(|user| format!("user-{user}")).collect();
    let is_lucky = |host: &mut Host, id: &str| host.flag("button", &about(id)).1["variant"] == "A";
    let lucky: Vec<&String> = ids.iter().filter(|id| is_lucky(&mut fair, id)).collect();
    assert_eq!(ask(&mut fair, "/api/status", Vec::new())["flags"].get("mismatches"), None);
    assert_eq!(ask(&mut fair, "/api/health", Vec::new())["alerts"], json!([]));
    let why = |host: &mut Host| json_of(&host.ask(&request("POST", "/admin/api/flags/button/explain", &about("u"))));
    assert_eq!(why(&mut fair)["sampleRatio"]["verdict"], json!("match"));
    let mut skewed = served();
    for id in &lucky {
        skewed.flag("button", &about(id));
    }
    let status = ask(&mut skewed, "/api/status", Vec::new());
    let mismatch = &status["flags"]["mismatches"][0];
    assert_eq!((&mismatch["flag"], &mismatch["served_by"]), (&json!("button"), &json!("ofrep")));
    assert!(mismatch["p_value"].as_f64().unwrap() < 0.001);
    let (rule, half) = (&mismatch["rules"][0], lucky.len() as f64 / 2.0);
    assert_eq!((&rule["rule"], &rule["observed"]), (&json!("#0"), &json!({ "A": lucky.len(), "B": 0 })));
    assert_eq!((rule["expected"]["A"].as_f64(), rule["expected"]["B"].as_f64()), (Some(half), Some(half)));
    let reason = mismatch["reason"].as_str().unwrap();
    assert!(
        reason.starts_with(&format!("Users of button are not split as rule #0 says: A {} of {half}, B 0", lucky.len())),
        "{reason}"
    );
    assert_eq!(why(&mut skewed)["sampleRatio"]["verdict"], json!("mismatch"));
    // It is a reason to look at the flag, and not one to send traffic elsewhere.
    let health = ask(&mut skewed, "/api/health", Vec::new());
    assert_eq!(health["alerts"], json!([{ "name": "sampleRatio", "severity": "warning", "message": reason }]));
    let well = ask(&mut fair, "/api/status", Vec::new());
    let database = |status: &Value, name: &str| status["databases"]["primary"][name].clone();
    assert_eq!(database(&status, "health_score"), database(&well, "health_score"));
    assert_eq!((&health["status"], database(&status, "state")), (&json!("healthy"), json!("healthy")));
    // Those of the application stand beside them, and all are bounded.
    let of_application = |flag: usize| Mismatch { flag: format!("flag-{flag}"), p_value: 0.0001, rules: Vec::new() };
    let status = ask(&mut skewed, "/api/status", (0..100).map(of_application).collect());
    let all = status["flags"]["mismatches"].as_array().unwrap();
    assert_eq!((all.len(), &all[1]["served_by"]), (20, &json!("application")));
    assert_eq!(all[1]["reason"], json!("Users of flag-0 are not split as its rules say (p = 1.0e-4)."));
}
