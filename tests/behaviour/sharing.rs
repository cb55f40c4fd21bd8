//! What isolates tell each other, by texts in a store that promises nothing.

use seawall::engine::Engine;
use seawall::error::Code;
use seawall::outcome::Judgement;
use seawall::policy::breaker::State;

use crate::host::{Host, READ, refused, unavailable};

/// A store that holds one text and counts.
#[derive(Default)]
struct Store {
    text: Option<String>,
    reads: usize,
    writes: usize,
}

impl Store {
    /// Reads or writes if the engine finds it due, as a shell does.
    fn tick(&mut self, host: &mut Host) {
        let now = host.now;
        if host.engine.claim_write(now).is_some() {
            self.load(&mut host.engine, now);
            if !host.engine.is_stored() {
                self.writes += 1;
                let text = host.engine.export();
                host.engine.stored(&text);
                self.text = Some(text);
            }
        } else if host.engine.claim_read(now) {
            self.load(&mut host.engine, now);
        }
    }

    fn load(&mut self, engine: &mut Engine, now: seawall::clock::Instant) {
        self.reads += 1;
        if let Some(text) = &self.text {
            engine.import(text, now).unwrap();
        }
    }
}

/// An isolate that made its cold read at `host.now`.
fn isolate(store: &mut Store, text: &str, seed: u64, now: seawall::clock::Instant) -> Host {
    let mut host = Host::seeded(text, seed);
    host.now = now;
    assert!(host.engine.claim_cold_read(now));
    store.load(&mut host.engine, now);
    host
}

/// CB-26: a new isolate refuses before any failure of its own, until its own point of the probe window that begins when the
/// first one may probe.
#[test]
fn a_newcomer_refuses_what_others_found_failing() {
    let mut store = Store::default();
    let mut first = Host::seeded("{}", 1);
    first.fail(3);
    store.tick(&mut first);
    let mut second = isolate(&mut store, "{}", 2, first.later(1_000).now);
    assert_eq!(refused(second.begin(READ)), Code::CircuitOpen);
    let (own, told) = (second.engine.breaker().retry_at(), first.engine.breaker().retry_at());
    assert!(own >= told && own.since(told) <= 66_000, "{own:?} {told:?}");
    assert_eq!(second.status().totals.hints_merged, 1);
}

/// The recovery is told as well.
#[test]
fn the_recovery_reaches_those_that_refuse() {
    let mut store = Store::default();
    let mut first = Host::seeded("{}", 1);
    first.fail(3);
    store.tick(&mut first);
    let mut second = isolate(&mut store, "{}", 2, first.now);
    first.now = first.engine.breaker().retry_at();
    first.call(Judgement::SUCCESS);
    first.call(Judgement::SUCCESS);
    store.tick(&mut first);
    second.now = first.now;
    store.tick(&mut second);
    assert_eq!(second.state(), State::Closed);
    assert_eq!(store.writes, 2, "one for the opening, one for the close");
}

/// A healthy isolate reads once, when it is cold, and never writes.
#[test]
fn a_healthy_isolate_is_silent() {
    let mut store = Store::default();
    let mut host = isolate(&mut store, "{}", 1, crate::host::START);
    for _ in 0..10_000 {
        host.later(60).call(Judgement::SUCCESS);
        assert!(!host.engine.wants_store());
        store.tick(&mut host);
    }
    assert_eq!((store.reads, store.writes), (1, 0));
}

/// However many calls an outage meets, one isolate writes when it begins and when it ends.
#[test]
fn one_isolate_writes_twice_for_an_outage() {
    let mut store = Store::default();
    let mut host = isolate(&mut store, "{}", 1, crate::host::START);
    for _ in 0..25_000 {
        if host.state() == State::HalfOpen || host.state() == State::Closed {
            host.call(unavailable());
        } else {
            refused(host.begin(READ));
        }
        store.tick(&mut host);
        host.later(1);
    }
    assert_eq!(store.writes, 1);
    host.now = host.engine.breaker().retry_at();
    host.call(Judgement::SUCCESS);
    host.call(Judgement::SUCCESS);
    store.tick(&mut host);
    assert_eq!((host.state(), store.writes), (State::Closed, 2));
}

