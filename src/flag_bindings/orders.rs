//! What JavaScript may call to follow orders without a monitor: which text is one, and whether it is newer. Conversion only.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::audit::head::Head;
use crate::orders::Name;
use crate::orders::named::{Found, found};
use crate::orders::order::Order;

/// Which versions the head of the audit log names, by order, as JSON; throws when the text is no head.
#[wasm_bindgen(js_name = orderMarks)]
pub fn order_marks(head: &str) -> Result<String, JsError> {
    let head = Head::read(head).ok_or_else(|| JsError::new("the head of the audit log is damaged"))?;
    Ok(Value::from_iter(head.orders.iter().map(|(name, mark)| (name.as_str(), mark.version))).to_string())
}

/// Judges the text of an order for who holds version `held`, 0 for none: with the text of a head, by what that names. Returns JSON:
/// `{"found":"newer","version":3,"by":…,"reason":…,"value":…,"compiled":…}`, or `same`, `older`, `ahead`, `wrong` with a `problem`.
#[wasm_bindgen(js_name = orderIn)]
#[must_use]
pub fn order_in(name: &str, text: Option<String>, head: Option<String>, held: f64) -> String {
    let wrong = |problem: &str| json!({ "found": "wrong", "problem": problem }).to_string();
    let Some(name) = Name::of(name) else { return wrong("there is no such order") };
    let head = match head.as_deref().map(Head::read) {
        Some(None) => return wrong("the head of the audit log is damaged"),
        read => read.flatten(),
    };
    match found(name, text.as_deref(), head.as_ref(), held as u64) {
        Found::Newer(order) => {
            let Order { version, by, reason, value, compiled, .. } = order;
            json!({ "found": "newer", "version": version, "by": by, "reason": reason, "value": value, "compiled": compiled })
        }
        Found::Same => json!({ "found": "same" }),
        Found::Older => json!({ "found": "older" }),
        Found::Ahead => json!({ "found": "ahead" }),
        Found::Wrong(problem) => return wrong(problem),
    }
    .to_string()
}
