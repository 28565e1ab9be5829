//! Binaries that have arrived, or are arriving: each in its own memory file, hashed on the way.
//!
//! Guarantees: a binary that is complete has the hash it was announced under and can no longer be
//! changed (the file is sealed). At most [`MAX_BINARIES`] binaries and [`MAX_TOTAL`] bytes are
//! kept; when a new one needs room, the one that was not touched for longest goes, so nobody can
//! fill the place up for good.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd};

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
pub(crate) const MAX_TOTAL: u64 = 4 * MAX_BINARY;

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
    entries: BTreeMap<(Sha256, u64), Entry>,
    touches: u64,
}

#[derive(Debug)]
struct Entry {
    received: u64,
    touched: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Arriving { file: File, hash: sha2::Sha256 },
    Complete(Binary),
}

impl Uploads {
    /// Takes a piece.
    ///
    /// # Errors
    /// [`Reason::UploadTooLarge`], [`Reason::UploadOutOfOrder`] (nothing changed),
    /// [`Reason::UploadHashMismatch`] (the binary is dropped), [`Reason::Internal`].
    pub(crate) fn take(&mut self, piece: &Upload) -> Result<Uploaded, Reason> {
        if piece.size == 0 || piece.size > MAX_BINARY {
            return Err(Reason::UploadTooLarge);
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
                return Err(Reason::UploadOutOfOrder);
            }
            self.make_room(piece.size);
            let entry = Entry::new().map_err(|_| Reason::Internal)?;
            self.entries.insert(key, entry);
        }
        let entry = self.entries.get_mut(&key).ok_or(Reason::Internal)?;
        let taken = if data.is_empty() {
            Ok(entry.progress())
        } else {
            entry.append(piece)
        };
        match taken {
            Ok(_) => {
                self.touches = self.touches.saturating_add(1);
                entry.touched = self.touches;
            }
            Err(Reason::UploadHashMismatch | Reason::Internal) => {
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

    fn make_room(&mut self, size: u64) {
        loop {
            let total: u64 = self.entries.keys().map(|(_, size)| size).sum();
            if self.entries.len() < MAX_BINARIES && total.saturating_add(size) <= MAX_TOTAL {
                return;
            }
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, e)| e.touched)
                .map(|(key, _)| *key);
            match oldest {
                Some(key) => self.entries.remove(&key),
                None => return,
            };
        }
    }
}

