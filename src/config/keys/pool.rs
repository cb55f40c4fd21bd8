//! Leases and connections.

use super::{Alias, Default, Key, Scale, alias, by_environment, count, span, switch};

/// The settings.
pub const KEYS: &[Key] = &[
    switch("connectionPool.enabled", true, "Whether operations need a lease."),
    count(
        "connectionPool.maxConnections",
        1,
        1_000,
        by_environment(5.0, 2.0),
        "Leases at once. Never above 6 on Workers.",
    ),
    count("connectionPool.minConnections", 0, 1_000, Default::Fixed(1.0), "Idle connections kept whatever their age."),
    span("connectionPool.acquireTimeout", 0, 5_000, "How long an operation waits for a lease."),
    count("connectionPool.maxQueue", 0, 16_000, Default::Fixed(10_000.0), "Operations that may wait at once."),
    span("connectionPool.leaseTtl", 100, 2_000, "A lease that its holder does not renew for this long is taken back."),
    span("connectionPool.idleTimeout", 1, 9_000, "An idle connection is closed after this; below the server's 10 s."),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[
    alias("connectionPool.min_connections", "connectionPool.minConnections", Scale::Same),
    alias("connectionPool.max_connections", "connectionPool.maxConnections", Scale::Same),
    alias("connectionPool.connection_timeout", "connectionPool.acquireTimeout", Scale::Seconds),
    alias("connectionPool.idle_timeout", "connectionPool.idleTimeout", Scale::Seconds),
];
