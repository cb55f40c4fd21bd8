//! What an isolate makes of the circuit being open in most colos: very little, and only where it knows nothing better.

use seawall::clock::Millis;
use seawall::engine::step::Step;
use seawall::error::Code;
use seawall::outcome::Judgement;
use seawall::policy::breaker::State;

use crate::host::{Host, READ, refused, unavailable};

const RAMP_MS: Millis = 2_000;
const MINUTE_MS: Millis = 60_000;
/// A hint's life, and the longest open time of these settings.
const STALE_MS: Millis = 300_000 + 31_000;
const SETTINGS: &str = r#"{"circuitBreaker":{"recoveryTimeout":2000}}"#;

/// Of so many calls that are given up at once, how many are let through.
fn admitted(host: &mut Host, calls: usize) -> usize {
    let admits = |_| match host.begin(READ) {
        Step::Attempt { call, .. } => {
            host.engine.cancel(call, host.now);
            true
        }
        step => {
            assert_eq!(refused(step), Code::CircuitOpen);
            false
        }
    };
    (0..calls).map(admits).filter(|is_admitted| *is_admitted).count()
}

fn advised(host: &mut Host) -> bool {
    let now = host.now;
    host.engine.advise_globally(true, now)
}

/// An isolate that knows nothing and was told of an open fleet.
fn ramping() -> Host {
    let mut host = Host::new(SETTINGS);
    assert!(advised(&mut host));
    assert_eq!(host.state(), State::HalfOpen);
    host
}

#[test]
fn an_isolate_that_knows_nothing_admits_a_growing_share_and_never_none() {
    let mut host = ramping();
    let shares = [0, 667, 667, 665].map(|ms| admitted(host.later(ms), 2_000));
    for (share, expected) in shares.into_iter().zip([250, 500, 1_000, 2_000]) {
        assert!(share.abs_diff(expected) <= 80, "{shares:?}");
    }
}

#[test]
fn at_its_end_the_circuit_is_closed_again() {
    let mut host = ramping();
    host.later(RAMP_MS);
    assert_eq!(host.state(), State::Closed);
    assert_eq!(admitted(&mut host, 1_000), 1_000);
}

#[test]
fn its_own_successes_end_it_at_once() {
    let mut host = Host::new(SETTINGS);
    let calls = [READ; 2].map(|query| host.attempt(query));
    assert!(advised(&mut host));
    host.succeed(calls[0]);
    assert_eq!(host.state(), State::HalfOpen);
    host.succeed(calls[1]);
    assert_eq!(host.state(), State::Closed, "calls that were out when it began count as well");
    assert_eq!(admitted(&mut host, 1_000), 1_000);
}

#[test]
fn its_own_failures_open_it_as_ever_whenever_their_calls_began() {
    let mut host = Host::new(SETTINGS);
    host.fail(1);
    let calls = [READ; 2].map(|query| host.attempt(query));
    assert!(advised(&mut host));
    host.report(calls[0], unavailable());
    assert_eq!(host.state(), State::HalfOpen);
    admitted(host.later(RAMP_MS), 1);
    assert_eq!(host.state(), State::Closed);
    host.report(calls[1], unavailable());
    assert_eq!(host.state(), State::Open);
}

#[test]
fn a_view_that_is_not_open_changes_nothing() {
    let mut host = Host::new(SETTINGS);
    let now = host.now;
    assert!(!host.engine.advise_globally(false, now));
    assert_eq!(host.state(), State::Closed);
}

#[test]
fn a_healthy_answer_of_the_last_minute_weighs_more() {
    let mut host = Host::new(SETTINGS);
    host.call(Judgement::SUCCESS);
    assert!(!advised(host.later(MINUTE_MS - 1)));
    assert_eq!(admitted(&mut host, 1_000), 1_000);
    assert!(advised(host.later(1)));
}

