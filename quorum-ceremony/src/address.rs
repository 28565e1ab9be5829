//! Where an enclave's port is: a Unix socket, or a vsock address as on a Nitro parent instance.
//!
//! Guarantees: an address that was read is one that can be connected to, and connecting ends in
//! bounded time. `vsock:CID:PORT` is always the latter; a file of such a name is `./vsock:…`.
//!
//! Trusts: nothing. Whoever answers there is a stranger until it is attested.

use std::fmt;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    self as net, AddressFamily, SockFlag, SockType, SockaddrLike, UnixAddr, VsockAddr,
};
use thiserror::Error;

/// How an address of the second kind begins.
const VSOCK: &str = "vsock:";

/// Where an enclave's port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket: an emulated enclave, or a bridge.
    Unix(PathBuf),
    /// A port of an enclave of this instance.
    Vsock {
        /// Whose.
        cid: u32,
        /// Which.
        port: u32,
    },
}

/// Not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnAddress {
    /// Nothing is there.
    #[error("an empty address names nothing")]
    Empty,
    /// It begins as a vsock address and is none.
    #[error("a vsock address is vsock:CID:PORT, two numbers below 4294967295, as vsock:16:5000")]
    Vsock,
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if text.is_empty() {
            return Err(NotAnAddress::Empty);
        }
        let Some(numbers) = text.strip_prefix(VSOCK) else {
            return Ok(Self::Unix(text.into()));
        };
        let (cid, port) = numbers.split_once(':').ok_or(NotAnAddress::Vsock)?;
        let (cid, port) = (number(cid)?, number(port)?);
        Ok(Self::Vsock { cid, port })
    }
}

/// Digits only; the number that means any is no address.
fn number(text: &str) -> Result<u32, NotAnAddress> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number != u32::MAX => Ok(number),
        _ => Err(NotAnAddress::Vsock),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Vsock { cid, port } => write!(f, "{VSOCK}{cid}:{port}"),
        }
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Unix(path.into())
    }
}

impl From<&PathBuf> for Address {
    fn from(path: &PathBuf) -> Self {
        Self::Unix(path.clone())
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl Address {
    /// Connects. To a Unix socket whose queue is full that may take `allowed`; to a vsock port the
    /// kernel itself waits two seconds at most.
    ///
    /// # Errors
    /// What the kernel says; `ETIMEDOUT` when it took too long.
    pub fn connect(&self, allowed: Duration) -> Result<UnixStream, Errno> {
        match self {
            Self::Unix(path) => dial(AddressFamily::Unix, &UnixAddr::new(path)?, allowed),
            Self::Vsock { cid, port } => {
                let address = VsockAddr::new(*cid, *port);
                dial(AddressFamily::Vsock, &address, allowed).map_err(|errno| match errno {
                    // Without vsock, or without an enclave of that number.
                    Errno::ENODEV | Errno::EADDRNOTAVAIL => Errno::ENOENT,
                    errno => errno,
                })
            }
        }
    }
}

fn dial(
    family: AddressFamily,
    address: &dyn SockaddrLike,
    allowed: Duration,
) -> Result<UnixStream, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    // Reads and writes of a stream socket are the same for Unix and vsock.
    let stream = net::socket(family, SockType::Stream, flags, None).map(UnixStream::from)?;
    // The system's own connect would wait for ever on a listener whose queue is full.
    stream
        .set_write_timeout(Some(allowed))
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    loop {
        match net::connect(stream.as_raw_fd(), address) {
            Ok(()) => return Ok(stream),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        let vsock = |cid, port| Ok(Address::Vsock { cid, port });
        assert_eq!("vsock:16:5000".parse(), vsock(16, 5000));
        assert_eq!("vsock:0:10016".parse(), vsock(0, 10_016));
        let path = |path: &str| Ok(Address::Unix(path.into()));
        assert_eq!("one/operator.sock".parse(), path("one/operator.sock"));
        assert_eq!("./vsock:16:5000".parse(), path("./vsock:16:5000"));
        for text in ["vsock:16:5000", "one/operator.sock"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn addresses_that_are_none_fail_closed() {
        assert_eq!("".parse::<Address>(), Err(NotAnAddress::Empty));
        for text in [
            "vsock:",
            "vsock:16",
            "vsock:16:",
            "vsock::5000",
            "vsock:16:5000:1",
            "vsock:-1:5000",
            "vsock:+16:5000",
            "vsock:16:5000 ",
            "vsock:16:0x10",
            "vsock:4294967295:5000",
            "vsock:16:4294967296",
        ] {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress::Vsock), "{text}");
        }
    }

    /// Port 1 of the hypervisor: nobody listens there on any machine. What the kernel says depends on
    /// what it has of vsock.
    #[test]
    fn vsock_port_where_nobody_listens_fails_closed() {
        let address = Address::Vsock { cid: 0, port: 1 };
        assert!(address.connect(Duration::from_secs(10)).is_err());
    }
}