impl Entry {
    fn new() -> Result<Self, Errno> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"application", flags)?);
        let state = State::Arriving {
            file,
            hash: sha2::Sha256::new(),
        };
        Ok(Self {
            received: 0,
            touched: 0,
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

    fn append(&mut self, piece: &Upload) -> Result<Uploaded, Reason> {
        let data = piece.data.as_slice();
        let end = piece
            .offset
            .checked_add(data.len() as u64)
            .ok_or(Reason::UploadOutOfOrder)?;
        if piece.offset != self.received || end > piece.size {
            return Err(Reason::UploadOutOfOrder);
        }
        let State::Arriving { file, hash } = &mut self.state else {
            return Err(Reason::UploadOutOfOrder);
        };
        file.write_all(data).map_err(|_| Reason::Internal)?;
        hash.update(data);
        self.received = end;
        if end == piece.size {
            if hash.clone().finalize().as_slice() != piece.sha256.0 {
                return Err(Reason::UploadHashMismatch);
            }
            let file = file.try_clone().map_err(|_| Reason::Internal)?;
            seal(&file).map_err(|_| Reason::Internal)?;
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
mod tests {
    use quorate_protocol::atoms::Bytes;

    use super::*;

    fn piece(binary: &[u8], offset: usize, length: usize) -> Upload {
        Upload {
            sha256: Sha256::of(binary),
            size: binary.len() as u64,
            offset: offset as u64,
            data: Bytes::new(binary[offset..offset + length].to_vec()).unwrap(),
        }
    }

    #[test]
    fn pieces_in_order_make_a_sealed_binary() {
        let binary: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut uploads = Uploads::default();
        let first = uploads.take(&piece(&binary, 0, 600)).unwrap();
        assert_eq!(
            first,
            Uploaded {
                received: 600,
                complete: false
            }
        );
        assert!(uploads.complete(&Sha256::of(&binary), 1000).is_none());
        let asked = uploads.take(&piece(&binary, 0, 0)).unwrap();
        assert_eq!(asked.received, 600);
        let last = uploads.take(&piece(&binary, 600, 400)).unwrap();
        assert_eq!(
            last,
            Uploaded {
                received: 1000,
                complete: true
            }
        );
        let complete = uploads.remove(&Sha256::of(&binary), 1000).unwrap();
        let mut file = complete.file;
        assert!(file.write_all(b"x").is_err(), "the seal holds");
    }

    #[test]
    fn piece_out_of_order_fails_closed() {
        let binary = vec![7; 100];
        let mut uploads = Uploads::default();
        assert_eq!(
            uploads.take(&piece(&binary, 10, 10)),
            Err(Reason::UploadOutOfOrder)
        );
        uploads.take(&piece(&binary, 0, 10)).unwrap();
        assert_eq!(
            uploads.take(&piece(&binary, 0, 10)),
            Err(Reason::UploadOutOfOrder)
        );
        assert_eq!(
            uploads.take(&piece(&binary, 20, 10)),
            Err(Reason::UploadOutOfOrder)
        );
        let rest = uploads.take(&piece(&binary, 10, 90)).unwrap();
        assert!(rest.complete, "refused pieces changed nothing");
    }

    #[test]
    fn wrong_size_announced_by_another_takes_nobodys_place() {
        let binary = vec![7; 100];
        let mut uploads = Uploads::default();
        let mut wrong = piece(&binary, 0, 10);
        wrong.size = 5000;
        uploads.take(&wrong).unwrap();
        assert_eq!(uploads.take(&piece(&binary, 0, 0)).unwrap().received, 0);
        assert!(uploads.take(&piece(&binary, 0, 100)).unwrap().complete);
        assert!(uploads.complete(&Sha256::of(&binary), 100).is_some());
    }

    #[test]
    fn refused_piece_keeps_no_junk_alive() {
        let (junk, good) = (vec![1; 100], vec![2; 100]);
        let mut uploads = Uploads::default();
        assert_eq!(
            uploads.take(&Upload {
                size: 10,
                ..piece(&junk, 0, 50)
            }),
            Err(Reason::UploadOutOfOrder)
        );
        assert!(uploads.entries.is_empty());
        uploads.take(&piece(&junk, 0, 10)).unwrap();
        uploads.take(&piece(&good, 0, 10)).unwrap();
        uploads.take(&piece(&junk, 50, 10)).unwrap_err();
        for n in 0..14_u8 {
            uploads.take(&piece(&[n; 10], 0, 5)).unwrap();
        }
        uploads.take(&piece(&[99; 10], 0, 5)).unwrap();
        assert_eq!(uploads.take(&piece(&junk, 0, 0)).unwrap().received, 0);
        assert_eq!(uploads.take(&piece(&good, 0, 0)).unwrap().received, 10);
    }

    #[test]
    fn another_hash_fails_closed() {
        let mut uploads = Uploads::default();
        let mut wrong = piece(&[1; 64], 0, 64);
        wrong.sha256 = Sha256([9; 32]);
        assert_eq!(uploads.take(&wrong), Err(Reason::UploadHashMismatch));
        assert!(uploads.complete(&Sha256([9; 32]), 64).is_none());
    }

    #[test]
    fn too_large_fails_closed() {
        let mut uploads = Uploads::default();
        let mut huge = piece(&[1; 64], 0, 64);
        huge.size = MAX_BINARY + 1;
        assert_eq!(uploads.take(&huge), Err(Reason::UploadTooLarge));
    }

    #[test]
    fn junk_gives_way_to_a_new_binary() {
        let mut uploads = Uploads::default();
        for n in 0..100_u8 {
            let mut junk = piece(&[1; 64], 0, 10);
            junk.sha256 = Sha256([n; 32]);
            uploads.take(&junk).unwrap();
        }
        assert_eq!(uploads.entries.len(), MAX_BINARIES);
        let good = vec![3; 500];
        assert!(uploads.take(&piece(&good, 0, 500)).unwrap().complete);
    }
}
