//! The small values objects are made of: names, texts, bytes of a fixed length, times, indices.
//!
//! Each is checked when decoded, so an object never holds an invalid one. Names and texts hold no
//! control character: they are shown on terminals.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::bytes::{ByteArray, ByteSlice, ByteVec};
use minicbor::decode::{Decoder, Error as CborError};
use minicbor::encode::{Encoder, Write};
use quorate_sealing::{StorageSuite, Suite};
pub use quorate_sharing::ShareIndex;

use crate::invalid::Invalid;

type EncodeResult<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;

/// A name: 1 to 63 characters of `a-z 0-9 - . _`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`Invalid::Name`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let first = text.bytes().next().ok_or(Invalid::Name)?;
        let all = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b));
        if text.len() > 63 || b"-._".contains(&first) || !all {
            return Err(Invalid::Name);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text of at most `MAX` bytes without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Checks and takes a text.
    ///
    /// # Errors
    /// [`Invalid::Text`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX || text.chars().any(char::is_control) {
            return Err(Invalid::Text);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A byte string of `MIN` to `MAX` bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes<const MIN: usize, const MAX: usize>(Vec<u8>);

impl<const MIN: usize, const MAX: usize> Bytes<MIN, MAX> {
    /// Checks and takes bytes.
    ///
    /// # Errors
    /// [`Invalid::Length`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Invalid> {
        if (MIN..=MAX).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(Invalid::Length {
                min: MIN,
                max: MAX,
                found: bytes.len(),
            })
        }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, by value.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Debug for Bytes<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A PCR value, SHA-384.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pcr(pub [u8; 48]);

impl Pcr {
    /// The value of a register nothing was written to, and of measurements in debug mode.
    pub const ZERO: Self = Self([0; 48]);

    /// The register after `data` was extended into it: SHA-384(register ‖ data).
    #[must_use]
    pub fn extend(self, data: &[u8]) -> Self {
        use sha2::{Digest as _, Sha384};
        Self(
            Sha384::new()
                .chain_update(self.0)
                .chain_update(data)
                .finalize()
                .into(),
        )
    }
}

impl fmt::Debug for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Pcr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// A SHA-256 that is not of an object of the contract: a file, a certificate, a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. Inside an enclave it comes
/// from the NSM; from a person's tool it is a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

/// Writes lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

/// Encode and decode through an accessor and a fallible constructor.
macro_rules! codec {
    ([$($generics:tt)*] $type:ty, $raw:ty, |$value:ident| $out:expr, |$in:ident| $back:expr) => {
        impl<C, $($generics)*> minicbor::encode::Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::encode::Encoder<W>,
                ctx: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                let $value = self;
                $out.encode(e, ctx)
            }
        }

        impl<'b, C, $($generics)*> minicbor::decode::Decode<'b, C> for $type {
            fn decode(
                d: &mut minicbor::decode::Decoder<'b>,
                ctx: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let position = d.position();
                let $in: $raw = minicbor::decode::Decode::decode(d, ctx)?;
                let back: Result<Self, $crate::invalid::Invalid> = $back;
                back.map_err(|e| minicbor::decode::Error::custom(e).at(position))
            }
        }
    };
}
pub(crate) use codec;

codec!([] Name, &str, |v| v.0, |raw| Self::new(raw));
codec!([const MAX: usize] Text<MAX>, &str, |v| v.0, |raw| Self::new(raw));
codec!([const MIN: usize, const MAX: usize] Bytes<MIN, MAX>, &ByteSlice,
    |v| ByteVec::from(v.0.clone()), |raw| Self::new(raw.to_vec()));
codec!([] Pcr, ByteArray<48>, |v| ByteArray::from(v.0), |raw| Ok(Self(raw.into())));
codec!([] Sha256, ByteArray<32>, |v| ByteArray::from(v.0), |raw| Ok(Self(raw.into())));
codec!([] UnixMillis, u64, |v| v.0, |raw| Ok(Self(raw)));

/// The format number on the wire, which is [`crate::FORMAT`] or refused;
/// `#[cbor(with = "crate::atoms::format")]`.
pub(crate) mod format {
    use super::{CborError, Decoder, EncodeResult, Encoder, Invalid, Write};

    pub(crate) fn encode<C, W: Write>(v: &u8, e: &mut Encoder<W>, _: &mut C) -> EncodeResult<W> {
        e.u8(*v)?;
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<u8, CborError> {
        let position = d.position();
        let found = d.u8()?;
        if found != crate::FORMAT {
            return Err(CborError::custom(Invalid::Format { found }).at(position));
        }
        Ok(found)
    }
}

/// A file descriptor on the wire, never negative; `#[cbor(with = "crate::atoms::descriptor")]`.
pub(crate) mod descriptor {
    use super::{CborError, Decoder, EncodeResult, Encoder, Invalid, Write};

    pub(crate) fn encode<C, W: Write>(v: &i32, e: &mut Encoder<W>, _: &mut C) -> EncodeResult<W> {
        e.i32(*v)?;
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<i32, CborError> {
        let position = d.position();
        let found = d.i32()?;
        if found < 0 {
            return Err(CborError::custom(Invalid::Descriptor { found }).at(position));
        }
        Ok(found)
    }
}

/// [`ShareIndex`] on the wire; `#[cbor(with = "crate::atoms::index")]`.
pub(crate) mod index {
    use super::{CborError, Decoder, EncodeResult, Encoder, Invalid, ShareIndex, Write};

    pub(crate) fn encode<C, W: Write>(
        v: &ShareIndex,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> EncodeResult<W> {
        e.u8(v.get())?;
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<ShareIndex, CborError> {
        let position = d.position();
        let raw = d.u8()?;
        ShareIndex::try_from(raw)
            .map_err(|_| CborError::custom(Invalid::ShareIndexZero).at(position))
    }
}

/// [`Suite`] on the wire; `#[cbor(with = "crate::atoms::suite")]`.
pub(crate) mod suite {
    use super::{CborError, Decoder, EncodeResult, Encoder, Invalid, Suite, Write};

    pub(crate) fn encode<C, W: Write>(v: &Suite, e: &mut Encoder<W>, _: &mut C) -> EncodeResult<W> {
        e.u16(v.id())?;
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Suite, CborError> {
        let position = d.position();
        let found = d.u16()?;
        Suite::from_id(found)
            .ok_or_else(|| CborError::custom(Invalid::Suite { found }).at(position))
    }
}

/// [`StorageSuite`] on the wire; `#[cbor(with = "crate::atoms::storage_suite")]`.
pub(crate) mod storage_suite {
    use super::{CborError, Decoder, EncodeResult, Encoder, Invalid, StorageSuite, Write};

    pub(crate) fn encode<C, W: Write>(
        v: &StorageSuite,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> EncodeResult<W> {
        e.u16(v.id())?;
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<StorageSuite, CborError> {
        let position = d.position();
        let found = d.u16()?;
        StorageSuite::from_id(found)
            .ok_or_else(|| CborError::custom(Invalid::Suite { found }).at(position))
    }
}
