//! Time and chance, from the platform. The only file that reads either.

use worker::js_sys::{self, Date, Math, Reflect, Uint8Array};

use super::promise;
use crate::clock::{Instant, Millis};

/// A timer overflows beyond this, in milliseconds.
const TIMER_MAX_MS: Millis = i32::MAX as Millis;

/// The time. On Workers it stands still between two I/O operations.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
pub(super) fn now() -> Instant {
    Instant::from_host(Date::now()).unwrap_or_default()
}

/// Ends after `ms`, on a timer of the request that awaits it.
pub(super) async fn sleep(ms: Millis) {
    // Without a timer, which no platform lacks, there is nothing to wait for.
    _ = promise::timer(ms.min(TIMER_MAX_MS)).await;
}

/// A seed that differs between isolates. For jitter, not for secrets.
#[expect(clippy::disallowed_methods, reason = "the one place that asks for chance")]
pub(super) fn seed() -> u64 {
    const SPAN: f64 = 4_294_967_296.0;
    let bits = || (Math::random() * SPAN) as u64;
    bits() << 32 | bits()
}

/// Chance that is fit for secrets: `crypto.getRandomValues`. `None` where the platform has none.
pub(super) fn secret<const BYTES: usize>() -> Option<[u8; BYTES]> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into()).ok()?;
    let bytes = Uint8Array::new_with_length(u32::try_from(BYTES).ok()?);
    promise::call(&crypto, "getRandomValues", &[&bytes]).ok()?;
    bytes.to_vec().try_into().ok()
}
