//! Carries bytes both ways between two connected sockets until both are done.
//!
//! Guarantees: at most [`BUFFER`] bytes each way are in memory; a side is not read while the other
//! does not take what was read before. When one side has no more to send, the other is told so and
//! the way back stays open. A connection over which nothing goes for the given time ends.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::record::Outcome;

/// Bytes kept of each direction, at most.
const BUFFER: usize = 32 * 1024;

/// What went over a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// One direction.
struct Way {
    buffer: Vec<u8>,
    /// What of the buffer is still to be written.
    start: usize,
    end: usize,
    /// The source may still send.
    open: bool,
    /// The sink was told that nothing more comes.
    told: bool,
    total: u64,
}

impl Way {
    fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            open: true,
            told: false,
            total: 0,
        }
    }

    const fn wants_read(&self) -> bool {
        self.open && self.start == self.end
    }

    const fn wants_write(&self) -> bool {
        self.start < self.end
    }

    fn read(&mut self, source: &mut impl Read) -> io::Result<()> {
        match source.read(&mut self.buffer) {
            Ok(0) => self.open = false,
            Ok(count) => {
                self.start = 0;
                self.end = count;
            }
            Err(error) if is_retry(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn write(&mut self, sink: &mut impl Write) -> io::Result<()> {
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
        match sink.write(rest) {
            Ok(count) => {
                self.start = self.start.saturating_add(count);
                self.total = self
                    .total
                    .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                Ok(())
            }
            Err(error) if is_retry(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the sink is to be told now that nothing more comes.
    fn ends(&mut self) -> bool {
        let ends = !self.open && !self.wants_write() && !self.told;
        self.told |= ends;
        ends
    }
}

/// Carries until both directions have ended, one side breaks, or nothing goes for `idle`.
pub(crate) fn relay(
    mut enclave: &UnixStream,
    mut outside: &TcpStream,
    idle: Duration,
) -> (Outcome, Carried) {
    let (mut out, mut back) = (Way::new(), Way::new());
    let prepared = enclave
        .set_nonblocking(true)
        .and_then(|()| outside.set_nonblocking(true));
    let mut outcome = Outcome::Broken;
    // Sides that have gone altogether: they are only looked at while something is wanted of them.
    let mut gone = [false; 2];
    while prepared.is_ok() {
        if out.told && back.told {
            outcome = Outcome::Ended;
            break;
        }
        // Whoever has gone and sends no more takes no more either.
        let [enclave_gone, outside_gone] = gone;
        if (enclave_gone && !out.open && !out.wants_write()) || (outside_gone && !back.open) {
            break;
        }
        let wanted = [(&out, &back), (&back, &out)].map(|(from, to)| {
            let mut events = PollFlags::empty();
            events.set(PollFlags::POLLIN, from.wants_read());
            events.set(PollFlags::POLLOUT, to.wants_write());
            events
        });
        let happened = match wait(enclave, outside, wanted, gone, idle) {
            Ok(Some(happened)) => happened,
            Ok(None) => {
                outcome = Outcome::Idle;
                break;
            }
            Err(_) => break,
        };
        let [at_enclave, at_outside] = happened;
        let ready = |events: PollFlags, what| events.intersects(what | BAD);
        let mut step = || -> io::Result<()> {
            if out.wants_read() && ready(at_enclave, PollFlags::POLLIN) {
                out.read(&mut enclave)?;
            }
            if back.wants_read() && ready(at_outside, PollFlags::POLLIN) {
                back.read(&mut outside)?;
            }
            if out.wants_write() {
                out.write(&mut outside)?;
            }
            if back.wants_write() {
                back.write(&mut enclave)?;
            }
            if out.ends() {
                outside.shutdown(Shutdown::Write)?;
            }
            if back.ends() {
                enclave.shutdown(Shutdown::Write)?;
            }
            Ok(())
        };
        if step().is_err() {
            break;
        }
        gone = [at_enclave, at_outside].map(|events| events.intersects(BAD));
    }
    let carried = Carried {
        sent: out.total,
        received: back.total,
    };
    (outcome, carried)
}

/// The other side has gone, or the socket failed.
const BAD: PollFlags = PollFlags::POLLHUP.union(PollFlags::POLLERR);

/// Waits for one of the sides; `None` if nothing happened for too long.
fn wait(
    enclave: &UnixStream,
    outside: &TcpStream,
    wanted: [PollFlags; 2],
    gone: [bool; 2],
    idle: Duration,
) -> Result<Option<[PollFlags; 2]>, Errno> {
    let [at_enclave, at_outside] = wanted;
    let [enclave_gone, outside_gone] = gone;
    let mut fds = Vec::with_capacity(2);
    // A side that has gone is reported again and again: leave it out when nothing is wanted of it.
    let with_enclave = !(enclave_gone && at_enclave.is_empty());
    let with_outside = !(outside_gone && at_outside.is_empty());
    if with_enclave {
        fds.push(PollFd::new(enclave.as_fd(), at_enclave));
    }
    if with_outside {
        fds.push(PollFd::new(outside.as_fd(), at_outside));
    }
    let timeout = PollTimeout::try_from(idle).unwrap_or(PollTimeout::MAX);
    let count = loop {
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    if count == 0 {
        return Ok(None);
    }
    let mut found = fds.iter().map(|fd| fd.revents().unwrap_or(BAD));
    let mut next = |there: bool, gone: bool| match (there, gone) {
        (true, _) => found.next().unwrap_or(BAD),
        (false, true) => BAD,
        (false, false) => PollFlags::empty(),
    };
    let first = next(with_enclave, enclave_gone);
    let second = next(with_outside, outside_gone);
    Ok(Some([first, second]))
}

fn is_retry(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
