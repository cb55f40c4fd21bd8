//! What tenants need beside their operations: bounds for errors, what is left of one that is put aside.

use wasm_bindgen::prelude::*;

use super::calls::Core;
use crate::clock::Instant;
use crate::engine::step::CallId;

#[wasm_bindgen]
impl Core {
    /// Lets an attempt begin only now: what it waited for since was not the database.
    pub fn restart(&mut self, call: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.restart(CallId::from_number(call), now);
    }

    /// Connections in the low 16 bits, and above them operations at once, 0 for no bound.
    pub fn bounds(&self) -> u32 {
        let (concurrent, connections) = self.engine.bounds();
        concurrent << 16 | connections & 0xFFFF
    }

    /// Until when the rate limit remembers, in milliseconds; in the past when it remembers nothing.
    #[wasm_bindgen(js_name = rateDue)]
    pub fn rate_due(&self) -> f64 {
        self.engine.rate_due().to_host()
    }

    /// Goes on where a tenant was put aside; 0 for what it did not leave.
    pub fn resume(
        &mut self,
        #[wasm_bindgen(js_name = rateDueMs)] rate_due_ms: f64,
        #[wasm_bindgen(js_name = openUntilMs)] open_until_ms: f64,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) {
        let now = self.at(now_ms);
        let rate_due = Instant::from_host(rate_due_ms).unwrap_or_default();
        self.engine.resume(rate_due, Instant::from_host(open_until_ms), now);
    }
}
