use super::*;
use crate::clock::Instant;
use crate::http::Request;
use crate::http::exchange::swap;
use crate::http::routes::begin;
use crate::metrics::aggregate::{Aggregate, SHARDS, key};
use crate::metrics::delta::Delta;
use crate::metrics::families as by;
use crate::metrics::samples::{Samples, Value};
use crate::monitor::{Monitor, Settings};
use crate::report::facts::{DatabaseFacts, Facts, RestartsFacts};
use crate::report::score::Score;
use crate::report::status::{PoolStatus, Recent, Status, Totals};

const NOW: u64 = 1_704_067_200_000;

fn facts(successful: u64) -> Facts {
    let totals = Totals { successful, ..Totals::default() };
    let pool = PoolStatus { max: 10, borrowed: 9, ..PoolStatus::default() };
    let recent = Recent { healthy: 10, duration_ms: 6_000, ..Recent::default() };
    let status = Status { totals, pool, recent, ..Status::default() };
    let database = DatabaseFacts { name: "primary".to_owned(), status, ..DatabaseFacts::default() };
    Facts { now_ms: NOW, databases: vec![database], ..Facts::default() }
}

/// A host with one isolate. What it was asked is kept.
#[derive(Default)]
struct Fake {
    monitor: Monitor,
    successful: u64,
    asked: Vec<Question>,
    store: Option<std::collections::BTreeMap<String, String>>,
    is_store_down: bool,
    /// How often the instance that holds the monitor was replaced.
    restarts: u64,
}

impl Fake {
    fn answer(&mut self, question: Question) -> Answer {
        self.asked.push(question.clone());
        let mut facts = facts(self.successful);
        facts.wasm_restarts.push(RestartsFacts { module: "monitor".into(), count: self.restarts });
        let Some(store) = &mut self.store else {
            return match question {
                Question::Facts { .. } => Answer::Facts(facts),
                _ => Answer::NoStore("Bind one.".to_owned()),
            };
        };
        match question {
            Question::Facts { .. } => Answer::Facts(facts),
            // Words that another store may use decide nothing.
            _ if self.is_store_down => Answer::Failed("There is no strong store at this address.".to_owned()),
            Question::Read { key } => Answer::Text(store.get(&key).cloned()),
            Question::Swap { changes } => {
                assert!(swap(store, changes));
                Answer::Swapped(true)
            }
            other => panic!("{other:?}"),
        }
    }

    fn run(&mut self, now: u64, begin: impl FnOnce(&mut Cx<'_>) -> Next) -> Option<Response> {
        // An instance has chance of its own.
        let random = 0xabcd + self.restarts;
        let mut next = begin(&mut Cx { random, ..cx(&mut self.monitor, now) });
        loop {
            next = match next {
                Next::Respond(response) => return Some(response),
                Next::Done => return None,
                Next::Ask(question, then) => {
                    let answer = self.answer(question);
                    then(answer, &mut Cx { random, ..cx(&mut self.monitor, now) })
                }
            };
        }
    }

    fn get(&mut self, now: u64, path: &str, query: &str, accept: &str) -> Response {
        let headers = vec![("accept".to_owned(), accept.to_owned())];
        let (path, query) = (path.to_owned(), query.to_owned());
        let request = Request { method: "GET".to_owned(), path, query, headers, ..Request::default() };
        self.run(now, |cx| begin(&request, cx)).expect("a response")
    }

    fn metrics(&mut self, now: u64) -> Response {
        self.get(now, "/api/health/metrics", "", "")
    }

    fn tell(&mut self, now: u64) {
        assert!(self.run(now, fleet::begin).is_none());
    }
}

fn cx(monitor: &mut Monitor, now: u64) -> Cx<'_> {
    Cx { monitor, now: Instant(now), random: 0xabcd }
}

fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

const SUCCESSES: &str = "seawall_operations_total{pool=\"primary\",outcome=\"success\"}";

