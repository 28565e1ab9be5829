//! The image an enclave starts from: read, measured, compared, and measured again while loaded.
//!
//! Guarantees: the file is read to its end within the format's bounds before anything else happens;
//! the bytes that reach the enclave's memory are measured on their way there, so a file that is
//! changed meanwhile starts nothing. Memory taken is small, whatever the image's size.
//!
//! Does not: check the signature behind PCR8, or say that an image is good: compare its
//! measurements with those that were approved.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

use quorate_eif::{Measurements, PcrValue, Scan};

use crate::device::{MIN_MEMORY, REGION, Region};
use crate::error::LaunchError;

/// An enclave has this many times the memory of its image at least: the file, its parts unpacked
/// beside it, and what runs. It is the rule of AWS's own tool.
pub const MEMORY_PER_IMAGE: u64 = 4;

/// Measurements an image must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The whole image.
    pub pcr0: PcrValue,
    /// Kernel, command line, first ramdisk.
    pub pcr1: PcrValue,
    /// The other ramdisks.
    pub pcr2: PcrValue,
    /// The signing certificate; not compared where `None`.
    pub pcr8: Option<PcrValue>,
}

/// An image that was read to its end.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    size: u64,
    measurements: Measurements,
}

impl Image {
    /// Reads an image to its end. `progress` is told the bytes read so far, and their total.
    ///
    /// # Errors
    /// [`LaunchError::ImageUnreadable`], [`LaunchError::ImageUnusable`].
    pub fn open(path: &Path, progress: impl FnMut(u64, u64)) -> Result<Self, LaunchError> {
        let unreadable = |error: &io::Error| LaunchError::ImageUnreadable {
            path: path.into(),
            kind: error.kind(),
        };
        let mut file = File::open(path).map_err(|error| unreadable(&error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(unreadable(&io::ErrorKind::IsADirectory.into()));
        }
        let scan = Scan::read(&mut file, progress).map_err(|e| LaunchError::image(path, &e))?;
        Ok(Self {
            path: path.into(),
            file,
            size: scan.size,
            measurements: scan.measurements,
        })
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The registers it fills.
    #[must_use]
    pub const fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// Its size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The least memory for it, in bytes.
    #[must_use]
    pub const fn memory(&self) -> u64 {
        let least = self.size.saturating_mul(MEMORY_PER_IMAGE);
        let least = if least < MIN_MEMORY {
            MIN_MEMORY
        } else {
            least
        };
        least.div_ceil(REGION).saturating_mul(REGION)
    }

    /// Compares it with what is expected.
    ///
    /// # Errors
    /// [`LaunchError::OtherImage`] with the first register that differs.
    pub fn expect(&self, expected: &Expected) -> Result<(), LaunchError> {
        let found = &self.measurements;
        let not_signed = PcrValue::from_bytes([0; 48]);
        let signed = expected
            .pcr8
            .map(|pcr8| (8, found.pcr8.unwrap_or(not_signed), pcr8));
        let registers = [
            (0, found.pcr0, expected.pcr0),
            (1, found.pcr1, expected.pcr1),
            (2, found.pcr2, expected.pcr2),
        ];
        for (index, found, expected) in registers.into_iter().chain(signed) {
            if found != expected {
                return Err(LaunchError::OtherImage {
                    index,
                    found: found.to_string(),
                    expected: expected.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Copies the image to `offset` of the memory that `regions` are, one after another, and
    /// measures what was copied.
    ///
    /// # Errors
    /// [`LaunchError::MemoryTooSmall`]; [`LaunchError::ImageChanged`] and
    /// [`LaunchError::ImageUnusable`] where the file is not what was read before.
    pub fn load<R: Region>(&mut self, regions: &mut [R], offset: u64) -> Result<(), LaunchError> {
        let sizes = regions
            .iter_mut()
            .map(|region| region.bytes_mut().len() as u64);
        let given = sizes.fold(0, u64::saturating_add);
        let needed = self.size.saturating_add(offset);
        if given < needed {
            return Err(LaunchError::MemoryTooSmall {
                given,
                needed,
                image: self.size,
            });
        }
        self.file
            .rewind()
            .map_err(|error| LaunchError::ImageUnreadable {
                path: self.path.clone(),
                kind: error.kind(),
            })?;
        let copy = Copy {
            file: &mut self.file,
            regions,
            at: offset,
        };
        let scan =
            Scan::read(copy, |_, _| {}).map_err(|error| LaunchError::image(&self.path, &error))?;
        if scan.measurements != self.measurements || scan.size != self.size {
            return Err(LaunchError::ImageChanged {
                before: Box::new(self.measurements),
                now: Box::new(scan.measurements),
            });
        }
        Ok(())
    }
}

/// Reads a file, and leaves a copy of what was read in memory.
struct Copy<'a, R> {
    file: &'a mut File,
    regions: &'a mut [R],
    /// Where the next byte goes.
    at: u64,
}

impl<R: Region> Read for Copy<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let mut rest = buffer.get(..count).unwrap_or_default();
        let mut start = self.at;
        for region in self.regions.iter_mut() {
            let memory = region.bytes_mut();
            let length = memory.len() as u64;
            if start < length && !rest.is_empty() {
                let from = usize::try_from(start).unwrap_or(usize::MAX);
                let room = memory.get_mut(from..).unwrap_or_default();
                let now = room.len().min(rest.len());
                let (head, tail) = rest.split_at(now);
                if let Some(room) = room.get_mut(..now) {
                    room.copy_from_slice(head);
                }
                rest = tail;
                start = 0;
            } else {
                start = start.saturating_sub(length);
            }
        }
        if !rest.is_empty() {
            // More than was measured before: the file has grown.
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}
