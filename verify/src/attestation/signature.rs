//! ECDSA over P-384 with SHA-384 (ES384), behind one trait.
//!
//! [`PureRust`] is the provider that is always there. Others live in packages of their own, so that
//! no Cargo feature decides what a build trusts: `quorate-verify-aws-lc` is four times as fast and
//! contains C. Whoever passes a provider trusts it as much as this crate. One that says yes to
//! everything, or no to everything, is found out when a [`Verifier`](super::Verifier) is made from
//! it; one that lies about particular signatures is not.
//!
//! Both halves of the curve's range are accepted for *s*. Most genuine documents have a high one.
//! A provider is handed keys and signatures of the right shape and decides the rest: whether the
//! point is on the curve, and whether *r* and *s* are in 1..n−1.

use p384::ecdsa::VerifyingKey;
use p384::ecdsa::signature::Verifier as _;

use super::cose::SIGNATURE_BYTES;

/// Length of an uncompressed P-384 point (SEC1), in bytes.
pub const PUBLIC_KEY_BYTES: usize = 97;

/// First byte of an uncompressed point (SEC1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// An uncompressed P-384 point in SEC1 form. That it lies on the curve is for a provider to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_KEY_BYTES]);

impl PublicKey {
    /// Takes 97 bytes of which the first says "uncompressed". `None` for anything else.
    #[must_use]
    pub fn from_sec1(bytes: &[u8]) -> Option<Self> {
        let key: [u8; PUBLIC_KEY_BYTES] = bytes.try_into().ok()?;
        (key.first() == Some(&UNCOMPRESSED)).then_some(Self(key))
    }

    /// The 97 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.0
    }
}

/// *r* and *s*, each 48 bytes, big-endian, of any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// The signature with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 96 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

/// The signature is not that of the key over the message, or the key is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSigned;

/// Checks one ES384 signature.
pub trait SignatureVerifier {
    /// Checks `signature` by `public_key` over `message`, which is not yet hashed.
    ///
    /// # Errors
    ///
    /// If the signature is not right, or *r*, *s* or the point is out of range.
    fn verify(
        &self,
        public_key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), NotSigned>;
}

impl<P: SignatureVerifier + ?Sized> SignatureVerifier for &P {
    fn verify(
        &self,
        public_key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), NotSigned> {
        (**self).verify(public_key, message, signature)
    }
}

/// The provider built on the `p384` crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct PureRust;

impl SignatureVerifier for PureRust {
    fn verify(
        &self,
        public_key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), NotSigned> {
        let key = VerifyingKey::from_sec1_bytes(public_key.as_bytes()).map_err(|_| NotSigned)?;
        let signature =
            p384::ecdsa::Signature::from_slice(signature.as_bytes()).map_err(|_| NotSigned)?;
        key.verify(message, &signature).map_err(|_| NotSigned)
    }
}
