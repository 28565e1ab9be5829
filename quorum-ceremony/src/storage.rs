//! Files: read with a bound, written whole or not at all.
//!
//! Guarantees: a path below a [`Folder`] is resolved from an open descriptor, by the kernel at once
//! where it can (openat2) and else component by component, and no component may be a symbolic link, so nobody who can write into a shared folder leads a
//! read or a write out of it. What is opened is a regular file (opening a pipe does not wait), and
//! its size is checked before it is read. [`Folder::publish`] never replaces a file that differs:
//! two different objects at one place are an error with a name. A file is complete when it is
//! visible: it is written beside its place, made durable, then given its name. What a process that died
//! left there is removed by the next one that writes into the same folder (`temporary.rs`).
//!
//! Trusts: the kernel and the path of the folder itself, which the person named.
//!
//! Does not: list folders to find what to read. Every file the ceremony reads is looked up by the name it
//! must have, so stray files mean nothing.

mod temporary;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

pub use self::error::StorageError;
pub(crate) use self::error::failed;
use self::error::refused;
use self::temporary::Temporary;

/// Whether a file was written or was there already, byte for byte the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was there.
    AlreadyThere,
    /// It was written.
    Written,
}

/// How often a folder's lock is tried before somebody else has it, and the pause between: a second in all.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Opening does not wait for a pipe's writer, and gives no terminal to this process.
const FILE_TO_READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    directory: File,
    path: PathBuf,
    /// Permission bits of new files, before the umask.
    file_mode: u32,
    /// Permission bits of new folders below, before the umask.
    folder_mode: u32,
    /// Folders in which nothing is left of dead processes, by device and number.
    tidied: Mutex<BTreeSet<(u64, u64)>>,
}

impl Folder {
    /// Opens a folder that others may write into.
    ///
    /// # Errors
    /// [`StorageError`]; also if it is not there.
    pub fn open_shared(path: &Path) -> Result<Self, StorageError> {
        Self::open(path, 0o666, 0o777)
    }

