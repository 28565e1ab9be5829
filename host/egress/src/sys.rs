//! Taking ownership of descriptors the kernel has just made: the only file of this package with
//! `unsafe`.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{SockFlag, VsockAddr, accept4, getpeername};

/// Takes a connection of a listening socket, close-on-exec and blocking, with the peer's context id
/// if it came over vsock.
///
/// # Errors
/// What the kernel said.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<(OwnedFd, Option<u32>), Errno> {
    let number = accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just made this descriptor in this process, and its number is nowhere else.
    let accepted = unsafe { OwnedFd::from_raw_fd(number) };
    let peer = getpeername::<VsockAddr>(accepted.as_raw_fd()).ok();
    Ok((accepted, peer.map(|peer| peer.cid())))
}
