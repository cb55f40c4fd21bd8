//! Notes of the engine as log records.

use serde_json::{Map, Value, json};

use super::logs::{Level, Record};
use super::trace_context::TraceContext;
use crate::clock::Instant;
use crate::note::Note;
use crate::policy::breaker::State;

/// The record of a rare note; `None` for those that are only counted.
#[must_use]
pub fn record_of(note: Note, at: Instant, database: &str, trace: Option<&TraceContext>) -> Option<Record> {
    let (level, msg, more) = match note {
        Note::CircuitChanged { from, to, change } => {
            let level = if to == State::Open { Level::Warn } else { Level::Info };
            let more = json!({ "from": from.name(), "to": to.name(), "reason": change.name() });
            (level, "circuit changed", more)
        }
        Note::LeaseLapsed => (Level::Warn, "lease lapsed", Value::Null),
        Note::TransitionRefused => (Level::Warn, "transition refused", Value::Null),
        Note::RetryBudgetSpent => (Level::Warn, "retry budget spent", Value::Null),
        Note::HintMerged => (Level::Debug, "hint merged", Value::Null),
        Note::HintRefused => (Level::Warn, "hint refused", Value::Null),
        Note::StoreFailed => (Level::Warn, "store failed", Value::Null),
        Note::AttemptEnded { .. } | Note::Refused(_) | Note::Queued | Note::Retried | Note::Hedged | Note::HedgeWon => {
            return None;
        }
    };
    Some(record(level, msg, at, database, trace, more))
}

/// A record of a database. `more` is an object, or nothing.
#[must_use]
pub fn record(
    level: Level,
    msg: &str,
    at: Instant,
    database: &str,
    trace: Option<&TraceContext>,
    more: Value,
) -> Record {
    let mut fields = Map::new();
    if let Some(trace) = trace {
        fields.insert("traceId".to_owned(), format!("{:032x}", trace.trace_id).into());
        fields.insert("spanId".to_owned(), format!("{:016x}", trace.span_id).into());
    }
    fields.insert("database".to_owned(), database.into());
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    Record { level, msg: msg.to_owned(), at_ms: at.0, fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::policy::breaker::Change;

    /// TRC-03: a change of the circuit is a record with the trace of the request that found it
    #[test]
    fn a_change_of_the_circuit_is_a_record_with_a_trace() {
        let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "");
        let note = Note::CircuitChanged { from: State::Closed, to: State::Open, change: Change::FailureCount };
        let found = record_of(note, Instant(1_704_067_200_000), "db.example.com", trace.as_ref());
        let line = found.map(|record| record.line()).unwrap_or_default();
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            json!({
                "level": "warn", "msg": "circuit changed", "time": "2024-01-01T00:00:00.000Z",
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
                "database": "db.example.com", "from": State::Closed.name(), "to": State::Open.name(),
                "reason": Change::FailureCount.name(),
            })
        );
    }

    #[test]
    fn what_is_frequent_is_only_counted() {
        assert_eq!(record_of(Note::Refused(Code::CircuitOpen), Instant(1), "db", None), None);
        assert_eq!(record_of(Note::Queued, Instant(1), "db", None), None);
    }
}
