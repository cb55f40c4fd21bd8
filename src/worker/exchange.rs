//! Carries an exchange out: the twin of `js/src/monitor/exchange.ts`.

use std::cell::RefCell;
use std::rc::Rc;

use worker::{Context, Env};

use super::caller;
use super::clock;
use super::isolate::{Isolate, Visit};
use crate::clock::Millis;
use crate::http::exchange::{Answer, Cx, Next, Question};
use crate::http::{Response, exchange};
use crate::monitor::Monitor;
use crate::report::facts::Facts;

thread_local! {
    static MONITOR: RefCell<Monitor> = RefCell::default();
}

/// What one event has to answer questions with.
pub(super) struct Host {
    isolate: Result<Rc<Isolate>, Rc<str>>,
    env: Env,
}

impl Host {
    pub(super) const fn new(isolate: Result<Rc<Isolate>, Rc<str>>, env: Env) -> Self {
        Self { isolate, env }
    }

    /// Carries out what `begin` gives; `None` for work without a response.
    pub(super) async fn carried_out(&self, begin: impl FnOnce(&mut Cx<'_>) -> Next) -> Option<Response> {
        let mut next = with_cx(begin);
        loop {
            next = match next {
                Next::Respond(response) => return Some(response),
                Next::Done => return None,
                Next::Ask(question, then) => {
                    let answer = self.answer(question).await;
                    with_cx(|cx| then(answer, cx))
                }
            };
        }
    }

    /// Reads and writes the shared hints after the response, if something is due.
    pub(super) fn share_after(&self, context: &Context) {
        let Ok(isolate) = &self.isolate else { return };
        let visit = Visit::new(Rc::clone(isolate), &self.env);
        if visit.wants_store() {
            context.wait_until(async move { _ = caller::unless_lost(async move { visit.share().await }).await });
        }
    }

    async fn answer(&self, question: Question) -> Answer {
        match question {
            Question::Facts { probe_age_max_ms } => self.facts(probe_age_max_ms).await,
            Question::ReadCached { .. } => Answer::Text(None),
            Question::PutCached { .. } => Answer::Cached(false),
            Question::Read { .. } | Question::Swap { .. } | Question::List { .. } | Question::Fetch(_) => {
                Answer::Failed("This Worker has no strong store.".to_owned())
            }
        }
    }

    async fn facts(&self, probe_age_max_ms: Option<Millis>) -> Answer {
        match &self.isolate {
            Err(problem) => Answer::Failed(problem.to_string()),
            Ok(isolate) => {
                let visit = Visit::new(Rc::clone(isolate), &self.env);
                if let Some(age_max_ms) = probe_age_max_ms {
                    visit.probe(age_max_ms).await;
                }
                let now = clock::now();
                let database = visit.facts(now);
                Answer::Facts(Facts {
                    now_ms: now.0,
                    uptime_ms: database.status.uptime_ms,
                    memory_bytes: memory_bytes(),
                    databases: vec![database],
                })
            }
        }
    }
}

fn with_cx<T>(work: impl FnOnce(&mut exchange::Cx<'_>) -> T) -> T {
    let (now, random) = (clock::now(), clock::seed());
    MONITOR.with_borrow_mut(|monitor| work(&mut Cx { monitor, now, random }))
}

fn memory_bytes() -> u64 {
    const PAGE: u64 = 65_536;
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size::<0>() as u64;
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    pages * PAGE
}
