//! Orders: what an operator said shall hold. A few documents, each with a version that only rises.
//!
//! An order is never merged: who writes says which version it read, and is refused when that is not what is there. Its
//! home is the strong store, which can compare and set; other places are read caches, and may lag behind.
//!
//! `order` is one document as text, `write` decides on a new one, `seen` keeps a reader from going back, `named` says which text
//! is taken for an order, `follow` has an isolate obey, `cached_head` tells those who follow by way of the read cache, `control`
//! and `tenants` are what two of them say, `published` checks and compiles flags, `backup` is all of them in one document,
//! `remote` is what a store of them is asked that lives elsewhere.

pub mod backup;
mod cached_head;
pub mod control;
pub mod follow;
pub mod json;
pub mod named;
pub mod order;
pub mod published;
pub mod remote;
pub mod seen;
pub mod tenants;
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
    /// Circuits that are held, and pools that were drained: see `control`.
    Control,
    /// Tenants: see `tenants`.
    Tenants,
    /// Who may use the admin routes: digests of tokens.
    Tokens,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Config, Self::Flags, Self::Kill, Self::Phase, Self::Control, Self::Tenants, Self::Tokens];

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
            Self::Control => "control",
            Self::Tenants => "tenants",
            Self::Tokens => "tokens",
        }
    }

    /// Where it is kept in the strong store.
    #[must_use]
    pub fn key(self) -> String {
        ["orders/", self.text()].concat()
    }
}

/// Where the text of an order is kept that was replaced: `version` is its own.
#[must_use]
pub fn history_key(name: Name, version: u64) -> String {
    format!("history/{name}/{version:016}")
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
