//! Reaches the database: one POST of one pipeline. The token goes into its header and nowhere else. And reaches others, of
//! whose answer nothing but its head is read.

use worker::js_sys::{self, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys::{self, AbortController};
use worker::{Headers, Method, Request, RequestInit, RequestRedirect};

use super::body;
use super::promise::{call, settled};
use crate::config::address::Address;
use crate::hrana::proto::{PipelineRequest, PipelineResponse, StreamResult, Version};
use crate::hrana::{decode, encode};
use crate::http::BODY_MAX;
use crate::http::exchange::Outgoing;

/// What is known of a failed request; `outcome::judge` takes it. It holds no text of the server, which may quote
/// statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The HTTP status, or 0 without an answer.
    pub(super) status: u16,
    /// The code in the body, or the transport's own.
    pub(super) code: String,
    /// Whether it may have reached the server.
    pub(super) was_sent: bool,
}

impl Failure {
    fn new(status: u16, code: impl Into<String>, was_sent: bool) -> Self {
        Self { status, code: code.into(), was_sent }
    }
}

/// Sends a pipeline once, with these headers beside its own; dropping the future takes the request back.
///
/// An error of the first request in the pipeline is a [`Failure`] with the server's code. Redirects are not
/// followed, so that the token cannot follow them.
pub(super) async fn send(
    address: &Address,
    token: Option<&str>,
    pipeline: &PipelineRequest,
    more_headers: &[(&'static str, String)],
) -> Result<PipelineResponse, Failure> {
    let request =
        request(address, token, pipeline, more_headers).map_err(|_| Failure::new(0, "REQUEST_INVALID", false))?;
    let abort = AbortOnDrop::new().map_err(|_| Failure::new(0, "ABORTED", false))?;
    // The runtime does not say whether the connection was refused or lost, so the worse is assumed.
    let fetched = abort.fetch(&request).map_err(|_| Failure::new(0, "CONNECTION_LOST", true))?;
    let response = settled(fetched).await.map_err(|_| Failure::new(0, "CONNECTION_LOST", true))?;
    let lost = |_| Failure::new(status_of(&response), "BODY_LOST", true);
    let text =
        settled(call(&response, "text", &[]).map_err(lost)?).await.map_err(lost)?.as_string().unwrap_or_default();
    let status = status_of(&response);
    abort.disarm();
    if !(200..300).contains(&status) {
        let code = decode::error_body(&text).code.unwrap_or_default();
        return Err(Failure::new(status, code, true));
    }
    let answer = decode::pipeline_response(&text).map_err(|_| Failure::new(status, "BAD_RESPONSE", true))?;
    match answer.results.first() {
        Some(StreamResult::Ok { .. }) => Ok(answer),
        Some(StreamResult::Error { error }) => Err(Failure::new(status, error.code.clone().unwrap_or_default(), true)),
        None => Err(Failure::new(status, "BAD_RESPONSE", true)),
    }
}

/// Sends a request to somebody else; its status and its `retry-after`, or `None` without an answer.
///
/// Redirects are not followed, and no body is read: dropping the future, at the latest at the end, takes the request back.
pub(super) async fn deliver<Name: AsRef<str>>(outgoing: &Outgoing<Name>) -> Option<(u16, Option<String>)> {
    let request = outgoing_request(outgoing).ok()?;
    let abort = AbortOnDrop::new().ok()?;
    let response = settled(abort.fetch(&request).ok()?).await.ok()?;
    let headers = Reflect::get(&response, &"headers".into()).ok()?;
    let retry_after = call(&headers, "get", &[&"retry-after".into()]).ok().and_then(|value| value.as_string());
    Some((status_of(&response), retry_after))
}

/// Loads the text at an address; `None` unless it answers with 200 and no more than a request's body may have.
pub(super) async fn load(url: &str) -> Option<String> {
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init).ok()?;
    let abort = AbortOnDrop::new().ok()?;
    let response = settled(abort.fetch(&request).ok()?).await.ok()?;
    if status_of(&response) != 200 {
        return None;
    }
    body::read(&response, BODY_MAX).await.ok()
}

fn outgoing_request<Name: AsRef<str>>(outgoing: &Outgoing<Name>) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in &outgoing.headers {
        headers.set(name.as_ref(), value)?;
    }
    let mut init = RequestInit::new();
    let body = (!outgoing.body.is_empty()).then(|| outgoing.body.as_str().into());
    init.with_method(Method::from(outgoing.method.to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(body);
    Request::new_with_init(&outgoing.url, &init)
}

fn request(
    address: &Address,
    token: Option<&str>,
    pipeline: &PipelineRequest,
    more_headers: &[(&'static str, String)],
) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in more_headers {
        headers.set(name, value)?;
    }
    headers.set("content-type", "application/json")?;
    if let Some(token) = token {
        headers.set("authorization", &format!("Bearer {token}"))?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(encode::pipeline_request(pipeline).into()));
    Request::new_with_init(&format!("{}/{}", address.base_url, Version::V3.pipeline_path()), &init)
}

fn status_of(response: &JsValue) -> u16 {
    let status = Reflect::get(response, &"status".into()).ok().and_then(|status| status.as_f64());
    status.map_or(0, |status| status as u16)
}

/// Aborts the request unless it is disarmed first.
struct AbortOnDrop(Option<AbortController>);

impl AbortOnDrop {
    fn new() -> Result<Self, JsValue> {
        AbortController::new().map(|controller| Self(Some(controller)))
    }

    /// Starts `request` under this controller; what it gives is a promise.
    fn fetch(&self, request: &Request) -> Result<JsValue, JsValue> {
        let init = web_sys::RequestInit::new();
        init.set_signal(self.0.as_ref().map(AbortController::signal).as_ref());
        call(&js_sys::global(), "fetch", &[request.inner(), &init])
    }

    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            // It throws in another request's context, when this one's was lost: then there is nothing to take back.
            _ = call(&controller, "abort", &[]);
        }
    }
}
