//! Which of two media types a client would rather have.

/// Whether `accept` names `wanted`, and does not like `usual` better: the usual one is for everybody who does not ask.
///
/// Wildcards ask for nothing in particular. A weight of zero is a no; one that is none counts as 1. What comes after the
/// first [`PARTS_MAX`] parts is not looked at.
#[must_use]
pub fn prefers(accept: &str, wanted: &str, usual: &str) -> bool {
    let weight = |media: &str| accept.split(',').take(PARTS_MAX).filter_map(|part| weight_of(part, media)).next();
    match (weight(wanted), weight(usual)) {
        (Some(wanted), Some(usual)) => wanted > 0 && wanted >= usual,
        (Some(wanted), None) => wanted > 0,
        (None, _) => false,
    }
}

/// More parts than this no honest header has.
const PARTS_MAX: usize = 64;

/// The weight of `part` in thousandths, if it names `media`.
fn weight_of(part: &str, media: &str) -> Option<u32> {
    let mut words = part.split(';').map(str::trim);
    if !words.next()?.eq_ignore_ascii_case(media) {
        return None;
    }
    let written = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
    let weight = written.and_then(|text| text.parse::<f64>().ok()).filter(|weight| (0.0..=1.0).contains(weight));
    Some(weight.map_or(1_000, |weight| (weight * 1_000.0) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_it_gets_it() {
        let table = [
            ("application/health+json", true),
            ("APPLICATION/Health+JSON ; q=0.1", true),
            ("application/health+json, application/json;q=0.5", true),
            ("application/json, application/health+json", true),
            ("application/json, application/health+json;q=0.9", false),
            ("application/health+json;q=0", false),
            ("application/health+json;q=nonsense", true),
            ("application/health+json;q=-1, application/json;q=2", true),
            ("application/health+jsonx", false),
            ("xapplication/health+json", false),
            ("*/*", false),
            ("application/*", false),
            ("*/*;q=0", false),
            ("", false),
            (",;,;q=,", false),
        ];
        for (accept, is_preferred) in table {
            assert_eq!(prefers(accept, "application/health+json", "application/json"), is_preferred, "{accept}");
        }
        let long = format!("{}application/health+json", "text/plain,".repeat(10_000));
        assert!(!prefers(&long, "application/health+json", "application/json"));
    }
}
