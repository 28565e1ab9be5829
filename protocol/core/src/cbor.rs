//! Deterministic CBOR (RFC 8949 §4.2.1) and the proof types built on it.
//!
//! Guarantees: a value of a type `T: Object` that came out of [`from_bytes`] was encoded in the one
//! canonical way, held no unknown key, no trailing byte, was no longer than `T::MAX`, and satisfies
//! the rules of every [`Checked`] part it is made of. The decoder re-encodes what it read and
//! refuses any difference, so a signature or digest can cover the received bytes and the value alike.
//!
//! Trusts: nothing about the input. No type of the contract is recursive, so depth is bounded by
//! the types themselves; memory is bounded by a small multiple of the input, whose size is bounded
//! first.
//!
//! Does not: read CBOR of other makers (attestation documents have their own decoder in `verify`).

use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use minicbor::decode::{Decode, Decoder, Error as CborError};
use minicbor::encode::{Encode, Encoder, Write};

use zeroize::Zeroizing;

use crate::invalid::Invalid;

/// An object of the contract: it has a label, which is also the external AAD of its signatures and
/// the prefix of its digest, and a largest size. What has [`Rules`] is an object only when
/// [`Checked`], so nothing unchecked is decoded, signed or hashed.
pub trait Object: Encode<()> + for<'b> Decode<'b, ()> {
    /// Name and version, for example `quorate/approval/v1`.
    const LABEL: &'static str;
    /// Largest canonical encoding in bytes that a decoder accepts.
    const MAX: usize;
}

/// Rules that the CBOR structure alone cannot express.
pub trait Rules {
    /// Says which rule is broken, if any.
    ///
    /// # Errors
    /// The first broken rule.
    fn check(&self) -> Result<(), Invalid>;
}

/// A value whose [`Rules`] hold. Can be had only by checking, so whoever holds one need not check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<T>(T);

impl<T: Rules> Checked<T> {
    /// Checks the rules once.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn new(value: T) -> Result<Self, Invalid> {
        value.check()?;
        Ok(Self(value))
    }

    /// Gives the unchecked value back, to change it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Checked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<C, T: Encode<C>> Encode<C> for Checked<T> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C, T: Decode<'b, C> + Rules> Decode<'b, C> for Checked<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, CborError> {
        let position = d.position();
        Self::new(T::decode(d, ctx)?).map_err(|e| CborError::custom(e).at(position))
    }
}

/// Why bytes are not an object of the contract. The sender is at fault in every case.
///
/// When the fault is in the payload of a signed object within, label and position are those of the
/// payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are CBOR of the right shape, but not the canonical encoding, or they hold an
    /// unknown key.
    NotCanonical {
        /// Object that was expected.
        label: &'static str,
    },
    /// The structure is right; a rule of the object is broken.
    Rule {
        /// Object that was expected.
        label: &'static str,
        /// The broken rule.
        rule: Invalid,
    },
    /// Not CBOR, or not of this object's structure.
    Structure {
        /// Object that was expected.
        label: &'static str,
        /// Byte offset of the first item that does not fit.
        position: usize,
    },
    /// Longer than the object may be.
    TooLong {
        /// Object that was expected.
        label: &'static str,
        /// Largest accepted length in bytes.
        max: usize,
        /// Length received in bytes.
        found: usize,
    },
    /// Bytes after the end of the object.
    Trailing {
        /// Object that was expected.
        label: &'static str,
        /// Offset of the first byte too many.
        position: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCanonical { label } => {
                write!(f, "{label}: not the canonical encoding, or an unknown key")
            }
            Self::Rule { label, rule } => write!(f, "{label}: {rule}"),
            Self::Structure { label, position } => {
                write!(f, "{label}: unexpected structure at byte {position}")
            }
            Self::TooLong { label, max, found } => {
                write!(f, "{label}: {found} bytes, at most {max} are accepted")
            }
            Self::Trailing { label, position } => {
                write!(f, "{label}: data after the end, at byte {position}")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// The canonical bytes of a value.
pub fn to_bytes<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail, and no Encode of the contract reports an error of its own.
    let written = minicbor::encode(value, &mut bytes);
    debug_assert!(written.is_ok());
    bytes
}

/// The canonical bytes of a secret value: erased when dropped, and never moved while they grow,
/// because room for the largest encoding is taken first.
pub fn to_secret_bytes<T: Object>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(T::MAX));
    let written = minicbor::encode(value, &mut *bytes);
    debug_assert!(written.is_ok() && bytes.len() <= T::MAX);
    bytes
}

/// Decodes one object that takes up all of `bytes`.
///
/// # Errors
/// See [`DecodeError`]; nothing is ever skipped or repaired.
pub fn from_bytes<T: Object>(bytes: &[u8]) -> Result<T, DecodeError> {
    let label = T::LABEL;
    if bytes.len() > T::MAX {
        return Err(DecodeError::TooLong {
            label,
            max: T::MAX,
            found: bytes.len(),
        });
    }
    let mut decoder = Decoder::new(bytes);
    let value = T::decode(&mut decoder, &mut ()).map_err(|e| refusal(label, &decoder, &e))?;
    if decoder.position() != bytes.len() {
        return Err(DecodeError::Trailing {
            label,
            position: decoder.position(),
        });
    }
    let mut same = Same(bytes);
    if minicbor::encode(&value, &mut same).is_err() || !same.0.is_empty() {
        return Err(DecodeError::NotCanonical { label });
    }
    Ok(value)
}

/// Compares what is written with what is expected, and keeps no copy of it.
struct Same<'a>(&'a [u8]);

/// It is something else.
struct Differs;

impl Write for Same<'_> {
    type Error = Differs;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Differs> {
        let (expected, rest) = self.0.split_at_checked(bytes.len()).ok_or(Differs)?;
        self.0 = rest;
        // In pieces of a known size: the C library of the enclave compares byte by byte.
        let (expected, expected_end) = expected.as_chunks::<32>();
        let (found, found_end) = bytes.as_chunks::<32>();
        let mut pieces = expected.iter().zip(found);
        if pieces.all(|(expected, found)| expected == found) && expected_end == found_end {
            Ok(())
        } else {
            Err(Differs)
        }
    }
}

fn refusal(label: &'static str, decoder: &Decoder<'_>, error: &CborError) -> DecodeError {
    let mut cause = core::error::Error::source(error);
    while let Some(inner) = cause {
        // A signed object inside this one was refused: its own error says more.
        if let Some(own) = inner.downcast_ref::<DecodeError>() {
            return own.clone();
        }
        if let Some(rule) = inner.downcast_ref::<Invalid>() {
            return DecodeError::Rule {
                label,
                rule: rule.clone(),
            };
        }
        cause = inner.source();
    }
    let position = error.position().unwrap_or_else(|| decoder.position());
    DecodeError::Structure { label, position }
}

/// Implements [`Object`] for types of the contract.
macro_rules! object {
    ($($type:ty => $label:literal, $max:expr;)*) => {$(
        impl $crate::cbor::Object for $type {
            const LABEL: &'static str = $label;
            const MAX: usize = $max;
        }
    )*};
}
pub(crate) use object;
