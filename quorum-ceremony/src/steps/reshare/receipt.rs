//! `reshare receipt`: a new member checks their new share and signs that they hold it.
//!
//! No enclave is needed: order, consents, record and certificate are verified against the member's
//! pinned genesis, and only an instance of that namespace can have signed them. The share is opened,
//! checked against the new commitments, kept and pinned before the receipt is signed. It counts for
//! nothing until a manifest that names its epoch is approved; older shares count until then.

use std::path::Path;

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::genesis::Possession;
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::reshare::{Reshare, ReshareReceipt};
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::reshare::{VerifiedReshare, check_receipt, verify_reshare};

use super::ordered_under;
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::pins::SharePin;
use crate::private::NewShare;
use crate::steps::Member;
use crate::steps::attest::{decide as approved, genesis_and_links};
use crate::steps::held::Held;
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused};
use crate::workspace::{Workspace, reshare_receipt_file};

/// A resharing in which this member has a share, and which was verified for them.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    number: u64,
    running: Manifest,
    reshare: Reshare,
    verified: VerifiedReshare,
    index: ShareIndex,
    people: Vec<(Name, VerificationKey)>,
}

/// A new share that was checked, kept and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The number of the order in the folder.
    pub number: u64,
    /// What was verified.
    pub verified: VerifiedReshare,
    /// The member's index.
    pub index: ShareIndex,
    /// How many new shares open the key.
    pub threshold: u8,
    /// Whether the receipt was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Verifies a resharing against the member's pins. `number` chooses the order; without it, the newest.
///
/// # Errors
/// [`StepError::NotReceived`]; a record or chain that contradicts the pins;
/// [`StepError::OrderMissing`], [`StepError::ReshareMissing`], [`StepError::NoShare`]; what the
/// resharing breaks.
pub fn review(folder: &Path, private: &Path, number: Option<u64>) -> Result<Review, CeremonyError> {
    look(folder, private, number).map_err(|error| refused(private, Act::Reshare, error))
}

fn look(folder: &Path, private: &Path, number: Option<u64>) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = approved(&member.pins, &genesis, &links)?;
    let (number, _) = workspace.order(number)?;
    let reshare = workspace.reshare(number)?;
    let running = ordered_under(&links.links, &chain, &reshare.order)?;
    let verified = verify_reshare(&genesis, running, &reshare)?;
    let name = member.pins.name().clone();
    let person = reshare.order.share_set.named(&name);
    let person = person.ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    let public = member.keys.public();
    if person.signing_key != public.signing || person.encryption_key != public.encryption {
        return Err(StepError::KeysDiffer { name }.into());
    }
    let index = person.index;
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    let mut people = everybody(&workspace, &genesis, known)?;
    for person in &reshare.order.share_set.members {
        let author = (person.name.clone(), person.signing_key);
        if !people.contains(&author) {
            people.push(author);
        }
    }
    Ok(Review {
        running: running.clone(),
        people,
        workspace,
        member,
        genesis,
        number,
        reshare,
        verified,
        index,
    })
}

impl Review {
    /// The number of the order in the folder.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The manifest under which it was ordered.
    #[must_use]
    pub const fn running(&self) -> &Manifest {
        &self.running
    }

    /// What the enclave made.
    #[must_use]
    pub const fn reshare(&self) -> &Reshare {
        &self.reshare
    }

    /// What was verified of it.
    #[must_use]
    pub const fn verified(&self) -> &VerifiedReshare {
        &self.verified
    }

    /// The member's index in the new set.
    #[must_use]
    pub const fn index(&self) -> ShareIndex {
        self.index
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Checks the share, keeps and pins it, and signs and publishes the receipt.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::ShareUnreadable`], [`StepError::ShareWrong`].
    pub fn acknowledge(self, unlock: impl Into<Unlock>) -> Result<Received, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.sign(unlock.into())
            .map_err(|error| refused(&private, Act::Reshare, error))
    }

    fn sign(mut self, unlock: Unlock) -> Result<Received, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        let record = self.reshare.record.unverified();
        let (index, epoch) = (self.index, self.verified.epoch);
        let sealed = record.shares.iter().find(|share| share.index == index);
        let set = &self.reshare.order.share_set;
        let kept = NewShare {
            order: self.verified.order,
            commitments: record.commitments.clone(),
            members: u8::try_from(set.members.len()).unwrap_or(u8::MAX),
            share: sealed
                .cloned()
                .ok_or(StepError::ShareUnreadable { index })?,
        };
        let share = Held::of_reshare(kept.clone()).open(&keys)?;
        let drill = Held::drill_of_reshare(&self.verified.order, &record.drill, index);
        drop(
            drill
                .ok_or(StepError::ShareUnreadable { index })?
                .open(&keys)?,
        );
        self.member.private.store_new_share(&kept)?;
        let pin = SharePin {
            index: Index(index),
            epoch,
        };
        self.member.pins.pin_new_share(pin)?;
        self.member.private.store_pins(&self.member.pins)?;

        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let name = keys.name();
        let known = self.workspace.find_reshare_receipt(self.number, name);
        let published = match known {
            Ok(Some(known))
                if check_receipt(&self.reshare, &known).is_ok_and(|by| by.name == *name) =>
            {
                if !journal.tells(&keys, Act::Reshare, &object(known.digest()))? {
                    let said = content(&known);
                    add(&self.member.private, &said, Effect::None)?;
                }
                Published::AlreadyThere
            }
            Ok(None) => {
                let possession = Possession {
                    genesis: record.genesis,
                    epoch,
                    index,
                };
                let receipt = ReshareReceipt {
                    genesis: record.genesis,
                    record: self.verified.record,
                    epoch,
                    index,
                    time: wall_clock(),
                    possession: Signed::sign(possession, &share.signing_key()),
                };
                let receipt = keys.sign(receipt)?;
                let file = reshare_receipt_file(self.number, name);
                let effect = Effect::published(&file, &to_bytes(&receipt))?;
                add(&self.member.private, &content(&receipt), effect)?;
                self.workspace
                    .publish_reshare_receipt(self.number, name, &receipt)?
            }
            Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                let (name, role) = (name.clone(), None);
                return Err(StepError::SignedWrong { name, role }.into());
            }
            Err(error) => return Err(error),
        };
        drop(share);
        journal.settle(&keys)?;
        Ok(Received {
            number: self.number,
            verified: self.verified,
            index,
            threshold: set.threshold,
            published,
            development: self.genesis.definition().attestation_root.is_development(),
        })
    }
}

/// What the record of a receipt says.
fn content(receipt: &Signed<ReshareReceipt>) -> Content {
    let claim = receipt.unverified();
    Content {
        act: Act::Reshare,
        facts: vec![
            object(claim.record),
            object(receipt.digest()),
            Fact::Share(Index(claim.index), claim.epoch),
        ],
    }
}
