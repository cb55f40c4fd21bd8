//! What is asked beside operations: settings, the circuit by hand, documents.

use wasm_bindgen::prelude::*;

use super::calls::Core;
use super::settings;
use crate::clock::Instant;
use crate::policy::breaker::Forced;
use crate::query;
use crate::report::status::{ConnectionStatus, Status};

#[wasm_bindgen]
impl Core {
    /// Refuses new calls; running ones may end.
    pub fn close(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.close(now);
    }

    /// Accepts calls again.
    pub fn reopen(&mut self) {
        self.engine.reopen();
    }

    /// Calls that have begun and not ended, without those of callers who left.
    pub fn running(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        self.engine.running_at(now) as u32
    }

    /// Takes other settings, whole. Throws as the constructor does; nothing is changed then.
    pub fn reconfigure(&mut self, lines: &str, numbers: &[f64], database: &str) -> Result<(), JsError> {
        self.engine.reconfigure(settings::read(lines, numbers, database)?.config);
        Ok(())
    }

    /// Learns of a retry policy, the `retry` of these settings, for single operations: its number, or 0 beyond the bound.
    /// Throws as the constructor does.
    #[wasm_bindgen(js_name = addRetryPolicy)]
    pub fn add_retry_policy(&mut self, lines: &str, numbers: &[f64], database: &str) -> Result<u32, JsError> {
        let policy = settings::read(lines, numbers, database)?.config.retry;
        Ok(self.engine.add_retry_policy(policy).map_or(0, u32::from))
    }

    /// Takes the oldest change of the circuit that was not taken yet, or -1: the state before in bits 0 and 1, the one
    /// after in 2 and 3, the number of the reason above. `CHANGED_AT_MS` in the register says when; the step's places stay as they are.
    #[wasm_bindgen(js_name = takeChange)]
    pub fn take_change(&mut self) -> i32 {
        let Some((at, from, to, change)) = self.engine.notes_mut().take_change() else { return -1 };
        self.register.put_changed_at(at);
        from as i32 | (to as i32) << 2 | (change as i32) << 4
    }

    /// Holds the circuit: 0 lets go, 1 closed, 2 open.
    pub fn force(&mut self, state: u32, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        let forced = match state {
            1 => Some(Forced::Closed),
            2 => Some(Forced::Open),
            _ => None,
        };
        self.engine.force(forced, now);
    }

    /// Closes the circuit and forgets its counts.
    #[wasm_bindgen(js_name = resetBreaker)]
    pub fn reset_breaker(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.reset_breaker(now);
    }

    /// Number of the breaker's state: 0 closed, 1 half-open, 2 open.
    #[wasm_bindgen(js_name = breakerState)]
    pub fn breaker_state(&self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        self.engine.breaker().state(Instant::from_host(now_ms).unwrap_or(self.latest)) as u32
    }

    /// When asking again can help while the circuit is open; infinity if no time can be named.
    #[wasm_bindgen(js_name = retryAt)]
    pub fn retry_at(&self) -> f64 {
        self.engine.breaker().retry_at().to_host()
    }

    /// The deadline of a class in milliseconds; 0 for none.
    #[wasm_bindgen(js_name = timeoutOf)]
    pub fn timeout_of(&self, class: u32) -> f64 {
        let deadlines = self.engine.config().deadlines;
        match query::Class::from_number(class) {
            Some(query::Class::Transaction) => deadlines.transaction_ms as f64,
            Some(query::Class::Batch) => deadlines.batch_ms as f64,
            Some(query::Class::HealthCheck) => deadlines.health_check_ms as f64,
            Some(query::Class::Query) | None => deadlines.query_ms as f64,
        }
    }

    /// From how many milliseconds on a statement is slow; 0 when none is to be noted.
    #[wasm_bindgen(js_name = slowQueryMs)]
    pub fn slow_query_ms(&self) -> f64 {
        self.engine.config().slow_query_ms as f64
    }

    /// The status document as JSON text.
    pub fn status(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> String {
        let now = self.at(now_ms);
        serde_json::to_string(&Status::of(&mut self.engine, now)).unwrap_or_default()
    }

    /// Connections with their histories, as JSON text.
    pub fn connections(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> String {
        let now = self.at(now_ms);
        let connections: Vec<ConnectionStatus> =
            self.engine.pool(now).connections().map(ConnectionStatus::of).collect();
        serde_json::to_string(&connections).unwrap_or_default()
    }
}
