//! The contract every part of Quorate shares.
//!
//! Guarantees: an object that was decoded is canonical, within its size, and keeps its rules
//! ([`cbor`]); a signature covers the object's label, so it is never taken for another object's
//! ([`cose`]); a digest is typed by what it names ([`digest`]).
//!
//! Trusts: nothing it is given. Everything outside an enclave is hostile, the host first.
//!
//! Does not: decide anything. Who may sign what, and what follows, is in `verify` (for readers) and
//! `init` (for the enclave). No I/O, no clock, no randomness of its own.
//!
//! `protocol/quorate.cddl` is the same contract in CDDL; frozen vectors for other languages are in
//! `protocol/testdata/`.

#![no_std]
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

extern crate alloc;

pub mod activity;
pub mod application;
pub mod atoms;
pub mod attested;
pub mod call;
pub mod card;
pub mod carried;
pub mod cbor;
pub mod control;
pub mod cose;
pub mod definition;
pub mod digest;
pub mod drill;
pub mod egress;
pub mod es256;
pub mod evidence;
pub mod exception;
mod explain;
mod fault;
pub mod forward;
pub mod frame;
pub mod genesis;
pub mod instance;
pub mod invalid;
pub mod keys;
pub mod manifest;
pub mod members;
pub mod message;
pub mod organization;
pub mod ports;
pub mod provision;
pub mod rebuild;
mod refusal;
pub mod reshare;
pub mod statement;
pub mod stored;
pub mod surrogate;
pub mod ticket;
pub mod token;
pub mod transcript;
pub mod wallet;

/// Format number of definitions, manifests, evidence and launch records.
pub const FORMAT: u8 = 5;
