//! The front door: authenticates requests, decides, and issues tickets.
//!
//! A submission is a request exactly as an HTTP client made it, with the state it is about. Policy
//! verifies that state ([`organizations`]), the stamp over the very bytes, and the time; looks
//! whether it did the same before ([`memory`]); reads what is asked for, decides ([`decide()`]), and
//! calls key-generation or signing with a ticket for exactly that operation.
//!
//! Guarantees: nothing is asked of another application before stamp, time and decision are good;
//! what was decided, for or against, is proved by a statement of kind `decision`; a request that was
//! decided is not acted on again as long as it could be accepted.
//!
//! Trusts: the NSM's time as it is given; init, that a call edge leads to whom it names. Whoever
//! controls this application controls what is signed.
//!
//! Does not: keep organizations or wallets (callers do), or remember anything over a restart.

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

mod decide;
pub mod memory;
pub mod organizations;
mod read;
mod submit;

use p256::ecdsa::SigningKey;
use quorate_es256::VerifyingKey;
use quorate_operation::{Issuer, Prove, Start};
use quorate_protocol::activity::{AppReason, AppRefusal, PolicyRequest, PolicyResponse};
use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::organization::{Founding, Organization};

pub use decide::decide;
use memory::Memory;
use organizations::Organizations;

/// The port policy listens on unless its first argument names another.
pub const PORT: u32 = 5100;
/// Results that are remembered, at most: about 300 MiB when all are transactions.
pub const REMEMBERS: usize = 128 * 1024;

/// Which application performs an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performer {
    /// Makes wallets.
    KeyGeneration,
    /// Signs transactions.
    Signing,
}

/// There is no answer: the application is being started again, or takes too long. What it was asked
/// may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// The call edges.
pub trait Calls: Send + Sync {
    /// Calls; `make` gives the message for the start that is at the other end, and runs when it is
    /// this call's turn.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn call(
        &self,
        performer: Performer,
        make: &mut dyn FnMut(&Start) -> Vec<u8>,
    ) -> Result<Vec<u8>, Unanswered>;
}

/// One start of the application. `K` verifies stamps.
pub struct Policy<K, C> {
    genesis: Digest<Genesis>,
    /// Signs organizations; of the ring, so the same in every instance.
    key: SigningKey,
    issuer: Issuer,
    organizations: Organizations<K>,
    memory: Memory,
    calls: C,
}

impl<K: VerifyingKey + Send + Sync, C: Calls> Policy<K, C> {
    /// A policy that has seen nothing; `remembers` is how many results it keeps.
    pub fn new(
        genesis: Digest<Genesis>,
        key: SigningKey,
        issuer: Issuer,
        remembers: usize,
        calls: C,
    ) -> Self {
        let organizations = Organizations::new(genesis, &key);
        Self {
            genesis,
            key,
            issuer,
            organizations,
            memory: Memory::new(remembers),
            calls,
        }
    }

    /// Answers one message.
    pub fn answer(&self, message: &[u8], now: UnixMillis, prove: &Prove<'_>) -> Vec<u8> {
        let answer = match from_bytes::<PolicyRequest>(message) {
            Err(error) => Err(AppRefusal::new(AppReason::Malformed, &error.to_string())),
            Ok(PolicyRequest::Found(founding)) => self.found(&founding),
            Ok(PolicyRequest::Submit(submission)) => {
                return self
                    .submit(*submission, now, prove)
                    .unwrap_or_else(|refusal| to_bytes(&PolicyResponse::Refused(refusal)));
            }
        };
        to_bytes(&answer.unwrap_or_else(PolicyResponse::Refused))
    }

    /// Signs an organization, if its owner asks for it. The same founding gives the same one.
    fn found(&self, founding: &Signed<Founding>) -> Result<PolicyResponse, AppRefusal> {
        let owner = founding.unverified().owner;
        let founding = founding.verify(&owner);
        let founding = founding.map_err(|_| AppReason::FoundingSignature)?;
        if founding.genesis != self.genesis {
            return Err(AppReason::FoundingForAnother.into());
        }
        let founding = founding.clone();
        let organization = Signed::sign(Organization { founding }, &self.key);
        Ok(PolicyResponse::Founded(Box::new(organization)))
    }
}
