//! Idempotency keys: a write that is sent again with the key of the first does nothing, and gets the answer of the first.
//!
//! `Idempotency-Key: <1 to 128 visible ASCII characters>`. What was answered is written in the same step as the change itself,
//! so there is no time at which the one is there without the other. Keys are kept for a day at least, and belong to who sent
//! them. A key that comes again with another request is refused.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::exchange::{Answer, Change, Cx, Next, Question};
use super::orders::unavailable;
use super::{Request, Response};
use crate::audit::sha256;
use crate::clock::{Instant, Millis};

const DAY_MS: Millis = 86_400_000;
/// Longest key, in bytes.
const KEY_MAX: usize = 128;
/// Old keys are looked for so often at most, in milliseconds.
const FORGET_INTERVAL_MS: Millis = 3_600_000;
/// Most keys that are forgotten at a time.
const FORGOTTEN_MAX: usize = super::exchange::CHANGES_MAX;
/// An answer up to here is kept, in bytes. Of a longer one it is kept that it was given.
const KEPT_MAX: usize = 200_000;
const PREFIX: &str = "idempotency/";

/// A request's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Of who sent it and the key.
    digest: String,
    /// Of what was sent.
    fingerprint: String,
}

/// What was answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answered {
    fingerprint: String,
    status: u16,
    content_type: String,
    etag: Option<String>,
    body: String,
}

/// When old keys were last looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetting {
    looked_at: Option<Instant>,
}

fn place(digest: &str, day: u64) -> String {
    format!("{PREFIX}{day:08}/{digest}")
}

/// The key of a request, if it has one.
///
/// # Errors
///
/// The response that refuses it.
pub(super) fn key_of(call: &Call) -> Result<Option<Key>, Response> {
    let Request { method, path, query, body, .. } = &call.request;
    let Some(key) = call.request.header("idempotency-key") else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("Idempotency-Key has 1 to {KEY_MAX} visible ASCII characters.");
        return Err(Response::problem(400, "IDEMPOTENCY_KEY_MALFORMED", "Malformed idempotency key", &detail));
    }
    let if_match = call.request.header("if-match").unwrap_or_default();
    let digest = sha256(&[&call.principal.name, "\n", key].concat());
    let fingerprint = sha256(&[method, "\n", path, "\n", query, "\n", if_match, "\n", body].concat());
    Ok(Some(Key { digest, fingerprint }))
}

