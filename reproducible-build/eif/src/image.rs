//! A whole image in memory: put together, read, taken apart.
//!
//! Guarantees: an [`Eif`] keeps every rule of the format, so [`Eif::to_bytes`] cannot fail and what
//! was parsed encodes to the bytes it was parsed from; [`Eif::assemble`] orders sections as AWS's
//! builder does (kernel, command line, metadata, ramdisks, signature) and takes nothing from its
//! surroundings, so the same parts give the same bytes.
//!
//! Does not: copy content; an [`Eif`] borrows what it was made from until it is written.

use crate::error::EifError;
use crate::header::{
    Architecture, COVERED, HEADER, Header, Rules, SECTION_HEADER, SectionKind, check_command_line,
    section_header,
};
use crate::measure::{Measurements, Measurer, PcrValue};
use crate::signature::SignatureSection;

/// What AWS's builder writes into every image; no part of Nitro uses it: 1 GiB.
const MEMORY: u64 = 1 << 30;
/// As [`MEMORY`]: two processors.
const CPUS: u64 = 2;

/// What an image is made from.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// What the kernel was compiled for.
    pub architecture: Architecture,
    /// The kernel, as the loader takes it (bzImage on x86-64, Image on aarch64).
    pub kernel: &'a [u8],
    /// The kernel's command line, without a zero byte or a line break at its end.
    pub command_line: &'a str,
    /// At least one ramdisk; the first holds the operating system.
    pub ramdisks: &'a [&'a [u8]],
    /// JSON that AWS's tools show. It is in no measurement.
    pub metadata: &'a [u8],
}

/// One section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// What it is.
    pub kind: SectionKind,
    /// Its content.
    pub content: &'a [u8],
}

/// An enclave image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eif<'a> {
    architecture: Architecture,
    memory: u64,
    cpus: u64,
    sections: Vec<Section<'a>>,
    /// What the signature section holds.
    signature: Option<SignatureSection>,
}

impl<'a> Eif<'a> {
    /// Puts an image together, unsigned.
    ///
    /// # Errors
    /// If a part is missing, too large, or a command line the kernel would not read to its end.
    pub fn assemble(parts: &Parts<'a>) -> Result<Self, EifError> {
        let section = |kind, content| Section { kind, content };
        let mut sections = vec![
            section(SectionKind::Kernel, parts.kernel),
            section(SectionKind::CommandLine, parts.command_line.as_bytes()),
            section(SectionKind::Metadata, parts.metadata),
        ];
        let ramdisks = parts.ramdisks.iter();
        sections.extend(ramdisks.map(|content| section(SectionKind::Ramdisk, content)));
        Self::from_sections(parts.architecture, MEMORY, CPUS, sections)
    }

