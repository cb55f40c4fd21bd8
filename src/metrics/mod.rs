//! What is measured, for Prometheus and OpenTelemetry.
//!
//! ```text
//! facts ── collect ──> samples ──┬── delta ──> aggregate (strong store) ── add_to ──┐
//!                                └───────────────────────────────────────────────── picture ── shown ──> render, otlp
//! ```
//!
//! Counters of one isolate are no truth: isolates come and go. Where there is a strong store, each tells what it has
//! counted since it last told (`delta`), the store holds the sum (`aggregate`), and every isolate shows that (`fleet`).
//!
//! Everything has a bound: 211 buckets of a histogram, a hundred values of a label, fifty names of the application's own.

pub mod aggregate;
pub mod aliases;
pub mod buckets;
pub mod business;
pub mod categories;
pub mod collect;
pub mod delta;
pub mod document;
pub mod families;
pub mod fleet;
pub mod histogram;
pub mod names;
pub mod otlp;
pub mod render;
pub mod samples;

use litemap::LiteMap;
use serde::Deserialize;

use crate::alerts::Alerts;
use crate::clock::{Instant, Millis};
use crate::monitor::admin_requests::{AdminCount, AdminRequests};
use crate::monitor::exposures::Exposures;
use crate::report::facts::{ExposureFacts, Facts, RestartsFacts};
use crate::report::score::Score;
use business::Business;
use delta::Sender;
use document::{Picture, Scope};
use families as by;
use render::Format;
use samples::{Samples, Value};

/// An answer is shown again for this long, in milliseconds.
pub const FRESH_MS: Millis = 1_000;
/// Least time between two times that an isolate tells, in milliseconds.
pub const STATS_INTERVAL_MIN_MS: Millis = 1_000;
/// Databases that are measured.
const DATABASES_MAX: usize = samples::VALUES_MAX;
/// What the module is called that holds these metrics, where the policies are in another one.
const MONITOR_MODULE: &str = "monitor";
/// Answers that are kept as text.
const TEXTS_MAX: usize = 4;

/// What the host is told about metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Whether they are shown, and told to the others.
    pub enabled: bool,
    /// The isolate tells the others about so often, in milliseconds.
    #[serde(alias = "statsInterval")]
    pub stats_interval_ms: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, stats_interval_ms: 60_000 }
    }
}

/// What a database's counters said when they were last read.
#[derive(Debug)]
struct Life {
    generation: u32,
    counts: Samples,
}

/// What an isolate keeps of its metrics.
#[derive(Debug, Default)]
pub struct Metrics {
    /// What the application counts.
    pub business: Business,
    /// The latest counts of each database, by its name.
    lives: LiteMap<String, Life>,
    /// What was counted by cores that were replaced.
    ended: Samples,
    sender: Sender,
    told_at: Option<Instant>,
    /// Whether an instance before this one has told what the host had counted, and nothing was told since.
    is_resumed: bool,
    /// The latest picture and when it was made.
    picture: Option<(Instant, Picture)>,
    texts: Vec<(Format, names::Names, Instant, String)>,
}

impl Metrics {
    /// Everything that this isolate has counted since its start, and its levels. Counters that began anew go on.
    pub fn all(&mut self, facts: &Facts, requests: &AdminRequests, alerts: &Alerts, exposures: &Exposures) -> Samples {
        let mut all = Samples::default();
        for database in facts.databases.iter().take(DATABASES_MAX) {
            let samples = collect::collect(database);
            let life = Life { generation: database.generation, counts: samples.counts() };
            if let Some(last) = self.lives.insert(database.name.clone(), life)
                && last.generation != database.generation
            {
                self.ended.merge(&last.counts);
            }
            all.merge(&samples);
        }
        all.merge(&self.ended);
        all.merge(&restarts(facts));
        all.merge(&exposed(facts));
        for (flag, variant, count) in exposures.iter() {
            all.add(by::FLAG_EXPOSURES, &[flag, variant], &Value::Count(count as f64));
        }
        for AdminCount { route, status_class, count, .. } in requests.iter() {
            let route = if route.is_empty() { "none" } else { route };
            let status = format!("{status_class}xx");
            all.add(by::ADMIN_REQUESTS, &[route, &status], &Value::Count(*count as f64));
        }
        for (reason, count) in requests.refused() {
            all.add(by::AUTH_FAILURES, &[reason], &Value::Count(count as f64));
        }
        for (sink, outcome, count) in alerts.deliveries() {
            all.add(by::WEBHOOKS, &[sink, outcome], &Value::Count(count as f64));
        }
        all.merge(self.business.samples());
        for (reason, count) in [("value", self.business.dropped()), ("delta", self.sender.given_up())] {
            all.add(by::DROPPED, &[reason], &Value::Count(count as f64));
        }
        all
    }

