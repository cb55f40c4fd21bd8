//! What the flags of the layers are before anybody says otherwise: `FEATURE_…` and `ROLLOUT_…`.

use super::{Alias, Default, Key, NPM, Shape, switch};

const fn rollout(path: &'static str, help: &'static str) -> Key {
    Key::new(path, "%", Shape::Whole { min: 0, max: 100 }, Default::Fixed(0.0), help).only(NPM).restart()
}

const fn feature(path: &'static str, is_on: bool) -> Key {
    switch(path, is_on, "What the flag of this name is where `layers` have flags and no document has it.")
        .only(NPM)
        .restart()
}

/// The settings.
pub const KEYS: &[Key] = &[
    feature("features.ENABLE_CONNECTION_POOL", false),
    feature("features.ENABLE_STATE_MACHINE", false),
    feature("features.ENABLE_CIRCUIT_BREAKER", false),
    feature("features.ENABLE_ENTERPRISE_MONITORING", true),
    switch(
        "features.ENABLE_DETAILED_LOGGING",
        false,
        "Whether each operation is logged, where no level of logging is set.",
    )
    .only(NPM)
    .restart(),
    rollout("rollouts.ENABLE_CONNECTION_POOL", "Share of keys that have it where it is not on for everybody."),
    rollout("rollouts.ENABLE_STATE_MACHINE", "Share of keys that have it where it is not on for everybody."),
    rollout("rollouts.ENABLE_CIRCUIT_BREAKER", "Share of keys that have it where it is not on for everybody."),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
