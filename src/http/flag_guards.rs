//! Guarded flags: a flag whose guard is crossed is killed, or its rollouts are lowered, with the comparison in the record.
//!
//! Each isolate with a strong store judges by what it has seen itself in the last minute. Several that find the same thing write
//! it once: whoever comes second finds that it is done. A flag that an operator lets go while its guard is still crossed is
//! killed again: take the guard out of its document first.

use std::rc::Rc;

use serde_json::Value;

use super::Request;
use super::Response;
use super::call::{Call, id_of};
use super::control::named;
use super::exchange::{Answer, Cx, Next, Question};
use super::order_writes::{Write, amend};
use super::orders::shown;
use crate::access::{Principal, Role};
use crate::clock::{Instant, Millis};
use crate::flags::FlagSet;
use crate::flags::bucket::Share;
use crate::flags::guard::{Guard, Seen, lowered};
use crate::orders::Name;
use crate::orders::order::REASON_MAX;
use crate::orders::published::KILLED_MAX;
use crate::report::facts::Facts;

/// Least time between two judgements, in milliseconds.
const INTERVAL_MS: Millis = 5_000;
/// Who has killed or lowered a flag, in orders and records.
const BY: &str = "guard";

/// The guards of the flags that hold, and when they were last judged.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// The order that they are of.
    version: u64,
    guards: Vec<(String, Guard)>,
    judged_at: Option<Instant>,
}

impl Guards {
    /// Takes the judgement on, if it is due. A clock that stepped back makes it due.
    fn claim(&mut self, now: Instant) -> bool {
        let is_young = self.judged_at.is_some_and(|at| at <= now && now.since(at) < INTERVAL_MS);
        if !is_young {
            self.judged_at = Some(now);
        }
        !is_young
    }
}

/// The guards in a document, which is read only if it has any.
fn guards_in(document: &Value) -> Vec<(String, Guard)> {
    let mut flags = document["flags"].as_object().into_iter().flat_map(|flags| flags.values());
    if !flags.any(|flag| flag.get("guard").is_some()) {
        return Vec::new();
    }
    let flags = FlagSet::from_value(document).map(|(flags, _)| flags.flags).unwrap_or_default();
    flags.into_iter().filter(|(_, flag)| flag.is_enabled).filter_map(|(key, flag)| Some((key, flag.guard?))).collect()
}

/// Judges all guards, if it is time to.
pub fn begin(cx: &mut Cx<'_>) -> Next {
    let Some(version) = cx.monitor.orders().newest(Name::Flags).map(|order| order.version) else {
        return Next::Done;
    };
    // Once for each version: a document may be long, and this runs behind every request.
    if cx.monitor.guards_mut().version != version {
        let guards = cx.monitor.orders().newest(Name::Flags).map(|order| guards_in(&order.value)).unwrap_or_default();
        *cx.monitor.guards_mut() = Guards { version, guards, judged_at: cx.monitor.guards_mut().judged_at };
    }
    let guards = cx.monitor.guards_mut();
    if guards.guards.is_empty() || !guards.claim(cx.now) {
        return Next::Done;
    }
    Next::ask(Question::Facts { probe_age_max_ms: None }, |answer, cx| match answer {
        Answer::Facts(facts) => judge(&facts, cx),
        _ => Next::Done,
    })
}

/// A flag whose guard was crossed.
struct Crossed {
    key: String,
    comparison: String,
    lower_to: Option<Share>,
}

fn judge(facts: &Facts, cx: &mut Cx<'_>) -> Next {
    let seen: Vec<Seen<'_>> = facts
        .databases
        .iter()
        .map(|database| {
            let recent = &database.status.recent;
            Seen {
                database: &database.name,
                is_open: database.status.breaker.state == "OPEN",
                attempts: recent.healthy + recent.failing,
                failing: recent.failing,
                duration_ms: recent.duration_ms,
            }
        })
        .collect();
    let crossed: Vec<Crossed> = cx
        .monitor
        .guards_mut()
        .guards
        .iter()
        .filter_map(|(key, guard)| {
            let comparison = guard.crossed(&seen)?;
            Some(Crossed { key: key.clone(), comparison, lower_to: guard.lower_to })
        })
        .collect();
    let (lower, kill): (Vec<Crossed>, Vec<Crossed>) =
        crossed.into_iter().partition(|crossed| crossed.lower_to.is_some());
    let killed = cx.monitor.orders().newest(Name::Kill).map(|order| &order.value);
    let is_killed = |key: &str| {
        killed.is_some_and(|value| {
            value["all"] == Value::Bool(true)
                || value["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == key))
        })
    };
    let kill: Vec<Crossed> = kill.into_iter().filter(|crossed| !is_killed(&crossed.key)).collect();
    if !kill.is_empty() {
        return killed_now(&kill, cx);
    }
    let document = cx.monitor.orders().newest(Name::Flags).map(|order| &order.value);
    let is_above = |crossed: &Crossed| {
        document.is_some_and(|document| {
            crossed.lower_to.is_some_and(|share| lowered(document, &crossed.key, share).is_some())
        })
    };
    let lower: Vec<Crossed> = lower.into_iter().filter(is_above).collect();
    if lower.is_empty() { Next::Done } else { lowered_now(lower, cx) }
}

fn killed_now(crossed: &[Crossed], cx: &Cx<'_>) -> Next {
    let keys: Vec<String> = crossed.iter().map(|crossed| crossed.key.clone()).collect();
    amend(&call(cx), write(Name::Kill, "kill"), reason_of(crossed), move |members, _| {
        let mut killed = named(members);
        let before = killed.len();
        for key in &keys {
            if !killed.contains(key) {
                killed.push(key.clone());
            }
        }
        if killed.len() == before || killed.len() > KILLED_MAX || members.get("all") == Some(&Value::Bool(true)) {
            return Err(done_already());
        }
        members.insert("flags".to_owned(), killed.into());
        Ok(())
    })
}

fn lowered_now(crossed: Vec<Crossed>, cx: &Cx<'_>) -> Next {
    let reason = reason_of(&crossed);
    amend(&call(cx), write(Name::Flags, "replaceFlags"), reason, move |members, _| {
        let mut document = Value::Object(members.clone());
        let mut is_changed = false;
        for Crossed { key, lower_to, .. } in &crossed {
            if let Some(after) = lower_to.and_then(|share| lowered(&document, key, share)) {
                document = after;
                is_changed = true;
            }
        }
        match document {
            Value::Object(after) if is_changed => {
                *members = after;
                Ok(())
            }
            _ => Err(done_already()),
        }
    })
}

/// What nobody reads: somebody else was quicker.
fn done_already() -> Response {
    Response::new(204, "", String::new())
}

fn write(name: Name, action: &'static str) -> Write {
    Write { name, action, respond: Rc::new(|name, order| shown(name, Some(order))) }
}

/// Nobody's request: the guard's own.
fn call(cx: &Cx<'_>) -> Call {
    let principal = Principal { name: BY.to_owned(), role: Role::Operator, tenant: None };
    Call { principal, id: id_of(cx), ..Call::open(&Request::default(), "") }
}

/// Each flag with its comparison, as far as there is room.
fn reason_of(crossed: &[Crossed]) -> String {
    let told: Vec<String> =
        crossed.iter().map(|Crossed { key, comparison, .. }| format!("{key:?}: {comparison}")).collect();
    let mut reason = told.join("; ");
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    reason
}

#[cfg(test)]
#[path = "flag_guards_tests.rs"]
mod tests;
