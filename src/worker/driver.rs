//! The loop over steps: asks the engine, does what it says, reports, asks again. Decides nothing.
//!
//! Twin of `js/src/driver.ts`; `tests/conformance/steps` holds both to the same stories. The platform comes in as a
//! [`Host`], so that the loop runs natively in those tests.
//!
//! A wait is always on a timer of the caller's own request, and the engine is asked again after it. Nothing here
//! wakes another request: on Workers a future that another request wakes does its I/O there and dies with it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::clock::{Instant, Millis};
use crate::engine::Engine;
use crate::engine::step::{CallId, Ending, Step, Wait};
use crate::error::Code;
use crate::outcome::Judgement;
use crate::policy::hedge::HedgeAnswer;
use crate::query::Query;

/// What the loop needs of the platform, for one request.
pub trait Host {
    /// What a successful attempt gives.
    type Value;
    /// Why an attempt failed.
    type Failure;

    /// Reads the clock.
    fn now(&self) -> Instant;

    /// Lends the engine. `work` is synchronous, so the loan never spans an await.
    fn with_engine<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T;

    /// Ends after `ms`, on a timer of this request.
    fn sleep(&self, ms: Millis) -> impl Future<Output = ()>;

    /// Waits for a lease: at most `ms`, sooner if the host can tell that it is `call`'s turn.
    fn wait_for_lease(&self, call: CallId, ms: Millis) -> impl Future<Output = ()>;

    /// Sends the request once. Dropping the future takes it back.
    fn attempt(&self, cx: AttemptCx) -> impl Future<Output = Result<Self::Value, Self::Failure>>;

    /// Judges a failed attempt.
    fn judge(&self, failure: &Self::Failure) -> Judgement;
}

/// What an attempt is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCx {
    /// It is taken back after so many milliseconds; 0 means never.
    pub timeout_ms: Millis,
    /// Its number in this call, from 1.
    pub number: u32,
}

/// Why a call gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed<F> {
    /// The last attempt's own failure, unchanged.
    Upstream(F),
    /// A policy ended the call before another attempt.
    Refused {
        /// Why.
        code: Code,
        /// When asking again can help; [`Instant::NEVER`] if no time can be named.
        retry_at: Instant,
        /// Attempts made before; 0 means that nothing was sent.
        attempts: u32,
    },
    /// The policies' word on the last attempt.
    Ended {
        /// What it came to.
        code: Code,
        /// Attempts made.
        attempts: u32,
        /// The last attempt's failure; `None` when it was taken back at its deadline.
        cause: Option<F>,
    },
}

/// Runs one call under the policies.
///
/// # Errors
///
/// [`Failed`] says whether the database or a policy ended it.
pub async fn run<H: Host>(host: &H, query: Query) -> Result<H::Value, Failed<H::Failure>> {
    let mut running = Running { host, call: None };
    let mut failure = None;
    let mut number = 0;
    let mut step = host.with_engine(|engine| engine.begin(query, host.now()));
    loop {
        step = match step {
            Step::Attempt { call, timeout_ms, renew_ms, hedge_ms } => {
                running.call = Some(call);
                number += 1;
                let hedge_ms = if hedge_ms == 0 { Millis::MAX } else { hedge_ms };
                let ended = once(host, call, AttemptCx { timeout_ms, number }, renew_ms, hedge_ms).await;
                let judgement = ended.as_ref().map_or(Judgement::TIMEOUT, |ended| judgement_of(host, ended));
                let step = host.with_engine(|engine| engine.report(call, judgement, host.now()));
                failure = match ended {
                    Some(Ok(value)) => {
                        running.call = None;
                        return Ok(value);
                    }
                    Some(Err(failure)) => Some(failure),
                    None => None,
                };
                step
            }
            // A `fetch` shows nothing of what is behind a connection.
            Step::Check { call, .. } => host.with_engine(|engine| engine.checked(call, true, host.now())),
            Step::Wait { call, until, what } => {
                running.call = Some(call);
                let ms = until.since(host.now());
                match what {
                    Wait::Lease => host.wait_for_lease(call, ms).await,
                    Wait::Backoff => host.sleep(ms).await,
                }
                host.with_engine(|engine| engine.wake(call, host.now()))
            }
            Step::Refuse { code, retry_at, attempts } => {
                running.call = None;
                return Err(Failed::Refused { code, retry_at, attempts });
            }
            Step::Done { ending, attempts } => {
                running.call = None;
                return Err(ended(ending, attempts, failure));
            }
        };
    }
}

