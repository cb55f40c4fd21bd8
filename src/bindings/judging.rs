//! How an attempt ended, which needs no state.

use wasm_bindgen::prelude::*;

use crate::outcome::{self, Judgement, Outcome};

/// Judges a failed attempt; the result goes into `Core.report`.
///
/// `status` is the HTTP status or 0, `code` the error's code or empty, `sent` false only when the request certainly
/// never left.
#[wasm_bindgen]
pub fn judge(status: u16, code: &str, sent: bool) -> u32 {
    outcome::judge(status, code, sent).to_number()
}

/// Judges an attempt by its class alone, for failures that are no HTTP answer: 2 timeout, 3 network, 11 aborted.
#[wasm_bindgen(js_name = judgeClass)]
pub fn judge_class(class: u32) -> u32 {
    match Outcome::from_number(class) {
        Some(Outcome::Success) => Judgement::SUCCESS.to_number(),
        Some(Outcome::Aborted) => Judgement::ABORTED.to_number(),
        Some(outcome) => Judgement { outcome, effect: outcome::Effect::Unknown }.to_number(),
        None => Judgement::TIMEOUT.to_number(),
    }
}
