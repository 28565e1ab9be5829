//! `surrogate name`: a member lets somebody else act for them, for one manifest, for some days.
//!
//! The surrogate's keys are those of the card that they put into the folder with `join`. Checked before
//! anything is signed: the member has a seat, the surrogate has none and no key of anybody who has.
//! What the surrogate does counts as the member's, once; a delegation cannot be taken back before its
//! end, only used up by acting first.
//!
//! A command that was interrupted is repeated and signs nothing twice: within an hour, the same wish is the
//! delegation that is there. Later it is a new one, which lasts longer.

use std::path::Path;

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::{Delegation, DelegationFields};
use quorate_protocol::transcript::Act;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::surrogate::{Place, check_claim};

use super::{facts, sets_before};
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::steps::{Member, newest_approved};
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused};
use crate::workspace::{Workspace, delegation_file};

/// Longest delegation in days.
const MAX_DAYS: u32 = 14;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// For so long after a delegation was made, one that would say the same is that one: an hour, in milliseconds.
const SAME_MS: u64 = 60 * 60 * 1000;

/// What a member asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who shall act.
    pub surrogate: Name,
    /// For which manifest; none for the newest in the folder.
    pub sequence: Option<u64>,
    /// For how many days from now, at most 14.
    pub days: u32,
}

/// A delegation that is ready to be signed.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    delegation: Delegation,
    number: u8,
    /// Where it was signed just now, by a command that was interrupted.
    known: Option<Signed<Delegation>>,
    people: Vec<(Name, VerificationKey)>,
}

/// A delegation that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The delegation.
    pub delegation: Signed<Delegation>,
    /// Its number in the folder.
    pub number: u8,
    /// Whether it was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Prepares a delegation.
///
/// # Errors
/// [`StepError::NotReceived`], [`StepError::NoSeat`], [`StepError::DelegationDays`]; a card that is
/// missing or not signed by its own key; a surrogate who is a member or has a member's key.
pub fn review(folder: &Path, private: &Path, plan: &Plan) -> Result<Review, CeremonyError> {
    look(folder, private, plan).map_err(|error| refused(private, Act::Surrogate, error))
}

fn look(folder: &Path, private: &Path, plan: &Plan) -> Result<Review, CeremonyError> {
    let days = plan.days;
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(StepError::DelegationDays { days }.into());
    }
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let genesis = member.verified_genesis(&workspace)?;
    let links = workspace.links(genesis.definition(), None)?.links;
    let newest = links.last().map_or(1, |link| link.manifest.sequence);
    let approved = match newest_approved(&genesis, &links) {
        Ok(chain) => chain.links().len(),
        // Before the first manifest is approved, the definition says who counts.
        Err(_) if links.len() <= 1 => 0,
        Err(error) => return Err(error.into()),
    };
    let sequence = plan.sequence.unwrap_or(newest);
    let approved = links.get(..approved).unwrap_or_default();
    let last = u64::try_from(approved.len()).unwrap_or(u64::MAX);
    if sequence == 0 || sequence < last || sequence > last.saturating_add(1) {
        return Err(StepError::ManifestMissing { sequence }.into());
    }
    let sets = sets_before(genesis.definition(), approved);
    let card = workspace.card(&plan.surrogate)?;
    let name = member.pins.name();
    let key = member.keys.public().signing;
    let mut places = Vec::new();
    for (role, set) in [(Role::ManifestSet, sets[0]), (Role::ShareSet, sets[1])] {
        if let Some(person) = set.named(name) {
            if person.signing_key != key {
                return Err(StepError::KeysDiffer { name: name.clone() }.into());
            }
            places.push((role, person));
        }
    }
    if places.is_empty() {
        return Err(StepError::NoSeat { name: name.clone() }.into());
    }
    let roles = places.iter().map(|(role, _)| *role).collect();
    let fields = fields(&card, &genesis, name, roles, sequence, days);
    let known = workspace.delegations(sequence, name)?.into_iter().rev();
    let mut known = known
        .filter(|(_, known)| is_same(known.unverified(), &fields) && known.verify(&key).is_ok());
    let known = known.next();
    let delegation = match &known {
        Some((_, known)) => known.unverified().clone(),
        None => Checked::new(fields).map_err(StepError::ManifestInvalid)?,
    };
    for (role, person) in places {
        let place = Place {
            genesis: genesis.digest(),
            sequence,
            role,
            member: person,
            sets,
        };
        check_claim(&place, &delegation, &[])?;
    }
    let (number, known) = match known {
        Some((number, known)) => (number, Some(known)),
        None => (workspace.next_delegation(sequence, name)?, None),
    };
    Ok(Review {
        people: everybody(&workspace, &genesis, approved)?,
        workspace,
        member,
        genesis,
        delegation,
        number,
        known,
    })
}

/// Whether a delegation is what was asked for just now, by a command that was interrupted or is typed twice.
fn is_same(known: &Delegation, asked: &DelegationFields) -> bool {
    let lasts = |fields: &DelegationFields| fields.expires.0.checked_sub(fields.time.0);
    let age = asked.time.0.checked_sub(known.time.0);
    known.same_people(asked)
        && (known.genesis, known.sequence, &known.roles)
            == (asked.genesis, asked.sequence, &asked.roles)
        && lasts(known) == lasts(asked)
        && age.is_some_and(|age| age < SAME_MS)
}

fn fields(
    card: &MemberCard,
    genesis: &VerifiedGenesis,
    member: &Name,
    roles: Vec<Role>,
    sequence: u64,
    days: u32,
) -> DelegationFields {
    let now = wall_clock();
    let lasts = u64::from(days).saturating_mul(DAY_MS);
    DelegationFields {
        genesis: genesis.digest(),
        member: member.clone(),
        roles,
        surrogate: card.name.clone(),
        signing_key: card.signing_key,
        encryption_key: card.encryption_key.clone(),
        sequence,
        expires: UnixMillis(now.0.saturating_add(lasts)),
        time: now,
    }
}

impl Review {
    /// What would be signed.
    #[must_use]
    pub const fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// Its fingerprint.
    #[must_use]
    pub fn digest(&self) -> Digest<Delegation> {
        Digest::of(&self.delegation)
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

    /// Signs and publishes the delegation.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; a folder that cannot be written.
    pub fn sign(self, unlock: impl Into<Unlock>) -> Result<Named, CeremonyError> {
        let keys = self.member.unlock(unlock.into())?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let (delegation, published) = match self.known {
            Some(known) => {
                let told = object(known.digest());
                if !journal.tells(&keys, Act::Surrogate, &told)? {
                    add(&self.member.private, &content(&known), Effect::None)?;
                }
                (known, Published::AlreadyThere)
            }
            None => {
                let delegation = keys.sign(self.delegation)?;
                let claim = delegation.unverified();
                let file = delegation_file(claim.sequence, &claim.member, self.number);
                let effect = Effect::published(&file, &to_bytes(&delegation))?;
                add(&self.member.private, &content(&delegation), effect)?;
                let published = self
                    .workspace
                    .publish_delegation(self.number, &delegation)?;
                (delegation, published)
            }
        };
        journal.settle(&keys)?;
        Ok(Named {
            development: self.genesis.definition().attestation_root.is_development(),
            number: self.number,
            delegation,
            published,
        })
    }
}

/// What the record of a delegation says.
fn content(delegation: &Signed<Delegation>) -> Content {
    Content {
        act: Act::Surrogate,
        facts: facts(delegation),
    }
}
