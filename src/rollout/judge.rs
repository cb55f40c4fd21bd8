//! The judge: whether what was counted lets a deployment go on.
//!
//! | gate | passes | fails | else |
//! |---|---|---|---|
//! | `traffic` | enough attempts in the sample and in the baseline | never | inconclusive |
//! | `healthScore` | the score is 85 or more, and nothing is critical | it is not | not known: inconclusive |
//! | `errorRate` | the exact upper bound of the rate, at 95 %, is below 1 % (5 % outside of production) | its exact lower bound is not | inconclusive |
//! | `errorIncrease` | the rate is below 1.5 times the baseline's, or less than 0.1 points above it | it is not, and Fisher's test says that this is no chance | inconclusive |
//! | `latency` | p95 is below 1.5 times the baseline's, or less than 2 ms above it | it is not, and Mann and Whitney's test says that all got slower, or Fisher's that more are above the p95 of both together | inconclusive |
//! | `circuit` | no circuit opened | one did | |
//! | `pool` | less than 80 % of the leases were in use, and nobody waited in vain for one | somebody did, or not less | |
//!
//! The verdict is `Fail` where one gate fails, else `Inconclusive` where one is, else `Pass`: what is not known never goes on.
//! A gate that compares needs an effect that somebody would notice **and** a test that excludes chance: the effect alone fires on
//! noise, and the test alone on any difference once there is enough traffic.
//!
//! Looking again and again finds anything in the end. So the chance of a false rollback, [`Thresholds::false_rollback_max`], is
//! split evenly between the [`TESTS`] tests and the looks of a step (Bonferroni): 0.01 / (4 · 5) = 0.0005 for each.
//!
//! With 30 of 2,000 attempts failed, and 50 of 10,000 before, the rate is 1.5 % after 0.5 %, three times as high, and p is
//! 0.000006: `errorIncrease` fails.

use serde::{Deserialize, Serialize};

use super::sample::Sample;
use super::statistics::{binomial_bounds, fisher, rank_sum};

/// Tests of hypotheses in one look: the error rate by itself, against the baseline, and two of times.
pub const TESTS: u32 = 4;
/// The probability with which a rate that is said to be below its gate is not.
pub const UNSURE: f64 = 0.05;
/// Durations in each group from which times are compared: below it the normal approximation of U is no good.
pub const LATENCIES_MIN: u64 = 20;
/// More attempts than this in one sample are not judged: the formulas lose their digits.
pub const COUNT_MAX: u64 = 1_000_000_000;
/// The quantile of times that is looked at.
const TAIL: f64 = 0.95;

/// What gates ask for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Thresholds {
    /// Lowest health score, 0 to 100.
    pub health_score_min: u8,
    /// The share of attempts that may fail is below this, 0 to 1.
    pub error_ratio_max: f64,
    /// The share that fails is below so many times the baseline's, at least 1 …
    pub error_increase_max: f64,
    /// … or above it by less than this, 0 to 1.
    pub error_difference_max: f64,
    /// p95 is below so many times the baseline's, at least 1 …
    pub latency_increase_max: f64,
    /// … or above it by less than this, in milliseconds.
    pub latency_difference_max_ms: f64,
    /// How often a circuit may open.
    pub circuit_openings_max: u64,
    /// The share of leases in use is below this, 0 to 1.
    pub utilization_ratio_max: f64,
    /// Calls that may wait for a lease in vain.
    pub acquire_timeouts_max: u64,
    /// Fewer attempts say too little to go on.
    pub attempts_min: u64,
    /// Fewer attempts are no baseline.
    pub baseline_attempts_min: u64,
    /// How likely a step may be to fail its comparisons by chance, above 0 and at most 0.5.
    pub false_rollback_max: f64,
    /// How often a step is looked at at most, from 1.
    pub looks_max: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            health_score_min: 85,
            error_ratio_max: 0.01,
            error_increase_max: 1.5,
            error_difference_max: 0.001,
            latency_increase_max: 1.5,
            latency_difference_max_ms: 2.0,
            circuit_openings_max: 0,
            utilization_ratio_max: 0.8,
            acquire_timeouts_max: 0,
            attempts_min: 12_000,
            baseline_attempts_min: 80_000,
            false_rollback_max: 0.01,
            looks_max: 5,
        }
    }
}

