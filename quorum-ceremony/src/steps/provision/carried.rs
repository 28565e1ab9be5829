//! `provision --carried`: a member whose machine has no network gives their share by files.
//!
//! Four files, in turn: nonce, attestation, grant, receipt. Each run of [`find`] takes the member as
//! far as the files go. The attestation is verified, the grant made and the receipt believed by the
//! code that does it over a socket.
//!
//! Guarantees: a grant is kept in the private folder before it is in the shared one, and ends its
//! nonce, so no attestation is ever used for two. What is in the shared folder is nonces, signatures
//! and what only the attested enclave can open.

use std::path::{Path, PathBuf};

use quorate_protocol::carried::CarriedGrant;
use quorate_protocol::digest::Digest;
use quorate_protocol::message::Stage;
use quorate_protocol::provision::ShareGrant;
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::genesis::VerifiedGenesis;

use super::{Given, Prepared, Verified};
use crate::clock::SharedClock;
use crate::error::CeremonyError;
use crate::keys::Unlock;
use crate::pins::PinError;
use crate::private::carried::{Round, Stand};
use crate::steps::Member;
use crate::steps::carried::{Answer, Asking, answer, path_of};
use crate::transcript::{Content, Effect, add, object, refused, waiting};
use crate::workspace::Workspace;
use crate::workspace::carried::{Carried, carried_file};

/// What a member can do now.
#[derive(Debug)]
pub enum Found {
    /// Ask for the attestation, or wait for it.
    Ask(Box<Asking>),
    /// Decide: the attestation was brought and holds.
    Attested(Box<Verified<Carrier>>),
    /// Wait for the receipt: the grant was made.
    Granted(Box<Granted>),
    /// Keep the receipt: it was brought and holds.
    Acknowledged(Box<Acknowledged>),
}

/// The way of files to an instance: the round they belong to.
#[derive(Debug)]
pub struct Carrier(Round);

/// A grant that waits for its receipt.
#[derive(Debug)]
pub struct Granted {
    workspace: Workspace,
    member: Member,
    number: u16,
    carried: CarriedGrant,
    development: bool,
}

/// A receipt that was brought and holds.
#[derive(Debug)]
pub struct Acknowledged {
    member: Member,
    round: Round,
    given: Given,
    development: bool,
}

/// A grant on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnItsWay {
    /// Which round of this member it is.
    pub number: u16,
    /// The file to be brought to the coordinator.
    pub file: PathBuf,
    /// Where the receipt has to be.
    pub answer: PathBuf,
    /// The grant.
    pub grant: Digest<ShareGrant>,
    /// Whether it all rests on a development root.
    pub development: bool,
}

/// Looks at what the folders hold. Writes nothing. `anew` gives up what waits, a grant included: what
/// was carried of it cannot be taken back.
///
/// # Errors
/// As [`attest`](super::attest); [`CarriedError`](crate::steps::carried::CarriedError);
/// [`StepError::ReceiptWrong`](crate::error::StepError::ReceiptWrong).
pub fn find(
    folder: &Path,
    private: &Path,
    clock: &SharedClock,
    anew: bool,
) -> Result<Found, CeremonyError> {
    look(folder, private, clock, anew).map_err(|error| refused(private, Act::Provision, error))
}

fn look(
    folder: &Path,
    private: &Path,
    clock: &SharedClock,
    anew: bool,
) -> Result<Found, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    if let Some(round) = member.private.find_round()?.filter(|_| !anew)
        && let Stand::Granted(carried, threshold) = round.stand.clone()
    {
        return granted(workspace, member, round, *carried, threshold);
    }
    let prepared = Prepared::of(workspace, member)?;
    let limit = prepared.genesis.definition().age_limit;
    let wanted = (Stage::Setup, prepared.genesis.digest());
    let (workspace, member) = (&prepared.workspace, &prepared.member);
    match answer(workspace, member, wanted, limit, clock, anew)? {
        Answer::Brought(challenge, document, round) => prepared
            .verify(&challenge, &document, Carrier(round))
            .map(|verified| Found::Attested(Box::new(verified))),
        Answer::Ask(next) => Ok(Found::Ask(Box::new(Asking {
            workspace: prepared.workspace,
            member: prepared.member,
            next,
            limit,
            clock: clock.clone(),
        }))),
    }
}