    /// Opens a folder that others may write into; makes it if it is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn create_shared(path: &Path) -> Result<Self, StorageError> {
        create(path, 0o777)?;
        Self::open_shared(path)
    }

    /// Opens a folder that must belong to this user alone.
    ///
    /// # Errors
    /// [`StorageError`]; [`StorageError::NotPrivate`] if others could read it.
    pub fn open_private(path: &Path) -> Result<Self, StorageError> {
        let folder = Self::open(path, 0o600, 0o700)?;
        let metadata = folder.directory.metadata().map_err(|e| failed(path, &e))?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 || metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(StorageError::NotPrivate {
                path: path.into(),
                mode,
            });
        }
        Ok(folder)
    }

    /// Opens a folder of this user alone; makes it, mode 0700, if it is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn create_private(path: &Path) -> Result<Self, StorageError> {
        create(path, 0o700)?;
        Self::open_private(path)
    }

    fn open(path: &Path, file_mode: u32, folder_mode: u32) -> Result<Self, StorageError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = nix::fcntl::open(path, flags, Mode::empty())
            .map_err(|errno| refused(path.into(), errno))?
            .into();
        Ok(Self {
            directory,
            path: path.into(),
            file_mode,
            folder_mode,
            tidied: Mutex::default(),
        })
    }

    /// The folder's path as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file below, for people.
    #[must_use]
    pub fn path_of(&self, file: &[&str]) -> PathBuf {
        file.iter()
            .fold(self.path.clone(), |path, part| path.join(part))
    }

    /// Reads a file of at most `max` bytes; `None` if it, or a folder on the way, is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn read(&self, file: &[&str], max: usize) -> Result<Option<Vec<u8>>, StorageError> {
        let path = || self.path_of(file);
        let Some(opened) = self.open_file(file)? else {
            return Ok(None);
        };
        let metadata = opened.metadata().map_err(|e| failed(&path(), &e))?;
        if !metadata.is_file() {
            return Err(StorageError::NotPlain { path: path() });
        }
        let too_long = || StorageError::TooLong { path: path(), max };
        let limit = u64::try_from(max).map_err(|_| too_long())?;
        if metadata.len() > limit {
            return Err(too_long());
        }
        // Room for all of it, and one more byte in which its end is seen: two reads, not many.
        let length = usize::try_from(metadata.len()).map_err(|_| too_long())?;
        let mut bytes = Vec::with_capacity(length.saturating_add(1));
        opened
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| failed(&path(), &e))?;
        if bytes.len() > max {
            return Err(too_long());
        }
        Ok(Some(bytes))
    }

    /// Whether there is a folder of this name.
    ///
    /// # Errors
    /// [`StorageError`]; [`StorageError::NotPlain`] for something else of that name.
    pub(crate) fn has_folder(&self, name: &str) -> Result<bool, StorageError> {
        match open_folder(&self.directory, name) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(refused(self.path_of(&[name]), errno)),
        }
    }

    /// Reads a file that must be there.
    ///
    /// # Errors
    /// [`StorageError`]; [`StorageError::Missing`] if it is not there.
    pub fn require(&self, file: &[&str], max: usize) -> Result<Vec<u8>, StorageError> {
        self.read(file, max)?.ok_or_else(|| StorageError::Missing {
            path: self.path_of(file),
        })
    }

    /// Writes a file that is not there yet. One that is there and equal is left as it is.
    ///
    /// # Errors
    /// [`StorageError`]; [`StorageError::Differs`] if another one is there.
    pub fn publish(&self, file: &[&str], bytes: &[u8]) -> Result<Published, StorageError> {
        let (parent, name) = self.parent(file)?;
        let path = self.path_of(file);
        let placed = self.place(&parent, bytes, &path, |temporary| {
            match linkat(&parent, temporary, &parent, name, AtFlags::empty()) {
                // A file system without links, such as a memory stick's. Two writers at the very same
                // moment could then replace each other's file.
                Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS)
                    if self.open_file(file)?.is_none() =>
                {
                    Ok(renameat(&parent, temporary, &parent, name))
                }
                linked => {
                    may_die(&path)?;
                    match unlinkat(&parent, temporary, UnlinkatFlags::NoRemoveDir) {
                        Ok(()) | Err(Errno::ENOENT) => Ok(linked),
                        removed => Ok(linked.and(removed)),
                    }
                }
            }
        })?;
        match placed {
            Ok(()) => {}
            Err(Errno::EEXIST) => {
                let same = match self.read(file, bytes.len()) {
                    Ok(found) => found.as_deref() == Some(bytes),
                    Err(StorageError::TooLong { .. }) => false,
                    Err(error) => return Err(error),
                };
                return if same {
                    Ok(Published::AlreadyThere)
                } else {
                    Err(StorageError::Differs { path })
                };
            }
            Err(errno) => return Err(refused(path, errno)),
        }
        may_die(&path)?;
        parent.sync_all().map_err(|e| failed(&path, &e))?;
        Ok(Published::Written)
    }

    /// Writes a file, in place of the one that is there. For private folders, where the newer state
    /// replaces the older one, and for what decides nothing: hints, and texts for eyes only.
    ///
    /// # Errors
    /// [`StorageError`]; the old file is then still there.
    pub(crate) fn replace(&self, file: &[&str], bytes: &[u8]) -> Result<(), StorageError> {
        let (parent, name) = self.parent(file)?;
        let path = self.path_of(file);
        self.place(&parent, bytes, &path, |temporary| {
            Ok(renameat(&parent, temporary, &parent, name))
        })?
        .map_err(|errno| refused(path.clone(), errno))?;
        may_die(&path)?;
        parent.sync_all().map_err(|e| failed(&path, &e))
    }

    /// Removes a file that only saves work; one that is not there is left so. It may be back after a
    /// loss of power. For private folders only.
    ///
    /// # Errors
    /// [`StorageError`]; the file is then still there.
    pub(crate) fn remove(&self, file: &[&str]) -> Result<(), StorageError> {
        let (parent, name) = self.parent(file)?;
        let path = self.path_of(file);
        may_die(&path)?;
        match unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(refused(path, errno)),
        }
    }

    /// Overwrites a file and removes it; one that is not there is left so. For private folders only.
    /// What the medium keeps of it elsewhere, this cannot reach.
    ///
    /// # Errors
    /// [`StorageError`]; the file may then be there still, or be overwritten already.
    pub(crate) fn destroy(&self, file: &[&str], max: usize) -> Result<(), StorageError> {
        let Some(bytes) = self.read(file, max)? else {
            return Ok(());
        };
        let (parent, name) = self.parent(file)?;
        let path = self.path_of(file);
        let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut open: File = openat(&parent, name, flags, Mode::empty())
            .map_err(|errno| refused(path.clone(), errno))?
            .into();
        may_die(&path)?;
        open.write_all(&vec![0; bytes.len()])
            .and_then(|()| open.sync_all())
            .map_err(|error| failed(&path, &error))?;
        may_die(&path)?;
        unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)
            .map_err(|errno| refused(path.clone(), errno))?;
        may_die(&path)?;
        parent.sync_all().map_err(|error| failed(&path, &error))
    }

    /// Writes so many bytes durably and removes them again. When they were written, by the clock of
    /// the file system.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn probe(&self, bytes: &[u8]) -> Result<std::time::SystemTime, StorageError> {
        let parent = self.own_handle()?;
        self.tidy(&parent, &self.path)?;
        let temporary = Temporary::write(&parent, bytes, self.file_mode, &self.path)?;
        let written = self.path.join(temporary.name()).symlink_metadata();
        let written = written.and_then(|metadata| metadata.modified());
        unlinkat(&parent, temporary.name(), UnlinkatFlags::NoRemoveDir)
            .map_err(|errno| refused(self.path.clone(), errno))?;
        written.map_err(|e| failed(&self.path, &e))
    }

    /// Takes the folder's lock for as long as the returned file lives.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if another process has it.
    pub(crate) fn lock(&self) -> Result<File, StorageError> {
        let path = self.path_of(&["lock"]);
        let flags = OFlag::O_RDWR
            | OFlag::O_CREAT
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        let file: File = openat(&self.directory, "lock", flags, mode)
            .map_err(|errno| refused(path.clone(), errno))?
            .into();
        // A lock that was given back can be a child's for a moment, between its fork and its program.
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(std::fs::TryLockError::Error(error)) => return Err(failed(&path, &error)),
            }
        }
        Err(StorageError::Busy {
            path: self.path.clone(),
        })
    }

    /// Writes a file beside its place and lets `give` give it its name. One that is gone by then is
    /// written again.
    fn place(
        &self,
        parent: &File,
        bytes: &[u8],
        path: &Path,
        give: impl Fn(&str) -> Result<Result<(), Errno>, StorageError>,
    ) -> Result<Result<(), Errno>, StorageError> {
        self.tidy(parent, path)?;
        let mut given = Ok(());
        for _ in 0..temporary::ATTEMPTS {
            let temporary = Temporary::write(parent, bytes, self.file_mode, path)?;
            may_die(path)?;
            given = give(temporary.name())?;
            if given != Err(Errno::ENOENT) {
                break;
            }
        }
        Ok(given)
    }

    /// Removes what dead processes left in one of the folders, once for as long as this is open.
    fn tidy(&self, parent: &File, path: &Path) -> Result<(), StorageError> {
        let metadata = parent.metadata().map_err(|e| failed(path, &e))?;
        let folder = (metadata.dev(), metadata.ino());
        let first = self.tidied.lock().is_ok_and(|mut all| all.insert(folder));
        if first {
            may_die(path)?;
            temporary::tidy(parent);
        }
        Ok(())
    }

    /// Opens the folder that holds `file`, making folders on the way.
    fn parent<'f>(&self, file: &[&'f str]) -> Result<(File, &'f str), StorageError> {
        let Some((name, folders)) = file.split_last() else {
            return Err(StorageError::Missing {
                path: self.path.clone(),
            });
        };
        if !folders.is_empty()
            && let Ok(parent) = self.open_below(folders, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
        {
            return Ok((parent, name));
        }
        let mut at = self.own_handle()?;
        for (depth, folder) in folders.iter().enumerate() {
            let path = || self.path_of(file.get(..=depth).unwrap_or_default());
            may_die(&self.path)?;
            match mkdirat(&at, *folder, Mode::from_bits_truncate(self.folder_mode)) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(refused(path(), errno)),
            }
            at = open_folder(&at, folder).map_err(|errno| refused(path(), errno))?;
        }
        Ok((at, name))
    }

    fn open_file(&self, file: &[&str]) -> Result<Option<File>, StorageError> {
        match self.open_below(file, FILE_TO_READ) {
            Ok(file) => return Ok(Some(file)),
            Err(Errno::ENOENT) => return Ok(None),
            // An old kernel, a sandbox that does not know the call, or something to be named.
            Err(_) => {}
        }
        self.walk_to_file(file)
    }

    /// Opens what is below this folder with one call; no component may be a symbolic link.
    fn open_below(&self, file: &[&str], flags: OFlag) -> Result<File, Errno> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        openat2(&self.directory, file.join("/").as_str(), how).map(File::from)
    }

    /// Opens a file to read, one component after another.
    fn walk_to_file(&self, file: &[&str]) -> Result<Option<File>, StorageError> {
        let Some((name, folders)) = file.split_last() else {
            return Ok(None);
        };
        let mut at = self.own_handle()?;
        for (depth, folder) in folders.iter().enumerate() {
            at = match open_folder(&at, folder) {
                Ok(folder) => folder,
                Err(Errno::ENOENT) => return Ok(None),
                Err(errno) => {
                    let path = self.path_of(file.get(..=depth).unwrap_or_default());
                    return Err(refused(path, errno));
                }
            };
        }
        let flags = FILE_TO_READ | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&at, *name, flags, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(refused(self.path_of(file), errno)),
        }
    }

    fn own_handle(&self) -> Result<File, StorageError> {
        self.directory
            .try_clone()
            .map_err(|e| failed(&self.path, &e))
    }
}

