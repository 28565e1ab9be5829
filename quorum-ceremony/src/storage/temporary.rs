//! Files on their way to a name, and what is left of them when a process dies before that.
//!
//! Guarantees: a temporary file is new (`O_EXCL`), has a name of ours, and is locked by whoever writes it
//! for as long as it has that name only. So what is not locked is nobody's any more, and [`tidy`] removes
//! it: plain files with a name of ours that this user may write, whose lock could be had, and whose name
//! still means that very file then. Nothing else is touched, whatever somebody calls it: no link is
//! followed, no folder entered, no pipe waited for. At most [`MAX_LISTED`] names of a folder are looked at.
//!
//! Trusts: the file system's locks. Where it has none, nothing is ever removed. Where they do not reach, as
//! between machines that a program keeps in step, a living file's copy can be removed; its writer then finds
//! it gone and writes it again.
//!
//! Does not: keep away somebody who may write into the folder. They can remove any file of it themselves.

use std::ffi::CStr;
use std::fs::{File, Permissions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::NixPath;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{StorageError, failed, may_die, refused};
use crate::random;

/// How often a file is begun again that somebody else removes.
pub(super) const ATTEMPTS: usize = 4;
/// Names of a folder that are looked at, at most.
const MAX_LISTED: usize = 4096;

const PREFIX: &str = ".new-";
const DIGITS: usize = 16;

/// A complete, durable file that has no name of its own yet. Locked for as long as this lives.
pub(super) struct Temporary {
    name: String,
    _locked: File,
}

impl Temporary {
    /// Writes one beside the place it is meant for.
    pub(super) fn write(
        parent: &File,
        bytes: &[u8],
        file_mode: u32,
        path: &Path,
    ) -> Result<Self, StorageError> {
        for _ in 0..ATTEMPTS {
            let (name, mut file) = create(parent, file_mode, path)?;
            may_die(path)?;
            if !is_held(parent, &name, &file) {
                continue;
            }
            let written = file.write_all(bytes).and_then(|()| {
                if file_mode == 0o600 {
                    file.set_permissions(Permissions::from_mode(0o600))?;
                }
                file.sync_all()
            });
            if let Err(error) = written {
                let _ = unlinkat(parent, name.as_str(), UnlinkatFlags::NoRemoveDir);
                return Err(failed(path, &error));
            }
            return Ok(Self {
                name,
                _locked: file,
            });
        }
        Err(refused(path.into(), Errno::EAGAIN))
    }

    /// The name it has until it gets its own.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

fn create(parent: &File, file_mode: u32, path: &Path) -> Result<(String, File), StorageError> {
    let random = random::bytes::<8>().map_err(|_| StorageError::Io {
        path: path.into(),
        errno: 0,
    })?;
    let name = format!("{PREFIX}{:016x}", u64::from_be_bytes(*random));
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(file_mode);
    let file = openat(parent, name.as_str(), flags, mode)
        .map_err(|errno| refused(path.into(), errno))?
        .into();
    Ok((name, file))
}

/// Whether a file that was just made is ours to write: between making and locking it, another process may
/// have taken it for one that was left.
fn is_held(parent: &File, name: &str, file: &File) -> bool {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        // A file system without locks: nobody removes anything there.
        Ok(()) | Err(TryLockError::Error(_)) => {
            stat(parent, name).is_ok_and(|found| is_same(&found, file))
        }
    }
}

/// Removes what processes that are dead left in this folder. What cannot be removed stays: it is in
/// nobody's way.
pub(super) fn tidy(parent: &File) {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(mut listing) = Dir::openat(parent, ".", flags, Mode::empty()) else {
        return;
    };
    for entry in listing.iter().take(MAX_LISTED) {
        let Ok(entry) = entry else { return };
        if is_ours(entry.file_name()) {
            remove_if_left(parent, entry.file_name());
        }
    }
}

fn is_ours(name: &CStr) -> bool {
    let digits = name.to_bytes().strip_prefix(PREFIX.as_bytes());
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(is_digit))
}

fn remove_if_left(parent: &File, name: &CStr) {
    // Looked at before it is opened, since opening is not without effect on everything.
    let plain = |found: FileStat| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
    if stat(parent, name).map(plain) != Ok(SFlag::S_IFREG) {
        return;
    }
    // To be written to, since some file systems lock nothing else; and what this user may not write is
    // another's to remove.
    let flags =
        OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let Ok(file) = openat(parent, name, flags, Mode::empty()).map(File::from) else {
        return;
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) || file.try_lock().is_err() {
        return;
    }
    // The lock is on the file that was opened; it must still be the one of this name.
    if stat(parent, name).is_ok_and(|found| is_same(&found, &file)) {
        let _ = unlinkat(parent, name, UnlinkatFlags::NoRemoveDir);
    }
}

fn stat<N: NixPath + ?Sized>(parent: &File, name: &N) -> Result<FileStat, Errno> {
    fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn is_same(found: &FileStat, file: &File) -> bool {
    let same = |open: std::fs::Metadata| (found.st_dev, found.st_ino) == (open.dev(), open.ino());
    file.metadata().is_ok_and(same)
}

#[cfg(test)]
mod tests;
