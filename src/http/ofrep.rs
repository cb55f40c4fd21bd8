//! OFREP 0.3: what a flag, or each of them, is for whoever a context is about.
//!
//! ```text
//! POST /ofrep/v1/evaluate/flags/new-checkout    {"context":{"targetingKey":"user-7","plan":"pro"}}
//! 200 {"key":"new-checkout","reason":"SPLIT","value":true,"variant":"on","metadata":{"rule":"ramp","bucket":120000,…}}
//! POST /ofrep/v1/evaluate/flags                 all of them at once, with an `ETag`
//! ```
//!
//! What is answered has the shapes of the protocol: an error of whoever asks is 400 with a code, also where other routes know a
//! finer status. An isolate that has not looked for newer orders for a while looks before it answers. Contexts are nobody's
//! business: nothing of them is logged, counted or repeated.

mod admission;
mod answers;

use serde_json::{Value, json};

use super::body::{self, Unread};
use super::call::Call;
use super::exchange::{Cx, Next};
use super::flag_context::{self, Known, TooLong};
use super::{BODY_MAX, Request, Response};
use crate::flags::context::TEXT_MAX;
use crate::flags::model::{NAME_MAX, TARGETING_KEY};
use crate::flags::{Decision, ErrorCode, Moment};
use crate::orders::follow;

pub(super) use admission::{preflight, shared};
use answers::{Answered, Writer};

const JSON: &str = "application/json";

/// Why nobody is told what a flag is.
#[derive(Debug)]
struct Failure {
    status: u16,
    code: ErrorCode,
    details: String,
}

impl Failure {
    fn of_context(code: ErrorCode, details: impl Into<String>) -> Self {
        Self { status: 400, code, details: details.into() }
    }

    fn not_ready() -> Self {
        let details =
            "No flags are known here. Order some by PUT /admin/api/orders/flags, or deploy some with the code.";
        Self { status: 500, code: ErrorCode::ProviderNotReady, details: details.to_owned() }
    }

    /// `key` is that of a single flag.
    fn response(&self, key: Option<&str>) -> Response {
        let mut body = json!({ "errorCode": self.code.text(), "errorDetails": self.details });
        if let Some(key) = key {
            body["key"] = key.into();
        }
        Response::json(self.status, JSON, &body)
    }
}

/// `POST /evaluate/flags/{key}`.
pub(super) fn one(call: &Call, cx: &mut Cx<'_>) -> Next {
    answered(call, cx, |call, cx| {
        let key = key_of(&call.rest);
        evaluated(&call.request, &key, cx).unwrap_or_else(|failure| failure.response(Some(&key)))
    })
}

/// `POST /evaluate/flags`.
pub(super) fn all(call: &Call, cx: &mut Cx<'_>) -> Next {
    answered(call, cx, |call, cx| all_evaluated(&call.request, cx).unwrap_or_else(|failure| failure.response(None)))
}

/// Answers if whoever asks may, with what is known of the orders now: an isolate that was idle has not heard of the newest.
fn answered(call: &Call, cx: &mut Cx<'_>, answer: fn(&Call, &mut Cx<'_>) -> Response) -> Next {
    let call = call.clone();
    let next = follow::begin(cx);
    let last = move |cx: &mut Cx<'_>| {
        let request = call.request.clone();
        let judged = move |admitted: Result<(), Response>, cx: &mut Cx<'_>| {
            let admitted = admitted.and_then(|()| admission::limited(cx));
            Next::Respond(admitted.map_or_else(|refused| refused, |()| answer(&call, cx)))
        };
        admission::admitted(&request, cx, Box::new(judged))
    };
    after(next, cx, Box::new(last))
}

