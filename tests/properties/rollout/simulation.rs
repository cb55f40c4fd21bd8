//! How often the judge errs, by many small worlds: the tables of docs/rollout.md. `UPDATE=1 cargo test --test properties rollout`
//! writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use seawall::rng::{Rng, SplitMix, mix};
use seawall::rollout::{Latencies, Sample, Thresholds, Verdict, judge};

const RUNS: u64 = 2_000;
/// Whole deployments, of eight steps each.
const DEPLOYMENTS: u64 = 1_000;
const LOOKS: u32 = 3;
const LOOKS_MAX: u32 = 5;
/// Attempts of one interval, where nobody says otherwise: three make `attempts_min`.
const DEFAULT: u64 = 4_000;
const PAGE: &str = "docs/rollout.md";

/// How long attempts take: quantiles, evenly spaced, in milliseconds.
struct Times(Vec<u64>);

impl Times {
    /// Log-normal around 20 ms; the standard normal quantile by bisection of its distribution.
    fn log_normal(sigma: f64) -> Self {
        let quantile = |share: f64| {
            let (mut low, mut high) = (-9.0_f64, 9.0_f64);
            for _ in 0..40 {
                let middle = f64::midpoint(low, high);
                let below = libm::erfc(-middle / std::f64::consts::SQRT_2) / 2.0;
                *(if below < share { &mut low } else { &mut high }) = middle;
            }
            low
        };
        let at = |index: u32| (f64::from(index) + 0.5) / 4_096.0;
        Self((0..4_096).map(|index| (20.0 * libm::exp(sigma * quantile(at(index)))) as u64).collect())
    }

    /// Whoever is above the quantile `from` takes so many times as long.
    fn slowed(&self, from: f64, times: u64) -> Self {
        let first = (from * self.0.len() as f64) as usize;
        let slow = |(at, ms): (usize, &u64)| if at < first { *ms } else { *ms * times };
        Self(self.0.iter().enumerate().map(slow).collect())
    }

    /// How likely each bucket is.
    fn buckets(&self) -> Vec<f64> {
        let mut counts = Latencies::default();
        self.0.iter().for_each(|ms| counts.took(*ms));
        counts.counts().iter().map(|count| *count as f64 / self.0.len() as f64).collect()
    }
}

/// How many of `trials` hit, by inversion from the most likely number outwards: some standard deviations of steps.
fn hits(rng: &mut SplitMix, trials: u64, share: f64) -> u64 {
    if trials == 0 || share <= 0.0 || share >= 1.0 {
        return if share >= 1.0 { trials } else { 0 };
    }
    let ln_factorial = |count: u64| libm::lgamma(count as f64 + 1.0);
    let mode = (((trials + 1) as f64 * share) as u64).min(trials);
    let ln_choose = ln_factorial(trials) - ln_factorial(mode) - ln_factorial(trials - mode);
    let ln_of_mode = ln_choose + mode as f64 * libm::log(share) + (trials - mode) as f64 * libm::log1p(-share);
    let odds = share / (1.0 - share);
    let (mut below, mut above) = ((mode, libm::exp(ln_of_mode)), (mode, libm::exp(ln_of_mode)));
    let mut left = rng.unit() - below.1;
    while left >= 0.0 && below.1 + above.1 > 0.0 {
        above = (above.0 + 1, above.1 * trials.saturating_sub(above.0) as f64 / (above.0 + 1) as f64 * odds);
        left -= above.1;
        if left < 0.0 {
            return above.0;
        }
        if below.0 == 0 {
            below.1 = 0.0;
            continue;
        }
        below = (below.0 - 1, below.1 * below.0 as f64 / (trials - below.0 + 1) as f64 / odds);
        left -= below.1;
        if left < 0.0 {
            return below.0;
        }
    }
    mode
}

/// How many fail, and how likely each bucket of times is.
type Group = (f64, Vec<f64>);

