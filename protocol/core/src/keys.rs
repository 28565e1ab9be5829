//! Public keys of the contract: P-256 points, checked when decoded.
//!
//! People and instances have two keys, one to verify (ES256) and one to encrypt to (DHKEM(P-256)).
//! On the wire a point is SEC1 compressed, 33 bytes; inside an attestation document a [`KeyPair`]
//! is two uncompressed points, HPKE then ES256, 130 bytes.

use core::fmt;

use minicbor::bytes::ByteArray;
use p256::ecdsa::{SigningKey, VerifyingKey};
use quorate_sealing as sealing;

use crate::atoms::codec;
use crate::es256;
use crate::invalid::Invalid;

/// An ES256 verification key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerificationKey(VerifyingKey);

impl VerificationKey {
    /// Reads a SEC1 point, compressed or uncompressed.
    ///
    /// # Errors
    /// [`Invalid::VerificationKey`] if it is not a point of P-256 other than the identity.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, Invalid> {
        // p256 would also take the compact form, 5 and x, in which a key has a second encoding.
        match (bytes.first(), bytes.len()) {
            (Some(2 | 3), 33) => decompressed(bytes, Self::read, Self::to_uncompressed),
            (Some(4), 65) => Self::read(bytes),
            _ => None,
        }
        .ok_or(Invalid::VerificationKey)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        VerifyingKey::from_sec1_bytes(bytes).ok().map(Self)
    }

    /// The public half of a signing key.
    pub fn of(key: &SigningKey) -> Self {
        Self(*key.verifying_key())
    }

    /// SEC1 compressed.
    pub fn to_compressed(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes.copy_from_slice(self.0.to_sec1_point(true).as_bytes());
        bytes
    }

    /// SEC1 uncompressed.
    pub fn to_uncompressed(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        bytes.copy_from_slice(self.0.to_sec1_point(false).as_bytes());
        bytes
    }

    pub(crate) fn inner(&self) -> &VerifyingKey {
        &self.0
    }
}

impl From<VerifyingKey> for VerificationKey {
    fn from(key: VerifyingKey) -> Self {
        Self(key)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::atoms::hex(&self.to_compressed(), f)
    }
}

/// A key to encrypt to.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(sealing::EncryptionKey);

impl EncryptionKey {
    /// Reads a SEC1 point, compressed or uncompressed.
    ///
    /// # Errors
    /// [`Invalid::EncryptionKey`].
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, Invalid> {
        let read = |bytes: &[u8]| sealing::EncryptionKey::from_sec1(bytes).ok().map(Self);
        match bytes.len() {
            33 => decompressed(bytes, read, |key| key.0.to_uncompressed()),
            _ => read(bytes),
        }
        .ok_or(Invalid::EncryptionKey)
    }

    /// SEC1 compressed.
    pub fn to_compressed(&self) -> [u8; 33] {
        self.0.to_compressed()
    }

    /// The key as the sealing crate takes it.
    pub fn inner(&self) -> &sealing::EncryptionKey {
        &self.0
    }
}

impl From<sealing::EncryptionKey> for EncryptionKey {
    fn from(key: sealing::EncryptionKey) -> Self {
        Self(key)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::atoms::hex(&self.to_compressed(), f)
    }
}

/// Reads a compressed point, from its uncompressed form where that is known.
fn decompressed<K>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Option<K>,
    uncompressed: impl Fn(&K) -> [u8; 65],
) -> Option<K> {
    if let Some(known) = es256::known(bytes) {
        return read(&known);
    }
    let key = read(bytes)?;
    es256::remember(bytes, uncompressed(&key));
    Some(key)
}

/// The two public keys of one stage of an instance (setup or live).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// HPKE recipient.
    pub encryption: EncryptionKey,
    /// ES256 signer.
    pub verification: VerificationKey,
}

impl KeyPair {
    /// Length of the attested form in bytes.
    pub const LEN: usize = 130;

    /// Reads the attested form: two SEC1 uncompressed points, HPKE then ES256.
    ///
    /// # Errors
    /// The key that is not a point, or [`Invalid::Length`].
    pub fn from_attested(bytes: &[u8]) -> Result<Self, Invalid> {
        let length = Invalid::Length {
            min: Self::LEN,
            max: Self::LEN,
            found: bytes.len(),
        };
        if bytes.len() != Self::LEN {
            return Err(length);
        }
        let (encryption, verification) = bytes.split_at_checked(65).ok_or(length)?;
        Ok(Self {
            encryption: EncryptionKey::from_sec1(encryption)?,
            verification: VerificationKey::from_sec1(verification)?,
        })
    }

    /// The attested form.
    pub fn to_attested(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (encryption, verification) = bytes.split_at_mut(65);
        encryption.copy_from_slice(&self.encryption.0.to_uncompressed());
        verification.copy_from_slice(&self.verification.to_uncompressed());
        bytes
    }
}

codec!([] VerificationKey, ByteArray<33>,
    |v| ByteArray::from(v.to_compressed()), |raw| Self::from_sec1(&*raw));
codec!([] EncryptionKey, ByteArray<33>,
    |v| ByteArray::from(v.to_compressed()), |raw| Self::from_sec1(&*raw));
codec!([] KeyPair, ByteArray<130>,
    |v| ByteArray::from(v.to_attested()), |raw| Self::from_attested(&*raw));
