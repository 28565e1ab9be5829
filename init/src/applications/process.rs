//! One started process: its control socket, what it may say there and how fast.
//!
//! Guarantees: a process that says more than [`CONTROL_RATE`] messages a second in the long run, or
//! what is not in the protocol, or does not read what it is told, is reported as such to the
//! supervisor, which ends it. Nothing here ever waits for an application.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recv, sendmsg};
use nix::unistd::Pid;
use quorate_protocol::cbor::{Object as _, from_bytes, to_secret_bytes};
use quorate_protocol::control::{CONTROL_BURST, CONTROL_RATE, FromInit, ToInit};

use crate::sandbox::Sandbox;

/// A running process.
pub(super) struct Process {
    pub(super) id: Pid,
    control: OwnedFd,
    sandbox: Rc<Sandbox>,
    pub(super) started: Instant,
    pub(super) ready: bool,
    /// It was ended and its exit has not come yet; its control socket is of no more use.
    pub(super) ending: bool,
    /// It was asked to stop.
    pub(super) asked: bool,
    allowance: Allowance,
}

/// Why a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misconduct {
    /// It closed its control socket.
    Closed,
    /// It says more than it may.
    Flooded,
    /// It was not ready in time.
    Late,
    /// It said what is not in the protocol.
    Malformed,
    /// It does not read what it is told.
    Unread,
}

impl Process {
    pub(super) fn new(id: Pid, control: OwnedFd, sandbox: Rc<Sandbox>, now: Instant) -> Self {
        Self {
            id,
            control,
            sandbox,
            started: now,
            ready: false,
            ending: false,
            asked: false,
            allowance: Allowance::default(),
        }
    }

    pub(super) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// One message, if one is there.
    pub(super) fn hear(&mut self) -> Result<Option<ToInit>, Misconduct> {
        let mut message = [0; ToInit::MAX];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        // Descriptors that come along are dropped by the kernel: there is no room for them.
        match recv(self.control.as_raw_fd(), &mut message, flags) {
            // No message of the protocol is empty.
            Ok(0) => Err(Misconduct::Closed),
            Ok(length) => {
                let said = message.get(..length).map(from_bytes::<ToInit>);
                match said {
                    Some(Ok(said)) => Ok(Some(said)),
                    _ => Err(Misconduct::Malformed),
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(_) => Err(Misconduct::Closed),
        }
    }

    /// Counts a message against the rate; some cost more than others.
    pub(super) fn charge(&mut self, messages: u32, now: Instant) -> Result<(), Misconduct> {
        self.allowance.take(messages, now)
    }

    /// Tells the process something, with a descriptor if the message has one.
    pub(super) fn tell(
        &self,
        message: &FromInit,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), Misconduct> {
        let bytes = to_secret_bytes(message);
        let numbers: Vec<RawFd> = descriptor.iter().map(|fd| fd.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let rights = if numbers.is_empty() {
            &[]
        } else {
            rights.as_slice()
        };
        let sent = sendmsg::<()>(
            self.control.as_raw_fd(),
            &[IoSlice::new(&bytes)],
            rights,
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            None,
        );
        match sent {
            Ok(_) => Ok(()),
            Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ECONNREFUSED) => Err(Misconduct::Closed),
            Err(_) => Err(Misconduct::Unread),
        }
    }

    /// Ends it at once.
    pub(super) fn end(&mut self) {
        self.ready = false;
        self.ending = true;
        self.sandbox.end(self.id);
    }
}

/// How much a process may still say: a bucket that [`CONTROL_RATE`] fills up to [`CONTROL_BURST`],
/// kept as the moment at which it will be full again.
#[derive(Default)]
struct Allowance {
    full_at: Option<Instant>,
}

impl Allowance {
    fn take(&mut self, messages: u32, now: Instant) -> Result<(), Misconduct> {
        const COST: Duration = Duration::from_nanos(1_000_000_000 / CONTROL_RATE as u64);
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let full_at = full_at + COST.saturating_mul(messages);
        if full_at.saturating_duration_since(now) > COST.saturating_mul(CONTROL_BURST) {
            return Err(Misconduct::Flooded);
        }
        self.full_at = Some(full_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_burst_at_once_fails_closed() {
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        for _ in 0..CONTROL_BURST {
            assert_eq!(allowance.take(1, now), Ok(()));
        }
        assert_eq!(allowance.take(1, now), Err(Misconduct::Flooded));
        let later = now + Duration::from_secs(1);
        for _ in 0..CONTROL_RATE {
            assert_eq!(allowance.take(1, later), Ok(()));
        }
        assert_eq!(allowance.take(1, later), Err(Misconduct::Flooded));
    }

    #[test]
    fn the_long_run_rate_is_never_refused() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        let step = Duration::from_secs(1) / CONTROL_RATE;
        for turn in 0..10_000 {
            assert_eq!(allowance.take(1, start + step * turn), Ok(()));
        }
    }
}
