//! Log records: what happened, how serious it was, and which of it somebody asks for.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::{Instant, Millis};
use crate::report::timestamp::iso8601;

/// Records that are kept; the oldest make room.
pub const RECORDS_MAX: usize = 1_000;
/// Longest line of a record, in bytes; a longer record is not kept.
pub const LINE_MAX: usize = 65_536;
/// Bytes of lines that are kept.
const BYTES_MAX: usize = 1_048_576;
const HOUR_MS: f64 = 3_600_000.0;
/// The farthest that somebody may look back, in hours: a year.
const HOURS_MAX: f64 = 8_784.0;
/// How far somebody looks back who does not say, in hours.
const HOURS_DEFAULT: f64 = 24.0;
const LINES_DEFAULT: usize = 100;

/// How serious a record is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Of each operation.
    Debug,
    /// Worth knowing.
    Info,
    /// Something did not go as it should, and was dealt with.
    Warn,
    /// Something failed.
    Error,
}

/// All levels.
pub const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warn, Level::Error];

impl Level {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One thing that happened. It holds no secrets: whoever makes one sees to that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// How serious it is.
    pub level: Level,
    /// What happened, in few different texts.
    pub msg: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What else is to be said of it.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Record {
    /// The record as one line of JSON that is harmless in a terminal and in a page: `level`, `msg`, `time`, then the rest.
    #[must_use]
    pub fn line(&self) -> String {
        let time = iso8601(Instant(self.at_ms));
        let mut line = format!(r#"{{"level":"{}","msg":{},"time":"{time}""#, self.level.name(), quoted(&self.msg));
        for (name, value) in &self.fields {
            if !["level", "msg", "time"].contains(&name.as_str()) {
                line.push_str(&format!(",{}:{}", quoted(name), escaped(value.to_string())));
            }
        }
        line.push('}');
        line
    }
}

fn quoted(text: &str) -> String {
    escaped(Value::from(text).to_string())
}

/// JSON that no page takes for markup. These signs stand in its texts alone.
fn escaped(json: String) -> String {
    if !json.contains(['<', '>', '&', '\u{7f}', '\u{2028}', '\u{2029}']) {
        return json;
    }
    json.chars()
        .map(|sign| match sign {
            '<' | '>' | '&' | '\u{7f}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(sign)),
            _ => sign.to_string(),
        })
        .collect()
}

/// The last records, within bounds.
#[derive(Debug, Default)]
pub struct Ring {
    lines: VecDeque<(Level, Instant, String)>,
    bytes: usize,
}

impl Ring {
    /// Keeps a record; the oldest make room.
    pub fn push(&mut self, record: Record) {
        let line = record.line();
        if line.len() > LINE_MAX {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back((record.level, Instant(record.at_ms), line));
        while self.lines.len() > RECORDS_MAX || self.bytes > BYTES_MAX {
            let Some((_, _, line)) = self.lines.pop_front() else { break };
            self.bytes -= line.len();
        }
    }

    /// The lines that `filter` asks for at `now`, oldest first; of too many the newest. `others` are records of other
    /// isolates, and of this one: what is here as well is told once.
    #[must_use]
    pub fn found(&self, others: &[Record], filter: &Filter, now: Instant) -> Vec<String> {
        let is_asked = |level: Level, at: Instant| level >= filter.level && now.since(at) <= filter.past_ms;
        let mut known: BTreeSet<String> = self.lines.iter().map(|(_, _, line)| line.clone()).collect();
        let mut found: Vec<(Instant, String)> = others
            .iter()
            .filter(|record| is_asked(record.level, Instant(record.at_ms)))
            .map(|record| (Instant(record.at_ms), record.line()))
            .filter(|(_, line)| known.insert(line.clone()))
            .collect();
        let own = self.lines.iter().filter(|(level, at, _)| is_asked(*level, *at));
        found.extend(own.map(|(_, at, line)| (*at, line.clone())));
        // What happened in the same millisecond stays in the order in which it came.
        found.sort_by_key(|(at, _)| *at);
        found.drain(..found.len().saturating_sub(filter.lines_max));
        found.into_iter().map(|(_, line)| line).collect()
    }
}

/// Which records somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filter {
    /// Of this level and above.
    pub level: Level,
    /// At most so old, in milliseconds.
    pub past_ms: Millis,
    /// At most so many, the newest.
    pub lines_max: usize,
}

impl Filter {
    /// What a query such as `level=error&hours=2` asks for: records of this level and above, of the last so many hours;
    /// `lines` is how many at most. Without `level` all, without `hours` of the last 24, without `lines` the last 100.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that name the parameter and what it may be.
    pub fn of_query(query: &str) -> Result<Self, String> {
        let mut filter = Self { level: Level::Debug, past_ms: millis(HOURS_DEFAULT), lines_max: LINES_DEFAULT };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "level" => {
                    let known = LEVELS.into_iter().find(|level| value.eq_ignore_ascii_case(level.name()));
                    filter.level = known.ok_or("level must be debug, info, warn or error.")?;
                }
                "hours" => {
                    let hours = value.parse().ok().filter(|hours| *hours > 0.0 && *hours <= HOURS_MAX);
                    filter.past_ms = millis(hours.ok_or_else(|| {
                        format!("hours must be a number above 0 and at most {HOURS_MAX}: how far to look back.")
                    })?);
                }
                "lines" => {
                    let lines = value.parse().ok().filter(|lines| (1..=RECORDS_MAX).contains(lines));
                    filter.lines_max =
                        lines.ok_or_else(|| format!("lines must be a whole number from 1 to {RECORDS_MAX}."))?;
                }
                _ => return Err("Only level, hours and lines may be asked for.".to_owned()),
            }
        }
        Ok(filter)
    }
}

