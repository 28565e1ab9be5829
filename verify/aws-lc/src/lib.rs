//! P-384 and P-256 verification by AWS-LC (C and assembly): four times as fast as in pure Rust.
//!
//! A package of its own, and not a feature of `quorate-verify`: features of one package are united
//! over a whole build, and then C could come into an enclave because something outside wanted it.
//! Who wants this provider depends on this package; nothing on the enclave side does, and
//! `budgets.toml` holds it to that.
//!
//! Guarantees: the same answers as the pure-Rust provider, for any key, message and signature. The
//! tests put both beside each other.
//!
//! Trusts: AWS-LC, its bindings and a C compiler.

#![forbid(unsafe_code)]

mod es256;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use quorate_protocol::es256::NotInstalled;
use quorate_verify::attestation::{self, NotSigned, PublicKey, Signature, SignatureVerifier};

pub use self::es256::{Es256, MOST};

/// Has this process verify with AWS-LC from now on: attestation documents, and every signed object of
/// the contract.
///
/// # Errors
/// [`NotInstalled`] if it answers wrongly when it is tried, or something is installed already; then
/// signed objects are verified as before.
pub fn install() -> Result<(), NotInstalled> {
    attestation::install(&AwsLc);
    quorate_protocol::es256::install(&Es256)
}

/// The provider built on AWS-LC.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl SignatureVerifier for AwsLc {
    fn verify(
        &self,
        public_key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), NotSigned> {
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, public_key.as_bytes())
            .verify(message, signature.as_bytes())
            .map_err(|_| NotSigned)
    }
}
