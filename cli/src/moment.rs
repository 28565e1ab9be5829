//! Dates and moments as text, in the Gregorian calendar.

/// Milliseconds since 1970 of an RFC 3339 time in UTC, `Z` or `+00:00`, with any fraction of whole
/// milliseconds.
pub(crate) fn unix_ms(text: &str) -> Option<u64> {
    let text = text.strip_suffix("+00:00").or(text.strip_suffix('Z'))?;
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let part = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let marked = |(at, mark): &(usize, u8)| text.as_bytes().get(*at) == Some(mark);
    if text.len() != 19 || !marks.iter().all(marked) {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let calendar = year >= 1970 && (1..=days_of(year, month)?).contains(&day);
    if !calendar || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = u64::try_from(((days * 24 + hour) * 60 + minute) * 60 + second).ok()?;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.is_empty() || fraction.len() > 9 || !digits {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    nanos
        .is_multiple_of(1_000_000)
        .then(|| seconds * 1000 + nanos / 1_000_000)
}

/// Milliseconds since 1970 of the first moment, UTC, of a day that is written `2027-02-28`.
pub(crate) fn day_ms(text: &str) -> Option<u64> {
    unix_ms(&format!("{text}T00:00:00Z"))
}

/// Days from 1970-01-01, of years that begin in March. The date is one of the calendar.
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Days of a month; none for a month that is none.
fn days_of(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(28 + i64::from(leap)),
        4 | 6 | 9 | 11 => Some(30),
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        _ => None,
    }
}
