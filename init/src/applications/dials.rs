//! Connections to the parent's egress port that applications have asked for and not been given yet.
//!
//! Guarantees: a connection is begun only for a destination that the manifest lists for that very
//! application, and belongs to one start of it; the request that names the destination is written by
//! init, so an application cannot ask for another. At most [`MAX_DIALS`] of one application are being
//! made at once, each for at most [`PATIENCE`]. Nothing here waits.
//!
//! Does not: read what comes back, nor see anything that goes over a connection once it was handed
//! over. What the parent does with the request is the parent's affair.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::SocketError;
use nix::sys::socket::{MsgFlags, getsockopt, send};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::control::{Dial, DialReason, FromInit, MAX_DIALS};
use quorate_protocol::egress::EgressRequest;
use quorate_protocol::frame::frame;
use quorate_protocol::manifest::Application;
use quorate_protocol::ports;

use super::Applications;
use crate::platform::Platform;

/// How long the parent's egress port may take to accept.
const PATIENCE: Duration = Duration::from_secs(3);

/// All connections that are being made.
#[derive(Default)]
pub(super) struct Dials(Vec<Pending>);

/// One connection that is being made.
struct Pending {
    /// Position of the application in the manifest.
    application: usize,
    number: u64,
    socket: OwnedFd,
    /// The frame to be written when it is connected.
    request: Vec<u8>,
    deadline: Instant,
}

/// What became of a connection.
struct Outcome {
    /// Position of the application in the manifest.
    application: usize,
    /// Number of its request.
    number: u64,
    /// The connection, in blocking mode.
    connection: Result<OwnedFd, DialReason>,
}

impl Dials {
    /// Begins a connection.
    ///
    /// # Errors
    /// Why there is none: to be told to the application.
    pub(super) fn begin<P: Platform>(
        &mut self,
        application: usize,
        entry: &Application,
        dial: &Dial,
        platform: &mut P,
        now: Instant,
    ) -> Result<(), DialReason> {
        if !entry.egress.contains(&dial.destination) {
            return Err(DialReason::NotAllowed);
        }
        let mine = |pending: &&Pending| pending.application == application;
        if self.0.iter().filter(mine).count() >= MAX_DIALS {
            return Err(DialReason::TooMany);
        }
        let request = to_bytes(&EgressRequest::Connect(dial.destination.clone()));
        let request = frame(&request).map_err(|_| DialReason::NotAllowed)?;
        let socket = platform.dial(ports::EGRESS).map_err(|errno| match errno {
            // Descriptors or buffers are used up: trying later may help.
            Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS => DialReason::TooMany,
            _ => DialReason::NoProxy,
        })?;
        self.0.push(Pending {
            application,
            number: dial.number,
            socket,
            request,
            deadline: now + PATIENCE,
        });
        Ok(())
    }

    /// Sockets that are worth looking at when they can be written to.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|pending| pending.socket.as_fd())
    }

    /// When the next one has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|pending| pending.deadline).min()
    }

    /// An application ended: nobody waits for its connections any more.
    pub(super) fn ended(&mut self, application: usize) {
        self.0.retain(|pending| pending.application != application);
    }

    /// Takes out those that are connected, failed, or took too long.
    fn finished(&mut self, now: Instant) -> Vec<Outcome> {
        let mut finished = Vec::new();
        for pending in core::mem::take(&mut self.0) {
            let connection = match connected(&pending.socket) {
                Some(Ok(())) => hand_over(&pending.socket, &pending.request),
                Some(Err(_)) => Err(DialReason::NoProxy),
                None if pending.deadline <= now => Err(DialReason::TimedOut),
                None => {
                    self.0.push(pending);
                    continue;
                }
            };
            finished.push(Outcome {
                application: pending.application,
                number: pending.number,
                connection: connection.map(|()| pending.socket),
            });
        }
        finished
    }
}

impl Applications {
    /// Tells applications what became of the connections they asked for.
    pub(super) fn finish_dials(&mut self, now: Instant) {
        for outcome in self.dials.finished(now) {
            let Outcome {
                application,
                number,
                connection,
            } = outcome;
            let entry = self.entries.get(application);
            let Some((entry, process)) = entry.and_then(|e| Some((e, e.alive()?))) else {
                continue;
            };
            let told = match &connection {
                Ok(fd) => process.tell(&FromInit::Dialed(number), Some(fd.as_fd())),
                Err(reason) => entry.not_dialed(number, *reason),
            };
            if let Err(misconduct) = told {
                self.punish(application, misconduct);
            }
        }
    }
}

/// Whether a socket's connection was made, or why not; `None` while it is being made.
fn connected(socket: &OwnedFd) -> Option<Result<(), Errno>> {
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(0) | Err(Errno::EINTR) => None,
        Ok(_) => Some(match getsockopt(socket, SocketError) {
            Ok(0) => Ok(()),
            Ok(code) => Err(Errno::from_raw(code)),
            Err(errno) => Err(errno),
        }),
        Err(errno) => Some(Err(errno)),
    }
}

/// Writes the request, which fits the empty buffer of a new connection, and makes the socket wait
/// from now on, as an application expects of one.
fn hand_over(socket: &OwnedFd, request: &[u8]) -> Result<(), DialReason> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    match send(socket.as_raw_fd(), request, flags) {
        Ok(sent) if sent == request.len() => {}
        _ => return Err(DialReason::NoProxy),
    }
    let flags = fcntl(socket, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    let blocking = flags.map(|flags| flags.difference(OFlag::O_NONBLOCK));
    blocking
        .and_then(|flags| fcntl(socket, FcntlArg::F_SETFL(flags)))
        .map(|_| ())
        .map_err(|_| DialReason::NoProxy)
}

#[cfg(test)]
mod tests;
