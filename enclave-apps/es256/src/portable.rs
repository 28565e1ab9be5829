//! ES256 in pure Rust, with `p256`.
//!
//! Guarantees: no C and no random numbers; the nonce of a signature is that of RFC 6979. Arithmetic on
//! the secret is `p256`'s, which is constant time by design.
//!
//! Trusts: `p256`, which by its own documentation has not been independently audited.
//!
//! Does not: hurry. A verification takes five times as long as the fast implementation's.

use p256::ecdsa;
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};

use crate::{
    BadSignature, COMPRESSED_LEN, PublicKeyError, SecretKeyError, Signature, SigningFailed,
    UNCOMPRESSED_LEN,
};

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey(ecdsa::VerifyingKey);

/// A secret key with its public key. The secret is erased when dropped.
pub struct SigningKey(ecdsa::SigningKey);

impl crate::VerifyingKey for VerifyingKey {
    fn from_sec1(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        // p256 would also take the compact form, which has another first byte.
        match (bytes.first(), bytes.len()) {
            (Some(2 | 3), COMPRESSED_LEN) | (Some(4), UNCOMPRESSED_LEN) => {
                ecdsa::VerifyingKey::from_sec1_bytes(bytes)
                    .map(Self)
                    .map_err(|_| PublicKeyError)
            }
            _ => Err(PublicKeyError),
        }
    }

    fn to_compressed(&self) -> [u8; COMPRESSED_LEN] {
        compressed(&self.0)
    }

    fn verify_digest(&self, digest: &[u8; 32], signature: &Signature) -> Result<(), BadSignature> {
        let verified = self.0.verify_prehash(digest, &signature.0);
        verified.map_err(|_| BadSignature)
    }
}

impl crate::SigningKey for SigningKey {
    fn from_scalar(bytes: &[u8; 32]) -> Result<Self, SecretKeyError> {
        ecdsa::SigningKey::from_bytes(&(*bytes).into())
            .map(Self)
            .map_err(|_| SecretKeyError)
    }

    fn public_key(&self) -> [u8; COMPRESSED_LEN] {
        compressed(self.0.verifying_key())
    }

    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Signature, SigningFailed> {
        let made: ecdsa::Signature = self.0.sign_prehash(digest).map_err(|_| SigningFailed)?;
        Ok(Signature(made).into_low_s())
    }
}

fn compressed(key: &ecdsa::VerifyingKey) -> [u8; COMPRESSED_LEN] {
    let mut bytes = [0; COMPRESSED_LEN];
    bytes.copy_from_slice(key.to_sec1_point(true).as_bytes());
    bytes
}