/// HLT-02 and MET-38: both paths answer, in the format that was asked for.
#[test]
fn both_paths_answer_in_the_format_that_was_asked_for() {
    let mut fake = Fake { successful: 7, ..Fake::default() };
    for path in ["/api/health/metrics", "/api/platform/metrics", "/api/health/metrics/"] {
        let response = fake.get(NOW, path, "", "text/plain");
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(value(&response.body, SUCCESSES), Some(7.0));
    }
    let open = fake.get(NOW, "/api/health/metrics", "", "application/openmetrics-text; version=1.0.0");
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.body.ends_with("# EOF\n"));
    assert_eq!(open.header("vary"), Some("accept"));
}

/// H142: a thousand scrapes within a second ask nobody anything, and show what the first one saw.
#[test]
fn an_answer_is_shown_again_for_a_second() {
    let mut fake = Fake { successful: 1, ..Fake::default() };
    let first = fake.metrics(NOW).body;
    fake.asked.clear();
    fake.successful = 2;
    for at in 0..1_000 {
        assert_eq!(fake.metrics(NOW + at).body, first);
    }
    assert_eq!(fake.asked, []);
    assert_eq!(value(&fake.metrics(NOW + 1_000).body, SUCCESSES), Some(2.0));
    assert!(fake.asked.contains(&Question::Facts { probe_age_max_ms: None }), "nobody is probed");
}

/// MET-34: what is shown is at most a second old.
#[test]
fn what_is_shown_is_at_most_a_second_old() {
    let mut fake = Fake::default();
    for second in 0..5 {
        fake.successful += 10;
        let shown = fake.metrics(NOW + second * 1_000);
        assert_eq!(value(&shown.body, SUCCESSES), Some(fake.successful as f64));
    }
}

/// MET-16: the score is the one of the health document, and lies between 0 and 100.
#[test]
fn the_score_is_the_health_documents() {
    let mut fake = Fake::default();
    let body = fake.metrics(NOW).body;
    let score = Score::of_all(&facts(0)).map(|score| f64::from(score.score));
    assert_eq!(score, Some(88.0), "2 points for the latency, 10 for the pool");
    assert_eq!(value(&body, "db_health_score"), score);
    assert_eq!(value(&body, "seawall_health_score"), score);
}

#[test]
fn unknown_names_are_told_what_there_is_and_quoted_nowhere() {
    let mut fake = Fake::default();
    let response = fake.get(NOW, "/api/health/metrics", "x=1&names=prisma%2Cevil%0a", "");
    assert_eq!(response.status, 400);
    assert!(response.body.contains("familyos") && !response.body.contains("evil"), "{}", response.body);
    let prisma = fake.get(NOW, "/api/health/metrics", "names=prisma", "").body;
    assert!(prisma.contains("db_connections_total 10\n") && !prisma.contains("seawall_"));
}

#[test]
fn refused_admin_requests_are_one_series_whatever_they_ask_for() {
    let mut fake = Fake::default();
    for path in ["/admin/api/orders/flags", "/admin/api/\"} 1\nevil 1", "/admin/api/nope"] {
        assert!(fake.get(NOW, path, "", "").status >= 400);
    }
    let body = fake.metrics(NOW + 1_000).body;
    let series = body.lines().filter(|line| line.starts_with("seawall_admin_requests_total{"));
    assert!((1..=3).contains(&series.count()), "{body}");
    assert!(!body.contains("evil") && !body.contains("nope"));
}

#[test]
fn metrics_that_are_off_are_not_there() {
    let mut settings = Settings::default();
    settings.metrics.enabled = false;
    let mut fake = Fake { monitor: Monitor::new(settings), ..Fake::default() };
    assert_eq!(fake.metrics(NOW).status, 404);
    fake.tell(NOW);
    assert_eq!(fake.asked, []);
}

