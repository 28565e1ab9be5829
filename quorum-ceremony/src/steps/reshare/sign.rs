//! `reshare sign`: a member consents to an order, in each set in which they count.
//!
//! Verified before anything is shown as signable: the record against the member's own pin, the chain
//! link by link and that it leads nobody back; that the order is for the newest approved manifest and
//! its shares; that the member is in one of its sets with these keys. The consent names the order and
//! the role and nothing else.

use std::path::Path;

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::cbor::to_bytes;
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
use crate::keys::{LockedKeys, Unlock};
use crate::pins::Pins;
use crate::steps::Member;
use crate::steps::approve::Seat;
use crate::steps::attest::{decide as approved, genesis_and_links};
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused};
use crate::workspace::{Workspace, is_reshare_consent, reshare_consent_file};

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
    people: Vec<(Name, VerificationKey)>,
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
    let key = member.keys.public().signing;
    let seats = decide(&member.pins, &key, &genesis, &chain, &order)?;
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    Ok(Review {
        people: everybody(&workspace, &genesis, known)?,
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

    /// The member's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Pins the manifest that runs, signs and publishes the consents.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::SignedWrong`] if somebody wrote one in the member's
    /// name.
    pub fn consent(self, unlock: impl Into<Unlock>) -> Result<Consented, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.sign(unlock.into())
            .map_err(|error| refused(&private, Act::Reshare, error))
    }

    fn sign(mut self, unlock: Unlock) -> Result<Consented, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
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
                    if !journal.tells(&keys, Act::Reshare, &object(known.digest()))? {
                        let said = content(digest, seat.role, &known);
                        add(&self.member.private, &said, Effect::None)?;
                    }
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
            let consent = keys.sign(consent)?;
            let file = reshare_consent_file(self.number, name, seat.role);
            let effect = Effect::published(&file, &to_bytes(&consent))?;
            let said = content(digest, seat.role, &consent);
            add(&self.member.private, &said, effect)?;
            published = self
                .workspace
                .publish_reshare_consent(self.number, name, &consent)?;
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

/// What the record of a consent says.
fn content(order: Digest<ReshareOrder>, role: Role, consent: &Signed<ReshareConsent>) -> Content {
    Content {
        act: Act::Reshare,
        facts: vec![object(order), object(consent.digest()), Fact::Role(role)],
    }
}

/// Whether a member of these pins and this key may consent to an order under this chain, and in
/// which roles.
pub(super) fn decide(
    pins: &Pins,
    key: &VerificationKey,
    genesis: &VerifiedGenesis,
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
        // Who holds no share that counts has no say among the holders.
        if role == Role::ShareSet && !genesis.is_active(person.index, running.epoch) {
            continue;
        }
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
