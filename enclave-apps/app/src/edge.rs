//! One end of a call edge: a stream of numbered messages, and its replacement when it broke.
//!
//! Guarantees: memory grows with what was received, at most by one message and one read beyond it
//! ([`CallAssembler`]). A [`Line`] always gives the newest end init has
//! sent; an older one is shut down, so that nobody waits on it.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use quorate_protocol::application::{EdgeEnd, EdgeRole};
use quorate_protocol::atoms::Name;
use quorate_protocol::call::{CallAssembler, CallTooLong, MAX_CALL};
use quorate_protocol::control::{Renew, ToInit};

use crate::control::Control;

/// Bytes read at a time.
const READ: usize = 64 * 1024;
/// How long a reader looks before it sleeps. To be woken from another core takes longer than most
/// answers.
const LOOK: Duration = Duration::from_micros(20);
/// A wait that is not longer than this, being woken included, was for somebody quick.
const QUICK: Duration = Duration::from_micros(100);
/// So many quick waits in a row, and looking is worth its time.
const QUICK_WAITS: u32 = 4;

/// The application at the other end of a call edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name in the manifest.
    pub name: Name,
    /// Which of its starts has the other end, as init says.
    pub start: u64,
}

/// A connected end.
pub(crate) struct End {
    pub(crate) peer: Peer,
    pub(crate) pair: u64,
    pub(crate) stream: UnixStream,
}

/// One call edge of this application, whichever pair of sockets it has at the moment.
pub(crate) struct Line {
    peer: Name,
    role: EdgeRole,
    newest: Mutex<Option<Arc<End>>>,
    changed: Condvar,
}

impl Line {
    pub(crate) fn new(end: EdgeEnd, stream: UnixStream) -> Self {
        let line = Self {
            peer: end.peer.clone(),
            role: end.role,
            newest: Mutex::new(None),
            changed: Condvar::new(),
        };
        line.renew(end, stream);
        line
    }

    pub(crate) fn is(&self, peer: &Name, role: EdgeRole) -> bool {
        self.peer == *peer && self.role == role
    }

    pub(crate) fn role(&self) -> EdgeRole {
        self.role
    }

    pub(crate) fn peer(&self) -> &Name {
        &self.peer
    }

    /// Takes a new end. Whoever waits on the old one wakes up.
    pub(crate) fn renew(&self, end: EdgeEnd, stream: UnixStream) {
        let new = Arc::new(End {
            peer: Peer {
                name: end.peer,
                start: end.start,
            },
            pair: end.pair,
            stream,
        });
        let old = self.lock().replace(new);
        if let Some(old) = old {
            let _ = old.stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    /// The newest end; waits for one until `deadline`, or for ever.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Arc<End>> {
        let mut newest = self.lock();
        loop {
            if newest.is_some() {
                return newest.clone();
            }
            newest = match deadline {
                None => self
                    .changed
                    .wait(newest)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let waited = self.changed.wait_timeout(newest, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Gives up an end that is of no more use, and asks init for another.
    pub(crate) fn give_up(&self, end: &End, control: &Control) {
        let mut newest = self.lock();
        if newest.as_ref().is_none_or(|newest| newest.pair != end.pair) {
            return;
        }
        *newest = None;
        drop(newest);
        let _ = end.stream.shutdown(Shutdown::Both);
        // If the peer has ended, init makes a new pair anyway and this changes nothing.
        let renew = Renew {
            peer: self.peer.clone(),
            role: self.role,
            pair: end.pair,
        };
        let _ = control.send(&ToInit::Renew(renew));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<End>>> {
        // Each change is a single assignment, so a panic of another thread left nothing half done.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The other side broke the protocol of call edges.
pub(crate) struct Malformed;

impl From<CallTooLong> for Malformed {
    fn from(_: CallTooLong) -> Self {
        Self
    }
}

/// Reads messages.
pub(crate) struct Reader {
    messages: CallAssembler,
    buffer: Box<[u8]>,
    /// Quick waits in a row; none is counted where there is one core, and looking keeps the other
    /// side from running.
    quick: Option<u32>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            messages: CallAssembler::new(),
            buffer: vec![0; READ].into_boxed_slice(),
            quick: std::thread::available_parallelism()
                .is_ok_and(|cores| cores.get() > 1)
                .then_some(0),
        }
    }

    /// Forgets what was received: the stream is another.
    pub(crate) fn reset(&mut self) {
        self.messages.reset();
    }

    /// Whether the beginning of a message is there.
    pub(crate) fn is_partial(&self) -> bool {
        self.messages.pending() > 0
    }

    /// The next message, if it is complete: its number and payload.
    pub(crate) fn take(&mut self) -> Result<Option<(u64, Vec<u8>)>, Malformed> {
        Ok(self.messages.take()?)
    }

    /// Reads once. 0 is the end of the stream.
    pub(crate) fn fill(&mut self, mut stream: &UnixStream) -> std::io::Result<usize> {
        let since = Instant::now();
        if let Some(count) = self.look(stream, since) {
            return Ok(count);
        }
        let count = stream.read(&mut self.buffer)?;
        let waited = since.elapsed();
        if let Some(quick) = &mut self.quick {
            *quick = if waited <= QUICK {
                quick.saturating_add(1)
            } else {
                0
            };
        }
        self.messages
            .push(self.buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Looks whether something comes at once, if it did lately. Costs [`LOOK`] at most, and not again
    /// before [`QUICK_WAITS`] when it was for nothing.
    fn look(&mut self, stream: &UnixStream, since: Instant) -> Option<usize> {
        self.quick.filter(|quick| *quick >= QUICK_WAITS)?;
        while since.elapsed() < LOOK {
            match recv(stream.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(count) => {
                    self.messages
                        .push(self.buffer.get(..count).unwrap_or_default());
                    return Some(count);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => std::hint::spin_loop(),
                // Reading says what it is.
                Err(_) => return None,
            }
        }
        self.quick = Some(0);
        None
    }

    /// Takes what is there without waiting. An error is the end of the stream.
    pub(crate) fn drain(&mut self, stream: &UnixStream) -> std::io::Result<()> {
        loop {
            match recv(stream.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.messages
                        .push(self.buffer.get(..count).unwrap_or_default());
                    // A peer that pours in more than one answer has broken the protocol; what was
                    // read shows it.
                    if self.messages.pending() > MAX_CALL.saturating_add(READ) {
                        return Ok(());
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Why not all of a message was written.
pub(crate) struct Unwritten {
    /// Some bytes of it are in the stream: what follows could not be understood.
    pub(crate) begun: bool,
    /// Time was up; otherwise the other side is gone.
    pub(crate) late: bool,
}

/// Writes all of it until `deadline`.
pub(crate) fn write_all(
    mut stream: &UnixStream,
    bytes: &[u8],
    deadline: Instant,
) -> Result<(), Unwritten> {
    let mut written = 0_usize;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(0) => return Err(unwritten(written, false)),
            Ok(count) => written = written.saturating_add(count),
            Err(error) if is_timeout(&error) => {
                if Instant::now() >= deadline {
                    return Err(unwritten(written, true));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(unwritten(written, false)),
        }
    }
    Ok(())
}

fn unwritten(written: usize, late: bool) -> Unwritten {
    Unwritten {
        begun: written > 0,
        late,
    }
}

/// A read or write that had to wait longer than the socket's timeout.
pub(crate) fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    )
}

/// A timeout the kernel takes: not zero.
pub(crate) fn at_least_a_little(left: Duration) -> Duration {
    left.max(Duration::from_millis(1))
}
