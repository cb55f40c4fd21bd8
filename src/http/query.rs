//! What stands in the query of a request.

use super::Response;
use super::call::Call;
use crate::orders::json::NUMBER_MAX;

/// The value of a name, as it was sent.
///
/// # Errors
///
/// The response that refuses a name that stands there twice: nobody can know which is meant.
pub(super) fn text<'a>(call: &'a Call, name: &str) -> Result<Option<&'a str>, Response> {
    let pairs = call.request.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(invalid(&format!("{name} stands there twice."))),
        (value, None) => Ok(value),
    }
}

/// A whole number, `default` if nothing is said.
///
/// # Errors
///
/// The response that refuses it.
pub(super) fn number(call: &Call, name: &str, default: u64) -> Result<u64, Response> {
    let Some(text) = text(call, name)? else { return Ok(default) };
    let is_number = !text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| is_number && *number <= NUMBER_MAX)
        .ok_or_else(|| invalid(&format!("{name} must be a whole number of at most {NUMBER_MAX}.")))
}

/// `limit`: how many of a list are wanted, 1 to `max`.
///
/// # Errors
///
/// The response that refuses it.
pub(super) fn limit(call: &Call, default: usize, max: usize) -> Result<usize, Response> {
    match number(call, "limit", default as u64)? as usize {
        limit if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(invalid(&format!("limit must be 1 to {max}."))),
    }
}

pub(super) fn invalid(detail: &str) -> Response {
    Response::problem(400, "QUERY_INVALID", "Unusable query", detail)
}
