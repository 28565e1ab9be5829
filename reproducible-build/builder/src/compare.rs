//! Where two images differ first: which section, which file in it, which byte.
//!
//! For whoever built something else than was expected: the first difference is where to look.
//!
//! Does not: judge. Sections that no register covers are compared too and named as such.

use core::fmt;
use std::io::Read as _;

use lzma_rust2::XzReader;
use quorate_eif::cpio::{self, Entry};
use quorate_eif::{Eif, EifError, SectionKind};

/// Largest ramdisk that is unpacked to compare it.
const MAX_UNPACKED: u64 = 256 << 20;

/// Where two images differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstDifference {
    /// The section: `kernel`, `command line`, `ramdisk 0`.
    pub section: String,
    /// The file in a ramdisk that could be unpacked.
    pub file: Option<String>,
    /// The byte in that file, or in the section, counted from 0.
    pub byte: usize,
    /// Whether any register covers it.
    pub measured: bool,
}

impl fmt::Display for FirstDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.section)?;
        if let Some(file) = &self.file {
            write!(f, ", file {file}")?;
        }
        write!(f, ", byte {}", self.byte)?;
        if !self.measured {
            write!(f, " (in no measurement)")?;
        }
        Ok(())
    }
}

/// The first difference of two images; none when they are the same bytes in every section.
///
/// # Errors
/// If either is no image.
pub fn first_difference(one: &[u8], other: &[u8]) -> Result<Option<FirstDifference>, EifError> {
    let (one, other) = (Eif::parse(one)?, Eif::parse(other)?);
    let (a, b) = (one.sections(), other.sections());
    let mut ramdisks = 0;
    for index in 0..a.len().max(b.len()) {
        let (left, right) = (a.get(index), b.get(index));
        let kind = left.or(right).map(|section| section.kind);
        let name = match kind {
            Some(SectionKind::Ramdisk) => {
                ramdisks += 1;
                format!("ramdisk {}", ramdisks - 1)
            }
            Some(kind) => kind.to_string(),
            None => break,
        };
        if left == right {
            continue;
        }
        let content = |section: Option<&quorate_eif::Section<'_>>| {
            section
                .map(|section| section.content.to_vec())
                .unwrap_or_default()
        };
        let (left, right) = (content(left), content(right));
        let (file, byte) = match (unpacked(&left), unpacked(&right)) {
            (Some(left), Some(right)) if kind == Some(SectionKind::Ramdisk) => {
                in_archives(&left, &right).unwrap_or((None, first_byte(&left, &right)))
            }
            _ => (None, first_byte(&left, &right)),
        };
        return Ok(Some(FirstDifference {
            section: name,
            file,
            byte,
            measured: kind.is_some_and(SectionKind::is_measured),
        }));
    }
    Ok(None)
}

fn first_byte(a: &[u8], b: &[u8]) -> usize {
    let pairs = a.iter().zip(b);
    pairs.take_while(|(a, b)| a == b).count()
}

