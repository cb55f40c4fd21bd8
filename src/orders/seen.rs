//! What a reader has seen of each order, so that it never goes back.
//!
//! A read cache may answer with an older order than the one before: Workers KV is a minute behind, in each place by itself.
//! Who has seen version 7 is not told version 6 again by this isolate, whatever a cache says. A strong store that was put
//! back to a backup is overlooked likewise, until the isolate ends.

use super::Name;
use super::order::{Damage, Order};
use crate::clock::{Instant, Millis};

/// The strong store is asked this long after the last time, whatever a cache says, in milliseconds. So a cache that was
/// not told of an order, because its writer died in between, delays it by no more.
pub const VERIFY_AFTER_MS: Millis = 60_000;

/// What was found in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is the newest that was ever seen here.
    Newest,
    /// A newer one was seen before.
    Older,
    /// Nothing is there, and nothing was seen before.
    Nothing,
    /// It cannot be read.
    Damaged(Damage),
}

/// The newest of each order.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    entries: [Entry; Name::ALL.len()],
}

#[derive(Clone, Debug, Default)]
struct Entry {
    order: Option<Order>,
    verified_at: Option<Instant>,
    /// The version that was the newest when the strong store was last asked, and when it first was.
    seen: Option<(u64, Instant)>,
}

impl Seen {
    /// Looks at the text that some place holds, and keeps it if it is the newest.
    pub fn look(&mut self, name: Name, text: Option<&str>) -> Found {
        let entry = &mut self.entries[name as usize];
        let version = entry.order.as_ref().map_or(0, |order| order.version);
        match text.map(|text| Order::read(name, text)) {
            None if version == 0 => Found::Nothing,
            None => Found::Older,
            Some(Err(damage)) => Found::Damaged(damage),
            Some(Ok(order)) if order.version < version => Found::Older,
            Some(Ok(order)) => {
                entry.order = Some(order);
                Found::Newest
            }
        }
    }

    /// The newest that was seen.
    #[must_use]
    pub const fn newest(&self, name: Name) -> Option<&Order> {
        self.entries[name as usize].order.as_ref()
    }

    /// The strong store was asked.
    pub fn verified(&mut self, name: Name, now: Instant) {
        let entry = &mut self.entries[name as usize];
        entry.verified_at = Some(now);
        let version = entry.order.as_ref().map(|order| order.version);
        if version != entry.seen.map(|(version, _)| version) {
            entry.seen = version.map(|version| (version, now));
        }
    }

    /// When the strong store first told of the newest; `None` if only a cache has.
    #[must_use]
    pub fn seen_at(&self, name: Name) -> Option<Instant> {
        let entry = &self.entries[name as usize];
        let version = entry.order.as_ref()?.version;
        entry.seen.filter(|&(seen, _)| seen == version).map(|(_, at)| at)
    }

    /// All orders that were seen, but for who has a token.
    pub fn all(&self) -> impl Iterator<Item = (Name, &Order)> {
        let told = Name::ALL.into_iter().filter(|name| *name != Name::Tokens);
        told.filter_map(|name| Some((name, self.newest(name)?)))
    }

    /// Whether the strong store must be asked. A clock that stepped back asks it.
    #[must_use]
    pub fn is_verification_due(&self, name: Name, now: Instant) -> bool {
        self.entries[name as usize].verified_at.is_none_or(|at| now < at || now.since(at) >= VERIFY_AFTER_MS)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(version: u64) -> String {
        Order {
            version,
            id: version,
            updated_at: Instant(0),
            by: "ada".to_owned(),
            reason: "a test".to_owned(),
            previous: None,
            value: json!({}),
            compiled: None,
        }
        .text(Name::Flags)
    }

    #[test]
    fn a_reader_never_goes_back() {
        let mut seen = Seen::default();
        assert_eq!(seen.look(Name::Flags, None), Found::Nothing);
        let cases = [
            (Some(text(3)), Found::Newest, 3),
            (Some(text(2)), Found::Older, 3),
            (None, Found::Older, 3),
            (Some(text(3)), Found::Newest, 3),
            (Some(text(4).replace("ada", "bob")), Found::Damaged(Damage::Checksum), 3),
            (Some(text(9)), Found::Newest, 9),
        ];
        for (text, found, version) in cases {
            assert_eq!(seen.look(Name::Flags, text.as_deref()), found);
            assert_eq!(seen.newest(Name::Flags).map(|order| order.version), Some(version));
        }
        assert_eq!(seen.newest(Name::Kill), None);
    }

    #[test]
    fn it_knows_since_when_a_version_is_the_newest() {
        let mut seen = Seen::default();
        seen.look(Name::Flags, Some(&text(3)));
        assert_eq!(seen.seen_at(Name::Flags), None);
        for now in [100, 200] {
            seen.verified(Name::Flags, Instant(now));
            assert_eq!(seen.seen_at(Name::Flags), Some(Instant(100)));
        }
        seen.look(Name::Flags, Some(&text(4)));
        assert_eq!(seen.seen_at(Name::Flags), None);
        seen.verified(Name::Flags, Instant(300));
        assert_eq!(seen.seen_at(Name::Flags), Some(Instant(300)));
        assert_eq!(seen.all().map(|(name, order)| (name, order.version)).collect::<Vec<_>>(), [(Name::Flags, 4)]);
    }

    #[test]
    fn the_strong_store_is_asked_from_time_to_time() {
        let mut seen = Seen::default();
        assert!(seen.is_verification_due(Name::Kill, Instant(0)));
        seen.verified(Name::Kill, Instant(100_000));
        for (now, is_due) in [(100_000, false), (159_999, false), (160_000, true), (99_999, true)] {
            assert_eq!(seen.is_verification_due(Name::Kill, Instant(now)), is_due, "{now}");
        }
        assert!(seen.is_verification_due(Name::Flags, Instant(100_000)));
    }
}
