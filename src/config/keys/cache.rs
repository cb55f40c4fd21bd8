//! Results that are kept.

use super::{Alias, Key};

/// The settings.
pub const KEYS: &[Key] = &[];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
