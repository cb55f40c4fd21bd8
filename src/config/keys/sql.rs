//! Statements: what is slow, and what is told of it.

use super::{Alias, Key, Scale, alias, span, switch};

/// The settings.
pub const KEYS: &[Key] = &[
    switch("slowQuery.enabled", true, "Whether slow statements are noted, without their literals and arguments.")
        .restart(),
    span("slowQuery.threshold", 0, 1_000, "A request that takes longer makes its statement slow; 0 notes none.")
        .restart(),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[alias("slow_query_threshold", "slowQuery.threshold", Scale::Seconds)];
