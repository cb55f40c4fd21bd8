//! What is known of each series: a count, a level, or a histogram, by family and labels.
//!
//! The same type holds what an isolate has counted, what it has counted since it last told, and what all of them have
//! counted together.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// Values of one label of a family at most, and series of a family for each of them; what comes after is `other`.
pub const VALUES_MAX: usize = 100;
/// Series of one family at most.
pub const SERIES_MAX: usize = 1_000;
/// What stands for values beyond [`VALUES_MAX`].
pub const OTHER: &str = "other";
/// Longest label value, in bytes.
pub const VALUE_LENGTH_MAX: usize = 64;

/// What one series holds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// What only grows.
    #[serde(rename = "c")]
    Count(f64),
    /// What goes up and down; isolates are added up.
    #[serde(rename = "g")]
    Sum(f64),
    /// What goes up and down; the greatest of all isolates counts.
    #[serde(rename = "m")]
    Max(f64),
    /// How values are spread.
    #[serde(rename = "h")]
    Histogram(Histogram),
}

/// Values of a family's labels, in the order of their names.
pub type Labels = Vec<String>;

/// Series by family.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Samples {
    #[serde(with = "listed")]
    families: LiteMap<String, LiteMap<Labels, Value>>,
}

impl Value {
    /// Adds what another isolate, or a later time, has to say of the same series. Another kind of value changes nothing.
    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(mine), Self::Count(more)) | (Self::Sum(mine), Self::Sum(more)) => *mine += more,
            (Self::Max(mine), Self::Max(more)) => *mine = mine.max(*more),
            (Self::Histogram(mine), Self::Histogram(more)) => mine.merge(more),
            _ => {}
        }
    }

    /// What was counted since `earlier`; `None` if nothing, or if it is a level.
    fn since(&self, earlier: Option<&Self>) -> Option<Self> {
        match (self, earlier) {
            (Self::Count(now), Some(Self::Count(then))) if then <= now => {
                (now > then).then_some(Self::Count(now - then))
            }
            (Self::Count(now), _) => (*now > 0.0).then_some(Self::Count(*now)),
            (Self::Histogram(now), Some(Self::Histogram(then))) => {
                let since = now.since(then);
                (!since.is_empty()).then_some(Self::Histogram(since))
            }
            (Self::Histogram(now), _) => (!now.is_empty()).then(|| self.clone()),
            (Self::Sum(_) | Self::Max(_), _) => None,
        }
    }

    const fn is_level(&self) -> bool {
        matches!(self, Self::Sum(_) | Self::Max(_))
    }
}

impl Samples {
    /// Adds to a series, within the bounds: a label value beyond the hundredth of its label becomes `other`.
    pub fn add(&mut self, family: &str, labels: &[&str], value: &Value) {
        if self.families.get(family).is_none() {
            self.families.insert(family.to_owned(), LiteMap::new());
        }
        let Some(series) = self.families.get_mut(family) else { return };
        let labels = bounded(series, labels);
        match series.get_mut(&labels) {
            Some(known) => known.merge(value),
            None => _ = series.insert(labels, value.clone()),
        }
    }

    /// Puts a value in place of what a series holds, within the same bounds.
    pub fn set(&mut self, family: &str, labels: &[&str], value: Value) {
        if self.families.get(family).is_none() {
            self.families.insert(family.to_owned(), LiteMap::new());
        }
        if let Some(series) = self.families.get_mut(family) {
            let labels = bounded(series, labels);
            series.insert(labels, value);
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (family, labels, value) in other.iter() {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            self.add(family, &labels, value);
        }
    }

    /// What was counted since `earlier`. Levels are left out.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.kept(|family, labels, value| value.since(earlier.get(family, labels)))
    }

    /// Only the levels.
    #[must_use]
    pub fn levels(&self) -> Self {
        self.kept(|_, _, value| value.is_level().then(|| value.clone()))
    }

    /// Only what is counted.
    #[must_use]
    pub fn counts(&self) -> Self {
        self.kept(|_, _, value| (!value.is_level()).then(|| value.clone()))
    }

