//! `reshare sign`: a member consents to an order, in each set in which they count.
//!
//! Verified before anything is shown as signable: the record against the member's own pin, the chain
//! link by link and that it leads nobody back; that the order is for the newest approved manifest and
//! its shares; that the member is in one of its sets with these keys. The consent names the order and
//! the role and nothing else.

use std::path::Path;

use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::{Member as Person, Role};
use quorate_protocol::reshare::{ReshareConsent, ReshareOrder};
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::reshare::check_order;

use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keyfile::Passphrase;
use crate::pins::Pins;
use crate::steps::Member;
use crate::steps::approve::Seat;
use crate::steps::attest::{decide as approved, genesis_and_links};
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, object, people, refused};
use crate::workspace::{Workspace, is_reshare_consent};

/// An order that this member may consent to.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    number: u64,
    order: ReshareOrder,
    seats: Vec<Seat>,
    people: Vec<(quorate_protocol::atoms::Name, VerificationKey)>,
}

/// An order that was consented to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consented {
    /// Its number in the folder.
    pub number: u64,
    /// The order.
    pub order: ReshareOrder,
    /// Its digest.
    pub digest: Digest<ReshareOrder>,
    /// In which roles.
    pub seats: Vec<Seat>,
    /// Whether every consent was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Verifies everything a consent rests on. `number` chooses the order; without it, the newest.
///
/// # Errors
/// [`StepError::NotReceived`]; a record or chain that contradicts the pins;
/// [`StepError::OrderMissing`], [`StepError::OrderExpired`], [`StepError::NoConsent`]; an order for
/// something else than what is approved now.
pub fn review(folder: &Path, private: &Path, number: Option<u64>) -> Result<Review, CeremonyError> {
    look(folder, private, number).map_err(|error| refused(private, Act::Reshare, error))
}

fn look(folder: &Path, private: &Path, number: Option<u64>) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = approved(&member.pins, &genesis, &links)?;
    let (number, order) = workspace.order(number)?;
    if wall_clock() > order.expires {
        return Err(StepError::OrderExpired { number }.into());
    }
    let key = member.key_file.public().signing;
    let seats = decide(&member.pins, &key, &chain, &order)?;
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    Ok(Review {
        people: people(genesis.definition(), known),
        workspace,
        member,
        genesis,
        chain,
        number,
        order,
        seats,
    })
}

impl Review {
    /// Its number in the folder.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// What would be consented to.
    #[must_use]
    pub const fn order(&self) -> &ReshareOrder {
        &self.order
    }

    /// What runs.
    #[must_use]
    pub fn running(&self) -> &Manifest {
        self.chain.manifest()
    }

    /// In which roles the member would consent.
    #[must_use]
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// Pins the manifest that runs, signs and publishes the consents.
    ///
    /// # Errors
    /// A wrong passphrase; [`StepError::SignedWrong`] if somebody wrote one in the member's name.
    pub fn consent(self, passphrase: &Passphrase) -> Result<Consented, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.sign(passphrase)
            .map_err(|error| refused(&private, Act::Reshare, error))
    }

    fn sign(mut self, passphrase: &Passphrase) -> Result<Consented, CeremonyError> {
        let keys = self.member.unlock(passphrase)?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let (digest, name, public) = (Digest::of(&self.order), keys.name(), keys.public());
        let mut published = Published::AlreadyThere;
        for seat in &self.seats {
            let person = Person {
                name: name.clone(),
                index: seat.index,
                signing_key: public.signing,
                encryption_key: public.encryption.clone(),
            };
            let known = self
                .workspace
                .find_reshare_consent(self.number, name, seat.role);
            match known {
                Ok(Some(known)) if is_reshare_consent(&known, seat.role, digest, &person) => {
                    continue;
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => {
                    let (name, role) = (name.clone(), Some(seat.role));
                    return Err(StepError::SignedWrong { name, role }.into());
                }
                Err(error) => return Err(error),
            }
            let consent = ReshareConsent {
                role: seat.role,
                genesis: self.order.genesis,
                order: digest,
                index: seat.index,
                time: wall_clock(),
            };
            let consent = Signed::sign(consent, &keys.signing_key());
            self.workspace
                .publish_reshare_consent(self.number, name, &consent)?;
            let facts = vec![
                object(digest),
                object(consent.digest()),
                Fact::Role(seat.role),
            ];
            let act = Act::Reshare;
            add(&self.member.private, &Content { act, facts }, Effect::None)?;
            published = Published::Written;
        }
        journal.settle(&keys)?;
        Ok(Consented {
            number: self.number,
            digest,
            development: self.genesis.definition().attestation_root.is_development(),
            order: self.order,
            seats: self.seats,
            published,
        })
    }
}

/// Whether a member of these pins and this key may consent to an order under this chain, and in
/// which roles.
pub(super) fn decide(
    pins: &Pins,
    key: &VerificationKey,
    chain: &VerifiedChain,
    order: &ReshareOrder,
) -> Result<Vec<Seat>, CeremonyError> {
    let running = chain.manifest();
    check_order(chain.genesis(), running, order)?;
    let name = pins.name();
    let mut seats = Vec::new();
    for (role, set) in [
        (Role::ManifestSet, &running.manifest_set),
        (Role::ShareSet, &running.share_set),
    ] {
        let Some(person) = set.named(name) else {
            continue;
        };
        if person.signing_key != *key {
            return Err(StepError::KeysDiffer { name: name.clone() }.into());
        }
        let index: ShareIndex = person.index;
        seats.push(Seat { role, index });
    }
    if seats.is_empty() {
        return Err(StepError::NoConsent { name: name.clone() }.into());
    }
    Ok(seats)
}
