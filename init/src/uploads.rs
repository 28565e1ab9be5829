//! Binaries that have arrived, or are arriving: each in its own memory file, hashed on the way.
//!
//! Guarantees: a binary that is complete has the hash it was announced under and can no longer be
//! changed (the file is sealed). At most [`MAX_BINARIES`] binaries and [`MAX_TOTAL`] bytes are
//! kept, and never so much that less than [`RESERVE`] of the machine's memory is left: a binary for
//! which there is no memory is refused before its first byte is kept. When a new one needs room, the
//! one that was not touched for longest goes; for want of memory only one that was not touched for
//! [`STALE`], so that binaries of one manifest never push each other out. So nobody can fill the
//! place up for good.
//!
//! Memory beside the files: one piece at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use quorate_protocol::atoms::Sha256;
use quorate_protocol::manifest::{MAX_APPLICATIONS, MAX_BINARY};
use quorate_protocol::message::{Reason, Upload, Uploaded};
use sha2::Digest as _;

/// Binaries kept, at most.
pub(crate) const MAX_BINARIES: usize = MAX_APPLICATIONS;
/// Bytes kept in all binaries together, at most.
pub(crate) const MAX_TOTAL: u64 = 2 * MAX_BINARY;
/// Bytes of memory that are left to everything else.
pub(crate) const RESERVE: u64 = 32 * 1024 * 1024;
/// A binary nobody asked about for this long gives way where memory is short.
const STALE: Duration = Duration::from_secs(600);

/// Why a piece is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The kernel failed.
    #[error("the kernel failed")]
    Internal,
    /// The whole has another hash than was announced; it was dropped.
    #[error("the binary has another hash")]
    HashMismatch,
    /// There is too little memory for it.
    #[error(
        "{} MiB more are needed, {} MiB can be had, of which {} MiB are kept back",
        mebibytes(*.needed), .available / MIB, RESERVE / MIB
    )]
    Memory {
        /// Bytes that are still to come, of this binary and of those that are arriving.
        needed: u64,
        /// Bytes that can be had.
        available: u64,
    },
    /// It does not follow what has arrived.
    #[error("the piece does not follow")]
    OutOfOrder,
    /// The binary is larger than any may be, or empty.
    #[error("a binary has 1 to {MAX_BINARY} bytes")]
    TooLarge,
}

const MIB: u64 = 1024 * 1024;

/// Rounded up.
const fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(MIB)
}

impl Refused {
    /// What the reason alone does not say.
    pub(crate) fn detail(self) -> String {
        match self {
            Self::Memory { .. } | Self::TooLarge => self.to_string(),
            Self::Internal | Self::HashMismatch | Self::OutOfOrder => String::new(),
        }
    }

    /// What it is called in the contract.
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Internal => Reason::Internal,
            Self::HashMismatch => Reason::UploadHashMismatch,
            Self::Memory { .. } => Reason::UploadMemory,
            Self::OutOfOrder => Reason::UploadOutOfOrder,
            Self::TooLarge => Reason::UploadTooLarge,
        }
    }
}

/// A complete binary: sealed, with a known hash.
#[derive(Debug)]
pub(crate) struct Binary {
    file: File,
}

impl Binary {
    /// The same binary once more.
    pub(crate) fn duplicate(&self) -> Result<Self, Errno> {
        let file = self.file.try_clone();
        let file = file.map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))?;
        Ok(Self { file })
    }
}

impl AsFd for Binary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// All binaries.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    // Under size and hash together: who announces a binary with a wrong size has not taken its place.
    entries: BTreeMap<Key, Entry>,
    touches: u64,
}

/// Hash and size.
type Key = (Sha256, u64);

#[derive(Debug)]
struct Entry {
    received: u64,
    /// Which touch of any binary was the last of this one.
    touched: u64,
    at: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Arriving { file: File, hash: sha2::Sha256 },
    Complete(Binary),
}

impl Uploads {
    /// Takes a piece. `memory` tells how much could be had, given how much is held here.
    ///
    /// # Errors
    /// [`Refused`]. Nothing was changed; but a binary whose hash is wrong, or for which the kernel
    /// had no memory after all, is dropped.
    pub(crate) fn take(
        &mut self,
        piece: &Upload,
        now: Instant,
        memory: impl FnOnce(u64) -> Option<u64>,
    ) -> Result<Uploaded, Refused> {
        if piece.size == 0 || piece.size > MAX_BINARY {
            return Err(Refused::TooLarge);
        }
        let key = (piece.sha256, piece.size);
        let data = piece.data.as_slice();
        if !self.entries.contains_key(&key) {
            // Asking about a binary nobody sent takes no room.
            if data.is_empty() {
                return Ok(Uploaded {
                    received: 0,
                    complete: false,
                });
            }
            if piece.offset != 0 || data.len() as u64 > piece.size {
                return Err(Refused::OutOfOrder);
            }
            self.make_room(piece.size, now, memory)?;
            let entry = Entry::new(now).map_err(|_| Refused::Internal)?;
            self.entries.insert(key, entry);
        }
        let entry = self.entries.get_mut(&key).ok_or(Refused::Internal)?;
        let taken = if data.is_empty() {
            Ok(entry.progress())
        } else {
            entry.append(piece)
        };
        match taken {
            Ok(_) => {
                self.touches = self.touches.saturating_add(1);
                entry.touched = self.touches;
                entry.at = now;
            }
            Err(Refused::HashMismatch | Refused::Internal | Refused::Memory { .. }) => {
                self.entries.remove(&key);
            }
            Err(_) => {}
        }
        taken
    }

