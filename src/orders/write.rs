//! Decides on a new order: from what is there and what the writer has read to the swap to do, or the refusal.
//!
//! Version 0 means that there is no order yet. With version 3 there, `If-Match: "3"` and `If-Match: *` make version 4;
//! `If-Match: "2"` is refused with both numbers.

use serde_json::Value;

use super::Name;
use super::control::Control;
use super::json::NUMBER_MAX;
use super::order::{BY_MAX, Damage, Order, REASON_MAX, checksum, says_why, text_max};
use super::published;
use super::tenants::Tenants;
use crate::clock::Instant;
use crate::config::keys::Shape;
use crate::config::parse::{Source, check_text};

/// Which version must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Any, or none.
    Any,
    /// One of these; 0 for none.
    Versions(Vec<u64>),
}

/// What somebody wants to hold.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Which order.
    pub name: Name,
    /// What the writer has read.
    pub condition: Condition,
    /// What shall hold.
    pub value: Value,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The write to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Swap {
    /// What must be there still.
    pub expected: Option<String>,
    /// What takes its place.
    pub text: String,
    /// The same, read.
    pub order: Order,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another version is there.
    Version {
        /// The version that is there.
        current: u64,
    },
    /// What is there cannot be read, so nobody can know what would be overwritten.
    Damaged(Damage),
    /// The version cannot rise any more.
    Exhausted,
    /// The order cannot hold: which part, and why.
    Unusable(String),
}

/// Longest list of versions in a condition.
const VERSIONS_MAX: usize = 16;

impl Condition {
    /// Reads `If-Match`: `*`, or versions in quotes, at most 16 with commas between them.
    ///
    /// `None` for anything else. A weak tag (`W/"3"`) is one that never matches.
    #[must_use]
    pub fn read(header: &str) -> Option<Self> {
        if header.trim() == "*" {
            return Some(Self::Any);
        }
        let mut versions = Vec::new();
        for tag in header.split(',').map(str::trim) {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
            let is_opaque = opaque.bytes().all(|byte| byte > b' ' && byte != b'"' && byte != 0x7f);
            if !is_opaque || versions.len() == VERSIONS_MAX {
                return None;
            }
            // A tag that was never given out matches nothing.
            versions.extend(version(opaque).filter(|_| !tag.starts_with("W/")));
        }
        Some(Self::Versions(versions))
    }

