//! What JavaScript may call of the flags. Conversion only.
//!
//! Two wasm modules: the `runtime` loads snapshots and decides, the `tools` read what people write, `orders` among it. Who evaluates flags needs
//! the first one alone, and it is a fifth of both.

#[cfg(feature = "flag-tools")]
pub mod orders;
#[cfg(feature = "flags")]
pub mod runtime;
#[cfg(feature = "flag-tools")]
pub mod tools;

use wasm_bindgen::prelude::*;

use crate::flags::Fault;

fn thrown(faults: &[Fault]) -> JsError {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    JsError::new(&lines.join("\n"))
}
