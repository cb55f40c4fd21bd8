//! The routes of the audit log.

use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use super::exchange::{Cx, Next};
use super::orders::unavailable;
use super::{Response, query};
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
    let wanted = query::number(call, "before", u64::MAX)
        .and_then(|before| Ok(Wanted { before, limit: query::limit(call, PAGE_DEFAULT, PAGE_MAX)? }));
    let wanted = match wanted {
        Ok(wanted) => wanted,
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
    match query::number(call, "from", 1) {
        Err(response) => Next::Respond(response),
        Ok(from) => look::verify(from, |verified, _| match verified {
            Ok(verified) => Next::Respond(Response::json(200, "application/json", &verified)),
            Err(problem) => Next::Respond(unavailable(&problem)),
        }),
    }
}
