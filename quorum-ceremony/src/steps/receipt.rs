//! `receipt`: a member verifies how the key was born, checks their share and signs that they hold
//! it.
//!
//! The attestation is one for the member's own nonce, under the definition they pinned. Whoever
//! only approves manifests holds no share; they verify and pin, and sign nothing.

pub mod carried;

use std::path::Path;

use quorate_protocol::atoms::{Name, ShareIndex, UnixMillis};
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{
    Document, Epoch, Genesis, GenesisOutput, GenesisReceipt, MemberShare, Possession,
};
use quorate_protocol::instance::Index;
use quorate_protocol::message::Stage;
use quorate_protocol::transcript::{Act, Fact};
use quorate_sharing::Share;
use quorate_verify::attestation::{Freshness, TrustAnchors};
use quorate_verify::genesis::{GenesisError, VerifiedGenesis, check_output};
use quorate_verify::instance::{DocumentFacts, verify_genesis_document};

use super::Member;
use super::held::Held;
use crate::address::Address;
use crate::challenge::{Challenge, wall_clock};
use crate::client::Client;
use crate::error::{CeremonyError, StepError};
use crate::inputs::InputError;
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{Pins, SharePin};
use crate::private::carried::{Round, Stand};
use crate::storage::Published;
use crate::transcript::{Content, Effect, Journal, Looked, add, object, people, refused};
use crate::workspace::Workspace;

/// A genesis that has been verified for this member, and is not yet acknowledged.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    definition: Definition,
    output: GenesisOutput,
    genesis: Genesis,
    facts: DocumentFacts,
    looked: Looked,
    /// The round of files that brought the attestation, if files did.
    round: Option<Round>,
}

/// A genesis that was acknowledged and pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The namespace, now pinned.
    pub genesis: Digest<Genesis>,
    /// The member's share; none for who only approves manifests.
    pub index: Option<ShareIndex>,
    /// Names the shares.
    pub epoch: Epoch,
    /// About the attestation.
    pub facts: DocumentFacts,
    /// Whether the receipt was there already; none if none is due.
    pub published: Option<Published>,
}

/// Verifies the genesis attestation for a fresh nonce under the pinned definition.
///
/// # Errors
/// [`StepError::NotConsented`]; another definition or genesis than the pinned one; an output that
/// does not belong to the definition; an attestation that does not hold.
pub fn review(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
) -> Result<Review, CeremonyError> {
    look(folder, private, socket).map_err(|error| refused(private, Act::Receipt, error))
}

fn look(
    folder: &Path,
    private: &Path,
    socket: impl Into<Address>,
) -> Result<Review, CeremonyError> {
    let prepared = Prepared::read(folder, private)?;
    let mut client = Client::connect(socket)?;
    let challenge = Challenge::draw()?;
    let nonce = challenge.nonce().map_err(InputError::from)?;
    let document = client.attest(Stage::Genesis, nonce)?;
    prepared.verify(&challenge, &document, None)
}

/// A member who may acknowledge a genesis, before its enclave was asked.
struct Prepared {
    workspace: Workspace,
    member: Member,
    definition: Definition,
    output: GenesisOutput,
    genesis: Genesis,
    anchors: TrustAnchors,
}

impl Prepared {
    fn read(folder: &Path, private: &Path) -> Result<Self, CeremonyError> {
        let workspace = Workspace::open(folder)?;
        let member = Member::open(private)?;
        let definition = workspace.definition()?;
        let output = workspace.output()?;
        let genesis = decide(&member.pins, &definition, &output)?;
        if let Some(index) = share_index(&definition, member.pins.name()) {
            check_active(&workspace, index)?;
        }
        let anchors = workspace.anchors(&definition)?;
        // What goes into the record must hold as well, or the record will not.
        verify_genesis_document(
            workspace.genesis_document()?.as_slice(),
            &definition,
            &genesis,
            &anchors,
            &Freshness::Archived { at_unix: None },
        )?;
        Ok(Self {
            workspace,
            member,
            definition,
            output,
            genesis,
            anchors,
        })
    }

