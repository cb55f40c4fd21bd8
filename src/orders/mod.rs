//! Orders: what an operator said shall hold. Four documents, each with a version that only rises.
//!
//! An order is never merged: who writes says which version it read, and is refused when that is not what is there. Its
//! home is the strong store, which can compare and set; other places are read caches, and may lag behind.
//!
//! `order` is one document as text, `write` decides on a new one, `seen` keeps a reader from going back, `remote` is what a
//! store of them is asked that lives elsewhere.

pub mod json;
pub mod order;
pub mod remote;
pub mod seen;
pub mod write;

use std::fmt;

/// Which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Settings of the policies.
    Config,
    /// Feature flags.
    Flags,
    /// What is turned off at once, whatever else is said.
    Kill,
    /// How far a deployment has come.
    Phase,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Config, Self::Flags, Self::Kill, Self::Phase];

    /// The order of that name.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.text() == text)
    }

    /// As it stands in paths and keys.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Flags => "flags",
            Self::Kill => "kill",
            Self::Phase => "phase",
        }
    }

    /// Where it is kept in the strong store.
    #[must_use]
    pub fn key(self) -> String {
        ["orders/", self.text()].concat()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
