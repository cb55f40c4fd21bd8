//! Small letters, for conditions to which case does not count, without an allocation.

use super::context::TEXT_MAX;

/// Most bytes of a text in small letters: no letter becomes more than three times as long.
const LOWER_MAX: usize = 3 * TEXT_MAX;

/// A text in small letters.
pub(super) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Calls `look` with `text` in small letters, as [`lower`] has them. None for a text that is longer than an attribute may be.
pub(super) fn with_lower<T>(text: &str, look: impl FnOnce(&str) -> T) -> Option<T> {
    if text.len() <= SHORT { in_bytes::<{ 3 * SHORT }, T>(text, look) } else { in_bytes::<LOWER_MAX, T>(text, look) }
}

const SHORT: usize = 128;

fn in_bytes<const N: usize, T>(text: &str, look: impl FnOnce(&str) -> T) -> Option<T> {
    let mut bytes = [0_u8; N];
    let mut length = 0;
    for letter in text.chars().flat_map(char::to_lowercase) {
        let room = bytes.get_mut(length..length + letter.len_utf8())?;
        letter.encode_utf8(room);
        length += letter.len_utf8();
    }
    str::from_utf8(bytes.get(..length)?).ok().map(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_letters_are_the_same_either_way() {
        for text in ["", "TEsT@Example.COM", "ÄÖÜ ẞ İ ΑΣ", "😊", &"İ".repeat(2_000), &"X".repeat(TEXT_MAX)] {
            assert_eq!(with_lower(text, str::to_owned), Some(lower(text)));
        }
        assert_eq!(with_lower(&"x".repeat(3 * TEXT_MAX + 1), str::to_owned), None);
        let longest = (0..=0x10_FFFF).filter_map(char::from_u32);
        let longest = longest.map(|c| c.to_lowercase().map(char::len_utf8).sum::<usize>() as f64 / c.len_utf8() as f64);
        assert!(longest.fold(0.0, f64::max) <= 3.0);
    }
}
