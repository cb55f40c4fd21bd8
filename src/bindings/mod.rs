//! What JavaScript may call. Conversion only.
//!
//! Numbers cross on the path of a query, never JSON and never an exception. A step is one number: its kind in the
//! low three bits, the call's id above them. What belongs to the step stands in the register, a row of numbers in
//! wasm memory that the host reads through a `Float64Array` right after the call.
//!
//! The size is tested. Three things are left out by not being asked for, and would come back with their first use: reading
//! JSON (25 KB), formatting floats (5 KB; a whole number is formatted instead, and JavaScript divides), and `exp2` (4 KB).
//!
//! One file per subject: `calls` is the path of an operation, `sharing` and `control` belong to the same exported class.
//! Another class
//! stands in a file of its own and needs no line here but its `mod`.

pub mod cache;
pub mod calls;
pub mod cluster;
pub mod control;
pub mod judging;
pub mod pool;
mod register;
pub mod settings;
pub mod sharing;
pub mod statement;
pub mod tenancy;

use wasm_bindgen::prelude::*;

/// The memory of this instance, for a view on the register.
#[wasm_bindgen(js_name = wasmMemory, unchecked_return_type = "WebAssembly.Memory")]
pub fn wasm_memory() -> JsValue {
    wasm_bindgen::memory()
}