/// The name of the environment where the strictest gates are.
pub const PRODUCTION: &str = "production";

impl Thresholds {
    /// The defaults of an environment: in production less than 1 % may fail, elsewhere less than 5 %.
    #[must_use]
    pub fn of(environment: &str) -> Self {
        let strict = Self::default();
        if environment == PRODUCTION { strict } else { Self { error_ratio_max: 0.05, ..strict } }
    }

    /// What is wrong with them: each member that is out of range, by its name.
    #[must_use]
    pub fn problems(&self) -> Vec<&'static str> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        [
            (self.health_score_min <= 100, "healthScoreMin is 0 to 100"),
            (is_share(self.error_ratio_max), "errorRatioMax is 0 to 1"),
            (self.error_increase_max >= 1.0, "errorIncreaseMax is at least 1"),
            (is_share(self.error_difference_max), "errorDifferenceMax is 0 to 1"),
            (self.latency_increase_max >= 1.0, "latencyIncreaseMax is at least 1"),
            (self.latency_difference_max_ms >= 0.0, "latencyDifferenceMaxMs is at least 0"),
            (is_share(self.utilization_ratio_max), "utilizationRatioMax is 0 to 1"),
            ((1..=COUNT_MAX).contains(&self.attempts_min), "attemptsMin is 1 to 1000000000"),
            ((1..=COUNT_MAX).contains(&self.baseline_attempts_min), "baselineAttemptsMin is 1 to 1000000000"),
            (
                self.false_rollback_max > 0.0 && self.false_rollback_max <= 0.5,
                "falseRollbackMax is above 0, at most 0.5",
            ),
            (self.looks_max >= 1, "looksMax is at least 1"),
        ]
        .into_iter()
        .filter_map(|(is_right, problem)| (!is_right).then_some(problem))
        .collect()
    }

    /// The probability with which one test may see by chance what is not there.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.false_rollback_max / (f64::from(TESTS) * f64::from(self.looks_max.max(1)))
    }
}

/// What one gate, or all of them together, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It may go on.
    Pass,
    /// It cannot be told. It must not go on.
    Inconclusive,
    /// It must go back.
    Fail,
}

/// What is judged. The table of this module says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the table says it")]
pub enum Gate {
    Traffic,
    HealthScore,
    ErrorRate,
    ErrorIncrease,
    Latency,
    Circuit,
    Pool,
}

/// What one gate says, with the comparison that decided it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// Which.
    pub gate: Gate,
    /// What it says.
    pub verdict: Verdict,
    /// The number that was seen; none where nothing was.
    pub observed: Option<f64>,
    /// The number that it was compared with.
    pub threshold: f64,
    /// Both in words, with what they were made of.
    pub why: String,
}

/// The verdict of all gates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Judgement {
    /// The worst of them.
    pub verdict: Verdict,
    /// What each says, in the order of the table.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// What did not pass, in words; empty where all did.
    #[must_use]
    pub fn why(&self) -> String {
        let why = |finding: &Finding| (finding.verdict == self.verdict).then(|| finding.why.clone());
        if self.verdict == Verdict::Pass {
            return String::new();
        }
        self.findings.iter().filter_map(why).collect::<Vec<_>>().join("; ")
    }
}

/// Judges what was counted while a step held. Without a baseline nothing is compared, as when one is about to be made: the
/// sample then must be large enough to be one.
#[must_use]
pub fn judge(asked: &Thresholds, seen: &Sample, baseline: Option<&Sample>) -> Judgement {
    let mut findings = vec![traffic(asked, seen, baseline), health_score(asked, seen)];
    let can_be_judged = !is_too_much(seen) && !baseline.is_some_and(is_too_much);
    if can_be_judged {
        findings.push(error_rate(asked, seen));
    }
    if let Some(baseline) = baseline.filter(|_| can_be_judged) {
        findings.push(error_increase(asked, seen, baseline));
        findings.push(latency(asked, seen, baseline));
    }
    findings.push(circuit(asked, seen));
    findings.extend(seen.pool.map(|_| pool(asked, seen)));
    let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Inconclusive);
    Judgement { verdict, findings }
}

