//! One connection: a request as it arrives, an answer as it is taken.
//!
//! Guarantees: memory grows with what was received, never with what was announced; a request must be
//! complete, and an answer taken, within [`FRAME`]; nothing is read while an answer is not taken.
//!
//! Does not: understand a request, or decide who is served next.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use quorate_protocol::cbor::to_bytes;
use quorate_protocol::frame::{Assembler, Sizes, frame};
use quorate_protocol::message::{Request, Response};

use super::{FRAME, IDLE, READ};

pub(super) struct Connection {
    // Reads and writes of a stream socket are the same for Unix and vsock.
    pub(super) stream: UnixStream,
    assembler: Assembler,
    /// Bytes of the request that is not complete.
    pub(super) received: usize,
    pub(super) outgoing: Vec<u8>,
    written: usize,
    pub(super) last: Instant,
    /// When the frame or answer under way began.
    since: Option<Instant>,
    pub(super) closing: bool,
}

/// Sizes on the public port, where large requests are refused anyway and need no room.
pub(super) struct PublicRequest;

impl Sizes for PublicRequest {
    const LARGEST: usize = 64 * 1024;

    fn largest(kind: u8) -> Option<usize> {
        Request::largest(kind).map(|largest| largest.min(Self::LARGEST))
    }
}

/// Why a connection is of no more use.
pub(super) enum Broken {
    Closed,
    Frame(String),
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            assembler: Assembler::new(),
            received: 0,
            outgoing: Vec::new(),
            written: 0,
            last: Instant::now(),
            since: None,
            closing: false,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        let idle = self.last + IDLE;
        self.since.map_or(idle, |since| idle.min(since + FRAME))
    }

    pub(super) fn is_done(&self) -> bool {
        self.closing && self.outgoing.is_empty()
    }

    pub(super) fn held(&self) -> usize {
        self.received.saturating_add(self.outgoing.len())
    }

    pub(super) fn abandon(&mut self) {
        self.closing = true;
        self.outgoing = Vec::new();
        self.assembler = Assembler::new();
        self.received = 0;
    }

    /// Writes what is to be written, or else reads; gives a request when one is complete.
    pub(super) fn advance<S: Sizes>(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if !self.outgoing.is_empty() {
            return self.write().map(|()| None);
        }
        let wanted = self
            .assembler
            .wanted::<S>()
            .map_err(|e| Broken::Frame(e.to_string()))?;
        let mut buffer = vec![0; wanted.min(READ)];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(Broken::Closed),
            Ok(count) => count,
            Err(e) if is_retry(&e) => return Ok(None),
            Err(_) => return Err(Broken::Closed),
        };
        self.last = Instant::now();
        let taken = buffer.get(..count).unwrap_or_default();
        let payload = self
            .assembler
            .push::<S>(taken)
            .map_err(|e| Broken::Frame(e.to_string()))?;
        (self.since, self.received) = match (&payload, self.since) {
            (Some(_), _) => (None, 0),
            (None, since) => (
                since.or(Some(self.last)),
                self.received.saturating_add(count),
            ),
        };
        Ok(payload)
    }

    pub(super) fn answer(&mut self, response: &Response) {
        match frame(&to_bytes(response)) {
            Ok(bytes) => self.outgoing = bytes,
            Err(_) => self.abandon(),
        }
        self.written = 0;
        self.last = Instant::now();
        self.since = Some(self.last);
        // Most answers fit the socket's buffer: no need to wait for another turn.
        if let Err(Broken::Closed) = self.write() {
            self.abandon();
        }
    }

    fn write(&mut self) -> Result<(), Broken> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|r| !r.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(Broken::Closed),
                Ok(count) => {
                    self.written = self.written.saturating_add(count);
                    self.last = Instant::now();
                }
                Err(e) if is_retry(&e) => return Ok(()),
                Err(_) => return Err(Broken::Closed),
            }
        }
        self.outgoing = Vec::new();
        self.written = 0;
        self.since = None;
        Ok(())
    }
}

fn is_retry(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
