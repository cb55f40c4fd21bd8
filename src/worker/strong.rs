//! Asks the strong store: the Durable Object that this Worker is bound to.

use worker::Env;
use worker::js_sys::{Object, Reflect};
use worker::wasm_bindgen::JsValue;

use super::promise::{call, settled};
use super::{clock, driver};
use crate::clock::Millis;
use crate::http::exchange::{Answer, Question};

/// Name of the binding.
const BINDING: &str = "SEAWALL_STORE";
/// Which object: the same for all, as `durableObjectStore` of the npm package has it.
const NAME: &str = "seawall";
/// Nothing is ever asked there: the stub is what is asked.
const ADDRESS: &str = "https://seawall.invalid/";
/// A call that takes longer is given up, in milliseconds.
const LIMIT_MS: Millis = 5_000;

/// The object's answer. [`Answer::NoStore`] if there is no object, [`Answer::Failed`] if it does not answer in time.
pub(super) async fn answer(env: &Env, question: &Question) -> Answer {
    let Some(namespace) = Reflect::get(env, &BINDING.into()).ok().filter(JsValue::is_object) else {
        return Answer::NoStore(
            "This Worker has no strong store: bind the Durable Object SEAWALL_STORE, as its wrangler.toml does."
                .to_owned(),
        );
    };
    match driver::first_of(ask(&namespace, question), clock::sleep(LIMIT_MS)).await {
        Some(Ok(answer)) => answer,
        Some(Err(_)) => Answer::Failed("The Durable Object SEAWALL_STORE failed.".to_owned()),
        None => Answer::Failed(format!("The Durable Object SEAWALL_STORE did not answer within {LIMIT_MS} ms.")),
    }
}

async fn ask(namespace: &JsValue, question: &Question) -> Result<Answer, JsValue> {
    let id = call(namespace, "idFromName", &[&NAME.into()])?;
    // A stub belongs to the request that made it.
    let stub = call(namespace, "get", &[&id])?;
    let init = Object::new();
    let body = serde_json::to_string(question).map_err(|_| JsValue::UNDEFINED)?;
    Reflect::set(&init, &"method".into(), &"POST".into())?;
    Reflect::set(&init, &"body".into(), &body.into())?;
    let response = settled(call(&stub, "fetch", &[&ADDRESS.into(), &init])?).await?;
    let text = settled(call(&response, "text", &[])?).await?.as_string().unwrap_or_default();
    serde_json::from_str(&text).map_err(|_| JsValue::UNDEFINED)
}