fn counted(rng: &mut SplitMix, attempts: u64, (error_ratio, buckets): &Group) -> Sample {
    let (mut left, mut share_left) = (attempts, 1.0);
    let mut counts = Vec::new();
    for share in buckets {
        let count = hits(rng, left, share / share_left);
        counts.push(count);
        (left, share_left) = (left - count, share_left - share);
    }
    let failures = hits(rng, attempts, *error_ratio);
    Sample { attempts, failures, latencies: counts.try_into().unwrap(), health_score: Some(95), ..Sample::default() }
}

/// What was before, and what is now.
struct World {
    name: &'static str,
    before: Group,
    now: Group,
    /// Attempts in the baseline.
    baseline: u64,
    /// Attempts of an interval from which on it is promised that the change is found; none where nothing changed.
    found_from: Option<u64>,
}

#[derive(Default)]
struct Outcome {
    /// Runs that were rolled back by the first, second and third look.
    rolled_back: [u64; LOOKS as usize],
    /// Runs that went on at the third.
    went_on: u64,
}

fn play(world: &World, attempts: u64, seed: u64) -> Outcome {
    let asked = Thresholds {
        attempts_min: attempts * u64::from(LOOKS),
        baseline_attempts_min: world.baseline,
        ..Thresholds::of("production")
    };
    let mut outcome = Outcome::default();
    for run in 0..RUNS {
        let mut rng = SplitMix::new(mix(seed ^ run << 20));
        let baseline = counted(&mut rng, world.baseline, &world.before);
        let mut seen = Sample::default();
        let mut last = Verdict::Inconclusive;
        for look in 0..LOOKS as usize {
            seen.add(&counted(&mut rng, attempts, &world.now));
            last = judge(&asked, &seen, Some(&baseline)).verdict;
            if last == Verdict::Fail {
                outcome.rolled_back[look..].iter_mut().for_each(|count| *count += 1);
                break;
            }
        }
        outcome.went_on += u64::from(last == Verdict::Pass);
    }
    outcome
}

fn worlds() -> Vec<World> {
    let (usual, heavy) = (|| Times::log_normal(0.5), || Times::log_normal(1.0));
    let asked = Thresholds::default();
    let world = |name, before: (f64, Times), now: (f64, Times), found_from| World {
        name,
        before: (before.0, before.1.buckets()),
        now: (now.0, now.1.buckets()),
        baseline: asked.baseline_attempts_min,
        found_from,
    };
    let errors = |name, before, now, from| world(name, (before, usual()), (now, usual()), Some(from));
    let times = |name, before, now| world(name, (0.001, before), (0.001, now), Some(DEFAULT));
    let same = |name, error_ratio, of: fn(f64) -> Times, sigma| {
        world(name, (error_ratio, of(sigma)), (error_ratio, of(sigma)), None)
    };
    vec![
        same("nothing: 0.1 % fail", 0.001, Times::log_normal, 0.5),
        same("nothing: 0.5 % fail", 0.005, Times::log_normal, 0.5),
        same("nothing: 0.8 % fail", 0.008, Times::log_normal, 0.5),
        same("nothing: 0.5 % fail, times of a heavy tail", 0.005, Times::log_normal, 1.0),
        errors("errors tripled: 0.1 to 0.3 %", 0.001, 0.003, 10_000),
        errors("errors tripled: 0.2 to 0.6 %", 0.002, 0.006, DEFAULT),
        World {
            baseline: 10_000,
            ..errors("errors tripled: 0.2 to 0.6 %, a baseline of 10,000", 0.002, 0.006, u64::MAX)
        },
        errors("errors tripled: 0.5 to 1.5 %", 0.005, 0.015, DEFAULT),
        errors("errors tripled: 1 to 3 %", 0.01, 0.03, DEFAULT),
        times("p95 doubled: all twice as slow", usual(), usual().slowed(0.0, 2)),
        times("p95 doubled: heavy tail, all twice as slow", heavy(), heavy().slowed(0.0, 2)),
        times("p95 doubled: only the slowest tenth", usual(), usual().slowed(0.9, 2)),
    ]
}

fn percent(count: u64, runs: u64) -> String {
    format!("{:.1}", count as f64 * 100.0 / runs as f64)
}

