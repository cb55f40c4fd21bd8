//! The tests of hypotheses that gates are made of. Each is one-sided: only worse is of interest. Counts up to a billion are exact
//! to five digits at least; above that nothing is promised but an end.
//!
//! | what | formula |
//! |---|---|
//! | [`binomial_bounds`] | exact bounds of a share: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934) |
//! | [`fisher`] | whether a share is greater than another: Fisher's exact test (1935), the upper tail of the hypergeometric distribution |
//! | [`rank_sum`] | whether values are greater than others: Mann and Whitney's U (Annals of Mathematical Statistics 18, 1947), by its normal approximation with correction for ties (Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 4.1) and for continuity |

/// Steps of a bisection: doubles have no more bits to find.
const BISECTIONS: u32 = 52;
/// Terms of a tail below this part of its sum change nothing.
const NEGLIGIBLE: f64 = 1e-17;
/// Most terms of a tail: of a billion trials those within ten standard deviations.
const TERMS_MAX: usize = 200_000;

/// The share of which `hits` of `trials` are a sample: what it is at least, and at most, each with probability `1 - alpha`.
/// 0 and 1 where there were no trials. `hits` above `trials` are as many.
#[must_use]
pub fn binomial_bounds(hits: u64, trials: u64, alpha: f64) -> (f64, f64) {
    let hits = hits.min(trials);
    let lower = if hits == 0 { 0.0 } else { bisect(|share| at_least(hits, trials, share) < alpha, hits, trials, true) };
    let upper =
        if hits == trials { 1.0 } else { bisect(|share| at_most(hits, trials, share) < alpha, hits, trials, false) };
    (lower, upper)
}

/// The edge of where `is_unlikely` holds, between the observed share and 0 or 1.
fn bisect(is_unlikely: impl Fn(f64) -> bool, hits: u64, trials: u64, is_lower: bool) -> f64 {
    let observed = hits as f64 / trials as f64;
    let (mut likely, mut unlikely) = (observed, if is_lower { 0.0 } else { 1.0 });
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(likely, unlikely);
        *(if is_unlikely(middle) { &mut unlikely } else { &mut likely }) = middle;
    }
    unlikely
}

/// The probability of `hits` or more of `trials`. For `hits` at or above what is expected.
fn at_least(hits: u64, trials: u64, share: f64) -> f64 {
    let odds = share / (1.0 - share);
    tail(binomial(hits, trials, share), (hits..trials).map(|at| (trials - at) as f64 / (at + 1) as f64 * odds))
}

/// The probability of `hits` or fewer of `trials`. For `hits` at or below what is expected.
fn at_most(hits: u64, trials: u64, share: f64) -> f64 {
    let odds = (1.0 - share) / share;
    tail(binomial(hits, trials, share), (1..=hits).rev().map(|at| at as f64 / (trials - at + 1) as f64 * odds))
}

/// The probability of exactly `hits` of `trials`.
fn binomial(hits: u64, trials: u64, share: f64) -> f64 {
    let (hits_f, misses) = (hits as f64, (trials - hits) as f64);
    let of = |count: f64, share: f64| if count == 0.0 { 0.0 } else { count * share.ln() };
    (ln_choose(trials, hits) + of(hits_f, share) + of(misses, 1.0 - share)).exp()
}

/// A first term, and those after it by their ratios, as long as they matter. At most 1.
fn tail(first: f64, ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut term, mut sum) = (first, first);
    for ratio in ratios.take(TERMS_MAX) {
        term *= ratio;
        sum += term;
        if ratio < 1.0 && (term < sum * NEGLIGIBLE || term == 0.0) {
            break;
        }
    }
    sum.min(1.0)
}

fn ln_choose(all: u64, chosen: u64) -> f64 {
    let ln_factorial = |count: u64| libm::lgamma(count as f64 + 1.0);
    ln_factorial(all) - ln_factorial(chosen) - ln_factorial(all - chosen)
}

/// How likely chance is to give the first group `hits` or more of all hits, were both shares the same.
///
/// 1 where the first group's share is not above the second's, and where a group is empty. Hits above trials are as many.
#[must_use]
pub fn fisher(hits: u64, trials: u64, other_hits: u64, other_trials: u64) -> f64 {
    let (hits, other_hits) = (hits.min(trials), other_hits.min(other_trials));
    let expected = hits as f64 / trials.max(1) as f64;
    if trials == 0 || other_trials == 0 || expected <= other_hits as f64 / other_trials as f64 {
        return 1.0;
    }
    let (all, all_hits) = (trials.saturating_add(other_trials), hits.saturating_add(other_hits));
    let first = ln_choose(all_hits, hits) + ln_choose(all - all_hits, trials - hits) - ln_choose(all, trials);
    let most = trials.min(all_hits);
    tail(
        first.exp(),
        (hits..most).map(|at| {
            let misses_left = (other_trials + at + 1) as f64 - all_hits as f64;
            (all_hits - at) as f64 * (trials - at) as f64 / ((at + 1) as f64 * misses_left)
        }),
    )
}

