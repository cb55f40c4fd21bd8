//! A visit whose operations somebody watches: the twin of `js/src/telemetry/observer.ts`. The loop over steps knows nothing
//! of it, and a visit that nobody watches runs as if this file did not exist.

use std::cell::RefCell;
use std::future::Future;

use super::clock;
use super::driver::{self, AttemptCx, Failed, Host};
use super::isolate::{Isolate, Visit};
use super::upstream::Failure;
use crate::clock::{Instant, Millis};
use crate::engine::Engine;
use crate::engine::step::CallId;
use crate::error::Code;
use crate::hrana::proto::PipelineResponse;
use crate::outcome::Judgement;
use crate::query::Query;
use crate::telemetry::span::Cause;
use crate::telemetry::watch::{Leg, Tracing, Watch};

/// What an attempt, or an operation, ended in that nobody waited for any longer.
const ABORTED: &str = "ABORTED";

/// One operation of a visit. Its spans go to the isolate when it ends, also when it is dropped half way.
pub(super) struct Watched<'a> {
    visit: &'a Visit,
    watch: RefCell<Option<Watch>>,
}

/// Runs the operation of this name under the policies, and has its spans kept.
pub(super) async fn run(
    visit: &Visit,
    name: &'static str,
    query: Query,
    tracing: Tracing,
) -> Result<PipelineResponse, Failed<Failure>> {
    let watch = Watch::begin(name, visit.isolate().place(), tracing, clock::seed(), clock::now());
    let watched = Watched { visit, watch: RefCell::new(Some(watch)) };
    let ended = driver::run(&watched, query).await;
    watched.end(ended.as_ref().err().map(cause_of));
    ended
}

fn cause_of(failed: &Failed<Failure>) -> Cause<'_> {
    match failed {
        Failed::Upstream(failure) => failure_of(failure),
        Failed::Refused { code, .. } | Failed::Ended { code, cause: None, .. } => Cause::policy(code.facts().name),
        Failed::Ended { code, cause: Some(failure), .. } => Cause { code: code.facts().name, ..failure_of(failure) },
    }
}

fn failure_of(failure: &Failure) -> Cause<'_> {
    let code = if failure.code.is_empty() { "SERVER_ERROR" } else { &failure.code };
    Cause::upstream(code, failure.status)
}

impl Watched<'_> {
    fn isolate(&self) -> &Isolate {
        self.visit.isolate()
    }

    fn end(&self, cause: Option<Cause<'_>>) {
        if let Some(watch) = self.watch.take() {
            let spans = self.isolate().with_codes(|codes| watch.ended(cause, codes, clock::now()));
            self.isolate().keep_spans(spans);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.end(Some(Cause::policy(ABORTED)));
    }
}

/// An attempt on its way. Dropped half way, it was taken back at its deadline, or nobody waited for it any longer.
struct Attempt<'a> {
    watched: &'a Watched<'a>,
    leg: Option<Leg>,
    timeout_ms: Millis,
}

impl<'a> Attempt<'a> {
    fn begin(watched: &'a Watched<'a>, timeout_ms: Millis) -> Self {
        let leg = watched.watch.borrow_mut().as_mut().map(|watch| watch.attempt(clock::now()));
        Self { watched, leg, timeout_ms }
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        self.leg.as_ref().map(Leg::headers).unwrap_or_default()
    }

    fn end(&mut self, cause: Option<Cause<'_>>) {
        let Some(leg) = self.leg.take() else { return };
        if let Some(watch) = self.watched.watch.borrow_mut().as_mut() {
            self.watched.isolate().with_codes(|codes| watch.attempt_ended(leg, cause, codes, clock::now()));
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Some(began) = self.leg.as_ref().map(Leg::began) else { return };
        let is_late = self.timeout_ms > 0 && clock::now().since(began) >= self.timeout_ms;
        self.end(Some(Cause::policy(if is_late { Code::DeadlineExceeded.facts().name } else { ABORTED })));
    }
}

impl Host for Watched<'_> {
    type Value = PipelineResponse;
    type Failure = Failure;

    fn now(&self) -> Instant {
        self.visit.now()
    }

    fn with_engine<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T {
        self.visit.with_engine(work)
    }

    fn sleep(&self, ms: Millis) -> impl Future<Output = ()> {
        self.visit.sleep(ms)
    }

    fn wait_for_lease(&self, call: CallId, ms: Millis) -> impl Future<Output = ()> {
        self.visit.wait_for_lease(call, ms)
    }

    async fn attempt(&self, cx: AttemptCx) -> Result<PipelineResponse, Failure> {
        let mut attempt = Attempt::begin(self, cx.timeout_ms);
        let ended = self.visit.send(&attempt.headers()).await;
        attempt.end(ended.as_ref().err().map(failure_of));
        ended
    }

    fn judge(&self, failure: &Failure) -> Judgement {
        self.visit.judge(failure)
    }
}
