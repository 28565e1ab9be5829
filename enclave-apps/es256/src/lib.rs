//! ES256, that is ECDSA over P-256 with SHA-256 (FIPS 186-5), behind two traits.
//!
//! Stamps of clients are verified and proofs of applications signed with it, thousands of times a
//! second, so who does the arithmetic matters. Two packages implement [`VerifyingKey`] and
//! [`SigningKey`]: this one with `p256` (pure Rust, in [`portable`]), and `quorate-es256-fast` with
//! aws-lc (C and assembly, several times faster). A program takes the one it means by its name; no
//! Cargo feature chooses. `docs/design/0004-es256.md` has the figures and who takes which.
//!
//! **What it guarantees**
//!
//! * A [`Signature`] is a pair of numbers in range, whatever form it came in: 64 bytes, or strict DER.
//!   Either s is taken, because clients make both; who needs one form alone asks for [`Signature::is_low_s`].
//! * Both implementations take the same keys (SEC1, compressed and uncompressed, on the curve) and give
//!   the same verdicts; tests compare them.
//! * What a [`SigningKey`] returns is low-S.
//!
//! **What it trusts**: `p256` and `sha2`. **What it does not do**: say whose a key is.

#![no_std]
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

extern crate alloc;

mod cache;
pub mod portable;
mod signature;

use sha2::{Digest as _, Sha256};

pub use cache::KeyCache;
pub use signature::{Signature, SignatureError};

/// Length of a compressed key in bytes.
pub const COMPRESSED_LEN: usize = 33;
/// Length of an uncompressed key in bytes.
pub const UNCOMPRESSED_LEN: usize = 65;

/// A public key.
pub trait VerifyingKey: Sized {
    /// Reads a SEC1 point, compressed (33 bytes) or uncompressed (65 bytes).
    ///
    /// # Errors
    /// [`PublicKeyError`]
    fn from_sec1(bytes: &[u8]) -> Result<Self, PublicKeyError>;

    /// SEC1 compressed.
    fn to_compressed(&self) -> [u8; COMPRESSED_LEN];

    /// Verifies a signature over a message whose SHA-256 is `digest`.
    ///
    /// # Errors
    /// [`BadSignature`]
    fn verify_digest(&self, digest: &[u8; 32], signature: &Signature) -> Result<(), BadSignature>;

    /// Verifies a signature over a message.
    ///
    /// # Errors
    /// [`BadSignature`]
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        self.verify_digest(&sha256(message), signature)
    }
}

/// A secret key with its public key. Implementations have no `Debug` or `Clone` and erase the secret
/// when dropped.
pub trait SigningKey: Sized {
    /// From 32 bytes, most significant first.
    ///
    /// # Errors
    /// [`SecretKeyError`]
    fn from_scalar(bytes: &[u8; 32]) -> Result<Self, SecretKeyError>;

    /// The public key, SEC1 compressed.
    fn public_key(&self) -> [u8; COMPRESSED_LEN];

    /// Signs a message whose SHA-256 is `digest`. The signature is low-S.
    ///
    /// # Errors
    /// [`SigningFailed`]
    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Signature, SigningFailed>;

    /// Signs a message. The signature is low-S.
    ///
    /// # Errors
    /// [`SigningFailed`]
    fn sign(&self, message: &[u8]) -> Result<Signature, SigningFailed> {
        self.sign_digest(&sha256(message))
    }
}

/// SHA-256.
pub fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Bytes that are no public key. Whoever gave them is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a point of P-256 in SEC1 form")]
pub struct PublicKeyError;

/// Bytes that are no secret key: zero, or not below the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a secret key of P-256")]
pub struct SecretKeyError;

/// The signature is not one of this message under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid for this message and key")]
pub struct BadSignature;

/// The library could not sign: it got no memory, or no random numbers. Nothing was signed; the request
/// may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no signature could be made; the request may be repeated")]
pub struct SigningFailed;
