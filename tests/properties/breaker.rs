//! Laws of the circuit, whatever happens to it.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::{Instant, Millis};
use seawall::config::parse::parse;
use seawall::note::{Note, Notes};
use seawall::outcome::{OUTCOMES, Outcome};
use seawall::policy::Cx;
use seawall::policy::breaker::{
    Admission, Breaker, BreakerAnswer, BreakerConfig, Change, Corners, Forced, Neutral, ProbeRule, State, Weights,
};
use seawall::policy::budget::{WindowBudget, WindowBudgetConfig};
use seawall::rng::SplitMix;

#[derive(Clone, Debug)]
enum Act {
    Wait(Millis),
    Begin,
    End(usize, Outcome, Millis),
    Force(Option<Forced>),
    Isolate,
    Release,
    Trip,
    Reset,
}

fn act() -> impl Strategy<Value = Act> {
    let forced =
        prop_oneof![Just(None), Just(Some(Forced::Open)), Just(Some(Forced::Closed)), Just(Some(Forced::Counting)),];
    let end = (any::<usize>(), 0..OUTCOMES.len(), 0_u64..200);
    prop_oneof![
        4 => prop_oneof![0_u64..50, 900_u64..1_100, Just(100_000)].prop_map(Act::Wait),
        8 => Just(Act::Begin),
        8 => end.prop_map(|(call, outcome, ms)| Act::End(call, OUTCOMES[outcome], ms)),
        1 => forced.prop_map(Act::Force),
        1 => Just(Act::Isolate),
        1 => Just(Act::Release),
        1 => Just(Act::Trip),
        1 => Just(Act::Reset),
    ]
}

fn config() -> impl Strategy<Value = BreakerConfig> {
    let probes = prop_oneof![
        Just(ProbeRule::InARow),
        Just(ProbeRule::InARowOf),
        Just(ProbeRule::Ratios),
        (0.0..1.0).prop_map(ProbeRule::AtMost),
    ];
    let neutral = prop_oneof![Just(Neutral::Nothing), Just(Neutral::ProbeSuccess), Just(Neutral::Success)];
    let rules = (0_u32..4, 0_u32..4, prop_oneof![Just(0.0), 0.1..1.0], prop_oneof![Just(0_u32), 1_u32..8]);
    (rules, any::<[bool; 3]>(), probes, neutral, 1_u32..5, 1_u32..9, 0_u16..300).prop_map(
        |(
            (failures_max, consecutive_max, failure_ratio, window_calls),
            flags,
            probes,
            neutral,
            probes_max,
            close,
            weight,
        )| {
            let [is_above, asks_failures_only, is_later] = flags;
            let ours = parse("{}").unwrap().breaker;
            BreakerConfig {
                failures_max,
                consecutive_max,
                failure_ratio,
                window_calls,
                calls_min: 2,
                slow_ms: 100,
                window_ms: 1_000,
                open: seawall::policy::backoff::Backoff { initial_ms: 1_000, max_ms: 4_000, ..ours.open },
                weights: Weights { timeout: weight, ..Weights::EQUAL },
                probes_max,
                successes_to_close: close,
                corners: Corners { is_above, asks_failures_only, is_later, probes, neutral, ..Corners::OURS },
                ..ours
            }
        },
    )
}

proptest! {
    /// CB-12: what is noted is a chain. Each change starts where the one before ended, and changes something.
    #[test]
    fn notes_of_changes_are_a_chain(config in config(), acts in vec(act(), 0..120)) {
        let mut breaker = Breaker::new(config, 7);
        let (mut rng, mut notes) = (SplitMix::new(3), Notes::default());
        let mut now = Instant(1_700_000_000_000);
        let mut out: Vec<Admission> = Vec::new();
        let mut last = State::Closed;
        for act in acts {
            let cx = &mut Cx { now, rng: &mut rng, notes: &mut notes };
            match act {
                Act::Wait(ms) => now = now.plus(ms),
                Act::Begin => {
                    if breaker.decide(cx) == BreakerAnswer::Admit {
                        out.push(breaker.admit(now.plus(500), cx));
                    }
                }
                Act::End(call, outcome, ms) => {
                    if !out.is_empty() {
                        let admission = out.swap_remove(call % out.len());
                        breaker.observe_outcome(admission, outcome, ms, cx);
                    }
                }
                Act::Force(forced) => breaker.force(forced, cx),
                Act::Isolate => breaker.isolate(cx),
                Act::Release => breaker.release(cx),
                Act::Trip => breaker.trip(Change::HealthCheck, cx),
                Act::Reset => breaker.reset(cx),
            }
            for (_, note) in notes.take_events().0 {
                if let Note::CircuitChanged { from, to, .. } = note {
                    prop_assert_eq!(from, last);
                    prop_assert_ne!(from, to);
                    last = to;
                }
            }
            prop_assert_eq!(breaker.entered(), last, "a change that was not noted");
        }
    }

    /// However it was left, a database that is well is found: no rule of half-open can wedge the circuit.
    #[test]
    fn a_database_that_is_well_is_found(config in config(), acts in vec(act(), 0..60)) {
        let mut breaker = Breaker::new(config, 7);
        let (mut rng, mut notes) = (SplitMix::new(3), Notes::default());
        let mut now = Instant(1_700_000_000_000);
        for act in acts {
            let cx = &mut Cx { now, rng: &mut rng, notes: &mut notes };
            match act {
                Act::Wait(ms) => now = now.plus(ms),
                // Every other call is lost: it never ends.
                Act::Begin | Act::End(..) => {
                    if breaker.decide(cx) == BreakerAnswer::Admit {
                        let admission = breaker.admit(now.plus(500), cx);
                        if let Act::End(_, outcome, ms) = act {
                            breaker.observe_outcome(admission, outcome, ms, cx);
                        }
                    }
                }
                Act::Trip => breaker.trip(Change::HealthCheck, cx),
                Act::Force(_) | Act::Isolate | Act::Release | Act::Reset => {}
            }
        }
        now = now.plus(10_000);
        for _ in 0..40 {
            now = now.plus(600);
            let cx = &mut Cx { now, rng: &mut rng, notes: &mut notes };
            if breaker.decide(cx) == BreakerAnswer::Admit {
                let admission = breaker.admit(now.plus(500), cx);
                breaker.observe_outcome(admission, Outcome::Success, 1, cx);
            }
        }
        prop_assert_eq!(breaker.state(now), State::Closed);
    }

    /// Retries are at most a share of the calls, and the reserve of each window.
    #[test]
    fn a_window_budget_bounds_the_retries(
        steps in vec((0_u64..3_000, 0_u32..50, 0_u32..80), 1..60),
        ratio in 0.0..1.0,
        min_per_s in 0.0..5.0,
    ) {
        let mut budget = WindowBudget::new(WindowBudgetConfig { ttl_ms: 10_000, slots: 10, min_per_s, ratio });
        let (mut now, mut calls, mut retries) = (Instant(0), 0.0, 0.0);
        for (wait, deposits, wanted) in steps {
            now = now.plus(wait);
            budget.deposit(deposits, now);
            calls += f64::from(deposits);
            retries += (0..wanted).filter(|_| budget.withdraw(now)).count() as f64;
        }
        // Withdrawals leave with their slice, so the reserve comes back at most once in nine of its ten slices.
        let reserves = now.0 as f64 / 9_000.0 + 2.0;
        prop_assert!(retries <= ratio * calls + min_per_s * 10.0 * reserves + 1.0);
    }
}
