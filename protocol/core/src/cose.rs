//! COSE_Sign1 (RFC 9052 §4.2) with ES256, in the one form Quorate uses.
//!
//! Guarantees: protected header exactly `{1: -7}`, unprotected header empty, payload the canonical
//! bytes of one object, signature 64 bytes with low S, external AAD the object's label. So a
//! signature made for one kind of object never verifies as another, and one object and key have
//! few, not endlessly many, accepted encodings.
//!
//! A [`Signed`] that was only decoded proves nothing: its payload is called
//! [`unverified`](Signed::unverified) until [`verify`](Signed::verify) has returned it.
//!
//! Does not: tags, detached payloads, other algorithms, key identifiers. Tools that take signatures
//! from tokens normalize them to low S first ([`Signed::from_parts`]).

use alloc::vec::Vec;
use core::fmt;

use minicbor::bytes::{ByteArray, ByteSlice};
use minicbor::decode::{Decode, Decoder, Error as CborError};
use minicbor::encode::{Encode, Encoder, Write};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};

use crate::cbor::{Object, from_bytes, to_bytes};
use crate::digest::Digest;
use crate::invalid::Invalid;
use crate::keys::VerificationKey;

/// The protected header: `{1: -7}`, ES256.
const PROTECTED: &[u8] = &[0xa1, 0x01, 0x26];
/// Bytes a signature adds around its payload, at most.
const OVERHEAD: usize = 80;

/// A signed object.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    payload: T,
    signature: Signature,
}

/// The signature was not made over this object, under this label, by this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature {
    /// What was signed.
    pub label: &'static str,
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the signature on {} is not by the expected key over these bytes",
            self.label
        )
    }
}

impl core::error::Error for BadSignature {}

impl<T: Object> Signed<T> {
    /// Signs an object (deterministic ECDSA, RFC 6979; low S).
    pub fn sign(payload: T, key: &SigningKey) -> Self {
        let signature: Signature = key.sign(&sig_structure::<T>(&to_bytes(&payload)));
        Self {
            payload,
            signature: signature.normalize_s(),
        }
    }

    /// The bytes a token has to sign (Sig_structure); ES256 hashes them with SHA-256.
    pub fn to_be_signed(payload: &T) -> Vec<u8> {
        sig_structure::<T>(&to_bytes(payload))
    }

    /// Puts together an object and a signature made elsewhere, which may have high S.
    ///
    /// # Errors
    /// [`Invalid::Signature`] if the pair is out of range.
    pub fn from_parts(payload: T, signature: &[u8; 64]) -> Result<Self, Invalid> {
        let signature = Signature::from_slice(signature).map_err(|_| Invalid::Signature)?;
        Ok(Self {
            payload,
            signature: signature.normalize_s(),
        })
    }

    /// The object, if `key` signed it.
    ///
    /// # Errors
    /// [`BadSignature`]; nothing is known about the object then.
    pub fn verify(&self, key: &VerificationKey) -> Result<&T, BadSignature> {
        let message = sig_structure::<T>(&to_bytes(&self.payload));
        if crate::es256::verifies(key, &message, &self.signature) {
            Ok(&self.payload)
        } else {
            Err(BadSignature { label: T::LABEL })
        }
    }

    /// The object as claimed: needed to find out whose key to verify with.
    pub fn unverified(&self) -> &T {
        &self.payload
    }

    /// The signature, r then s, 32 bytes big-endian each; s is low.
    pub fn signature(&self) -> [u8; 64] {
        self.signature.to_bytes().into()
    }

    /// Digest of the object, which does not cover the signature.
    pub fn digest(&self) -> Digest<T> {
        Digest::of(&self.payload)
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.payload).finish()
    }
}

impl<T: Object> Object for Signed<T> {
    const LABEL: &'static str = T::LABEL;
    const MAX: usize = T::MAX.saturating_add(OVERHEAD);
}

impl<C, T: Object> Encode<C> for Signed<T> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(4)?
            .bytes(PROTECTED)?
            .map(0)?
            .bytes(&to_bytes(&self.payload))?;
        e.bytes(&self.signature.to_bytes())?;
        Ok(())
    }
}

impl<'b, C, T: Object> Decode<'b, C> for Signed<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, CborError> {
        let start = d.position();
        if d.array()? != Some(4) || d.bytes()? != PROTECTED || d.map()? != Some(0) {
            return Err(CborError::message("not a COSE_Sign1 of this contract").at(start));
        }
        let position = d.position();
        let payload = <&ByteSlice>::decode(d, ctx)?;
        let payload = from_bytes::<T>(payload).map_err(|e| CborError::custom(e).at(position))?;
        let position = d.position();
        let signature: [u8; 64] = ByteArray::<64>::decode(d, ctx)?.into();
        let invalid = || CborError::custom(Invalid::Signature).at(position);
        let signature = Signature::from_slice(&signature).map_err(|_| invalid())?;
        if signature.normalize_s() != signature {
            return Err(invalid());
        }
        Ok(Self { payload, signature })
    }
}

/// Sig_structure of RFC 9052 §4.4 with the label as external AAD.
fn sig_structure<T: Object>(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len().saturating_add(64));
    let mut e = Encoder::new(&mut bytes);
    let written = e
        .array(4)
        .and_then(|e| e.str("Signature1"))
        .and_then(|e| e.bytes(PROTECTED))
        .and_then(|e| e.bytes(T::LABEL.as_bytes()))
        .and_then(|e| e.bytes(payload));
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    bytes
}
