//! Times as RFC 3339 text, in UTC, with milliseconds.

use quorate_protocol::atoms::UnixMillis;

/// RFC 3339 (section 5.6) in UTC with three digits of the second, `2026-11-21T12:00:00.000Z`.
///
/// `None` after the year 9999, which the format cannot express.
#[must_use]
pub fn rfc3339(time: UnixMillis) -> Option<String> {
    let (seconds, millis) = (time.0 / 1000, time.0 % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days)?;
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
    ))
}

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar, up to the year 9999.
fn civil(mut days: u64) -> Option<(u64, u64, u64)> {
    // 9999-12-31 is day 2 932 896; so the loop below runs 8 030 times at most.
    if days > 2_932_896 {
        return None;
    }
    let mut year = 1970;
    while days >= year_length(year) {
        days -= year_length(year);
        year += 1;
    }
    let february = year_length(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    Some((year, month, days + 1))
}

fn year_length(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    365 + u64::from(leap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_234_567_890_123, "2009-02-13T23:31:30.123Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(UnixMillis(millis)).as_deref(), Some(text));
        }
    }

    #[test]
    fn times_after_the_year_9999_have_no_text() {
        assert_eq!(rfc3339(UnixMillis(253_402_300_800_000)), None);
        assert_eq!(rfc3339(UnixMillis(u64::MAX)), None);
    }

    /// Every day until 2400 follows the one before it.
    #[test]
    fn days_follow_each_other() {
        let mut before = (1969, 12, 31);
        for days in 0..157_054 {
            let Some(day) = civil(days) else {
                panic!("day {days} is before the year 9999");
            };
            let (year, month, date) = day;
            let follows = day == (before.0, before.1, before.2 + 1)
                || (day == (before.0, before.1 + 1, 1) && before.2 >= 28)
                || (day == (before.0 + 1, 1, 1) && (before.1, before.2) == (12, 31));
            assert!(follows, "{before:?} is followed by {year}-{month}-{date}");
            before = day;
        }
        assert_eq!(before, (2399, 12, 31));
    }
}
