//! What a backup carries, and the proof that it is the share that was meant.
//!
//! | bits | what |
//! | ---: | --- |
//! | 3 | format number, 1 |
//! | 1 | 1 if the share is of a rehearsal (a development root) |
//! | 8 | index of the share, 1 to 255 |
//! | 16 | first bits of the genesis digest |
//! | 20 | first bits of the epoch, the digest of the commitments |
//! | 256 | the share f(i), big-endian |
//! | 26 | first bits of SHA-256(`quorate/share-backup/v1` ‖ 0x00 ‖ the 38 bytes above) |
//!
//! Guarantees: a [`Backup`] that was read has a right checksum, and [`Backup::prove`] is the only
//! way from it to a [`Share`]. Prefixes of digests say which genesis and epoch a paper is of, so
//! that a refusal can name them; they prove nothing, and nothing rests on them.
//!
//! Trusts: the digests and commitments in [`Expected`].

use core::fmt;

use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{CommitmentList, Epoch, Genesis};
use quorate_sharing::{SCALAR_LEN, Share};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::bits::{BYTES, Bits, put, take};
use crate::suspect::Suspect;

/// The format this code writes and reads.
const FORMAT: u16 = 1;
/// Bytes under the checksum.
const COVERED: usize = 38;
/// Where the share begins, in bits.
const SCALAR_AT: usize = 48;
/// Bits of the checksum.
const CHECKSUM: usize = 26;
const LABEL: &[u8] = b"quorate/share-backup/v1";

/// Whether a share opens a real key or one of a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made under a development root.
    Rehearsal,
    /// Made under the root of a hardware security module.
    Hardware,
}

/// Which share a backup says it is. Public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Real or rehearsed.
    pub origin: Origin,
    /// The index of the share.
    pub index: ShareIndex,
    /// The genesis.
    pub genesis: GenesisPrefix,
    /// The epoch.
    pub epoch: EpochPrefix,
}

/// The first four hexadecimal digits of a genesis digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenesisPrefix(u16);

/// The first five hexadecimal digits of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochPrefix(u32);

impl GenesisPrefix {
    /// That of a digest.
    #[must_use]
    pub fn of(digest: &Digest<Genesis>) -> Self {
        Self(take(digest.as_bytes(), 0, 16))
    }
}

impl EpochPrefix {
    /// That of an epoch.
    #[must_use]
    pub fn of(epoch: &Epoch) -> Self {
        let (high, low) = (
            take(epoch.as_bytes(), 0, 10),
            take(epoch.as_bytes(), 10, 10),
        );
        Self(u32::from(high) << 10 | u32::from(low))
    }
}

impl fmt::Display for GenesisPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}…", self.0)
    }
}

impl fmt::Display for EpochPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05x}…", self.0)
    }
}

/// Why words, rows or the text of a QR code are no backup, although each part can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The parts do not fit their checksum.
    #[error("what was read does not fit its checksum{}", hint(*.suspect))]
    Checksum {
        /// The one word that would explain it, or two that changed places.
        suspect: Option<Suspect>,
    },
    /// Another version of this tool wrote it.
    #[error("it is written in format {found}, this tool reads format {FORMAT}")]
    Format {
        /// The number found.
        found: u16,
    },
    /// The checksum is right, but there can be no such share.
    #[error("no share has the index or the value that it holds")]
    NoShare,
}

fn hint(suspect: Option<Suspect>) -> String {
    match suspect {
        None => String::new(),
        Some(Suspect::Word(number)) => format!("; word {number} is probably wrong"),
        Some(Suspect::Swapped(number)) => {
            let next = number.saturating_add(1);
            format!("; words {number} and {next} have probably changed places")
        }
    }
}

/// The share a backup must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Real or rehearsed.
    pub origin: Origin,
    /// The namespace.
    pub genesis: &'a Digest<Genesis>,
    /// The member's index.
    pub index: ShareIndex,
    /// The commitments of the epoch.
    pub commitments: &'a CommitmentList,
}

/// Why a backup is not the share that was meant. Nothing was restored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The commitments do not have this share at this index.
    #[error("it is not share {index} of the published commitments")]
    Commitments {
        /// The index.
        index: ShareIndex,
    },
    /// A share of other commitments.
    #[error("it is a share of the epoch {found}, yours is {}", EpochPrefix::of(.expected))]
    Epoch {
        /// What must be.
        expected: Epoch,
        /// What the backup says.
        found: EpochPrefix,
    },
    /// A share of another key.
    #[error("it is a share of the genesis {found}, yours is {}", GenesisPrefix::of(.expected))]
    Genesis {
        /// What must be.
        expected: Digest<Genesis>,
        /// What the backup says.
        found: GenesisPrefix,
    },
    /// Another member's share.
    #[error("it is share {found}, yours is share {expected}")]
    Index {
        /// What must be.
        expected: ShareIndex,
        /// What the backup says.
        found: ShareIndex,
    },
    /// A rehearsed share for a real key, or the other way round.
    #[error("{}", origin_text(*.found))]
    Origin {
        /// What the backup says.
        found: Origin,
    },
}

const fn origin_text(found: Origin) -> &'static str {
    match found {
        Origin::Rehearsal => "it is a share of a rehearsal, and this is a real ceremony",
        Origin::Hardware => "it is a share of a real key, and this is a rehearsal",
    }
}

