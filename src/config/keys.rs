//! The one list of settings: name, unit, range, default, help.
//!
//! The parser, the generated reference (`docs/config.md`) and the TypeScript type are made from it.

use crate::error::prose;

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A whole number between two bounds, both included.
    Whole {
        /// Smallest.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// A number between two bounds, both included.
    Number {
        /// Smallest.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// `true` or `false`.
    Switch,
    /// One of these words. Its value is its place in the list.
    Choice(&'static [&'static str]),
}

/// What a setting is if nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// The same everywhere.
    Fixed(f64),
    /// One value in production, another elsewhere.
    ByEnvironment {
        /// In production.
        production: f64,
        /// Elsewhere.
        development: f64,
    },
    /// The value of another setting.
    SameAs(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path, as users write it.
    pub path: &'static str,
    /// Unit, empty for plain numbers.
    pub unit: &'static str,
    /// Range.
    pub shape: Shape,
    /// Default.
    pub default: Default,
    /// One sentence. Empty with the feature `bindings`.
    pub help: &'static str,
}

/// Another name for a setting, as other libraries call it.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// Dotted path, as users write it.
    pub path: &'static str,
    /// Path of the setting.
    pub of: &'static str,
    /// What it is counted in.
    pub scale: Scale,
}

/// What a value under another name is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The setting's own unit.
    Same,
    /// Seconds, fractions included, where the setting takes milliseconds.
    Seconds,
    /// Percent, 0 to 100, where the setting takes a share from 0 to 1.
    Percent,
}

impl Scale {
    /// How many of the setting's own units one of these is.
    const fn factor(self) -> f64 {
        match self {
            Self::Same => 1.0,
            Self::Seconds => 1_000.0,
            Self::Percent => 0.01,
        }
    }

    const fn unit(self, own: &'static str) -> &'static str {
        match self {
            Self::Same => own,
            Self::Seconds => "s",
            Self::Percent => "%",
        }
    }
}

/// Every other name.
pub const ALIASES: [Alias; 9] = [
    alias("circuitBreaker.timeout", "circuitBreaker.recoveryTimeout", Scale::Same),
    alias("circuitBreaker.resetTimeout", "circuitBreaker.recoveryTimeout", Scale::Same),
    alias("circuitBreaker.rollingCountTimeout", "circuitBreaker.monitorWindow", Scale::Same),
    alias("circuitBreaker.rollingCountBuckets", "circuitBreaker.monitorBuckets", Scale::Same),
    alias("circuitBreaker.volumeThreshold", "circuitBreaker.minimumCalls", Scale::Same),
    alias("circuitBreaker.errorThresholdPercentage", "circuitBreaker.failureRate", Scale::Percent),
    alias("circuitBreaker.failure_threshold", "circuitBreaker.failureThreshold", Scale::Same),
    alias("circuitBreaker.recovery_timeout", "circuitBreaker.recoveryTimeout", Scale::Seconds),
    alias("circuitBreaker.half_open_max_calls", "circuitBreaker.halfOpenMaxCalls", Scale::Same),
];

impl Alias {
    /// What `key`, whose other name this is, takes under this name.
    #[must_use]
    pub const fn takes(&self, key: &Key) -> Key {
        let factor = self.scale.factor();
        let shape = match (key.shape, self.scale) {
            (shape, Scale::Same) => shape,
            (Shape::Whole { min, max }, _) => Shape::Number { min: min as f64 / factor, max: max as f64 / factor },
            (Shape::Number { min, max }, _) => Shape::Number { min: min / factor, max: max / factor },
            (shape @ (Shape::Switch | Shape::Choice(_)), _) => shape,
        };
        Key { path: self.path, unit: self.scale.unit(key.unit), shape, ..*key }
    }

    /// A value under this name in the setting's own unit, to the millisecond.
    #[must_use]
    pub fn to_setting(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Same => value,
            Scale::Seconds => (value * self.scale.factor()).round(),
            Scale::Percent => value * self.scale.factor(),
        }
    }
}

const fn alias(path: &'static str, of: &'static str, scale: Scale) -> Alias {
    Alias { path, of, scale }
}

