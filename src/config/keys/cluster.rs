//! Several databases: which one is asked, and what happens when it fails.

use super::{Alias, Key};

/// The settings.
pub const KEYS: &[Key] = &[];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
