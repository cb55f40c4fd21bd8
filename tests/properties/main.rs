//! Laws: what must hold for every input, not only for the ones that we thought of.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod engine;
mod hrana;
mod merge;
mod window;
