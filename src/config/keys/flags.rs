//! What the flags of the layers are before anybody says otherwise: `FEATURE_…` and `ROLLOUT_…`.

use super::{Alias, Default, Key, NPM, Shape, switch};

const fn rollout(path: &'static str, help: &'static str) -> Key {
    Key::new(path, "%", Shape::Whole { min: 0, max: 100 }, Default::Fixed(0.0), help).unread()
}

/// The settings.
pub const KEYS: &[Key] = &[
    switch("features.ENABLE_CONNECTION_POOL", false, "Default of the flag of this name.").unread(),
    switch("features.ENABLE_STATE_MACHINE", false, "Default of the flag of this name.").unread(),
    switch("features.ENABLE_CIRCUIT_BREAKER", false, "Default of the flag of this name.").unread(),
    switch("features.ENABLE_ENTERPRISE_MONITORING", true, "Default of the flag of this name.").unread(),
    switch(
        "features.ENABLE_DETAILED_LOGGING",
        false,
        "Whether each operation is logged, where no level of logging is set.",
    )
    .only(NPM)
    .restart(),
    rollout("rollouts.ENABLE_CONNECTION_POOL", "Share of requests that the flag of this name is on for, by default."),
    rollout("rollouts.ENABLE_STATE_MACHINE", "Share of requests that the flag of this name is on for, by default."),
    rollout("rollouts.ENABLE_CIRCUIT_BREAKER", "Share of requests that the flag of this name is on for, by default."),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
