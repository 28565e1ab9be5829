//! From `images/` to an enclave image: the same bytes on any machine, and the proof.
//!
//! * [`recipe`] is what a person decides, [`lock`] what it stands for, byte for byte.
//! * [`store`], [`fetch`], [`mirror`], [`travel`] bring every input here by digest.
//! * [`sandbox`] gives a build step a world of its own; `root`, `kernel` and `rust` are the steps.
//! * [`packages`] is a program of Debian's to be used as it is.
//! * [`image`] puts the results together and compares them with the lock.
//!
//! Guarantees: nothing enters a build that the lock does not name by digest; no step has a network;
//! a stage that was built before is used again only if every input and the output have the digests
//! they had. A failure says whose fault it is and what to do ([`Error`]).
//!
//! Trusts: the machine it runs on. Whoever doubts it builds on another one: the measurements must
//! be the same.
//!
//! Does not: vouch for Debian's packages, the compiler or the sources beyond naming them.

pub mod checkout;
mod config;
mod crates;
mod deb;
pub mod digest;
mod error;
pub mod fetch;
pub mod image;
pub mod lock;
pub mod mirror;
pub mod packages;
pub mod progress;
pub mod recipe;
pub mod resolve;
mod root;
pub mod sandbox;
pub mod sources;
pub mod stage;
pub mod store;
#[expect(unsafe_code, reason = "starting a process, in one place")]
mod sys;
pub mod travel;
mod tree;

pub use error::{Blame, Cause, Error, Refusal};
