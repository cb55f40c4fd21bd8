//! Idempotency keys: a write that is sent again with the key of the first does nothing, and gets the answer of the first.
//!
//! `Idempotency-Key: <1 to 128 visible ASCII characters>`. What was answered is written in the same step as the change itself,
//! so there is no time at which the one is there without the other. Keys are kept for a day at least, and belong to who sent
//! them. A key that comes again with another request is refused.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::exchange::{Answer, Change, Cx, Next, Question};
use super::orders::{failure, unavailable};
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
        other => Next::Respond(unavailable(&failure(other))),
    })
}

fn response_of(key: &Key, text: &str) -> Response {
    match serde_json::from_str::<Answered>(text) {
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
        Err(_) => {
            let detail = "What is kept under this Idempotency-Key is damaged. Nothing was changed: take a new key.";
            Response::problem(409, "IDEMPOTENCY_KEY_DAMAGED", "Damaged idempotency key", detail)
        }
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