/// Answers as before if this was answered before; else goes on.
pub(super) fn replayed(call: Call, now: Instant, then: impl FnOnce(Call, &mut Cx<'_>) -> Next + 'static) -> Next {
    let key = call.idempotency.clone();
    let today = now.0 / DAY_MS;
    // Clocks of isolates may differ by the hour at which a day ends.
    let digest = key.as_ref().map_or("", |key| &key.digest);
    let keys = [today.saturating_sub(1), today, today + 1].map(|day| place(digest, day)).to_vec();
    Next::ask(Question::ReadAll { keys }, move |answer, cx| match answer {
        Answer::Texts(texts) => match key.zip(texts.into_iter().flatten().next()) {
            Some((key, text)) => Next::Respond(response_of(&key, &text)),
            None => then(call, cx),
        },
        other => Next::Respond(unavailable(&other.problem())),
    })
}

fn response_of(key: &Key, text: &str) -> Response {
    match serde_json::from_str::<Answered>(text) {
        Ok(answered) if !answered.is_sound() => damaged(),
        Ok(answered) if answered.fingerprint == key.fingerprint => {
            let mut response = Response::new(answered.status, &answered.content_type, answered.body);
            response.headers.extend(answered.etag.map(|etag| ("etag", etag)));
            response.headers.push(("idempotency-replayed", "true".to_owned()));
            response
        }
        Ok(_) => {
            let detail = "This Idempotency-Key was sent with another request. Nothing was changed: take a new key.";
            Response::problem(422, "IDEMPOTENCY_KEY_REUSED", "Idempotency key reused", detail)
        }
        Err(_) => damaged(),
    }
}

fn damaged() -> Response {
    let detail = "What is kept under this Idempotency-Key is damaged. Nothing was changed: take a new key.";
    Response::problem(409, "IDEMPOTENCY_KEY_DAMAGED", "Damaged idempotency key", detail)
}

impl Answered {
    /// Whether a host can send it: it was kept elsewhere meanwhile.
    fn is_sound(&self) -> bool {
        let is_plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        (200..500).contains(&self.status) && is_plain(&self.content_type) && self.etag.as_deref().is_none_or(is_plain)
    }
}

/// What writes down that this was answered.
pub(super) fn change(key: &Key, response: &Response, now: Instant) -> Change {
    let told = Response::problem(
        409,
        "ANSWER_NOT_KEPT",
        "Answer not kept",
        "This was done before, and its answer was too long to be kept. Read what is there.",
    );
    let response = if response.body.len() <= KEPT_MAX { response } else { &told };
    let header = |name: &str| response.header(name).map(str::to_owned);
    let answered = Answered {
        fingerprint: key.fingerprint.clone(),
        status: response.status,
        content_type: header("content-type").unwrap_or_default(),
        etag: header("etag"),
        body: response.body.clone(),
    };
    let text = serde_json::to_string(&answered).unwrap_or_default();
    Change { key: place(&key.digest, now.0 / DAY_MS), expected: None, text: Some(text) }
}

/// Background work: forgets keys from before yesterday, if it is time to.
pub fn forget(cx: &mut Cx<'_>) -> Next {
    let forgetting = cx.monitor.forgetting_mut();
    if forgetting.looked_at.is_some_and(|at| at <= cx.now && cx.now.since(at) < FORGET_INTERVAL_MS) {
        return Next::Done;
    }
    forgetting.looked_at = Some(cx.now);
    Next::ask(Question::List { prefix: PREFIX.to_owned() }, |answer, cx| {
        let Answer::Keys(mut keys) = answer else { return Next::Done };
        let oldest = place("", (cx.now.0 / DAY_MS).saturating_sub(1));
        keys.retain(|key| *key < oldest);
        keys.truncate(FORGOTTEN_MAX);
        if keys.is_empty() {
            return Next::Done;
        }
        Next::ask(Question::ReadAll { keys: keys.clone() }, move |answer, _| {
            let Answer::Texts(texts) = answer else { return Next::Done };
            let changes: Vec<Change> = keys
                .into_iter()
                .zip(texts)
                .filter(|(_, text)| text.is_some())
                .map(|(key, expected)| Change { key, expected, text: None })
                .collect();
            if changes.is_empty() { Next::Done } else { Next::ask(Question::Swap { changes }, |_, _| Next::Done) }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access;
    use crate::audit::fake::{Fault, Host, operated, request};

    const RESET: &str = r#"{"reason":"a test"}"#;

    fn operator() -> Host {
        operated(access::Settings::default())
    }

    fn reset(host: &mut Host, key: &str, body: &str) -> Response {
        host.ask(&request("POST", "/circuits/primary/reset", &[("idempotency-key", key)], body))
    }

    fn records(host: &Host) -> usize {
        host.strong.keys().filter(|key| crate::audit::seq_of(key).is_some()).count()
    }

    fn code(response: &Response) -> (u16, String) {
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        (response.status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_sent_again_is_answered_as_before_and_done_once() {
        let mut host = operator();
        let first = reset(&mut host, "one", RESET);
        for hours in [0, 1, 23] {
            host.now += hours * 3_600_000;
            let again = reset(&mut host, "one", RESET);
            assert_eq!((again.status, &again.body, again.header("etag")), (200, &first.body, Some("\"1\"")));
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
        }
        assert_eq!((first.header("idempotency-replayed"), records(&host)), (None, 1));
        assert_eq!(reset(&mut host, "two", RESET).header("etag"), Some("\"2\""));
    }

    #[test]
    fn a_key_that_comes_with_another_request_is_refused() {
        let mut host = operator();
        reset(&mut host, "one", RESET);
        let reused = (422, "IDEMPOTENCY_KEY_REUSED".to_owned());
        assert_eq!(code(&reset(&mut host, "one", r#"{"reason":"another"}"#)), reused);
        let key = [("idempotency-key", "one")];
        for request in [
            request("POST", "/circuits/primary/release", &key, RESET),
            request("POST", "/circuits/primary/reset?a", &key, RESET),
            request("POST", "/circuits/primary/reset", &[key[0], ("if-match", "*")], RESET),
        ] {
            assert_eq!(code(&host.ask(&request)), reused);
        }
        assert_eq!(records(&host), 1);
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let mut host = operator();
        let long = "k".repeat(KEY_MAX + 1);
        for key in ["", " ", "a b", "a\tb", "é", "a\u{7f}", "a\0", "a, b", &long] {
            assert_eq!(code(&reset(&mut host, key, RESET)), (400, "IDEMPOTENCY_KEY_MALFORMED".to_owned()), "{key:?}");
        }
        for key in ["k".repeat(KEY_MAX).as_str(), "../../audit/head", "__proto__", "\"quoted\"", "%00", "a,b"] {
            assert_eq!(reset(&mut host, key, RESET).status, 200, "{key:?}");
        }
    }

    #[test]
    fn what_was_refused_is_not_kept() {
        let mut host = operator();
        assert_eq!(reset(&mut host, "one", "{}").status, 422);
        assert_eq!(reset(&mut host, "one", RESET).status, 200);
    }

    /// Wherever the isolate dies, or whatever answer gets lost: sent again, it is done once.
    #[test]
    fn a_request_that_was_lost_anywhere_is_done_once() {
        for fault in [Fault::Died, Fault::Refused, Fault::Lost] {
            for at in 0..10 {
                let mut host = operator();
                host.fault = Some((at, fault));
                let key = [("idempotency-key", "one")];
                let sent = request("POST", "/circuits/primary/reset", &key, RESET);
                host.carry_out(|cx| super::super::routes::begin(&sent, cx));
                host.fault = None;
                let again = host.ask(&sent);
                assert_eq!((again.status, again.header("etag")), (200, Some("\"1\"")), "{fault:?} at {at}");
                assert_eq!(records(&host), 1, "{fault:?} at {at}");
            }
        }
    }

    /// H104: what somebody changed in the store is not sent on.
    #[test]
    fn an_answer_that_was_tampered_with_is_not_given() {
        let mut host = operator();
        reset(&mut host, "one", RESET);
        let kept = host.strong.iter().find(|(key, _)| key.starts_with(PREFIX)).unwrap();
        let (key, kept) = (kept.0.clone(), kept.1.clone());
        for (part, wrong) in [
            ("\"status\":200", "\"status\":9999"),
            ("\"status\":200", "\"status\":500"),
            ("\"status\":200", "\"status\":101"),
            ("application/json", "a\\nset-cookie: b"),
            ("\"status\":200", "\"status\":200,\"more\":1"),
            (kept.as_str(), ""),
        ] {
            host.strong.insert(key.clone(), kept.replace(part, wrong));
            assert_eq!(code(&reset(&mut host, "one", RESET)), (409, "IDEMPOTENCY_KEY_DAMAGED".to_owned()), "{wrong}");
        }
        assert_eq!(records(&host), 1);
    }

    #[test]
    fn keys_from_before_yesterday_are_forgotten_and_others_are_not() {
        let mut host = operator();
        reset(&mut host, "old", RESET);
        host.now += 2 * DAY_MS;
        reset(&mut host, "new", RESET);
        let kept = |host: &Host| host.strong.keys().filter(|key| key.starts_with(PREFIX)).count();
        assert_eq!(kept(&host), 2);
        host.carry_out(forget);
        assert_eq!(kept(&host), 1);
        assert_eq!(reset(&mut host, "new", RESET).header("idempotency-replayed"), Some("true"));
        // Once an hour.
        host.now += 2 * DAY_MS;
        host.carry_out(forget);
        assert_eq!(kept(&host), 0);
        reset(&mut host, "third", RESET);
        host.now += FORGET_INTERVAL_MS - 1;
        host.carry_out(forget);
        assert_eq!(host.asked, 0);
    }
}
