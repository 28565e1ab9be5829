//! The content-addressed store: every input of an image under the digest of its content.
//!
//! Guarantees: a file appears under its name only whole, flushed to disk and with the digest that
//! is its name, by a rename within one folder; a process that dies at any moment leaves at most a
//! part in `partial/`. What is read from the store is hashed again, so a damaged disk is found
//! before a build uses it.
//!
//! Trusts: nobody else writes to the folder while a file is used. A wrong file is found, not
//! prevented.
//!
//! Does not: know names, versions or mirrors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use crate::digest::{Hashing, Sha256};
use crate::error::{Error, during};

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the store in `folder`, which is made when it does not exist.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        for inner in ["sha256", "partial"] {
            let path = folder.join(inner);
            fs::create_dir_all(&path).map_err(during("make the folder", &path))?;
        }
        // A sandbox is told absolute paths.
        let folder = fs::canonicalize(folder).map_err(during("open", folder))?;
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a file with this digest is or would be.
    #[must_use]
    pub fn path(&self, digest: &Sha256) -> PathBuf {
        let text = digest.to_string();
        let (first, _) = text.split_at(2);
        self.folder.join("sha256").join(first).join(&text)
    }

    /// Whether a file of this name and length is there. Its content is checked when it is used.
    #[must_use]
    pub fn has(&self, digest: &Sha256, size: Option<u64>) -> bool {
        fs::metadata(self.path(digest))
            .is_ok_and(|found| found.is_file() && size.is_none_or(|size| found.len() == size))
    }

    /// The path of a file whose content was hashed just now.
    ///
    /// # Errors
    /// [`Error::NotInStore`], or [`Error::DamagedStore`]; the damaged file is taken out.
    pub fn verified(&self, digest: &Sha256, name: &str) -> Result<PathBuf, Error> {
        let path = self.path(digest);
        if !path.is_file() {
            return Err(Error::NotInStore {
                name: name.to_owned(),
                digest: *digest,
            });
        }
        let (found, _) = Sha256::of_file(&path)?;
        if found != *digest {
            fs::remove_file(&path).map_err(during("remove", &path))?;
            return Err(Error::DamagedStore {
                name: name.to_owned(),
                expected: *digest,
                found,
            });
        }
        Ok(path)
    }

    /// The part of a file that was fetched before, to be appended to, and its length.
    pub(crate) fn partial(&self, digest: &Sha256) -> Result<Partial, Error> {
        let path = self.folder.join("partial").join(digest.to_string());
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(during("open", &path))?;
        // One process fetches a file at a time; it ends with the process.
        let file = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
            .map_err(|_| Error::Busy { path: path.clone() })?;
        Ok(Partial { path, file })
    }

    /// Takes what `content` gives into the store if it has this digest.
    ///
    /// # Errors
    /// If it cannot be written. `Ok(Err(found))` when the digest is another: nothing was kept.
    pub fn insert(
        &self,
        content: &mut impl Read,
        digest: &Sha256,
        limit: u64,
    ) -> Result<Result<(), Sha256>, Error> {
        let name = format!("{digest}.{}", std::process::id());
        let path = self.folder.join("partial").join(name);
        let mut file = File::create(&path).map_err(during("make", &path))?;
        let mut hash = Hashing::new(content.take(limit));
        let copied = io::copy(&mut hash, &mut file).map_err(during("write", &path));
        let (found, _) = hash.finish();
        let outcome = copied.and_then(|_| {
            if found == *digest {
                self.adopt(&path, &file, digest).map(Ok)
            } else {
                Ok(Err(found))
            }
        });
        // Renamed away when it was good.
        let _ = fs::remove_file(&path);
        outcome
    }

    /// Flushes a file whose content is right and gives it its name.
    fn adopt(&self, path: &Path, file: &File, digest: &Sha256) -> Result<(), Error> {
        file.sync_all().map_err(during("flush", path))?;
        let target = self.path(digest);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(during("make the folder", folder))?;
        }
        fs::rename(path, &target).map_err(during("name", &target))
    }
}

