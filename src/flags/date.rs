//! Dates of conditions and attributes: ISO 8601 as JavaScript writes it, or milliseconds since the epoch.

/// Milliseconds since the epoch of `2026-01-31`, `2026-01-31T12:00Z`, `2026-01-31T12:00:00.5+02:00`; years 0000 to 9999.
///
/// A date without a time begins at midnight UTC, a time without an offset is UTC: flags must not depend on where they run.
#[must_use]
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let (year, month, day) = match *date.as_bytes() {
        [a, b, c, d, b'-', e, f, b'-', g, h] => (digits(&[a, b, c, d])?, digits(&[e, f])?, digits(&[g, h])?),
        _ => return None,
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let midnight = days_since_epoch(year, month, day) * 86_400_000;
    time.map_or(Some(midnight), |time| Some(midnight + of_day(time)?))
}

/// Milliseconds of `12:00`, `12:00:00` and `12:00:00.123`, with `Z` or an offset behind it.
fn of_day(text: &str) -> Option<i64> {
    let (time, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..at], offset(&text[at..])?),
        None => (text, 0),
    };
    let (hours, rest) = time.split_at_checked(2)?;
    let (minutes, rest) = rest.strip_prefix(':')?.split_at_checked(2)?;
    let (hours, minutes) = (digits(hours.as_bytes())?, digits(minutes.as_bytes())?);
    let (seconds, millis) = match rest.strip_prefix(':') {
        None if rest.is_empty() => (0, 0),
        None => return None,
        Some(rest) => {
            let (seconds, fraction) = rest.split_at_checked(2)?;
            (digits(seconds.as_bytes())?, thousandths(fraction)?)
        }
    };
    let is_time = (hours < 24 && minutes < 60 && seconds < 60) || (hours, minutes, seconds, millis) == (24, 0, 0, 0);
    is_time.then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis - offset)
}

fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.as_bytes().get(1..)? {
        [a, b, b':', c, d] | [a, b, c, d] => (digits(&[*a, *b])?, digits(&[*c, *d])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// Thousandths of a second of `.5`; what is finer is cut off. At most nine digits.
fn thousandths(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let fraction = text.strip_prefix('.').filter(|fraction| (1..=9).contains(&fraction.len()))?;
    let value = digits(fraction.as_bytes())?;
    let scale = fraction.len() as u32;
    Some(if scale <= 3 { value * 10_i64.pow(3 - scale) } else { value / 10_i64.pow(scale - 3) })
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |sum: i64, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_milliseconds() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00.000Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2022-01-29T13:00:00.000Z", 1_643_461_200_000),
            ("2022-01-22T13:00:00.000+02:00", 1_642_849_200_000),
            ("2022-01-22T13:00-0330", 1_642_869_000_000),
            ("2024-02-29", 1_709_164_800_000),
            ("2000-01-01T24:00", 946_771_200_000),
            ("2000-01-01t00:00:00.5z", 946_684_800_500),
            ("2000-01-01 00:00:00.123456789", 946_684_800_123),
            ("0000-01-01", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "now",
            "2022",
            "2022-1-1",
            "2022-02-30",
            "2023-02-29",
            "1900-02-29",
            "2022-13-01",
            "2022-00-10",
            "2022-01-01T",
            "2022-01-01T25:00",
            "2022-01-01T12",
            "2022-01-01T12:60",
            "2022-01-01T12:00:00.",
            "2022-01-01T12:00:00.1234567890",
            "2022-01-01T12:00:00+2",
            "2022-01-01T12:00:00+24:00",
            "2022-01-01T24:00:01",
            "٢٠٢٢-01-01",
            "2022-01-01T12:00:00ZZ",
            "2022-01-01T1é:00",
            "-2022-01-01",
            "2022-01-01T+1:00",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
