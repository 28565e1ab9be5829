//! One connection between the guest and a socket of the parent.
//!
//! Guarantees: every state is left: by progress, by the other side, or by its deadline. What waits
//! here is bounded by [`WINDOW`](super::credit::WINDOW). Nothing the guest sends is dropped in
//! silence: it reaches the reader in order, or the connection ends.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::credit::Credit;
use super::packet::{SHUTDOWN_RECEIVE, SHUTDOWN_SEND};

/// Both flags of a SHUTDOWN.
pub(crate) const SHUTDOWN_BOTH: u32 = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;

/// How long the guest may take to accept a connection. A machine that starts needs seconds.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// How long an end may take: the guest to acknowledge it, a reader to take what is left. Linux
/// waits as long.
pub(crate) const END_LIMIT: Duration = Duration::from_secs(8);

/// Longest greeting: `CONNECT 4294967295\n`.
const GREETING_MAX: usize = 19;

/// A buffer of this many bytes is kept for the next time it is needed.
const KEPT: usize = 4096;

/// The parent's end of a connection. Never blocks.
pub trait Stream {
    /// As [`io::Read::read`].
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when there is nothing now.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// As [`io::Write::write`].
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when there is no room now.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends one direction or both.
    fn shutdown(&mut self, how: Shutdown);
}

/// How far a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The parent's side has not said yet which port it wants.
    Greeting(Vec<u8>),
    /// The guest was asked, or will be.
    Requested {
        /// Whether the parent's side waits for a line.
        greeted: bool,
    },
    /// Bytes may flow.
    Open,
    /// The guest has forgotten it; what it sent before still goes out.
    Draining,
}

/// Packets that wait until the guest has room for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) request: bool,
    pub(crate) response: bool,
    pub(crate) credit: bool,
}

/// What became of an attempt to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// Nothing ever again in this direction.
    Ended,
}

pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    pub(crate) phase: Phase,
    pub(crate) parent_port: u32,
    pub(crate) guest_port: u32,
    pub(crate) credit: Credit,
    pub(crate) pending: Pending,
    /// What the guest will do no more.
    pub(crate) guest_shut: u32,
    /// What the guest was told that this side will do no more.
    pub(crate) told_shut: u32,
    /// What this side will do no more.
    pub(crate) parent_shut: u32,
    pub(crate) deadline: Option<Instant>,
    /// Whether it stands in the queue of those with something for the guest.
    pub(crate) queued: bool,
    /// Whether the guest asked for it.
    pub(crate) by_guest: bool,
    readable: bool,
    writable: bool,
    hung_up: bool,
    /// The parent's end was told that nothing more comes.
    write_ended: bool,
    outbox: VecDeque<u8>,
}

impl<S: Stream> Connection<S> {
    pub(crate) fn new(stream: S, phase: Phase, parent_port: u32, guest_port: u32) -> Self {
        Self {
            stream,
            phase,
            parent_port,
            guest_port,
            credit: Credit::default(),
            pending: Pending::default(),
            guest_shut: 0,
            told_shut: 0,
            parent_shut: 0,
            deadline: None,
            queued: false,
            by_guest: false,
            readable: true,
            writable: true,
            hung_up: false,
            write_ended: false,
            outbox: VecDeque::new(),
        }
    }

    /// The parent's end became ready.
    pub(crate) fn awake(&mut self, readable: bool, writable: bool, hung_up: bool) {
        self.readable |= readable;
        self.writable |= writable;
        self.hung_up |= hung_up;
        self.notice_hang_up();
    }

    /// Whether the parent's end was closed in both directions.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Bytes that wait for the reader.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Whether there is a packet for the guest, or may be.
    pub(crate) fn has_work(&self) -> bool {
        let pending = self.pending;
        if pending.request || pending.response || pending.credit {
            return true;
        }
        match self.phase {
            Phase::Open => self.can_read() || self.parent_shut & !self.told_shut != 0,
            Phase::Greeting(_) | Phase::Requested { .. } | Phase::Draining => false,
        }
    }

    /// Whether bytes for the guest may be read now.
    pub(crate) fn can_read(&self) -> bool {
        let open = self.phase == Phase::Open && self.guest_shut & SHUTDOWN_RECEIVE == 0;
        open && self.readable && self.parent_shut & SHUTDOWN_SEND == 0 && self.credit.room() > 0
    }

