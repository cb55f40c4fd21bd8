//! Hrana over HTTP, the wire protocol of libSQL servers, versions 2 and 3, in JSON. No sockets, no retries.
//!
//! [`proto`] holds the values, [`encode`] writes them and [`decode`] reads them. The types are our own: what other
//! crates offer cannot read a result that holds an infinity, and costs the Worker three times the bytes.
//!
//! The decoders are as tolerant as servers are different (padding or none, numbers as text or as numbers, fields we
//! do not know) and never put a value or a statement into an error.

mod base64;
mod consistency;
pub mod decode;
pub mod encode;
pub mod proto;
