//! ES256 by aws-lc, for the applications that verify and sign all the time.
//!
//! The same two traits as `quorate-es256`, several times faster: aws-lc is AWS's cryptographic library
//! in C and assembly, parts of it proven. The price is a C compiler in the build and code that Rust's
//! rules do not reach, so only applications link it, each in its own process; init never does.
//!
//! **What it guarantees**
//!
//! * The same keys and signatures are accepted as by the pure Rust implementation. Keys and signatures
//!   are checked for form before aws-lc sees them: it would also take X.509 structures and others.
//! * What a [`SigningKey`] returns is low-S. Its nonce is random, from aws-lc's own generator, which
//!   takes its seed from the kernel; so two signatures of one message differ.
//!
//! **What it trusts**: aws-lc, and the kernel's random numbers. aws-lc erases secret memory when it
//! frees it. **What it does not do**: say whose a key is.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};

use quorate_es256::{
    BadSignature, COMPRESSED_LEN, PublicKeyError, SecretKeyError, Signature, SigningFailed,
    UNCOMPRESSED_LEN, portable,
};

/// A public key.
pub struct VerifyingKey {
    key: ParsedPublicKey,
    compressed: [u8; COMPRESSED_LEN],
}

/// A secret key with its public key. aws-lc erases the secret when it is dropped.
pub struct SigningKey {
    key: EcdsaKeyPair,
    public: [u8; COMPRESSED_LEN],
}

impl quorate_es256::VerifyingKey for VerifyingKey {
    fn from_sec1(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let compressed = match (bytes.first(), bytes.len()) {
            (Some(2 | 3), COMPRESSED_LEN) => {
                let mut compressed = [0; COMPRESSED_LEN];
                compressed.copy_from_slice(bytes);
                compressed
            }
            (Some(4), UNCOMPRESSED_LEN) => compress(bytes).ok_or(PublicKeyError)?,
            _ => return Err(PublicKeyError),
        };
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes);
        let key = key.map_err(|_| PublicKeyError)?;
        Ok(Self { key, compressed })
    }

    fn to_compressed(&self) -> [u8; COMPRESSED_LEN] {
        self.compressed
    }

    fn verify_digest(&self, digest: &[u8; 32], signature: &Signature) -> Result<(), BadSignature> {
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| BadSignature)?;
        let verified = self.key.verify_digest_sig(&digest, &signature.to_raw());
        verified.map_err(|_| BadSignature)
    }
}

impl quorate_es256::SigningKey for SigningKey {
    fn from_scalar(bytes: &[u8; 32]) -> Result<Self, SecretKeyError> {
        // aws-lc wants the public key beside the secret one, and checks that they belong together.
        let portable: portable::SigningKey = quorate_es256::SigningKey::from_scalar(bytes)?;
        let public = portable.public_key();
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            bytes,
            &public,
        );
        let key = key.map_err(|_| SecretKeyError)?;
        Ok(Self { key, public })
    }

    fn public_key(&self) -> [u8; COMPRESSED_LEN] {
        self.public
    }

    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Signature, SigningFailed> {
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| SigningFailed)?;
        let made = self.key.sign_digest(&digest).map_err(|_| SigningFailed)?;
        let made = Signature::from_raw(made.as_ref()).map_err(|_| SigningFailed)?;
        Ok(made.into_low_s())
    }
}

/// Drops y and keeps whether it is odd.
fn compress(uncompressed: &[u8]) -> Option<[u8; COMPRESSED_LEN]> {
    let mut compressed = [0; COMPRESSED_LEN];
    let (tag, x) = compressed.split_first_mut()?;
    let odd = uncompressed.last()? & 1;
    *tag = 2 + odd;
    x.copy_from_slice(uncompressed.get(1..COMPRESSED_LEN)?);
    Some(compressed)
}
