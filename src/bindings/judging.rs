//! Questions that need no state: what a statement does, and how an attempt ended.

use wasm_bindgen::prelude::*;

use crate::outcome::{self, Judgement, Outcome};
use crate::query;

/// Tells what one SQL statement does: 0 reads, 1 writes, 2 unknown.
#[wasm_bindgen(js_name = kindOf)]
pub fn kind_of(sql: &str) -> u32 {
    query::kind_of(sql) as u32
}

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
