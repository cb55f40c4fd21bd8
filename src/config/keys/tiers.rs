//! Classes of tenants and their limits.

use super::{Alias, Default, Key, choice, count, number};

/// Names of the tiers, after the one for none; what they give is in `policy::tier`.
pub const TIER_NAMES: &[&str] = &["NONE", "FREE", "STARTER", "PRO", "ENTERPRISE"];

/// The settings.
pub const KEYS: &[Key] = &[
    choice("tier", TIER_NAMES, 0, "Defaults for pool, operations at once, time limits and priority: docs/tenants.md."),
    count(
        "tenant.maxConcurrent",
        0,
        16_000,
        Default::Fixed(0.0),
        "Operations at once, running and waiting; one more is refused. 0 for no bound but the tier's.",
    ),
    number("rateLimit.rate", 0.0, 1_000_000.0, 0.0, "Operations a second in the long run; 0 for no limit."),
    count(
        "rateLimit.burst",
        0,
        1_000_000,
        Default::Fixed(0.0),
        "Operations at once after a pause; 0 for as many as come in one second, and at least 1.",
    ),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
