//! The stamp of an API key: who sent a body.
//!
//! The header `X-Stamp` is base64url without padding of `{"publicKey", "scheme", "signature"}`: a
//! compressed SEC1 point in hexadecimal, the name of the scheme, and DER ECDSA in hexadecimal over the
//! SHA-256 of the body.
//!
//! Guarantees: an [`Authentic`] exists only for a body whose very bytes were signed by its key. One
//! stamp has one meaning: no padding, no spare bits, no unknown members, strict DER. Whether s is low
//! is left to the client, because clients make both.
//!
//! Trusts: the implementation of ES256 it is given. Does not: say whose the key is, or stop the same
//! body from coming twice: a second signature over it makes a second stamp, and the fingerprint is
//! what stays.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use quorate_es256::{
    BadSignature, COMPRESSED_LEN, Signature, SigningFailed, SigningKey, VerifyingKey,
};

use crate::activity::{Request, RequestError};
use crate::fields::{FieldError, Fields};
use crate::fingerprint::Fingerprint;
use crate::json::{self, JsonError};
use crate::{MAX_BODY, MAX_STAMP};

/// Schemes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// `SIGNATURE_SCHEME_TK_API_P256`, the one that is accepted.
    P256,
    /// `SIGNATURE_SCHEME_TK_API_SECP256K1`
    Secp256k1,
    /// `SIGNATURE_SCHEME_TK_API_ED25519`
    Ed25519,
    /// `SIGNATURE_SCHEME_TK_API_SECP256K1_EIP191`
    Secp256k1Eip191,
}

impl core::fmt::Display for Scheme {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl Scheme {
    const ALL: [Self; 4] = [
        Self::P256,
        Self::Secp256k1,
        Self::Ed25519,
        Self::Secp256k1Eip191,
    ];

    /// How the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "SIGNATURE_SCHEME_TK_API_P256",
            Self::Secp256k1 => "SIGNATURE_SCHEME_TK_API_SECP256K1",
            Self::Ed25519 => "SIGNATURE_SCHEME_TK_API_ED25519",
            Self::Secp256k1Eip191 => "SIGNATURE_SCHEME_TK_API_SECP256K1_EIP191",
        }
    }
}

/// A stamp that was read, not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    public_key: [u8; COMPRESSED_LEN],
    signature: Signature,
}

/// Text that is no stamp. Its sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// Not base64url without padding.
    #[error("the stamp is not base64url without padding")]
    Base64,
    /// A member is missing, unknown or of another type. Offsets count in the decoded text.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// What was encoded is not JSON. Offsets count in the decoded text.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The key is not a compressed point in hexadecimal.
    #[error("the stamp's public key is not 66 hexadecimal digits of a compressed point")]
    PublicKey,
    /// A scheme of the contract that is not accepted.
    #[error("stamps of the scheme {found} are not accepted")]
    Scheme {
        /// The scheme.
        found: Scheme,
    },
    /// The signature is not strict DER in hexadecimal.
    #[error("the stamp's signature is not hexadecimal of strict DER")]
    Signature,
    /// The stamp is longer than any.
    #[error("a stamp of {found} characters, at most {max} are accepted")]
    TooLong {
        /// Most accepted.
        max: usize,
        /// Characters found.
        found: usize,
    },
    /// A scheme that the contract does not have.
    #[error("the stamp's scheme is not known")]
    UnknownScheme,
}

/// A body that a stamp does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is not by this key over these bytes: altered, or another's.
    #[error("the stamp's signature is not valid for this body")]
    BadSignature,
    /// The body is larger than any request.
    #[error("a body of {found} bytes, at most {max} are accepted")]
    BodyTooLarge {
        /// Largest accepted size in bytes.
        max: usize,
        /// Size found in bytes.
        found: usize,
    },
    /// The key that verifies is not the one in the stamp: the caller's mistake.
    #[error("the key is not the one in the stamp")]
    OtherKey,
}

/// A body, and the key that signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentic<'a> {
    body: &'a [u8],
    fingerprint: Fingerprint,
    public_key: [u8; COMPRESSED_LEN],
}

