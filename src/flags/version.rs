//! Versions as Semantic Versioning 2.0.0 orders them, without an allocation.

use std::cmp::Ordering;

use super::model::Comparison;

/// A version. What is behind `+` says nothing about the order, and is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version<'a> {
    /// Major, minor, patch.
    pub(super) core: [u64; 3],
    /// What is behind `-`; empty for a release.
    pub(super) before: &'a str,
}

impl<'a> Version<'a> {
    /// Reads a whole version: `2.1.0`, `2.0.0-rc.1+7`. No `v` before it, no part missing.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, before) = match text.split_once('-') {
            Some((core, before)) => (core, Some(before)),
            None => (text, None),
        };
        let mut numbers = core.split('.').map(number);
        let core = [numbers.next()??, numbers.next()??, numbers.next()??];
        let is_part = |part: &str| {
            let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
            is_name(part) && (!is_number || part.len() == 1 || !part.starts_with('0'))
        };
        let is_whole = numbers.next().is_none()
            && before.is_none_or(|before| before.split('.').all(is_part))
            && build.is_none_or(|build| build.split('.').all(is_name));
        is_whole.then_some(Self { core, before: before.unwrap_or_default() })
    }

    /// Which of the two comes first.
    pub(super) fn order(self, other: Version<'_>) -> Ordering {
        let by_core = self.core.cmp(&other.core);
        by_core.then_with(|| match (self.before, other.before) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => order_of_parts(one, other),
        })
    }
}

fn order_of_parts(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) => {
                let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                match (is_number(one), is_number(other)) {
                    // Without leading zeros the longer one is greater, however long they are.
                    (true, true) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                    (false, false) => one.cmp(other),
                }
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_number { text.parse().ok() } else { None }
}

/// How a version must stand to one of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Is,
    IsNot,
    Than(Comparison),
}

impl Relation {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Is => order == Ordering::Equal,
            Self::IsNot => order != Ordering::Equal,
            Self::Than(Comparison::Gt) => order == Ordering::Greater,
            Self::Than(Comparison::Gte) => order != Ordering::Less,
            Self::Than(Comparison::Lt) => order == Ordering::Less,
            Self::Than(Comparison::Lte) => order != Ordering::Greater,
        }
    }
}

/// Comparisons with spaces between them, all of which must hold: `>=2.1.0 <3.0.0`, `!=2.2.0`, `2.1.0`. None for what is
/// none, and for nothing.
pub(super) fn comparisons(text: &str) -> Option<Vec<(Relation, Version<'_>)>> {
    let comparison = |part| {
        let signs = [
            (">=", Relation::Than(Comparison::Gte)),
            ("<=", Relation::Than(Comparison::Lte)),
            ("!=", Relation::IsNot),
            (">", Relation::Than(Comparison::Gt)),
            ("<", Relation::Than(Comparison::Lt)),
            ("=", Relation::Is),
            ("", Relation::Is),
        ];
        let found = signs.into_iter().find_map(|(sign, relation)| Some((relation, str::strip_prefix(part, sign)?)));
        found.and_then(|(relation, version)| Some((relation, Version::parse(version)?)))
    };
    let found: Vec<_> = text.split_ascii_whitespace().map(comparison).collect::<Option<_>>()?;
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "1",
            "1.2",
            "v1.2.3",
            "1.2.3.4",
            "01.2.3",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+",
            "1.2.x",
            " 1.2.3",
            "1.2.3-é",
            "99999999999999999999.0.0",
        ] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
        for text in ["", ">=", ">= 1.2.3", "~1.2.3", "1.2.3 ||", "1.2.3 2"] {
            assert!(comparisons(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn versions_are_ordered_as_another_implementation_orders_them(
            one in "[0-3]\\.[0-3]\\.[0-3](-(0|[1-9a-c]{1,3}|-)(\\.(0|[1-9a-c]{1,2})){0,2})?(\\+[0a]{1,2})?",
            other in "[0-3]\\.[0-3]\\.[0-3](-(0|[1-9a-c]{1,3}|-)(\\.(0|[1-9a-c]{1,2})){0,2})?",
        ) {
            let theirs = semver::Version::parse(&one).unwrap().cmp_precedence(&semver::Version::parse(&other).unwrap());
            prop_assert_eq!(Version::parse(&one).unwrap().order(Version::parse(&other).unwrap()), theirs);
        }

        #[test]
        fn what_is_a_version_is_one_to_another_implementation(text in "[0-9a.+-]{0,12}") {
            prop_assert_eq!(Version::parse(&text).is_some(), semver::Version::parse(&text).is_ok(), "{}", text);
        }
    }
}
