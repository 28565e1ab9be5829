//! The binary of an application as a file: read through piece by piece, never kept.
//!
//! Guarantees: memory does not grow with the file. What was hashed is not what is sent later if
//! somebody changes the file in between; the enclave hashes what arrives and refuses it then.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use quorate_protocol::atoms::Sha256;
use quorate_protocol::manifest::MAX_BINARY;
use sha2::Digest as _;

use crate::error::CeremonyError;
use crate::inputs::InputError;
use crate::storage::{StorageError, failed};

/// Bytes read at once to be hashed.
const PIECE: usize = 64 * 1024;

/// A binary whose size and hash are known.
#[derive(Debug)]
pub struct BinaryFile {
    path: PathBuf,
    file: File,
    size: u64,
    sha256: Sha256,
}

impl BinaryFile {
    /// Opens and hashes a file that a person named on the command line; links are theirs to use.
    ///
    /// # Errors
    /// [`InputError::BinarySize`]; [`StorageError`], of which [`StorageError::NotPlain`] for what is
    /// no plain file.
    pub fn open(path: &Path) -> Result<Self, CeremonyError> {
        let system = |error: &io::Error| CeremonyError::from(failed(path, error));
        let mut file = File::open(path).map_err(|error| system(&error))?;
        let metadata = file.metadata().map_err(|error| system(&error))?;
        if !metadata.is_file() {
            return Err(StorageError::NotPlain { path: path.into() }.into());
        }
        // Known before the first byte is read, and counted while reading: files grow.
        let fits = |size: u64| {
            if size == 0 || size > MAX_BINARY {
                let path = path.into();
                return Err(CeremonyError::from(InputError::BinarySize { path, size }));
            }
            Ok(size)
        };
        fits(metadata.len())?;
        let mut hash = sha2::Sha256::new();
        let mut size = 0_u64;
        let mut piece = vec![0; PIECE];
        loop {
            let count = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(system(&error)),
            };
            size = fits(size.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)))?;
            hash.update(piece.get(..count).unwrap_or_default());
        }
        Ok(Self {
            path: path.into(),
            file,
            size: fits(size)?,
            sha256: Sha256(hash.finalize().into()),
        })
    }

    /// Its size in bytes, 1 to [`MAX_BINARY`].
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its hash.
    #[must_use]
    pub const fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what begins at `offset`: as many bytes as the buffer has, or all that are left.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn read_at(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, StorageError> {
        let sought = self.file.seek(SeekFrom::Start(offset));
        sought.map_err(|error| failed(&self.path, &error))?;
        let mut filled = 0_usize;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&self.path, &error)),
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<BinaryFile, CeremonyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("binary");
        std::fs::write(&path, bytes).unwrap();
        BinaryFile::open(&path)
    }

    #[test]
    fn size_and_hash_are_those_of_the_file() {
        let bytes: Vec<u8> = (0..200_003_u32).map(|n| (n % 251) as u8).collect();
        let mut file = open(&bytes).unwrap();
        assert_eq!(file.size(), 200_003);
        assert_eq!(file.sha256(), Sha256::of(&bytes));
        let mut piece = [0; 1000];
        assert_eq!(file.read_at(199_500, &mut piece), Ok(503));
        assert_eq!(piece[..503], bytes[199_500..]);
        assert_eq!(file.read_at(300_000, &mut piece), Ok(0));
    }

    #[test]
    fn an_empty_file_fails_closed() {
        let refused = open(b"").unwrap_err();
        let size = InputError::BinarySize {
            path: PathBuf::new(),
            size: 0,
        };
        assert_eq!(refused.explain().code, size.explain().code);
    }

    /// A file of holes: as large as it says, and nothing of it is read.
    #[test]
    fn one_byte_too_long_fails_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("binary");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_BINARY + 1).unwrap();
        let refused = BinaryFile::open(&path).unwrap_err();
        let size = MAX_BINARY + 1;
        assert_eq!(refused, InputError::BinarySize { path, size }.into());
    }

    #[test]
    fn what_is_no_plain_file_fails_closed() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/zero")] {
            let refused = BinaryFile::open(path).unwrap_err();
            let plain = StorageError::NotPlain { path: path.into() };
            assert_eq!(refused, plain.into());
        }
        let path = folder.path().join("none");
        let refused = BinaryFile::open(&path).unwrap_err();
        assert_eq!(refused, StorageError::Missing { path }.into());
    }
}
