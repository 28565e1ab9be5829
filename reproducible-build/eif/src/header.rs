//! The 548 bytes at the front of an image, and the 12 in front of each section.
//!
//! All numbers are big-endian. Source: the format's description and definitions in AWS's
//! `aws-nitro-enclaves-image-format`, version 4.
//!
//! Guarantees: a [`Header`] that was parsed describes sections that stand one after another, without
//! gap or overlap, directly behind it, and whose sum is within [`MAX_IMAGE`]. The kinds of sections
//! are in their own headers; [`Rules`] checks them one by one, in the order they stand.

use std::fmt;

use crate::error::{EifError, Field};

/// The version of the format this crate reads and writes.
pub const VERSION: u16 = 4;
/// Most sections an image can have: the size of the table.
pub const MAX_SECTIONS: usize = 32;
/// Largest image, in bytes. Memory of an enclave bounds it in practice; a stream needs no more.
pub const MAX_IMAGE: u64 = 64 << 30;

/// Bytes of the header.
pub(crate) const HEADER: usize = 548;
/// Bytes of a section's header.
pub(crate) const SECTION_HEADER: usize = 12;
/// What an image begins with.
const MAGIC: [u8; 4] = *b".eif";
/// Bytes of the header that the checksum covers: all but itself.
pub(crate) const COVERED: usize = HEADER - 4;

/// Longest command line: twice what Linux keeps of it on x86-64 and arm64.
const MAX_COMMAND_LINE: u64 = 4096;
/// Largest metadata.
const MAX_METADATA: u64 = 1 << 20;
/// Largest signature section: AWS's limit.
const MAX_SIGNATURE: u64 = 32 * 1024;

/// What the kernel inside was compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit Arm, flag bit 0.
    Aarch64,
    /// 64-bit x86.
    X86_64,
}

impl Architecture {
    const fn flags(self) -> u16 {
        match self {
            Self::X86_64 => 0,
            Self::Aarch64 => 1,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aarch64 => "aarch64",
            Self::X86_64 => "x86_64",
        })
    }
}

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// The kernel; measured into PCR0 and PCR1.
    Kernel,
    /// The kernel's command line; measured into PCR0 and PCR1.
    CommandLine,
    /// A ramdisk; measured into PCR0, and the first into PCR1, all others into PCR2.
    Ramdisk,
    /// Signature of PCR0; the digest of its certificate is PCR8.
    Signature,
    /// What the maker says about the image; in no register.
    Metadata,
}

impl SectionKind {
    /// The number in the file.
    const fn number(self) -> u16 {
        match self {
            Self::Kernel => 1,
            Self::CommandLine => 2,
            Self::Ramdisk => 3,
            Self::Signature => 4,
            Self::Metadata => 5,
        }
    }

    const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Kernel,
            2 => Self::CommandLine,
            3 => Self::Ramdisk,
            4 => Self::Signature,
            5 => Self::Metadata,
            _ => return None,
        })
    }

    /// Largest size, in bytes.
    pub const fn max(self) -> u64 {
        match self {
            Self::Kernel | Self::Ramdisk => MAX_IMAGE,
            Self::CommandLine => MAX_COMMAND_LINE,
            Self::Signature => MAX_SIGNATURE,
            Self::Metadata => MAX_METADATA,
        }
    }

    /// Whether the content is in a register.
    pub const fn is_measured(self) -> bool {
        matches!(self, Self::Kernel | Self::CommandLine | Self::Ramdisk)
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::CommandLine => "command line",
            Self::Ramdisk => "ramdisk",
            Self::Signature => "signature",
            Self::Metadata => "metadata",
        })
    }
}

/// The front of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) architecture: Architecture,
    /// Memory the maker suggests, in bytes.
    pub(crate) memory: u64,
    /// Processors the maker suggests.
    pub(crate) cpus: u64,
    /// Sizes of the sections' content, in bytes.
    pub(crate) sizes: Vec<u64>,
    pub(crate) checksum: u32,
}

impl Header {
    /// Reads a header.
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Self, EifError> {
        let mut fields = Fields(bytes);
        let magic = fields.take::<4>();
        if magic != MAGIC {
            return Err(EifError::Magic { found: magic });
        }
        let version = fields.u16();
        if version != VERSION {
            return Err(EifError::Version { found: version });
        }
        let architecture = match fields.u16() {
            0 => Architecture::X86_64,
            1 => Architecture::Aarch64,
            found => return Err(EifError::Flags { found }),
        };
        let memory = fields.u64();
        let cpus = fields.u64();
        if fields.u16() != 0 {
            let field = Field::Reserved;
            return Err(EifError::Reserved { field });
        }
        let count = usize::from(fields.u16());
        if count > MAX_SECTIONS {
            return Err(EifError::TooManySections { found: count });
        }
        let offsets: Vec<_> = (0..MAX_SECTIONS).map(|_| fields.u64()).collect();
        let mut sizes: Vec<_> = (0..MAX_SECTIONS).map(|_| fields.u64()).collect();
        if fields.u32() != 0 {
            let field = Field::Unused;
            return Err(EifError::Reserved { field });
        }
        let checksum = fields.u32();
        let entries = offsets.into_iter().zip(sizes.iter().copied());
        table(entries, count)?;
        sizes.truncate(count);
        Ok(Self {
            architecture,
            memory,
            cpus,
            sizes,
            checksum,
        })
    }

    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(self.architecture.flags().to_be_bytes());
        bytes.extend(self.memory.to_be_bytes());
        bytes.extend(self.cpus.to_be_bytes());
        bytes.extend(0_u16.to_be_bytes());
        // No header with more than MAX_SECTIONS sizes is made.
        let count = u16::try_from(self.sizes.len()).unwrap_or(u16::MAX);
        bytes.extend(count.to_be_bytes());
        let mut at = HEADER as u64;
        for size in &self.sizes {
            bytes.extend(at.to_be_bytes());
            at = at
                .saturating_add(SECTION_HEADER as u64)
                .saturating_add(*size);
        }
        let free = MAX_SECTIONS.saturating_sub(self.sizes.len());
        bytes.extend(std::iter::repeat_n(0, free.saturating_mul(8)));
        for size in &self.sizes {
            bytes.extend(size.to_be_bytes());
        }
        bytes.extend(std::iter::repeat_n(0, free.saturating_mul(8)));
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(self.checksum.to_be_bytes());
        bytes
    }

    /// Bytes of the whole image.
    pub(crate) fn total(&self) -> u64 {
        let sections = self.sizes.iter();
        sections.fold(HEADER as u64, |sum, size| {
            sum.saturating_add(SECTION_HEADER as u64)
                .saturating_add(*size)
        })
    }
}

