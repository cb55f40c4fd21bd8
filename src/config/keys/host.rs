//! The environment, and what is watched and told: monitoring, health, metrics, traces, alerts.

use super::{Alias, Default, Key, NPM, Scale, Shape, WORKER, alias, choice, count, span, switch};

/// Kinds of environments, in the order of their numbers. `staging` is another word for `preview`.
pub const ENVIRONMENTS: &[&str] = &["production", "preview", "development", "test", "staging"];

/// Names of the presets, after the one for none; what they set is in `variables/table.rs`.
pub const PRESET_NAMES: &[&str] = &["none", "prisma", "sqlite"];

const fn percent(path: &'static str, default: f64, help: &'static str) -> Key {
    Key::new(path, "%", Shape::Number { min: 0.0, max: 100.0 }, Default::Fixed(default), help)
}

/// The settings.
pub const KEYS: &[Key] = &[
    choice("environment", ENVIRONMENTS, 2, "What runs here: production has larger defaults. The host finds it out.")
        .of_place(),
    choice("preset", PRESET_NAMES, 0, "Settings for a kind of database, where nothing else is said.")
        .only(NPM)
        .restart(),
    switch("monitoring.enabled", true, "Whether what happens is counted for health documents and shared hints."),
    span("health.checkInterval", 1_000, 30_000, "From what age on a scheduled check asks the database again.")
        .only(WORKER),
    switch("metrics.enabled", true, "Whether metrics are kept for export.").unread(),
    span(
        "metrics.statsInterval",
        1_000,
        60_000,
        "About how often a monitor tells the others what was counted; the first of its databases that says so decides. Of the Worker it is `METRICS_STATS_INTERVAL_MS`.",
    )
    .only(NPM)
    .restart(),
    switch("tracing.enabled", false, "Whether spans are made of operations.").only(NPM).restart(),
    switch("queryOptimization.enabled", true, "Whether slow statements are told with a hint.").unread(),
    Key::new(
        "alerts.webhookUrl",
        "",
        Shape::Secret,
        Default::Fixed(0.0),
        "Where alerts are posted; empty for nowhere.",
    )
    .only(WORKER),
    percent("alerts.healthScore", 70.0, "A lower health score is worth an alert.").only(WORKER),
    percent("alerts.poolUtilization", 80.0, "A higher utilization of the pool is worth an alert.").only(WORKER),
    span("alerts.queryTime", 0, 1_000, "A longer average time of queries is worth an alert.").only(WORKER),
    percent("alerts.errorRate", 5.0, "A higher share of failures is worth an alert.").only(WORKER),
    count(
        "alerts.connectionTimeouts",
        0,
        1_000_000,
        Default::Fixed(1.0),
        "So many operations that got no lease in time are worth an alert; 0 for none.",
    )
    .unread(),
    span(
        "state.coldReadTimeout",
        0,
        100,
        "How long a cold isolate's first operation waits for what others know; 0 for not at all.",
    )
    .only(NPM)
    .restart(),
];

/// Their other names: those of a manager's configuration in Python stand outside of any group.
pub const ALIASES: &[Alias] = &[
    alias("enable_metrics", "metrics.enabled", Scale::Same),
    alias("stats_interval", "metrics.statsInterval", Scale::Seconds),
    alias("enable_tracing", "tracing.enabled", Scale::Same),
    alias("enable_query_optimization", "queryOptimization.enabled", Scale::Same),
];