impl Stamp {
    /// Reads the value of the header `X-Stamp`.
    ///
    /// # Errors
    /// [`StampError`]
    pub fn decode(header: &str) -> Result<Self, StampError> {
        let found = header.len();
        if found > MAX_STAMP {
            let max = MAX_STAMP;
            return Err(StampError::TooLong { max, found });
        }
        let text = Base64UrlUnpadded::decode_vec(header).map_err(|_| StampError::Base64)?;
        let mut fields = Fields::new(json::parse(&text, MAX_STAMP)?)?;
        let (scheme, _) = fields.string("scheme")?;
        let (public_key, _) = fields.string("publicKey")?;
        let (signature, _) = fields.string("signature")?;
        fields.finish()?;
        let found = Scheme::ALL.into_iter().find(|known| known.name() == scheme);
        match found.ok_or(StampError::UnknownScheme)? {
            Scheme::P256 => {}
            found => return Err(StampError::Scheme { found }),
        }
        Ok(Self {
            public_key: compressed(&public_key).ok_or(StampError::PublicKey)?,
            signature: der(&signature).ok_or(StampError::Signature)?,
        })
    }

    /// Stamps a body.
    ///
    /// # Errors
    /// [`SigningFailed`]
    pub fn make<K: SigningKey>(key: &K, body: &[u8]) -> Result<String, SigningFailed> {
        let stamp = Self {
            public_key: key.public_key(),
            signature: key.sign(body)?,
        };
        Ok(stamp.encode())
    }

    /// The value of the header, as the contract's own clients write it.
    pub fn encode(&self) -> String {
        let mut text = String::from("{\"publicKey\":\"");
        text.push_str(&base16ct::lower::encode_string(&self.public_key));
        text.push_str("\",\"scheme\":\"");
        text.push_str(Scheme::P256.name());
        text.push_str("\",\"signature\":\"");
        text.push_str(&base16ct::lower::encode_string(&self.signature.to_der()));
        text.push_str("\"}");
        Base64UrlUnpadded::encode_string(text.as_bytes())
    }

    /// The key it names, SEC1 compressed.
    pub fn public_key(&self) -> &[u8; COMPRESSED_LEN] {
        &self.public_key
    }

    /// Verifies that the key of this stamp signed these very bytes. `key` is that key, parsed.
    ///
    /// # Errors
    /// [`VerifyError`]
    pub fn verify<'a, K: VerifyingKey>(
        &self,
        key: &K,
        body: &'a [u8],
    ) -> Result<Authentic<'a>, VerifyError> {
        let found = body.len();
        if found > MAX_BODY {
            let max = MAX_BODY;
            return Err(VerifyError::BodyTooLarge { max, found });
        }
        if key.to_compressed() != self.public_key {
            return Err(VerifyError::OtherKey);
        }
        let fingerprint = Fingerprint::of(body);
        key.verify_digest(fingerprint.as_bytes(), &self.signature)
            .map_err(|BadSignature| VerifyError::BadSignature)?;
        Ok(Authentic {
            body,
            fingerprint,
            public_key: self.public_key,
        })
    }
}

impl<'a> Authentic<'a> {
    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Its fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The key that signed it, SEC1 compressed.
    pub fn public_key(&self) -> &[u8; COMPRESSED_LEN] {
        &self.public_key
    }

    /// What it asks for.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn request(&self) -> Result<Request, RequestError> {
        Request::parse(self.body)
    }
}

fn compressed(text: &str) -> Option<[u8; COMPRESSED_LEN]> {
    let bytes = hexadecimal(text, COMPRESSED_LEN)?;
    let bytes: [u8; COMPRESSED_LEN] = bytes.try_into().ok()?;
    matches!(bytes.first(), Some(2 | 3)).then_some(bytes)
}

fn der(text: &str) -> Option<Signature> {
    let bytes = hexadecimal(text, Signature::MAX_DER_LEN)?;
    Signature::from_der(&bytes).ok()
}

fn hexadecimal(text: &str, max: usize) -> Option<Vec<u8>> {
    let whole = text.len().is_multiple_of(2) && text.len() / 2 <= max;
    base16ct::mixed::decode_vec(text).ok().filter(|_| whole)
}