/// Whether the formulas have no digits left for it. No host has counted so many in one step.
fn is_too_much(sample: &Sample) -> bool {
    sample.attempts.max(sample.latencies.len()) > COUNT_MAX
}

fn traffic(asked: &Thresholds, seen: &Sample, baseline: Option<&Sample>) -> Finding {
    let least = if baseline.is_some() { asked.attempts_min } else { asked.baseline_attempts_min };
    let before = baseline.map(|baseline| (baseline.attempts, asked.baseline_attempts_min, "attempts in the baseline"));
    let own = (seen.attempts, least, "attempts");
    let lacking = [own].into_iter().chain(before).find(|(attempts, least, _)| attempts < least);
    let (observed, threshold, of) = lacking.unwrap_or(own);
    let is_too_much = is_too_much(seen) || baseline.is_some_and(is_too_much);
    let (verdict, why) = match lacking {
        _ if is_too_much => (Verdict::Inconclusive, format!("more than {COUNT_MAX} attempts cannot be judged")),
        Some(_) => (Verdict::Inconclusive, format!("{observed} {of}, fewer than {threshold}")),
        None => (Verdict::Pass, format!("{observed} {of}, at least {threshold}")),
    };
    Finding { gate: Gate::Traffic, verdict, observed: Some(observed as f64), threshold: threshold as f64, why }
}

fn health_score(asked: &Thresholds, seen: &Sample) -> Finding {
    let least = asked.health_score_min;
    let (verdict, why) = match seen.health_score {
        _ if seen.is_critical => (Verdict::Fail, "something is critical, whatever the health score".to_owned()),
        None => (Verdict::Inconclusive, format!("the health score is not known, at least {least} is asked for")),
        Some(score) if score < least => (Verdict::Fail, format!("health score {score} < {least}")),
        Some(score) => (Verdict::Pass, format!("health score {score} >= {least}")),
    };
    let observed = seen.health_score.map(f64::from);
    Finding { gate: Gate::HealthScore, verdict, observed, threshold: f64::from(least), why }
}

fn error_rate(asked: &Thresholds, seen: &Sample) -> Finding {
    let most = asked.error_ratio_max;
    let lower = binomial_bounds(seen.failures, seen.attempts, asked.alpha()).0;
    let upper = binomial_bounds(seen.failures, seen.attempts, UNSURE).1;
    let rate = format!("error rate {} of {} attempts", percent(seen.error_ratio()), seen.attempts);
    let (verdict, why) = if seen.attempts > 0 && lower >= most {
        (Verdict::Fail, format!("{rate}, at least {}, is not < {}", percent(lower), percent(most)))
    } else if upper < most {
        (Verdict::Pass, format!("{rate}, at most {}, is < {}", percent(upper), percent(most)))
    } else {
        let bounds = format!("{} to {}", percent(lower), percent(upper));
        (Verdict::Inconclusive, format!("{rate} may be {bounds}: too few to say that it is < {}", percent(most)))
    };
    Finding { gate: Gate::ErrorRate, verdict, observed: Some(seen.error_ratio()), threshold: most, why }
}

fn error_increase(asked: &Thresholds, seen: &Sample, baseline: &Sample) -> Finding {
    let (rate, before) = (seen.error_ratio(), baseline.error_ratio());
    let threshold = (before * asked.error_increase_max).max(before + asked.error_difference_max);
    let p_value = fisher(seen.failures, seen.attempts, baseline.failures, baseline.attempts);
    let compared = format!("error rate {} after {}", percent(rate), percent(before));
    let (verdict, why) = if seen.attempts == 0 || baseline.attempts == 0 {
        (Verdict::Inconclusive, "no attempts to compare".to_owned())
    } else if rate < threshold {
        (Verdict::Pass, format!("{compared} is < {}", percent(threshold)))
    } else if p_value <= asked.alpha() {
        (Verdict::Fail, format!("{compared} is not < {}, and no chance (p = {p_value:.1e})", percent(threshold)))
    } else {
        let chance = format!("which may be chance (p = {p_value:.1e})");
        (Verdict::Inconclusive, format!("{compared} is not < {}, {chance}", percent(threshold)))
    };
    Finding { gate: Gate::ErrorIncrease, verdict, observed: Some(rate), threshold, why }
}

