//! Taking over descriptors, and the kernel's randomness: the only file of this package with
//! `unsafe`.
#![allow(unsafe_code)]

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::Mutex;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockFlag, accept4, recvmsg};

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

/// Receives one packet and the descriptors that come with it, close-on-exec. Packets that are
/// longer than the buffer, or bring more descriptors than one, are errors.
///
/// # Errors
/// What the kernel said; `EMSGSIZE` for a packet that was cut.
pub(crate) fn receive(
    socket: &OwnedFd,
    buffer: &mut [u8],
) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut descriptor = None;
    let cut = received.flags.contains(MsgFlags::MSG_TRUNC);
    for message in received.cmsgs().map_err(|_| Errno::EMSGSIZE)? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            for number in numbers {
                // SAFETY: the kernel has just put this descriptor into this process for this
                // message, and nothing else knows its number.
                descriptor = Some(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    if cut {
        return Err(Errno::EMSGSIZE);
    }
    Ok((received.bytes, descriptor))
}

/// Accepts one connection, close-on-exec.
///
/// # Errors
/// What the kernel said.
pub(crate) fn accept(listener: &impl AsFd) -> Result<OwnedFd, Errno> {
    let number = accept4(listener.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: the kernel has just put this descriptor into this process, and nothing else knows its
    // number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Fills `buffer` from the kernel's generator, waiting until it is seeded.
///
/// # Errors
/// What the kernel said.
pub(crate) fn kernel_random(buffer: &mut [u8]) -> Result<(), Errno> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: `rest` is valid for writes of `rest.len()` bytes for the duration of the call.
        let outcome = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match Errno::result(outcome) {
            Ok(count) => filled = filled.saturating_add(usize::try_from(count).unwrap_or(0)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
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
