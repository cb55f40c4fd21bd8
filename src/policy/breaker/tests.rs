use super::*;
use crate::note::Notes;
use crate::policy::backoff::Backoff;
use crate::rng::SplitMix;

pub(super) const CONFIG: BreakerConfig = BreakerConfig {
    failures_max: 3,
    failure_ratio: 0.0,
    slow_ratio: 0.0,
    consecutive_max: 0,
    calls_min: 10,
    slow_ms: 5_000,
    slow_is_failure: true,
    window_ms: 60_000,
    window_buckets: 12,
    window_calls: 0,
    weights: Weights::EQUAL,
    open: Backoff { initial_ms: 30_000, max_ms: 120_000, multiplier: 2.0, jitter: 0.0 },
    probes_max: 3,
    successes_to_close: 2,
    corners: Corners::OURS,
    fleet: FleetConfig { expected: 0, probes: 1.0, ramp_ms: 2_000, has_near: false },
};

/// A breaker with a hand-set clock, a few minutes after an epoch that makes generations nonzero.
pub(super) struct Bench {
    pub(super) breaker: Breaker,
    rng: SplitMix,
    pub(super) notes: Notes,
    pub(super) now: Instant,
}

impl Bench {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self {
            breaker: Breaker::new(config, 42),
            rng: SplitMix::new(1),
            notes: Notes::default(),
            now: Instant(1_000_000),
        }
    }

    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Breaker, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx { now: self.now, rng: &mut self.rng, notes: &mut self.notes };
        work(&mut self.breaker, &mut cx)
    }

    pub(super) fn later(&mut self, ms: Millis) -> &mut Self {
        self.now = self.now.plus(ms);
        self
    }

    pub(super) fn is_admitted(&mut self) -> bool {
        self.with(|breaker, cx| breaker.decide(cx)) == BreakerAnswer::Admit
    }

    pub(super) fn admit(&mut self) -> Admission {
        assert!(self.is_admitted(), "refused at {:?}", self.now);
        let expires_at = self.now.plus(15_000);
        self.with(|breaker, cx| breaker.admit(expires_at, cx))
    }

    pub(super) fn end(&mut self, admission: Admission, evidence: Evidence, duration_ms: Millis) {
        self.with(|breaker, cx| breaker.observe(admission, evidence, duration_ms, cx));
    }

    pub(super) fn call(&mut self, evidence: Evidence) {
        let admission = self.admit();
        self.end(admission, evidence, 1);
    }

    pub(super) fn fail(&mut self, times: u32) {
        for _ in 0..times {
            self.call(Evidence::Failing);
        }
    }

    pub(super) fn state(&self) -> State {
        self.breaker.state(self.now)
    }
}

#[test]
fn it_opens_on_exactly_the_third_counted_failure() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(2);
    for _ in 0..50 {
        bench.call(Evidence::Healthy);
        bench.call(Evidence::None);
    }
    assert_eq!(bench.state(), State::Closed);
    bench.fail(1);
    assert_eq!(bench.state(), State::Open);
    assert!(!bench.is_admitted());
}

#[test]
fn failures_older_than_the_window_are_forgotten() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(2);
    bench.later(61_000).fail(2);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn it_stays_open_for_the_recovery_time_and_says_until_when() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    let until = bench.now.plus(30_000);
    assert_eq!(bench.with(|breaker, cx| breaker.decide(cx)), BreakerAnswer::Refuse { retry_at: until });
    bench.later(29_999);
    assert!(!bench.is_admitted());
    bench.later(1);
    assert!(bench.is_admitted());
    assert_eq!(bench.state(), State::HalfOpen);
}

#[test]
fn jitter_makes_it_longer_and_never_shorter() {
    let open = Backoff { jitter: 0.5, ..CONFIG.open };
    for seed in 0..200 {
        let mut bench = Bench::new(BreakerConfig { open, ..CONFIG });
        bench.rng = SplitMix::new(seed);
        bench.fail(3);
        let open_ms = bench.breaker.retry_at().since(bench.now);
        assert!((30_000..=45_000).contains(&open_ms), "{open_ms}");
    }
}

