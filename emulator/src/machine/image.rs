//! An image file, taken apart for a machine.
//!
//! Guarantees: what is measured is what is written out for QEMU, from one reading of the file, into
//! a folder only this user may enter.
//!
//! Does not: check the image's signature. Nitro refuses to start an image with a bad one; here the
//! certificate is measured into PCR8 as it stands.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use quorate_eif::{Architecture, Eif, EifError};
use thiserror::Error;

use crate::measurements::Measurements;

/// Largest image a machine takes, in bytes: 1 GiB.
pub const IMAGE_MAX: u64 = 1 << 30;

/// Why an image cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// It was compiled for another processor.
    #[error("{} is an image for aarch64; machines here are x86-64", path.display())]
    Architecture {
        /// The image.
        path: PathBuf,
    },
    /// The kernel's command line is not text.
    #[error("{}: the command line is not UTF-8, which QEMU cannot pass on", path.display())]
    CommandLine {
        /// The image.
        path: PathBuf,
    },
    /// A file could not be used.
    #[error("{} cannot be {doing}: {kind}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// It is not an enclave image.
    #[error("{} is no enclave image: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        why: EifError,
    },
    /// It is too large.
    #[error("{} has more than {IMAGE_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// What QEMU starts, and what the hypervisor knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) kernel: PathBuf,
    pub(crate) ramdisk: PathBuf,
    pub(crate) command_line: String,
    pub(crate) measurements: Measurements,
}

/// The measurements of an image.
///
/// # Errors
/// [`ImageError`].
pub fn measure(path: &Path) -> Result<Measurements, ImageError> {
    let bytes = read(path)?;
    Ok(measured(&parse(path, &bytes)?))
}

/// Writes kernel and ramdisks of the image at `path` into `folder`, the ramdisks one after another
/// as Nitro's loader gives them to the kernel.
pub(crate) fn unpack(path: &Path, folder: &Path) -> Result<Unpacked, ImageError> {
    let bytes = read(path)?;
    let image = parse(path, &bytes)?;
    if image.architecture() != Architecture::X86_64 {
        return Err(ImageError::Architecture { path: path.into() });
    }
    let command_line = core::str::from_utf8(image.command_line())
        .map_err(|_| ImageError::CommandLine { path: path.into() })?;
    let (kernel, ramdisk) = (folder.join("kernel"), folder.join("ramdisk"));
    write(&kernel, core::iter::once(image.kernel()))?;
    write(&ramdisk, image.ramdisks())?;
    Ok(Unpacked {
        kernel,
        ramdisk,
        command_line: command_line.to_owned(),
        measurements: measured(&image),
    })
}

fn measured(image: &Eif<'_>) -> Measurements {
    let found = image.measure();
    Measurements {
        pcr0: *found.pcr0.as_bytes(),
        pcr1: *found.pcr1.as_bytes(),
        pcr2: *found.pcr2.as_bytes(),
        pcr8: found.pcr8.map(|value| *value.as_bytes()),
    }
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Eif<'a>, ImageError> {
    Eif::parse(bytes).map_err(|why| ImageError::Malformed {
        path: path.into(),
        why,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(IMAGE_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| file_error(path, "read", &error))?;
    if bytes.len() as u64 > IMAGE_MAX {
        return Err(ImageError::TooLarge { path: path.into() });
    }
    Ok(bytes)
}

fn write<'a>(path: &Path, parts: impl Iterator<Item = &'a [u8]>) -> Result<(), ImageError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path)
        .map_err(|error| file_error(path, "made", &error))?;
    for part in parts {
        file.write_all(part)
            .map_err(|error| file_error(path, "written", &error))?;
    }
    Ok(())
}

fn file_error(path: &Path, doing: &'static str, error: &io::Error) -> ImageError {
    ImageError::File {
        path: path.into(),
        doing,
        kind: error.kind(),
    }
}
