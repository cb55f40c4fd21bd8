//! Whether a signature is right: the platform's WebCrypto.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use worker::js_sys::{self, Array, Object, Reflect, Uint8Array};
use worker::wasm_bindgen::JsValue;

use super::promise::{call, settled};

/// The scheme of RS256, as WebCrypto names it.
const SCHEME: &str = "RSASSA-PKCS1-v1_5";

/// Whether `signature` is that of `signed` by the key: RS256. Modulus, exponent and signature are in base64url. An error says
/// that the platform could not tell.
pub(super) async fn is_signed(modulus: &str, exponent: &str, signed: &str, signature: &str) -> Result<bool, JsValue> {
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| JsValue::UNDEFINED)?;
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    let subtle = Reflect::get(&crypto, &"subtle".into())?;
    let key = object(&[("kty", "RSA"), ("n", modulus), ("e", exponent), ("alg", "RS256")])?;
    let scheme = object(&[("name", SCHEME), ("hash", "SHA-256")])?;
    let usages = Array::of1(&"verify".into());
    let imported = call(&subtle, "importKey", &[&"jwk".into(), &key, &scheme, &JsValue::FALSE, &usages])?;
    let key = settled(imported).await?;
    let signature = Uint8Array::from(signature.as_slice());
    let signed = Uint8Array::from(signed.as_bytes());
    let verified = settled(call(&subtle, "verify", &[&scheme, &key, &signature, &signed])?).await?;
    Ok(verified.as_bool() == Some(true))
}

fn object(members: &[(&str, &str)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), &(*value).into())?;
    }
    Ok(object.into())
}
