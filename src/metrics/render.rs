//! Families as text: Prometheus' format 0.0.4, and OpenMetrics 1.0.

use std::fmt::Write;

use super::document::{Reading, Series, Shown, cumulative};
use super::families::Kind;

/// The two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus, 0.0.4.
    Prometheus,
    /// OpenMetrics, 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The media type of a response.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a request's `accept` asks for: OpenMetrics for those who name it and want nothing else more.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let (mut open, mut plain) = (0, 0);
        for part in accept.get(..accept.floor_char_boundary(ACCEPT_MAX)).unwrap_or_default().split(',') {
            let mut words = part.split(';').map(str::trim);
            let media = words.next().unwrap_or_default().to_ascii_lowercase();
            let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(1_000, thousandths);
            match media.as_str() {
                "application/openmetrics-text" => open = weight.max(open),
                "text/plain" | "text/*" | "*/*" => plain = weight.max(plain),
                _ => {}
            }
        }
        if open > 0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }
}

/// The beginning of an `accept` that is looked at, in bytes.
const ACCEPT_MAX: usize = 1_024;

fn thousandths(weight: &str) -> u32 {
    let weight: f64 = weight.parse().unwrap_or_default();
    if (0.0..=1.0).contains(&weight) { (weight * 1_000.0) as u32 } else { 0 }
}

/// The text of families, one after the other.
#[must_use]
pub fn render(families: &[Shown], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        // Writing into a String cannot fail.
        _ = Writer { text: &mut text, format }.family(family);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

struct Writer<'a> {
    text: &'a mut String,
    format: Format,
}

impl Writer<'_> {
    fn family(&mut self, family: &Shown) -> std::fmt::Result {
        let Shown { name, kind, help, bounds, series } = family;
        let is_open = self.format == Format::OpenMetrics;
        // OpenMetrics calls a counter's family without the end of its samples.
        let title = if is_open && *kind == Kind::Counter { name.strip_suffix("_total").unwrap_or(name) } else { name };
        writeln!(self.text, "# HELP {title} {}", escaped(help, is_open))?;
        writeln!(self.text, "# TYPE {title} {}", kind.name())?;
        if is_open && name.ends_with("_seconds") {
            writeln!(self.text, "# UNIT {title} seconds")?;
        }
        for Series { labels, reading } in series {
            match reading {
                Reading::Number(number) => self.sample(name, "", labels, None, *number)?,
                Reading::Spread(histogram) => {
                    for (bound, count) in cumulative(histogram, *bounds) {
                        let bound = if is_open { canonical(bound) } else { bound.to_string() };
                        self.sample(name, "_bucket", labels, Some(&bound), count as f64)?;
                    }
                    let count = histogram.count() as f64;
                    self.sample(name, "_bucket", labels, Some("+Inf"), count)?;
                    self.sample(name, "_sum", labels, None, histogram.sum())?;
                    self.sample(name, "_count", labels, None, count)?;
                }
            }
        }
        Ok(())
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[(String, String)],
        bound: Option<&str>,
        number: f64,
    ) -> std::fmt::Result {
        write!(self.text, "{name}{suffix}")?;
        let mut before = '{';
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in labels.chain(bound.map(|bound| ("le", bound))) {
            write!(self.text, "{before}{name}=\"{}\"", escaped(value, true))?;
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        writeln!(self.text, " {number}")
    }
}

/// A text with what would end it, or a line, written otherwise. Other control characters become `�`.
fn escaped(text: &str, are_quotes: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if are_quotes => escaped.push_str("\\\""),
            _ if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A bound as OpenMetrics wants it: with a point or an exponent.
fn canonical(bound: f64) -> String {
    if !(1e-4..1e6).contains(&bound) {
        let text = format!("{bound:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    if bound.fract() == 0.0 { format!("{bound:.1}") } else { bound.to_string() }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
