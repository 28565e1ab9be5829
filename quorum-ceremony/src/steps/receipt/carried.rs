//! `receipt --carried`: a member whose machine has no network verifies the genesis by files.
//!
//! The nonce goes out as a file and the attestation comes back as one; what is verified and signed is
//! the code of [`review`](super::review).

use std::path::Path;

use quorate_protocol::digest::Digest;
use quorate_protocol::message::Stage;
use quorate_protocol::transcript::Act;

use super::{Prepared, Review};
use crate::clock::SharedClock;
use crate::error::CeremonyError;
use crate::steps::carried::{Answer, Asking, answer};
use crate::transcript::refused;

/// What a member can do now.
#[derive(Debug)]
pub enum Found {
    /// Ask for the attestation, or wait for it.
    Ask(Box<Asking>),
    /// Sign: the attestation was brought and holds.
    Attested(Box<Review>),
}

/// Looks at what the folders hold. Writes nothing. `anew` gives up a nonce that waits.
///
/// # Errors
/// As [`review`](super::review); [`CarriedError`](crate::steps::carried::CarriedError).
pub fn find(
    folder: &Path,
    private: &Path,
    clock: &SharedClock,
    anew: bool,
) -> Result<Found, CeremonyError> {
    look(folder, private, clock, anew).map_err(|error| refused(private, Act::Receipt, error))
}

fn look(
    folder: &Path,
    private: &Path,
    clock: &SharedClock,
    anew: bool,
) -> Result<Found, CeremonyError> {
    let prepared = Prepared::read(folder, private)?;
    let limit = prepared.definition.age_limit;
    let wanted = (Stage::Genesis, Digest::of(&prepared.genesis));
    let (workspace, member) = (&prepared.workspace, &prepared.member);
    match answer(workspace, member, wanted, limit, clock, anew)? {
        Answer::Brought(challenge, document, round) => prepared
            .verify(&challenge, &document, Some(round))
            .map(|review| Found::Attested(Box::new(review))),
        Answer::Ask(next) => Ok(Found::Ask(Box::new(Asking {
            workspace: prepared.workspace,
            member: prepared.member,
            next,
            limit,
            clock: clock.clone(),
        }))),
    }
}
