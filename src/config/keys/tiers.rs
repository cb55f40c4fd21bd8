//! Classes of tenants and their limits.

use super::{Alias, Key};

/// The settings.
pub const KEYS: &[Key] = &[];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
