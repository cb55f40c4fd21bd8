//! One gate after the other.

use proptest::prelude::*;
use seawall::rollout::{Gate, Latencies, Pool, Sample, Thresholds, Verdict, judge};

/// So many attempts of 20 ms, of which so many failed.
fn sample(attempts: u64, failures: u64) -> Sample {
    let mut latencies = Latencies::default();
    (0..attempts).for_each(|at| latencies.took(10 + at % 20));
    let pool = Some(Pool { utilization_ratio: 0.3, acquire_timeouts: 0 });
    Sample { attempts, failures, latencies, health_score: Some(98), pool, ..Sample::default() }
}

fn slow(attempts: u64, times: u64) -> Sample {
    let mut latencies = Latencies::default();
    (0..attempts).for_each(|at| latencies.took((10 + at % 20) * times));
    Sample { latencies, ..sample(attempts, 0) }
}

fn asked() -> Thresholds {
    Thresholds::of("production")
}

/// What the gate says, and the words for it.
fn says(gate: Gate, seen: &Sample, baseline: Option<&Sample>) -> (Verdict, String) {
    let judgement = judge(&asked(), seen, baseline);
    let finding = judgement.findings.iter().find(|finding| finding.gate == gate).unwrap();
    assert!(judgement.verdict >= finding.verdict);
    (finding.verdict, finding.why.clone())
}

#[test]
fn all_is_well() {
    let judgement = judge(&asked(), &sample(12_000, 9), Some(&sample(80_000, 60)));
    assert_eq!((judgement.verdict, judgement.why().as_str(), judgement.findings.len()), (Verdict::Pass, "", 7));
}

#[test]
fn few_attempts_say_nothing_however_good_they_are() {
    for (attempts, before) in [(0, 80_000), (299, 80_000), (11_999, 80_000), (12_000, 79_999)] {
        let judgement = judge(&asked(), &sample(attempts, 0), Some(&sample(before, 0)));
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{attempts} {before}");
    }
    let (verdict, why) = says(Gate::Traffic, &sample(12_000, 0), Some(&sample(12_000, 0)));
    assert_eq!((verdict, why.as_str()), (Verdict::Inconclusive, "12000 attempts in the baseline, fewer than 80000"));
    assert_eq!(says(Gate::ErrorRate, &sample(298, 0), None).0, Verdict::Inconclusive);
    assert_eq!(says(Gate::ErrorRate, &sample(299, 0), None).0, Verdict::Pass);
    assert_eq!(says(Gate::Traffic, &sample(79_999, 0), None).0, Verdict::Inconclusive);
    assert_eq!(judge(&asked(), &sample(80_000, 0), None).verdict, Verdict::Pass);
}

#[test]
fn few_attempts_are_enough_to_go_back() {
    let judgement = judge(&asked(), &sample(10, 10), Some(&sample(80_000, 0)));
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert_eq!(says(Gate::ErrorRate, &sample(2, 1), None).0, Verdict::Inconclusive);
}

/// SUC-01 and SUC-02: below a health score of 85, or with something critical, it goes back.
#[test]
fn a_score_of_84_does_not_pass() {
    let scored = |health_score, is_critical| Sample { health_score, is_critical, ..sample(6_000, 0) };
    assert_eq!(says(Gate::HealthScore, &scored(Some(84), false), None), (Verdict::Fail, "health score 84 < 85".into()));
    assert_eq!(says(Gate::HealthScore, &scored(Some(85), false), None).0, Verdict::Pass);
    assert_eq!(says(Gate::HealthScore, &scored(None, false), None).0, Verdict::Inconclusive);
    assert_eq!(says(Gate::HealthScore, &scored(Some(100), true), None).0, Verdict::Fail);
}

#[test]
fn the_least_score_of_a_step_is_the_one_of_deployments() {
    assert_eq!(asked().health_score_min, seawall::report::score::Gates::default().deploy);
}

