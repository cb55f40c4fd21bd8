//! How long things may take at most, from the settings alone.

use crate::fleet::clock::Ms;

/// Between two probe windows at most: `recoveryTimeoutMax` of the fleet with its jitter, in milliseconds.
pub(crate) const WINDOW_MS: Ms = 16_500;
/// How long a rising share of calls is admitted, in milliseconds.
pub(crate) const RAMP_MS: Ms = 2_000;
/// An isolate whose hints nobody renews probes this often by itself, in milliseconds: half the life of a hint.
pub(crate) const ALONE_MS: Ms = 150_000;
/// A call that nobody answers lasts this long, in milliseconds.
pub(crate) const CALL_MS: Ms = 15_000;

/// When everybody is back at the latest, after the database is, if a write is seen by others after `staleness_ms` at
/// the latest; in milliseconds.
///
/// The last probe that fails may begin just before the database is back; then a window passes, its probes succeed, the
/// close is written and read.
pub(crate) const fn everybody_back_ms(staleness_ms: Ms) -> Ms {
    CALL_MS + WINDOW_MS + 2 * staleness_ms + RAMP_MS
}

/// The same when nobody can tell anybody.
pub(crate) const fn everybody_back_alone_ms() -> Ms {
    CALL_MS + 2 * ALONE_MS + WINDOW_MS + RAMP_MS
}