    /// Verifies what the genesis enclave attested for this challenge.
    fn verify(
        self,
        challenge: &Challenge,
        document: &Document,
        round: Option<Round>,
    ) -> Result<Review, CeremonyError> {
        let Self {
            workspace,
            member,
            definition,
            output,
            genesis,
            anchors,
        } = self;
        let facts = verify_genesis_document(
            document.as_slice(),
            &definition,
            &genesis,
            &anchors,
            &challenge.freshness(definition.age_limit),
        )?;
        let measurements = &definition.measurements;
        let looked = Looked::new(challenge, &facts, measurements, &definition)?;
        Ok(Review {
            looked,
            workspace,
            member,
            definition,
            output,
            genesis,
            facts,
            round,
        })
    }
}

impl Review {
    /// What the key was born under.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The namespace.
    #[must_use]
    pub fn genesis(&self) -> Digest<Genesis> {
        Digest::of(&self.genesis)
    }

    /// When and for which nonce it was attested.
    #[must_use]
    pub const fn looked(&self) -> &Looked {
        &self.looked
    }

    /// About the attestation.
    #[must_use]
    pub const fn facts(&self) -> &DocumentFacts {
        &self.facts
    }

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Whether the member holds a share, so that a receipt is due.
    #[must_use]
    pub fn holds_share(&self) -> bool {
        self.definition
            .share_set
            .named(self.member.pins.name())
            .is_some()
    }

    /// Checks the share, keeps it, pins the genesis, and signs and publishes the receipt.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::ShareUnreadable`], [`StepError::ShareWrong`].
    pub fn acknowledge(self, unlock: impl Into<Unlock>) -> Result<Received, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.sign(unlock.into())
            .map_err(|error| refused(&private, Act::Receipt, error))
    }

    fn sign(mut self, unlock: Unlock) -> Result<Received, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        let (genesis, epoch) = (self.genesis(), self.output.commitments.epoch());
        let mut received = Received {
            genesis,
            index: None,
            epoch,
            facts: self.facts.clone(),
            published: None,
        };
        let Some(index) = share_index(&self.definition, keys.name()) else {
            self.member.pins.pin_genesis(genesis, None)?;
            self.member.private.store_pins(&self.member.pins)?;
            self.record(&keys, None)?;
            self.end_round()?;
            return Ok(received);
        };
        let sealed = sealed_share(&self.definition, &self.output, keys.name())?;
        let share = open_share(&self.definition, &self.output, sealed, &keys)?;
        // Not kept, since the record has it; a bad one is found now and not in the first drill.
        let drill = Held::drill_of_genesis(&self.definition, &self.output, index);
        drop(
            drill
                .ok_or(StepError::ShareUnreadable { index })?
                .open(&keys)?,
        );
        self.member.private.store_share(sealed)?;
        let pin = SharePin {
            index: Index(index),
            epoch,
        };
        self.member.pins.pin_genesis(genesis, Some(pin))?;
        self.member.private.store_pins(&self.member.pins)?;

        let subject = Possession {
            genesis,
            epoch,
            index,
        };
        received.index = Some(index);
        received.published = Some(match self.workspace.find_receipt(keys.name())? {
            Some(known) if is_receipt(&known, &subject, &self.output, &keys) => {
                self.record(&keys, Some(&known))?;
                Published::AlreadyThere
            }
            Some(_) => {
                let name = keys.name().clone();
                return Err(StepError::SignedWrong { name, role: None }.into());
            }
            None => {
                let document = received.facts.document;
                let receipt = sign(subject, document, wall_clock(), &share, &keys)?;
                self.note(&keys, Some(&receipt))?;
                let published = self.workspace.publish_receipt(keys.name(), &receipt)?;
                self.journal().settle(&keys)?;
                published
            }
        });
        self.end_round()?;
        Ok(received)
    }
}

impl Review {
    /// The nonce of carried files has served.
    fn end_round(&mut self) -> Result<(), CeremonyError> {
        match self.round.take() {
            Some(round) => self.member.private.store_round(&Round {
                stand: Stand::Over,
                ..round
            }),
            None => Ok(()),
        }
    }