fn ended<F>(ending: Ending, attempts: u32, failure: Option<F>) -> Failed<F> {
    let code = match (ending, failure) {
        (Ending::AsReported, Some(failure)) => return Failed::Upstream(failure),
        (Ending::OutcomeUnknown, cause) => return Failed::Ended { code: Code::OutcomeUnknown, attempts, cause },
        (Ending::RetriesExhausted, cause) => return Failed::Ended { code: Code::RetriesExhausted, attempts, cause },
        // Without a failure of its own: taken back at its deadline, or forgotten long after it.
        (Ending::DeadlineExceeded | Ending::AsReported, _) => Code::DeadlineExceeded,
    };
    Failed::Ended { code, attempts, cause: None }
}

fn judgement_of<H: Host>(host: &H, ended: &Result<H::Value, H::Failure>) -> Judgement {
    match ended {
        Ok(_) => Judgement::SUCCESS,
        Err(failure) => host.judge(failure),
    }
}

/// What ended, or what is due.
enum Event<T> {
    First(T),
    Second(T),
    Timer,
}

/// One attempt beside one timer, which renews the lease, asks for a second leg, and takes the attempt back at its
/// deadline: then `None`.
async fn once<H: Host>(
    host: &H,
    call: CallId,
    cx: AttemptCx,
    renew_ms: Millis,
    hedge_ms: Millis,
) -> Option<Result<H::Value, H::Failure>> {
    let mut one = pin!(host.attempt(cx));
    // None yet, of the type that it will have.
    let mut other = pin!(false.then(|| host.attempt(cx)));
    let mut is_one_out = true;
    let mut left_ms = if cx.timeout_ms == 0 { Millis::MAX } else { cx.timeout_ms };
    let mut hedge_ms = hedge_ms;
    loop {
        let delay_ms = left_ms.min(renew_ms.max(1)).min(hedge_ms);
        let mut timer = pin!(host.sleep(delay_ms));
        // Asked in this order, so an answer at the last moment counts.
        let event = poll_fn(|task| {
            if is_one_out && let Poll::Ready(ended) = one.as_mut().poll(task) {
                return Poll::Ready(Event::First(ended));
            }
            if let Some(second) = other.as_mut().as_pin_mut()
                && let Poll::Ready(ended) = second.poll(task)
            {
                return Poll::Ready(Event::Second(ended));
            }
            timer.as_mut().poll(task).map(|()| Event::Timer)
        })
        .await;
        let (ended, is_second) = match event {
            Event::First(ended) => (ended, false),
            Event::Second(ended) => (ended, true),
            Event::Timer => {
                left_ms = left_ms.saturating_sub(delay_ms);
                hedge_ms = if hedge_ms == Millis::MAX { hedge_ms } else { hedge_ms - delay_ms };
                if left_ms == 0 {
                    return None;
                }
                host.with_engine(|engine| engine.renew(call, host.now()));
                if hedge_ms == 0 {
                    hedge_ms = Millis::MAX;
                    match host.with_engine(|engine| engine.hedge(call, host.now())) {
                        HedgeAnswer::Start => other.set(Some(host.attempt(cx))),
                        HedgeAnswer::At(at) => hedge_ms = at.since(host.now()).max(1),
                        HedgeAnswer::Never => {}
                    }
                }
                continue;
            }
        };
        let are_both_out = is_one_out && other.is_some();
        let judgement = judgement_of(host, &ended);
        if !are_both_out || !host.with_engine(|engine| engine.end_leg(call, is_second, judgement, host.now())) {
            return Some(ended);
        }
        if is_second {
            other.set(None);
        } else {
            is_one_out = false;
        }
    }
}

/// What `work` gives, or `None` if `limit` ends first. Asked in this order, so an answer at the last moment counts.
async fn first<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
    mut limit: Pin<&mut impl Future<Output = ()>>,
) -> Option<T> {
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// What `work` gives, or `None` if `limit` ends first: then `work` is taken back.
pub async fn first_of<T>(work: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    first(pin!(work), pin!(limit)).await
}

/// `work`, unless it takes longer than `limit_ms`: then `None`, and `work` is taken back.
pub async fn within<H: Host, T>(host: &H, limit_ms: Millis, work: impl Future<Output = T>) -> Option<T> {
    first_of(work, host.sleep(limit_ms)).await
}

/// Ends the call when its future is dropped half way: its lease and its probe permit are free again.
struct Running<'a, H: Host> {
    host: &'a H,
    call: Option<CallId>,
}

impl<H: Host> Drop for Running<'_, H> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            let now = self.host.now();
            self.host.with_engine(|engine| engine.cancel(call, now));
        }
    }
}
