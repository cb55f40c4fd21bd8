//! The known name that a mistyped one was probably meant to be.

/// The known name nearest to `name`. What both begin and end with is cut off; of the rest, at most three letters may be
/// left, and fewer than half. That finds one slip, which is what most typing errors are. Case does not count.
#[inline(never)]
pub(crate) fn nearest<'a>(name: &str, known: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best = (4.min(name.len().div_ceil(2)), None);
    for candidate in known {
        let distance = distance(name.as_bytes(), candidate.as_bytes());
        if distance < best.0 {
            best = (distance, Some(candidate));
        }
    }
    best.1
}

fn distance(one: &[u8], other: &[u8]) -> usize {
    let (shorter, longer) = (one.len().min(other.len()), one.len().max(other.len()));
    let same = |(one, other): &(&u8, &u8)| one.eq_ignore_ascii_case(other);
    let start = one.iter().zip(other).take_while(same).count();
    let end = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
    longer - (start + end).min(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_found_wherever_it_is() {
        for (one, other, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("attempts", "atempts", 1),
            ("jitter", "jiter", 1),
            ("jitter", "jittr", 1),
            ("Jitter", "jitter", 0),
            ("delay", "dealy", 2),
            ("aaa", "aa", 1),
            ("enabled", "disabled", 3),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
            assert_eq!(distance(other.as_bytes(), one.as_bytes()), expected, "{other} {one}");
        }
    }

    #[test]
    fn what_is_far_from_everything_is_like_nothing() {
        let nearest = |name| nearest(name, &mut ["retry.attempts", "retry.jitter"].into_iter());
        assert_eq!(nearest("retry.atempts"), Some("retry.attempts"));
        assert_eq!(nearest("RETRY.jittr"), Some("retry.jitter"));
        assert_eq!(nearest("cache.size"), None);
        assert_eq!(nearest("r"), None);
    }
}
