//! What is shown: families with their series, worked out from samples, before anybody writes them as text.

use super::aliases;
use super::buckets;
use super::business::Declared;
use super::families::{self as by, FAMILIES, Kind, hidden};
use super::histogram::Histogram;
use super::names::Names;
use super::samples::{Samples, Value};
use crate::policy::breaker::State;

/// The bounds of durations that are shown: 1 ms to 50 s.
pub const DURATIONS: (i16, i16) = (-30, 17);

/// One family as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub help: String,
    /// The first and the last bucket whose bounds are shown, of a histogram.
    pub bounds: (i16, i16),
    /// Its series.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Names and values of its labels. A label without a value is left out.
    pub labels: Vec<(String, String)>,
    /// What it holds.
    pub reading: Reading,
}

/// What a series holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A count or a level.
    Number(f64),
    /// How values are spread.
    Spread(Histogram),
}

/// What the numbers are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One isolate.
    Isolate,
    /// All of them, so many of which have told their levels of late.
    Fleet(usize),
}

/// Everything that is known at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// All series.
    pub samples: Samples,
    /// Families of the user.
    pub declared: Vec<Declared>,
    /// What they are of.
    pub scope: Scope,
    /// The first database, which the aliases are about.
    pub primary: String,
    /// The score of the health document, if there is a database.
    pub score: Option<f64>,
}

impl Picture {
    /// The families of these names, each with at least one series.
    #[must_use]
    pub fn shown(&self, names: Names) -> Vec<Shown> {
        let mut shown = Vec::new();
        if names.canonical {
            shown.extend(FAMILIES.iter().map(|family| Shown {
                name: family.name.to_owned(),
                kind: family.kind,
                help: family.help.to_owned(),
                bounds: DURATIONS,
                series: self.series(family),
            }));
        }
        shown.extend(aliases::shown(self, names));
        if names.canonical {
            shown.extend(self.declared.iter().map(|declared| Shown {
                name: declared.name.clone(),
                kind: declared.kind,
                help: declared.help.clone(),
                bounds: declared.bounds,
                series: read(&self.samples, &declared.name, &declared.labels),
            }));
        }
        shown.retain(|family| !family.series.is_empty());
        shown
    }

    /// The series of a family of ours.
    #[must_use]
    pub fn series(&self, family: &by::Family) -> Vec<Series> {
        match family.name {
            by::CIRCUIT_STATE => {
                self.each_pool(hidden::CIRCUIT_LEVEL, |pool, level| states("state", Some(pool), level))
            }
            by::UTILIZATION => self.each_pool(by::CONNECTION_MAX, |pool, max| {
                let used = self.number(by::CONNECTIONS, &[pool, "used"]);
                vec![Series::new(&[("pool", pool)], ratio(used, max, 0.0))]
            }),
            by::CACHE_UTILIZATION => self.each_pool(hidden::CACHE_MAX, |pool, max| {
                let entries = self.number(by::CACHE_ENTRIES, &[pool]);
                vec![Series::new(&[("pool", pool)], ratio(entries, max, 0.0))]
            }),
            by::HEALTH_SCORE => self.score.map(|score| Series::new(&[], score)).into_iter().collect(),
            by::SCOPE => [("isolate", self.scope == Scope::Isolate), ("fleet", self.scope != Scope::Isolate)]
                .map(|(scope, is_it)| Series::new(&[("scope", scope)], f64::from(is_it)))
                .into(),
            by::ISOLATES => {
                let isolates = match self.scope {
                    Scope::Isolate => 1,
                    Scope::Fleet(isolates) => isolates,
                };
                vec![Series::new(&[], isolates as f64)]
            }
            by::BUILD => vec![Series::new(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)],
            name => read(&self.samples, name, family.labels),
        }
    }

    /// A count or a level; 0 if there is none.
    #[must_use]
    pub fn number(&self, family: &str, labels: &[&str]) -> f64 {
        self.samples.total(family, |known| known.iter().map(String::as_str).eq(labels.iter().copied()))
    }

    fn each_pool(&self, family: &str, series: impl Fn(&str, f64) -> Vec<Series>) -> Vec<Series> {
        let pools = self.samples.of(family).filter_map(|(labels, value)| match value {
            Value::Count(number) | Value::Sum(number) | Value::Max(number) => Some((labels.first()?.as_str(), *number)),
            Value::Histogram(_) => None,
        });
        pools.flat_map(|(pool, number)| series(pool, number)).collect()
    }
}

impl Series {
    /// A number with labels.
    #[must_use]
    pub fn new(labels: &[(&str, &str)], number: f64) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { labels, reading: Reading::Number(number) }
    }
}

/// One series for each state of the circuit: 1 for the one that it is in.
#[must_use]
pub fn states(label: &str, pool: Option<&str>, level: f64) -> Vec<Series> {
    let of = |state: State| {
        let is_it = (level - f64::from(state as u8)).abs() < 0.5;
        let labels = pool.map(|pool| ("pool", pool)).into_iter().chain([(label, state.name())]);
        Series::new(&labels.collect::<Vec<_>>(), f64::from(is_it))
    };
    [State::Closed, State::HalfOpen, State::Open].map(of).into()
}

/// A share; `none` of nothing.
#[must_use]
pub fn ratio(part: f64, whole: f64, none: f64) -> f64 {
    if whole > 0.0 { part / whole } else { none }
}

/// The series of a family as the samples have them.
fn read(samples: &Samples, name: &str, labels: &[impl AsRef<str>]) -> Vec<Series> {
    let series = samples.of(name).map(|(values, value)| {
        let labels = labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
        Series {
            labels: labels.map(|(name, value)| (name.as_ref().to_owned(), value.clone())).collect(),
            reading: match value {
                Value::Count(number) | Value::Sum(number) | Value::Max(number) => Reading::Number(*number),
                Value::Histogram(histogram) => Reading::Spread(histogram.clone()),
            },
        }
    });
    series.collect()
}

/// Bounds that are shown between two buckets, each with how many values do not exceed it.
pub fn cumulative(histogram: &Histogram, (first, last): (i16, i16)) -> impl Iterator<Item = (f64, u64)> {
    buckets::shown(first, last).map(|bucket| (buckets::bound(bucket), histogram.count_to(bucket)))
}
