//! What the application counts itself: orders, sign-ups, sizes of carts.
//!
//! A name is declared once, with its labels, and then counted by. Names cannot collide with ours, and everything has a
//! bound: [`DECLARED_MAX`] names, five labels each, a hundred values for each label.

use serde::{Deserialize, Serialize};

use super::buckets::VALUE_MAX;
use super::document::DURATIONS;
use super::families::Kind;
use super::histogram::Histogram;
use super::samples::{Samples, Value};

/// Names at most.
pub const DECLARED_MAX: usize = 50;
/// Labels of a name at most.
pub const LABELS_MAX: usize = 5;
/// Longest name, in bytes.
const NAME_MAX: usize = 100;
/// Longest description, in bytes.
const HELP_MAX: usize = 300;
/// Names that begin so are ours, or those of the systems before.
const RESERVED: [&str; 6] = ["seawall_", "db_", "familyos_", "circuit_breaker_", "circuit_", "__"];
/// Ends that both formats give to samples themselves.
const SUFFIXES: [&str; 7] = ["_total", "_count", "_sum", "_bucket", "_created", "_info", "_gsum"];

/// One name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Declared {
    /// As it is shown. A counter ends in `_total`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    #[serde(default)]
    pub help: String,
    /// The names of its labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The first and the last bucket whose bounds are shown, of a histogram.
    #[serde(default = "durations")]
    pub bounds: (i16, i16),
}

const fn durations() -> (i16, i16) {
    DURATIONS
}

/// A value that an application measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// The name, as it was declared.
    pub name: String,
    /// Values of its labels, in the order of their names. What is missing is empty.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What to add, to set, or to take in. JSON has no word for what is no number: it comes as `null`.
    pub value: Option<f64>,
}

/// The names and what was counted by them.
#[derive(Clone, Debug, Default)]
pub struct Business {
    declared: Vec<Declared>,
    samples: Samples,
    /// Values that cannot be measured, or that are of no name.
    dropped: u64,
}

