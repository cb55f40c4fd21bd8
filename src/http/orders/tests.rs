use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::clock::Instant;
use crate::http::Request;
use crate::http::exchange::swap;
use crate::http::routes::begin;
use crate::monitor::{Monitor, Settings};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";
const NOW: u64 = 1_704_067_200_000;

/// A host with a strong store and a read cache, both of which can be made to misbehave.
#[derive(Default)]
struct Host {
    strong: BTreeMap<String, String>,
    cache: Option<BTreeMap<String, String>>,
    /// Done right before the next swap.
    before_swap: Option<fn(&mut Self)>,
    /// The next swap is done, or not, and its answer lost.
    loses_swap: Option<bool>,
    /// The next swap is sent twice by the store's own client, and only the second answer arrives.
    repeats_swap: bool,
    random: u64,
    is_strong_down: bool,
    asked: Vec<String>,
    monitor: Option<Monitor>,
    now: u64,
}

impl Host {
    fn new() -> Self {
        let mut settings = Settings { admin_token: super::super::auth::Access::by_token(TOKEN), ..Settings::default() };
        settings.admin.environment = "development".to_owned();
        Self { monitor: Some(Monitor::new(settings)), now: NOW, ..Self::default() }
    }

    fn with_cache() -> Self {
        Self { cache: Some(BTreeMap::new()), ..Self::new() }
    }

    fn ask(&mut self, request: &Request) -> Response {
        let mut monitor = self.monitor.take().unwrap();
        let mut next = begin(request, &mut self.cx(&mut monitor));
        loop {
            next = match next {
                Next::Respond(response) => {
                    self.monitor = Some(monitor);
                    return response;
                }
                Next::Ask(question, then) => {
                    let answer = self.answer(question);
                    then(answer, &mut self.cx(&mut monitor))
                }
                Next::Done => panic!("no response"),
            };
        }
    }

    fn cx<'a>(&self, monitor: &'a mut Monitor) -> Cx<'a> {
        Cx { monitor, now: Instant(self.now), random: self.random }
    }

    fn answer(&mut self, question: Question) -> Answer {
        let down = || Answer::Failed("The store is gone.".to_owned());
        match question {
            Question::Read { key } => {
                self.asked.push(format!("read {key}"));
                if self.is_strong_down { down() } else { Answer::Text(self.strong.get(&key).cloned()) }
            }
            Question::Swap { changes } => {
                self.asked.extend(changes.iter().map(|change| format!("swap {}", change.key)));
                if let Some(before) = self.before_swap.take() {
                    before(self);
                }
                let is_lost = self.loses_swap.take();
                let is_there = is_lost != Some(false) && swap(&mut self.strong, changes);
                let is_repeated = std::mem::take(&mut self.repeats_swap);
                if is_lost.is_some() { down() } else { Answer::Swapped(is_there && !is_repeated) }
            }
            Question::ReadAll { keys } => Answer::Texts(keys.iter().map(|key| self.strong.get(key).cloned()).collect()),
            Question::List { prefix } => {
                Answer::Keys(self.strong.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
            }
            Question::ReadCached { key } => {
                self.asked.push(format!("cached {key}"));
                Answer::Text(self.cache.as_ref().and_then(|cache| cache.get(&key).cloned()))
            }
            Question::PutCached { key, text } => {
                self.asked.push(format!("put {key}"));
                Answer::Cached(self.cache.as_mut().map(|cache| cache.insert(key, text)).is_some())
            }
            other => panic!("{other:?}"),
        }
    }

    fn put(&mut self, name: &str, if_match: &str, value: Value) -> Response {
        self.ask(&put(name, Some(if_match), &json!({ "value": value, "reason": "a test" }).to_string()))
    }

    fn get(&mut self, name: &str, query: &str) -> Response {
        self.ask(&Request { query: query.to_owned(), ..request("GET", &format!("/admin/api/orders/{name}")) })
    }

    fn counts(&self) -> Vec<(&'static str, bool, u16, u64)> {
        let counts = self.monitor.as_ref().unwrap().admin_requests().iter();
        counts.map(|count| (count.route, count.is_write, count.status_class, count.count)).collect()
    }
}

fn request(method: &str, path: &str) -> Request {
    let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
    Request { method: method.to_owned(), path: path.to_owned(), headers, ..Request::default() }
}