/// While the circuit is open, a lone isolate reads the store at most once per 500 ms, one of many every 10,000 ms.
#[test]
fn reads_are_as_far_apart_as_the_interval() {
    for (isolates, at_most) in [(0, 600), (1_000, 30)] {
        let mut store = Store::default();
        let settings =
            format!(r#"{{"circuitBreaker":{{"recoveryTimeout":600000}},"state":{{"expectedIsolates":{isolates}}}}}"#);
        let mut host = isolate(&mut store, &settings, 1, crate::host::START);
        host.fail(3);
        store.tick(&mut host);
        let before = store.reads;
        for _ in 0..3_000 {
            store.tick(host.later(100));
        }
        let reads = store.reads - before;
        assert!(reads <= at_most && reads >= at_most * 9 / 10, "{reads}");
    }
}

/// Of many isolates that see one outage, those that read before they write need not write.
#[test]
fn an_isolate_that_finds_its_news_stored_writes_nothing() {
    let mut store = Store::default();
    let mut first = Host::seeded("{}", 1);
    let mut second = Host::seeded("{}", 2);
    first.fail(3);
    second.later(50).fail(3);
    store.tick(&mut first);
    store.tick(&mut second);
    assert_eq!(store.writes, 1);
    assert_eq!(second.state(), State::Open);
}

/// Garbage in the store changes nothing but a counter.
#[test]
fn garbage_changes_nothing() {
    let mut other = Host::seeded("{}", 2);
    other.fail(3);
    let good = other.engine.export();
    let cut = &good[..good.len() - 3];
    let flipped = good.replacen('A', "B", 1);
    let mut host = Host::new("{}");
    let garbage = ["", "{}", "null", "<html>", "U1c", cut, flipped.as_str(), "\u{fffd}"];
    for text in garbage {
        assert!(host.engine.import(text, host.now).is_err(), "{text:?}");
    }
    assert!(host.engine.import(&"A".repeat(1_000_000), host.now).is_err());
    assert_eq!(host.state(), State::Closed);
    assert_eq!(host.status().totals.hints_refused, garbage.len() as u64 + 1);
    host.attempt(READ);
}

/// A hint of a clock that is far ahead is dropped; an old one has no say.
#[test]
fn a_hint_from_the_future_or_of_long_ago_has_no_say() {
    let mut ahead = Host::seeded("{}", 2);
    ahead.later(3_600_000).fail(3);
    let mut host = Host::new("{}");
    host.engine.import(&ahead.engine.export(), host.now).unwrap();
    assert_eq!(host.state(), State::Closed);
    let mut old = Host::seeded("{}", 3);
    old.fail(3);
    host.later(3_600_000);
    host.engine.import(&old.engine.export(), host.now).unwrap();
    assert_eq!(host.state(), State::Closed);
}

/// A hint is advice: an isolate that has just seen the database healthy goes on.
#[test]
fn what_this_isolate_saw_after_the_opening_outranks_the_hint() {
    let mut other = Host::seeded("{}", 2);
    other.fail(3);
    let mut host = Host::new("{}");
    host.later(500).call(Judgement::SUCCESS);
    host.later(1);
    host.engine.import(&other.engine.export(), host.now).unwrap();
    assert_eq!(host.state(), State::Closed);
}

/// Another database's outage is none of ours.
#[test]
fn hints_of_another_database_open_nothing() {
    let named = |name: &str| format!(r#"{{"platform":{{"database":"{name}"}}}}"#);
    let mut other = Host::seeded(&named("a"), 2);
    other.fail(3);
    let mut host = Host::new(&named("b"));
    host.engine.import(&other.engine.export(), host.now).unwrap();
    assert_eq!(host.state(), State::Closed);
    let mut third = Host::seeded(&named("a"), 3);
    third.engine.import(&host.engine.export(), third.now).unwrap();
    assert_eq!(third.state(), State::Open, "what passes through is not lost");
}

/// Importing twice, or one's own text, is as good as once.
#[test]
fn importing_again_changes_nothing() {
    let mut other = Host::seeded("{}", 2);
    other.fail(3);
    let text = other.engine.export();
    let mut host = Host::new("{}");
    for _ in 0..3 {
        host.engine.import(&text, host.now).unwrap();
        assert_eq!(host.state(), State::Open);
    }
    let own = host.engine.export();
    host.engine.import(&own, host.now).unwrap();
    assert_eq!(host.status().totals.hints_merged, 1);
    assert!(!host.engine.breaker().is_cell_news());
}

/// A breaker that is switched off takes no advice to refuse.
#[test]
fn a_breaker_that_is_off_follows_no_hint() {
    let mut other = Host::seeded("{}", 2);
    other.fail(3);
    let mut host = Host::new(r#"{"circuitBreaker":{"enabled":false}}"#);
    host.engine.import(&other.engine.export(), host.now).unwrap();
    assert_eq!(host.state(), State::Closed);
    host.attempt(READ);
}

/// A store that fails costs the hint, and it is told again later: an outage, of which others know, much later.
#[test]
fn a_write_that_failed_is_tried_again_later() {
    let mut host = Host::new(r#"{"state":{"writeJitter":0,"writeInterval":1100}}"#);
    host.fail(3);
    assert_eq!(host.engine.claim_write(host.now), Some(0));
    host.engine.write_failed(host.now);
    assert_eq!(host.status().totals.store_failures, 1);
    host.later(11_099);
    assert_eq!(host.engine.claim_write(host.now), None);
    host.later(1);
    assert_eq!(host.engine.claim_write(host.now), Some(0));
}

/// A write takes a while, and the circuit may change meanwhile: what the store does not hold stays news.
#[test]
fn a_recovery_during_a_write_of_the_outage_is_still_told() {
    let mut host = Host::new(r#"{"state":{"writeJitter":0},"circuitBreaker":{"recoveryTimeout":100}}"#);
    host.fail(3);
    assert_eq!(host.engine.claim_write(host.now), Some(0));
    let outage = host.engine.export();
    host.now = host.engine.breaker().retry_at();
    host.call(Judgement::SUCCESS);
    host.call(Judgement::SUCCESS);
    assert_eq!(host.state(), State::Closed);
    host.engine.stored(&outage);
    assert!(!host.engine.is_stored(), "the store holds the outage only");
}
