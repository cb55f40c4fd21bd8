use super::*;
use crate::clock::Instant;
use crate::note::Note;
use crate::outcome::{Evidence, Outcome};
use crate::policy::breaker::tests::{Bench, CONFIG};
use crate::policy::breaker::{BreakerAnswer, BreakerConfig, Change, Forced, State, Weights};

/// Opens on half of at least four calls, and probes twice.
const SHARES: BreakerConfig =
    BreakerConfig { failures_max: 0, failure_ratio: 0.5, calls_min: 4, probes_max: 2, ..CONFIG };

fn with(corners: Corners) -> Bench {
    Bench::new(BreakerConfig { corners, ..SHARES })
}

/// Calls, one after the other: `f`ailing, `s`uccessful, or `n`either.
fn calls(bench: &mut Bench, told: &str) {
    for call in told.chars() {
        bench.call(match call {
            'f' => Evidence::Failing,
            'n' => Evidence::None,
            _ => Evidence::Healthy,
        });
    }
}

fn half_open(corners: Corners) -> Bench {
    let mut bench = with(corners);
    calls(&mut bench, "ffff");
    assert_eq!(bench.state(), State::Open);
    bench.later(30_000 + u64::from(corners.is_later));
    bench
}

#[test]
fn a_share_at_the_threshold_opens_unless_it_must_be_above() {
    let mut ours = with(Corners::OURS);
    let mut above = with(Corners { is_above: true, ..Corners::OURS });
    for bench in [&mut ours, &mut above] {
        calls(bench, "ssff");
    }
    assert_eq!((ours.state(), above.state()), (State::Open, State::Closed));
    calls(&mut above, "f");
    assert_eq!(above.state(), State::Open);
}

#[test]
fn a_success_that_completes_the_minimum_opens_unless_only_failures_ask() {
    let mut ours = with(Corners::OURS);
    let mut failures = with(Corners { asks_failures_only: true, ..Corners::OURS });
    for bench in [&mut ours, &mut failures] {
        calls(bench, "fffs");
    }
    assert_eq!((ours.state(), failures.state()), (State::Open, State::Closed));
    calls(&mut failures, "f");
    assert_eq!(failures.state(), State::Open);
}

#[test]
fn half_open_begins_when_the_open_time_has_passed_or_a_millisecond_later() {
    let mut later = with(Corners { is_later: true, ..Corners::OURS });
    calls(&mut later, "ffff");
    later.later(30_000);
    assert!(!later.is_admitted());
    later.later(1);
    assert!(later.is_admitted());
}

#[test]
fn open_times_may_be_told_one_by_one() {
    let mut bench = with(Corners { open_steps_ms: &[1_000, 5_000], ..Corners::OURS });
    calls(&mut bench, "ffff");
    for open_ms in [1_000, 5_000, 5_000] {
        assert_eq!(bench.breaker.retry_at(), bench.now.plus(open_ms));
        bench.later(open_ms);
        calls(&mut bench, "f");
    }
}

#[test]
fn what_others_are_told_of_a_long_step_is_no_garbage_to_them() {
    let config = BreakerConfig { corners: Corners { open_steps_ms: &[900_000], ..Corners::OURS }, ..SHARES };
    let mut bench = Bench::new(config);
    calls(&mut bench, "ffff");
    let cell = bench.breaker.cell();
    let mut other = Bench::new(config);
    assert!(other.with(|breaker, cx| breaker.advise(cell, cx)));
    assert_eq!(other.state(), State::Open);
}