fn latency(asked: &Thresholds, seen: &Sample, baseline: &Sample) -> Finding {
    let (own, before) = (&seen.latencies, &baseline.latencies);
    let (count, count_before) = (own.len(), before.len());
    let quantiles = own.quantile(TAIL).zip(before.quantile(TAIL));
    let Some((p95, p95_before)) = quantiles.filter(|_| count.min(count_before) >= LATENCIES_MIN) else {
        let why = format!("{count} and {count_before} times to compare, fewer than {LATENCIES_MIN}");
        let threshold = LATENCIES_MIN as f64;
        return Finding { gate: Gate::Latency, verdict: Verdict::Inconclusive, observed: None, threshold, why };
    };
    let threshold = (p95_before * asked.latency_increase_max).max(p95_before + asked.latency_difference_max_ms);
    let all = rank_sum(own.counts(), before.counts());
    let mut pooled = own.clone();
    pooled.merge(before);
    let bucket = pooled.bucket_of(TAIL).unwrap_or_default();
    let tail = fisher(own.above(bucket), count, before.above(bucket), count_before);
    let compared = format!("p95 {p95:.1} ms after {p95_before:.1} ms");
    let (verdict, why) = if p95 < threshold {
        (Verdict::Pass, format!("{compared} is < {threshold:.1} ms"))
    } else if all.min(tail) <= asked.alpha() {
        let p_values = format!("p = {all:.1e} for all, {tail:.1e} for the slowest");
        (Verdict::Fail, format!("{compared} is not < {threshold:.1} ms, and no chance ({p_values})"))
    } else {
        let chance = format!("which may be chance (p = {all:.1e} for all, {tail:.1e} for the slowest)");
        (Verdict::Inconclusive, format!("{compared} is not < {threshold:.1} ms, {chance}"))
    };
    Finding { gate: Gate::Latency, verdict, observed: Some(p95), threshold, why }
}

fn circuit(asked: &Thresholds, seen: &Sample) -> Finding {
    let (openings, most) = (seen.circuit_openings, asked.circuit_openings_max);
    let (verdict, sign) = if openings > most { (Verdict::Fail, ">") } else { (Verdict::Pass, "<=") };
    let why = format!("circuits opened {openings} times {sign} {most}");
    Finding { gate: Gate::Circuit, verdict, observed: Some(openings as f64), threshold: most as f64, why }
}

fn pool(asked: &Thresholds, seen: &Sample) -> Finding {
    let pool = seen.pool.unwrap_or_default();
    let (used, timeouts) = (pool.utilization_ratio, pool.acquire_timeouts);
    let (most, timeouts_max) = (asked.utilization_ratio_max, asked.acquire_timeouts_max);
    if timeouts > timeouts_max {
        let why = format!("calls that waited in vain for a lease {timeouts} > {timeouts_max}");
        let (observed, threshold) = (Some(timeouts as f64), timeouts_max as f64);
        return Finding { gate: Gate::Pool, verdict: Verdict::Fail, observed, threshold, why };
    }
    let (verdict, sign) = if used < most {
        (Verdict::Pass, "<")
    } else if used.is_nan() {
        (Verdict::Inconclusive, "is not known, less is asked for than")
    } else {
        (Verdict::Fail, "is not <")
    };
    let why = format!("share of leases in use {} {sign} {}", percent(used), percent(most));
    Finding { gate: Gate::Pool, verdict, observed: (!used.is_nan()).then_some(used), threshold: most, why }
}

/// A share in percent, to the hundredth.
fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
