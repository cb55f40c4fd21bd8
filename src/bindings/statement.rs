//! What JavaScript may ask of one statement's text. It remembers the answer for each text.

use wasm_bindgen::prelude::*;

use crate::query::{self, Statement};

/// Tells what one SQL statement does: its bits, how many tables it reads, their hashes, and then the hashes of
/// the tables that it writes.
///
/// Bits 0 and 1: 0 reads, 1 writes, 2 unknown. Bit 2: the answer may be kept. Bit 3: it may touch any table. Bits 4 to
/// 7: the verb, as `query::Verb` numbers them.
#[wasm_bindgen(js_name = describeStatement)]
pub fn describe_statement(sql: &str) -> Vec<u32> {
    let statement = Statement::of(sql);
    let mut numbers = vec![statement.bits(), statement.reads.len() as u32];
    numbers.extend_from_slice(&statement.reads);
    numbers.extend_from_slice(&statement.writes);
    numbers
}

/// The text of a statement without literals, comments and layout, at most 1,000 bytes.
#[wasm_bindgen(js_name = normalText)]
pub fn normal_text(sql: &str) -> String {
    query::normal_text(sql)
}
