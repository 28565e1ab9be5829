//! The cgroup of an application: what it may use, and the end of all that is in it.
//!
//! Guarantees: whatever the application started is in its group and ends with it, even what left
//! its session. Memory that the kernel holds for it counts as its own. Where the group runs out of
//! memory all of it ends at once, and nothing else does.

use std::ffi::CStr;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};

use crate::refuse::Halt;

/// Threads an application may have, at most.
pub(super) const TASKS: u64 = 512;

/// The root of the hierarchy, held open; it needs no name in the file system.
pub(super) struct Groups {
    root: OwnedFd,
}

/// One application's group.
pub(super) struct Group {
    folder: OwnedFd,
}

impl Groups {
    /// Takes over a cgroup2 file system and turns on what limits an application.
    ///
    /// # Errors
    /// [`Halt::Kernel`].
    pub(super) fn open(path: &Path) -> Result<Self, Halt> {
        let root = open(path, FOLDER, Mode::empty()).map_err(Halt::kernel("open the cgroups"))?;
        write(&root, c"cgroup.subtree_control", b"+memory +pids")
            .map_err(Halt::kernel("turn on limits of memory and processes"))?;
        // As it comes, only who may ignore permissions makes a group in it.
        fchmod(&root, Mode::S_IRWXU).map_err(Halt::kernel("open the cgroups"))?;
        Ok(Self { root })
    }

    /// Makes the group of the application at `position`.
    ///
    /// # Errors
    /// [`Halt::Kernel`].
    pub(super) fn make(&self, position: usize, memory: u64) -> Result<Group, Halt> {
        let name = format!("application-{position}");
        let made = mkdirat(&self.root, name.as_str(), Mode::S_IRWXU);
        made.map_err(Halt::kernel("make a cgroup"))?;
        let folder = openat(&self.root, name.as_str(), FOLDER, Mode::empty())
            .map_err(Halt::kernel("open a cgroup"))?;
        let limits = [
            (c"memory.max", memory.to_string()),
            // Half an application is none.
            (c"memory.oom.group", "1".to_owned()),
            (c"pids.max", TASKS.to_string()),
        ];
        for (file, limit) in limits {
            write(&folder, file, limit.as_bytes()).map_err(Halt::kernel("limit a cgroup"))?;
        }
        Ok(Group { folder })
    }
}

impl Group {
    /// Ends everything in it, at once.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn end(&self) -> Result<(), Errno> {
        write(&self.folder, c"cgroup.kill", b"1")
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

const FOLDER: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

fn write(folder: &OwnedFd, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, Mode::empty())?);
    // The kernel takes the value of one write as a whole, or refuses it.
    file.write_all(value)
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))
}