#[test]
fn a_fresh_cell_of_its_own_colo_weighs_more_open_or_closed() {
    let mut teller = Host::seeded(SETTINGS, 2);
    teller.fail(3);
    let open = teller.engine.export();
    teller.now = teller.engine.breaker().retry_at();
    teller.call(Judgement::SUCCESS);
    teller.call(Judgement::SUCCESS);
    assert_eq!(teller.state(), State::Closed);
    for text in [open, teller.engine.export()] {
        let mut host = Host::new(SETTINGS);
        host.now = teller.now;
        host.engine.import(&text, host.now).unwrap();
        let before = (host.state(), host.engine.breaker().retry_at());
        assert!(!advised(&mut host));
        assert_eq!((host.state(), host.engine.breaker().retry_at()), before);
    }
}

#[test]
fn a_stale_cell_of_its_own_colo_is_no_word() {
    let mut teller = Host::seeded(SETTINGS, 2);
    teller.fail(3);
    let mut host = Host::new(SETTINGS);
    host.later(STALE_MS).engine.import(&teller.engine.export(), teller.now.plus(STALE_MS)).unwrap();
    assert_eq!(host.state(), State::Closed);
    assert!(advised(&mut host));
}

/// Never closes anything: what is open, probes, or is held by hand stays as it is.
#[test]
fn an_open_a_probing_and_a_held_circuit_stay_as_they_are() {
    use seawall::policy::breaker::Forced;
    let mut host = Host::new(SETTINGS);
    host.fail(3);
    host.later(STALE_MS);
    assert_eq!(host.state(), State::HalfOpen);
    assert!(!advised(&mut host));
    let probe = host.attempt(READ);
    assert!(!advised(&mut host));
    host.report(probe, unavailable());
    assert_eq!(host.state(), State::Open);
    for forced in [Forced::Open, Forced::Closed, Forced::Counting] {
        let mut host = Host::new(SETTINGS);
        let now = host.now;
        host.engine.force(Some(forced), now);
        let before = host.state();
        assert!(!advised(&mut host));
        assert_eq!(host.state(), before);
    }
}

#[test]
fn a_breaker_that_is_off_and_a_ramp_of_no_length_take_no_advice() {
    for text in [r#"{"circuitBreaker":{"enabled":false}}"#, r#"{"state":{"rampTime":0}}"#] {
        let mut host = Host::new(text);
        assert!(!advised(&mut host));
        assert_eq!(admitted(&mut host, 100), 100);
    }
}

#[test]
fn others_are_not_told_and_asking_again_does_not_begin_anew() {
    let mut host = ramping();
    assert!(host.engine.is_stored());
    let until = host.engine.breaker().retry_at();
    assert!(!advised(host.later(RAMP_MS / 2)));
    assert_eq!(host.engine.breaker().retry_at(), until);
    host.later(RAMP_MS).call(Judgement::SUCCESS);
    assert!(host.engine.is_stored() && host.engine.breaker().cell().generation == 0);
}

/// The quorum is a setting, and the view is this engine's breaker's.
#[test]
fn an_engine_asks_for_its_own_breaker_with_its_own_quorum() {
    let told = |fails: bool| {
        let mut teller = Host::seeded(SETTINGS, 2);
        teller.fail(3);
        if !fails {
            let now = teller.now;
            teller.engine.reset_breaker(now);
        }
        teller.engine.export()
    };
    let (open, closed) = (told(true), told(false));
    let texts = [("AMS", open.as_str()), ("FRA", open.as_str()), ("LHR", closed.as_str())];
    for (quorum, is_open) in [(0.6, true), (0.7, false)] {
        let host = Host::new(&format!(r#"{{"state":{{"quorum":{quorum}}}}}"#));
        let view = host.engine.fleet(texts, host.now);
        assert_eq!((view.is_open, view.is_widespread()), (is_open, is_open));
        assert_eq!((view.open_weight, view.total_weight), (6, 9), "three failures in each");
    }
    let other = Host::new(r#"{"platform":{"database":"another"}}"#);
    assert!(!other.engine.fleet(texts, other.now).is_open);
}
