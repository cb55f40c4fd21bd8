#![no_main]
#![allow(missing_docs)]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::evaluate(bytes));
