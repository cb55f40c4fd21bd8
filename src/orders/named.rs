//! Which text is taken for an order: the one that the head of the audit log names, and none that is older than what is held.
//!
//! Whoever can write into the store can write an order with a right checksum. An order and the head that names it are one write,
//! so a text that the head does not name was put there past the routes, or is about to be named: decision 0033.
//!
//! With version 3 held, a head that has version 4 and the text of version 4, the text is taken. The text of version 5 under
//! the same head is ahead of it: whoever reads the head again knows.

use super::Name;
use super::order::{Order, checksum};
use crate::audit::head::{Head, Mark};

/// Why a text is not taken for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is newer than the head says, and so is not known to be named.
    Ahead,
    /// It is not what the head names.
    Wrong(&'static str),
}

/// An order that somebody put there past the routes.
pub const UNNAMED: &str = "an order is not the one that the head of the audit log names";

/// The order that the head has under `mark`.
///
/// # Errors
///
/// [`NotTaken`] when the text is another one, is damaged, or is not there.
pub fn named(name: Name, mark: &Mark, text: Option<&str>) -> Result<Order, NotTaken> {
    let text = text.ok_or(NotTaken::Wrong("an order is gone that the head of the audit log names"))?;
    let order = Order::read(name, text).map_err(|_| NotTaken::Wrong("an order is damaged"))?;
    if checksum(text) != mark.sha256 {
        return Err(if order.version > mark.version { NotTaken::Ahead } else { NotTaken::Wrong(UNNAMED) });
    }
    Ok(order)
}

/// What a reader finds in one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A newer order than the one that is held.
    Newer(Order),
    /// The one that is held, or none where none is held.
    Same,
    /// An older one, or none: what is held stays.
    Older,
    /// One that the head does not name yet.
    Ahead,
    /// No order that can be used: what is held stays.
    Wrong(&'static str),
}

/// Judges a text for who holds version `held`, 0 for none.
///
/// With a `head`, only what it names is taken. Without one, where the head is gone or the place has none, a text stands for
/// itself: its checksum and its version are all that is known of it.
#[must_use]
pub fn found(name: Name, text: Option<&str>, head: Option<&Head>, held: u64) -> Found {
    let order = match head {
        Some(head) => match head.orders.get(name.text()) {
            None if text.is_some() => Err(NotTaken::Ahead),
            None => return if held == 0 { Found::Same } else { Found::Older },
            Some(mark) => named(name, mark, text),
        },
        None => match text.map(|text| Order::read(name, text)) {
            None => return if held == 0 { Found::Same } else { Found::Older },
            Some(order) => order.map_err(|_| NotTaken::Wrong("an order is damaged")),
        },
    };
    match order {
        Ok(order) if order.version > held => Found::Newer(order),
        Ok(order) if order.version == held => Found::Same,
        Ok(_) => Found::Older,
        Err(NotTaken::Ahead) => Found::Ahead,
        Err(NotTaken::Wrong(problem)) => Found::Wrong(problem),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Instant;

    fn text(version: u64, by: &str) -> String {
        Order {
            version,
            id: version,
            updated_at: Instant(0),
            by: by.to_owned(),
            reason: "a test".to_owned(),
            previous: None,
            value: json!({ "flags": ["a"] }),
            compiled: None,
        }
        .text(Name::Kill)
    }

    fn head(version: u64) -> Head {
        let mark = Mark { version, sha256: checksum(&text(version, "ada")).to_owned() };
        let mut head = Head::new();
        head.orders.insert("kill".to_owned(), mark);
        head
    }

    fn version(found: &Found) -> Option<u64> {
        match found {
            Found::Newer(order) => Some(order.version),
            _ => None,
        }
    }

    #[test]
    fn what_the_head_names_is_taken_and_nothing_else() {
        let look = |text: Option<&str>, head: &Head, held| found(Name::Kill, text, Some(head), held);
        let (two, three) = (text(2, "ada"), text(3, "ada"));
        assert_eq!(version(&look(Some(&three), &head(3), 2)), Some(3));
        assert_eq!(look(Some(&three), &head(3), 3), Found::Same);
        assert_eq!(look(Some(&two), &head(2), 3), Found::Older);
        assert_eq!(look(Some(&three), &head(2), 2), Found::Ahead);
        assert_eq!(look(Some(&two), &head(3), 1), Found::Wrong(UNNAMED));
        // Of the version that the head names, by another hand.
        assert_eq!(look(Some(&text(3, "eve")), &head(3), 2), Found::Wrong(UNNAMED));
        assert!(matches!(look(None, &head(3), 2), Found::Wrong(_)));
        assert!(matches!(look(Some(&three.replace("ada", "eve")), &head(3), 2), Found::Wrong(_)));
    }

    #[test]
    fn a_head_that_names_no_order_has_none_taken() {
        assert_eq!(found(Name::Kill, None, Some(&Head::new()), 0), Found::Same);
        assert_eq!(found(Name::Kill, None, Some(&Head::new()), 3), Found::Older);
        assert_eq!(found(Name::Kill, Some(&text(1, "ada")), Some(&Head::new()), 0), Found::Ahead);
    }

    #[test]
    fn without_a_head_a_text_stands_for_itself_and_never_goes_back() {
        let look = |text: Option<&str>, held| found(Name::Kill, text, None, held);
        assert_eq!(version(&look(Some(&text(3, "ada")), 0)), Some(3));
        assert_eq!(look(Some(&text(3, "ada")), 3), Found::Same);
        assert_eq!(look(Some(&text(2, "ada")), 3), Found::Older);
        assert_eq!(look(None, 3), Found::Older);
        assert_eq!(look(None, 0), Found::Same);
        for garbage in ["", "null", "{}", "<html>", &text(4, "ada").replace("ada", "eve")] {
            assert!(matches!(look(Some(garbage), 3), Found::Wrong(_)), "{garbage}");
        }
        // Another order's text.
        assert!(matches!(found(Name::Flags, Some(&text(4, "ada")), None, 0), Found::Wrong(_)));
    }
}
