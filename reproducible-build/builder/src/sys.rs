//! The system calls that the libraries do not wrap as safe functions.

use nix::unistd::{ForkResult, fork};

/// Splits this process in two.
///
/// # Errors
/// What the kernel said; also when this process has more than one thread, since a lock another
/// thread holds would stay locked in the child for ever.
pub(crate) fn split() -> Result<ForkResult, nix::errno::Errno> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(nix::errno::Errno::EBUSY);
    }
    // SAFETY: this process has one thread (counted above; only it could start another), so no
    // lock is held by anybody else and the child may use every function.
    unsafe { fork() }
}