/// SUC-04: in production less than 1 % fails, and is shown to.
#[test]
fn one_percent_is_not_below_one_percent() {
    let (verdict, why) = says(Gate::ErrorRate, &sample(6_000, 60), None);
    assert_eq!(verdict, Verdict::Inconclusive, "{why}");
    assert!(why.contains("1.00 %") && why.contains("of 6000 attempts"), "{why}");
    assert_eq!(says(Gate::ErrorRate, &sample(6_000, 120), None).0, Verdict::Fail);
    assert_eq!(says(Gate::ErrorRate, &sample(6_000, 40), None).0, Verdict::Pass);
    let elsewhere = judge(&Thresholds::of("staging"), &sample(80_000, 2_400), None);
    assert_eq!(elsewhere.verdict, Verdict::Pass, "{elsewhere:?}");
}

#[test]
fn errors_that_tripled_fail_below_one_percent_as_well() {
    let before = sample(80_000, 160);
    let (verdict, why) = says(Gate::ErrorIncrease, &sample(12_000, 72), Some(&before));
    assert_eq!(verdict, Verdict::Fail, "{why}");
    assert!(why.starts_with("error rate 0.60 % after 0.20 % is not < 0.30 %, and no chance (p = "), "{why}");
    assert_eq!(says(Gate::ErrorIncrease, &sample(1_000, 6), Some(&before)).0, Verdict::Inconclusive);
    assert_eq!(says(Gate::ErrorIncrease, &sample(12_000, 35), Some(&before)).0, Verdict::Pass);
    // A tenth of a percent more is nothing that anybody would notice, however sure it is.
    let many = Sample { attempts: 1_000_000, failures: 900, ..sample(0, 0) };
    let none = Sample { attempts: 1_000_000, failures: 0, ..sample(0, 0) };
    assert_eq!(says(Gate::ErrorIncrease, &many, Some(&none)).0, Verdict::Pass);
}

/// SUC-03: times are held to those of the baseline.
#[test]
fn a_p95_that_doubled_fails_and_one_that_grew_a_little_does_not() {
    let before = sample(10_000, 0);
    assert_eq!(says(Gate::Latency, &slow(6_000, 2), Some(&before)).0, Verdict::Fail);
    assert_eq!(says(Gate::Latency, &slow(6_000, 1), Some(&before)).0, Verdict::Pass);
    assert_eq!(says(Gate::Latency, &slow(19, 9), Some(&before)).0, Verdict::Inconclusive);
    assert_eq!(says(Gate::Latency, &slow(20, 9), Some(&before)).0, Verdict::Fail);
    // Two slow ones of 21, where 3 of 100 were slow before, may be chance.
    let (mut few, mut before) = (slow(19, 1), before);
    (0..2).for_each(|_| few.latencies.took(60));
    (0..300).for_each(|_| before.latencies.took(60));
    let (verdict, why) = says(Gate::Latency, &few, Some(&before));
    assert_eq!(verdict, Verdict::Inconclusive, "{why}");
}

#[test]
fn only_the_slowest_getting_slower_is_seen() {
    let before = sample(10_000, 0);
    let mut seen = sample(0, 0);
    seen.attempts = 6_000;
    // The median does not move, and U hardly does; one in ten waits ten times as long.
    (0..6_000).for_each(|at| seen.latencies.took(if at % 10 == 9 { 300 } else { 10 + at % 20 }));
    let (verdict, why) = says(Gate::Latency, &seen, Some(&before));
    assert_eq!(verdict, Verdict::Fail, "{why}");
}

#[test]
fn a_circuit_that_opened_and_a_pool_at_its_end_fail() {
    let opened = Sample { circuit_openings: 1, ..sample(6_000, 0) };
    assert_eq!(says(Gate::Circuit, &opened, None), (Verdict::Fail, "circuits opened 1 times > 0".into()));
    let pool = |utilization_ratio, acquire_timeouts| {
        let seen = Sample { pool: Some(Pool { utilization_ratio, acquire_timeouts }), ..sample(6_000, 0) };
        says(Gate::Pool, &seen, None)
    };
    assert_eq!(pool(0.79, 0).0, Verdict::Pass);
    assert_eq!(pool(0.8, 0), (Verdict::Fail, "share of leases in use 80.00 % is not < 80.00 %".into()));
    assert_eq!(pool(0.1, 1), (Verdict::Fail, "calls that waited in vain for a lease 1 > 0".into()));
    assert_eq!(pool(f64::NAN, 0).0, Verdict::Inconclusive);
}

