//! Why a file or folder could not be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use thiserror::Error;

use crate::error::{Blame, Explanation};

/// Why a file or folder could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another command works in this private folder.
    #[error("another command is working in {}", .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A different file is there already.
    #[error("{} exists and holds something else", .path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {}", .path.display(), io::Error::from_raw_os_error(*.errno))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error number; 0 if it gave none.
        errno: i32,
    },
    /// There is no room.
    #[error("there is no room for {}", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A file that is needed is not there.
    #[error("{} is not there", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A link, pipe, device or folder stands where a plain file or folder must be.
    #[error("{} is a symbolic link, or not a plain file or folder", .path.display())]
    NotPlain {
        /// Where.
        path: PathBuf,
    },
    /// A private folder or file is open to others, or belongs to somebody else.
    #[error("{} is open to others or not yours (mode {mode:o})", .path.display())]
    NotPrivate {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is longer than its object may be.
    #[error("{} has more than {max} bytes", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Largest accepted length in bytes.
        max: usize,
    },
}

impl StorageError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        match self {
            Self::Busy { .. } => Explanation::new(
                "private-folder-busy",
                Blame::You,
                "wait until the other command has ended",
            ),
            Self::Differs { .. } => Explanation::new(
                "file-differs",
                Blame::Folder,
                "nothing was overwritten; find out who wrote the other file and why, and begin \
                 again in a new folder if the members agree on that",
            ),
            Self::Io { .. } => Explanation::new(
                "file-error",
                Blame::Machine,
                "mend what the system reports and repeat the command; nothing was half written",
            ),
            Self::Full { .. } => Explanation::new(
                "disk-full",
                Blame::Machine,
                "make room and repeat the command: it goes on where it ended, and nothing was half \
                 written",
            ),
            Self::Missing { .. } => Explanation::new(
                "file-missing",
                Blame::You,
                "wait for the step that writes it (see `quorate ceremony status`), or correct the \
                 folder's path",
            ),
            Self::NotPlain { .. } => Explanation::new(
                "file-not-plain",
                Blame::Folder,
                "somebody put a link or device into the folder; remove it and ask who did",
            ),
            Self::NotPrivate { .. } => Explanation::new(
                "folder-not-private",
                Blame::You,
                "make it yours alone: chmod 700 for the folder, chmod 600 for its files",
            ),
            Self::TooLong { .. } => Explanation::new(
                "file-too-long",
                Blame::Folder,
                "it is not the object it should be; ask whoever wrote it to write it again",
            ),
        }
    }
}

pub(super) fn refused(path: PathBuf, errno: Errno) -> StorageError {
    match errno {
        // O_NOFOLLOW on a link; the second with O_DIRECTORY; the third a socket.
        Errno::ELOOP | Errno::ENOTDIR | Errno::ENXIO => StorageError::NotPlain { path },
        Errno::ENOENT => StorageError::Missing { path },
        Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => StorageError::Full { path },
        errno => StorageError::Io {
            path,
            errno: errno as i32,
        },
    }
}

pub(crate) fn failed(path: &Path, error: &io::Error) -> StorageError {
    if error.kind() == io::ErrorKind::NotFound {
        return StorageError::Missing { path: path.into() };
    }
    let full = [Errno::ENOSPC, Errno::EDQUOT, Errno::EFBIG].map(|errno| Some(errno as i32));
    if full.contains(&error.raw_os_error()) {
        return StorageError::Full { path: path.into() };
    }
    StorageError::Io {
        path: path.into(),
        errno: error.raw_os_error().unwrap_or(0),
    }
}