fn put(name: &str, if_match: Option<&str>, body: &str) -> Request {
    let mut request = request("PUT", &format!("/admin/api/orders/{name}"));
    request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    request.headers.extend(if_match.map(|value| ("if-match".to_owned(), value.to_owned())));
    Request { body: body.to_owned(), ..request }
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_default()
}

fn outcome(response: &Response) -> (u16, String) {
    (response.status, json_of(response)["code"].as_str().unwrap_or_default().to_owned())
}

fn revised(revision: u64) -> Value {
    json!({"version": 1, "revision": revision})
}

#[test]
fn an_order_that_nobody_gave_has_version_0() {
    let mut host = Host::new();
    for name in [Name::Config, Name::Flags, Name::Kill, Name::Phase] {
        let response = host.get(name.text(), "");
        assert_eq!((response.status, response.header("etag")), (200, Some("\"0\"")));
        let expected =
            json!({"name": name.text(), "version": 0, "updatedAt": null, "by": null, "reason": null, "value": null});
        assert_eq!(json_of(&response), expected);
    }
    assert_eq!(host.get("other", "").status, 404);
    assert_eq!(host.get("config/x", "").status, 404);
}

/// A document is checked before it is written, and written with the snapshot that isolates load.
#[test]
fn flags_are_compiled_when_they_are_published() {
    let mut host = Host::new();
    let faulty = json!({"version": 1, "flags": {"new": {"rules": [{"rollout": 500, "serve": "on"}]}}});
    let refused = host.put("flags", "*", faulty);
    assert_eq!(outcome(&refused), (422, "ORDER_UNUSABLE".to_owned()));
    let detail = json_of(&refused)["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("value: flags.new.rules[0].rollout"), "{detail}");
    assert!(host.asked.is_empty());
    // As large as a thousand flags are.
    let flag = json!({"rules": [{"if": [{"attr": "country", "in": ["DE", "FR", "NL", "PL", "AT"]}], "rollout": 25, "serve": "on"}]});
    let many: serde_json::Map<String, Value> =
        (0..1_000).map(|at| (format!("a-flag-of-somebody-{at}"), flag.clone())).collect();
    let document = json!({"version": 1, "flags": many});
    assert!(document.to_string().len() > 100_000);
    assert_eq!(host.put("flags", "*", document.clone()).status, 200);
    let order = Order::read(Name::Flags, &host.strong["orders/flags"]).unwrap();
    assert_eq!(order.value, document);
    let table = crate::orders::published::table(&order.compiled.unwrap()).unwrap();
    assert_eq!(table.all().len(), 1_000);
    // And what replaces it keeps it.
    assert_eq!(host.put("flags", "\"1\"", revised(2)).status, 200);
    assert!(Order::read(Name::Flags, &host.strong["history/flags/0000000000000001"]).is_ok());
    let mistyped = host.put("kill", "*", json!({"al": true}));
    assert_eq!(outcome(&mistyped), (422, "ORDER_UNUSABLE".to_owned()));
}

#[test]
fn who_writes_reads_it_back_with_the_next_version() {
    let mut host = Host::new();
    let first = host.put("kill", "\"0\"", json!({"flags": ["cache"]}));
    assert_eq!((first.status, first.header("etag")), (200, Some("\"1\"")));
    let second = host.put("kill", "\"1\"", json!({}));
    assert_eq!((second.status, second.header("etag")), (200, Some("\"2\"")));
    let read = host.get("kill", "");
    assert_eq!(read, second);
    let expected = json!({"name": "kill", "version": 2, "updatedAt": "2024-01-01T00:00:00.000Z", "by": "admin", "reason": "a test", "value": {}});
    assert_eq!(json_of(&read), expected);
    assert_eq!(host.get("flags", "").header("etag"), Some("\"0\""));
}

/// H070: a wrong version is 412 with both versions, `*` is taken, and without one nothing is asked.
#[test]
fn a_write_says_what_it_replaces() {
    let mut host = Host::new();
    assert_eq!(host.put("flags", "*", revised(0)).status, 200);
    assert_eq!(host.put("flags", "*", revised(1)).status, 200);
    let wrong = host.put("flags", "\"1\"", revised(0));
    assert_eq!((outcome(&wrong), wrong.header("etag")), ((412, "ORDER_CHANGED".to_owned()), Some("\"2\"")));
    assert_eq!((&json_of(&wrong)["expectedVersion"], &json_of(&wrong)["currentVersion"]), (&json!(1), &json!(2)));
    assert_eq!(wrong.header("content-type"), Some("application/problem+json"));
    host.asked.clear();
    let body = json!({"value": {}, "reason": "a test"}).to_string();
    assert_eq!(outcome(&host.ask(&put("flags", None, &body))), (428, "PRECONDITION_REQUIRED".to_owned()));
    assert_eq!(outcome(&host.ask(&put("flags", Some("2"), &body))), (400, "PRECONDITION_MALFORMED".to_owned()));
    assert!(host.asked.is_empty());
}

#[test]
fn a_writer_who_came_second_is_told_which_version_won() {
    let mut host = Host::new();
    host.before_swap = Some(|host| {
        let mut other = Host { strong: std::mem::take(&mut host.strong), ..Host::new() };
        assert_eq!(other.put("phase", "*", json!({"phase": "canary"})).status, 200);
        assert_eq!(other.put("phase", "*", json!({"phase": "gradual"})).status, 200);
        host.strong = other.strong;
    });
    let lost = host.put("phase", "\"0\"", json!({"phase": "full"}));
    assert_eq!((outcome(&lost), lost.header("etag")), ((409, "ORDER_CONFLICT".to_owned()), Some("\"2\"")));
    assert_eq!((&json_of(&lost)["expectedVersion"], &json_of(&lost)["currentVersion"]), (&json!(0), &json!(2)));
    assert_eq!(json_of(&host.get("phase", ""))["value"], json!({"phase": "gradual"}));
}

#[test]
fn a_swap_whose_answer_was_lost_is_looked_up() {
    let mut host = Host::new();
    host.loses_swap = Some(true);
    let done = host.put("kill", "\"0\"", json!({}));
    assert_eq!((done.status, done.header("etag")), (200, Some("\"1\"")));
    host.loses_swap = Some(false);
    let unknown = host.put("kill", "\"1\"", json!({"all": true}));
    assert_eq!(outcome(&unknown), (503, "OUTCOME_UNKNOWN".to_owned()));
    assert_eq!(json_of(&unknown)["currentVersion"], json!(1));
    assert_eq!(host.put("kill", "\"1\"", json!({"all": true})).status, 200);
}

#[test]
fn a_swap_that_a_client_repeated_by_itself_is_known_as_done() {
    let mut host = Host { repeats_swap: true, ..Host::new() };
    let done = host.put("kill", "\"0\"", json!({}));
    assert_eq!((done.status, done.header("etag")), (200, Some("\"1\"")));
}

#[test]
fn two_writers_of_the_same_at_the_same_time_are_two() {
    let mut host = Host::new();
    host.before_swap = Some(|host| {
        let mut other = Host { strong: std::mem::take(&mut host.strong), random: 8, ..Host::new() };
        assert_eq!(other.put("kill", "\"0\"", json!({})).status, 200);
        host.strong = other.strong;
    });
    assert_eq!(host.put("kill", "\"0\"", json!({})).status, 409);
}

#[test]
fn a_store_that_is_gone_is_503_and_nothing_is_written() {
    let mut host = Host { is_strong_down: true, ..Host::new() };
    assert_eq!(outcome(&host.get("kill", "")), (503, "STORE_UNAVAILABLE".to_owned()));
    assert_eq!(outcome(&host.get("kill", "cached=true")), (503, "STORE_UNAVAILABLE".to_owned()));
    assert_eq!(outcome(&host.put("kill", "*", json!({}))), (503, "STORE_UNAVAILABLE".to_owned()));
    assert!(!host.asked.iter().any(|asked| asked.starts_with("swap")));
}

#[test]
fn a_damaged_order_is_refused_and_kept() {
    let mut host = Host::new();
    host.put("kill", "*", json!({}));
    let text = host.strong["orders/kill"].replace("a test", "no test");
    host.strong.insert("orders/kill".to_owned(), text.clone());
    for response in [host.get("kill", ""), host.put("kill", "*", json!({})), host.put("kill", "\"1\"", json!({}))] {
        assert_eq!(outcome(&response), (500, "ORDER_DAMAGED".to_owned()));
    }
    assert_eq!(host.strong["orders/kill"], text);
}

/// H058, H060, H062, H064, H066, H068 and H074: a body that cannot be an order never reaches the store.
#[test]
fn bodies_that_are_no_orders_are_refused_before_the_store_is_asked() {
    let mut host = Host::new();
    let table = [
        ("", 400),
        ("{} {}", 400),
        (r#"{"value":{},"reason":"x",}"#, 400),
        (r#"{"value":{"a":1e400},"reason":"x"}"#, 400),
        ("null", 422),
        ("true", 422),
        ("\"x\"", 422),
        ("[]", 422),
        ("{}", 422),
        (r#"{"value":{}}"#, 422),
        (r#"{"reason":"x"}"#, 422),
        (r#"{"value":null,"reason":"x"}"#, 422),
        (r#"{"value":[],"reason":"x"}"#, 422),
        (r#"{"value":{},"reason":7}"#, 422),
        (r#"{"value":{},"reason":""}"#, 422),
        (r#"{"value":{},"reason":"x","by":""}"#, 422),
        (r#"{"value":{},"reason":"x","by":null}"#, 422),
        (r#"{"value":{},"reason":"x","version":7}"#, 422),
        (r#"{"value":{"a":1,"a":2},"reason":"x"}"#, 422),
        (r#"{"value":{"__proto__":{"polluted":1}},"reason":"x"}"#, 422),
        (r#"{"value":{"a":9007199254740993},"reason":"x"}"#, 422),
    ];
    for (body, status) in table {
        assert_eq!(host.ask(&put("flags", Some("*"), body)).status, status, "{body}");
    }
    assert_eq!(host.put("config", "*", json!({"retry": {"prototype": 1}})).status, 422);
    assert!(host.asked.is_empty(), "{:?}", host.asked);
    let long = json!({"value": {"a": "b".repeat(FLAGS_BODY_MAX)}, "reason": "x"}).to_string();
    assert_eq!(host.ask(&put("flags", Some("*"), &long)).status, 413);
    let long = json!({"value": {"a": "b".repeat(70_000)}, "reason": "x"}).to_string();
    assert_eq!(host.ask(&put("phase", Some("*"), &long)).status, 413);
    let refused = table.len() as u64 + 1;
    assert_eq!(
        host.counts(),
        [("/orders/flags", true, 4, refused), ("/orders/config", true, 4, 1), ("/orders/phase", true, 4, 1)]
    );
}

/// H018 and H024: who is not let in learns nothing of what is there, and is counted.
#[test]
fn who_is_not_let_in_learns_nothing() {
    let mut host = Host::new();
    let mut answers = Vec::new();
    for (method, path) in [
        ("GET", "/admin/api/orders/kill"),
        ("PUT", "/admin/api/orders/kill"),
        ("DELETE", "/admin/api/orders/kill"),
        ("GET", "/admin/api/orders/nope"),
        ("GET", "/admin/api/nope"),
        ("GET", "/admin/api"),
        ("POST", "/admin/api/"),
    ] {
        answers.push(host.ask(&Request { headers: vec![], ..request(method, path) }));
    }
    assert!(answers.iter().all(|answer| answer.status == 401 && *answer == answers[0]));
    assert!(host.asked.is_empty());
    let route = "/orders/kill";
    assert_eq!(host.counts(), [(route, false, 4, 1), (route, true, 4, 2), ("", false, 4, 3), ("", true, 4, 1)]);
    let mut closed = Host { monitor: Some(Monitor::default()), ..Host::new() };
    assert_eq!(closed.get("kill", "").status, 503);
    assert_eq!(closed.ask(&put("kill", Some("*"), "{}")).status, 503);
    assert!(closed.asked.is_empty());
    for path in ["/admin", "/admin/apix/orders/kill", "/api/orders/kill", "/api/admin/api/orders/kill"] {
        assert_eq!(host.ask(&request("GET", path)).status, 404, "{path}");
    }
}

/// H016 and H018: a preflight, which carries no token, is told the same wherever it asks, and lets no other origin in.
#[test]
fn a_preflight_learns_nothing_of_what_is_there() {
    let mut host = Host::new();
    let mut closed = Host { monitor: Some(Monitor::default()), ..Host::new() };
    let mut answers = Vec::new();
    for path in ["/admin/api/orders/kill", "/admin/api/alerts/silences", "/admin/api/nope", "/admin/api", "/admin/api/"]
    {
        let stranger = Request { headers: vec![], ..request("OPTIONS", path) };
        answers.extend([host.ask(&stranger), host.ask(&request("OPTIONS", path)), closed.ask(&stranger)]);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((answers[0].status, answers[0].body.as_str()), (204, ""));
    let allow = answers[0].header("allow").unwrap_or_default();
    assert!(
        ["GET", "HEAD", "PUT", "POST", "OPTIONS"].iter().all(|method| allow.matches(method).count() == 1),
        "{allow}"
    );
    assert_eq!(answers[0].header("access-control-allow-origin"), None);
    assert!(host.asked.is_empty() && host.counts().is_empty());
}

#[test]
fn methods_and_head_are_as_elsewhere() {
    let mut host = Host::new();
    for method in ["POST", "PATCH", "DELETE"] {
        let response = host.ask(&request(method, "/admin/api/orders/kill"));
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD, PUT")));
    }
    let head = host.ask(&request("HEAD", "/admin/api/orders/kill"));
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", Some("\"0\"")));
}

#[test]
fn who_knows_the_version_already_is_told_so() {
    let mut host = Host::new();
    let mut get = |if_none_match: &str| {
        let mut request = request("GET", "/admin/api/orders/kill");
        request.headers.push(("if-none-match".to_owned(), if_none_match.to_owned()));
        let response = host.ask(&request);
        host.put("kill", "*", json!({}));
        (response.status, response.body.is_empty())
    };
    assert_eq!(get("\"0\""), (304, true));
    assert_eq!(get("\"1\""), (304, true));
    assert_eq!(get("\"1\""), (200, false));
    assert_eq!(get("*"), (304, true));
}

#[test]
fn the_cache_follows_and_is_read_instead_of_the_store() {
    let mut host = Host::with_cache();
    host.put("flags", "*", revised(1));
    assert_eq!(host.cache.as_ref().map(|cache| &cache["orders/flags"]), host.strong.get("orders/flags"));
    host.asked.clear();
    assert_eq!(json_of(&host.get("flags", "cached=true"))["version"], 1);
    assert_eq!(host.asked, ["cached orders/flags"]);
}

#[test]
fn a_reader_of_the_cache_never_goes_back() {
    let mut host = Host::with_cache();
    host.put("flags", "*", revised(1));
    let old = host.strong["orders/flags"].clone();
    host.put("flags", "*", revised(2));
    for cached in [Some(old.clone()), None, Some("{".to_owned())] {
        let cache = host.cache.as_mut().unwrap();
        match cached {
            Some(text) => cache.insert("orders/flags".to_owned(), text),
            None => cache.remove("orders/flags"),
        };
        assert_eq!(json_of(&host.get("flags", "cached=true"))["version"], 2);
        assert_eq!(host.cache.as_ref().unwrap()["orders/flags"], host.strong["orders/flags"], "the cache is mended");
    }
    // Even when nothing newer can be had.
    host.is_strong_down = true;
    host.cache.as_mut().unwrap().insert("orders/flags".to_owned(), old);
    assert_eq!(json_of(&host.get("flags", "cached=true"))["version"], 2);
}

#[test]
fn an_order_whose_writer_died_before_the_cache_heard_of_it_is_found_within_a_minute() {
    let mut host = Host::with_cache();
    host.put("flags", "*", revised(1));
    let mut other = Host { strong: host.strong.clone(), ..Host::new() };
    other.put("flags", "*", revised(2));
    host.strong = other.strong;
    host.now += 59_999;
    assert_eq!(json_of(&host.get("flags", "cached=true"))["version"], 1);
    host.now += 1;
    assert_eq!(json_of(&host.get("flags", "cached=true"))["version"], 2);
    assert_eq!(host.cache.as_ref().map(|cache| &cache["orders/flags"]), host.strong.get("orders/flags"));
}

#[test]
fn what_a_stranger_left_in_the_cache_is_no_order() {
    let mut host = Host::with_cache();
    host.cache.as_mut().unwrap().insert("orders/kill".to_owned(), r#"{"order":{"version":9}}"#.to_owned());
    assert_eq!(json_of(&host.get("kill", "cached=true"))["version"], 0);
}

#[test]
fn what_is_asked_of_the_cache_is_read_even_where_a_version_is_asked_for() {
    let mut host = Host::with_cache();
    for query in ["cached=1", "cached=", "version=1&cached=-1", "cached=&version=1"] {
        assert_eq!(outcome(&host.get("flags", query)), (400, "QUERY_INVALID".to_owned()), "{query}");
    }
}
