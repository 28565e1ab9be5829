//! What only the first process of a machine has to do: file systems, and the sign of life that
//! Nitro's tools wait for.
//!
//! Guarantees: init goes on only when every mount was made; each is as narrow as its use allows.
//! Nothing but fixed words is written or sent.
//!
//! Does not: run anywhere but in a machine of its own. As an ordinary process (the emulator's
//! process mode) init never comes here.

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::socket::sockopt::SocketError;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, getsockopt, socket};
use nix::sys::stat::{Mode, umask};

/// The parent instance, as enclaves address it.
pub(crate) const PARENT: u32 = 3;
/// Where Nitro's tools wait for the sign of life.
const HEARTBEAT_PORT: u32 = 9000;
/// The sign, and the answer.
const HEARTBEAT: u8 = 0xb7;
/// How long the parent may take for each step of it, in milliseconds. Nitro's tools answer at once.
const PATIENCE: u16 = 2000;

/// A step that failed; init halts.
pub(crate) struct Failed {
    /// Which.
    pub(crate) step: &'static str,
    /// What the kernel said.
    pub(crate) errno: Errno,
}

/// Mounts what init and applications use.
pub(crate) fn mount_all() -> Result<(), Failed> {
    umask(Mode::from_bits_truncate(0o077));
    // A machine starts with whatever mask the kernel had: none of it is ours.
    let all_open = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    all_open.map_err(|errno| Failed {
        step: "signals",
        errno,
    })?;
    let narrow = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    for (kind, target, flags, options) in [
        ("devtmpfs", "/dev", narrow, "mode=0755"),
        (
            "proc",
            "/proc",
            narrow | MsFlags::MS_NODEV,
            "hidepid=invisible",
        ),
        (
            "tmpfs",
            "/tmp",
            narrow | MsFlags::MS_NODEV,
            "mode=1777,size=16m",
        ),
    ] {
        let mounted = mount(Some(kind), target, Some(kind), flags, Some(options));
        mounted.map_err(|errno| Failed {
            step: target,
            errno,
        })?;
    }
    Ok(())
}

/// Tells the parent instance that the machine has started, and waits for its answer.
///
/// # Errors
/// What the kernel said. Whoever started the enclave finds that out by itself, and without Nitro's
/// tools nobody listens there, so init goes on.
pub(crate) fn heartbeat() -> Result<(), Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
    match connect(fd.as_raw_fd(), &VsockAddr::new(PARENT, HEARTBEAT_PORT)) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            ready(&fd, PollFlags::POLLOUT)?;
            match getsockopt(&fd, SocketError)? {
                0 => {}
                code => return Err(Errno::from_raw(code)),
            }
        }
        Err(errno) => return Err(errno),
    }
    let mut stream = std::fs::File::from(fd);
    let raw = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    stream.write_all(&[HEARTBEAT]).map_err(raw)?;
    ready(&stream, PollFlags::POLLIN)?;
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(raw)?;
    if answer == [HEARTBEAT] {
        Ok(())
    } else {
        Err(Errno::EPROTO)
    }
}

fn ready(fd: &impl std::os::fd::AsFd, events: PollFlags) -> Result<(), Errno> {
    let mut fds = [PollFd::new(fd.as_fd(), events)];
    match poll(&mut fds, PollTimeout::from(PATIENCE))? {
        0 => Err(Errno::ETIMEDOUT),
        _ => Ok(()),
    }
}
