//! Statements: what is slow, and what is told of it.

use super::{Alias, Key};

/// The settings.
pub const KEYS: &[Key] = &[];

/// Their other names.
pub const ALIASES: &[Alias] = &[];
