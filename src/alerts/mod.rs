//! Alerts: what is worth telling, whom it is told to, and what became of it.
//!
//! `rules` find `conditions`; `lifecycle` makes alerts of them, which fire, are acknowledged, and are resolved;
//! `sinks` write what each receiver wants; `outbox` knows what is still to be sent and when; `state` is the document in the
//! strong store that all of that survives in; `delivery` is the background work that joins them. Addresses are held to
//! `url_policy`; `signature` signs what is sent, and judges what comes in.

pub mod burn;
pub mod conditions;
pub mod delivery;
pub mod lifecycle;
pub mod outbox;
pub mod rules;
pub mod settings;
pub mod signature;
pub mod silence;
pub mod sinks;
pub mod state;
pub mod url_policy;

pub use delivery::Alerts;
pub use settings::Settings;
