//! Families by what they are about, for those who want to look at a part: `monitor:metrics performance`.

use super::families::{self as by, FAMILIES, Family};

/// The categories.
pub const CATEGORIES: [&str; 7] =
    ["performance", "connections", "reliability", "cache", "operations", "fleet", "business"];

/// The category of a family of ours.
#[must_use]
pub fn category_of(family: &str) -> &'static str {
    match family {
        by::DURATION | by::SLOW | by::CONNECTION_WAIT | by::CONNECTION_USE | by::CONNECTION_CREATE => "performance",
        by::CONNECTIONS | by::CONNECTION_MAX | by::CONNECTION_IDLE_MAX | by::CONNECTION_IDLE_MIN => "connections",
        by::CONNECTION_PENDING | by::CONNECTION_TIMEOUTS | by::CONNECTION_EVENTS | by::UTILIZATION => "connections",
        by::CACHE_REQUESTS | by::CACHE_ENTRIES | by::CACHE_UTILIZATION => "cache",
        by::OPERATIONS | by::REFUSALS | by::IN_FLIGHT => "operations",
        by::NAMED_OPERATIONS | by::NAMED_FAILURES | by::NAMED_DURATION => "operations",
        by::ISOLATES
        | by::SCOPE
        | by::HINTS
        | by::BUILD
        | by::ADMIN_REQUESTS
        | by::AUTH_FAILURES
        | by::WEBHOOKS
        | by::DROPPED => "fleet",
        _ => "reliability",
    }
}

/// The families of a category; those of the application's own are not among them.
///
/// # Errors
///
/// The categories that there are, if this is none of them.
pub fn families_of(category: &str) -> Result<Vec<&'static Family>, String> {
    if !CATEGORIES.contains(&category) {
        return Err(format!("A category is one of {}.", CATEGORIES.join(", ")));
    }
    Ok(FAMILIES.iter().filter(|family| category_of(family.name) == category).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MET-39: metrics come by category, `performance` among them; an unknown one is told which there are.
    #[test]
    fn each_family_is_in_one_category() {
        let performance = families_of("performance").unwrap_or_default();
        assert!(performance.iter().any(|family| family.name == by::DURATION));
        assert!(!performance.iter().any(|family| family.name == by::CACHE_ENTRIES));
        let all: usize = CATEGORIES.iter().filter_map(|category| families_of(category).ok()).map(|of| of.len()).sum();
        assert_eq!(all, FAMILIES.len());
        let refused = families_of("perfomance\n").err().unwrap_or_default();
        assert!(CATEGORIES.iter().all(|category| refused.contains(category)) && !refused.contains('\n'));
    }
}
