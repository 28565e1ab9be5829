//! What policy, key-generation and signing share: tickets, and what a transaction does.
//!
//! An [`Issuer`] gives out tickets, each for one operation and one start of one redeemer. A
//! [`Redeemer`] takes each of them once and gives a [`Leave`] for it; there is no other way to get
//! one, so code that acts on a `Leave` acts with a ticket. [`facts()`] reads a transaction; policy
//! and signing call it each for itself, on the bytes.
//!
//! Trusts: init, that what came over a call edge is of the application the edge names.
//!
//! Does not: keep anything over a restart. A ticket names the start of its redeemer, so one that was
//! redeemed before a restart is for another start after it.

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

mod issuer;
mod redeemer;
mod transaction;

use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::Name;
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::VerificationKey;

pub use issuer::{Issuer, TICKET_LIFE};
pub use redeemer::{Leave, Redeemer};
pub use transaction::{Read, account_address, facts, refusal};

/// A start of an application in an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The application.
    pub name: Name,
    /// Which start.
    pub start: u64,
}

impl Start {
    /// A start of an application.
    pub fn new(name: &Name, start: u64) -> Self {
        let name = name.clone();
        Self { name, start }
    }
}

/// Who one is: the instance, and one's own start in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The instance: its live key.
    pub instance: VerificationKey,
    /// Oneself.
    pub start: Start,
}

/// Makes a proof of this kind with this payload; `None` if the signer failed.
pub type Prove<'a> = dyn Fn(&str, Vec<u8>) -> Option<Signed<ApplicationProof>> + Send + Sync + 'a;
