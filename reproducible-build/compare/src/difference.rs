//! One difference, and the words for it.

use std::fmt;

use quorate_eif::SectionKind;

use crate::unpack::{Compression, UnpackError};

/// Which of the two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one named first.
    First,
    /// The one named second.
    Second,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Second => "second",
        })
    }
}

/// Where a difference is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the header; in no measurement.
    Header,
    /// In a section of which there is one.
    Section {
        /// Which.
        kind: SectionKind,
    },
    /// In a ramdisk.
    Ramdisk {
        /// Which, from 0.
        index: usize,
    },
    /// In a file of a ramdisk.
    File {
        /// Which ramdisk, from 0.
        ramdisk: usize,
        /// The file's path as the archive has it; bytes that are not UTF-8 are replaced.
        path: String,
    },
}

impl Place {
    /// Whether a register changes with it.
    pub fn is_measured(&self) -> bool {
        match self {
            Self::Header => false,
            Self::Section { kind } => kind.is_measured(),
            Self::Ramdisk { .. } | Self::File { .. } => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Section { kind } => kind.fmt(f),
            Self::Ramdisk { index } => write!(f, "ramdisk {index}"),
            Self::File { ramdisk, path } => write!(f, "ramdisk {ramdisk}, {path}"),
        }
    }
}

/// What differs there: the first image's, then the second's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The same sections stand in another order.
    SectionOrder,
    /// Only one has it.
    OnlyIn(Side),
    /// Content.
    Bytes {
        /// The first byte that differs, from 0.
        offset: usize,
        /// The byte there, or none where the content has ended.
        bytes: (Option<u8>, Option<u8>),
        /// How long each is.
        lengths: (usize, usize),
    },
    /// The same content, compressed to other bytes.
    Compressed {
        /// How each is compressed.
        by: (Compression, Compression),
        /// The first byte that differs, from 0.
        offset: usize,
    },
    /// A ramdisk that cannot be opened, so that nothing is known of its files.
    Opaque {
        /// Which image's.
        side: Side,
        /// Why.
        why: UnpackError,
        /// The first byte that differs, from 0.
        offset: usize,
    },
    /// An archive is laid out otherwise, with the same files.
    Layout {
        /// The first byte that differs once unpacked, from 0.
        offset: usize,
    },
    /// One attribute, of a file or of the image.
    Attribute {
        /// Its name.
        name: &'static str,
        /// Its values.
        values: (String, String),
    },
}

impl What {
    /// The first byte in which two contents differ.
    pub(crate) fn bytes(first: &[u8], second: &[u8]) -> Self {
        let offset = first_difference(first, second);
        Self::Bytes {
            offset,
            bytes: (first.get(offset).copied(), second.get(offset).copied()),
            lengths: (first.len(), second.len()),
        }
    }
}

/// Where two contents begin to differ: at most where the shorter ends.
pub(crate) fn first_difference(first: &[u8], second: &[u8]) -> usize {
    // Large content is compared in blocks first.
    const BLOCK: usize = 4096;
    let blocks = first.chunks(BLOCK).zip(second.chunks(BLOCK));
    let same = blocks.take_while(|(one, other)| one == other).count();
    let start = same
        .saturating_mul(BLOCK)
        .min(first.len())
        .min(second.len());
    let rest = first.iter().skip(start).zip(second.iter().skip(start));
    let more = rest.take_while(|(one, other)| one == other).count();
    start.saturating_add(more)
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SectionOrder => f.write_str("the same sections in another order"),
            Self::OnlyIn(side) => write!(f, "only in the {side}"),
            Self::Bytes {
                offset,
                bytes,
                lengths: (one, other),
            } => {
                write!(f, "differs from byte {offset} on: ")?;
                let byte = |byte: Option<u8>| match byte {
                    Some(byte) => format!("{byte:#04x}"),
                    None => "the end".to_owned(),
                };
                write!(f, "{} and {}", byte(bytes.0), byte(bytes.1))?;
                match one == other {
                    true => write!(f, " ({one} bytes each)"),
                    false => write!(f, " ({one} and {other} bytes)"),
                }
            }
            Self::Compressed {
                by: (one, other),
                offset,
            } => write!(
                f,
                "the same content, compressed ({one} and {other}) to bytes that differ from {offset} on"
            ),
            Self::Opaque { side, why, offset } => write!(
                f,
                "differs from byte {offset} on; its files cannot be listed, the {side}'s: {why}"
            ),
            Self::Layout { offset } => write!(
                f,
                "the same files in an archive laid out otherwise, from byte {offset} on"
            ),
            Self::Attribute {
                name,
                values: (one, other),
            } => write!(f, "{name} {one} and {other}"),
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// What.
    pub what: What,
}

impl Difference {
    pub(crate) const fn new(place: Place, what: What) -> Self {
        Self { place, what }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