/// How likely chance is to make the first group's values so much greater than the second's, were both of one distribution.
///
/// Values are counts by bucket, in rising order of buckets; those of one bucket are ties. The approximation holds from about
/// 20 values in each group on. 1 where a group is empty, or all values are ties.
#[must_use]
pub fn rank_sum(counts: &[u64], others: &[u64]) -> f64 {
    let count = |counts: &[u64], bucket: usize| counts.get(bucket).map_or(0.0, |count| *count as f64);
    let (mut wins, mut ties, mut sum, mut other_sum) = (0.0, 0.0, 0.0, 0.0);
    for bucket in 0..counts.len().max(others.len()) {
        let (own, other) = (count(counts, bucket), count(others, bucket));
        wins += own * (other_sum + other / 2.0);
        let tied = own + other;
        ties += tied * (tied - 1.0) * (tied + 1.0);
        sum += own;
        other_sum += other;
    }
    let all = sum + other_sum;
    let variance = sum * other_sum / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        return 1.0;
    }
    let z = (wins - sum * other_sum / 2.0 - 0.5) / variance.sqrt();
    (libm::erfc(z / std::f64::consts::SQRT_2) / 2.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, SplitMix};

    fn is_near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= expected * 1e-9, "{found:e} is not {expected:e}");
    }

    #[test]
    fn bounds_of_a_share_are_those_of_scipy() {
        // scipy.stats.beta.ppf(alpha, k, n - k + 1), beta.ppf(1 - alpha, k + 1, n - k), version 1.17.1
        is_near(binomial_bounds(0, 299, 0.05).1, 0.009_969_146_792_899_269);
        is_near(binomial_bounds(5, 1_000, 0.05).0, 0.001_972_153_141_805_247);
        is_near(binomial_bounds(5, 1_000, 0.05).1, 0.010_484_076_911_415_651);
        is_near(binomial_bounds(60, 6_000, 0.001).0, 0.006_490_500_420_733_266_5);
        is_near(binomial_bounds(60, 6_000, 0.001).1, 0.014_633_607_860_071_694);
        is_near(binomial_bounds(10, 10, 0.01).0, 0.630_957_344_480_193_2);
        is_near(binomial_bounds(1, 1_000_000, 0.05).1, 4.743_855_638_214_234e-6);
        assert_eq!((binomial_bounds(0, 0, 0.05), binomial_bounds(9, 0, 0.05)), ((0.0, 1.0), (0.0, 1.0)));
    }

    #[test]
    fn fishers_test_is_that_of_scipy() {
        // scipy.stats.fisher_exact([[h, t - h], [o, u - o]], alternative="greater").pvalue, version 1.17.1
        is_near(fisher(12, 2_000, 10, 10_000), 5.534_638_783_297_845_5e-5);
        is_near(fisher(3, 2_000, 0, 10_000), 0.004_623_843_396_629_11);
        is_near(fisher(90, 6_000, 50, 10_000), 1.046_462_085_409_607_4e-10);
        is_near(fisher(8, 10, 1, 12), 0.001_105_705_440_070_765_2);
        for none in [fisher(0, 10, 0, 10), fisher(1, 10, 1, 10), fisher(5, 5, 0, 0), fisher(9, 0, 1, 5)] {
            assert_eq!(none.to_bits(), 1.0_f64.to_bits());
        }
    }

    #[test]
    fn the_rank_sum_is_that_of_scipy() {
        // scipy.stats.mannwhitneyu(a, b, alternative="greater", method="asymptotic").pvalue, version 1.17.1
        is_near(rank_sum(&[0, 3, 10, 20, 17], &[0, 8, 20, 18, 4]), 0.000_159_124_469_434_502_5);
        is_near(rank_sum(&[5, 15], &[12, 8]), 0.014_082_849_421_131_72);
        is_near(rank_sum(&[12, 8], &[5, 15]), 0.987_011_419_217_034_4);
        assert_eq!(rank_sum(&[], &[1]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(rank_sum(&[0, 7], &[0, 9]).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn at_twenty_values_chance_crosses_the_rank_sum_no_more_often_than_it_says() {
        const RUNS: u32 = 40_000;
        let mut rng = SplitMix::new(5);
        let mut draw = || {
            let mut counts = [0_u64; 24];
            // As times are: the most in a few buckets, some far above.
            (0..20).for_each(|_| counts[((-rng.unit().ln() * 4.0) as usize).min(23)] += 1);
            counts
        };
        for (alpha, crossed_max) in [(0.01, 480), (0.001, 60)] {
            let crossed = (0..RUNS).filter(|_| rank_sum(&draw(), &draw()) <= alpha).count();
            assert!(crossed <= crossed_max, "{crossed} of {RUNS} at {alpha}");
        }
    }

    #[test]
    fn large_counts_take_no_time_and_stay_in_range() {
        let many = 1_000_000_000;
        for p_value in [fisher(many / 100, many, many / 100 - 1_000, many), fisher(many, many, 0, many)] {
            assert!((0.0..=1.0).contains(&p_value), "{p_value}");
        }
        let (lower, upper) = binomial_bounds(many / 2, many, 0.001);
        assert!(lower > 0.4999 && upper < 0.5001, "{lower} {upper}");
    }
}
