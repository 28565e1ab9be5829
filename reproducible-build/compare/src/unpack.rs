//! What is in a ramdisk: an archive as it is, or compressed with gzip, xz or Zstandard.
//!
//! Guarantees: at most [`MAX_UNPACKED`] bytes come out, whatever goes in. Does not: open other
//! compressions Linux knows (bzip2, lzma, lzo, lz4), or ramdisks glued together from several
//! compressed parts; both are compared as bytes.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use lzma_rust2::XzReader;
use quorate_eif::cpio;
use ruzstd::decoding::StreamingDecoder;
use thiserror::Error;

/// Most bytes one ramdisk is unpacked to: 1 GiB.
pub const MAX_UNPACKED: usize = 1 << 30;

/// Memory xz may use: twice what its largest preset asks for, in KiB.
const XZ_MEMORY: u32 = 128 * 1024;

/// How a ramdisk is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// Zstandard.
    Zstandard,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "not compressed",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstandard => "zstd",
        })
    }
}

/// Why a ramdisk cannot be opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpackError {
    /// Neither an archive nor compressed in a known way.
    #[error("neither cpio nor gzip, xz or zstd")]
    Unknown,
    /// What was compressed is damaged.
    #[error("damaged {0} data")]
    Damaged(Compression),
    /// More comes out than is taken.
    #[error("unpacks to more bytes than are taken")]
    TooLarge,
    /// What comes out is no archive.
    #[error("not a cpio archive: {0}")]
    Archive(#[from] cpio::ReadError),
}

/// The archives in a ramdisk, and how they were compressed.
///
/// # Errors
/// If it is compressed in an unknown way, damaged, or too large.
pub fn unpack(ramdisk: &[u8]) -> Result<(Compression, Cow<'_, [u8]>), UnpackError> {
    unpack_within(ramdisk, MAX_UNPACKED)
}

/// As [`unpack`], with at most `max` bytes coming out of what is compressed.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_within(
    ramdisk: &[u8],
    max: usize,
) -> Result<(Compression, Cow<'_, [u8]>), UnpackError> {
    match ramdisk {
        _ if cpio::is_archive(ramdisk) => Ok((Compression::None, ramdisk.into())),
        [0x1f, 0x8b, ..] => {
            let reader = flate2::read::MultiGzDecoder::new(ramdisk);
            all(Compression::Gzip, reader, max)
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => all(
            Compression::Xz,
            XzReader::new_mem_limit(ramdisk, true, XZ_MEMORY),
            max,
        ),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let damaged = UnpackError::Damaged(Compression::Zstandard);
            let reader = StreamingDecoder::new(ramdisk).map_err(|_| damaged)?;
            all(Compression::Zstandard, reader, max)
        }
        _ => Err(UnpackError::Unknown),
    }
}

fn all<'a>(
    compression: Compression,
    reader: impl Read,
    max: usize,
) -> Result<(Compression, Cow<'a, [u8]>), UnpackError> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let mut content = Vec::new();
    let mut limited = reader.take(limit.saturating_add(1));
    let read: io::Result<usize> = limited.read_to_end(&mut content);
    read.map_err(|_| UnpackError::Damaged(compression))?;
    if content.len() > max {
        return Err(UnpackError::TooLarge);
    }
    Ok((compression, content.into()))
}
