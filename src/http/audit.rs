//! The routes of the audit log.

use serde::Serialize;
use serde_json::Value;

use super::Response;
use super::call::Call;
use super::exchange::{Cx, Next};
use super::orders::unavailable;
use crate::audit::look::{self, PAGE_MAX, Wanted};

/// Records of a page if nobody says how many.
const PAGE_DEFAULT: usize = 50;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// The newest first; `null` for one that cannot be read.
    records: Vec<Value>,
    /// The `before` of the next page.
    next: Option<u64>,
    /// The number of the last record, and its digest: whoever writes both down elsewhere can tell later that nothing was
    /// changed.
    last: u64,
    sha256: String,
    first: u64,
}

/// `GET /audit?before=…&limit=…`.
pub(super) fn page(call: &Call, _: &mut Cx<'_>) -> Next {
    let wanted = number(call, "before", u64::MAX)
        .and_then(|before| Ok(Wanted { before, limit: number(call, "limit", PAGE_DEFAULT as u64)? as usize }));
    let wanted = match wanted {
        Ok(wanted) if (1..=PAGE_MAX).contains(&wanted.limit) => wanted,
        Ok(_) => return Next::Respond(invalid(&format!("limit must be 1 to {PAGE_MAX}."))),
        Err(response) => return Next::Respond(response),
    };
    look::page(wanted, |page, _| match page {
        Err(problem) => Next::Respond(unavailable(&problem)),
        Ok(page) => {
            let read =
                |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            let (last, sha256, first) =
                page.head.map_or((0, String::new(), 0), |head| (head.seq, head.sha256, head.first));
            let records = page.records.into_iter().map(|(_, text)| read(text)).collect();
            Next::Respond(Response::json(
                200,
                "application/json",
                &Page { records, next: page.next, last, sha256, first },
            ))
        }
    })
}

/// `GET /audit/verify?from=…`.
pub(super) fn verify(call: &Call, _: &mut Cx<'_>) -> Next {
    match number(call, "from", 1) {
        Err(response) => Next::Respond(response),
        Ok(from) => look::verify(from, |verified, _| match verified {
            Ok(verified) => Next::Respond(Response::json(200, "application/json", &verified)),
            Err(problem) => Next::Respond(unavailable(&problem)),
        }),
    }
}

/// A whole number of the query.
fn number(call: &Call, name: &str, default: u64) -> Result<u64, Response> {
    let value = call.request.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let Some(text) = value else { return Ok(default) };
    let is_number = !text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(|| invalid(&format!("{name} must be a whole number of at most 16 digits.")))
}

fn invalid(detail: &str) -> Response {
    Response::problem(400, "QUERY_INVALID", "Unusable query", detail)
}
