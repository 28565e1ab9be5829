//! Distinguished names (X.501), compared as bytes and written as text.
//!
//! The profile has one attribute in each place of a name, as in every certificate of AWS's. DER has
//! one encoding for such a name, so two are the same exactly when their bytes are.

use core::fmt;

use super::der::{self, Reader};
use super::text::Hex;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// A name in the profile, as it lies in its certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// One attribute of a name.
#[derive(Clone, Copy)]
struct Attribute<'a> {
    id: &'a [u8],
    value: der::Element<'a>,
}

impl<'a> Name<'a> {
    /// Reads the next element as a name.
    pub(super) fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let element = reader.element(der::SEQUENCE)?;
        let mut rest = Reader::new(element.content);
        while !rest.is_empty() {
            Attribute::read(&mut rest)?;
        }
        Some(Self {
            whole: element.whole,
            content: element.content,
        })
    }

    /// The common name, if there is exactly one and it is a text.
    pub(super) fn common_name(&self) -> Option<&'a str> {
        let mut values = self
            .attributes()
            .filter(|attribute| attribute.id == COMMON_NAME);
        match (values.next(), values.next()) {
            (Some(attribute), None) => attribute.text(),
            _ => None,
        }
    }

    fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut rest = Reader::new(self.content);
        core::iter::from_fn(move || Attribute::read(&mut rest))
    }
}

impl<'a> Attribute<'a> {
    /// Reads the next element as a set of one attribute.
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let mut set = Reader::new(reader.content(der::SET)?);
        let mut pair = Reader::new(set.content(der::SEQUENCE)?);
        set.end()?;
        let attribute = Self {
            id: pair.object_identifier()?,
            value: pair.any()?,
        };
        pair.end()?;
        Some(attribute)
    }

    fn text(&self) -> Option<&'a str> {
        match self.value.tag {
            der::UTF8_STRING | der::PRINTABLE_STRING => {
                core::str::from_utf8(self.value.content).ok()
            }
            _ => None,
        }
    }

    /// The short name of RFC 4514 section 3.
    fn short_name(&self) -> Option<&'static str> {
        match self.id {
            [0x55, 4, 3] => Some("CN"),
            [0x55, 4, 6] => Some("C"),
            [0x55, 4, 7] => Some("L"),
            [0x55, 4, 8] => Some("ST"),
            [0x55, 4, 9] => Some("STREET"),
            [0x55, 4, 10] => Some("O"),
            [0x55, 4, 11] => Some("OU"),
            _ => None,
        }
    }
}

/// As in RFC 4514: the last attribute first. What is no text, or of no known kind, is written in
/// hexadecimal.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<_> = self.attributes().collect();
        for (place, attribute) in attributes.iter().rev().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            match (attribute.short_name(), attribute.text()) {
                (Some(name), Some(text)) => {
                    write!(f, "{name}=")?;
                    escape(text, f)?;
                }
                _ => {
                    dotted(attribute.id, f)?;
                    write!(f, "=#{}", Hex(attribute.value.whole))?;
                }
            }
        }
        Ok(())
    }
}

/// RFC 4514 section 2.4.
fn escape(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (place, character) in text.chars().enumerate() {
        match character {
            '\0' => f.write_str("\\00")?,
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{character}")?,
            ' ' if place == 0 || place == last => f.write_str("\\ ")?,
            '#' if place == 0 => f.write_str("\\#")?,
            _ => write!(f, "{character}")?,
        }
    }
    Ok(())
}

