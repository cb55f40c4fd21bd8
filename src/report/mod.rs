//! What happened, for people and machines: counts notes and renders them. Measures nothing itself.

pub mod facts;
pub mod flags;
pub mod health;
pub mod health_json;
pub mod overview;
pub mod probe;
pub mod score;
pub mod status;
pub mod timestamp;

use serde::Serializer;

/// Writes 30 and not 30.0.
pub(crate) fn short_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}
