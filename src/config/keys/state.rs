//! How isolates share what they learn.

use super::{Alias, Default, Key, count, number, span, switch};

/// The settings.
pub const KEYS: &[Key] = &[
    span(
        "state.readInterval",
        1_000,
        10_000,
        "Longest time between two reads of the shared state in one isolate while the circuit is open.",
    ),
    span("state.writeInterval", 1_000, 1_100, "Time between two writes of the shared state in one isolate."),
    span(
        "state.writeJitter",
        0,
        7_500,
        "Longest delay before a write; few of many isolates wait for much less, and the others then need not write.",
    ),
    count(
        "state.expectedIsolates",
        0,
        10_000_000,
        Default::Fixed(0.0),
        "Isolates that share one key of the store, if you know; more are found out. 0 leaves it to finding out.",
    ),
    number(
        "state.probesPerWindow",
        0.1,
        1_000.0,
        1.0,
        "Probes per window that isolates of one key send on average, besides the one that told of the outage.",
    ),
    span("state.rampTime", 0, 2_000, "An isolate of many takes up a recovery that others found over this time."),
    number(
        "state.quorum",
        0.0,
        1.0,
        0.5,
        "Share of the data centres, weighted by their requests, that must be open for the view of the fleet to be open.",
    ),
    switch("state.near", false, "Whether there is a store near by, such as a data centre's cache; the host sets it.")
        .of_place(),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
