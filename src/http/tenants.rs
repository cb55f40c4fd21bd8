//! The routes of tenants: parts of the order `tenants`, which all isolates follow.
//!
//! Somebody who is bound to one tenant sees that one, and of the others as little as if they were not there.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::exchange::{Cx, Next, Question};
use super::order_writes::{Write, amend_if};
use super::orders::{condition_of, read};
use super::{Response, body, query};
use crate::orders::Name;
use crate::orders::order::Order;
use crate::orders::tenants::{ID_MAX, Tenant, Tenants, is_id};
use crate::orders::write::{Condition, tag};

/// Most tenants of one page, and how many they are if nobody says.
const PAGE_MAX: usize = 100;
const PAGE_DEFAULT: usize = 50;

/// The body of `PUT /tenants/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutBody {
    reason: String,
    tier: Option<String>,
    #[serde(default)]
    suspended: bool,
}

/// The body of `DELETE /tenants/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteBody {
    reason: String,
}

/// A tenant as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    tier: Option<&'a str>,
    suspended: bool,
}

#[derive(Serialize)]
struct Page<'a> {
    /// Of the order.
    version: u64,
    /// By id.
    tenants: Vec<Shown<'a>>,
    /// The `after` of the next page.
    next: Option<&'a str>,
}

/// `GET /tenants?after=…&limit=…`.
pub(super) fn list(call: &Call, _: &mut Cx<'_>) -> Next {
    let limit = match query::limit(call, PAGE_DEFAULT, PAGE_MAX) {
        Ok(limit) => limit,
        Err(response) => return Next::Respond(response),
    };
    let after = match query::text(call, "after") {
        Ok(after) => after.map(str::to_owned),
        Err(response) => return Next::Respond(response),
    };
    if after.as_ref().is_some_and(|after| !is_id(after)) {
        return Next::Respond(query::invalid("after is the id of a tenant: the `next` of the page before."));
    }
    let principal = call.principal.clone();
    with_tenants(move |version, tenants| {
        let is_wanted = |id: &&String| principal.sees(id) && after.as_ref().is_none_or(|after| *id > after);
        let mut wanted = tenants.tenants.iter().filter(|(id, _)| is_wanted(id)).map(|(id, tenant)| shown(id, tenant));
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(page.last().map(|last| last.id));
        tagged(&Page { version, tenants: page, next }, version)
    })
}

/// `GET /tenants/{id}`.
pub(super) fn show(call: &Call, _: &mut Cx<'_>) -> Next {
    let id = match id_of(call) {
        Ok(id) => id,
        Err(response) => return Next::Respond(response),
    };
    with_tenants(move |version, tenants| match tenants.tenants.get(&id) {
        Some(tenant) => tagged(&shown(&id, tenant), version),
        None => not_there(),
    })
}

/// `PUT /tenants/{id}`.
pub(super) fn replace(call: &Call, _: &mut Cx<'_>) -> Next {
    let read = id_of(call).and_then(|id| Ok((id, body::object::<PutBody>(&call.request)?)));
    let (id, PutBody { reason, tier, suspended }) = match read {
        Ok(read) => read,
        Err(response) => return Next::Respond(response),
    };
    let tenant = Tenant { tier, suspended };
    if let Err(problem) = tenant.check() {
        return Next::Respond(body::unusable(&format!("The body cannot be taken: {problem}.")));
    }
    change(call, "replaceTenant", reason, id.clone(), move |tenants| {
        tenants.tenants.insert(id.clone(), tenant.clone());
        Ok(())
    })
}

/// `DELETE /tenants/{id}`: the tenant is what the application says again.
pub(super) fn forget(call: &Call, _: &mut Cx<'_>) -> Next {
    let read = id_of(call).and_then(|id| Ok((id, body::object::<DeleteBody>(&call.request)?)));
    let (id, DeleteBody { reason }) = match read {
        Ok(read) => read,
        Err(response) => return Next::Respond(response),
    };
    change(call, "forgetTenant", reason, id.clone(), move |tenants| {
        tenants.tenants.remove(&id).map(drop).ok_or_else(not_there)
    })
}

/// Changes the order; the answer is the tenant `id` as it is afterwards.
fn change(
    call: &Call,
    action: &'static str,
    reason: String,
    id: String,
    say: impl Fn(&mut Tenants) -> Result<(), Response> + 'static,
) -> Next {
    let condition = match body::checked_reason(&reason).and_then(|()| condition_of(call)) {
        Ok(condition) => condition.unwrap_or(Condition::Any),
        Err(response) => return Next::Respond(response),
    };
    let respond = Rc::new(move |_, order: &Order| {
        let tenants = Tenants::read(&order.value).unwrap_or_default();
        let tenant = tenants.tenants.get(&id).cloned().unwrap_or_default();
        tagged(&shown(&id, &tenant), order.version)
    });
    amend_if(call, condition, Write { name: Name::Tenants, action, respond }, reason, move |members, _| {
        let mut tenants = Tenants::read(&Value::Object(members.clone())).unwrap_or_default();
        say(&mut tenants)?;
        tenants.check().map_err(|problem| body::unusable(&format!("The order cannot be taken: {problem}.")))?;
        if let Value::Object(said) = json!(tenants) {
            *members = said;
        }
        Ok(())
    })
}

fn with_tenants(respond: impl FnOnce(u64, &Tenants) -> Response + 'static) -> Next {
    Next::ask(Question::Read { key: Name::Tenants.key() }, move |answer, cx| {
        Next::Respond(match read(Name::Tenants, answer, cx) {
            Err(response) => response,
            Ok(None) => respond(0, &Tenants::default()),
            Ok(Some(order)) => respond(order.version, &Tenants::read(&order.value).unwrap_or_default()),
        })
    })
}

fn shown<'a>(id: &'a str, tenant: &'a Tenant) -> Shown<'a> {
    Shown { id, tier: tenant.tier.as_deref(), suspended: tenant.suspended }
}

fn tagged(document: &impl Serialize, version: u64) -> Response {
    let mut response = Response::json(200, "application/json", document);
    response.headers.push(("etag", tag(version)));
    response
}

/// The tenant in the path, if whoever asks may know of it.
fn id_of(call: &Call) -> Result<String, Response> {
    if !call.principal.sees(&call.rest) {
        return Err(not_there());
    }
    if !is_id(&call.rest) {
        let detail = format!("The id of a tenant has 1 to {ID_MAX} letters, digits or any of -_. in it.");
        return Err(Response::problem(404, "NOT_FOUND", "Not found", &detail));
    }
    Ok(call.rest.clone())
}

fn not_there() -> Response {
    let detail = "Nothing was said of a tenant of this id: it is what the application says.";
    Response::problem(404, "TENANT_NOT_FOUND", "No such tenant", detail)
}