/// Checks the table: `count` sections one behind the other, and nothing behind them.
fn table(entries: impl Iterator<Item = (u64, u64)>, count: usize) -> Result<(), EifError> {
    let mut end = HEADER as u64;
    for (index, (offset, size)) in entries.enumerate() {
        if index >= count {
            if (offset, size) != (0, 0) {
                let field = Field::TableEntry { index };
                return Err(EifError::Reserved { field });
            }
            continue;
        }
        if offset < end {
            return Err(EifError::Overlap { index, offset, end });
        }
        if offset > end {
            let missing = offset.saturating_sub(end);
            return Err(EifError::Gap {
                index,
                offset,
                missing,
            });
        }
        let next = size
            .checked_add(SECTION_HEADER as u64)
            .and_then(|size| end.checked_add(size))
            .filter(|next| *next <= MAX_IMAGE);
        end = next.ok_or(EifError::ImageTooLarge)?;
    }
    Ok(())
}

/// The front of one section.
pub(crate) fn section_header(kind: SectionKind, size: u64) -> [u8; SECTION_HEADER] {
    let mut bytes = [0; SECTION_HEADER];
    let fields = kind.number().to_be_bytes().into_iter().chain([0, 0]);
    let fields = fields.chain(size.to_be_bytes());
    for (byte, field) in bytes.iter_mut().zip(fields) {
        *byte = field;
    }
    bytes
}

/// What must hold for the sections of an image, fed one after another.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    seen: Vec<SectionKind>,
}

impl Rules {
    /// Takes the next section's header.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8; SECTION_HEADER],
        table: u64,
    ) -> Result<SectionKind, EifError> {
        let index = self.seen.len();
        let mut fields = Fields(bytes);
        let number = fields.u16();
        let kind = SectionKind::from_number(number).ok_or(EifError::SectionKind {
            index,
            found: number,
        })?;
        let flags = fields.u16();
        if flags != 0 {
            return Err(EifError::SectionFlags {
                index,
                found: flags,
            });
        }
        let section = fields.u64();
        if section != table {
            return Err(EifError::SectionSize {
                index,
                table,
                section,
            });
        }
        self.admit(kind, section)?;
        Ok(kind)
    }

    /// Takes the next section: may it stand here, and may it be this large?
    pub(crate) fn admit(&mut self, kind: SectionKind, size: u64) -> Result<(), EifError> {
        let index = self.seen.len();
        if index >= MAX_SECTIONS {
            let found = index.saturating_add(1);
            return Err(EifError::TooManySections { found });
        }
        if kind != SectionKind::Ramdisk && self.seen.contains(&kind) {
            return Err(EifError::Duplicate { index, kind });
        }
        // Measured sections are measured in the order they stand. Only in this order do all tools
        // and the documented formula (kernel, command line, ramdisks) agree.
        let before: &[_] = match kind {
            SectionKind::Kernel => &[SectionKind::CommandLine, SectionKind::Ramdisk],
            SectionKind::CommandLine => &[SectionKind::Ramdisk],
            _ => &[],
        };
        if let Some(after) = self.seen.iter().find(|seen| before.contains(seen)) {
            return Err(EifError::Order {
                index,
                kind,
                after: *after,
            });
        }
        if size == 0 && kind != SectionKind::CommandLine {
            return Err(EifError::Empty { index, kind });
        }
        let max = kind.max();
        if size > max {
            return Err(EifError::SectionTooLarge {
                index,
                kind,
                size,
                max,
            });
        }
        self.seen.push(kind);
        Ok(())
    }

    /// All sections were seen: is everything there?
    pub(crate) fn finish(&self) -> Result<(), EifError> {
        let needed = [
            SectionKind::Kernel,
            SectionKind::CommandLine,
            SectionKind::Ramdisk,
            SectionKind::Metadata,
        ];
        match needed.into_iter().find(|kind| !self.seen.contains(kind)) {
            Some(kind) => Err(EifError::Missing { kind }),
            None => Ok(()),
        }
    }
}

/// A command line the kernel reads to its end.
pub(crate) fn check_command_line(bytes: &[u8]) -> Result<(), EifError> {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(position) => Err(EifError::CommandLineZero { position }),
        None => Ok(()),
    }
}

/// Reads numbers from the front; a number that is not all there reads as zero, which callers
/// exclude by the length of what they pass.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}
