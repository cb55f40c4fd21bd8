use super::*;
use crate::access;
use crate::audit::fake::{Fault, Host, operated, request};
use crate::audit::key;
use crate::http::exchange::Next;
use crate::monitor::Monitor;

/// The same strong store and cache, seen by an isolate that has just begun.
fn isolate_beside(host: &Host, admin: access::Settings) -> Host {
    let mut other = operated(admin);
    other.strong.clone_from(&host.strong);
    other.cache.clone_from(&host.cache);
    other.now = host.now;
    other
}

fn operator() -> Host {
    operated(access::Settings::default())
}

fn told(host: &mut Host, path: &str, body: &str) -> u16 {
    host.ask(&request("POST", path, &[], body)).status
}

fn hold(host: &mut Host, database: &str) {
    let path = format!("/circuits/{database}/hold");
    assert_eq!(told(host, &path, r#"{"state":"open","reason":"a test"}"#), 200);
}

fn held(database: &str) -> Command {
    let (by, reason) = ("admin".to_owned(), "a test".to_owned());
    Command::Hold { database: Some(database.to_owned()), state: Some(Hold::Open), by, reason }
}

/// Somebody changes an order in the store.
fn damage(host: &mut Host, key: &str) {
    let damaged = host.strong[key].replace("admin", "nobody");
    host.strong.insert(key.to_owned(), damaged);
}

/// Looks once, a second after the last time; what it was told to do.
fn looked(host: &mut Host) -> Vec<Command> {
    host.now += 1_000;
    host.carry_out(begin);
    std::mem::take(&mut host.obeyed)
}

fn version(host: &Host, name: Name) -> Option<u64> {
    host.monitor.orders().newest(name).map(|order| order.version)
}

#[test]
fn what_was_ordered_elsewhere_is_done_once() {
    let mut host = operator();
    let mut other = isolate_beside(&host, access::Settings::default());
    assert_eq!(looked(&mut other), []);
    hold(&mut host, "primary");
    other.strong.clone_from(&host.strong);
    assert_eq!(looked(&mut other), [held("primary")]);
    assert_eq!(looked(&mut other), []);
    // Who begins holds what is held.
    assert_eq!(looked(&mut isolate_beside(&host, access::Settings::default())), [held("primary")]);
    assert_eq!(told(&mut host, "/pools/primary/drain", r#"{"reason":"a test"}"#), 200);
    other.strong.clone_from(&host.strong);
    assert_eq!(looked(&mut other), [Command::Drain { database: Some("primary".to_owned()), is_all: false }]);
}

/// Whatever question an isolate is cut off at, the next look does what was not done.
#[test]
fn an_isolate_that_is_cut_off_obeys_the_next_time() {
    for fault in [Fault::Died, Fault::Refused] {
        for at in 0..2 {
            let mut host = operator();
            hold(&mut host, "primary");
            let mut other = isolate_beside(&host, access::Settings::default());
            other.fault = Some((at, fault));
            assert_eq!(looked(&mut other), [], "{fault:?} at {at}");
            other.fault = None;
            assert_eq!(looked(&mut other), [held("primary")], "{fault:?} at {at}");
        }
    }
    // Also when nobody knows whether the host has begun.
    let mut host = operator();
    hold(&mut host, "primary");
    let mut other = isolate_beside(&host, access::Settings::default());
    other.fault = Some((2, Fault::Died));
    assert_eq!(looked(&mut other), []);
    other.fault = None;
    assert_eq!(looked(&mut other), [held("primary")]);
}

#[test]
fn what_cannot_be_obeyed_is_told_and_not_tried_again_until_it_changes() {
    let mut host = operator();
    hold(&mut host, "primary");
    let mut other = isolate_beside(&host, access::Settings::default());
    other.is_disobedient = true;
    assert_eq!(looked(&mut other), []);
    other.is_disobedient = false;
    assert_eq!(looked(&mut other), []);
    assert_eq!(other.monitor.follow().problem(), Some("an order could not be obeyed"));
    hold(&mut host, "second");
    other.strong.clone_from(&host.strong);
    assert_eq!(looked(&mut other), [held("second")]);
    looked(&mut other);
    assert_eq!(other.monitor.follow().problem(), None);
}

/// H104: with the head of the audit log damaged or gone, an isolate that begins holds what is held; the next write goes on,
/// and whoever begins after that does as well.
#[test]
fn a_head_that_is_damaged_or_gone_lets_nothing_go_that_is_held() {
    for damage in [Some("{}"), Some(""), Some(r#"{"schema":2}"#), None] {
        let mut host = operator();
        hold(&mut host, "primary");
        match damage {
            Some(text) => host.strong.insert(HEAD_KEY.to_owned(), text.to_owned()),
            None => host.strong.remove(HEAD_KEY),
        };
        let mut other = isolate_beside(&host, access::Settings::default());
        assert_eq!(looked(&mut other), [held("primary")], "{damage:?}");
        assert_eq!(told(&mut host, "/kill", r#"{"reason":"a test"}"#), 200);
        let mut third = isolate_beside(&host, access::Settings::default());
        assert_eq!(looked(&mut third), [held("primary")], "{damage:?}");
        assert_eq!(version(&third, Name::Kill), Some(1));
    }
}

/// H104: an older head that somebody put back keeps nobody from writing, least of all from the kill switch.
#[test]
fn an_old_head_that_was_put_back_stops_nobody() {
    let mut host = operator();
    hold(&mut host, "primary");
    let old = host.strong[HEAD_KEY].clone();
    for _ in 0..3 {
        assert_eq!(told(&mut host, "/kill", r#"{"reason":"a test"}"#), 200);
    }
    host.strong.insert(HEAD_KEY.to_owned(), old);
    assert_eq!(told(&mut host, "/kill", r#"{"reason":"a test"}"#), 200);
    assert!(host.strong.contains_key(&key(5)));
    let head = Head::read(&host.strong[HEAD_KEY]).unwrap();
    assert_eq!((head.seq, head.orders["kill"].version, head.orders["control"].version), (5, 4, 1));
    let verified = host.ask(&request("GET", "/audit/verify", &[], "")).body;
    assert!(verified.contains(r#""broken":{"seq":5"#), "{verified}");
}

/// H104: an order that was removed from the store goes on with a higher version, so that those who have seen it obey.
#[test]
fn an_order_that_is_gone_is_followed_by_one_that_everybody_obeys() {
    let mut host = operator();
    for _ in 0..3 {
        assert_eq!(told(&mut host, "/kill", r#"{"reason":"a test"}"#), 200);
    }
    let mut other = isolate_beside(&host, access::Settings::default());
    looked(&mut other);
    assert_eq!(version(&other, Name::Kill), Some(3));
    host.strong.remove("orders/kill");
    let mut fresh = isolate_beside(&host, access::Settings::default());
    looked(&mut fresh);
    assert_eq!(fresh.monitor.follow().problem(), Some("an order is gone that the head of the audit log names"));
    let mut writer = isolate_beside(&host, access::Settings::default());
    assert_eq!(told(&mut writer, "/kill", r#"{"reason":"a test","flags":["a"]}"#), 200);
    other.strong.clone_from(&writer.strong);
    looked(&mut other);
    assert_eq!(version(&other, Name::Kill), Some(4));
    let replaced = writer.ask(&request("PUT", "/orders/kill", &[("if-match", "*")], r#"{"value":{},"reason":"x"}"#));
    assert_eq!(replaced.header("etag"), Some("\"5\""));
}

/// H104: the kill switch works over an order that is damaged; nothing of what it held is let go.
#[test]
fn a_damaged_order_does_not_stop_the_kill_switch() {
    let mut host = operator();
    assert_eq!(told(&mut host, "/kill", r#"{"reason":"a test","flags":["a"]}"#), 200);
    hold(&mut host, "primary");
    damage(&mut host, "orders/kill");
    assert_eq!(told(&mut host, "/kill/release", r#"{"reason":"a test"}"#), 500);
    assert_eq!(told(&mut host, "/kill", r#"{"reason":"a test"}"#), 200);
    let order = Order::read(Name::Kill, &host.strong["orders/kill"]).unwrap();
    assert_eq!((order.version, order.value), (2, json!({ "all": true })));
    // What was there is kept.
    assert!(host.strong["history/kill/0000000000000001"].contains("nobody"));
    assert!(host.ask(&request("GET", "/audit/verify", &[], "")).body.contains(r#""isWhole":true"#));
}

/// H104: an operator who must reset a circuit, or close connections, does so over an order that is damaged, at once and
/// everywhere; nothing else changes, and what was there is kept.
#[test]
fn a_damaged_control_order_keeps_no_operator_from_resetting_a_circuit() {
    let reason = r#"{"reason":"a test"}"#;
    for (is_known, has_history) in [(true, true), (false, true), (false, false)] {
        let mut host = operator();
        hold(&mut host, "other");
        for path in ["/circuits/primary/reset", "/pools/primary/drain", "/circuits/primary/reset"] {
            assert_eq!(told(&mut host, path, reason), 200);
        }
        let mut follower = isolate_beside(&host, access::Settings::default());
        assert_eq!(looked(&mut follower), [held("other")]);
        damage(&mut host, "orders/control");
        if !has_history {
            host.strong.retain(|key, _| !key.starts_with("history/"));
        }
        let damaged = host.strong["orders/control"].clone();
        let mut writer = if is_known { host } else { isolate_beside(&host, access::Settings::default()) };
        let database = Some("primary".to_owned());
        for (path, version) in [("/circuits/primary/reset", 5), ("/pools/primary/drain", 6)] {
            let response = writer.ask(&request("POST", path, &[], reason));
            assert_eq!((response.status, response.header("etag")), (200, Some(&*format!("\"{version}\""))));
            follower.strong.clone_from(&writer.strong);
            let mut commands = looked(&mut follower);
            commands.retain(|command| !matches!(command, Command::Hold { .. }) || has_history);
            let (by, reason, database) = ("admin".to_owned(), "a test".to_owned(), database.clone());
            let expected = match version {
                5 => Command::Reset { database, by, reason },
                _ => Command::Drain { database, is_all: false },
            };
            assert_eq!(commands, [expected], "{is_known} {has_history}");
        }
        assert_eq!(writer.strong["history/control/0000000000000004"], damaged);
        let record: Value = serde_json::from_str(&writer.strong[&key(5)]).unwrap();
        assert_eq!(record["before"], json!({ "damaged": damaged }));
        assert!(writer.ask(&request("GET", "/audit/verify", &[], "")).body.contains(r#""isWhole":true"#));
    }
}

/// H104 and H158: an order that somebody has put into the store past the routes, with a right checksum, is a step ahead of
/// nobody: who writes the next one is told, and a backup takes its place.
#[test]
fn an_order_that_was_forged_in_the_store_is_not_gone_on_from() {
    let development = || access::Settings { environment: "development".to_owned(), ..access::Settings::default() };
    let put = |host: &mut Host, value: &str| {
        let body = format!(r#"{{"value":{value},"reason":"a test"}}"#);
        host.ask(&request("PUT", "/orders/phase", &[("if-match", "*")], &body)).status
    };
    let forged = |host: &Host, version: u64| {
        let mut order = Order::read(Name::Phase, &host.strong["orders/phase"]).unwrap();
        order.version = version;
        order.value = json!({ "phase": "full", "percent": 500, "startedAt": "1970" });
        order.text(Name::Phase)
    };
    // As the newest, as one far ahead, as an old one, and as the first where there was none.
    for version in [Some(3), Some(99), Some(1), None] {
        let mut host = operated(development());
        let steps = if version.is_some() { 3 } else { 0 };
        (0..steps).for_each(|_| assert_eq!(put(&mut host, r#"{"phase":"canary","percent":5}"#), 200));
        hold(&mut host, "primary");
        let backup = host.ask(&request("GET", "/backup", &[], "")).body;
        let text = match version {
            Some(version) => forged(&host, version),
            None => r#"{"schema":1,"name":"phase","version":1,"id":"f","updatedAtMs":0,"by":"","reason":"","previous":null,"value":{}}"#
                .to_owned(),
        };
        let text = match version {
            Some(_) => text,
            None => format!(r#"{{"sha256":"{}","order":{text}}}"#, crate::audit::sha256(&text)),
        };
        host.strong.insert("orders/phase".to_owned(), text.clone());
        let mut isolate = isolate_beside(&host, development());
        assert_eq!(put(&mut isolate, r#"{"phase":"full"}"#), 500, "{version:?}");
        assert_eq!(put(&mut host, r#"{"phase":"full"}"#), 500, "{version:?}");
        assert_eq!(host.strong["orders/phase"], text);
        if version.is_some() {
            let body = format!(r#"{{"backup":{backup},"reason":"a test"}}"#);
            assert_eq!(told(&mut isolate, "/restore", &body), 200, "{version:?}");
            let order = Order::read(Name::Phase, &isolate.strong["orders/phase"]).unwrap();
            let highest = version.unwrap_or_default().max(3);
            assert_eq!((order.version, order.value), (highest + 1, json!({ "phase": "canary", "percent": 5 })));
            assert_eq!(put(&mut isolate, r#"{"phase":"full"}"#), 200);
        }
        // The kill switch asks nobody.
        assert_eq!(told(&mut isolate, "/kill", r#"{"reason":"a test"}"#), 200);
    }
}

/// H104 and H158: an order that somebody has put into the strong store or into the cache is obeyed by nobody, also not by an
/// isolate that was asked to show it; and what is ordered next is.
#[test]
fn an_order_that_was_forged_is_not_obeyed_because_somebody_looked_at_it() {
    for is_in_cache in [false, true] {
        let mut host = operator();
        host.cache = Some(BTreeMap::new());
        hold(&mut host, "primary");
        let mut order = Order::read(Name::Control, &host.strong["orders/control"]).unwrap();
        order.version = 99;
        order.value = json!({ "circuits": { "*": { "hold": "open" } } });
        let (forged, mut other) = (order.text(Name::Control), isolate_beside(&host, access::Settings::default()));
        let path = if is_in_cache {
            other.cache.as_mut().unwrap().insert("orders/control".to_owned(), forged);
            "/orders/control?cached=true"
        } else {
            other.strong.insert("orders/control".to_owned(), forged);
            "/orders/control"
        };
        assert_eq!(other.ask(&request("GET", path, &[], "")).status, 200);
        let obeyed = looked(&mut other);
        assert!(obeyed.is_empty() || obeyed == [held("primary")], "{obeyed:?}");
        assert_eq!(told(&mut other, "/circuits/second/hold", r#"{"state":"open","reason":"a test"}"#), 200);
        assert!(looked(&mut other).contains(&held("second")), "in the cache: {is_in_cache}");
    }
}

/// H104: what a newer release has written is not damaged: nobody overwrites it but the kill switch.
#[test]
fn an_order_of_a_newer_release_is_not_overwritten() {
    let mut host = operator();
    hold(&mut host, "primary");
    let order = r#"{"schema":2,"name":"control","holds":[]}"#;
    let text = format!(r#"{{"sha256":"{}","order":{order}}}"#, crate::audit::sha256(order));
    host.strong.insert("orders/control".to_owned(), text.clone());
    for path in ["/circuits/primary/reset", "/circuits/primary/release", "/pools/primary/drain"] {
        assert_eq!(told(&mut host, path, r#"{"reason":"a test"}"#), 500, "{path}");
    }
    assert_eq!(host.strong["orders/control"], text);
}

/// Who follows by way of the read cache sees what was ordered, without asking the strong store each time.
#[test]
fn a_follower_of_the_cache_is_told_by_whoever_writes() {
    let by_cache = access::Settings { follow_cache: true, ..access::Settings::default() };
    let mut host = operator();
    host.cache = Some(BTreeMap::new());
    let mut follower = isolate_beside(&host, by_cache);
    looked(&mut follower);
    hold(&mut host, "primary");
    looked(&mut host);
    follower.strong.clone_from(&host.strong);
    follower.cache.clone_from(&host.cache);
    assert_eq!(looked(&mut follower), [held("primary")]);
    looked(&mut follower);
    assert_eq!(follower.asked, 1, "a look at the cache and nothing else");
}

/// H108: what the cache did not take is put there again until it does.
#[test]
fn a_cache_that_refuses_is_told_again() {
    let by_cache = access::Settings { follow_cache: true, ..access::Settings::default() };
    let mut host = operator();
    host.cache = Some(BTreeMap::new());
    let mut follower = isolate_beside(&host, by_cache);
    looked(&mut follower);
    host.is_cache_full = true;
    hold(&mut host, "primary");
    looked(&mut host);
    looked(&mut host);
    host.is_cache_full = false;
    looked(&mut host);
    follower.strong.clone_from(&host.strong);
    follower.cache.clone_from(&host.cache);
    assert_eq!(looked(&mut follower), [held("primary")]);
    host.asked = 0;
    looked(&mut host);
    assert_eq!(host.asked, 1, "then it is left alone");
}

/// A cache that nobody has told delays an order by a minute, and no more.
#[test]
fn a_follower_of_the_cache_asks_the_strong_store_from_time_to_time() {
    let by_cache = || access::Settings { follow_cache: true, ..access::Settings::default() };
    let mut host = operator();
    hold(&mut host, "primary");
    let mut follower = isolate_beside(&host, by_cache());
    assert_eq!(looked(&mut follower), [held("primary")], "the first look is at the strong store");
    hold(&mut host, "second");
    follower.strong.clone_from(&host.strong);
    assert_eq!(looked(&mut follower), []);
    follower.now += VERIFY_AFTER_MS;
    assert_eq!(looked(&mut follower), [held("second")]);
}

#[test]
fn it_looks_once_in_an_interval_and_a_clock_that_stepped_back_looks_again() {
    let mut host = operator();
    let mut looks = |now| {
        host.now = now;
        host.carry_out(begin);
        host.asked
    };
    let start = 1_704_067_200_000;
    assert_eq!([looks(start), looks(start + 499), looks(start + 500), looks(start - 1)], [2, 0, 1, 2]);
}

#[test]
fn without_a_strong_store_it_looks_once_and_goes_on() {
    let mut monitor = Monitor::default();
    let mut asks = |answer: Option<Answer>| {
        let mut cx = Cx { monitor: &mut monitor, now: Instant(0), random: 0 };
        match (begin(&mut cx), answer) {
            (Next::Ask(_, then), Some(answer)) => matches!(then(answer, &mut cx), Next::Done),
            (next, _) => matches!(next, Next::Ask(..)),
        }
    };
    assert!(asks(Some(Answer::NoStore("none".to_owned()))));
    assert!(!asks(None));
}

#[test]
fn nobody_is_told_who_has_a_token() {
    let mut host = operator();
    hold(&mut host, "primary");
    let tokens = host.strong["orders/control"].clone();
    host.strong.insert("orders/tokens".to_owned(), tokens);
    looked(&mut host);
    let told = document(host.monitor.orders());
    assert_eq!(told["control"]["version"], 1);
    assert_eq!(told.as_object().map(serde_json::Map::len), Some(1));
}

/// What is there counts from the last look that found nothing newer: not from one that failed, found damage, or asked a cache.
#[test]
fn it_knows_when_what_was_seen_was_last_all_that_there_is() {
    let mut host = operator();
    let mut other = isolate_beside(&host, access::Settings::default());
    let confirmed = |other: &mut Host| {
        looked(other);
        other.monitor.follow().confirmed_at().map(|at| at == Instant(other.now))
    };
    // Nobody has ordered anything, and the store says so.
    assert_eq!(confirmed(&mut other), Some(true));
    hold(&mut host, "primary");
    other.strong.clone_from(&host.strong);
    assert_eq!(confirmed(&mut other), Some(true));
    assert_eq!(confirmed(&mut other), Some(true));
    hold(&mut host, "replica");
    other.strong.clone_from(&host.strong);
    damage(&mut other, "orders/control");
    assert_eq!(confirmed(&mut other), Some(false));
    other.strong.clone_from(&host.strong);
    assert_eq!(confirmed(&mut other), Some(true));
    let before = other.strong.clone();
    hold(&mut host, "third");
    other.strong.clone_from(&host.strong);
    assert_eq!(confirmed(&mut other), Some(true));
    // A backup that was put back, and a store that lost all.
    other.strong = before;
    assert_eq!(confirmed(&mut other), Some(false));
    other.strong.clear();
    assert_eq!(confirmed(&mut other), Some(false));
}
