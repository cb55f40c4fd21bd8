//! Results that are kept.

use super::{Alias, Default, Key, NPM, Scale, Shape, alias, count, span, switch};

/// The settings.
pub const KEYS: &[Key] = &[
    switch("queryCache.enabled", false, "Whether reads are kept without being asked for each.").only(NPM).restart(),
    count("queryCache.maxSize", 0, 1_000_000, Default::Fixed(10_000.0), "Results kept at most; 0 keeps none.")
        .only(NPM)
        .restart(),
    Key::new(
        "queryCache.maxBytes",
        "bytes",
        Shape::Whole { min: 0, max: 1 << 32 },
        Default::Fixed(16_777_216.0),
        "Memory that kept results take at most, by an estimate.",
    )
    .only(NPM)
    .restart(),
    span("queryCache.ttl", 0, 300_000, "How long a result is served without asking the database.").only(NPM).restart(),
    span(
        "queryCache.staleWhileRevalidate",
        0,
        0,
        "How long beyond that it is served while one read in the background replaces it.",
    )
    .only(NPM)
    .restart(),
    span(
        "queryCache.staleIfError",
        0,
        0,
        "How long beyond its time to live a result is served when the database does not answer.",
    )
    .only(NPM)
    .restart(),
    switch("queryCache.shared", true, "Whether equal reads at the same time share one request.").only(NPM).restart(),
    span(
        "queryCache.loadLease",
        100,
        3_000,
        "A shared read whose caller is not heard of for this long is made again by one who waits for it.",
    )
    .only(NPM)
    .restart(),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[
    alias("enable_query_cache", "queryCache.enabled", Scale::Same),
    alias("cache_max_size", "queryCache.maxSize", Scale::Same),
    alias("cache_ttl", "queryCache.ttl", Scale::Seconds),
];
