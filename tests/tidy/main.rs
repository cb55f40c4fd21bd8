//! Tidiness: which room may know what, how files are named, and that the map shows every room.
//!
//! Each check is a function of text, so that a case beside it can show what it refuses.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod map;
mod names;
mod platforms;
mod rooms;
mod source;
