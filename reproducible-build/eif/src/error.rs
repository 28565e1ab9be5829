//! Why bytes are not an enclave image, or cannot become one.
//!
//! One variant for one rule. The text says what was found and where; [`EifError::remedy`] says what
//! to do. The fault is always with the file or its maker, never with the reader.

use std::io;

use thiserror::Error;

use crate::header::{MAX_IMAGE, MAX_SECTIONS, SectionKind, VERSION};
use crate::signature::SignatureError;

/// A field that has to be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The 16 bits before the number of sections.
    Reserved,
    /// The 32 bits before the checksum.
    Unused,
    /// An entry of the table behind the last section.
    TableEntry {
        /// Which entry, from 0.
        index: usize,
    },
}

/// Why a file is not an enclave image this project accepts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EifError {
    /// The checksum in the header is not that of the file.
    #[error("the header says checksum {stored:08x}, the file has {computed:08x}")]
    Checksum {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// The command line contains a byte that ends it early.
    #[error("the command line has a zero byte at {position}; the kernel would not see the rest")]
    CommandLineZero {
        /// Where, from 0.
        position: usize,
    },
    /// A kind of section stands twice that may stand once.
    #[error("section {index} is a second {kind}")]
    Duplicate {
        /// Which section, from 0.
        index: usize,
        /// What it is.
        kind: SectionKind,
    },
    /// A section that must have content has none.
    #[error("section {index}, the {kind}, is empty")]
    Empty {
        /// Which section, from 0.
        index: usize,
        /// What it is.
        kind: SectionKind,
    },
    /// A flag that has no meaning in this version.
    #[error("the header's flags are {found:#06x}; only bit 0 (aarch64) is defined")]
    Flags {
        /// What was found.
        found: u16,
    },
    /// Bytes between two sections belong to none.
    #[error(
        "section {index} begins at byte {offset}, {missing} bytes after the one before it ends"
    )]
    Gap {
        /// Which section, from 0.
        index: usize,
        /// Where the table says it begins.
        offset: u64,
        /// Bytes that belong to nothing.
        missing: u64,
    },
    /// The whole would be larger than any image.
    #[error("the sections add up to more than {MAX_IMAGE} bytes")]
    ImageTooLarge,
    /// Reading failed.
    #[error("reading failed: {0}")]
    Io(io::ErrorKind),
    /// It is something else.
    #[error("the file begins with {found:02x?}, an enclave image with \".eif\"")]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// A kind of section that every image has is not there.
    #[error("there is no {kind}")]
    Missing {
        /// What is missing.
        kind: SectionKind,
    },
    /// Sections in an order in which loaders and tools need not measure the same.
    #[error("section {index}, a {kind}, stands after a {after}")]
    Order {
        /// Which section, from 0.
        index: usize,
        /// What it is.
        kind: SectionKind,
        /// What stands before it and must not.
        after: SectionKind,
    },
    /// Two sections share bytes.
    #[error("section {index} begins at byte {offset}, inside what ends at byte {end}")]
    Overlap {
        /// Which section, from 0.
        index: usize,
        /// Where the table says it begins.
        offset: u64,
        /// Where the header or the section before it ends.
        end: u64,
    },
    /// A field that must be zero is not.
    #[error("{field:?} is not zero")]
    Reserved {
        /// Which.
        field: Field,
    },
    /// A section has flags; none are defined.
    #[error("section {index} has flags {found:#06x}; none are defined")]
    SectionFlags {
        /// Which section, from 0.
        index: usize,
        /// What was found.
        found: u16,
    },
    /// A kind of section that is not defined.
    #[error("section {index} is of kind {found}; 1 to 5 are defined")]
    SectionKind {
        /// Which section, from 0.
        index: usize,
        /// What was found.
        found: u16,
    },
    /// The table and the section disagree about its size.
    #[error("section {index} has {section} bytes by its own header and {table} by the table")]
    SectionSize {
        /// Which section, from 0.
        index: usize,
        /// What the header's table says.
        table: u64,
        /// What the section's header says.
        section: u64,
    },
    /// A section is larger than its kind may be.
    #[error("section {index}, the {kind}, has {size} bytes; at most {max}")]
    SectionTooLarge {
        /// Which section, from 0.
        index: usize,
        /// What it is.
        kind: SectionKind,
        /// Its size.
        size: u64,
        /// What is allowed.
        max: u64,
    },
    /// The signature section is not one.
    #[error("the signature section: {0}")]
    Signature(#[from] SignatureError),
    /// Bytes after the last section.
    #[error("there are bytes after the last section, which ends at byte {end}")]
    Trailing {
        /// Where the image ends.
        end: u64,
    },
    /// The file ends too early.
    #[error("the file ends at byte {length}; the header or its table promises {promised} bytes")]
    Truncated {
        /// Bytes there are.
        length: u64,
        /// Bytes there should be, at least.
        promised: u64,
    },
    /// More sections than the table holds.
    #[error("{found} sections; at most {MAX_SECTIONS}")]
    TooManySections {
        /// How many.
        found: usize,
    },
    /// Another version of the format.
    #[error("the image is of version {found}; this reads version {VERSION}")]
    Version {
        /// What was found.
        found: u16,
    },
}

impl EifError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Checksum { .. } | Self::Truncated { .. } => {
                "the file was damaged or changed on its way: get it again and compare its digest"
            }
            Self::Io(_) => "check the medium and the permissions, then try again",
            Self::Magic { .. } => "name an enclave image file (.eif)",
            Self::Version { .. } => "build the image with current tools",
            Self::Trailing { .. } => {
                "do not use the file: somebody put bytes where no measurement reaches"
            }
            Self::CommandLineZero { .. } | Self::Empty { .. } | Self::Missing { .. } => {
                "build the image from a kernel, a command line, metadata and at least one ramdisk"
            }
            Self::SectionTooLarge { .. } | Self::TooManySections { .. } | Self::ImageTooLarge => {
                "make the part named above smaller, or fewer of them"
            }
            Self::Signature(_) => "sign the image again: quorate image sign, then attach",
            _ => "do not use the file: its maker's tool broke the format, or somebody changed it",
        }
    }
}
