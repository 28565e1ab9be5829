//! `surrogate accept`: a surrogate checks the share that a member sealed to them, and keeps it.
//!
//! Checked before it is kept: the delegation is by a member of the share set of the newest approved
//! manifest and counts; the share is signed by that member, under that delegation, of that manifest's
//! epoch and the member's index; it opens with this key alone and fits the commitments.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::{Delegation, EntrustedShare};
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;

use super::{Acting, Wanted, acting, facts};
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::private::Entrusted;
use crate::steps::Member;
use crate::steps::attest::{decide as approved, genesis_and_links};
use crate::steps::held::Held;
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused};
use crate::workspace::Workspace;

/// A share that was entrusted and is not kept yet.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    acting: Acting,
    share: Signed<EntrustedShare>,
    people: Vec<(Name, VerificationKey)>,
}

/// A share that a surrogate keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Under which delegation.
    pub delegation: Signed<Delegation>,
    /// Which share.
    pub share: Signed<EntrustedShare>,
    /// Whether it was kept already.
    pub kept: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Finds the share that was sealed to this person, for the manifest of that sequence or the newest in
/// the folder.
///
/// # Errors
/// [`StepError::NoDelegation`], [`StepError::NothingEntrusted`]; a delegation that does not count; a
/// share of another epoch, index or delegation; a chain that contradicts the pins.
pub fn review(
    folder: &Path,
    private: &Path,
    sequence: Option<u64>,
) -> Result<Review, CeremonyError> {
    look(folder, private, sequence).map_err(|error| refused(private, Act::Surrogate, error))
}

fn look(folder: &Path, private: &Path, sequence: Option<u64>) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = approved(&member.pins, &genesis, &links)?;
    let newest = links.links.last().map(|link| link.manifest.sequence);
    let sequence = sequence.or(newest).unwrap_or(1);
    let name = member.pins.name();
    let manifest = chain.manifest();
    let wanted = Wanted {
        genesis: genesis.digest(),
        sequence,
        role: Role::ShareSet,
        sets: [&manifest.manifest_set, &manifest.share_set],
    };
    let key = member.keys.public().signing;
    let found = acting(&workspace, &wanted, (name, &key), wall_clock())?;
    let acting = found.ok_or_else(|| StepError::NoDelegation {
        name: name.clone(),
        sequence,
    })?;
    let share = workspace.find_entrusted(sequence, &acting.member.name, acting.number)?;
    let share = share.ok_or_else(|| StepError::NothingEntrusted {
        member: acting.member.name.clone(),
        name: name.clone(),
    })?;
    check_share(&share, &acting, &chain)?;
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    Ok(Review {
        people: everybody(&workspace, &genesis, known)?,
        workspace,
        member,
        genesis,
        chain,
        acting,
        share,
    })
}

/// Whether a share is of this member, delegation and epoch.
pub(crate) fn check_share(
    share: &Signed<EntrustedShare>,
    acting: &Acting,
    chain: &VerifiedChain,
) -> Result<(), CeremonyError> {
    let claim = share.unverified();
    let (member, manifest) = (&acting.member, chain.manifest());
    if claim.epoch != manifest.epoch {
        let named = manifest.epoch;
        return Err(StepError::EpochRevoked { named }.into());
    }
    let same = (claim.genesis, claim.delegation) == (chain.genesis(), acting.delegation.digest());
    if !same || claim.index != member.index || share.verify(&member.signing_key).is_err() {
        let (name, role) = (member.name.clone(), Some(Role::ShareSet));
        return Err(StepError::SignedWrong { name, role }.into());
    }
    Ok(())
}

impl Review {
    /// Under which delegation.
    #[must_use]
    pub fn delegation(&self) -> &Delegation {
        self.acting.delegation.unverified()
    }

    /// Its fingerprint.
    #[must_use]
    pub fn digest(&self) -> Digest<Delegation> {
        self.acting.delegation.digest()
    }

    /// Which share.
    #[must_use]
    pub const fn share(&self) -> &Signed<EntrustedShare> {
        &self.share
    }

    /// What everybody consented to.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.genesis.definition()
    }

    /// The surrogate's keys, still locked.
    #[must_use]
    pub const fn keys(&self) -> &LockedKeys {
        &self.member.keys
    }

    /// Opens the share, checks it against the commitments and keeps it, sealed as it is.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; [`StepError::ShareUnreadable`], [`StepError::ShareWrong`].
    pub fn accept(self, unlock: impl Into<Unlock>) -> Result<Accepted, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.keep(unlock.into())
            .map_err(|error| refused(&private, Act::Surrogate, error))
    }

    fn keep(mut self, unlock: Unlock) -> Result<Accepted, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        let claim = self.share.unverified();
        let commitments = self.chain.manifest().commitments.clone();
        Held::of_entrusted(claim, commitments).open(&keys)?;
        self.member.pins.pin_manifest(self.chain.highest_seen())?;
        self.member.private.store_pins(&self.member.pins)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let delegation = self.acting.delegation;
        let kept = self.member.private.store_entrusted(&Entrusted {
            delegation: delegation.clone(),
            share: self.share.clone(),
        })?;
        let told = object(self.share.digest());
        if !journal.tells(&keys, Act::Surrogate, &told)? {
            let mut said = facts(&delegation);
            said.push(told);
            said.push(Fact::Share(Index(claim.index), claim.epoch));
            let content = Content {
                act: Act::Surrogate,
                facts: said,
            };
            add(&self.member.private, &content, Effect::None)?;
        }
        journal.settle(&keys)?;
        Ok(Accepted {
            development: self.genesis.definition().attestation_root.is_development(),
            share: self.share,
            delegation,
            kept,
        })
    }
}
