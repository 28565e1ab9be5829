//! P-384 verification by AWS-LC (C and assembly): four to five times as fast as in pure Rust.
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

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use quorate_verify::attestation::{NotSigned, PublicKey, Signature, SignatureVerifier};

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
