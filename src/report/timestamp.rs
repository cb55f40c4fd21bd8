//! Points in time as text.

use crate::clock::Instant;

/// The last millisecond of the year 9999: what has more digits is not this format any more.
const LATEST_MS: u64 = 253_402_300_799_999;

/// ISO 8601 in UTC with milliseconds, such as `2024-01-01T00:00:00.000Z`. Later than the year 9999 is its last moment.
#[must_use]
pub fn iso8601(at: Instant) -> String {
    let ms = at.0.min(LATEST_MS);
    let (year, month, day) = date_of(ms / 86_400_000);
    let of_day = ms % 86_400_000;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Counts in years that begin in March, so that the leap day is the last of its year, and in eras of 400 such years,
/// which all have 146,097 days.
const fn date_of(day_of_epoch: u64) -> (u64, u64, u64) {
    let day = day_of_epoch + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_read_as_in_javascript() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_704_067_200_000, "2024-01-01T00:00:00.000Z"),
            (1_709_164_799_007, "2024-02-28T23:59:59.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ];
        for (ms, text) in table {
            assert_eq!(iso8601(Instant(ms)), text);
        }
    }

    #[test]
    fn days_follow_each_other_for_eight_hundred_years() {
        let mut before = date_of(0);
        for day in 1..292_194 {
            let after = date_of(day);
            let is_next_day = after == (before.0, before.1, before.2 + 1);
            let is_next_month = after == (before.0, before.1 + 1, 1) && before.2 >= 28;
            let is_next_year = after == (before.0 + 1, 1, 1) && (before.1, before.2) == (12, 31);
            assert!(is_next_day || is_next_month || is_next_year, "{before:?} {after:?}");
            before = after;
        }
    }
}
