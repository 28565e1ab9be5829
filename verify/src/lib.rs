//! Third-party verification: what an outsider can learn from bytes alone.
//!
//! Everything here is a function of its arguments. The crate reads no file, no socket and no
//! clock, and trusts no root but those it is given. The same code runs in the operator's tool, in
//! a stranger's terminal and inside the enclave that checks another enclave before it forwards a
//! key.
//!
//! * [`attestation`] verifies AWS Nitro attestation documents.
//! * [`genesis`] verifies how a namespace came to be.
//! * [`chain`] verifies who approved what may run.
//! * [`evidence`] verifies all of it from one file and reports every check.
//! * [`explain`] says it for people.
//! * [`forward`] verifies that the key was forwarded to an instance as its manifests allow.
//! * [`rebuilds`] decides whether enough independent people built the same image.
//! * [`drill`] verifies that members rehearsed, and proved to hold their shares.
//! * [`reshare`] verifies that the key was shared anew, on whose order, and that the shares are held.
//! * [`surrogate`] verifies that somebody may act for a member, and until when.
//! * [`instance`] verifies that an enclave is one of a namespace, and which keys it has.

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

pub mod attestation;
pub mod chain;
pub mod drill;
pub mod evidence;
pub mod explain;
pub mod forward;
pub mod genesis;
pub mod instance;
pub mod rebuilds;
pub mod reshare;
pub mod surrogate;
mod text;
