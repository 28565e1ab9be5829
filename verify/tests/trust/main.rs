//! Genesis records, chains, instances and evidence: what is accepted, and one defect at a time.
//!
//! Everything is made by `world`, with keys that follow from names. Documents come from the tests'
//! own security module in `tests/common`. Each part is right but for the one that a test names,
//! and is signed again after it was changed, unless the signature is the defect.

#[path = "../common/mod.rs"]
mod common;

mod chain;
mod drill;
mod evidence;
mod exception;
mod explain;
mod flips;
mod forward;
mod genesis;
mod instance;
mod reshare;
mod statements;
mod surrogate;
mod world;
