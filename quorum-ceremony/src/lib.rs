//! The operator's side of a ceremony: from strangers with keys to a provisioned enclave.
//!
//! A ceremony is one shared folder, which anyone may write into, and one private folder a member.
//! Objects travel as files, in any order; [`workspace`] is the shared folder, [`private`] the
//! private one, [`client`] the enclave's port at an [`address`]. Each command is one file in [`steps`]:
//!
//! `join` → `define` → `consent` → `genesis` → `receipt` → `manifest` → `approve` → `boot` →
//! `attest` → `provision` → `evidence`, and `status` at any time; from one instance to the next,
//! `forward_approve` → `forward`.
//!
//! Guarantees, under a private folder and a machine that are the member's own:
//!
//! * a member's signature or share leaves the process only after the step has verified what it
//!   rests on: consent the definition, a receipt the genesis attestation for the member's own
//!   nonce and their own share, an approval, of a manifest or of a forward, the chain from the
//!   pinned genesis, a share the setup attestation for the member's own nonce;
//! * nothing in the shared folder is believed because it is there: it is compared with [`pins`],
//!   and where it differs the step stops and says what that means;
//! * a step that needs the key is two calls: the first verifies and shows, the second takes the
//!   passphrase and signs. No other order compiles.
//!
//! Does not: decide who the members are, or whether an application should be trusted. That is what
//! the people are for.

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

pub mod address;
pub mod binary;
pub mod challenge;
pub mod client;
pub mod clock;
pub mod diff;
pub mod error;
mod format;
pub mod hardening;
pub mod inputs;
pub mod keyfile;
pub mod keys;
pub mod pins;
pub mod place;
pub mod plan;
pub mod private;
pub mod random;
pub mod rekey;
pub mod steps;
pub mod storage;
pub mod token;
pub mod transcript;
pub mod upload;
pub mod workspace;

pub use error::{Blame, CeremonyError, Explanation, StepError};

// So that tests inside and outside of this crate stand on the same enclaves.
#[cfg(test)]
extern crate self as quorate_quorum_ceremony;

#[cfg(test)]
#[path = "../tests/ceremony/place.rs"]
#[allow(dead_code, reason = "the tests outside use all of it")]
mod enclaves;
#[cfg(test)]
mod fixture;
