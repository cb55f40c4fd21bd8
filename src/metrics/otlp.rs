//! The same as an OTLP request for metrics, in JSON: what was counted since the last export (delta temporality).
//!
//! Names and bounds are those of OpenTelemetry's conventions for databases. Numbers of 64 bits are text, as protobuf's JSON wants it.

use serde_json::{Value as Json, json};

use super::document::{DURATIONS, Picture, Reading, Series, cumulative};
use super::families::{FAMILIES, Family, Kind};
use super::histogram::Histogram;
use super::samples::Samples;
use crate::clock::Instant;

/// The bounds that the conventions name for durations, in seconds.
pub const BOUNDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: u32 = 1;

/// What was exported so far.
#[derive(Clone, Debug, Default)]
pub struct Exported {
    counts: Samples,
    at: Option<Instant>,
}

impl Exported {
    /// The request's body with all that was counted since the last one that was [`Exported::keep`]ed, and how high the levels
    /// are. `resource` are attributes of who sends it; `started_at` is when the isolate began to count.
    #[must_use]
    pub fn request(&self, picture: &Picture, resource: &[(&str, &str)], started_at: Instant, now: Instant) -> String {
        let mut since = picture.samples.since(&self.counts);
        since.merge(&picture.samples.levels());
        let picture = Picture { samples: since, ..picture.clone() };
        let times = Times { from: nanos(self.at.unwrap_or(started_at)), to: nanos(now) };
        let ours = FAMILIES.iter().filter_map(|family| metric(family, &picture.series(family), &times));
        let own =
            picture.shown(super::names::Names { prisma: false, platform: false, familyos: false, canonical: true });
        let own =
            own.iter().filter(|shown| FAMILIES.iter().all(|family| family.name != shown.name)).filter_map(|shown| {
                let name = shown.name.strip_suffix("_total").unwrap_or(&shown.name);
                let told = Told { name, unit: "1", help: &shown.help, kind: shown.kind, bounds: Some(shown.bounds) };
                told.metric(&shown.series, &times)
            });
        let metrics: Vec<Json> = ours.chain(own).collect();
        let scope = json!({ "name": "seawall", "version": env!("CARGO_PKG_VERSION") });
        json!({ "resourceMetrics": [{
            "resource": { "attributes": attributes(resource.iter().copied()) },
            "scopeMetrics": [{ "scope": scope, "metrics": metrics }],
        }]})
        .to_string()
    }

    /// What `picture` had counted is exported.
    pub fn keep(&mut self, picture: &Picture, now: Instant) {
        self.counts = picture.samples.counts();
        self.at = Some(now);
    }
}

struct Times {
    from: String,
    to: String,
}

fn metric(family: &Family, series: &[Series], times: &Times) -> Option<Json> {
    let Family { otlp_name: name, unit, help, kind, .. } = *family;
    Told { name, unit, help, kind, bounds: None }.metric(series, times)
}

/// One metric of the request.
struct Told<'a> {
    name: &'a str,
    unit: &'a str,
    help: &'a str,
    kind: Kind,
    /// The buckets whose bounds are told; those of the conventions if `None`.
    bounds: Option<(i16, i16)>,
}

impl Told<'_> {
    fn metric(&self, series: &[Series], times: &Times) -> Option<Json> {
        let points: Vec<Json> = series.iter().map(|series| self.point(series, times)).collect();
        if points.is_empty() {
            return None;
        }
        let data = match self.kind {
            Kind::Counter => {
                ("sum", json!({ "dataPoints": points, "aggregationTemporality": DELTA, "isMonotonic": true }))
            }
            Kind::Gauge => ("gauge", json!({ "dataPoints": points })),
            Kind::Histogram => ("histogram", json!({ "dataPoints": points, "aggregationTemporality": DELTA })),
        };
        let mut metric = json!({ "name": self.name, "unit": self.unit, "description": self.help });
        if let Json::Object(fields) = &mut metric {
            fields.insert(data.0.to_owned(), data.1);
        }
        Some(metric)
    }

    fn point(&self, Series { labels, reading }: &Series, times: &Times) -> Json {
        let attributes = attributes(labels.iter().map(|(name, value)| (self.attribute(name), value.as_str())));
        match reading {
            Reading::Number(number) => json!({
                "attributes": attributes,
                "startTimeUnixNano": times.from,
                "timeUnixNano": times.to,
                "asDouble": number,
            }),
            Reading::Spread(histogram) => {
                let (bounds, counts) = self.buckets(histogram);
                json!({
                    "attributes": attributes,
                    "startTimeUnixNano": times.from,
                    "timeUnixNano": times.to,
                    "count": histogram.count().to_string(),
                    "sum": histogram.sum(),
                    "explicitBounds": bounds,
                    "bucketCounts": counts,
                })
            }
        }
    }

    /// A label's name as OpenTelemetry has it.
    fn attribute<'a>(&self, label: &'a str) -> &'a str {
        match label {
            "db_system_name" => "db.system.name",
            "db_namespace" => "db.namespace",
            "error_type" => "error.type",
            "pool" => "db.client.connection.pool.name",
            "state" if self.name.starts_with("db.client.connection.") => "db.client.connection.state",
            label => label,
        }
    }

    /// Bounds, and counts between them: one more.
    fn buckets(&self, histogram: &Histogram) -> (Vec<f64>, Vec<String>) {
        let is_told = |at: f64| self.bounds.is_some() || BOUNDS.iter().any(|known| known.total_cmp(&at).is_eq());
        let up_to = cumulative(histogram, self.bounds.unwrap_or(DURATIONS)).filter(|(at, _)| is_told(*at));
        let (bounds, mut sums): (Vec<f64>, Vec<u64>) = up_to.unzip();
        sums.push(histogram.count());
        let before = std::iter::once(0).chain(sums.iter().copied());
        let counts = sums.iter().zip(before).map(|(up_to, before)| up_to.saturating_sub(before).to_string());
        (bounds, counts.collect())
    }
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Json> {
    pairs.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

/// Nanoseconds since the epoch, as text.
fn nanos(at: Instant) -> String {
    (u128::from(at.0) * 1_000_000).min(u128::from(u64::MAX)).to_string()
}
