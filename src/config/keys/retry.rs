//! Retries, second copies of slow reads, and deadlines.

use super::{Alias, Default, Key, count, number, span, switch};

/// The settings.
pub const KEYS: &[Key] = &[
    count("retry.attempts", 1, 100, Default::Fixed(5.0), "Attempts in all; 1 turns retries off."),
    span("retry.initialDelay", 0, 500, "Delay before the second attempt."),
    span("retry.maxDelay", 0, 10_000, "No delay is longer, before jitter."),
    span("retry.maxTotal", 0, 0, "The last attempt begins at most this long after the first; 0 means no limit."),
    number("retry.backoffMultiplier", 1.0, 10.0, 2.0, "How much longer each delay is."),
    number("retry.jitter", 0.0, 1.0, 0.2, "Random share by which a delay is longer or shorter."),
    number(
        "retry.budgetInitial",
        0.0,
        1_000_000.0,
        4.0,
        "Retries that a new isolate may make before its first success.",
    ),
    number("retry.budgetMax", 0.0, 1_000_000.0, 10.0, "Retries that can be saved up."),
    number("retry.budgetRatio", 0.0, 1.0, 0.2, "Retries that each success pays in."),
    span("hedge.delay", 0, 0, "A read that has not answered after this may be sent a second time; 0 turns it off."),
    number(
        "hedge.maxRatio",
        0.0,
        1.0,
        0.05,
        "Reads sent a second time for each success; retries' budget bounds them too.",
    ),
    switch("timeouts.enabled", true, "Whether there are deadlines at all, other than an operation's own."),
    span("timeouts.query", 0, 15_000, "Deadline of one statement, waits and retries included; 0 means none."),
    span("timeouts.transaction", 0, 30_000, "Deadline of an interactive transaction; 0 means none."),
    span("timeouts.batchInsert", 0, 60_000, "Deadline of a batch, a migration or executeMultiple; 0 means none."),
    span("timeouts.healthCheck", 0, 3_000, "Deadline of a probe; 0 means none."),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