/// A share as it is written down. Wiped when dropped.
pub struct Backup {
    label: Label,
    scalar: Zeroizing<[u8; SCALAR_LEN]>,
}

impl Backup {
    /// What is written down of a share that was proved against the commitments of `epoch`.
    #[must_use]
    pub fn new(origin: Origin, genesis: &Digest<Genesis>, epoch: &Epoch, share: &Share) -> Self {
        Self {
            label: Label {
                origin,
                index: share.index(),
                genesis: GenesisPrefix::of(genesis),
                epoch: EpochPrefix::of(epoch),
            },
            scalar: share.to_bytes(),
        }
    }

    /// Which share it says it is.
    #[must_use]
    pub const fn label(&self) -> Label {
        self.label
    }

    /// The share, if it is the expected one: real or rehearsed, genesis, index and epoch as
    /// expected, and on the polynomial of the commitments.
    ///
    /// # Errors
    /// [`Mismatch`], the first that applies.
    pub fn prove(&self, expected: &Expected<'_>) -> Result<Share, Mismatch> {
        let Label {
            origin,
            index,
            genesis,
            epoch,
        } = self.label;
        if origin != expected.origin {
            return Err(Mismatch::Origin { found: origin });
        }
        if genesis != GenesisPrefix::of(expected.genesis) {
            return Err(Mismatch::Genesis {
                expected: *expected.genesis,
                found: genesis,
            });
        }
        if epoch != EpochPrefix::of(&expected.commitments.epoch()) {
            return Err(Mismatch::Epoch {
                expected: expected.commitments.epoch(),
                found: epoch,
            });
        }
        if index != expected.index {
            return Err(Mismatch::Index {
                expected: expected.index,
                found: index,
            });
        }
        let wrong = || Mismatch::Commitments { index };
        let share = Share::from_bytes(index, &self.scalar).map_err(|_| wrong())?;
        expected
            .commitments
            .inner()
            .check(&share)
            .map_err(|_| wrong())?;
        Ok(share)
    }

    pub(crate) fn to_bits(&self) -> Bits {
        let mut bits = Zeroizing::new([0; BYTES]);
        let Label {
            origin,
            index,
            genesis,
            epoch,
        } = self.label;
        let high = u16::try_from(epoch.0 >> 10).unwrap_or_default();
        let low = u16::try_from(epoch.0 & 0x3ff).unwrap_or_default();
        let header = [
            (3, FORMAT),
            (1, u16::from(origin == Origin::Rehearsal)),
            (8, u16::from(index.get())),
            (16, genesis.0),
            (10, high),
            (10, low),
        ];
        let mut at = 0;
        for (width, value) in header {
            put(&mut *bits, at, width, value);
            at += width;
        }
        if let Some(space) = bits.get_mut(SCALAR_AT / 8..COVERED) {
            space.copy_from_slice(&*self.scalar);
        }
        let checksum = checksum(&bits);
        put(&mut *bits, COVERED * 8, 13, take(&checksum, 0, 13));
        put(&mut *bits, COVERED * 8 + 13, 13, take(&checksum, 13, 13));
        bits
    }

    /// # Errors
    /// [`BackupError`]; a wrong checksum without a suspect.
    pub(crate) fn from_bits(bits: &Bits) -> Result<Self, BackupError> {
        if !fits(bits) {
            return Err(BackupError::Checksum { suspect: None });
        }
        let found = take(&**bits, 0, 3);
        if found != FORMAT {
            return Err(BackupError::Format { found });
        }
        let origin = match take(&**bits, 3, 1) {
            0 => Origin::Hardware,
            _ => Origin::Rehearsal,
        };
        let index = u8::try_from(take(&**bits, 4, 8)).ok();
        let index = index
            .and_then(ShareIndex::new)
            .ok_or(BackupError::NoShare)?;
        let mut scalar = Zeroizing::new([0; SCALAR_LEN]);
        if let Some(bytes) = bits.get(SCALAR_AT / 8..COVERED) {
            scalar.copy_from_slice(bytes);
        }
        Share::from_bytes(index, &scalar).map_err(|_| BackupError::NoShare)?;
        Ok(Self {
            label: Label {
                origin,
                index,
                genesis: GenesisPrefix(take(&**bits, 12, 16)),
                epoch: EpochPrefix(
                    u32::from(take(&**bits, 28, 10)) << 10 | u32::from(take(&**bits, 38, 10)),
                ),
            },
            scalar,
        })
    }
}

/// Whether bits fit their checksum.
pub(crate) fn fits(bits: &Bits) -> bool {
    let expected = checksum(bits);
    (0..CHECKSUM).all(|bit| take(&**bits, COVERED * 8 + bit, 1) == take(&expected, bit, 1))
        && take(&**bits, COVERED * 8 + CHECKSUM, 6) == 0
}

/// The first four bytes of the digest; 26 bits of them are written.
fn checksum(bits: &Bits) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(LABEL)
        .chain_update([0])
        .chain_update(bits.get(..COVERED).unwrap_or_default())
        .finalize();
    let mut first = [0; 4];
    for (to, from) in first.iter_mut().zip(digest) {
        *to = from;
    }
    first
}

#[cfg(test)]
mod tests;