    /// The same series with nothing counted. Levels are left out.
    #[must_use]
    pub fn emptied(&self) -> Self {
        self.kept(|_, _, value| match value {
            Value::Count(_) => Some(Value::Count(0.0)),
            Value::Histogram(_) => Some(Value::Histogram(Histogram::default())),
            Value::Sum(_) | Value::Max(_) => None,
        })
    }

    fn kept(&self, keep: impl Fn(&str, &Labels, &Value) -> Option<Value>) -> Self {
        let families = self.families.iter().filter_map(|(family, series)| {
            let kept = |(labels, value)| Some((Labels::clone(labels), keep(family, labels, value)?));
            let series: LiteMap<Labels, Value> = series.iter().filter_map(kept).collect();
            (!series.is_empty()).then(|| (family.clone(), series))
        });
        Self { families: families.collect() }
    }

    /// One series.
    #[must_use]
    pub fn get(&self, family: &str, labels: &[String]) -> Option<&Value> {
        self.families.get(family)?.get(labels)
    }

    /// The series of a family.
    pub fn of(&self, family: &str) -> impl Iterator<Item = (&Labels, &Value)> {
        self.families.get(family).into_iter().flat_map(LiteMap::iter)
    }

    /// All series.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Labels, &Value)> {
        self.families
            .iter()
            .flat_map(|(family, series)| series.iter().map(move |(labels, value)| (family.as_str(), labels, value)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.families.values().map(LiteMap::len).sum()
    }

    /// The counts of a family's series that `is_wanted`, added up; the levels likewise.
    #[must_use]
    pub fn total(&self, family: &str, is_wanted: impl Fn(&[String]) -> bool) -> f64 {
        let wanted = self.of(family).filter(|(labels, _)| is_wanted(labels));
        wanted.fold(0.0, |sum, (_, value)| match value {
            Value::Count(number) | Value::Sum(number) | Value::Max(number) => sum + number,
            Value::Histogram(_) => sum,
        })
    }

    /// The histograms of a family's series that `is_wanted`, added up.
    #[must_use]
    pub fn spread(&self, family: &str, is_wanted: impl Fn(&[String]) -> bool) -> Histogram {
        let mut all = Histogram::default();
        for (_, value) in self.of(family).filter(|(labels, _)| is_wanted(labels)) {
            if let Value::Histogram(histogram) = value {
                all.merge(histogram);
            }
        }
        all
    }
}

/// The labels of a series that may be kept beside those that are.
fn bounded(series: &LiteMap<Labels, Value>, labels: &[&str]) -> Labels {
    let asked: Labels = labels.iter().map(|value| cut(value).to_owned()).collect();
    if series.get(&asked).is_some() {
        return asked;
    }
    let is_known = |at: usize, value: &String| series.keys().any(|known| known.get(at) == Some(value));
    let is_full = |at: usize| {
        // One place is left for `other`.
        let mut values: Vec<&String> = series.keys().filter_map(|known| known.get(at)).collect();
        values.sort_unstable();
        values.dedup();
        values.iter().filter(|value| value.as_str() != OTHER).count() >= VALUES_MAX
    };
    let mut kept: Labels = asked
        .into_iter()
        .enumerate()
        .map(|(at, value)| if is_known(at, &value) || !is_full(at) { value } else { OTHER.to_owned() })
        .collect();
    if series.len() >= SERIES_MAX && series.get(&kept).is_none() {
        kept.fill(OTHER.to_owned());
    }
    kept
}

/// The beginning of a label's value that is kept: at most [`VALUE_LENGTH_MAX`] bytes.
fn cut(value: &str) -> &str {
    value.get(..value.floor_char_boundary(VALUE_LENGTH_MAX)).unwrap_or_default()
}

/// Families as `{"name": [[labels, value], …]}`.
mod listed {
    use litemap::LiteMap;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Labels, Value};

    type Families = LiteMap<String, LiteMap<Labels, Value>>;

    pub(super) fn serialize<S: Serializer>(families: &Families, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            families.iter().map(|(family, series)| (family, series.iter().collect::<Vec<(&Labels, &Value)>>())),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Families, D::Error> {
        let families = std::collections::BTreeMap::<String, Vec<(Labels, Value)>>::deserialize(deserializer)?;
        Ok(families.into_iter().map(|(family, series)| (family, series.into_iter().collect())).collect())
    }
}
