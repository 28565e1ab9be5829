//! How values are written in messages.

use core::fmt;

use quorate_protocol::atoms::{Name, UnixMillis};

/// A list as a person writes it: `a, b and c`.
pub(crate) struct Listed<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((last, before)) = self.0.split_last() else {
            return f.write_str("nobody");
        };
        for (place, item) in before.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{item}")?;
        }
        let and = if before.is_empty() { "" } else { " and " };
        write!(f, "{and}{last}")
    }
}

/// `alice`, or `alice by surrogate grace`.
pub(crate) fn by_surrogate(member: &Name, surrogate: Option<&Name>) -> String {
    match surrogate {
        None => member.to_string(),
        Some(surrogate) => format!("{member} by surrogate {surrogate}"),
    }
}

/// Lower-case hexadecimal.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A moment in UTC, to the second: `2027-01-15 08:00:00 UTC`.
pub(crate) struct Utc(pub(crate) UnixMillis);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.0 / 1000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are taken to begin in March, so that a leap day is the last of its year. `days` comes from
/// milliseconds in 64 bits, so no step below comes near an overflow.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097; // days in 400 years
    let days = days.saturating_add(719_468); // from 0000-03-01
    let (era, of_era) = (days / ERA, days % ERA);
    let leap_days = (of_era / 1460).saturating_add(of_era / 146_096);
    let year_of_era = of_era
        .saturating_add(of_era / 36_524)
        .saturating_sub(leap_days)
        / 365;
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era / 4)
        .saturating_sub(year_of_era / 100);
    let of_year = of_era.saturating_sub(before);
    let shifted = of_year.saturating_mul(5).saturating_add(2) / 153; // 0 is March
    let day = of_year
        .saturating_sub(shifted.saturating_mul(153).saturating_add(2) / 5)
        .saturating_add(1);
    let month = match shifted {
        0..=9 => shifted.saturating_add(3),
        _ => shifted.saturating_sub(9),
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(u64::from(month <= 2));
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use quorate_protocol::atoms::UnixMillis;

    use super::{Listed, Utc, civil};

    #[test]
    fn lists_read_as_people_write_them() {
        let text = |items: &[&str]| Listed(items).to_string();
        assert_eq!(text(&[]), "nobody");
        assert_eq!(text(&["a"]), "a");
        assert_eq!(text(&["a", "b"]), "a and b");
        assert_eq!(text(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        let text = |seconds: u64| Utc(UnixMillis(seconds * 1000 + 999)).to_string();
        assert_eq!(text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(text(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(text(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(text(1_800_000_000), "2027-01-15 08:00:00 UTC");
        assert_eq!(text(4_107_542_399), "2100-02-28 23:59:59 UTC");
        assert_eq!(text(4_107_542_400), "2100-03-01 00:00:00 UTC");
        // Far beyond any clock, without an overflow.
        assert!(Utc(UnixMillis(u64::MAX)).to_string().ends_with("UTC"));
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil(days), (year, month, day));
            let length = match month {
                2 => 28 + u64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