/// Writes a table between its two comments in the page, or compares it with the one that is there.
fn is_in_the_page(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name}: written by a test -->\n"), format!("<!-- {name}: end -->\n"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (written, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, [before, &begin, table, &end, after].concat()).unwrap();
        return;
    }
    assert_eq!(written, table, "UPDATE=1 cargo test --test properties rollout");
}

#[test]
fn the_judge_errs_as_seldom_as_the_tables_say() {
    let mut table = String::from(
        "| what changed | attempts in an interval | rolled back by the first look, % | second | third | went on at the third, % |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    let mut missed = Vec::new();
    for (at, world) in worlds().iter().enumerate() {
        for attempts in [300, 1_000, DEFAULT, 10_000] {
            let Outcome { rolled_back, went_on } = play(world, attempts, at as u64 * 1_000_003 + attempts);
            let [first, second, third] = rolled_back;
            writeln!(
                table,
                "| {} | {attempts} | {} | {} | {} | {} |",
                world.name,
                percent(first, RUNS),
                percent(second, RUNS),
                percent(third, RUNS),
                percent(went_on, RUNS)
            )
            .unwrap();
            let is_missed = match world.found_from {
                None => third * 100 > RUNS,
                Some(from) => attempts >= from && third * 100 < RUNS * 99,
            };
            if is_missed {
                missed.push(format!("{} {attempts}: {third} of {RUNS}", world.name));
            }
        }
    }
    let whole = whole_deployments(&mut missed);
    assert_eq!(missed, [""; 0], "\n{table}\n{whole}");
    is_in_the_page("judge", &table);
    is_in_the_page("deployments", &whole);
}

/// Deployments of something that changed nothing, through all steps after validation: whether any of them errs.
fn whole_deployments(missed: &mut Vec<String>) -> String {
    /// The traffic of each step, as times that of the canary: monitoring, 5, 10, 25, 50, 75, 100 and 100 %.
    const STEPS: [u64; 8] = [20, 1, 2, 5, 10, 15, 20, 20];
    let mut table = String::from(
        "| attempts that fail, % | attempts of the canary in an interval | rolled back, % | paused at some step, % |\n\
         |---:|---:|---:|---:|\n",
    );
    for (error_ratio, attempts) in
        [(0.0005_f64, DEFAULT), (0.001, DEFAULT), (0.002, DEFAULT), (0.005, DEFAULT), (0.008, DEFAULT), (0.002, 300)]
    {
        let group = (error_ratio, Times::log_normal(0.5).buckets());
        let asked = Thresholds {
            attempts_min: attempts * u64::from(LOOKS),
            baseline_attempts_min: 20 * attempts,
            ..Thresholds::of("production")
        };
        let (mut rolled_back, mut paused) = (0, 0);
        for run in 0..DEPLOYMENTS {
            let mut rng = SplitMix::new(mix(attempts ^ run << 20 ^ error_ratio.to_bits()));
            let baseline = counted(&mut rng, 20 * attempts * u64::from(LOOKS), &group);
            let verdicts = STEPS.map(|times| {
                let mut seen = Sample::default();
                let mut last = Verdict::Inconclusive;
                for look in 1..=LOOKS_MAX {
                    seen.add(&counted(&mut rng, times * attempts, &group));
                    last = judge(&asked, &seen, Some(&baseline)).verdict;
                    if last == Verdict::Fail || last == Verdict::Pass && look >= LOOKS {
                        break;
                    }
                }
                last
            });
            rolled_back += u64::from(verdicts.contains(&Verdict::Fail));
            paused += u64::from(verdicts.contains(&Verdict::Inconclusive));
        }
        let rate = error_ratio * 100.0;
        writeln!(
            table,
            "| {rate:.2} | {attempts} | {} | {} |",
            percent(rolled_back, DEPLOYMENTS),
            percent(paused, DEPLOYMENTS)
        )
        .unwrap();
        if rolled_back * 100 > DEPLOYMENTS {
            missed.push(format!("whole deployments of {rate} % at {attempts}: {rolled_back} of {DEPLOYMENTS}"));
        }
    }
    table
}