/// MET-35: an isolate tells the others every `statsIntervalMs`, a minute if nothing is said, and never on the way of a request.
#[test]
fn it_tells_the_others_in_its_interval() {
    let mut fake = Fake { store: Some(std::collections::BTreeMap::new()), ..Fake::default() };
    let told = |fake: &mut Fake, from: u64| {
        fake.asked.clear();
        for at in (from..from + 60_000).step_by(500) {
            fake.tell(at);
        }
        fake.asked.iter().filter(|asked| matches!(asked, Question::Swap { .. })).count()
    };
    assert_eq!(told(&mut fake, NOW), 1);
    let mut settings = Settings::default();
    settings.metrics.stats_interval_ms = 15_000;
    fake = Fake { monitor: Monitor::new(settings), store: Some(std::collections::BTreeMap::new()), ..Fake::default() };
    assert_eq!(told(&mut fake, NOW + 60_000), 4);
    let read = |text| Settings::from_json(text).map(|settings| settings.metrics.stats_interval_ms);
    assert_eq!(read(r#"{"metrics":{"statsInterval":5000}}"#), Ok(5_000));
    assert!(read(r#"{"metrics":{"statsIntervalMs":999}}"#).is_err());
    fake.asked.clear();
    fake.metrics(NOW + 300_000);
    assert!(!fake.asked.iter().any(|asked| matches!(asked, Question::Swap { .. })));
}

#[test]
fn with_a_store_the_whole_fleet_is_shown() {
    let mut fake = Fake { successful: 5, store: Some(std::collections::BTreeMap::new()), ..Fake::default() };
    let before = fake.metrics(NOW).body;
    assert_eq!(value(&before, SUCCESSES), Some(0.0), "nothing was told yet");
    assert_eq!(value(&before, "seawall_metrics_scope{scope=\"fleet\"}"), Some(1.0));
    fake.tell(NOW);
    // Another isolate, in another text of the store.
    let mut counts = Samples::default();
    counts.add(by::OPERATIONS, &["primary", "success"], &Value::Count(100.0));
    let mut levels = Samples::default();
    levels.add(by::CONNECTIONS, &["primary", "used"], &Value::Sum(4.0));
    levels.add(by::hidden::CIRCUIT_LEVEL, &["primary"], &Value::Max(2.0));
    let delta = Delta { isolate: "1".to_owned(), number: 1, counts, levels, declared: Vec::new() };
    let mut aggregate = Aggregate::default();
    aggregate.apply(&delta, false, Instant(NOW));
    if let Some(store) = &mut fake.store {
        store.insert(key(1), aggregate.write());
        store.insert(key(2), "{\"version\":99}".to_owned());
    }
    let body = fake.metrics(NOW + 1_000).body;
    assert_eq!(value(&body, SUCCESSES), Some(105.0));
    assert_eq!(value(&body, "db_connections_active"), Some(13.0), "9 of its own");
    assert_eq!(value(&body, "seawall_isolates"), Some(2.0));
    assert_eq!(value(&body, "circuit_breaker_state"), Some(2.0), "the worst counts");
    // Its levels are old by then; what it has counted stays.
    let later = fake.metrics(NOW + 100_000).body;
    assert_eq!(value(&later, "seawall_isolates"), Some(1.0));
    assert_eq!(value(&later, "db_connections_active"), Some(9.0));
    assert_eq!(value(&later, SUCCESSES), Some(105.0));
}

/// H080: what the host counts is not told twice when the instance of the monitor is replaced, and that is counted.
#[test]
fn an_instance_that_was_replaced_makes_nobody_count_twice() {
    const RESTARTS: &str = "seawall_wasm_restarts_total{module=\"monitor\"}";
    let mut fake = Fake { successful: 5, store: Some(std::collections::BTreeMap::new()), ..Fake::default() };
    fake.tell(NOW);
    for restarts in 1..=3 {
        fake.restarts = restarts;
        fake.monitor = Monitor::default();
        fake.monitor.metrics.resume();
        fake.tell(NOW + 100_000 * restarts);
        let body = fake.metrics(NOW + 100_000 * restarts).body;
        assert_eq!((value(&body, SUCCESSES), value(&body, RESTARTS)), (Some(5.0), Some(restarts as f64)));
    }
    fake.successful = 8;
    fake.tell(NOW + 500_000);
    let body = fake.metrics(NOW + 500_000).body;
    assert_eq!((value(&body, SUCCESSES), value(&body, RESTARTS)), (Some(8.0), Some(3.0)));
}

#[test]
fn a_store_that_fails_is_no_restart_of_all_counters() {
    let mut fake = Fake { store: Some(std::collections::BTreeMap::new()), is_store_down: true, ..Fake::default() };
    let response = fake.metrics(NOW);
    assert_eq!(response.status, 503);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert_eq!(Fake::default().metrics(NOW).status, 200, "without a store it speaks for itself");
    assert_eq!(SHARDS, 8);
}