/// A file on its way into the store.
pub(crate) struct Partial {
    path: PathBuf,
    file: nix::fcntl::Flock<File>,
}

impl Partial {
    pub(crate) fn length(&self) -> Result<u64, Error> {
        let found = self.file.metadata().map_err(during("read", &self.path))?;
        Ok(found.len())
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(bytes)
            .map_err(during("write", &self.path))
    }

    /// Starts again.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        self.file.set_len(0).map_err(during("empty", &self.path))
    }

    /// Into the store if the content has this digest; else it is emptied and the digest returned.
    pub(crate) fn finish(
        &self,
        store: &Store,
        digest: &Sha256,
    ) -> Result<Result<(), Sha256>, Error> {
        let (found, _) = Sha256::of_file(&self.path)?;
        if found == *digest {
            store.adopt(&self.path, &self.file, digest)?;
            return Ok(Ok(()));
        }
        self.clear()?;
        Ok(Err(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("Läger mit Raum")).unwrap();
        (folder, store)
    }

    fn left_over(store: &Store) -> usize {
        fs::read_dir(store.folder().join("partial"))
            .unwrap()
            .count()
    }

    #[test]
    fn a_file_with_another_digest_fails_closed() {
        let (_folder, store) = store();
        let digest = Sha256::of(b"good");
        let outcome = store.insert(&mut &b"evil"[..], &digest, 100).unwrap();
        assert_eq!(outcome, Err(Sha256::of(b"evil")));
        assert!(!store.has(&digest, None));
        assert_eq!(left_over(&store), 0);
        assert_eq!(store.insert(&mut &b"good"[..], &digest, 100), Ok(Ok(())));
        assert_eq!(
            fs::read(store.verified(&digest, "x").unwrap()).unwrap(),
            b"good"
        );
        assert_eq!(left_over(&store), 0);
    }

    #[test]
    fn an_endless_file_fails_closed() {
        let (_folder, store) = store();
        let outcome = store.insert(&mut io::repeat(0), &Sha256::of(b"good"), 1000);
        assert_eq!(outcome, Ok(Err(Sha256::of(&[0; 1000]))));
    }

    #[test]
    fn a_damaged_file_of_the_store_fails_closed() {
        let (_folder, store) = store();
        let digest = Sha256::of(b"good");
        store
            .insert(&mut &b"good"[..], &digest, 100)
            .unwrap()
            .unwrap();
        fs::write(store.path(&digest), b"rust").unwrap();
        let damaged = Error::DamagedStore {
            name: "x".into(),
            expected: digest,
            found: Sha256::of(b"rust"),
        };
        assert_eq!(store.verified(&digest, "x"), Err(damaged));
        // It is out of the way, so that the next fetch mends it.
        assert_eq!(
            store.verified(&digest, "x"),
            Err(Error::NotInStore {
                name: "x".into(),
                digest
            })
        );
    }

    #[test]
    fn a_full_disk_keeps_the_store_whole_fails_closed() {
        struct Full;
        impl Read for Full {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(nix::libc::ENOSPC))
            }
        }
        let (_folder, store) = store();
        let digest = Sha256::of(b"good");
        let failed = store.insert(&mut Full, &digest, 100).unwrap_err();
        assert_eq!(failed.code(), "disk-full");
        assert!(failed.remedy().contains("make room"));
        assert!(!store.has(&digest, None));
        assert_eq!(left_over(&store), 0);
    }

    #[test]
    fn two_fetches_of_one_file_do_not_mix_fails_closed() {
        let (_folder, store) = store();
        let digest = Sha256::of(b"good");
        let first = store.partial(&digest).unwrap();
        assert!(matches!(store.partial(&digest), Err(Error::Busy { .. })));
        drop(first);
        assert!(store.partial(&digest).is_ok());
    }
}
