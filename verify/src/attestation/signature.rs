//! ECDSA over P-384 with SHA-384, behind one trait.
//!
//! There is one provider today, in pure Rust. The trait is private: an outsider's provider could
//! say yes to everything, and then an `Attested` would prove nothing.
//!
//! Both halves of the curve's range are accepted for *s*. Most genuine documents have a high one.

use p384::ecdsa::signature::Verifier;
use p384::ecdsa::{Signature, VerifyingKey};

use super::cose::SIGNATURE_BYTES;

/// Length of an uncompressed P-384 point (SEC1), in bytes.
pub(super) const PUBLIC_KEY_BYTES: usize = 97;

/// *r* and *s*, each 48 bytes, big-endian.
pub(super) type RawSignature = [u8; SIGNATURE_BYTES];

/// The signature is not that of the key over the message, or the key is no point of the curve.
#[derive(Debug)]
pub(super) struct NotSigned;

/// Checks one ES384 signature.
pub(super) trait SignatureVerifier {
    /// `public_key` is an uncompressed SEC1 point; `message` is not yet hashed.
    fn verify(
        &self,
        public_key: &[u8; PUBLIC_KEY_BYTES],
        message: &[u8],
        signature: &RawSignature,
    ) -> Result<(), NotSigned>;
}

/// The provider built on the `p384` crate.
pub(super) struct PureRust;

impl SignatureVerifier for PureRust {
    fn verify(
        &self,
        public_key: &[u8; PUBLIC_KEY_BYTES],
        message: &[u8],
        signature: &RawSignature,
    ) -> Result<(), NotSigned> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| NotSigned)?;
        let signature = Signature::from_slice(signature).map_err(|_| NotSigned)?;
        key.verify(message, &signature).map_err(|_| NotSigned)
    }
}