    /// This instance replaces one that had told the others what the host counts: that is not told again. What was counted
    /// since it last told is lost to them: rather too little than twice.
    pub const fn resume(&mut self) {
        self.is_resumed = true;
    }

    /// Makes ready what to tell the others, and returns its number.
    fn prepare(&mut self, facts: &Facts, all: &Samples, random: u64) -> u64 {
        if std::mem::take(&mut self.is_resumed) {
            self.sender.go_on_from(before_restart(facts));
        }
        self.sender.prepare(all, self.business.declared(), random)
    }

    /// What is known of one isolate.
    pub fn alone(
        &mut self,
        facts: &Facts,
        requests: &AdminRequests,
        alerts: &Alerts,
        exposures: &Exposures,
    ) -> Picture {
        Picture {
            samples: self.all(facts, requests, alerts, exposures),
            declared: self.business.declared().to_vec(),
            scope: Scope::Isolate,
            primary: facts.databases.first().map(|database| database.name.clone()).unwrap_or_default(),
            score: Score::of_all(facts).map(|score| f64::from(score.score)),
        }
    }

    /// The latest picture, if it is fresh. A clock that stepped back makes it old.
    fn picture(&self, now: Instant) -> Option<&Picture> {
        self.picture.as_ref().filter(|(at, _)| is_fresh(*at, now)).map(|(_, picture)| picture)
    }

    /// The text of the latest picture, if it is fresh.
    pub fn text(&mut self, format: Format, names: names::Names, now: Instant) -> Option<String> {
        let at = self.picture.as_ref().map(|(at, _)| *at).filter(|at| is_fresh(*at, now))?;
        let kept = self.texts.iter().find(|kept| (kept.0, kept.1, kept.2) == (format, names, at));
        if let Some(kept) = kept {
            return Some(kept.3.clone());
        }
        let text = render::render(&self.picture(now)?.shown(names), format);
        self.texts.retain(|kept| kept.2 == at);
        if self.texts.len() < TEXTS_MAX {
            self.texts.push((format, names, at, text.clone()));
        }
        Some(text)
    }

    /// Keeps a picture.
    fn keep(&mut self, picture: Picture, now: Instant) {
        self.picture = Some((now, picture));
    }

    /// Takes it on to tell the others, if that is due at `now`.
    fn claim_telling(&mut self, interval_ms: Millis, now: Instant) -> bool {
        let is_young = self.told_at.is_some_and(|at| at <= now && now.since(at) < interval_ms);
        if !is_young {
            self.told_at = Some(now);
        }
        !is_young
    }
}

/// What was served by flags of the host's own.
fn exposed(facts: &Facts) -> Samples {
    let mut samples = Samples::default();
    for ExposureFacts { flag, variant, count } in &facts.flag_exposures {
        samples.add(by::FLAG_EXPOSURES, &[flag, variant], &Value::Count(*count as f64));
    }
    samples
}

fn restarts(facts: &Facts) -> Samples {
    let mut samples = Samples::default();
    for RestartsFacts { module, count } in &facts.wasm_restarts {
        samples.add(by::WASM_RESTARTS, &[module], &Value::Count(*count as f64));
    }
    samples
}

/// What the host had counted when the monitor's own instance was replaced, as far as that can be told afterwards: all that
/// it counts, but for that replacement.
fn before_restart(facts: &Facts) -> Samples {
    let mut before = Samples::default();
    for database in facts.databases.iter().take(DATABASES_MAX) {
        before.merge(&collect::collect(database).counts());
    }
    before.merge(&exposed(facts));
    let mut facts = Facts { wasm_restarts: facts.wasm_restarts.clone(), ..Facts::default() };
    for own in facts.wasm_restarts.iter_mut().filter(|restarts| restarts.module == MONITOR_MODULE) {
        own.count = own.count.saturating_sub(1);
    }
    before.merge(&restarts(&facts));
    before
}

fn is_fresh(at: Instant, now: Instant) -> bool {
    at <= now && now.since(at) < FRESH_MS
}
