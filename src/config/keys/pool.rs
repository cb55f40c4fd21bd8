//! Leases and connections.

use super::{Alias, Default, Key, Scale, alias, by_environment, choice, count, span, switch};

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
    span("connectionPool.idleTimeout", 1, 300_000, "An idle connection is closed after this, down to minConnections."),
    choice(
        "connectionPool.strategy",
        &["adaptive", "balanced", "performance", "resource_conserving"],
        0,
        "How many connections there are and which one is taken: docs/pool.md.",
    ),
    count(
        "connectionPool.initialConnections",
        0,
        1_000,
        Default::Fixed(0.0),
        "Connections set up before the first operation, never more than maxConnections; `performance` sets up all, `balanced` minConnections.",
    ),
    switch("connectionPool.connectionWarming", true, "Whether any are."),
    span("connectionPool.connectionTimeout", 1, 30_000, "A connection that takes longer to set up has failed."),
    count("connectionPool.maxRetries", 0, 100, Default::Fixed(3.0), "How often a set-up that failed is tried again."),
    span("connectionPool.retryDelay", 0, 500, "How long before that."),
    span(
        "connectionPool.healthCheckInterval",
        1,
        30_000,
        "After set-ups that failed to the end, how long until warm connections are tried again.",
    ),
    span(
        "connectionPool.validationInterval",
        0,
        60_000,
        "A connection that was idle for longer is checked before it is used; one that was not, never.",
    ),
    span("connectionPool.maxAge", 0, 3_600_000, "An older connection is replaced when nobody uses it; 0 for never."),
    count(
        "connectionPool.maxUses",
        0,
        1_000_000_000,
        Default::Fixed(0.0),
        "A connection that was used so often is replaced; 0 for never.",
    ),
    choice(
        "connectionPool.queueOrder",
        &["adaptive", "fifo", "lifo"],
        0,
        "Who is served first among equally urgent operations; `adaptive` turns to the newest in overload.",
    ),
    span(
        "connectionPool.overloadAfter",
        0,
        500,
        "It is overload when the oldest has waited for longer than this, and than two recent holding times.",
    ),
    span(
        "connectionPool.overloadTimeout",
        0,
        0,
        "How long an operation waits that comes to a queue which did not empty for overloadAfter; 0 for acquireTimeout.",
    ),
    choice(
        "connectionPool.stateMachine",
        &["enforce", "record"],
        0,
        "Whether a change of state that the table does not know is refused, or only counted.",
    ),
    switch("connectionPool.enableMetrics", true, "Accepted; the pool always counts, because counting costs nothing.")
        .unread(),
    switch("connectionPool.enableTracing", true, "Accepted; each connection always keeps its last 16 changes.")
        .unread(),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[
    alias("connectionPool.min_connections", "connectionPool.minConnections", Scale::Same),
    alias("connectionPool.max_connections", "connectionPool.maxConnections", Scale::Same),
    alias("connectionPool.connection_timeout", "connectionPool.connectionTimeout", Scale::Seconds),
    alias("connectionPool.idle_timeout", "connectionPool.idleTimeout", Scale::Seconds),
    alias("connectionPool.initial_connections", "connectionPool.initialConnections", Scale::Same),
    alias("connectionPool.connection_warming", "connectionPool.connectionWarming", Scale::Same),
    alias("enable_connection_warming", "connectionPool.connectionWarming", Scale::Same),
    alias("connectionPool.validation_interval", "connectionPool.validationInterval", Scale::Seconds),
    alias("connectionPool.health_check_interval", "connectionPool.healthCheckInterval", Scale::Seconds),
    alias("connectionPool.max_retries", "connectionPool.maxRetries", Scale::Same),
    alias("connectionPool.retry_delay", "connectionPool.retryDelay", Scale::Seconds),
    alias("connectionPool.enable_metrics", "connectionPool.enableMetrics", Scale::Same),
    alias("connectionPool.enable_tracing", "connectionPool.enableTracing", Scale::Same),
];
