//! Work that may lose its request: callers leave, and the platform cuts off what takes too long. It then never wakes the
//! work again, which would keep all that it holds: about 2 KB for each, until the isolate ends.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use litemap::LiteMap;
use worker::worker_sys::web_sys::Request;

use super::clock;
use super::promise::AbortListener;
use crate::clock::{Instant, Millis};

/// Twice what `entry.js` gives a request, and four times what the platform gives work after the response. What still
/// waits has lost its request, in milliseconds.
const LOST_MS: Millis = 120_000;

type Work<T> = Pin<Box<dyn Future<Output = T>>>;

/// Work under way, where others than the one who awaits it can drop it.
struct Errand<T> {
    work: Cell<Option<Work<T>>>,
    waker: Cell<Option<Waker>>,
}

trait GiveUp {
    /// Drops the work and wakes the one who awaits it. While the work runs, nothing.
    fn give_up(&self);
}

impl<T> GiveUp for Errand<T> {
    fn give_up(&self) {
        if let Some(work) = self.work.take() {
            drop(work);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

/// An errand's entry in the list of those under way.
struct Entry(u64);

struct Listed {
    began_at: Instant,
    errand: Weak<dyn GiveUp>,
}

thread_local! {
    static UNDER_WAY: RefCell<LiteMap<u64, Listed>> = const { RefCell::new(LiteMap::new_vec()) };
    static LAST: Cell<u64> = const { Cell::new(0) };
}

impl Entry {
    /// Lists `errand`, and gives up the oldest that have lost their requests. Those that end by themselves have left.
    fn new(errand: Weak<dyn GiveUp>) -> Self {
        let now = clock::now();
        while let Some(lost) = UNDER_WAY.with_borrow_mut(|list| {
            let (number, oldest) = list.first()?;
            if now.since(oldest.began_at) < LOST_MS {
                return None;
            }
            let number = *number;
            list.remove(&number)
        }) {
            // After the loan: what is dropped may list nothing, but leaves the list.
            if let Some(errand) = lost.errand.upgrade() {
                errand.give_up();
            }
        }
        let number = LAST.get() + 1;
        LAST.set(number);
        UNDER_WAY.with_borrow_mut(|list| list.insert(number, Listed { began_at: now, errand }));
        Self(number)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        UNDER_WAY.with_borrow_mut(|list| list.remove(&self.0));
    }
}

/// Carries out `work` for the caller of `request`; `None` as soon as the caller has left, and `work` is dropped.
///
/// It is dropped by the request's own `abort` event, so in its own context, where it may still take back its timers and
/// fetches. The event needs the compatibility flag `enable_request_signal`; without it the work is found lost later. The
/// future that awaits this must then end: one that is only never woken again holds itself.
pub(super) async fn unless_gone<T: 'static>(request: &Request, work: impl Future<Output = T> + 'static) -> Option<T> {
    let errand = Errand::new(work);
    let heard = Rc::clone(&errand);
    let _listener = AbortListener::new(request.signal().into(), move || heard.give_up());
    errand.carried_out().await
}

/// Carries out `work`; `None` if it lost its request, which a later event finds out, and `work` is dropped then.
pub(super) async fn unless_lost<T: 'static>(work: impl Future<Output = T> + 'static) -> Option<T> {
    Errand::new(work).carried_out().await
}

impl<T: 'static> Errand<T> {
    fn new(work: impl Future<Output = T> + 'static) -> Rc<Self> {
        let work: Work<T> = Box::pin(work);
        Rc::new(Self { work: Cell::new(Some(work)), waker: Cell::default() })
    }

    async fn carried_out(self: Rc<Self>) -> Option<T> {
        let errand: Weak<Self> = Rc::downgrade(&self);
        let _entry = Entry::new(errand);
        poll_fn(|cx| {
            let Some(mut work) = self.work.take() else { return Poll::Ready(None) };
            let polled = work.as_mut().poll(cx);
            if polled.is_pending() {
                self.work.set(Some(work));
                self.waker.set(Some(cx.waker().clone()));
            }
            polled.map(Some)
        })
        .await
    }
}
