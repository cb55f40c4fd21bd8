//! Several databases: which one is asked, and what happens when it fails.

use super::{Alias, Default, Key, NPM, Scale, alias, choice, count, span, switch};
use crate::cluster::STRATEGIES;

/// The settings.
pub const KEYS: &[Key] = &[
    switch("loadBalancing.enabled", true, "Whether reads are spread; if not, the first healthy database takes them.")
        .only(NPM)
        .restart(),
    choice("loadBalancing.strategy", &STRATEGIES, 0, "How reads are spread over several databases.")
        .only(NPM)
        .restart(),
    switch("failover.enabled", true, "Whether an operation moves on to another database when one fails.")
        .only(NPM)
        .restart(),
    span("failover.timeout", 1, 5_000, "All databases of one operation together, unless it has a timeout of its own.")
        .only(NPM)
        .restart(),
    count("failover.maxAttempts", 1, 32, Default::Fixed(3.0), "Databases that one operation is sent to at most.")
        .only(NPM)
        .restart(),
    choice("consistency.readYourWrites", &["isolate", "token", "off"], 0, "Whose earlier writes a read must see.")
        .only(NPM)
        .restart(),
    span("consistency.waitTimeout", 0, 1_000, "How long a read waits for a replica to catch up.").only(NPM).restart(),
    choice("consistency.onTimeout", &["stale", "error"], 0, "What a read gets when the replica has not caught up.")
        .only(NPM)
        .restart(),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[
    alias("enable_load_balancing", "loadBalancing.enabled", Scale::Same),
    alias("load_balance_strategy", "loadBalancing.strategy", Scale::Same),
    alias("enable_failover", "failover.enabled", Scale::Same),
    alias("failover_timeout", "failover.timeout", Scale::Seconds),
    alias("max_failover_attempts", "failover.maxAttempts", Scale::Same),
];