    /// The complete binary with this hash and size.
    pub(crate) fn complete(&self, sha256: &Sha256, size: u64) -> Option<&Binary> {
        match &self.entries.get(&(*sha256, size))?.state {
            State::Complete(binary) => Some(binary),
            State::Arriving { .. } => None,
        }
    }

    /// Gives a complete binary away.
    pub(crate) fn remove(&mut self, sha256: &Sha256, size: u64) -> Option<Binary> {
        match self.entries.remove(&(*sha256, size))?.state {
            State::Complete(binary) => Some(binary),
            State::Arriving { .. } => None,
        }
    }

    /// Lets others go until a new binary has room, or refuses and lets nobody go.
    fn make_room(
        &mut self,
        size: u64,
        now: Instant,
        memory: impl FnOnce(u64) -> Option<u64>,
    ) -> Result<(), Refused> {
        let mut by_age: Vec<_> = self.entries.iter().collect();
        by_age.sort_unstable_by_key(|(_, entry)| entry.touched);
        let mut staying = by_age.as_slice();
        let total = |entries: &[(&Key, &Entry)]| entries.iter().map(|((_, size), _)| size).sum();
        let held = |entries: &[(&Key, &Entry)]| entries.iter().map(|(_, e)| e.received).sum();
        let all: u64 = held(staying);
        let available = memory(all).unwrap_or(0);
        loop {
            let (promised, kept): (u64, u64) = (total(staying), held(staying));
            let few = staying.len() < MAX_BINARIES && promised.saturating_add(size) <= MAX_TOTAL;
            // What is let go can be had again; what was announced will come.
            let available = available.saturating_add(all.saturating_sub(kept));
            let needed = size.saturating_add(promised.saturating_sub(kept));
            let fits = needed.saturating_add(RESERVE) <= available;
            if few && fits {
                break;
            }
            let refused = Refused::Memory { needed, available };
            let (oldest, rest) = staying.split_first().ok_or(refused)?;
            let stale = now.saturating_duration_since(oldest.1.at) >= STALE;
            if few && !stale {
                return Err(refused);
            }
            staying = rest;
        }
        let going = by_age.len().saturating_sub(staying.len());
        let going: Vec<Key> = by_age.iter().take(going).map(|(key, _)| **key).collect();
        for key in going {
            self.entries.remove(&key);
        }
        Ok(())
    }
}

impl Entry {
    fn new(now: Instant) -> Result<Self, Errno> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"application", flags)?);
        let state = State::Arriving {
            file,
            hash: sha2::Sha256::new(),
        };
        Ok(Self {
            received: 0,
            touched: 0,
            at: now,
            state,
        })
    }

    fn progress(&self) -> Uploaded {
        let complete = matches!(self.state, State::Complete(_));
        Uploaded {
            received: self.received,
            complete,
        }
    }

    fn append(&mut self, piece: &Upload) -> Result<Uploaded, Refused> {
        let data = piece.data.as_slice();
        let end = piece
            .offset
            .checked_add(data.len() as u64)
            .ok_or(Refused::OutOfOrder)?;
        if piece.offset != self.received || end > piece.size {
            return Err(Refused::OutOfOrder);
        }
        let State::Arriving { file, hash } = &mut self.state else {
            return Err(Refused::OutOfOrder);
        };
        file.write_all(data).map_err(|error| {
            let short = matches!(
                error.raw_os_error().map(Errno::from_raw),
                Some(Errno::ENOMEM)
            );
            let needed = piece.size.saturating_sub(self.received);
            let available = 0;
            if short {
                Refused::Memory { needed, available }
            } else {
                Refused::Internal
            }
        })?;
        hash.update(data);
        self.received = end;
        if end == piece.size {
            if hash.clone().finalize().as_slice() != piece.sha256.0 {
                return Err(Refused::HashMismatch);
            }
            let file = file.try_clone().map_err(|_| Refused::Internal)?;
            seal(&file).map_err(|_| Refused::Internal)?;
            self.state = State::Complete(Binary { file });
        }
        Ok(self.progress())
    }
}

/// Makes a memory file unchangeable.
pub(crate) fn seal(file: &File) -> Result<(), Errno> {
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SEAL;
    fcntl(file, FcntlArg::F_ADD_SEALS(seals)).map(|_| ())
}

#[cfg(test)]
mod tests;
