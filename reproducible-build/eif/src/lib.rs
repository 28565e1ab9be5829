//! Enclave image files (EIF, version 4) and the cpio archives in their ramdisks.
//!
//! * [`Eif`] is a whole image in memory, read with [`Eif::parse`] or put together from [`Parts`].
//! * [`Scan`] reads an image of any size as a stream: its sections, its claims and its measurements.
//! * [`Measurements`] are the registers a Nitro hypervisor fills from it: PCR0, 1, 2 and 8.
//! * [`signature`] is the section behind PCR8, [`cpio`] the archive format of ramdisks.
//!
//! Guarantees: the writer's bytes depend on its arguments alone; the reader accepts exactly what the
//! writer can write, in AWS's order or another that measures the same, so what was read encodes to
//! the bytes that were read; every size and count has a bound that is checked before memory is
//! taken; a refusal names the rule, the section and what to do.
//!
//! Trusts: nothing it reads. Does not: open files, check signatures, or judge what is in a ramdisk.
//!
//! What is measured is the content of kernel, command line and ramdisks, one after another. No
//! length, no order of other sections, no flag and no metadata is in any register: everything else
//! in a file is a claim of whoever made it.

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

pub mod cpio;
mod error;
mod header;
mod image;
mod measure;
mod scan;
pub mod signature;

pub use error::{EifError, Field};
pub use header::{Architecture, MAX_IMAGE, MAX_SECTIONS, SectionKind, VERSION};
pub use image::{Eif, Parts, Section};
pub use measure::{Measurements, PcrValue};
pub use scan::{Scan, SectionFacts};
