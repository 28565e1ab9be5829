//! Where an image comes from, in the formats other people's tools read.
//!
//! * [`statement`] is an in-toto Statement (v1) with SLSA provenance (v1): the image, the source, and
//!   every input of the lock as a resolved dependency.
//! * [`bill`] is a CycloneDX (1.6) bill of materials: what is in the image, and what made it.
//!
//! Guarantees: both are functions of source, lock and image alone, without a time or a random
//! number, so two rebuilders write the same bytes; every input the lock names is in both, with its
//! digest; [`Origin::new`] refuses an image or sources that are not those the lock names.
//!
//! Trusts: the caller about the commit. Does not: sign anything, or make the documents evidence of
//! anything by itself. Who believes a measurement should ask how many rebuilders signed it
//! (`quorate image attest`).

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

mod bill;
mod origin;
mod purl;
mod slsa;

pub use bill::bill;
pub use origin::{Origin, OriginError, Patch};
pub use slsa::statement;
