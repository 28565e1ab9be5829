//! Messages of a call edge: a length in 4 bytes and the number of the call in 8, big-endian, then the
//! payload.
//!
//! [`CallAssembler`] takes bytes as they arrive and gives whole messages. It guarantees that a message
//! longer than [`MAX_CALL`] is refused at its header, and that memory grows with what was received,
//! never with what was announced. Numbers and payloads are for the caller to judge.

use alloc::vec::Vec;
use core::fmt;

/// Bytes of the payload of a call or an answer, at most.
pub const MAX_CALL: usize = 1024 * 1024;
/// Bytes before the payload: its length in 4 bytes, the number of the call in 8, big-endian.
pub const CALL_HEADER: usize = 12;
/// Memory that is kept for the next message.
const KEPT: usize = 64 * 1024;

/// A message that is longer than [`MAX_CALL`]. Who sends it is at fault, and what follows in the
/// stream is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTooLong {
    /// Length of the payload in bytes.
    pub found: usize,
}

impl fmt::Display for CallTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found } = self;
        write!(
            f,
            "a message of {found} bytes where at most {MAX_CALL} are accepted"
        )
    }
}

impl core::error::Error for CallTooLong {}

/// A message as it goes over the edge.
///
/// # Errors
/// [`CallTooLong`].
pub fn call_message(number: u64, payload: &[u8]) -> Result<Vec<u8>, CallTooLong> {
    let found = payload.len();
    let length = u32::try_from(found).map_err(|_| CallTooLong { found })?;
    if found > MAX_CALL {
        return Err(CallTooLong { found });
    }
    let mut bytes = Vec::with_capacity(CALL_HEADER.saturating_add(found));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// Puts messages together from bytes as they arrive.
#[derive(Debug, Default)]
pub struct CallAssembler {
    received: Vec<u8>,
}

impl CallAssembler {
    /// An assembler that has seen nothing.
    pub const fn new() -> Self {
        Self {
            received: Vec::new(),
        }
    }

    /// Takes received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Bytes that were received and are of no message that was given.
    pub fn pending(&self) -> usize {
        self.received.len()
    }

    /// Forgets what was received: the stream is another.
    pub fn reset(&mut self) {
        self.received.clear();
    }

    /// The next message, if it is complete: its number and payload.
    ///
    /// # Errors
    /// [`CallTooLong`], again at each call.
    pub fn take(&mut self) -> Result<Option<(u64, Vec<u8>)>, CallTooLong> {
        let Some((header, rest)) = self.received.split_first_chunk::<CALL_HEADER>() else {
            return Ok(None);
        };
        let [a, b, c, d, number @ ..] = *header;
        let found = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if found > MAX_CALL {
            return Err(CallTooLong { found });
        }
        let Some(payload) = rest.get(..found) else {
            return Ok(None);
        };
        let payload = payload.to_vec();
        self.received.drain(..CALL_HEADER.saturating_add(found));
        if self.received.is_empty() && self.received.capacity() > KEPT {
            self.received = Vec::new();
        }
        Ok(Some((u64::from_be_bytes(number), payload)))
    }
}
