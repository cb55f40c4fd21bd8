//! Answers as text: what does not depend on who asks was written when the edition was taken.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Failure;
use crate::flags::{Decision, ErrorCode, FlagIndex, Found, Kind, Moment, Reason, Served, explain};
use crate::monitor::flag_state::FlagState;

/// Writes what came of evaluations.
pub(super) struct Writer<'s> {
    pub(super) state: &'s FlagState,
    pub(super) moment: Moment,
    pub(super) is_strict: bool,
    /// Whether there is one flag only, which then says of which edition it is.
    pub(super) is_alone: bool,
}

/// What was written.
pub(super) enum Answered {
    /// What somebody gets, or that the caller's code says.
    Value,
    /// Nothing: it is an error.
    Error(Failure),
}

impl Writer<'_> {
    /// Writes what a flag is.
    pub(super) fn write(&self, flag: FlagIndex, decision: &Decision, out: &mut String) -> Answered {
        let flags = self.state.flags();
        let Some(texts) = self.state.texts(flag) else { return Answered::Error(Failure::from(decision)) };
        if decision.error.is_some() {
            return Answered::Error(Failure::from(decision));
        }
        let value = flags.value(flag, decision);
        if self.is_strict && is_of_no_kind(value) {
            return Answered::Error(no_kind());
        }
        // Writing to a string cannot fail.
        _ = write!(out, r#"{{"key":{},"reason":"{}""#, texts.key, self.reason(decision));
        match (decision.served, value) {
            (Served::Variant(place), _) => {
                if let Some(text) = texts.variants.get(usize::from(place)) {
                    _ = write!(out, ",{text}");
                }
            }
            (_, Some(value)) => _ = write!(out, r#","value":{}"#, explain::value(value)),
            (_, None) => {}
        }
        self.metadata(Some(flag), decision, out);
        out.push('}');
        Answered::Value
    }

    /// What a variable alone says of a key.
    pub(super) fn alone(&self, key: &str, decision: &Decision, value: Option<Found<'_>>) -> Result<String, Failure> {
        if self.is_strict && is_of_no_kind(value) {
            return Err(no_kind());
        }
        let mut out = String::new();
        _ = write!(out, r#"{{"key":{},"reason":"{}""#, Value::from(key), self.reason(decision));
        if let Some(value) = value {
            _ = write!(out, r#","value":{}"#, explain::value(value));
        }
        self.metadata(None, decision, &mut out);
        out.push('}');
        Ok(out)
    }

    /// All flags, in the order of their keys.
    pub(super) fn all(&self, decide: impl Fn(FlagIndex) -> Decision) -> String {
        let table = self.state.flags().table();
        let mut out = String::with_capacity(16 + 128 * table.all().len());
        out.push_str(r#"{"flags":["#);
        for flag in table.all() {
            if flag.place() > 0 {
                out.push(',');
            }
            let length = out.len();
            if let Answered::Error(failure) = self.write(flag, &decide(flag), &mut out) {
                out.truncate(length);
                let Failure { code, details, .. } = failure;
                let key = self.state.texts(flag).map_or("\"\"", |texts| texts.key.as_str());
                let details = Value::from(details);
                _ = write!(out, r#"{{"key":{key},"errorCode":"{}","errorDetails":{details}}}"#, code.text());
            }
        }
        let (revision, version) = (table.revision(), self.state.version());
        _ = write!(out, r#"],"metadata":{{"revision":{revision},"version":{version}}}}}"#);
        out
    }

    /// The tag of an answer: of which edition and list of kills it is, and what it says.
    pub(super) fn tag(&self, body: &str) -> String {
        let digest: String = Sha256::digest(body.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let revision = self.state.flags().table().revision();
        format!("\"{revision}-{}-{}-{digest}\"", self.state.version(), self.state.kill_version())
    }

    /// Why, in the words that the protocol has: that it is stale stands beside it.
    fn reason(&self, decision: &Decision) -> &'static str {
        match decision.underlying {
            Reason::Default if self.is_strict => Reason::Static.text(),
            reason => reason.text(),
        }
    }

    fn metadata(&self, flag: Option<FlagIndex>, decision: &Decision, out: &mut String) {
        let table = self.state.flags().table();
        let start = out.len();
        if self.is_alone {
            _ = write!(out, r#","revision":{},"version":{}"#, table.revision(), self.state.version());
        }
        if let Some(by) = decision.by {
            _ = write!(out, r#","by":"{}""#, by.text());
        }
        match (decision.rule, flag.zip(decision.rule).and_then(|(flag, rule)| table.rule_name(flag, rule))) {
            (_, Some(name)) => _ = write!(out, r#","rule":{}"#, Value::from(name)),
            (Some(place), None) => _ = write!(out, r#","rule":{place}"#),
            (None, None) => {}
        }
        if let Some(bucket) = decision.bucket {
            _ = write!(out, r#","bucket":{bucket}"#);
        }
        if let Some(other) = decision.prerequisite {
            _ = write!(out, r#","prerequisite":{}"#, Value::from(table.key(other)));
        }
        if decision.reason == Reason::Stale {
            let age_ms = self.moment.now.since(self.moment.confirmed_at);
            _ = write!(out, r#","stale":true,"ageMs":{age_ms}"#);
        }
        if out.len() > start {
            // In place of the first comma.
            out.replace_range(start..=start, r#","metadata":{"#);
            out.push('}');
        }
    }
}

/// The schema of the protocol has values that are `true`, `false`, numbers, texts and objects.
fn is_of_no_kind(value: Option<Found<'_>>) -> bool {
    value
        .is_some_and(|value| value.kind() == Kind::Json && !matches!(value, Found::Json(text) if text.starts_with('{')))
}

fn no_kind() -> Failure {
    Failure::of_context(ErrorCode::General, "The value is a list or null, for which the protocol has no kind.")
}