/// Reads a file that a person named on the command line; links are theirs to use.
///
/// # Errors
/// [`StorageError`].
pub fn read_named(path: &Path, max: usize) -> Result<Vec<u8>, StorageError> {
    let file = File::open(path).map_err(|e| failed(path, &e))?;
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| failed(path, &e))?;
    if bytes.len() > max {
        return Err(StorageError::TooLong {
            path: path.into(),
            max,
        });
    }
    Ok(bytes)
}

/// Writes a file that a person named on the command line; refuses to replace another one.
///
/// # Errors
/// [`StorageError`]; [`StorageError::Differs`] if a different file is there.
pub fn publish_named(path: &Path, bytes: &[u8]) -> Result<Published, StorageError> {
    let (parent, name) = place(path)?;
    Folder::open_shared(parent)?.publish(&[name], bytes)
}

/// Writes a secret to a file that a person named: mode 0600, and never in place of another file.
///
/// # Errors
/// [`StorageError`]; [`StorageError::Differs`] if a different file is there.
pub fn publish_secret(path: &Path, bytes: &[u8]) -> Result<Published, StorageError> {
    let (parent, name) = place(path)?;
    Folder::open(parent, 0o600, 0o700)?.publish(&[name], bytes)
}

/// The folder of a file and its name there.
fn place(path: &Path) -> Result<(&Path, &str), StorageError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| StorageError::NotPlain { path: path.into() })?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((parent, name))
}

fn create(path: &Path, mode: u32) -> Result<(), StorageError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| failed(path, &e))
}

fn open_folder(at: &File, name: &str) -> Result<File, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty()).map(Into::into)
}

/// A point at which a test lets this process die. Nothing in a program.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "tests return an error here")]
const fn may_die(_: &Path) -> Result<(), StorageError> {
    Ok(())
}

#[cfg(test)]
use self::death::point as may_die;

mod error;

#[cfg(test)]
pub(crate) mod death;

#[cfg(test)]
mod tests;