pub(super) type Last = Box<dyn FnOnce(&mut Cx<'_>) -> Next>;

/// Goes on with `last` when work that has no response is done.
pub(super) fn after(next: Next, cx: &mut Cx<'_>, last: Last) -> Next {
    match next {
        Next::Done => last(cx),
        Next::Ask(question, then) => Next::ask(question, move |answer, cx| {
            let next = then(answer, cx);
            after(next, cx, last)
        }),
        Next::Respond(response) => Next::Respond(response),
    }
}

fn evaluated(request: &Request, key: &str, cx: &mut Cx<'_>) -> Result<Response, Failure> {
    let known = context_of(request)?;
    let is_strict = cx.monitor.settings().flags.ofrep.is_strict;
    let (now, random) = (cx.now, cx.random);
    let state = cx.monitor.flags(now);
    let moment = state.moment(now, random);
    let flags = state.flags();
    let table = flags.table();
    let mut room = flag_context::room();
    let context = flag_context::packed(table, &known, &mut room)?;
    let writer = Writer { state, moment, is_strict, is_alone: true };
    let Some(flag) = table.find(key) else {
        let alone = flags.overrides().decide_alone(key, context);
        let Some((decision, value)) = alone else {
            if !state.is_ready() {
                return Err(Failure::not_ready());
            }
            let nearest = table.nearest(key).map(|nearest| format!(" Did you mean {nearest}?")).unwrap_or_default();
            let details = format!("There is no such flag.{nearest}");
            return Err(Failure { status: 404, code: ErrorCode::FlagNotFound, details });
        };
        let body = writer.alone(key, &decision, value)?;
        cx.monitor.flags(now).exposures.count(key, "");
        return Ok(Response::new(200, JSON, body));
    };
    let decision = flags.evaluate(flag, context, moment);
    let mut body = String::new();
    match writer.write(flag, &decision, &mut body) {
        Answered::Value => {}
        Answered::Error(failure) => return Err(failure),
    }
    // All flags at once are no exposure: nobody knows which of them is looked at.
    cx.monitor.flags(now).served(flag, &decision, context);
    Ok(Response::new(200, JSON, body))
}

fn all_evaluated(request: &Request, cx: &mut Cx<'_>) -> Result<Response, Failure> {
    let known = context_of(request)?;
    let is_strict = cx.monitor.settings().flags.ofrep.is_strict;
    let (now, random) = (cx.now, cx.random);
    let state = cx.monitor.flags(now);
    if !state.is_ready() {
        return Err(Failure::not_ready());
    }
    let moment: Moment = state.moment(now, random);
    let mut room = flag_context::room();
    let context = flag_context::packed(state.flags().table(), &known, &mut room)?;
    let writer = Writer { state, moment, is_strict, is_alone: false };
    let body = writer.all(|flag| state.flags().evaluate(flag, context, moment));
    let tag = writer.tag(&body);
    let mut response = if has_tag(request, &tag) {
        Response { body: String::new(), ..Response::new(304, JSON, String::new()) }
    } else {
        Response::new(200, JSON, body)
    };
    if response.status == 304 {
        response.headers.retain(|(name, _)| *name != "content-type");
    }
    response.headers.push(("etag", tag));
    Ok(response)
}

/// Whether `If-None-Match` names the tag, or any.
fn has_tag(request: &Request, tag: &str) -> bool {
    let named = request.header("if-none-match").unwrap_or_default().split(',').map(str::trim);
    named.map(|named| named.strip_prefix("W/").unwrap_or(named)).any(|named| named == tag || named == "*")
}

/// The key that a path names: percent-decoded, and what is no UTF-8 as the sign for that.
pub(super) fn key_of(part: &str) -> String {
    let key = percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let end = key.floor_char_boundary(NAME_MAX + 1);
    key.get(..end).unwrap_or_default().to_owned()
}

/// What is known of somebody, as the body of a request says it.
fn context_of(request: &Request) -> Result<Known, Failure> {
    let value = body::read(request, BODY_MAX).map_err(|unread| match unread {
        Unread::Encoded | Unread::MediaType | Unread::NotText | Unread::Early | Unread::Malformed(_) => {
            Failure::of_context(ErrorCode::ParseError, unread.detail(BODY_MAX))
        }
        Unread::TooLong | Unread::Unusable(_) => {
            Failure::of_context(ErrorCode::InvalidContext, unread.detail(BODY_MAX))
        }
    })?;
    let missing = || {
        let details =
            "context.targetingKey is needed: the id by which users are told apart, as text that is not empty.";
        Failure::of_context(ErrorCode::TargetingKeyMissing, details)
    };
    let Value::Object(mut members) = value else {
        return Err(Failure::of_context(ErrorCode::ParseError, "The body must be an object with a context."));
    };
    let known = match members.remove("context") {
        None => return Err(missing()),
        Some(Value::Object(known)) => known,
        Some(_) => return Err(Failure::of_context(ErrorCode::InvalidContext, "context must be an object.")),
    };
    match known.get(TARGETING_KEY) {
        None => Err(missing()),
        Some(Value::String(id)) if id.is_empty() => Err(missing()),
        Some(Value::String(id)) if id.len() > TEXT_MAX => Err(TooLong(TARGETING_KEY.to_owned()).into()),
        Some(Value::String(_)) => Ok(known),
        Some(_) => {
            Err(Failure::of_context(ErrorCode::InvalidContext, "context.targetingKey must be text: put it in quotes."))
        }
    }
}

impl From<TooLong> for Failure {
    fn from(TooLong(name): TooLong) -> Self {
        let details = format!("The attribute {name:?} has more than {TEXT_MAX} bytes.");
        Self::of_context(ErrorCode::InvalidContext, details)
    }
}

impl From<&Decision> for Failure {
    fn from(decision: &Decision) -> Self {
        match decision.error {
            Some(ErrorCode::TargetingKeyMissing) => Self::of_context(
                ErrorCode::TargetingKeyMissing,
                "The flag needs an id to tell users apart, and the context has none.",
            ),
            Some(code @ (ErrorCode::InvalidContext | ErrorCode::ParseError)) => {
                Self::of_context(code, "The flag could not be evaluated.")
            }
            _ => Self::of_context(ErrorCode::General, "The flag could not be evaluated."),
        }
    }
}

#[cfg(test)]
mod tests;
