//! Pragmas of a local SQLite file. A remote database has its own, so these are kept and listed as ignored.

use super::{Alias, Default, Key, Scale, Shape, alias, choice, count, span};

const JOURNAL_MODES: &[&str] = &["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"];
const SYNCHRONOUS: &[&str] = &["OFF", "NORMAL", "FULL", "EXTRA"];
const TEMP_STORES: &[&str] = &["DEFAULT", "FILE", "MEMORY"];

/// The settings.
pub const KEYS: &[Key] = &[
    choice("sqlite.journalMode", JOURNAL_MODES, 4, "`PRAGMA journal_mode` of a local file.").unread(),
    choice("sqlite.synchronous", SYNCHRONOUS, 1, "`PRAGMA synchronous` of a local file.").unread(),
    count(
        "sqlite.cacheSize",
        0,
        1_000_000_000,
        Default::Fixed(20_000.0),
        "`PRAGMA cache_size` of a local file, in KiB.",
    )
    .unread(),
    choice("sqlite.tempStore", TEMP_STORES, 2, "`PRAGMA temp_store` of a local file.").unread(),
    Key::new(
        "sqlite.mmapSize",
        "bytes",
        Shape::Whole { min: 0, max: 1 << 40 },
        Default::Fixed(536_870_912.0),
        "`PRAGMA mmap_size` of a local file.",
    )
    .unread(),
    Key::new(
        "sqlite.pageSize",
        "bytes",
        Shape::Whole { min: 512, max: 65_536 },
        Default::Fixed(4_096.0),
        "`PRAGMA page_size` of a local file: a power of two.",
    )
    .unread(),
    count(
        "sqlite.walAutocheckpoint",
        0,
        1_000_000,
        Default::Fixed(1_000.0),
        "`PRAGMA wal_autocheckpoint` of a local file, in pages.",
    )
    .unread(),
    span("sqlite.busyTimeout", 0, 30_000, "How long a local file waits for a lock.").unread(),
];

/// Their other names. Those of a pool's configuration in Python stand in its group.
pub const ALIASES: &[Alias] = &[
    alias("busyTimeout", "sqlite.busyTimeout", Scale::Same),
    alias("connectionPool.journal_mode", "sqlite.journalMode", Scale::Same),
    alias("connectionPool.synchronous", "sqlite.synchronous", Scale::Same),
    alias("connectionPool.cache_size", "sqlite.cacheSize", Scale::Same),
    alias("connectionPool.temp_store", "sqlite.tempStore", Scale::Same),
    alias("connectionPool.mmap_size", "sqlite.mmapSize", Scale::Same),
    alias("connectionPool.page_size", "sqlite.pageSize", Scale::Same),
    alias("connectionPool.wal_autocheckpoint", "sqlite.walAutocheckpoint", Scale::Same),
    alias("connectionPool.busy_timeout", "sqlite.busyTimeout", Scale::Same),
];