#[test]
fn a_phase_may_be_judged_by_the_share_of_all_its_probes() {
    let corners = Corners { probes: ProbeRule::Ratios, is_above: true, ..Corners::OURS };
    let mut bench = half_open(corners);
    calls(&mut bench, "f");
    assert_eq!(bench.state(), State::HalfOpen, "half of the probes is still out");
    calls(&mut bench, "s");
    assert_eq!(bench.state(), State::Closed, "one of two is not above half");
    let mut bench = half_open(Corners { probes: ProbeRule::Ratios, ..Corners::OURS });
    calls(&mut bench, "sf");
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn a_phase_of_so_many_probes_lets_no_more_through() {
    for probes in [ProbeRule::Ratios, ProbeRule::InARowOf, ProbeRule::AtMost(0.5)] {
        let mut bench = half_open(Corners { probes, ..Corners::OURS });
        let (first, _second) = (bench.admit(), bench.admit());
        bench.end(first, Evidence::Healthy, 1);
        assert!(!bench.is_admitted(), "{probes:?}: the first has ended, and does not make room");
        bench.later(15_000);
        assert!(bench.is_admitted(), "{probes:?}: the second was lost, and does");
    }
}

#[test]
fn a_phase_may_open_as_soon_as_too_many_have_failed() {
    let corners = Corners { probes: ProbeRule::AtMost(0.5), ..Corners::OURS };
    let mut bench = half_open(corners);
    calls(&mut bench, "ff");
    assert_eq!(bench.state(), State::Open);
    let mut bench = half_open(corners);
    calls(&mut bench, "fs");
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn without_a_share_one_failed_probe_of_a_collected_phase_opens() {
    let corners = Corners { probes: ProbeRule::Ratios, ..Corners::OURS };
    let mut bench = Bench::new(BreakerConfig { corners, probes_max: 2, ..CONFIG });
    bench.fail(3);
    bench.later(30_000);
    calls(&mut bench, "fs");
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn what_says_nothing_may_be_a_success_of_probes_or_of_all() {
    let probe = Corners { neutral: Neutral::ProbeSuccess, ..Corners::OURS };
    let mut bench = half_open(probe);
    calls(&mut bench, "nn");
    assert_eq!(bench.state(), State::Closed);
    for (neutral, state) in [(Neutral::ProbeSuccess, State::Open), (Neutral::Success, State::Closed)] {
        let mut bench = with(Corners { neutral, ..Corners::OURS });
        calls(&mut bench, "nnnssff");
        assert_eq!(bench.state(), state, "two of four failed, or of seven");
    }
}

#[test]
fn a_window_of_calls_forgets_the_oldest_whatever_the_time() {
    let mut bench = Bench::new(BreakerConfig { window_calls: 4, calls_min: 100, ..SHARES });
    calls(&mut bench, "fsss");
    assert_eq!(bench.state(), State::Closed);
    bench.later(10_000_000);
    calls(&mut bench, "f");
    assert_eq!(bench.breaker.failures(bench.now), 1, "the first has left");
    calls(&mut bench, "f");
    assert_eq!(bench.state(), State::Open, "two of the last four; a minimum of 100 is never more than the window");
}

fn end(bench: &mut Bench, outcome: Outcome) {
    let admission = bench.admit();
    bench.with(|breaker, cx| breaker.observe_outcome(admission, outcome, 1, cx));
}

#[test]
fn a_class_may_weigh_half_or_nothing_and_leave_a_row_as_it_is() {
    let weights = Weights { rate_limited: 50, timeout: 0, ..Weights::EQUAL };
    let mut bench = Bench::new(BreakerConfig { weights, ..CONFIG });
    for _ in 0..5 {
        end(&mut bench, Outcome::RateLimited);
        end(&mut bench, Outcome::Timeout);
    }
    assert_eq!((bench.state(), bench.breaker.failures(bench.now)), (State::Closed, 3));
    end(&mut bench, Outcome::RateLimited);
    assert_eq!(bench.state(), State::Open, "six halves are three");

    let row = BreakerConfig { failures_max: 0, consecutive_max: 2, ..CONFIG };
    for (is_rate_limited_soft, state) in [(true, State::Closed), (false, State::Open)] {
        let weights = Weights { is_rate_limited_soft, ..Weights::EQUAL };
        let mut bench = Bench::new(BreakerConfig { weights, ..row });
        end(&mut bench, Outcome::Network);
        end(&mut bench, Outcome::RateLimited);
        assert_eq!(bench.state(), state);
        if state == State::Closed {
            end(&mut bench, Outcome::Network);
            assert_eq!(bench.state(), State::Open, "the soft one did not end the row");
        }
    }
}

#[test]
fn a_probe_of_a_class_that_does_not_count_gives_its_permit_back() {
    let weights = Weights { rate_limited: 0, ..Weights::EQUAL };
    let mut bench = Bench::new(BreakerConfig { weights, probes_max: 1, ..CONFIG });
    bench.fail(3);
    bench.later(30_000);
    end(&mut bench, Outcome::RateLimited);
    assert!(bench.is_admitted());
    assert_eq!(bench.state(), State::HalfOpen);
}

fn changes(bench: &mut Bench) -> Vec<(State, State, Change)> {
    let (events, _) = bench.notes.take_events();
    let change = |(_, note)| match note {
        Note::CircuitChanged { from, to, change } => Some((from, to, change)),
        _ => None,
    };
    events.into_iter().filter_map(change).collect()
}

#[test]
fn letting_go_of_a_circuit_that_was_held_open_is_one_change() {
    let mut bench = Bench::new(CONFIG);
    bench.with(|breaker, cx| breaker.force(Some(Forced::Open), cx));
    bench.later(5);
    bench.with(|breaker, cx| breaker.force(None, cx));
    calls(&mut bench, "ss");
    assert_eq!(
        changes(&mut bench),
        [
            (State::Closed, State::Open, Change::Forced),
            (State::Open, State::HalfOpen, Change::Forced),
            (State::HalfOpen, State::Closed, Change::Recovered),
        ]
    );
}

#[test]
fn several_hands_hold_it_open_until_the_last_lets_go() {
    let mut bench = Bench::new(CONFIG);
    bench.with(|breaker, cx| breaker.isolate(cx));
    bench.with(|breaker, cx| breaker.isolate(cx));
    bench.with(|breaker, cx| breaker.release(cx));
    assert_eq!(bench.state(), State::Open);
    bench.with(|breaker, cx| breaker.release(cx));
    assert!(bench.is_admitted());
    bench.with(|breaker, cx| breaker.release(cx));
    assert_eq!(changes(&mut bench).len(), 2, "opened and let go; one release too many is nothing");

    bench.with(|breaker, cx| breaker.force(Some(Forced::Open), cx));
    bench.with(|breaker, cx| breaker.isolate(cx));
    bench.with(|breaker, cx| breaker.release(cx));
    assert!(!bench.is_admitted(), "an operator's hand is not a handle's to open");
}

#[test]
fn a_counting_circuit_counts_and_never_opens() {
    let mut bench = Bench::new(CONFIG);
    bench.with(|breaker, cx| breaker.force(Some(Forced::Counting), cx));
    bench.fail(10);
    assert_eq!((bench.state(), bench.breaker.failures(bench.now)), (State::Closed, 10));
    bench.with(|breaker, cx| breaker.force(None, cx));
    bench.fail(1);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn a_warm_up_counts_and_opens_with_the_first_failure_after_it() {
    let mut bench = Bench::new(CONFIG);
    let until = bench.now.plus(1_000);
    bench.with(|breaker, _| breaker.warm_up(until));
    bench.fail(5);
    assert_eq!(bench.state(), State::Closed);
    bench.later(1_000).fail(1);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn a_failed_health_check_opens_it_for_the_usual_time() {
    let mut bench = Bench::new(CONFIG);
    bench.with(|breaker, cx| breaker.trip(Change::HealthCheck, cx));
    assert_eq!(bench.breaker.retry_at(), bench.now.plus(30_000));
    bench.later(10_000);
    bench.with(|breaker, cx| breaker.trip(Change::HealthCheck, cx));
    assert_eq!(bench.breaker.retry_at(), bench.now.plus(20_000), "open already: not any longer");
    assert_eq!(changes(&mut bench), [(State::Closed, State::Open, Change::HealthCheck)]);
}

#[test]
fn a_successor_goes_on_counting_and_keeps_the_time_that_is_left() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(2);
    let counts = bench.with(|breaker, cx| breaker.keep(cx.now));
    bench.fail(1);
    let outage = bench.with(|breaker, cx| breaker.keep(cx.now));

    let mut heir = Bench::new(CONFIG);
    assert!(heir.later(1_000).with(|breaker, cx| breaker.restore(counts, cx)));
    heir.fail(1);
    assert_eq!(heir.state(), State::Open);

    let mut heir = Bench::new(CONFIG);
    assert!(heir.later(10_000).with(|breaker, cx| breaker.restore(outage, cx)));
    assert_eq!(heir.with(|breaker, cx| breaker.decide(cx)), BreakerAnswer::Refuse { retry_at: heir.now.plus(20_000) });

    let mut early = Bench::new(CONFIG);
    early.now = Instant(1);
    assert!(!early.with(|breaker, cx| breaker.restore(counts, cx)), "kept in the future");
}

#[test]
fn counts_that_were_kept_leave_the_window_in_their_own_time() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(2);
    let kept = bench.with(|breaker, cx| breaker.keep(cx.now));
    let mut heir = Bench::new(CONFIG);
    heir.later(60_000).with(|breaker, cx| breaker.restore(kept, cx));
    heir.fail(1);
    assert_eq!((heir.state(), heir.breaker.failures(heir.now)), (State::Closed, 1));
}
