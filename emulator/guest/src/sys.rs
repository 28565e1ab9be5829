//! The one place with `unsafe`: taking over a descriptor the kernel has made.

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use nix::sys::socket::{SockFlag, accept4};

/// The next connection of a listening socket.
pub(crate) fn accept(listener: RawFd) -> nix::Result<OwnedFd> {
    let fd = accept4(listener, SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just returned it, and nobody else has seen it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
