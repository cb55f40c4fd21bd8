//! Reads the body of a request, or of a response, up to a bound, so that one without an end costs no more than one at the bound.

use worker::js_sys::{Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};

use super::promise::{call, settled};
use crate::http::BodyProblem;

/// The body of `request`, which may be a response, of at most `max` bytes, or why there is none.
pub(super) async fn read(request: &JsValue, max: usize) -> Result<String, BodyProblem> {
    let stream = Reflect::get(request, &"body".into()).unwrap_or_default();
    if !stream.is_object() {
        return Ok(String::new());
    }
    let reader = call(&stream, "getReader", &[]).map_err(|_| BodyProblem::Unread)?;
    let bytes = read_all(&reader, max).await;
    if bytes.is_err() {
        // What is still to come is not waited for.
        _ = call(&reader, "cancel", &[]);
    }
    String::from_utf8(bytes?).map_err(|_| BodyProblem::NotText)
}

async fn read_all(reader: &JsValue, max: usize) -> Result<Vec<u8>, BodyProblem> {
    let mut bytes = Vec::new();
    loop {
        let chunk = next(reader).await.map_err(|_| BodyProblem::Unread)?;
        let Some(chunk) = chunk else { return Ok(bytes) };
        if bytes.len() + chunk.length() as usize > max {
            return Err(BodyProblem::TooLong);
        }
        bytes.extend(chunk.to_vec());
    }
}

async fn next(reader: &JsValue) -> Result<Option<Uint8Array>, JsValue> {
    let read = settled(call(reader, "read", &[])?).await?;
    if Reflect::get(&read, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Reflect::get(&read, &"value".into())?.dyn_into().map(Some)
}