impl Business {
    /// Learns of a name, and returns it as it is shown. Saying the same again changes nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn declare(&mut self, declared: Declared) -> Result<String, String> {
        let declared = checked(declared)?;
        if let Some(known) = self.declared.iter().find(|known| base(&known.name) == base(&declared.name)) {
            let is_same = known.kind == declared.kind && known.labels == declared.labels && known.name == declared.name;
            return if is_same {
                Ok(known.name.clone())
            } else {
                Err(format!(
                    "{} is a {} with other labels, or of another kind, already.",
                    known.name,
                    known.kind.name()
                ))
            };
        }
        if self.declared.len() == DECLARED_MAX {
            return Err(format!("There are {DECLARED_MAX} metrics already; use labels instead of more names."));
        }
        let name = declared.name.clone();
        self.declared.push(declared);
        Ok(name)
    }

    /// Counts a value. One that cannot be measured, or by a name that nobody declared, is dropped and counted.
    pub fn measure(&mut self, measured: &Measured) {
        let value = measured.value.filter(|value| value.abs() <= VALUE_MAX);
        let known = self.declared.iter().find(|known| known.name == measured.name);
        let (Some(declared), Some(value)) = (known, value) else {
            self.drop_one();
            return;
        };
        let mut labels: Vec<&str> = measured.labels.iter().map(String::as_str).collect();
        labels.resize(declared.labels.len(), "");
        let value = match declared.kind {
            Kind::Counter if value >= 0.0 => Value::Count(value),
            Kind::Gauge => {
                self.samples.set(&declared.name, &labels, Value::Sum(value));
                return;
            }
            Kind::Histogram if value >= 0.0 => {
                let mut histogram = Histogram::default();
                histogram.observe(value);
                Value::Histogram(histogram)
            }
            Kind::Counter | Kind::Histogram => {
                self.drop_one();
                return;
            }
        };
        self.samples.add(&declared.name, &labels, &value);
    }

    fn drop_one(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// The names.
    #[must_use]
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// What was counted.
    #[must_use]
    pub const fn samples(&self) -> &Samples {
        &self.samples
    }

    /// How many values were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The name without a counter's end: two names may not differ in it alone.
fn base(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// Whether both formats take it for the name of a metric or a label: letters, digits and `_`, no digit first.
fn is_name(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && name.len() <= NAME_MAX && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// The same with its name as it is shown.
pub(super) fn checked(mut declared: Declared) -> Result<Declared, String> {
    let name = declared.name.as_str();
    if !is_name(name) {
        let what = "letters, digits and _, at most 100, not beginning with a digit";
        return Err(format!("The name of a metric is made of {what}."));
    }
    if let Some(reserved) = RESERVED.iter().find(|reserved| name.starts_with(*reserved)) {
        return Err(format!("Names that begin with {reserved} are Seawall's own."));
    }
    let plain = if declared.kind == Kind::Counter { base(name) } else { name }.to_owned();
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| plain.ends_with(*suffix)) {
        return Err(format!("A {}'s name cannot end in {suffix}.", declared.kind.name()));
    }
    if plain.is_empty() {
        return Err("A counter's name needs something before _total.".to_owned());
    }
    if declared.labels.len() > LABELS_MAX {
        return Err(format!("A metric has at most {LABELS_MAX} labels."));
    }
    for (at, label) in declared.labels.iter().enumerate() {
        let is_taken = ["le", "quantile"].contains(&label.as_str()) || label.starts_with("__");
        if !is_name(label) || is_taken || declared.labels.iter().skip(at + 1).any(|other| other == label) {
            let what = "letters, digits and _, each once, and not le, quantile, or what begins with __";
            return Err(format!("A label's name is made of {what}."));
        }
    }
    let (first, last) = declared.bounds;
    if first >= last || first < super::buckets::LEAST || last > super::buckets::GREATEST || last - first > 90 {
        return Err("from must be less than to, both from 1e-9 to 1e12, at most nine decades apart.".to_owned());
    }
    if declared.kind == Kind::Counter {
        declared.name = format!("{plain}_total");
    }
    if declared.help.is_empty() {
        declared.help = format!("{plain}, as the application counts it.");
    }
    declared.help.truncate(declared.help.floor_char_boundary(HELP_MAX));
    Ok(declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &str, kind: Kind, labels: &[&str]) -> Declared {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Declared { name: name.to_owned(), kind, help: String::new(), labels, bounds: DURATIONS }
    }

    fn measured(name: &str, labels: &[&str], value: f64) -> Measured {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Measured { name: name.to_owned(), labels, value: Some(value) }
    }

    /// MET-32: an application counts what matters to it, by names of its own.
    #[test]
    fn what_was_measured_is_counted_by_name_and_labels() {
        let mut business = Business::default();
        assert_eq!(business.declare(declared("orders", Kind::Counter, &["country"])), Ok("orders_total".to_owned()));
        assert_eq!(
            business.declare(declared("orders_total", Kind::Counter, &["country"])),
            Ok("orders_total".to_owned())
        );
        assert!(business.declare(declared("carts", Kind::Gauge, &[])).is_ok());
        assert!(business.declare(declared("cart_size", Kind::Histogram, &[])).is_ok());
        business.measure(&measured("orders_total", &["NL"], 2.0));
        business.measure(&measured("orders_total", &["NL"], 1.0));
        business.measure(&measured("carts", &[], 7.0));
        business.measure(&measured("carts", &[], 5.0));
        business.measure(&measured("cart_size", &[], 3.0));
        let samples = business.samples();
        assert_eq!(samples.get("orders_total", &["NL".to_owned()]), Some(&Value::Count(3.0)));
        assert_eq!(samples.get("carts", &[]), Some(&Value::Sum(5.0)));
        assert_eq!(samples.spread("cart_size", |_| true).count(), 1);
        assert_eq!(business.dropped(), 0);
    }

    /// MET-32: what would break the text, or be taken for ours, is refused by name.
    #[test]
    fn names_are_checked_and_bounded() {
        let mut business = Business::default();
        let long = "a".repeat(101);
        let bad = [
            "",
            "9lives",
            "a-b",
            "a b",
            "é",
            "a\"} 1\nevil 1",
            "__name__",
            "db_x",
            "seawall_x",
            "x_bucket",
            "_total",
            &long,
        ];
        for name in bad {
            assert!(business.declare(declared(name, Kind::Counter, &[])).is_err(), "{name}");
        }
        for labels in
            [&["le"][..], &["__name__"], &["quantile"], &["a", "a"], &["a b"], &["a", "b", "c", "d", "e", "f"]]
        {
            assert!(business.declare(declared("fine", Kind::Gauge, labels)).is_err(), "{labels:?}");
        }
        assert!(business.declare(declared("x_total", Kind::Gauge, &[])).is_err());
        assert!(business.declare(declared("x", Kind::Gauge, &[])).is_ok());
        assert!(business.declare(declared("x", Kind::Counter, &[])).is_err(), "x and x_total are one in OpenMetrics");
        for number in 1..DECLARED_MAX {
            assert!(business.declare(declared(&format!("n{number}"), Kind::Gauge, &[])).is_ok());
        }
        assert!(business.declare(declared("one_more", Kind::Gauge, &[])).is_err());
    }

    /// H136: values that cannot be measured, and counters that decrease, are dropped and counted.
    #[test]
    fn values_that_cannot_be_measured_are_dropped_and_counted() {
        let mut business = Business::default();
        for (name, kind) in [("c", Kind::Counter), ("g", Kind::Gauge), ("h", Kind::Histogram)] {
            assert!(business.declare(declared(name, kind, &[])).is_ok());
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            for name in ["c_total", "g", "h"] {
                business.measure(&measured(name, &[], value));
            }
        }
        business.measure(&measured("c_total", &[], -1.0));
        business.measure(&measured("h", &[], -1.0));
        business.measure(&measured("nobody", &[], 1.0));
        business.measure(&Measured { value: None, ..measured("g", &[], 0.0) });
        assert!(business.samples().is_empty());
        assert_eq!(business.dropped(), 19);
    }
}
