//! What the platform calls: one function per event.

use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, event};

use super::caller;
use super::clock;
use super::isolate::{Isolate, Visit};
use super::kv::Place;
use crate::http::{self, routes};
use crate::report::probe::INTERVAL_MS;

/// Answers one HTTP request.
#[event(fetch)]
pub(super) async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let method = request.inner().method();
    let accept = request.headers().get("accept")?;
    let asked = http::Request { method: &method, path: &request.path(), accept: accept.as_deref() };
    let response = match routes::plan(&asked, routes::BASE_PATH, clock::now()) {
        routes::Plan::Respond(response) => response,
        routes::Plan::Health(question) => match Isolate::of(&env, &Place::of(&request)) {
            Ok(isolate) => {
                let visit = Visit::new(isolate, &env);
                let work = async move { (visit.health(INTERVAL_MS).await, visit) };
                let Some((facts, visit)) = caller::unless_gone(request.inner(), work).await else {
                    return Err("the request was lost".into());
                };
                if visit.wants_store() {
                    context
                        .wait_until(async move { _ = caller::unless_lost(async move { visit.share().await }).await });
                }
                question.answer(&facts)
            }
            Err(problem) => question.answer_unconfigured(&problem, clock::now()),
        },
    };
    sent(response)
}

/// Asks the database whether it is there, if nobody asked for a while, and shares what it learnt.
#[event(scheduled)]
pub(super) async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let Ok(isolate) = Isolate::of(&env, &Place::default()) else { return };
    let visit = Visit::new(isolate, &env);
    let work = async move {
        visit.health(visit.health_check_interval_ms()).await;
        if visit.wants_store() {
            visit.share().await;
        }
    };
    _ = caller::unless_lost(work).await;
}

fn sent(response: http::Response) -> worker::Result<Response> {
    let mut builder = Response::builder().with_status(response.status);
    for (name, value) in &response.headers {
        builder = builder.with_header(name, value)?;
    }
    Ok(if response.body.is_empty() { builder.empty() } else { builder.fixed(response.body.into_bytes()) })
}
