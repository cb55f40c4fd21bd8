//! Several databases: which one is asked, and what happens when it fails.

use super::{Alias, Key, NPM, choice, span};

/// The settings.
pub const KEYS: &[Key] = &[
    choice("consistency.readYourWrites", &["isolate", "token", "off"], 0, "Whose earlier writes a read must see.")
        .only(NPM)
        .restart(),
    span("consistency.waitTimeout", 0, 1_000, "How long a read waits for a replica to catch up.").only(NPM).restart(),
    choice("consistency.onTimeout", &["stale", "error"], 0, "What a read gets when the replica has not caught up.")
        .only(NPM)
        .restart(),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
