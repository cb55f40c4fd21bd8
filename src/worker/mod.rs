//! The deployable Worker: a shell. It reads the clock, calls, stores, and decides nothing.
//!
//! One engine per isolate, made by the first request, because only a request sees the settings. It is lent for the
//! length of one synchronous call and never across an await. Requests of one isolate share what it knows and nothing
//! else: each has its own timers, fetches and KV calls, for Workers kill a request that waits for another's.

pub mod driver;

#[cfg(feature = "worker")]
mod body;
#[cfg(feature = "worker")]
mod caller;
#[cfg(feature = "worker")]
mod clock;
#[cfg(feature = "worker")]
mod entries;
#[cfg(feature = "worker")]
mod exchange;
#[cfg(feature = "worker")]
mod isolate;
#[cfg(feature = "worker")]
mod kv;
#[cfg(feature = "worker")]
mod object;
#[cfg(feature = "worker")]
mod promise;
#[cfg(feature = "worker")]
mod strong;
#[cfg(feature = "worker")]
mod trust;
#[cfg(feature = "worker")]
mod upstream;
#[cfg(feature = "worker")]
mod watched;
