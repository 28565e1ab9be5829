//! Frames between host and enclave: version 1, a 32-bit big-endian length, a CBOR payload.
//!
//! [`Assembler`] takes bytes as they arrive and gives whole payloads. It guarantees that a payload
//! longer than its message may be is refused as soon as the message's kind is known, at the second
//! byte, and that memory grows with what was received, never with what was announced. A malformed
//! frame is an error after which the connection is of no use; the caller closes it.

use alloc::vec::Vec;
use core::fmt;

/// Version of the frame.
pub const VERSION: u8 = 1;
/// Bytes before the payload.
pub const HEADER: usize = 5;

/// Largest payload of each message kind of one direction.
pub trait Sizes {
    /// Largest payload of any kind, in bytes.
    const LARGEST: usize;

    /// Largest payload of this kind; `None` if there is no such kind.
    fn largest(kind: u8) -> Option<usize>;
}

/// Why a frame is refused. The sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The payload is empty.
    Empty,
    /// The payload does not begin like a message of this direction.
    Kind {
        /// Its first two bytes.
        found: [u8; 2],
    },
    /// Longer than this message may be.
    TooLong {
        /// Largest accepted payload in bytes.
        max: usize,
        /// Announced length in bytes.
        found: usize,
    },
    /// Another version.
    Version {
        /// Version found.
        found: u8,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a frame without payload"),
            Self::Kind { found: [a, b] } => {
                write!(
                    f,
                    "a payload that begins {a:02x} {b:02x} is no message of this direction"
                )
            }
            Self::TooLong { max, found } => {
                write!(
                    f,
                    "a payload of {found} bytes where at most {max} are accepted"
                )
            }
            Self::Version { found } => write!(f, "frame version {found} instead of {VERSION}"),
        }
    }
}

impl core::error::Error for FrameError {}

/// A frame around a payload.
///
/// # Errors
/// [`FrameError::TooLong`] if the payload does not fit a 32-bit length.
pub fn frame(payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    append(&mut bytes, payload)?;
    Ok(bytes)
}

/// Puts a frame around a payload behind what is there.
///
/// # Errors
/// As [`frame`]; nothing was added then.
pub fn append(bytes: &mut Vec<u8>, payload: &[u8]) -> Result<(), FrameError> {
    let found = payload.len();
    let length = u32::try_from(found).map_err(|_| FrameError::TooLong {
        max: u32::MAX as usize,
        found,
    })?;
    bytes.reserve(HEADER.saturating_add(found));
    bytes.push(VERSION);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    Ok(())
}

/// Puts payloads together from bytes as they arrive.
#[derive(Debug, Default)]
pub struct Assembler {
    buffer: Vec<u8>,
}

impl Assembler {
    /// An assembler that has seen nothing.
    pub const fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// Whether a frame has begun and is not complete.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes that may be read now without reading past the frame that is being assembled.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn wanted<S: Sizes>(&self) -> Result<usize, FrameError> {
        Ok(goal::<S>(&self.buffer)?.saturating_sub(self.buffer.len()))
    }

    /// Takes received bytes, best no more than [`wanted`](Self::wanted); gives the payload when it
    /// is complete. What follows it stays for the next call.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn push<S: Sizes>(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        self.buffer.extend_from_slice(bytes);
        let goal = goal::<S>(&self.buffer)?;
        if self.buffer.len() < goal {
            return Ok(None);
        }
        let rest = self.buffer.split_off(goal);
        let mut payload = core::mem::replace(&mut self.buffer, rest);
        payload.drain(..HEADER);
        Ok(Some(payload))
    }
}

/// A whole frame at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<'a> {
    /// Its payload.
    pub payload: &'a [u8],
    /// What follows it.
    pub rest: &'a [u8],
}

impl<'a> Whole<'a> {
    /// The whole frame that `bytes` begin with; `None` if it is not complete. For who has read more
    /// than one: nothing is copied.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn of<S: Sizes>(bytes: &'a [u8]) -> Result<Option<Self>, FrameError> {
        let whole = bytes.split_at_checked(goal::<S>(bytes)?);
        Ok(whole.and_then(|(frame, rest)| {
            let payload = frame.get(HEADER..)?;
            Some(Self { payload, rest })
        }))
    }
}

/// Length a frame that begins so must reach before the next decision: header, kind, whole frame.
fn goal<S: Sizes>(buffer: &[u8]) -> Result<usize, FrameError> {
    let Some((header, payload)) = buffer.split_first_chunk::<HEADER>() else {
        if let Some(found) = buffer.first().filter(|v| **v != VERSION) {
            return Err(FrameError::Version { found: *found });
        }
        return Ok(HEADER);
    };
    let [version, length @ ..] = *header;
    if version != VERSION {
        return Err(FrameError::Version { found: version });
    }
    let found = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if found > S::LARGEST {
        return Err(FrameError::TooLong {
            max: S::LARGEST,
            found,
        });
    }
    // The shortest message is an array of one kind: two bytes.
    if found < 2 {
        return Err(FrameError::Empty);
    }
    let Some((kind, _)) = payload.split_first_chunk::<2>() else {
        return Ok(HEADER + 2);
    };
    // An array of one or two, then the kind as a small integer.
    let max = match *kind {
        [0x81 | 0x82, kind @ 0..=23] => S::largest(kind),
        _ => None,
    };
    let max = max.ok_or(FrameError::Kind { found: *kind })?;
    if found > max {
        return Err(FrameError::TooLong { max, found });
    }
    Ok(HEADER.saturating_add(found))
}
