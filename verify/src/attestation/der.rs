//! A bounded reader for the part of DER (X.690) that certificates use.
//!
//! It borrows from the input, allocates nothing and never recurses. DER has one encoding for a
//! value, and this reader takes no other: lengths in their shortest definite form, tags of one
//! byte, numbers and object identifiers in their shortest form, `TRUE` as `ff`. `None` stands for
//! everything else; which certificate it was, and why that matters, is for the caller to say.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Reads elements one after another.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

/// One element: its tag, its content, and both with the length between them.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The tag of the next element, if there is one.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        const LONG_TAG: u8 = 0x1f;
        let (tag, rest) = self.0.split_first()?;
        if tag & LONG_TAG == LONG_TAG {
            return None;
        }
        let (length, rest) = match rest.split_first()? {
            (short @ 0..=0x7f, rest) => (usize::from(*short), rest),
            (0x81, rest) => match rest.split_first()? {
                (length @ 0x80.., rest) => (usize::from(*length), rest),
                _ => return None,
            },
            (0x82, rest) => match rest.split_first_chunk()? {
                (length @ [1..=0xff, _], rest) => (usize::from(u16::from_be_bytes(*length)), rest),
                _ => return None,
            },
            // Nothing that is read here is as long as what a further form could say.
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let (whole, _) = self
            .0
            .split_at_checked(self.0.len().checked_sub(rest.len())?)?;
        self.0 = rest;
        Some(Element {
            tag: *tag,
            content,
            whole,
        })
    }

    /// The next element, which has this tag.
    pub(super) fn element(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The content of the next element, which has this tag.
    pub(super) fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element(tag).map(|element| element.content)
    }

    /// The content of the next element if it has this tag; the outer `None` is a broken element.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        match self.peek() {
            Some(found) if found == tag => self.content(tag).map(Some),
            _ => Some(None),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Demands that nothing is left.
    pub(super) fn end(self) -> Option<()> {
        self.is_empty().then_some(())
    }

    /// An optional `BOOLEAN DEFAULT FALSE`. What is the default is not written.
    pub(super) fn default_false(&mut self) -> Option<bool> {
        match self.optional(BOOLEAN)? {
            None => Some(false),
            Some([0xff]) => Some(true),
            Some(_) => None,
        }
    }

    /// An object identifier, as its content.
    pub(super) fn object_identifier(&mut self) -> Option<&'a [u8]> {
        let content = self.content(OBJECT_IDENTIFIER)?;
        // Groups of seven bits; the high bit says that the number goes on, and none begins with
        // zeros.
        let mut begins = true;
        for byte in content {
            if begins && *byte == 0x80 {
                return None;
            }
            begins = byte & 0x80 == 0;
        }
        (begins && !content.is_empty()).then_some(content)
    }

    /// A whole number, as its content.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        let content = self.content(INTEGER)?;
        match content {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => None,
            _ => Some(content),
        }
    }

    /// A number that is not negative, without its leading zero. Zero is empty.
    pub(super) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.integer()? {
            [0, rest @ ..] => Some(rest),
            [0x80..=0xff, ..] => None,
            content => Some(content),
        }
    }

    /// A string of whole bytes in a `BIT STRING`.
    pub(super) fn bytes_in_bits(&mut self) -> Option<&'a [u8]> {
        match self.content(BIT_STRING)? {
            [0, bytes @ ..] => Some(bytes),
            _ => None,
        }
    }
}

/// Seconds since 1970 of a `UTCTime`, or of a `GeneralizedTime` from 2050 on, in the only forms
/// that RFC 5280 section 4.1.2.5 knows: to the second, in UTC.
pub(super) fn unix_time(element: Element<'_>) -> Option<u64> {
    let (year, rest) = match (element.tag, element.content) {
        (UTC_TIME, [y1, y2, rest @ ..]) => match two_digits(*y1, *y2)? {
            year @ 0..=49 => (year.checked_add(2000)?, rest),
            year => (year.checked_add(1900)?, rest),
        },
        (GENERALIZED_TIME, [y1, y2, y3, y4, rest @ ..]) => {
            let century = two_digits(*y1, *y2)?.checked_mul(100)?;
            let year = century.checked_add(two_digits(*y3, *y4)?)?;
            if year < 2050 {
                return None;
            }
            (year, rest)
        }
        _ => return None,
    };
    let [m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'Z'] = rest else {
        return None;
    };
    let (month, day) = (two_digits(*m1, *m2)?, two_digits(*d1, *d2)?);
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*n1, *n2)?);
    let second = two_digits(*s1, *s2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    days.checked_mul(24)?
        .checked_add(hour)?
        .checked_mul(60)?
        .checked_add(minute)?
        .checked_mul(60)?
        .checked_add(second)
}

