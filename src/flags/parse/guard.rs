//! What must not be crossed while a flag is on.

use serde_json::{Map, Value};

use super::super::bucket::Share;
use super::super::fault::Finder;
use super::super::guard::{ATTEMPTS_MIN, Guard};
use super::rule::share;
use super::{known, milliseconds, name, object, one_of, optional};

/// Names of a guard.
pub const GUARD: [&str; 6] = ["database", "circuit", "errorRate", "latency", "minimum", "lowerTo"];
/// Most attempts that it may wait for.
const MINIMUM_MAX: u64 = 1_000_000;

/// `flag` is that which it guards.
pub(super) fn read(value: &Value, flag: &Map<String, Value>, at: &mut Finder) -> Option<Guard> {
    let members = object(value, at)?;
    known(members, &GUARD, "part of a guard", at);
    if !["circuit", "errorRate", "latency"].iter().any(|name| members.contains_key(*name)) {
        at.fault("a guard watches circuit, errorRate or latency: name one");
    }
    let rules = flag.get("rules").and_then(Value::as_array);
    let has_rollout = rules.is_some_and(|rules| rules.iter().any(|rule| rule.get("rollout").is_some()));
    if members.contains_key("lowerTo") && !has_rollout {
        at.member("lowerTo", |at| at.fault("no rule has a rollout that could be lowered: leave this out, or add one"));
    }
    let percent = |value: &Value, at: &mut Finder| share(value, at).and_then(Share::of_millionths);
    Some(Guard {
        database: optional(members, "database", at, name),
        watches_circuit: optional(members, "circuit", at, |value, at| one_of(value, &[("open", true)], at)).is_some(),
        error_rate: optional(members, "errorRate", at, percent),
        latency_ms: optional(members, "latency", at, milliseconds),
        attempts_min: optional(members, "minimum", at, minimum).unwrap_or(ATTEMPTS_MIN),
        lower_to: optional(members, "lowerTo", at, percent),
    })
}

fn minimum(value: &Value, at: &mut Finder) -> Option<u32> {
    let found = value.as_u64().filter(|count| (1..=MINIMUM_MAX).contains(count));
    if found.is_none() {
        at.fault(format!("this is how many attempts must have been made: 1 to {MINIMUM_MAX}"));
    }
    found.and_then(|count| u32::try_from(count).ok())
}