    /// Whether `version` may be there.
    #[must_use]
    pub fn holds(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// A version as [`tag`] writes it, without its quotes.
fn version(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A version as an entity tag.
#[must_use]
pub fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Checks what a proposal says, without what is there.
///
/// # Errors
///
/// [`Refusal::Unusable`].
pub fn check(proposal: &Proposal) -> Result<(), Refusal> {
    let unusable = |problem: String| Err(Refusal::Unusable(problem));
    if !proposal.value.is_object() {
        return unusable("value must be an object".to_owned());
    }
    if proposal.by.is_empty() || proposal.by.len() > BY_MAX {
        return unusable(format!("by must have 1 to {BY_MAX} bytes"));
    }
    if !says_why(&proposal.reason) {
        return unusable(format!("reason must say why, in at most {REASON_MAX} bytes"));
    }
    match proposal.name {
        Name::Config => check_settings(&proposal.value),
        Name::Control => {
            Control::read(&proposal.value).map(drop).map_err(|problem| Refusal::Unusable(format!("value: {problem}")))
        }
        Name::Tenants => {
            Tenants::read(&proposal.value).map(drop).map_err(|problem| Refusal::Unusable(format!("value: {problem}")))
        }
        Name::Flags => published::compiled(&proposal.value).map(drop).map_err(Refusal::Unusable),
        Name::Kill => published::check_kill(&proposal.value).map_err(Refusal::Unusable),
        Name::Phase | Name::Tokens => Ok(()),
    }
}

/// Settings are held to the list of settings; what is the host's or the place's alone, or a secret, is no order.
fn check_settings(value: &Value) -> Result<(), Refusal> {
    for of_host in ["platform", "given", "over"] {
        if value.get(of_host).is_some() {
            return Err(Refusal::Unusable(format!("value: {of_host} is no setting")));
        }
    }
    let checked = check_text(&value.to_string()).map_err(|problems| Refusal::Unusable(problems.to_string()))?;
    for setting in checked.settings {
        let is_foreign = setting.key.shape == Shape::Secret || setting.key.is_of_place;
        if is_foreign && setting.source == Source::Option {
            let path = setting.key.path;
            let problem = format!("value: {path} is a secret or says where it runs, which no order may hold");
            return Err(Refusal::Unusable(problem));
        }
    }
    Ok(())
}

/// Decides on a proposal over the text that is there. `id` is 64 bits of chance.
///
/// # Errors
///
/// [`Refusal`] as [`check`], and when the condition does not hold for what is there.
pub fn decide(current: Option<&str>, proposal: Proposal, now: Instant, id: u64) -> Result<Swap, Refusal> {
    decide_above(0, current, proposal, now, id)
}

/// The same where an order of version `floor` is known to have been there: what comes after it has a higher one, because
/// nobody who has seen it goes back.
///
/// # Errors
///
/// As [`decide`].
pub fn decide_above(
    floor: u64,
    current: Option<&str>,
    proposal: Proposal,
    now: Instant,
    id: u64,
) -> Result<Swap, Refusal> {
    check(&proposal)?;
    let found = current.map(|text| Order::read(proposal.name, text)).transpose().map_err(Refusal::Damaged)?;
    let version = found.as_ref().map_or(0, |order| order.version);
    if !proposal.condition.holds(version) {
        return Err(Refusal::Version { current: version });
    }
    written_above(version.max(floor), current, proposal, now, id)
}

/// Decides on an order over a text that cannot be read, whatever it said: for what must be possible nevertheless.
///
/// # Errors
///
/// As [`decide`], but for what is there.
pub fn decide_over(floor: u64, damaged: &str, proposal: Proposal, now: Instant, id: u64) -> Result<Swap, Refusal> {
    check(&proposal)?;
    written_above(floor, Some(damaged), proposal, now, id)
}

fn written_above(
    version: u64,
    current: Option<&str>,
    proposal: Proposal,
    now: Instant,
    id: u64,
) -> Result<Swap, Refusal> {
    if version >= NUMBER_MAX {
        return Err(Refusal::Exhausted);
    }
    let compiled = match proposal.name {
        Name::Flags => Some(published::compiled(&proposal.value).map_err(Refusal::Unusable)?),
        _ => None,
    };
    let order = Order {
        version: version + 1,
        id,
        updated_at: now,
        by: proposal.by,
        reason: proposal.reason,
        previous: current.map(|text| checksum(text).to_owned()),
        value: proposal.value,
        compiled,
    };
    let text = order.text(proposal.name);
    let max = text_max(proposal.name);
    if text.len() > max {
        let problem = format!("value is too long: the order would have {} bytes, and {max} are the most", text.len());
        return Err(Refusal::Unusable(problem));
    }
    Ok(Swap { expected: current.map(str::to_owned), text, order })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Instant = Instant(1_704_067_200_000);

    fn proposal(name: Name, condition: &str, value: Value) -> Proposal {
        let condition = Condition::read(condition).unwrap();
        Proposal { name, condition, value, by: "ada".to_owned(), reason: "a test".to_owned() }
    }

    fn decided(current: Option<&str>, condition: &str) -> Result<Swap, Refusal> {
        decide(current, proposal(Name::Kill, condition, json!({"all": true})), NOW, 7)
    }

    #[test]
    fn versions_begin_at_1_and_rise_by_1() {
        let first = decided(None, "\"0\"").unwrap();
        assert_eq!((first.expected.as_deref(), first.order.version), (None, 1));
        assert_eq!(first.order.previous, None);
        let second = decided(Some(&first.text), "\"1\"").unwrap();
        assert_eq!((second.expected.as_deref(), second.order.version), (Some(first.text.as_str()), 2));
        assert_eq!(second.order.previous.as_deref(), Some(checksum(&first.text)));
        assert_eq!(Order::read(Name::Kill, &second.text), Ok(second.order));
        assert_eq!(decided(Some(&first.text), "*").unwrap().order.version, 2);
        assert_eq!(decided(None, "*").unwrap().order.version, 1);
    }

    /// H070: a version that is not there is refused, with the one that is.
    #[test]
    fn another_version_is_refused() {
        let first = decided(None, "*").unwrap().text;
        for condition in ["\"0\"", "\"2\"", "\"01\"", "\"x\"", "W/\"1\"", "\"0\", \"2\"", "\"\""] {
            assert_eq!(decided(Some(&first), condition), Err(Refusal::Version { current: 1 }), "{condition}");
        }
        assert_eq!(decided(None, "\"1\""), Err(Refusal::Version { current: 0 }));
        assert!(decided(Some(&first), "\"7\", \"1\"").is_ok());
    }

    #[test]
    fn a_condition_that_is_none_is_not_guessed_at() {
        for header in ["", "1", "\"1", "*, \"1\"", "\"1\",", "\"a b\"", "w/\"1\""] {
            assert_eq!(Condition::read(header), None, "{header}");
        }
        let many = vec!["\"1\""; VERSIONS_MAX + 1].join(",");
        assert_eq!(Condition::read(&many), None);
    }

    #[test]
    fn a_damaged_order_is_not_overwritten() {
        let first = decided(None, "*").unwrap().text;
        let damaged = first.replace("ada", "bob");
        for condition in ["*", "\"1\""] {
            assert_eq!(decided(Some(&damaged), condition), Err(Refusal::Damaged(Damage::Checksum)));
        }
    }

    /// H104: an order that is gone does not have its versions begin at 1 again, which readers would take for older ones.
    #[test]
    fn an_order_that_is_gone_is_followed_by_a_higher_version() {
        let above = |floor, current: Option<&str>| {
            decide_above(floor, current, proposal(Name::Kill, "*", json!({})), NOW, 7).map(|swap| swap.order.version)
        };
        assert_eq!(above(7, None), Ok(8));
        let first = decided(None, "*").unwrap().text;
        assert_eq!(above(7, Some(&first)), Ok(8));
        assert_eq!(above(0, Some(&first)), Ok(2));
        assert_eq!(above(NUMBER_MAX, None), Err(Refusal::Exhausted));
        let damaged = first.replace("ada", "bob");
        let over = decide_over(7, &damaged, proposal(Name::Kill, "*", json!({"all": true})), NOW, 7).unwrap();
        assert_eq!((over.order.version, over.expected.as_deref()), (8, Some(damaged.as_str())));
    }

    #[test]
    fn the_last_version_stays_the_last() {
        let mut order = decided(None, "*").unwrap().order;
        order.version = NUMBER_MAX;
        assert_eq!(decided(Some(&order.text(Name::Kill)), "*"), Err(Refusal::Exhausted));
    }

    /// H068: only an object can be an order.
    #[test]
    fn what_is_no_object_is_refused() {
        for value in [json!(null), json!(true), json!("x"), json!([]), json!(7)] {
            let refused = decide(None, proposal(Name::Phase, "*", value), NOW, 7);
            assert_eq!(refused, Err(Refusal::Unusable("value must be an object".to_owned())));
        }
    }

    /// H050: who and why are there, and not longer than allowed.
    #[test]
    fn who_and_why_have_bounds() {
        let with = |by: &str, reason: &str| {
            let proposal =
                Proposal { by: by.to_owned(), reason: reason.to_owned(), ..proposal(Name::Phase, "*", json!({})) };
            check(&proposal).is_ok()
        };
        assert!(with("ada", "<img src=x onerror=alert(1)>"));
        assert!(with(&"a".repeat(BY_MAX), &"b".repeat(REASON_MAX)));
        for (by, reason) in [("", "why"), ("ada", ""), ("ada", " \n"), (&*"a".repeat(BY_MAX + 1), "why")] {
            assert!(!with(by, reason), "{by:?} {reason:?}");
        }
        assert!(!with("ada", &"b".repeat(REASON_MAX + 1)));
    }

    /// H074: settings are held to the list of settings.
    #[test]
    fn settings_that_are_none_are_refused() {
        let with = |value: Value| check(&proposal(Name::Config, "*", value));
        assert_eq!(with(json!({"retry": {"attempts": 3}})), Ok(()));
        for value in [
            json!({"retry": {"attempts": -3}}),
            json!({"retries": 3}),
            json!({"constructor": {"prototype": {}}}),
            json!({"retry": {"prototype": 1}}),
            json!({"given": []}),
            json!({"over": {}}),
            json!({"platform": {}}),
        ] {
            assert!(matches!(with(value.clone()), Err(Refusal::Unusable(_))), "{value}");
        }
    }

    #[test]
    fn a_text_that_grew_too_long_is_refused() {
        let long = "\u{1}".repeat(20_000);
        let refused = decide(None, proposal(Name::Phase, "*", json!({ "a": long })), NOW, 7);
        assert!(matches!(refused, Err(Refusal::Unusable(problem)) if problem.contains("too long")));
    }
}
