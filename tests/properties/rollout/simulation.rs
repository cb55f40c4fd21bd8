//! How often the judge errs, by many small worlds: the table of docs/rollout.md. `UPDATE=1 cargo test --test properties rollout`
//! writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use seawall::rng::{Rng, SplitMix, mix};
use seawall::rollout::{Latencies, Sample, Thresholds, Verdict, judge};

const RUNS: u64 = 1_000;
const LOOKS: u32 = 3;
const BASELINE: u64 = 10_000;
/// Attempts of one interval, where nobody says otherwise: three make `attempts_min`.
const DEFAULT: u64 = 2_000;
const PAGE: &str = "docs/rollout.md";
const BEGIN: &str = "<!-- judge: written by a test -->\n";
const END: &str = "<!-- judge: end -->\n";

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

    /// The bucket of each.
    fn buckets(&self) -> Vec<usize> {
        let bucket = |ms: &u64| {
            let mut one = Latencies::default();
            one.took(*ms);
            one.counts().len() - 1
        };
        self.0.iter().map(bucket).collect()
    }
}

fn counted(rng: &mut SplitMix, attempts: u64, error_ratio: f64, times: &[usize]) -> Sample {
    let mut counts = vec![0; 51];
    let mut failures = 0;
    for _ in 0..attempts {
        counts[times[(rng.unit() * times.len() as f64) as usize]] += 1;
        failures += u64::from(rng.unit() < error_ratio);
    }
    let latencies = counts.try_into().unwrap();
    Sample { attempts, failures, latencies, health_score: Some(95), ..Sample::default() }
}

/// What was before, and what is now.
struct World {
    name: &'static str,
    is_same: bool,
    before: (f64, Times),
    now: (f64, Times),
}

impl World {
    /// Whether failures are too rare for what is promised of the default sample.
    fn is_rare(&self) -> bool {
        !self.is_same && self.before.0 > 0.001 && self.before.0 < 0.005
    }
}

#[derive(Default)]
struct Outcome {
    /// Runs that were rolled back by the first, second and third look.
    rolled_back: [u64; LOOKS as usize],
    /// Runs that went on at the third.
    went_on: u64,
}

fn play(world: &World, attempts: u64, seed: u64) -> Outcome {
    let asked = Thresholds { attempts_min: attempts * u64::from(LOOKS), ..Thresholds::of("production") };
    let mut outcome = Outcome::default();
    let (times_before, times) = (world.before.1.buckets(), world.now.1.buckets());
    for run in 0..RUNS {
        let mut rng = SplitMix::new(mix(seed ^ run << 20));
        let baseline = counted(&mut rng, BASELINE, world.before.0, &times_before);
        let mut seen = Sample::default();
        let mut last = Verdict::Inconclusive;
        for look in 0..LOOKS as usize {
            seen.add(&counted(&mut rng, attempts, world.now.0, &times));
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
    let world = |name, is_same, before, now| World { name, is_same, before, now };
    vec![
        world("nothing: 0.1 % fail", true, (0.001, usual()), (0.001, usual())),
        world("nothing: 0.5 % fail", true, (0.005, usual()), (0.005, usual())),
        world("nothing: 0.5 % fail, times of a heavy tail", true, (0.005, heavy()), (0.005, heavy())),
        world("errors tripled: 0.2 to 0.6 %", false, (0.002, usual()), (0.006, usual())),
        world("errors tripled: 0.5 to 1.5 %", false, (0.005, usual()), (0.015, usual())),
        world("errors tripled: 1 to 3 %", false, (0.01, usual()), (0.03, usual())),
        world("p95 doubled: all twice as slow", false, (0.001, usual()), (0.001, usual().slowed(0.0, 2))),
        world("p95 doubled: heavy tail, all twice as slow", false, (0.001, heavy()), (0.001, heavy().slowed(0.0, 2))),
        world("p95 doubled: only the slowest tenth", false, (0.001, usual()), (0.001, usual().slowed(0.9, 2))),
    ]
}

fn percent(count: u64) -> String {
    format!("{:.1}", count as f64 * 100.0 / RUNS as f64)
}

#[test]
fn the_judge_errs_as_seldom_as_the_table_says() {
    let mut table = String::from(
        "| what changed | attempts in an interval | rolled back by the first look, % | second | third | went on at the third, % |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    let mut missed = Vec::new();
    for (at, world) in worlds().iter().enumerate() {
        // So few failures need more than the rest.
        let most = if world.is_rare() { 5_000 } else { DEFAULT };
        for attempts in [200, 500, 1_000, DEFAULT, 5_000].into_iter().filter(|attempts| *attempts <= most) {
            let Outcome { rolled_back, went_on } = play(world, attempts, at as u64 * 1_000_003 + attempts);
            let [first, second, third] = rolled_back;
            writeln!(
                table,
                "| {} | {attempts} | {} | {} | {} | {} |",
                world.name,
                percent(first),
                percent(second),
                percent(third),
                percent(went_on)
            )
            .unwrap();
            let is_promised = attempts == DEFAULT && !world.is_rare();
            if world.is_same && third * 100 > RUNS || !world.is_same && is_promised && third * 100 < RUNS * 99 {
                missed.push(format!("{} {attempts}: {third} of {RUNS}", world.name));
            }
        }
    }
    assert_eq!(missed, [""; 0], "\n{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(written, table, "UPDATE=1 cargo test --test properties rollout");
}
