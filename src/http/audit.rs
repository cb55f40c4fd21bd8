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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access;
    use crate::audit::fake::{Host, operated, request};
    use crate::audit::{HEAD_KEY, key};

    fn operator(records: usize) -> Host {
        let mut host = operated(access::Settings { kills_per_minute: 1_000, ..access::Settings::default() });
        for number in 0..records {
            let body = format!(r#"{{"reason":"number {number}"}}"#);
            assert_eq!(host.ask(&request("POST", "/kill", &[], &body)).status, 200);
        }
        host
    }

    fn asked(host: &mut Host, path: &str) -> (u16, Value) {
        let response = host.ask(&request("GET", path, &[], ""));
        (response.status, serde_json::from_str(&response.body).unwrap())
    }

    fn seqs(page: &Value) -> Vec<u64> {
        page["records"].as_array().unwrap().iter().filter_map(|record| record["seq"].as_u64()).collect()
    }

    #[test]
    fn pages_are_read_from_the_newest_to_the_oldest() {
        let mut host = operator(7);
        let (_, first) = asked(&mut host, "/audit?limit=3");
        assert_eq!((seqs(&first), &first["next"], &first["last"]), (vec![7, 6, 5], &Value::from(5), &Value::from(7)));
        let (_, last) = asked(&mut host, "/audit?before=2&limit=3");
        assert_eq!((seqs(&last), &last["next"]), (vec![1], &Value::Null));
        assert_eq!(seqs(&asked(&mut host, "/audit").1), [7, 6, 5, 4, 3, 2, 1]);
    }

    /// Where there is nothing to read, no store is asked for nothing, which it refuses.
    #[test]
    fn what_is_before_the_first_or_beyond_the_last_is_empty() {
        let mut host = operator(3);
        for path in ["/audit?before=0", "/audit?before=1"] {
            let (status, page) = asked(&mut host, path);
            assert_eq!((status, seqs(&page), &page["next"]), (200, vec![], &Value::Null), "{path}");
        }
        for from in ["4", "5", "9007199254740991"] {
            let (status, verified) = asked(&mut host, &format!("/audit/verify?from={from}"));
            assert_eq!((status, &verified["records"]), (200, &Value::from(0)), "{from}");
            assert_eq!((&verified["isWhole"], &verified["next"]), (&Value::from(true), &Value::Null), "{from}");
        }
        assert_eq!(asked(&mut host, "/audit/verify?from=3").1["records"], 1);
        assert_eq!(asked(&mut operator(0), "/audit").0, 200);
        assert_eq!(asked(&mut operator(0), "/audit/verify?from=7").1["isWhole"], true);
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let mut host = operator(1);
        for wrong in ["-1", "1e3", "", "1.5", "+1", "0x1", "%31", "12345678901234567890", "9007199254740992", "a"] {
            for path in ["/audit?before=", "/audit?limit=", "/audit/verify?from="] {
                let (status, problem) = asked(&mut host, &format!("{path}{wrong}"));
                assert_eq!((status, &problem["code"]), (400, &Value::from("QUERY_INVALID")), "{path}{wrong}");
            }
        }
        for path in ["/audit?limit=0", "/audit?limit=101"] {
            assert_eq!(asked(&mut host, path).0, 400, "{path}");
        }
    }

    /// H104: what the log looks like after somebody changed it is told, and no page fails.
    #[test]
    fn a_log_that_was_tampered_with_is_told_of() {
        let mut host = operator(3);
        let whole = host.strong.clone();
        host.strong.insert(key(2), "{}".to_owned());
        assert_eq!(asked(&mut host, "/audit/verify").1["broken"]["seq"], 2);
        host.strong.insert(key(2), "no record".to_owned());
        assert_eq!(asked(&mut host, "/audit").1["records"][1], Value::Null);
        for damaged in ["", "{}", &whole[HEAD_KEY].replace("\"schema\":1", "\"schema\":2")] {
            host.strong.insert(HEAD_KEY.to_owned(), damaged.to_owned());
            let (status, verified) = asked(&mut host, "/audit/verify");
            assert_eq!((status, &verified["isWhole"]), (200, &Value::from(false)), "{damaged}");
            assert_eq!(verified["broken"]["problem"], "the head is damaged");
        }
    }
}
