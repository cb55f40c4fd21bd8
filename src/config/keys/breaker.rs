//! When the circuit opens and how it recovers.

use super::{Alias, Default, Key, Scale, alias, by_environment, count, ms, number, span, switch, weight};

/// The settings.
pub const KEYS: &[Key] = &[
    switch("circuitBreaker.enabled", true, "Whether the breaker may refuse."),
    count(
        "circuitBreaker.failureThreshold",
        0,
        1_000_000,
        by_environment(5.0, 3.0),
        "Failures in the window that open it; 0 turns the rule off. Without it, failureRate turns it off too.",
    ),
    number(
        "circuitBreaker.failureRate",
        0.0,
        1.0,
        0.0,
        "Share of failures in the window that opens it; 0 turns the rule off.",
    ),
    number(
        "circuitBreaker.slowRate",
        0.0,
        1.0,
        0.0,
        "Share of slow calls in the window that opens it; 0 turns the rule off.",
    ),
    count(
        "circuitBreaker.consecutiveFailures",
        0,
        1_000_000,
        Default::Fixed(0.0),
        "Failures in a row that open it; 0 turns the rule off.",
    ),
    count(
        "circuitBreaker.minimumCalls",
        0,
        1_000_000,
        Default::Fixed(10.0),
        "Calls in the window before a share counts.",
    ),
    span("circuitBreaker.timeoutThreshold", 0, 5_000, "A call that takes longer is slow; 0 turns slowness off."),
    switch("circuitBreaker.slowIsFailure", true, "Whether a slow success counts as a failure."),
    span("circuitBreaker.monitorWindow", 1, 60_000, "How far back failures count."),
    count("circuitBreaker.monitorBuckets", 1, 1_024, Default::Fixed(12.0), "Time slices of the window."),
    count(
        "circuitBreaker.windowCalls",
        0,
        1_024,
        Default::Fixed(0.0),
        "The window is this many calls instead of a time; 0 means a time.",
    ),
    weight("circuitBreaker.timeoutWeight", "How much a timeout counts as a failure; 0 leaves it out."),
    weight("circuitBreaker.networkWeight", "The same for a connection that failed or was lost."),
    weight("circuitBreaker.serverErrorWeight", "The same for HTTP 5xx and faults of the storage."),
    weight("circuitBreaker.rateLimitedWeight", "The same for HTTP 429."),
    weight("circuitBreaker.badResponseWeight", "The same for an answer that is not the protocol."),
    switch("circuitBreaker.rateLimitedIsSoft", false, "Whether HTTP 429 leaves a row of failures as it is."),
    span("circuitBreaker.recoveryTimeout", 0, 30_000, "How long it stays open at first."),
    ms(
        "circuitBreaker.recoveryTimeoutMax",
        Default::SameAs("circuitBreaker.recoveryTimeout"),
        "How long it stays open at most, after probes that failed.",
    ),
    number(
        "circuitBreaker.recoveryMultiplier",
        1.0,
        10.0,
        2.0,
        "How much longer it stays open after each failed probing.",
    ),
    number("circuitBreaker.recoveryJitter", 0.0, 1.0, 0.1, "Random share by which it stays open longer."),
    count("circuitBreaker.halfOpenMaxCalls", 1, 16, Default::Fixed(3.0), "Probes in flight at once while half-open."),
    count(
        "circuitBreaker.successThreshold",
        1,
        1_000,
        Default::Fixed(2.0),
        "Successful probes in a row that close it.",
    ),
];

/// Their other names.
pub const ALIASES: &[Alias] = &[
    alias("circuitBreaker.timeout", "circuitBreaker.recoveryTimeout", Scale::Same),
    alias("circuitBreaker.resetTimeout", "circuitBreaker.recoveryTimeout", Scale::Same),
    alias("circuitBreaker.rollingCountTimeout", "circuitBreaker.monitorWindow", Scale::Same),
    alias("circuitBreaker.rollingCountBuckets", "circuitBreaker.monitorBuckets", Scale::Same),
    alias("circuitBreaker.volumeThreshold", "circuitBreaker.minimumCalls", Scale::Same),
    alias("circuitBreaker.errorThresholdPercentage", "circuitBreaker.failureRate", Scale::Percent),
    alias("circuitBreaker.failure_threshold", "circuitBreaker.failureThreshold", Scale::Same),
    alias("circuitBreaker.recovery_timeout", "circuitBreaker.recoveryTimeout", Scale::Seconds),
    alias("circuitBreaker.half_open_max_calls", "circuitBreaker.halfOpenMaxCalls", Scale::Same),
    alias("connectionPool.failure_threshold", "circuitBreaker.failureThreshold", Scale::Same),
    alias("connectionPool.recovery_timeout", "circuitBreaker.recoveryTimeout", Scale::Seconds),
    alias("connectionPool.half_open_max_calls", "circuitBreaker.halfOpenMaxCalls", Scale::Same),
];
