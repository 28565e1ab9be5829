//! Signing of enclave images: PCR0 signed offline, and the signature checked.
//!
//! * [`certificate`] is the signer's certificate, [`key`] a private key from a file, [`token`] one in
//!   a PKCS#11 token.
//! * [`sign`] makes the signature section of an image from PCR0 alone, so the key never has to be
//!   where images are built.
//! * [`Signer`] also signs statements of Quorate's own contract, for rebuilders.
//! * [`check`] is what everybody else does with it.
//!
//! Guarantees: nothing is returned but a signature that was checked with the certificate's own key,
//! over the PCR0 that was given, at a time the certificate is valid; every doubt is an error, so an
//! unsigned image never results from a failed signing. Private keys are erased when dropped.
//!
//! Trusts: the clock it is given. Does not: walk certificate chains, read revocation lists, or say
//! whom to trust. A hypervisor does not either: PCR8 names the certificate, and who reads PCR8 decides.

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

pub mod certificate;
mod check;
pub mod key;
mod public;
mod sign;
mod statement;
pub mod token;

pub use check::{CheckError, Checked, check};
pub use sign::{SignError, Signer, sign};
pub use statement::StatementError;
