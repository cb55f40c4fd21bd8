//! What the platform calls: one function per event.

use std::cell::Cell;
use std::rc::Rc;

use worker::wasm_bindgen::{self, JsValue, prelude::wasm_bindgen};
use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, event};

use super::exchange::Host;
use super::isolate::Isolate;
use super::kv::Place;
use super::{body, caller};
use crate::http::{self, routes};
use crate::telemetry::trace_context::TraceContext;

thread_local! {
    static IS_SUCCESSOR: Cell<bool> = const { Cell::new(false) };
}

/// Learns that this instance replaces one that trapped. All that was counted began anew with it: it counts its own
/// predecessor and no other.
#[expect(unreachable_pub, reason = "JavaScript reaches it")]
#[wasm_bindgen]
pub fn succeeds() {
    IS_SUCCESSOR.set(true);
}

/// Whether this instance replaces one that trapped.
pub(super) fn is_successor() -> bool {
    IS_SUCCESSOR.get()
}

/// Answers one HTTP request.
#[event(fetch)]
pub(super) async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let head = head_of(&request);
    let trace = TraceContext::of(|name| head.header(name));
    let host = Host::new(Isolate::of(&env, &Place::of(&request)), env, trace);
    // The handle: the request's own `clone` would read its body twice.
    let source = AsRef::<JsValue>::as_ref(request.inner()).clone();
    let work = async move {
        let (body, body_problem) = match body::read(&source, routes::body_max(&head.method, &head.path)).await {
            Ok(body) => (body, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        let asked = http::Request { body, body_problem, ..head };
        (host.carried_out(|cx| routes::begin(&asked, cx)).await, host)
    };
    let Some((Some(response), host)) = caller::unless_gone(request.inner(), work).await else {
        return Err("the request was lost".into());
    };
    host.tell();
    host.share_after(&context);
    Rc::new(host).start_chores(|work| context.wait_until(work));
    sent(response)
}

/// Asks the database whether it is there, if nobody asked for a while, shares what it learnt, and begins what else is due.
#[event(scheduled)]
pub(super) async fn scheduled(_event: ScheduledEvent, env: Env, context: ScheduleContext) {
    let host = Rc::new(Host::new(Isolate::of(&env, &Place::default()), env, None));
    host.start_chores(|work| context.wait_until(work));
    let Ok(visit) = host.visit() else { return };
    let work = async move {
        visit.probe(visit.health_check_interval_ms()).await;
        if visit.wants_store() {
            visit.share().await;
        }
        host.tell();
    };
    _ = caller::unless_lost(work).await;
}

/// What a request is, but for its body.
fn head_of(request: &Request) -> http::Request {
    // Cut by hand: the platform has made it regular, and a parser of URLs would weigh 80 KB.
    let url = request.inner().url();
    let query = url.split_once('?').map_or("", |(_, after)| after.split('#').next().unwrap_or_default());
    let headers: Vec<(String, String)> = request.headers().entries().collect();
    // Cloudflare sets it, whatever was sent; where nothing stands before the Worker, anybody may, and it is one more word of theirs.
    let address = headers.iter().find(|(name, _)| name == "cf-connecting-ip").map(|(_, address)| address.clone());
    http::Request {
        method: request.inner().method(),
        path: request.path(),
        origin: origin_of(&url).map(str::to_owned),
        address,
        query: query.to_owned(),
        headers,
        ..http::Request::default()
    }
}

/// The scheme and host of an address.
fn origin_of(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |length| host + length);
    url.get(..end)
}

fn sent(response: http::Response) -> worker::Result<Response> {
    let mut builder = Response::builder().with_status(response.status);
    for (name, value) in &response.headers {
        builder = builder.with_header(name, value)?;
    }
    Ok(if response.body.is_empty() { builder.empty() } else { builder.fixed(response.body.into_bytes()) })
}
