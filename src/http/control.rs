//! What operators do at once and everywhere: the kill switch, circuits that are held or reset, pools that are drained.
//!
//! Each is a change of an order that all isolates follow: see `orders::follow`.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::exchange::{Cx, Next};
use super::order_writes::{Write, amend};
use super::orders::shown;
use super::{Response, body};
use crate::flags::parse::name_problem;
use crate::orders::Name;
use crate::orders::control::{Control, DATABASES_MAX, Hold, NAME_MAX};
use crate::orders::published::KILLED_MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KillBody {
    reason: String,
    flags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldBody {
    reason: String,
    state: Hold,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DrainBody {
    reason: String,
    #[serde(default)]
    all: bool,
}

/// `POST /kill`: all flags, or those named, beside those that are off already.
pub(super) fn kill(call: &Call, _: &mut Cx<'_>) -> Next {
    let KillBody { reason, flags } = match kill_body(call) {
        Ok(body) => body,
        Err(response) => return Next::Respond(response),
    };
    change(call, Name::Kill, "kill", reason, move |members, _| {
        match &flags {
            None => _ = members.insert("all".to_owned(), true.into()),
            Some(flags) => {
                let mut killed = named(members);
                let mut known: BTreeSet<String> = killed.iter().cloned().collect();
                killed.extend(flags.iter().filter(|flag| known.insert((*flag).clone())).cloned());
                if killed.len() > KILLED_MAX {
                    return Err(body::unusable(&format!(
                        "At most {KILLED_MAX} flags can be turned off by name. Turn off all."
                    )));
                }
                members.insert("flags".to_owned(), killed.into());
            }
        }
        Ok(())
    })
}

/// `POST /kill/release`: everything, or the flags named.
pub(super) fn release_kill(call: &Call, _: &mut Cx<'_>) -> Next {
    let KillBody { reason, flags } = match kill_body(call) {
        Ok(body) => body,
        Err(response) => return Next::Respond(response),
    };
    change(call, Name::Kill, "releaseKill", reason, move |members, _| {
        match &flags {
            None => members.clear(),
            Some(flags) => {
                let released: BTreeSet<&String> = flags.iter().collect();
                let left: Vec<String> = named(members).into_iter().filter(|flag| !released.contains(flag)).collect();
                members.insert("flags".to_owned(), left.into());
            }
        }
        Ok(())
    })
}

/// The flags that are off by name.
pub(super) fn named(members: &Map<String, Value>) -> Vec<String> {
    let flags = members.get("flags").and_then(Value::as_array);
    flags.into_iter().flatten().filter_map(|flag| flag.as_str().map(str::to_owned)).collect()
}

fn kill_body(call: &Call) -> Result<KillBody, Response> {
    let body: KillBody = body::object(&call.request)?;
    let flags = body.flags.as_deref().unwrap_or_default();
    if flags.len() > KILLED_MAX || body.flags.as_ref().is_some_and(Vec::is_empty) {
        let detail = format!("`flags` are 1 to {KILLED_MAX} names; leave it out for all of them.");
        return Err(body::unusable(&detail));
    }
    if let Some(problem) = flags.iter().find_map(|flag| name_problem(flag)) {
        return Err(body::unusable(&format!("`flags` has a name that no flag can have: {problem}.")));
    }
    body::checked_reason(&body.reason)?;
    Ok(body)
}

/// `POST /circuits/{database}/hold`.
pub(super) fn hold(call: &Call, _: &mut Cx<'_>) -> Next {
    match body::object::<HoldBody>(&call.request) {
        Err(response) => Next::Respond(response),
        Ok(HoldBody { reason, state }) => of_database(call, "holdCircuit", reason, move |control, database, _| {
            control.circuits.entry(database).or_default().hold = Some(state);
        }),
    }
}

/// `POST /circuits/{database}/release`.
pub(super) fn release(call: &Call, _: &mut Cx<'_>) -> Next {
    match body::object::<ReasonBody>(&call.request) {
        Err(response) => Next::Respond(response),
        Ok(ReasonBody { reason }) => of_database(call, "releaseCircuit", reason, |control, database, _| {
            // What nobody has named is free, and takes no place.
            if let Some(circuit) = control.circuits.get_mut(&database) {
                circuit.hold = None;
            }
        }),
    }
}

/// `POST /circuits/{database}/reset`: lets it go as well.
pub(super) fn reset(call: &Call, _: &mut Cx<'_>) -> Next {
    match body::object::<ReasonBody>(&call.request) {
        Err(response) => Next::Respond(response),
        Ok(ReasonBody { reason }) => of_database(call, "resetCircuit", reason, |control, database, lost| {
            let circuit = control.circuits.entry(database).or_default();
            circuit.hold = None;
            circuit.resets = circuit.resets.max(lost).saturating_add(1);
        }),
    }
}

/// `POST /pools/{database}/drain`.
pub(super) fn drain(call: &Call, _: &mut Cx<'_>) -> Next {
    match body::object::<DrainBody>(&call.request) {
        Err(response) => Next::Respond(response),
        Ok(DrainBody { reason, all }) => of_database(call, "drainPool", reason, move |control, database, lost| {
            let pool = control.pools.entry(database).or_default();
            pool.drains = pool.drains.max(lost).saturating_add(1);
            pool.all = all;
        }),
    }
}

/// Changes what the order `control` says of the database in the path. `say` also gets the version of a damaged order that is
/// replaced, or 0: no version has raised a count by more than 1, so above that it is higher than anybody has seen.
fn of_database(
    call: &Call,
    action: &'static str,
    reason: String,
    say: impl Fn(&mut Control, String, u64) + 'static,
) -> Next {
    let database = match database_of(call).and_then(|database| body::checked_reason(&reason).map(|()| database)) {
        Ok(database) => database,
        Err(response) => return Next::Respond(response),
    };
    change(call, Name::Control, action, reason, move |members, lost| {
        let mut control = Control::read(&Value::Object(members.clone())).unwrap_or_default();
        say(&mut control, database.clone(), lost);
        if control.circuits.len() > DATABASES_MAX || control.pools.len() > DATABASES_MAX {
            return Err(body::unusable(&format!("At most {DATABASES_MAX} databases can be named.")));
        }
        if let Value::Object(said) = json!(control) {
            *members = said;
        }
        Ok(())
    })
}

/// The database in the path: a name, or `*` for all.
fn database_of(call: &Call) -> Result<String, Response> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*:@".contains(&byte);
    // Some readers of JSON take `__proto__` for something else: no order has it.
    if call.rest.len() > NAME_MAX || call.rest == "__proto__" || !call.rest.bytes().all(is_plain) {
        let detail =
            format!("A database has 1 to {NAME_MAX} letters, digits or any of -_.:@ as its name; `*` is all of them.");
        return Err(Response::problem(404, "NOT_FOUND", "Not found", &detail));
    }
    Ok(call.rest.clone())
}

fn change(
    call: &Call,
    name: Name,
    action: &'static str,
    reason: String,
    change: impl Fn(&mut Map<String, Value>, u64) -> Result<(), Response> + 'static,
) -> Next {
    let respond = Rc::new(|name, order: &_| shown(name, Some(order)));
    amend(call, Write { name, action, respond }, reason, change)
}

#[cfg(test)]
mod tests;