const DAY_MS: u64 = 86_400_000;

const fn ms(path: &'static str, default: Default, help: &'static str) -> Key {
    Key { path, unit: "ms", shape: Shape::Whole { min: 0, max: DAY_MS }, default, help: prose(help) }
}

const fn span(path: &'static str, min: u64, default: u64, help: &'static str) -> Key {
    Key {
        path,
        unit: "ms",
        shape: Shape::Whole { min, max: DAY_MS },
        default: Default::Fixed(default as f64),
        help: prose(help),
    }
}

const fn count(path: &'static str, min: u64, max: u64, default: Default, help: &'static str) -> Key {
    Key { path, unit: "", shape: Shape::Whole { min, max }, default, help: prose(help) }
}

const fn weight(path: &'static str, help: &'static str) -> Key {
    Key {
        path,
        unit: "%",
        shape: Shape::Whole { min: 0, max: 10_000 },
        default: Default::Fixed(100.0),
        help: prose(help),
    }
}

const fn number(path: &'static str, min: f64, max: f64, default: f64, help: &'static str) -> Key {
    Key { path, unit: "", shape: Shape::Number { min, max }, default: Default::Fixed(default), help: prose(help) }
}

const fn switch(path: &'static str, default: bool, help: &'static str) -> Key {
    Key { path, unit: "", shape: Shape::Switch, default: Default::Fixed(default as u8 as f64), help: prose(help) }
}

/// `default` is a place in `words`.
const fn choice(path: &'static str, words: &'static [&'static str], default: usize, help: &'static str) -> Key {
    Key { path, unit: "", shape: Shape::Choice(words), default: Default::Fixed(default as f64), help: prose(help) }
}

const fn by_environment(production: f64, development: f64) -> Default {
    Default::ByEnvironment { production, development }
}

/// Every setting.
pub const KEYS: [Key; 83] = [
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
    switch("connectionPool.enableMetrics", true, "Accepted; the pool always counts, because counting costs nothing."),
    switch("connectionPool.enableTracing", true, "Accepted; each connection always keeps its last 16 changes."),
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
    span("timeouts.query", 0, 15_000, "Deadline of one statement, waits and retries included; 0 means none."),
    span("timeouts.transaction", 0, 30_000, "Deadline of an interactive transaction; 0 means none."),
    span("timeouts.batchInsert", 0, 60_000, "Deadline of a batch, a migration or executeMultiple; 0 means none."),
    span("timeouts.healthCheck", 0, 3_000, "Deadline of a probe; 0 means none."),
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
    switch("slowQuery.enabled", true, "Whether slow statements are noted, without their literals and arguments."),
    span("slowQuery.threshold", 0, 1_000, "A request that takes longer makes its statement slow; 0 notes none."),
    switch("queryCache.enabled", false, "Whether reads are kept without being asked for each."),
    count("queryCache.maxSize", 0, 1_000_000, Default::Fixed(10_000.0), "Results kept at most; 0 keeps none."),
    Key {
        path: "queryCache.maxBytes",
        unit: "bytes",
        shape: Shape::Whole { min: 0, max: 1 << 32 },
        default: Default::Fixed(16_777_216.0),
        help: prose("Memory that kept results take at most, by an estimate."),
    },
    span("queryCache.ttl", 0, 300_000, "How long a result is served without asking the database."),
    span(
        "queryCache.staleWhileRevalidate",
        0,
        0,
        "How long beyond that it is served while one read in the background replaces it.",
    ),
    span(
        "queryCache.staleIfError",
        0,
        0,
        "How long beyond its time to live a result is served when the database does not answer.",
    ),
    switch("queryCache.shared", true, "Whether equal reads at the same time share one request."),
    span(
        "queryCache.loadLease",
        100,
        3_000,
        "A shared read whose caller is not heard of for this long is made again by one who waits for it.",
    ),
    switch("state.near", false, "Whether there is a store near by, such as a data centre's cache; the host sets it."),
    choice(
        "tenant.tier",
        &["NONE", "FREE", "STARTER", "PRO", "ENTERPRISE"],
        0,
        "Defaults as src/policy/tier.rs has them; written as `tier`.",
    ),
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
