//! What isolates tell each other: the store is read and written by the host, in text that it does not look into.

use wasm_bindgen::prelude::*;

use super::calls::Core;

#[wasm_bindgen]
impl Core {
    /// Claims the one read that a cold isolate makes.
    #[wasm_bindgen(js_name = claimColdRead)]
    pub fn claim_cold_read(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.claim_cold_read(now)
    }

    /// Claims a read that is due.
    #[wasm_bindgen(js_name = claimRead)]
    pub fn claim_read(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.claim_read(now)
    }

    /// Claims a write that is due: the milliseconds to wait first, or -1.
    #[wasm_bindgen(js_name = claimWrite)]
    pub fn claim_write(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> f64 {
        let now = self.at(now_ms);
        self.engine.claim_write(now).map_or(-1.0, |delay_ms| delay_ms as f64)
    }

    /// Claims a read of the store near by that is due.
    #[wasm_bindgen(js_name = claimNearRead)]
    pub fn claim_near_read(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.claim_near_read(now)
    }

    /// Claims a write of the store near by that is due: read, merge and write at once.
    #[wasm_bindgen(js_name = claimNearWrite)]
    pub fn claim_near_write(&mut self) -> bool {
        self.engine.claim_near_write()
    }

    /// The text to store.
    pub fn export(&self) -> String {
        self.engine.export()
    }

    /// Merges stored text; false when it was garbage, with nothing changed.
    pub fn import(&mut self, text: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.import(text, now).is_ok()
    }

    /// Merges text of the store near by; false when it was garbage, with nothing changed.
    #[wasm_bindgen(js_name = importNear)]
    pub fn import_near(&mut self, text: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        let now = self.at(now_ms);
        self.engine.import_near(text, now).is_ok()
    }

    /// Whether the store, as last imported, holds all that this isolate could tell it.
    #[wasm_bindgen(js_name = isStored)]
    pub fn is_stored(&self) -> bool {
        self.engine.is_stored()
    }

    /// This breaker in all data centres as JSON text, from names and stored texts in turn, with a space between any two.
    /// When it is open in most of them, that is taken as advice.
    pub fn fleet(&mut self, words: &str, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> String {
        let now = self.at(now_ms);
        let mut words = words.split(' ');
        let view = self.engine.fleet(std::iter::from_fn(|| words.next().zip(words.next())), now);
        self.engine.advise_globally(view.is_widespread(), now);
        serde_json::to_string(&view).unwrap_or_default()
    }

    /// Notes that the store took `text`, which `export` gave.
    pub fn stored(&mut self, text: &str) {
        self.engine.stored(text);
    }

    /// Counts that the store failed.
    #[wasm_bindgen(js_name = storeFailed)]
    pub fn store_failed(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.store_failed(now);
    }

    /// The same for a write.
    #[wasm_bindgen(js_name = writeFailed)]
    pub fn write_failed(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) {
        let now = self.at(now_ms);
        self.engine.write_failed(now);
    }
}
