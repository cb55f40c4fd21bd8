//! Scenarios of kind `bulkhead`.

use seawall::clock::Instant;

use super::script::Fields;
use super::{Misfit, Subject};

/// The subject of one scenario.
pub(crate) fn subject(_config: &Fields, _start: Instant) -> Result<Box<dyn Subject>, Misfit> {
    Err(Misfit::unknown("kind", "bulkhead"))
}
