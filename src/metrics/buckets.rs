//! Where the buckets of histograms end: ten to a decade, at the preferred numbers of ISO 3 (R'10).
//!
//! Each bound is 1.23 to 1.28 times the one before, so a value is known to within 12.3 % from its bucket alone: half the
//! bucket's width, by its middle. Bounds are decimal, so that 1 s and 50 ms, which people ask about, are bounds as
//! well, and all of those that OpenTelemetry's conventions name.
//!
//! Bucket 0 ends at 1, bucket 10 at 10, bucket -30 at 0.001. A bucket holds its upper bound and not its lower.

/// Buckets in a decade.
pub const PER_DECADE: i16 = 10;
/// The bucket of the smallest value that is told from zero: up to 10^-9.
pub const LEAST: i16 = -90;
/// The bucket of the greatest value that is taken: up to 10^12.
pub const GREATEST: i16 = 120;
/// The greatest value that is taken.
pub const VALUE_MAX: f64 = 1e12;

/// The bounds in one decade, in hundredths of its first.
const MANTISSAS: [f64; PER_DECADE as usize] = [100.0, 125.0, 160.0, 200.0, 250.0, 320.0, 400.0, 500.0, 630.0, 800.0];
/// Powers of ten that a double holds exactly, which makes each bound the double nearest to its decimal digits.
const POWERS: [f64; 15] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];

/// Where a bucket ends. Beyond the range, where the range ends.
#[must_use]
pub fn bound(bucket: i16) -> f64 {
    let bucket = bucket.clamp(LEAST, GREATEST);
    let mantissa = MANTISSAS[usize::try_from(bucket.rem_euclid(PER_DECADE)).unwrap_or_default()];
    // Of the mantissa's hundredths.
    let exponent = bucket.div_euclid(PER_DECADE) - 2;
    let power = POWERS[usize::from(exponent.unsigned_abs()).min(POWERS.len() - 1)];
    if exponent < 0 { mantissa / power } else { mantissa * power }
}

/// The bucket of a value above zero and at most [`VALUE_MAX`]; the first for what is smaller than any bound.
#[must_use]
pub fn bucket_of(value: f64) -> i16 {
    let buckets = i32::from(GREATEST - LEAST);
    let (mut low, mut high) = (0, buckets);
    // The first bucket whose bound is not below the value.
    while low < high {
        let middle = i32::midpoint(low, high);
        if bound(LEAST + middle as i16) < value { low = middle + 1 } else { high = middle }
    }
    LEAST + low as i16
}

/// The buckets, ten to a decade, of the bounds that are shown: 1, 2, 5, 10, 20 and so on, from `first` to `last`.
pub fn shown(first: i16, last: i16) -> impl Iterator<Item = i16> {
    (first..=last).filter(|bucket| matches!(bucket.rem_euclid(PER_DECADE), 0 | 3 | 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_doubles_of_their_decimal_digits() {
        let table = [(0, "1"), (10, "10"), (-30, "0.001"), (-28, "0.0016"), (-13, "0.05"), (-3, "0.5"), (5, "3.2")];
        for (bucket, digits) in table {
            assert_eq!(bound(bucket).to_string(), digits);
        }
        assert_eq!((bound(LEAST), bound(GREATEST)), (1e-9, VALUE_MAX));
    }

    #[test]
    fn a_value_lies_above_the_bound_before_and_at_most_at_its_own() {
        for bucket in LEAST + 1..=GREATEST {
            assert!(bound(bucket) > bound(bucket - 1) && bound(bucket) <= bound(bucket - 1) * 1.281, "{bucket}");
            assert_eq!(bucket_of(bound(bucket)), bucket);
            assert_eq!(bucket_of(bound(bucket - 1).next_up()), bucket);
        }
        assert_eq!((bucket_of(1e-300), bucket_of(VALUE_MAX)), (LEAST, GREATEST));
    }

    #[test]
    fn the_bounds_of_opentelemetry_are_among_ours() {
        for known in [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0] {
            let found = shown(-30, 17).any(|bucket| bound(bucket).total_cmp(&known).is_eq());
            assert!(found, "{known}");
        }
    }
}