/// An object identifier as numbers with dots between them.
fn dotted(id: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut first = true;
    let mut number: u128 = 0;
    for byte in id {
        // A certificate has room for longer numbers than this; they are cut, for eyes only.
        number = (number << 7) | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if first {
            let root = (number / 40).min(2);
            write!(
                f,
                "{root}.{}",
                number.saturating_sub(root.saturating_mul(40))
            )?;
        } else {
            write!(f, ".{number}")?;
        }
        (first, number) = (false, 0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: u8 = der::UTF8_STRING;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8], content].concat()
    }

    fn attribute(id: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let pair = [tlv(der::OBJECT_IDENTIFIER, id), tlv(tag, value)].concat();
        tlv(der::SET, &tlv(der::SEQUENCE, &pair))
    }

    fn name(attributes: &[Vec<u8>]) -> Vec<u8> {
        tlv(der::SEQUENCE, &attributes.concat())
    }

    fn text(attributes: &[Vec<u8>]) -> String {
        let bytes = name(attributes);
        Name::read(&mut Reader::new(&bytes))
            .expect("a name")
            .to_string()
    }

    #[test]
    fn names_are_written_as_in_rfc_4514() {
        let country = attribute(&[0x55, 4, 6], der::PRINTABLE_STRING, b"US");
        let organization = attribute(&[0x55, 4, 10], UTF8, "Amazon".as_bytes());
        let common = attribute(COMMON_NAME, UTF8, b"a.b");
        assert_eq!(text(&[]), "");
        assert_eq!(
            text(&[country, organization, common]),
            "CN=a.b,O=Amazon,C=US"
        );
        for (value, written) in [
            ("a,b", "a\\,b"),
            (" a b ", "\\ a b\\ "),
            ("#a#", "\\#a#"),
            ("\"+;<>\\=", "\\\"\\+\\;\\<\\>\\\\="),
            ("a\0b", "a\\00b"),
            ("", ""),
        ] {
            let bytes = attribute(COMMON_NAME, UTF8, value.as_bytes());
            assert_eq!(text(&[bytes]), format!("CN={written}"));
        }
        // The table of RFC 4514 section 3, without the two that no certificate of AWS has.
        for (id, written) in [(7, "L"), (8, "ST"), (9, "STREET"), (11, "OU")] {
            let bytes = attribute(&[0x55, 4, id], UTF8, b"x");
            assert_eq!(text(&[bytes]), format!("{written}=x"));
        }
        let unknown = attribute(&[0x2a, 0x86, 0x48, 1], UTF8, b"x");
        assert_eq!(text(&[unknown]), "1.2.840.1=#0c0178");
        let unknown = attribute(&[0x88, 0x37, 3], UTF8, b"");
        assert_eq!(text(&[unknown]), "2.999.3=#0c00");
        let number = attribute(COMMON_NAME, der::INTEGER, &[5]);
        assert_eq!(text(&[number]), "2.5.4.3=#020105");
        let broken = attribute(COMMON_NAME, UTF8, &[0xff]);
        assert_eq!(text(&[broken]), "2.5.4.3=#0c01ff");
        // Longer than any number here; nothing overflows.
        let long = attribute(&[&[0xff; 40][..], &[0x7f]].concat(), UTF8, b"");
        assert!(text(&[long]).starts_with("2."));
    }

    #[test]
    fn names_of_another_form_are_none() {
        let right = attribute(COMMON_NAME, UTF8, b"a");
        let none = |bytes: &[u8]| Name::read(&mut Reader::new(bytes)).is_none();
        assert!(!none(&name(std::slice::from_ref(&right))));
        let pair = &right[2..];
        let two = tlv(der::SET, &[pair, pair].concat());
        let id = tlv(der::OBJECT_IDENTIFIER, COMMON_NAME);
        let value = tlv(UTF8, b"a");
        let set = |parts: &[&[u8]]| tlv(der::SET, &tlv(der::SEQUENCE, &parts.concat()));
        for bytes in [
            name(&[two]),
            name(&[tlv(der::SET, &[])]),
            name(&[set(&[&id])]),
            name(&[set(&[&value, &id])]),
            name(&[set(&[&id, &value, &value])]),
            name(&[tlv(der::SEQUENCE, pair)]),
            tlv(der::SET, &right),
            vec![],
        ] {
            assert!(none(&bytes), "{bytes:02x?}");
        }
    }
}
