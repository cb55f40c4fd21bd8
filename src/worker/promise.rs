//! Promises, timers and events of the platform, awaited so that nothing is left of them when nobody waits any more.
//!
//! `JsFuture` belongs to its promise: dropped early, its closures stay until the promise settles, and on Workers a
//! promise whose request has ended never does. Each then keeps about 110 bytes and two JavaScript functions, until the
//! isolate ends. Here the one who waits owns a [`Place`], and JavaScript knows only its number: a number that comes in
//! late, or never, names a place that is gone, and changes nothing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use litemap::LiteMap;
use worker::js_sys::{Array, Function, Reflect};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};

use crate::clock::Millis;

/// What is told to a place, and whether it is what was hoped for.
type Told = (bool, JsValue);

/// What happens when a place is told something.
enum Listener {
    /// It is kept for whoever asks, and wakes it.
    Kept(Option<Told>, Option<Waker>),
    /// This is called, once.
    Called(Box<dyn FnOnce()>),
}

thread_local! {
    static LISTENERS: RefCell<LiteMap<u32, Listener>> = const { RefCell::new(LiteMap::new_vec()) };
    static LAST: Cell<u32> = const { Cell::new(0) };
    /// The one function that JavaScript calls; each place binds its own number to it.
    static TELL: Closure<dyn Fn(u32, bool, JsValue)> = Closure::new(tell);
}

fn tell(number: u32, is_ok: bool, value: JsValue) {
    // Taken out and carried out afterwards: what is called or dropped may ask for places of its own.
    let heard = LISTENERS.with_borrow_mut(|listeners| match listeners.get_mut(&number)? {
        Listener::Kept(told, waker) => {
            told.get_or_insert((is_ok, value));
            Some(Listener::Kept(None, waker.take()))
        }
        Listener::Called(_) => listeners.remove(&number),
    });
    match heard {
        Some(Listener::Kept(_, Some(waker))) => waker.wake(),
        Some(Listener::Called(call)) => call(),
        _ => {}
    }
}

/// A place at which one thing can be told, for as long as it lives.
struct Place(u32);

impl Place {
    fn new(listener: Listener) -> Self {
        // It takes the numbers months to come round, and what would be told by then has an owner no longer.
        let number = LAST.get().wrapping_add(1);
        LAST.set(number);
        LISTENERS.with_borrow_mut(|listeners| listeners.insert(number, listener));
        Self(number)
    }

    fn kept() -> Self {
        Self::new(Listener::Kept(None, None))
    }

    /// A JavaScript function that tells this place its first argument.
    fn function(&self, is_ok: bool) -> Result<JsValue, JsValue> {
        TELL.with(|tell| {
            let tell = tell.as_ref();
            let bound = Array::of3(&JsValue::UNDEFINED, &self.0.into(), &is_ok.into());
            method(tell, "bind")?.apply(tell, &bound)
        })
    }

    async fn told(&self) -> Result<JsValue, JsValue> {
        let (is_ok, value) = poll_fn(|cx| {
            LISTENERS.with_borrow_mut(|listeners| match listeners.get_mut(&self.0) {
                Some(Listener::Kept(told, waker)) => match told.take() {
                    Some(told) => Poll::Ready(told),
                    None => {
                        *waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                },
                _ => Poll::Ready((false, JsValue::UNDEFINED)),
            })
        })
        .await;
        if is_ok { Ok(value) } else { Err(value) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Dropped after the loan: it may own what has places of its own.
        drop(LISTENERS.with_borrow_mut(|listeners| listeners.remove(&self.0)));
    }
}

/// What `promise` comes to. Dropping the future forgets the promise, which goes on.
pub(super) async fn settled(promise: JsValue) -> Result<JsValue, JsValue> {
    let place = Place::kept();
    call(&promise, "then", &[&place.function(true)?, &place.function(false)?])?;
    place.told().await
}

/// Ends after `ms`, at most 2^31 - 1, on a timer of the request that awaits it. Dropping the future clears the timer.
pub(super) async fn timer(ms: Millis) -> Result<(), JsValue> {
    struct Timer(JsValue);
    impl Drop for Timer {
        fn drop(&mut self) {
            // A timer of another request is not there to be cleared, and would tell a place that is gone.
            _ = call(&worker::js_sys::global(), "clearTimeout", &[&self.0]);
        }
    }
    let place = Place::kept();
    let global = worker::js_sys::global();
    let _timer = Timer(call(&global, "setTimeout", &[&place.function(true)?, &JsValue::from(ms as f64)])?);
    place.told().await.map(drop)
}

/// Listens for the `abort` event of `signal` for as long as it lives.
pub(super) struct AbortListener {
    signal: JsValue,
    function: JsValue,
    _place: Place,
}

impl AbortListener {
    /// Calls `heard` at the event, within it. A signal that cannot be listened to is never heard.
    pub(super) fn new(signal: JsValue, heard: impl FnOnce() + 'static) -> Result<Self, JsValue> {
        let place = Place::new(Listener::Called(Box::new(heard)));
        let function = place.function(true)?;
        call(&signal, "addEventListener", &[&"abort".into(), &function])?;
        Ok(Self { signal, function, _place: place })
    }
}

impl Drop for AbortListener {
    fn drop(&mut self) {
        _ = call(&self.signal, "removeEventListener", &[&"abort".into(), &self.function]);
    }
}

/// Calls a method, whatever the object is.
///
/// # Errors
///
/// What it threw, or that there is no such method. Each throw costs one handle for ever: what an import of wasm-bindgen
/// has returned beside an exception is never freed. So ask first where something may be missing.
pub(super) fn call(object: &JsValue, name: &str, arguments: &[&JsValue]) -> Result<JsValue, JsValue> {
    let list = Array::new();
    for argument in arguments {
        list.push(argument);
    }
    method(object, name)?.apply(object, &list)
}

fn method(object: &JsValue, name: &str) -> Result<Function, JsValue> {
    Reflect::get(object, &name.into())?.dyn_into()
}