    fn journal(&self) -> Journal<'_> {
        let people = people(&self.definition, &[]);
        self.member.journal(&self.workspace, people)
    }

    /// Notes what was verified, once; the note waits for the receipt.
    fn note(
        &self,
        keys: &UnlockedKeys,
        receipt: Option<&Signed<GenesisReceipt>>,
    ) -> Result<(), CeremonyError> {
        let journal = self.journal();
        journal.settle(keys)?;
        let genesis = object(self.genesis());
        if journal.tells(keys, Act::Receipt, &genesis)? {
            return Ok(());
        }
        let mut facts = vec![genesis, object(Digest::of(&self.output))];
        facts.extend(self.looked.facts());
        let mut effect = Effect::None;
        if let Some(receipt) = receipt {
            let claim = receipt.unverified();
            facts.extend([
                object(receipt.digest()),
                Fact::Share(Index(claim.index), claim.epoch),
            ]);
            let file = ["receipts".into(), format!("{}.cbor", keys.name())];
            effect = Effect::published(&file, &to_bytes(receipt))?;
        }
        let content = Content {
            act: Act::Receipt,
            facts,
        };
        add(&self.member.private, &content, effect)
    }

    fn record(
        &self,
        keys: &UnlockedKeys,
        receipt: Option<&Signed<GenesisReceipt>>,
    ) -> Result<(), CeremonyError> {
        self.note(keys, receipt)?;
        self.journal().settle(keys).map(drop)
    }
}

/// Whether this output may be received by a member of these pins.
fn decide(
    pins: &Pins,
    definition: &Definition,
    output: &GenesisOutput,
) -> Result<Genesis, CeremonyError> {
    if pins.definition().is_none() {
        return Err(StepError::NotConsented.into());
    }
    pins.check_definition(definition)?;
    let genesis = check_output(definition, output)?;
    pins.check_genesis(Digest::of(&genesis))?;
    Ok(genesis)
}

/// A genesis that was finished without this holder gives them nothing to sign for.
fn check_active(workspace: &Workspace, index: ShareIndex) -> Result<(), CeremonyError> {
    let Some(record) = workspace.find_record()? else {
        return Ok(());
    };
    let genesis = VerifiedGenesis::from_record(record)?;
    if genesis.inactive().contains(&index) {
        return Err(StepError::ShareInactive { index }.into());
    }
    Ok(())
}

fn share_index(definition: &Definition, name: &Name) -> Option<ShareIndex> {
    definition.share_set.named(name).map(|member| member.index)
}

/// The member's share in the output.
fn sealed_share<'o>(
    definition: &Definition,
    output: &'o GenesisOutput,
    name: &Name,
) -> Result<&'o MemberShare, CeremonyError> {
    let index =
        share_index(definition, name).ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    let missing = || GenesisError::ShareMissing {
        name: name.clone(),
        index,
    };
    let share = output.shares.iter().find(|share| share.index == index);
    share.ok_or_else(|| missing().into())
}

/// Opens a share that was sealed at genesis and checks it against the commitments.
pub(super) fn open_share(
    definition: &Definition,
    output: &GenesisOutput,
    share: &MemberShare,
    keys: &UnlockedKeys,
) -> Result<Share, CeremonyError> {
    Held::of_genesis(definition, output, share.clone()).open(keys)
}

/// A receipt with proof of possession.
fn sign(
    subject: Possession,
    document: quorate_protocol::atoms::Sha256,
    time: UnixMillis,
    share: &Share,
    keys: &UnlockedKeys,
) -> Result<Signed<GenesisReceipt>, CeremonyError> {
    let receipt = GenesisReceipt {
        genesis: subject.genesis,
        epoch: subject.epoch,
        index: subject.index,
        document,
        time,
        possession: Signed::sign(subject, &share.signing_key()),
    };
    keys.sign(receipt)
}

/// Whether a receipt in the folder is this member's, for this very share.
fn is_receipt(
    receipt: &Signed<GenesisReceipt>,
    subject: &Possession,
    output: &GenesisOutput,
    keys: &UnlockedKeys,
) -> bool {
    let Ok(claim) = receipt.verify(&keys.public().signing) else {
        return false;
    };
    let Ok(share_key) = output.commitments.member_key(subject.index) else {
        return false;
    };
    (claim.genesis, claim.epoch, claim.index) == (subject.genesis, subject.epoch, subject.index)
        && claim.possession.verify(&share_key) == Ok(subject)
}

#[cfg(test)]
mod tests;
