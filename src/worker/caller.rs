//! Callers who leave. The runtime then drops their request and never wakes its future again, which would keep all that
//! it holds: about 2 KB for each, until the isolate ends.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use worker::wasm_bindgen::JsCast;
use worker::wasm_bindgen::closure::Closure;
use worker::worker_sys::web_sys::{AbortSignal, Request};

type Work<T> = Pin<Box<dyn Future<Output = T>>>;

/// Carries out `work` for the caller of `request`, and drops it at once when the caller leaves: then this never ends.
///
/// It is dropped by the request's own `abort` event, so in its own context, where it may still take back its timers and
/// fetches. The event needs the compatibility flag `enable_request_signal`.
pub(super) async fn unless_gone<T: 'static>(request: &Request, work: impl Future<Output = T> + 'static) -> T {
    let work: Work<T> = Box::pin(work);
    let place = Rc::new(Cell::new(Some(work)));
    let _ear = Ear::new(request.signal(), {
        let place = Rc::clone(&place);
        move || drop(place.take())
    });
    poll_fn(|cx| {
        let Some(mut work) = place.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            place.set(Some(work));
        }
        polled
    })
    .await
}

/// Listens for the end of a request for as long as it lives.
struct Ear {
    signal: AbortSignal,
    closure: Closure<dyn FnMut()>,
}

impl Ear {
    fn new(signal: AbortSignal, heard: impl FnMut() + 'static) -> Self {
        let closure = Closure::wrap(Box::new(heard) as Box<dyn FnMut()>);
        _ = signal.add_event_listener_with_callback("abort", closure.as_ref().unchecked_ref());
        Self { signal, closure }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        _ = self.signal.remove_event_listener_with_callback("abort", self.closure.as_ref().unchecked_ref());
    }
}
