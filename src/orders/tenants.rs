//! The order `tenants`: what operators said of tenants, for all isolates.
//!
//! ```json
//! {"tenants": {"acme": {"tier": "PRO"}, "initech": {"suspended": true}}}
//! ```
//!
//! A tenant of whom nothing is said is what the application says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::tier::TIERS;

/// Most tenants that are named. The text of an order has a bound as well, which long ids meet before.
pub const TENANTS_MAX: usize = 2_000;
/// Longest id of a tenant, in bytes.
pub const ID_MAX: usize = 64;

/// The whole order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenants {
    /// By id.
    pub tenants: BTreeMap<String, Tenant>,
}

/// What was said of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// The name of its tier; without it, what the application says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Whether everything of it is refused.
    pub suspended: bool,
}

impl Tenants {
    /// Reads the value of an order.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(value: &Value) -> Result<Self, String> {
        let tenants: Self = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        tenants.check().map(|()| tenants)
    }

    /// What is wrong with it, if something is.
    ///
    /// # Errors
    ///
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        if self.tenants.len() > TENANTS_MAX {
            return Err(format!("at most {TENANTS_MAX} tenants can be named"));
        }
        if !self.tenants.keys().all(|id| is_id(id)) {
            return Err(format!(
                "the id of a tenant has 1 to {ID_MAX} letters, digits or any of -_. and begins with a letter or a digit"
            ));
        }
        self.tenants.values().try_for_each(Tenant::check)
    }
}

impl Tenant {
    /// What is wrong with it, if something is.
    ///
    /// # Errors
    ///
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        let is_known = |tier: &String| TIERS.iter().any(|row| row.name == tier);
        if self.tier.as_ref().is_none_or(is_known) {
            return Ok(());
        }
        Err(format!("tier is one of {}", TIERS.map(|row| row.name).join(", ")))
    }
}

/// Whether this can be the id of a tenant that is ordered about: nothing in it means anything in a path.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=ID_MAX).contains(&text.len())
        && text.bytes().all(is_plain)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_says_something_of_tenants_by_id() {
        let value = json!({ "tenants": { "acme": { "tier": "PRO" }, "initech.de": { "suspended": true } } });
        let read = Tenants::read(&value).unwrap();
        assert_eq!(read.tenants["acme"], Tenant { tier: Some("PRO".to_owned()), suspended: false });
        assert!(read.tenants["initech.de"].suspended);
        assert_eq!(Tenants::read(&json!({})), Ok(Tenants::default()));
    }

    /// H074: what is no such order is refused, with ids that mean something elsewhere and tiers that there are not.
    #[test]
    fn what_is_no_such_order_is_refused() {
        let many: serde_json::Map<_, _> = (0..=TENANTS_MAX).map(|at| (format!("t{at}"), json!({}))).collect();
        for value in [
            json!({ "tenant": {} }),
            json!({ "tenants": [] }),
            json!({ "tenants": { "a": { "tier": "pro" } } }),
            json!({ "tenants": { "a": { "tier": 3 } } }),
            json!({ "tenants": { "a": { "suspended": "yes" } } }),
            json!({ "tenants": { "a": { "extra": 1 } } }),
            json!({ "tenants": many }),
        ] {
            assert!(Tenants::read(&value).is_err(), "{value}");
        }
        for id in ["", ".", "..", "__proto__", "a/b", "a b", "a%2fb", "ä", "a\u{0}", &"a".repeat(ID_MAX + 1)] {
            assert!(!is_id(id), "{id:?}");
            assert!(Tenants::read(&json!({ "tenants": { id: {} } })).is_err(), "{id:?}");
        }
        assert!(is_id(&"a".repeat(ID_MAX)));
    }
}
