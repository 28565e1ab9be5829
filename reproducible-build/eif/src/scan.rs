//! An image read as a stream: for measuring files of any size with little memory.
//!
//! Guarantees: the same rules as [`Eif::parse`](crate::Eif::parse), the same measurements, at most
//! 3 MiB of memory, one pass; nothing is returned before the last byte was read and the checksum
//! agreed.

use std::io::{ErrorKind, Read};

use crate::error::EifError;
use crate::header::{
    Architecture, COVERED, HEADER, Header, Rules, SECTION_HEADER, SectionKind, check_command_line,
};
use crate::measure::{Measurements, Measurer, PcrValue};
use crate::signature::SignatureSection;

/// How much is read at once: 1 MiB.
const CHUNK: usize = 1 << 20;

/// One section, as the file has it. Where it begins and ends is in no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionFacts {
    /// What it is.
    pub kind: SectionKind,
    /// Where its header begins, in bytes from the front of the file.
    pub offset: u64,
    /// Bytes of its content.
    pub size: u64,
}

/// What one pass over an image found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The registers the image fills.
    pub measurements: Measurements,
    /// The kernel's command line; measured.
    pub command_line: Vec<u8>,
    /// The signature, if there is one; not checked.
    pub signature: Option<SignatureSection>,
    /// What the maker says about the image; a claim.
    pub metadata: Vec<u8>,
    /// What the kernel was compiled for; a claim.
    pub architecture: Architecture,
    /// Memory the maker suggests, in bytes; a claim that nothing uses.
    pub memory: u64,
    /// Processors the maker suggests; a claim that nothing uses.
    pub cpus: u64,
    /// Sections, in order; a claim.
    pub sections: Vec<SectionFacts>,
    /// Bytes of the whole file.
    pub size: u64,
}

impl Scan {
    /// Reads an image to its end. `progress` is told the bytes read so far, and their total.
    ///
    /// # Errors
    /// The first rule that is broken, or [`EifError::Io`].
    pub fn read(
        mut reader: impl Read,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Self, EifError> {
        let mut front = [0; HEADER];
        let read = fill(&mut reader, &mut front)?;
        if read < HEADER {
            if let Some(found) = front.first_chunk::<4>()
                && read >= 4
                && found != b".eif"
            {
                return Err(EifError::Magic { found: *found });
            }
            return Err(EifError::Truncated {
                length: read as u64,
                promised: HEADER as u64,
            });
        }
        let header = Header::parse(&front)?;
        let mut pass = Pass {
            reader,
            checksum: crc32fast::Hasher::new(),
            measurer: Measurer::new(),
            at: HEADER as u64,
            total: header.total(),
            chunk: vec![0; CHUNK],
        };
        let covered = front.get(..COVERED).unwrap_or_default();
        pass.checksum.update(covered);
        let mut rules = Rules::default();
        let mut scan = Self {
            measurements: Measurer::new().finish(None),
            command_line: Vec::new(),
            signature: None,
            metadata: Vec::new(),
            architecture: header.architecture,
            memory: header.memory,
            cpus: header.cpus,
            sections: Vec::with_capacity(header.sizes.len()),
            size: pass.total,
        };
        for size in &header.sizes {
            let offset = pass.at;
            let mut front = [0; SECTION_HEADER];
            pass.exact(&mut front)?;
            let kind = rules.read(&front, *size)?;
            scan.sections.push(SectionFacts {
                kind,
                offset,
                size: *size,
            });
            let mut kept = Vec::new();
            let keep =
                (!matches!(kind, SectionKind::Kernel | SectionKind::Ramdisk)).then_some(&mut kept);
            pass.content(kind, *size, keep, &mut progress)?;
            match kind {
                SectionKind::CommandLine => {
                    check_command_line(&kept)?;
                    scan.command_line = kept;
                }
                SectionKind::Metadata => scan.metadata = kept,
                SectionKind::Signature => {
                    scan.signature = Some(SignatureSection::parse(&kept)?);
                }
                SectionKind::Kernel | SectionKind::Ramdisk => {}
            }
        }
        rules.finish()?;
        if fill(&mut pass.reader, &mut [0; 1])? != 0 {
            return Err(EifError::Trailing { end: pass.total });
        }
        let computed = pass.checksum.finalize();
        if computed != header.checksum {
            let stored = header.checksum;
            return Err(EifError::Checksum { stored, computed });
        }
        let certificate = scan.signature.as_ref().map(SignatureSection::certificate);
        scan.measurements = pass.measurer.finish(certificate.map(PcrValue::of));
        Ok(scan)
    }
}

/// Where a pass is.
struct Pass<R> {
    reader: R,
    checksum: crc32fast::Hasher,
    measurer: Measurer,
    /// Bytes read.
    at: u64,
    total: u64,
    chunk: Vec<u8>,
}

impl<R: Read> Pass<R> {
    /// Fills `buffer` or fails.
    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), EifError> {
        let read = fill(&mut self.reader, buffer)?;
        self.at = self.at.saturating_add(read as u64);
        if read < buffer.len() {
            return Err(EifError::Truncated {
                length: self.at,
                promised: self.total,
            });
        }
        self.checksum.update(buffer);
        Ok(())
    }

    /// Reads the content of a section.
    fn content(
        &mut self,
        kind: SectionKind,
        size: u64,
        mut keep: Option<&mut Vec<u8>>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), EifError> {
        if kind.is_measured() {
            self.measurer.begin(kind);
        }
        let mut left = size;
        let mut chunk = std::mem::take(&mut self.chunk);
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(CHUNK).min(chunk.len());
            let Some(part) = chunk.get_mut(..now) else {
                break;
            };
            self.exact(part)?;
            if kind.is_measured() {
                self.measurer.update(part);
            }
            if let Some(kept) = keep.as_deref_mut() {
                kept.extend_from_slice(part);
            }
            left = left.saturating_sub(now as u64);
            progress(self.at, self.total);
        }
        self.chunk = chunk;
        Ok(())
    }
}

/// Reads until the buffer is full or the end; how many bytes there were.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, EifError> {
    let mut filled = 0_usize;
    while let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) {
        match reader.read(free) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(EifError::Io(error.kind())),
        }
    }
    Ok(filled)
}