#[test]
fn intervals_add_up_and_levels_are_those_of_the_latest_one() {
    let pool = |utilization_ratio, acquire_timeouts| Some(Pool { utilization_ratio, acquire_timeouts });
    let mut seen = Sample { circuit_openings: 1, is_critical: true, pool: pool(0.9, 2), ..sample(10, 1) };
    seen.add(&Sample { circuit_openings: 2, health_score: Some(70), pool: pool(0.1, 1), ..sample(20, 2) });
    assert_eq!((seen.attempts, seen.failures, seen.latencies.len(), seen.circuit_openings), (30, 3, 30, 3));
    assert_eq!((seen.health_score, seen.is_critical, seen.pool), (Some(70), false, pool(0.1, 3)));
    seen.add(&Sample { is_critical: true, health_score: None, pool: None, ..Sample::default() });
    assert_eq!((seen.health_score, seen.is_critical, seen.pool), (None, true, pool(0.1, 3)));
}

#[test]
fn thresholds_that_make_no_sense_are_named() {
    assert_eq!(asked().problems(), [""; 0]);
    let wrong = Thresholds { error_ratio_max: f64::NAN, looks_max: 0, false_rollback_max: 0.0, ..asked() };
    assert_eq!(wrong.problems().len(), 3, "{:?}", wrong.problems());
}

#[test]
fn more_counts_of_times_than_buckets_are_refused() {
    let counts = |count| serde_json::from_str::<Latencies>(&format!("{:?}", vec![1; count]));
    assert!(counts(51).is_ok());
    assert!(counts(52).unwrap_err().to_string().contains("52 counts of durations, where there are 51 buckets"));
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let edge = || prop_oneof![Just(0_u64), 0..20_u64, 0..20_000_u64, Just(u64::MAX)];
    let pool = prop::option::of((0.0..1.5, 0..2_u64)).prop_map(|pool| {
        pool.map(|(utilization_ratio, acquire_timeouts)| Pool { utilization_ratio, acquire_timeouts })
    });
    let counts = prop::collection::vec(prop_oneof![Just(0), 0..10_000_u64, Just(u64::MAX)], 0..51);
    let score = prop::option::of(0..=100_u8);
    (edge(), edge(), counts, edge(), score, any::<bool>(), pool).prop_map(
        |(attempts, failures, counts, circuit_openings, health_score, is_critical, pool)| Sample {
            attempts,
            failures,
            latencies: counts.try_into().unwrap(),
            circuit_openings,
            health_score,
            is_critical,
            pool,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_passes_without_traffic_and_no_number_breaks_the_judge(
        seen in any_sample(), before in prop::option::of(any_sample())
    ) {
        let judgement = judge(&asked(), &seen, before.as_ref());
        let enough = seen.attempts >= 12_000 && before.as_ref().is_none_or(|before| before.attempts >= 80_000);
        prop_assert!(judgement.verdict != Verdict::Pass || enough);
        prop_assert_eq!(judgement.verdict, judgement.findings.iter().map(|finding| finding.verdict).max().unwrap());
        prop_assert_eq!(judgement.why().is_empty(), judgement.verdict == Verdict::Pass);
        let text = serde_json::to_string(&judgement).unwrap();
        prop_assert_eq!(serde_json::from_str::<seawall::rollout::Judgement>(&text).unwrap(), judgement);
    }

    #[test]
    fn more_failures_never_make_a_better_verdict(attempts in 1..20_000_u64, failures in 0..400_u64, more in 0..400_u64) {
        let error = |failures| says(Gate::ErrorRate, &sample(attempts, failures), None).0;
        prop_assert!(error(failures) <= error(failures + more));
    }
}
