//! Callers who leave. The runtime then drops their request and never wakes its future again, which would keep all that
//! it holds: about 2 KB for each, until the isolate ends.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use worker::wasm_bindgen::JsCast;
use worker::wasm_bindgen::closure::Closure;
use worker::worker_sys::web_sys::{AbortSignal, Request};

type Work<T> = Pin<Box<dyn Future<Output = T>>>;

/// Carries out `work` for the caller of `request`; `None` as soon as the caller has left, and `work` is dropped.
///
/// It is dropped by the request's own `abort` event, so in its own context, where it may still take back its timers and
/// fetches. The event needs the compatibility flag `enable_request_signal`. The future that awaits this must then end:
/// one that is only never woken again holds itself.
pub(super) async fn unless_gone<T: 'static>(request: &Request, work: impl Future<Output = T> + 'static) -> Option<T> {
    let work: Work<T> = Box::pin(work);
    let place = Rc::new(Cell::new(Some(work)));
    let waker: Rc<Cell<Option<Waker>>> = Rc::default();
    let _ear = Ear::new(request.signal(), {
        let (place, waker) = (Rc::clone(&place), Rc::clone(&waker));
        move || {
            drop(place.take());
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    });
    poll_fn(|cx| {
        let Some(mut work) = place.take() else { return Poll::Ready(None) };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            place.set(Some(work));
            waker.set(Some(cx.waker().clone()));
        }
        polled.map(Some)
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