fn unpacked(ramdisk: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = XzReader::new(ramdisk, false).take(MAX_UNPACKED);
    reader.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The first file that differs between two archives, and where.
fn in_archives(a: &[u8], b: &[u8]) -> Option<(Option<String>, usize)> {
    let (a, b) = (cpio::entries(a).ok()?, cpio::entries(b).ok()?);
    let name = |entry: &Entry<'_>| Some(String::from_utf8_lossy(entry.name).into_owned());
    for index in 0..a.len().max(b.len()) {
        match (a.get(index), b.get(index)) {
            (Some(left), Some(right)) if left.name != right.name => {
                return Some((name(left.min_by_name(right)), 0));
            }
            (Some(left), Some(right)) if left != right => {
                return Some((name(left), first_byte(left.content, right.content)));
            }
            (Some(_), Some(_)) => {}
            (Some(only), None) | (None, Some(only)) => return Some((name(only), 0)),
            (None, None) => break,
        }
    }
    None
}

trait MinByName {
    fn min_by_name<'a>(&'a self, other: &'a Self) -> &'a Self;
}

impl MinByName for Entry<'_> {
    fn min_by_name<'a>(&'a self, other: &'a Self) -> &'a Self {
        if other.name < self.name { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use quorate_eif::cpio::{Archive, Node};
    use quorate_eif::{Architecture, Parts};

    use super::*;

    fn image(kernel: &[u8], files: &[(&str, &str)], metadata: &str) -> Vec<u8> {
        let mut archive = Archive::new();
        for (path, content) in files {
            let node = Node::File(content.as_bytes().to_vec());
            archive.add(path, 0o755, node).unwrap();
        }
        let ramdisk = archive.to_bytes();
        let parts = Parts {
            architecture: Architecture::X86_64,
            kernel,
            command_line: "quiet",
            ramdisks: &[&xz(&ramdisk)],
            metadata: metadata.as_bytes(),
        };
        Eif::assemble(&parts).unwrap().to_bytes()
    }

    /// An xz stream that stores its content, written by hand (xz file format 1.2.1, LZMA2 chunks of
    /// type 1), since the encoder is not among our dependencies.
    fn xz(content: &[u8]) -> Vec<u8> {
        let crc = |bytes: &[u8]| {
            let mut crc = !0_u32;
            for byte in bytes {
                crc ^= u32::from(*byte);
                for _ in 0..8 {
                    crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
                }
            }
            (!crc).to_le_bytes()
        };
        let flags = [0, 1];
        let mut file = b"\xfd7zXZ\0".to_vec();
        file.extend(flags);
        file.extend(crc(&flags));
        let header = [2, 0, 0x21, 1, 22, 0, 0, 0];
        file.extend(header);
        file.extend(crc(&header));
        let mut block = Vec::new();
        for chunk in content.chunks(1 << 16) {
            block.push(1);
            block.extend((chunk.len() as u16).wrapping_sub(1).to_be_bytes());
            block.extend(chunk);
        }
        block.push(0);
        let unpadded = header.len() + 4 + block.len() + 4;
        block.resize(block.len().next_multiple_of(4), 0);
        file.extend(block);
        file.extend(crc(content));
        let number = |mut value: usize| {
            let mut bytes = Vec::new();
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut index = vec![0, 1];
        index.extend(number(unpadded));
        index.extend(number(content.len()));
        index.resize(index.len().next_multiple_of(4), 0);
        index.extend(crc(&index));
        let size = (u32::try_from(index.len()).unwrap() / 4 - 1).to_le_bytes();
        file.extend(index);
        let footer = [&size[..], &flags].concat();
        file.extend(crc(&footer));
        file.extend(footer);
        file.extend(b"YZ");
        file
    }

    fn between(a: &[u8], b: &[u8]) -> Option<String> {
        let found = first_difference(a, b).unwrap();
        found.map(|difference| difference.to_string())
    }

    #[test]
    fn the_first_difference_is_named_by_section_file_and_byte() {
        let good = image(b"kernel", &[("etc", "one"), ("init", "program")], "{}");
        assert_eq!(between(&good, &good), None);
        let kernel = image(b"kerNel", &[("init", "another")], "{}");
        assert_eq!(between(&good, &kernel).unwrap(), "kernel, byte 3");
        let init = image(b"kernel", &[("etc", "one"), ("init", "progrXm")], "{}");
        assert_eq!(
            between(&good, &init).unwrap(),
            "ramdisk 0, file init, byte 5"
        );
        let more = image(
            b"kernel",
            &[("etc", "one"), ("extra", ""), ("init", "program")],
            "{}",
        );
        assert_eq!(
            between(&good, &more).unwrap(),
            "ramdisk 0, file extra, byte 0"
        );
        let claims = image(b"kernel", &[("etc", "one"), ("init", "program")], "{ }");
        assert_eq!(
            between(&good, &claims).unwrap(),
            "metadata, byte 1 (in no measurement)"
        );
    }
}
