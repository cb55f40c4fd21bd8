//! The environment variables of flags: `FEATURE_…` says what a flag is, `ROLLOUT_…` how many have it.

/// What the variable of a flag that says what it is begins with.
pub const FEATURE: &str = "FEATURE_";
/// What the variable of a flag that says for how many begins with.
pub const ROLLOUT: &str = "ROLLOUT_";

/// What is behind the prefix: the key in capitals, with `_` for all but letters and digits of ASCII.
#[must_use]
pub fn suffix(key: &str) -> String {
    key.chars().map(capital).collect()
}

/// Whether that is what is behind the prefix of a key's variable.
#[must_use]
pub fn is_suffix(key: &str, suffix: &str) -> bool {
    key.chars().map(capital).eq(suffix.chars())
}

const fn capital(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_keys_in_capitals() {
        for (key, expected) in
            [("new-checkout", "NEW_CHECKOUT"), ("ENABLE_X", "ENABLE_X"), ("a.b/c", "A_B_C"), ("é1", "_1"), ("😊", "_")]
        {
            assert_eq!(suffix(key), expected);
            assert!(is_suffix(key, expected) && !is_suffix(key, &expected[1..]) && !is_suffix(key, "NEW"));
        }
    }
}
