//! Taking over inherited descriptors: the only file of this package with `unsafe`.
#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Numbers that were taken: each has one owner for the life of the process.
static TAKEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// Takes ownership of an inherited descriptor and marks it close-on-exec.
///
/// # Errors
/// `EBADF` if it is not open, one of the standard three, or was taken before.
pub(crate) fn take(number: RawFd) -> Result<OwnedFd, Errno> {
    let mut taken = TAKEN.lock().map_err(|_| Errno::EBADF)?;
    if number < 3 || taken.contains(&number) {
        return Err(Errno::EBADF);
    }
    // SAFETY: the number is not negative, and the borrow ends with the next line; fcntl reports a
    // number that is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    taken.push(number);
    // SAFETY: the descriptor is open, and `TAKEN` sees to it that this is its only owner. init
    // placed it below everything this process opens itself.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_descriptor_fails_closed() {
        assert_eq!(take(999_999).err(), Some(Errno::EBADF));
        assert_eq!(take(-1).err(), Some(Errno::EBADF));
    }

    #[test]
    fn standard_descriptor_fails_closed() {
        assert_eq!(take(1).err(), Some(Errno::EBADF));
    }

    #[test]
    fn second_owner_fails_closed() {
        use std::os::fd::IntoRawFd as _;
        let number = std::fs::File::open("/dev/null").unwrap().into_raw_fd();
        let first = take(number).unwrap();
        assert_eq!(take(number).err(), Some(Errno::EBADF));
        drop(first);
    }
}