/// Whole milliseconds of at most a year.
fn millis(hours: f64) -> Millis {
    (hours * HOUR_MS) as Millis
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_704_067_200_000);

    fn record(level: Level, hours_ago: u64, msg: &str) -> Record {
        Record { level, msg: msg.to_owned(), at_ms: NOW.0 - hours_ago * 3_600_000, fields: Map::new() }
    }

    fn found(ring: &Ring, query: &str) -> Vec<String> {
        let filter = Filter::of_query(query).unwrap();
        let lines = ring.found(&[], &filter, NOW).into_iter();
        lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()["msg"].as_str().unwrap().to_owned()).collect()
    }

    /// TRC-05: records are found by level and above, and by the last so many hours
    #[test]
    fn records_are_found_by_level_and_hours() {
        let mut ring = Ring::default();
        for (level, hours_ago, msg) in [
            (Level::Error, 30, "old"),
            (Level::Error, 3, "earlier"),
            (Level::Debug, 2, "query"),
            (Level::Warn, 1, "slow"),
            (Level::Error, 1, "failed"),
            (Level::Info, 0, "closed"),
        ] {
            ring.push(record(level, hours_ago, msg));
        }
        assert_eq!(found(&ring, ""), ["earlier", "query", "slow", "failed", "closed"]);
        assert_eq!(found(&ring, "level=error&hours=2"), ["failed"]);
        assert_eq!(found(&ring, "hours=2&level=WARN"), ["slow", "failed"]);
        assert_eq!(found(&ring, "level=error&hours=48"), ["old", "earlier", "failed"]);
        assert_eq!(found(&ring, "hours=0.5"), ["closed"]);
        assert_eq!(found(&ring, "lines=2"), ["failed", "closed"]);
    }

    /// TRC-05: what other isolates have left is found as well, and nothing twice
    #[test]
    fn records_of_other_isolates_are_found_once() {
        let mut ring = Ring::default();
        ring.push(record(Level::Error, 1, "own"));
        let others = [record(Level::Error, 1, "own"), record(Level::Error, 2, "other"), record(Level::Info, 1, "no")];
        let filter = Filter::of_query("level=error").unwrap();
        let lines = ring.found(&others, &filter, NOW);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("other") && lines[1].contains("own"));
    }

    /// TRC-05: what cannot be asked for is named, and nothing of it repeated
    #[test]
    fn what_cannot_be_asked_for_is_named() {
        for (query, named) in [
            ("level=fatal", "level"),
            ("level=", "level"),
            ("hours=0", "hours"),
            ("hours=-1", "hours"),
            ("hours=NaN", "hours"),
            ("hours=inf", "hours"),
            ("hours=9000", "hours"),
            ("hours=2h", "hours"),
            ("lines=0", "lines"),
            ("lines=1001", "lines"),
            ("lines=1.5", "lines"),
            ("hour=2", "hours"),
            ("<script>", "level"),
        ] {
            let problem = Filter::of_query(query).unwrap_err();
            assert!(problem.contains(named) && !problem.contains("script"), "{query}: {problem}");
        }
    }

    #[test]
    fn what_is_kept_has_a_bound_in_records_and_in_bytes() {
        let mut ring = Ring::default();
        for at in 0..RECORDS_MAX + 5 {
            ring.push(record(Level::Info, 0, &at.to_string()));
        }
        assert_eq!(ring.lines.len(), RECORDS_MAX);
        assert_eq!(found(&ring, "lines=1000").first().map(String::as_str), Some("5"));
        for _ in 0..100 {
            ring.push(record(Level::Info, 0, &"x".repeat(60_000)));
        }
        assert!(ring.bytes <= BYTES_MAX && ring.lines.len() == 17);
        ring.push(record(Level::Error, 0, &"x".repeat(LINE_MAX)));
        assert_eq!(found(&ring, "level=error"), [""; 0]);
    }

    /// TRC-03, H150: a line is one line of JSON, harmless in a terminal and in a page
    #[test]
    fn a_line_is_harmless() {
        let text = r#"{"level":"warn","msg":"a\n\u001b[31m<b>","atMs":1704067200000,"traceId":"0af7","x":"&\u2028"}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        let line = record.line();
        assert_eq!(
            line,
            "{\"level\":\"warn\",\"msg\":\"a\\n\\u001b[31m\\u003cb\\u003e\",\"time\":\"2024-01-01T00:00:00.000Z\",\
             \"traceId\":\"0af7\",\"x\":\"\\u0026\\u2028\"}"
        );
        assert!(serde_json::from_str::<Value>(&line).is_ok());
    }
}