#[test]
fn three_probes_at_once_and_two_successes_in_a_row_close_it() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    bench.later(30_000);
    let probes = [bench.admit(), bench.admit(), bench.admit()];
    assert!(probes.iter().all(|probe| probe.is_probe()));
    assert!(!bench.is_admitted(), "a fourth probe was let through");
    bench.end(probes[0], Evidence::Healthy, 1);
    assert_eq!(bench.state(), State::HalfOpen);
    bench.end(probes[1], Evidence::Healthy, 1);
    assert_eq!(bench.state(), State::Closed);
    bench.end(probes[2], Evidence::Failing, 1);
    assert_eq!(bench.breaker.failures(bench.now), 0, "a probe of the past counted in the new window");
}

#[test]
fn a_failed_probe_opens_it_for_longer_each_time_up_to_the_maximum() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    for open_ms in [30_000, 60_000, 120_000, 120_000] {
        assert_eq!(bench.breaker.retry_at().since(bench.now), open_ms);
        bench.later(open_ms).fail(1);
        assert_eq!(bench.state(), State::Open);
    }
}

#[test]
fn a_success_from_before_the_trip_does_not_close_it() {
    let mut bench = Bench::new(CONFIG);
    let early = bench.admit();
    bench.fail(3);
    bench.later(30_000);
    assert!(bench.is_admitted());
    bench.end(early, Evidence::Healthy, 1);
    bench.end(early, Evidence::Healthy, 1);
    assert_eq!(bench.state(), State::HalfOpen);
}

#[test]
fn failures_from_before_the_trip_do_not_reopen_it_after_the_recovery() {
    let mut bench = Bench::new(CONFIG);
    let early = [bench.admit(), bench.admit(), bench.admit()];
    bench.fail(3);
    bench.later(30_000);
    bench.call(Evidence::Healthy);
    bench.call(Evidence::Healthy);
    assert_eq!(bench.state(), State::Closed);
    for admission in early {
        bench.end(admission, Evidence::Failing, 40_000);
    }
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn a_lost_probe_gives_its_permit_back_when_it_expires() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    bench.later(30_000);
    for _ in 0..3 {
        bench.admit();
    }
    let answer = bench.with(|breaker, cx| breaker.decide(cx));
    assert_eq!(answer, BreakerAnswer::Refuse { retry_at: bench.now.plus(15_000) });
    bench.later(15_000);
    assert!(bench.is_admitted());
}

#[test]
fn a_late_probe_does_not_free_the_permit_of_the_one_that_took_its_place() {
    let mut bench = Bench::new(BreakerConfig { probes_max: 1, successes_to_close: 5, ..CONFIG });
    bench.fail(3);
    bench.later(30_000);
    let lost = bench.admit();
    bench.later(15_000);
    bench.admit();
    bench.end(lost, Evidence::None, 1);
    assert!(!bench.is_admitted());
}