fn two_digits(high: u8, low: u8) -> Option<u64> {
    let digit = |byte: u8| char::from(byte).to_digit(10).map(u64::from);
    digit(high)?.checked_mul(10)?.checked_add(digit(low)?)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` if there is no such date or it
/// is earlier.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (before, length) = match month {
        1 => (0, 31),
        2 => (31, if leap { 29 } else { 28 }),
        3 => (59, 31),
        4 => (90, 30),
        5 => (120, 31),
        6 => (151, 30),
        7 => (181, 31),
        8 => (212, 31),
        9 => (243, 30),
        10 => (273, 31),
        11 => (304, 30),
        12 => (334, 31),
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    // Leap days from year 1 up to the year before this one, and up to 1969.
    const BEFORE_1970: u64 = 477;
    let past = year.checked_sub(1)?;
    let leap_days = (past / 4)
        .checked_sub(past / 100)?
        .checked_add(past / 400)?
        .checked_sub(BEFORE_1970)?;
    let this_year = u64::from(leap && month > 2);
    year.checked_sub(1970)?
        .checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(before)?
        .checked_add(this_year)?
        .checked_add(day)?
        .checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T>(bytes: &'a [u8], with: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        let mut reader = Reader::new(bytes);
        let value = with(&mut reader)?;
        reader.end()?;
        Some(value)
    }

    #[test]
    fn lengths_have_one_form() {
        let long = |head: &[u8], length: usize| [head, &vec![7; length]].concat();
        for (bytes, length) in [
            (long(&[4, 0], 0), Some(0)),
            (long(&[4, 0x7f], 0x7f), Some(0x7f)),
            (long(&[4, 0x81, 0x80], 0x80), Some(0x80)),
            (long(&[4, 0x81, 0xff], 0xff), Some(0xff)),
            (long(&[4, 0x82, 1, 0], 0x100), Some(0x100)),
            (long(&[4, 0x82, 0xff, 0xff], 0xffff), Some(0xffff)),
            (long(&[4, 0x81, 0x7f], 0x7f), None),
            (long(&[4, 0x82, 0, 0xff], 0xff), None),
            (long(&[4, 0x83, 0, 1, 0], 0x100), None),
            (long(&[4, 0x84, 0xff, 0xff, 0xff, 0xff], 9), None),
            (vec![4, 0x80, 0, 0], None),
            (vec![4, 0xff], None),
            (vec![4, 2, 7], None),
            (vec![4, 1, 7, 7], None),
            (vec![4], None),
            (vec![], None),
            (vec![0x1f, 1, 7], None),
            (vec![0x3f, 1, 7], None),
        ] {
            let found = read(&bytes, Reader::any);
            assert_eq!(
                found.map(|element| element.content.len()),
                length,
                "{bytes:02x?}"
            );
            if let Some(element) = found {
                assert_eq!((element.tag, element.whole), (4, &bytes[..]));
            }
        }
    }

    #[test]
    fn numbers_have_one_form() {
        for (bytes, integer, unsigned) in [
            (&[2, 1, 0][..], Some(&[0][..]), Some(&[][..])),
            (&[2, 1, 0x7f], Some(&[0x7f]), Some(&[0x7f])),
            (&[2, 2, 0, 0x80], Some(&[0, 0x80]), Some(&[0x80])),
            (&[2, 1, 0x80], Some(&[0x80]), None),
            (&[2, 1, 0xff], Some(&[0xff]), None),
            (&[2, 2, 0xff, 0x7f], Some(&[0xff, 0x7f]), None),
            (&[2, 2, 0, 0x7f], None, None),
            (&[2, 2, 0, 0], None, None),
            (&[2, 2, 0xff, 0x80], None, None),
            (&[2, 0], None, None),
            (&[3, 1, 0], None, None),
        ] {
            assert_eq!(read(bytes, Reader::integer), integer, "{bytes:02x?}");
            assert_eq!(read(bytes, Reader::unsigned), unsigned, "{bytes:02x?}");
        }
    }

    #[test]
    fn object_identifiers_have_one_form() {
        for (content, right) in [
            (&[0x55][..], true),
            (&[0x55, 4, 3], true),
            (&[0x2a, 0x86, 0x48], true),
            (&[0x2a, 0x81, 0x80, 0], true),
            (&[], false),
            (&[0x80, 1], false),
            (&[0x2a, 0x80, 1], false),
            (&[0x2a, 0x86], false),
        ] {
            let bytes = [&[6, content.len() as u8], content].concat();
            let found = read(&bytes, Reader::object_identifier);
            assert_eq!(found, right.then_some(content), "{content:02x?}");
        }
    }

    #[test]
    fn a_default_is_not_written() {
        let of = |bytes| read(bytes, Reader::default_false);
        assert_eq!(of(&[]), Some(false));
        assert_eq!(of(&[1, 1, 0xff]), Some(true));
        for bytes in [
            &[1, 1, 0][..],
            &[1, 1, 1],
            &[1, 1, 0xfe],
            &[1, 0],
            &[1, 2, 0xff, 0xff],
        ] {
            assert_eq!(of(bytes), None, "{bytes:02x?}");
        }
        // Something else is left for whoever comes next.
        assert_eq!(of(&[2, 1, 0]), None);
    }

    #[test]
    fn bits_are_whole_bytes() {
        let of = |bytes| read(bytes, Reader::bytes_in_bits);
        assert_eq!(of(&[3, 1, 0]), Some(&[][..]));
        assert_eq!(of(&[3, 3, 0, 8, 9]), Some(&[8, 9][..]));
        for bytes in [&[3, 0][..], &[3, 2, 1, 8], &[3, 2, 8, 8], &[4, 1, 0]] {
            assert_eq!(of(bytes), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let of = |tag, text: &str| {
            let bytes = [&[tag, text.len() as u8], text.as_bytes()].concat();
            read(&bytes, Reader::any).and_then(unix_time)
        };
        for (tag, text, unix) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "000228235959Z", 951_782_399),
            (UTC_TIME, "000229000000Z", 951_782_400),
            (UTC_TIME, "000301000000Z", 951_868_800),
            (UTC_TIME, "191028132805Z", 1_572_269_285),
            (UTC_TIME, "270115080000Z", 1_800_000_000),
            (UTC_TIME, "491028142805Z", 2_519_044_085),
            (UTC_TIME, "991231235959Z", 946_684_799),
            (GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
            (GENERALIZED_TIME, "21000301000000Z", 4_107_542_400),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(of(tag, text), Some(unix), "{text}");
        }
        for (tag, text) in [
            (UTC_TIME, "691231235959Z"),
            (UTC_TIME, "270115080000"),
            (UTC_TIME, "2701150800Z"),
            (UTC_TIME, "270115080000+0000"),
            (UTC_TIME, "270115080000z"),
            (UTC_TIME, "27011508000 Z"),
            (UTC_TIME, "+70115080000Z"),
            (UTC_TIME, "270015080000Z"),
            (UTC_TIME, "271315080000Z"),
            (UTC_TIME, "270100080000Z"),
            (UTC_TIME, "270132080000Z"),
            (UTC_TIME, "270229080000Z"),
            (UTC_TIME, "270431080000Z"),
            (UTC_TIME, "270115240000Z"),
            (UTC_TIME, "270115086000Z"),
            (UTC_TIME, "270115080060Z"),
            (UTC_TIME, ""),
            (GENERALIZED_TIME, "20491231235959Z"),
            (GENERALIZED_TIME, "21000229000000Z"),
            (GENERALIZED_TIME, "20500101000000.5Z"),
            (GENERALIZED_TIME, "500101000000Z"),
            (INTEGER, "270115080000Z"),
        ] {
            assert_eq!(of(tag, text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_five_centuries_has_its_number() {
        let mut expected = 0;
        for year in 1970_u64..2470 {
            let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
            let february = if leap { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(lengths) {
                for day in 1..=length {
                    let found = days_since_1970(year, month, day);
                    assert_eq!(found, Some(expected), "{year}-{month}-{day}");
                    expected += 1;
                }
                assert_eq!(days_since_1970(year, month, 0), None);
                assert_eq!(days_since_1970(year, month, length + 1), None);
            }
        }
        for (year, month) in [(0, 1), (1969, 12), (1970, 0), (1970, 13)] {
            assert_eq!(days_since_1970(year, month, 1), None, "{year}-{month}");
        }
    }
}
