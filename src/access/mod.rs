//! Who asks, and what that allows.
//!
//! A room of values: `http::auth` finds out who sends a request, the table of routes says which role a line wants.
//!
//! `tokens` are secrets that were given out, of which digests are kept; `assertion` is what Cloudflare Access says of a
//! person, and `keys` what its word is checked by; `known_tokens` are tokens as they were read a short time ago; `guard` bounds
//! what guessing costs.

pub mod assertion;
pub mod guard;
pub mod keys;
pub mod known_tokens;
pub mod settings;
pub mod tokens;

pub use settings::Settings;

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody may do. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ask what flags are, by OFREP, and see nothing else.
    Evaluator,
    /// Look at everything but secrets.
    #[default]
    Viewer,
    /// Run the service: flags, kill switch, circuits, pools, tenants, alerts.
    Operator,
    /// Everything else: settings, tokens, restoring a backup.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Evaluator, Self::Viewer, Self::Operator, Self::Admin];

    /// The role of that name.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.text() == text)
    }

    /// As it stands in documents.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Evaluator => "evaluator",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// A name for orders and records, at most [`BY_MAX`](crate::orders::order::BY_MAX) bytes: `admin` for the admin
    /// token, else that of a token or of a person. Empty for whoever need not say.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one tenant that it may see and change; all of them without.
    pub tenant: Option<String>,
}

impl Principal {
    /// Whoever holds the admin token.
    #[must_use]
    pub fn admin() -> Self {
        Self { name: "admin".to_owned(), role: Role::Admin, tenant: None }
    }

    /// Whether it may see and change this tenant. What it may not see must look as what is not there.
    #[must_use]
    pub fn sees(&self, tenant: &str) -> bool {
        self.tenant.as_deref().is_none_or(|own| own == tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        assert!(Role::Evaluator < Role::Viewer && Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(Role::of(role.text()), Some(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        assert_eq!(Role::of("Admin"), None);
    }

    /// H044: who is bound to a tenant sees that one, and nobody with a name like it.
    #[test]
    fn who_is_bound_to_a_tenant_sees_no_other() {
        let bound = Principal { tenant: Some("a".to_owned()), ..Principal::admin() };
        for other in ["b", "", "A", "a ", "a/b", "aa"] {
            assert!(!bound.sees(other), "{other:?}");
            assert!(Principal::admin().sees(other));
        }
        assert!(bound.sees("a"));
    }
}