#[test]
fn slow_successes_count_as_failures_when_strictly_slower() {
    let mut bench = Bench::new(CONFIG);
    for _ in 0..5 {
        let admission = bench.admit();
        bench.end(admission, Evidence::Healthy, 5_000);
    }
    assert_eq!(bench.state(), State::Closed);
    for _ in 0..3 {
        let admission = bench.admit();
        bench.end(admission, Evidence::Healthy, 5_001);
    }
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn shares_need_their_minimum_of_calls_and_are_judged_after_successes_too() {
    let config = BreakerConfig { failures_max: 0, failure_ratio: 0.5, ..CONFIG };
    let mut bench = Bench::new(config);
    bench.fail(5);
    for _ in 0..4 {
        bench.call(Evidence::Healthy);
    }
    assert_eq!(bench.state(), State::Closed, "nine calls are too few");
    bench.call(Evidence::Healthy);
    assert_eq!(bench.state(), State::Open, "five of ten is half");

    let config = BreakerConfig { failures_max: 0, slow_ratio: 0.3, slow_is_failure: false, ..CONFIG };
    let mut bench = Bench::new(config);
    for index in 0..10 {
        let admission = bench.admit();
        bench.end(admission, Evidence::Healthy, if index < 3 { 9_000 } else { 1 });
    }
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn failures_in_a_row_start_over_at_a_success() {
    let mut bench = Bench::new(BreakerConfig { failures_max: 0, consecutive_max: 3, ..CONFIG });
    bench.fail(2);
    bench.call(Evidence::Healthy);
    bench.fail(2);
    assert_eq!(bench.state(), State::Closed);
    bench.fail(1);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn what_says_nothing_gives_the_permit_back_and_counts_for_nothing() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    bench.later(30_000);
    for _ in 0..100 {
        bench.call(Evidence::None);
    }
    assert_eq!(bench.state(), State::HalfOpen);
}

#[test]
fn a_hand_holds_it_open_or_closed_until_it_lets_go() {
    let mut bench = Bench::new(CONFIG);
    bench.with(|breaker, cx| breaker.force(Some(Forced::Open), cx));
    bench.later(10_000_000);
    assert_eq!(bench.with(|breaker, cx| breaker.decide(cx)), BreakerAnswer::Refuse { retry_at: Instant::NEVER });
    bench.with(|breaker, cx| breaker.force(Some(Forced::Closed), cx));
    bench.fail(50);
    assert_eq!(bench.state(), State::Closed);
    bench.with(|breaker, cx| breaker.force(None, cx));
    bench.fail(2);
    assert_eq!(bench.state(), State::Closed);
    bench.fail(1);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn a_reset_closes_it_with_zero_counters() {
    let mut bench = Bench::new(CONFIG);
    bench.call(Evidence::Healthy);
    bench.fail(3);
    bench.with(|breaker, cx| breaker.reset(cx));
    assert_eq!(bench.state(), State::Closed);
    assert_eq!((bench.breaker.successes(), bench.breaker.requests()), (0, 0));
    assert_eq!(bench.breaker.failures(bench.now), 0);
    assert_eq!(bench.breaker.cell().phase, Phase::Closed, "others should hear of it");
}

#[test]
fn each_change_is_noted_once() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    bench.later(30_000);
    bench.call(Evidence::Healthy);
    bench.call(Evidence::Healthy);
    let (events, _) = bench.notes.take_events();
    let changes: Vec<_> = events
        .iter()
        .filter_map(|(_, note)| match note {
            Note::CircuitChanged { from, to, change } => Some((*from, *to, *change)),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [
            (State::Closed, State::Open, Change::FailureCount),
            (State::Open, State::HalfOpen, Change::Elapsed),
            (State::HalfOpen, State::Closed, Change::Recovered),
        ]
    );
}

#[test]
fn an_outage_makes_two_cells_however_often_probes_fail() {
    let mut bench =
        Bench::new(BreakerConfig { open: Backoff { initial_ms: 1_000, max_ms: 1_000, ..CONFIG.open }, ..CONFIG });
    bench.fail(3);
    let opened = bench.breaker.cell();
    assert_eq!((opened.generation, opened.phase, opened.writer), (1_000, Phase::Open, 42));
    bench.with(|breaker, _| breaker.stored(opened));
    for _ in 0..15 {
        bench.later(1_000).fail(1);
    }
    assert!(!bench.breaker.is_cell_news(), "15 s of failing probes are no news");
    bench.later(1_000);
    bench.call(Evidence::Healthy);
    bench.call(Evidence::Healthy);
    let closed = bench.breaker.cell();
    assert_eq!((closed.generation, closed.phase), (1_000, Phase::Closed));
    assert!(closed > opened && bench.breaker.is_cell_news());
}

#[test]
fn an_outage_that_goes_on_is_told_again_ever_more_rarely() {
    let mut bench =
        Bench::new(BreakerConfig { open: Backoff { initial_ms: 1_000, max_ms: 1_000, ..CONFIG.open }, ..CONFIG });
    bench.fail(3);
    let mut told = 0;
    for _ in 0..600 {
        if bench.breaker.is_cell_news() {
            told += 1;
            let cell = bench.breaker.cell();
            bench.with(|breaker, _| breaker.stored(cell));
        }
        bench.later(1_000).fail(1);
    }
    assert_eq!(told, 5, "when it began, then after 20, 170, 320 and 470 s");
}

fn open_cell(at: Instant) -> Cell {
    Cell { generation: at.seconds(), phase: Phase::Open, round: 0, until: at.plus(30_000), opened_at: at, writer: 7 }
}

#[test]
fn a_newcomer_refuses_because_of_what_others_learnt() {
    let mut bench = Bench::new(CONFIG);
    let cell = open_cell(bench.now);
    bench.later(5_000);
    assert!(bench.with(|breaker, cx| breaker.advise(cell, cx)));
    // At its own point of the window that begins then.
    assert!(bench.with(|breaker, cx| breaker.decide(cx)) != BreakerAnswer::Admit);
    let until = bench.breaker.retry_at();
    assert!(until >= cell.until && until.since(cell.until) <= 60_000, "{until:?}");
    assert!(!bench.breaker.is_cell_news(), "what was read need not be written");
}

#[test]
fn a_newcomer_in_a_long_outage_waits_for_the_next_window_only() {
    let mut bench = Bench::new(CONFIG);
    let cell = open_cell(bench.now);
    bench.later(100_000);
    bench.with(|breaker, cx| breaker.advise(cell, cx));
    let until = bench.breaker.retry_at();
    assert!(until > bench.now && until.since(bench.now) <= 120_000, "{until:?}");
}

#[test]
fn advice_does_not_deny_an_isolate_that_knows_better() {
    let mut bench = Bench::new(CONFIG);
    let cell = open_cell(bench.now);
    bench.later(1_000).call(Evidence::Healthy);
    bench.with(|breaker, cx| breaker.advise(cell, cx));
    assert!(bench.is_admitted());
}

#[test]
fn a_stale_opening_says_nothing_of_the_present() {
    let mut bench = Bench::new(CONFIG);
    let cell = open_cell(bench.now);
    bench.later(30_000 + 300_001);
    bench.with(|breaker, cx| breaker.advise(cell, cx));
    assert!(bench.is_admitted());
}

#[test]
fn a_close_of_the_same_generation_ends_the_opening() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    let opened = bench.breaker.cell();
    bench.with(|breaker, _| breaker.stored(opened));
    bench.later(2_000);
    let closed = Cell { phase: Phase::Closed, until: bench.now, ..opened };
    bench.with(|breaker, cx| breaker.advise(closed, cx));
    assert_eq!(bench.state(), State::Closed);
    bench.with(|breaker, cx| breaker.advise(opened, cx));
    assert_eq!(bench.state(), State::Closed, "an old opening reopened a later close");
}

#[test]
fn an_opening_that_nobody_was_told_of_ends_with_a_later_close() {
    let mut bench = Bench::new(CONFIG);
    let others = open_cell(bench.now);
    bench.later(3_000).fail(3);
    assert!(bench.breaker.cell().generation > others.generation);
    bench.later(2_000);
    let closed = Cell { phase: Phase::Closed, until: bench.now, ..others };
    bench.with(|breaker, cx| breaker.advise(closed, cx));
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn an_opening_that_nobody_was_told_of_joins_the_outage_that_others_told_of() {
    let mut bench = Bench::new(CONFIG);
    let others = open_cell(bench.now);
    bench.later(3_000).fail(3);
    bench.with(|breaker, cx| breaker.advise(others, cx));
    assert_eq!(bench.breaker.cell(), others);
    assert!(!bench.breaker.is_cell_news(), "one telling of an outage is enough");
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn garbage_from_the_future_changes_nothing() {
    let mut bench = Bench::new(CONFIG);
    let ahead = open_cell(bench.now.plus(6_000));
    assert!(!bench.with(|breaker, cx| breaker.advise(ahead, cx)));
    let endless = Cell { until: Instant::NEVER, ..open_cell(bench.now) };
    assert!(!bench.with(|breaker, cx| breaker.advise(endless, cx)));
    assert!(bench.is_admitted());
    assert_eq!(bench.notes.tally().hints_refused, 2);
}

#[test]
fn a_clock_that_steps_back_neither_panics_nor_opens_early() {
    let mut bench = Bench::new(CONFIG);
    bench.fail(3);
    bench.now = Instant(5);
    assert!(!bench.is_admitted());
    bench.now = Instant(1_030_000);
    assert!(bench.is_admitted());
}
