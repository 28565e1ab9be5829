//! Digests of objects, typed by the object they name.
//!
//! A digest is SHA-256(label ‖ 0x00 ‖ canonical bytes) and never covers a signature. The label keeps
//! a digest of one kind of object from being taken for another; the type parameter does the same at
//! compile time.

use core::fmt;
use core::marker::PhantomData;

use minicbor::bytes::ByteArray;
use minicbor::decode::{Decode, Decoder};
use minicbor::encode::{Encode, Encoder, Write};
use sha2::{Digest as _, Sha256};

use crate::cbor::{Object, to_bytes};

/// The digest of a `T`.
pub struct Digest<T: ?Sized> {
    bytes: [u8; 32],
    of: PhantomData<fn() -> T>,
}

impl<T: Object> Digest<T> {
    /// Computes the digest.
    pub fn of(value: &T) -> Self {
        Self::of_canonical(&to_bytes(value))
    }

    /// The digest of bytes that are known to be the canonical encoding of a `T`.
    pub(crate) fn of_canonical(bytes: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(T::LABEL.as_bytes())
            .chain_update([0])
            .chain_update(bytes)
            .finalize();
        Self::from_bytes(hash.into())
    }
}

impl<T: ?Sized> Digest<T> {
    /// Takes a digest known from elsewhere, such as a pin.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self {
            bytes,
            of: PhantomData,
        }
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Reads 64 hexadecimal digits, either case. `None` if it is anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = core::str::from_utf8(pair).ok()?;
            if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self::from_bytes(bytes))
    }
}

impl<T: ?Sized> Clone for Digest<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Digest<T> {}

impl<T: ?Sized> PartialEq for Digest<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T: ?Sized> Eq for Digest<T> {}

impl<T: ?Sized> PartialOrd for Digest<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized> Ord for Digest<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl<T: ?Sized> fmt::Debug for Digest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: ?Sized> fmt::Display for Digest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::atoms::hex(&self.bytes, f)
    }
}

impl<C, T: ?Sized> Encode<C> for Digest<T> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        ByteArray::from(self.bytes).encode(e, ctx)
    }
}

impl<'b, C, T: ?Sized> Decode<'b, C> for Digest<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::from_bytes(ByteArray::<32>::decode(d, ctx)?.into()))
    }
}