    /// Reads bytes for the guest.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Moved {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.parent_shut |= SHUTDOWN_SEND;
                    self.notice_hang_up();
                    return Moved::Ended;
                }
                Ok(len) => return Moved::Bytes(len.min(buffer.len())),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Moved::Nothing;
                }
                Err(_) => {
                    // The other end was closed with our bytes unread.
                    self.parent_shut |= SHUTDOWN_BOTH;
                    return Moved::Ended;
                }
            }
        }
    }

    /// A reader that closed both directions and whose bytes were all read is gone.
    fn notice_hang_up(&mut self) {
        if self.hung_up && self.parent_shut & SHUTDOWN_SEND != 0 {
            self.parent_shut |= SHUTDOWN_BOTH;
        }
    }

    /// Takes bytes of the guest: writes what the reader takes now and keeps the rest.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.outbox.is_empty() && self.writable && !rest.is_empty() {
            match write_some(&mut self.stream, rest) {
                Moved::Bytes(len) => {
                    self.took(len);
                    rest = rest.get(len..).unwrap_or_default();
                }
                Moved::Nothing => self.writable = false,
                Moved::Ended => return self.reader_is_gone(rest.len()),
            }
        }
        if self.parent_shut & SHUTDOWN_RECEIVE != 0 {
            return self.took(rest.len());
        }
        self.outbox.extend(rest);
    }

    /// Writes what waits, and passes on the guest's end of sending when nothing does.
    pub(crate) fn flush(&mut self) {
        while self.writable && !self.outbox.is_empty() {
            match write_some(&mut self.stream, self.outbox.as_slices().0) {
                Moved::Bytes(len) => {
                    self.outbox.drain(..len.min(self.outbox.len()));
                    self.took(len);
                }
                Moved::Nothing => self.writable = false,
                Moved::Ended => {
                    let lost = self.outbox.len();
                    self.outbox.clear();
                    self.reader_is_gone(lost);
                }
            }
        }
        if !self.outbox.is_empty() {
            return;
        }
        if self.outbox.capacity() > KEPT {
            self.outbox = VecDeque::new();
        }
        if self.guest_shut & SHUTDOWN_SEND != 0 && !self.write_ended {
            self.write_ended = true;
            self.stream.shutdown(Shutdown::Write);
        }
    }

    /// Nobody will read the guest's bytes: the guest is told, and what is left counts as taken.
    fn reader_is_gone(&mut self, lost: usize) {
        self.parent_shut |= SHUTDOWN_RECEIVE;
        self.took(lost);
    }

    fn took(&mut self, len: usize) {
        // Bounded by the window.
        self.credit.take(u32::try_from(len).unwrap_or(u32::MAX));
        if self.credit.is_worth_telling() && self.guest_shut & SHUTDOWN_SEND == 0 {
            self.pending.credit = self.phase == Phase::Open;
        }
    }

    /// Reads the greeting, byte by byte: what follows it belongs to the guest.
    pub(crate) fn read_greeting(&mut self) -> Greeting {
        let Phase::Greeting(line) = &mut self.phase else {
            return Greeting::Incomplete;
        };
        while self.readable {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(1) if byte == *b"\n" => {
                    let text = core::str::from_utf8(line).unwrap_or_default();
                    let port = text.strip_prefix("CONNECT ").map(str::parse);
                    return match port {
                        Some(Ok(port)) => Greeting::Port(port),
                        _ => Greeting::Wrong,
                    };
                }
                Ok(1) if line.len() < GREETING_MAX => line.extend(byte),
                Ok(_) => return Greeting::Wrong,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(_) => return Greeting::Wrong,
            }
        }
        Greeting::Incomplete
    }

    /// Answers the greeting. The line fits into any empty socket.
    pub(crate) fn answer_greeting(&mut self) {
        let line = format!("OK {}\n", self.parent_port);
        if self.stream.write(line.as_bytes()).ok() != Some(line.len()) {
            self.parent_shut |= SHUTDOWN_BOTH;
        }
    }
}

/// What came of a greeting so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Incomplete,
    Port(u32),
    Wrong,
}

fn write_some<S: Stream>(stream: &mut S, bytes: &[u8]) -> Moved {
    loop {
        match stream.write(bytes) {
            Ok(0) => return Moved::Ended,
            Ok(len) => return Moved::Bytes(len.min(bytes.len())),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Moved::Nothing,
            Err(_) => return Moved::Ended,
        }
    }
}