    /// Reads an image.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EifError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some((front, mut rest)) = bytes.split_first_chunk::<HEADER>() else {
            // A short file of another kind is better told so.
            if let Some(found) = bytes.first_chunk::<4>().filter(|magic| *magic != b".eif") {
                return Err(EifError::Magic { found: *found });
            }
            let promised = HEADER as u64;
            return Err(EifError::Truncated { length, promised });
        };
        let header = Header::parse(front)?;
        let promised = header.total();
        if length < promised {
            return Err(EifError::Truncated { length, promised });
        }
        if length > promised {
            return Err(EifError::Trailing { end: promised });
        }
        let mut rules = Rules::default();
        let mut sections = Vec::with_capacity(header.sizes.len());
        for size in &header.sizes {
            // The lengths were compared above.
            let truncated = || EifError::Truncated { length, promised };
            let (front, behind) = rest
                .split_first_chunk::<SECTION_HEADER>()
                .ok_or_else(truncated)?;
            let kind = rules.read(front, *size)?;
            let size = usize::try_from(*size).map_err(|_| EifError::ImageTooLarge)?;
            let (content, behind) = behind.split_at_checked(size).ok_or_else(truncated)?;
            sections.push(Section { kind, content });
            rest = behind;
        }
        rules.finish()?;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(bytes.get(..COVERED).unwrap_or_default());
        checksum.update(bytes.get(HEADER..).unwrap_or_default());
        let computed = checksum.finalize();
        if header.checksum != computed {
            let stored = header.checksum;
            return Err(EifError::Checksum { stored, computed });
        }
        Self::from_sections(header.architecture, header.memory, header.cpus, sections)
    }

    fn from_sections(
        architecture: Architecture,
        memory: u64,
        cpus: u64,
        sections: Vec<Section<'a>>,
    ) -> Result<Self, EifError> {
        let mut rules = Rules::default();
        let mut total = HEADER as u64;
        let mut signature = None;
        for section in &sections {
            let size = u64::try_from(section.content.len()).unwrap_or(u64::MAX);
            rules.admit(section.kind, size)?;
            total = total
                .saturating_add(SECTION_HEADER as u64)
                .saturating_add(size);
            match section.kind {
                SectionKind::CommandLine => check_command_line(section.content)?,
                SectionKind::Signature => {
                    signature = Some(SignatureSection::parse(section.content)?);
                }
                _ => {}
            }
        }
        rules.finish()?;
        if total > crate::header::MAX_IMAGE {
            return Err(EifError::ImageTooLarge);
        }
        Ok(Self {
            architecture,
            memory,
            cpus,
            sections,
            signature,
        })
    }

    /// The same image with this signature section, in place of the one it has or as the last section.
    ///
    /// # Errors
    /// If the section is none, or if there is no room for another.
    pub fn with_signature(&self, section: &'a [u8]) -> Result<Self, EifError> {
        let mut sections = self.sections.clone();
        let new = Section {
            kind: SectionKind::Signature,
            content: section,
        };
        match sections.iter_mut().find(|old| old.kind == new.kind) {
            Some(old) => *old = new,
            None => sections.push(new),
        }
        Self::from_sections(self.architecture, self.memory, self.cpus, sections)
    }

    /// The image's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sizes: Vec<_> = self.sections.iter().map(Section::size).collect();
        let mut header = Header {
            architecture: self.architecture,
            memory: self.memory,
            cpus: self.cpus,
            sizes,
            checksum: 0,
        };
        let mut bytes = Vec::with_capacity(usize::try_from(header.total()).unwrap_or(0));
        bytes.extend(header.encode());
        for section in &self.sections {
            bytes.extend(section_header(section.kind, section.size()));
            bytes.extend(section.content);
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(bytes.get(..COVERED).unwrap_or_default());
        checksum.update(bytes.get(HEADER..).unwrap_or_default());
        header.checksum = checksum.finalize();
        let stored = bytes.iter_mut().skip(COVERED);
        for (byte, new) in stored.zip(header.checksum.to_be_bytes()) {
            *byte = new;
        }
        bytes
    }

    /// The registers this image fills.
    pub fn measure(&self) -> Measurements {
        let mut measurer = Measurer::new();
        for section in &self.sections {
            if section.kind.is_measured() {
                measurer.begin(section.kind);
                measurer.update(section.content);
            }
        }
        let certificate = self.signature.as_ref();
        measurer.finish(certificate.map(|section| PcrValue::of(section.certificate())))
    }

    /// What the kernel was compiled for, as the maker claims.
    pub const fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Memory the maker suggests, in bytes; a claim that nothing uses.
    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// Processors the maker suggests; a claim that nothing uses.
    pub const fn cpus(&self) -> u64 {
        self.cpus
    }

    /// All sections, in order.
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The kernel.
    pub fn kernel(&self) -> &'a [u8] {
        self.first(SectionKind::Kernel)
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> &'a [u8] {
        self.first(SectionKind::CommandLine)
    }

    /// The ramdisks, in order; at least one. A loader gives the kernel one after another as one.
    pub fn ramdisks(&self) -> impl Iterator<Item = &'a [u8]> {
        let sections = self.sections.iter();
        let ramdisks = sections.filter(|section| section.kind == SectionKind::Ramdisk);
        ramdisks.map(|section| section.content)
    }

    /// What the maker says about the image; never attested.
    pub fn metadata(&self) -> &'a [u8] {
        self.first(SectionKind::Metadata)
    }

    /// The signature, if there is one; not checked.
    pub const fn signature(&self) -> Option<&SignatureSection> {
        self.signature.as_ref()
    }

    fn first(&self, kind: SectionKind) -> &'a [u8] {
        let mut sections = self.sections.iter();
        let section = sections.find(|section| section.kind == kind);
        section.map_or(&[], |section| section.content)
    }
}

impl Section<'_> {
    fn size(&self) -> u64 {
        u64::try_from(self.content.len()).unwrap_or(u64::MAX)
    }
}