/// What became of a grant.
fn granted(
    workspace: Workspace,
    member: Member,
    round: Round,
    carried: CarriedGrant,
    threshold: u8,
) -> Result<Found, CeremonyError> {
    let genesis = member.verified_genesis(&workspace)?;
    let granted = carried.grant.unverified().genesis;
    if granted != genesis.digest() {
        let (pinned, found) = (genesis.digest(), granted);
        return Err(PinError::SecondGenesis { pinned, found }.into());
    }
    let name = member.pins.name();
    match workspace.find_carried_receipt(name, round.number)? {
        Some(receipt) => Ok(Found::Acknowledged(Box::new(Acknowledged {
            given: Given::checked(carried.grant, receipt, threshold)?,
            development: is_development(&genesis),
            member,
            round,
        }))),
        None => Ok(Found::Granted(Box::new(Granted {
            number: round.number,
            workspace,
            member,
            carried,
            development: is_development(&genesis),
        }))),
    }
}

fn is_development(genesis: &VerifiedGenesis) -> bool {
    genesis.definition().attestation_root.is_development()
}

impl Verified<Carrier> {
    /// Seals the share to the verified instance, keeps the grant and writes it into the shared folder.
    ///
    /// # Errors
    /// [`StepError::ReviewTooOld`](crate::error::StepError::ReviewTooOld); a wrong passphrase or PIN; a
    /// share that does not belong to the commitments; another file in the grant's place.
    pub fn seal(self, unlock: impl Into<Unlock>) -> Result<OnItsWay, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.make(unlock.into())
            .map_err(|error| refused(&private, Act::Provision, error))
    }

    fn make(mut self, unlock: Unlock) -> Result<OnItsWay, CeremonyError> {
        let (_keys, grant, sealed) = self.decide(unlock)?;
        self.note(&grant)?;
        let carried = CarriedGrant {
            format: quorate_protocol::FORMAT,
            nonce: self.via.0.digest(),
            grant,
            sealed,
        };
        let threshold = self.chain.manifest().share_set.threshold;
        let round = Round {
            stand: Stand::Granted(Box::new(carried.clone()), threshold),
            ..self.via.0
        };
        self.member.private.store_round(&round)?;
        let granted = Granted {
            development: is_development(&self.genesis),
            number: round.number,
            workspace: self.workspace,
            member: self.member,
            carried,
        };
        granted.bring()
    }
}

impl Granted {
    /// Writes the grant into the shared folder, where it is not there.
    ///
    /// # Errors
    /// Another file in its place.
    pub fn bring(&self) -> Result<OnItsWay, CeremonyError> {
        let name = self.member.pins.name();
        self.workspace
            .publish_carried_grant(name, self.number, &self.carried)?;
        Ok(self.on_its_way())
    }

    /// Where the grant is, and its receipt will be.
    #[must_use]
    pub fn on_its_way(&self) -> OnItsWay {
        let name = self.member.pins.name();
        let place = |what| path_of(&self.workspace, &carried_file(name, self.number, what));
        OnItsWay {
            number: self.number,
            file: place(Carried::Grant),
            answer: place(Carried::Receipt),
            grant: self.carried.grant.digest(),
            development: self.development,
        }
    }
}

impl Acknowledged {
    /// What was acknowledged.
    #[must_use]
    pub const fn given(&self) -> &Given {
        &self.given
    }

    /// Whether it all rests on a development root.
    #[must_use]
    pub const fn development(&self) -> bool {
        self.development
    }

    /// Keeps grant and receipt, and ends the round. No key is needed: the note is signed with the
    /// member's next step.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(self) -> Result<Given, CeremonyError> {
        let private = &self.member.private;
        private.store_provision(&self.given.provision)?;
        let (grant, receipt) = (&self.given.provision.grant, &self.given.provision.receipt);
        let waits = waiting(private)?
            .0
            .iter()
            .any(|note| note.effect == Effect::Sent(grant.digest()));
        if !waits {
            // That it was sent was signed before the receipt came.
            let content = Content {
                act: Act::Provision,
                facts: vec![
                    object(grant.digest()),
                    object(receipt.digest()),
                    Fact::Count(self.given.accepted, self.given.threshold),
                ],
            };
            add(private, &content, Effect::None)?;
        }
        private.store_round(&Round {
            stand: Stand::Over,
            ..self.round
        })?;
        Ok(self.given)
    }
}

#[cfg(test)]
mod tests;
