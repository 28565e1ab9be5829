//! Serves a device over a pair of sockets.
//!
//! The pair is a Unix `SOCK_SEQPACKET` pair: one request is one packet, one response is one
//! packet, and no framing is needed. [`DeviceEnd`] stays with the emulator; [`SocketNsm`] is the
//! other end, a [`Transport`] that init's client runs on in place of `/dev/nsm`. It exists in this
//! package only, so that no production binary can be made to take a socket for an NSM.
//!
//! What it guarantees: packets are bounded on both sides, a packet that is too long is refused
//! and never cut, and buffers that entropy passed through are wiped.
//!
//! What it does not do: tell callers apart. Whoever holds the guest's end is the enclave.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{ReceiveTimeout, SendTimeout, SockType as SockTypeOption};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, getsockopt, recv, send, setsockopt, socketpair,
};
use nix::sys::time::{TimeVal, TimeValLike};
use quorate_init::nsm::wire::{REQUEST_MAX, RESPONSE_MAX};
use quorate_init::nsm::{Transport, TransportError};
use rand_core::TryCryptoRng;
use thiserror::Error;

use crate::device::NsmDevice;
use crate::fault::{NsmFaults, Requests};

/// How long [`SocketNsm`] waits for an answer, in seconds: what the kernel's driver waits.
const TIMEOUT_S: i64 = 120;

/// The emulator's end of the pair.
#[derive(Debug)]
pub struct DeviceEnd(OwnedFd);

/// The enclave's end of the pair.
#[derive(Debug)]
pub struct SocketNsm(OwnedFd);

/// Why sockets could not be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError {
    /// The descriptor is not a `SOCK_SEQPACKET` socket.
    #[error("the descriptor given for the NSM is not a SOCK_SEQPACKET socket")]
    NotSeqpacket,
    /// A system call failed.
    #[error("a socket call failed: {errno}")]
    Socket {
        /// What the kernel said.
        errno: Errno,
    },
}

/// Makes a connected pair. Both descriptors are closed on exec.
///
/// # Errors
/// [`ServerError::Socket`].
pub fn socket_pair() -> Result<(DeviceEnd, SocketNsm), ServerError> {
    let (device, guest) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    Ok((DeviceEnd(device), SocketNsm::from_fd(guest)?))
}

/// Answers requests until the enclave's end is closed. Returns how many were answered.
///
/// `clock` gives the time of each request in milliseconds since 1970, see [`system_clock_ms`].
/// An empty packet cannot be told from a closed end and ends the service too.
///
/// # Errors
/// [`ServerError::Socket`].
pub fn serve<R: TryCryptoRng>(
    end: &DeviceEnd,
    device: &mut NsmDevice<R>,
    clock: impl FnMut() -> u64,
) -> Result<u64, ServerError> {
    serve_with(end, device, &NsmFaults::default(), clock)
}

/// The same with what goes wrong. A request that is never answered is not counted.
///
/// # Errors
/// [`ServerError::Socket`].
pub fn serve_with<R: TryCryptoRng>(
    end: &DeviceEnd,
    device: &mut NsmDevice<R>,
    faults: &NsmFaults,
    mut clock: impl FnMut() -> u64,
) -> Result<u64, ServerError> {
    let mut requests = Requests::default();
    // One byte more than a request may have: a longer one shows by filling it.
    let mut buffer = [0; REQUEST_MAX + 1];
    let mut answered = 0;
    loop {
        let len = match recv(end.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(0) | Err(Errno::ECONNRESET) => return Ok(answered),
            Ok(len) => len,
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(ServerError::Socket { errno }),
        };
        let request = buffer.get(..len).unwrap_or(&buffer);
        let Some(response) = faults.process(&mut requests, device, request, clock()) else {
            continue;
        };
        loop {
            match send(end.0.as_raw_fd(), &response, MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Ok(answered),
                Err(errno) => return Err(ServerError::Socket { errno }),
            }
        }
        answered += 1;
    }
}

/// The system's clock in milliseconds since 1970; zero before that.
pub fn system_clock_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
}

impl SocketNsm {
    /// Takes the enclave's end from a descriptor, for instance one that was inherited.
    ///
    /// # Errors
    /// [`ServerError::NotSeqpacket`] for another kind of descriptor.
    pub fn from_fd(fd: OwnedFd) -> Result<Self, ServerError> {
        match getsockopt(&fd, SockTypeOption) {
            Ok(SockType::SeqPacket) => {}
            Ok(_) | Err(Errno::ENOTSOCK) => return Err(ServerError::NotSeqpacket),
            Err(errno) => return Err(ServerError::Socket { errno }),
        }
        setsockopt(&fd, ReceiveTimeout, &TimeVal::seconds(TIMEOUT_S))?;
        setsockopt(&fd, SendTimeout, &TimeVal::seconds(TIMEOUT_S))?;
        Ok(Self(fd))
    }

    /// Gives the descriptor away, for instance to be inherited by a child.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

impl Transport for SocketNsm {
    fn exchange(&mut self, request: &[u8], response: &mut [u8]) -> Result<usize, TransportError> {
        if request.len() > REQUEST_MAX {
            return Err(TransportError::RequestTooLong {
                len: request.len(),
                max: REQUEST_MAX,
            });
        }
        loop {
            match send(self.0.as_raw_fd(), request, MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(transport_error(errno)),
            }
        }
        let max = response.len().min(RESPONSE_MAX);
        let front = response.get_mut(..max).unwrap_or_default();
        loop {
            // With MSG_TRUNC the length is that of the packet, even if it did not fit.
            match recv(self.0.as_raw_fd(), front, MsgFlags::MSG_TRUNC) {
                Ok(0) => return Err(TransportError::Closed),
                Ok(len) if len > max => return Err(TransportError::ResponseTooLong { len, max }),
                Ok(len) => return Ok(len),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(transport_error(errno)),
            }
        }
    }
}

impl AsFd for DeviceEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for SocketNsm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Errno> for ServerError {
    fn from(errno: Errno) -> Self {
        Self::Socket { errno }
    }
}

fn transport_error(errno: Errno) -> TransportError {
    match errno {
        Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN => TransportError::Closed,
        // What an elapsed SO_RCVTIMEO looks like.
        Errno::EAGAIN => TransportError::TimedOut,
        errno => TransportError::Exchange { errno },
    }
}

#[cfg(test)]
mod tests;
