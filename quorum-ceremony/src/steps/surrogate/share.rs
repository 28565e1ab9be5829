//! `surrogate share`: a member seals their share to their surrogate. This cannot be taken back.
//!
//! Naming a surrogate gives them no share; this step does, and is one of its own because of what it
//! means: from then on the surrogate has the share, whatever happens to the delegation. It is of no
//! use only when a resharing has made others and a manifest names them.
//!
//! The share is checked against the commitments before it is sealed, and sealed under the delegation,
//! index and epoch, so that it opens as nothing else.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::instance::Index;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::{Delegation, EntrustedShare, surrogate_share_context};
use quorate_protocol::transcript::{Act, Fact};
use quorate_verify::chain::VerifiedChain;
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::surrogate::{check, counts};

use super::{Acting, Wanted, facts};
use crate::challenge::wall_clock;
use crate::error::{CeremonyError, StepError};
use crate::keys::{LockedKeys, Unlock};
use crate::steps::attest::{decide as approved, genesis_and_links};
use crate::steps::held::Held;
use crate::steps::{Member, seal_share};
use crate::storage::Published;
use crate::transcript::{Content, Effect, add, everybody, object, refused};
use crate::workspace::{Workspace, entrusted_file};

/// A share that is ready to be sealed to a surrogate.
#[derive(Debug)]
pub struct Review {
    workspace: Workspace,
    member: Member,
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    acting: Acting,
    share: Held,
    people: Vec<(Name, VerificationKey)>,
}

/// A share that was sealed to a surrogate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Under which delegation.
    pub delegation: Signed<Delegation>,
    /// The share, sealed.
    pub share: Signed<EntrustedShare>,
    /// Whether it was there already.
    pub published: Published,
    /// Whether the namespace is under a development root.
    pub development: bool,
}

/// Finds the member's newest delegation to this person, for the manifest of that sequence or the newest
/// in the folder, and the share that the newest approved manifest names.
///
/// # Errors
/// [`StepError::NoDelegation`]; a delegation that does not count; [`StepError::NoShare`],
/// [`StepError::EpochRevoked`]; a chain that contradicts the pins.
pub fn review(
    folder: &Path,
    private: &Path,
    surrogate: &Name,
    sequence: Option<u64>,
) -> Result<Review, CeremonyError> {
    look(folder, private, surrogate, sequence)
        .map_err(|error| refused(private, Act::Surrogate, error))
}

fn look(
    folder: &Path,
    private: &Path,
    surrogate: &Name,
    sequence: Option<u64>,
) -> Result<Review, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let member = Member::open(private)?;
    let (genesis, links) = genesis_and_links(&workspace, &member)?;
    let chain = approved(&member.pins, &genesis, &links)?;
    let newest = links.links.last().map(|link| link.manifest.sequence);
    let sequence = sequence.or(newest).unwrap_or(1);
    let name = member.pins.name();
    let manifest = chain.manifest();
    let pin = member.pins.share_of(manifest.epoch);
    let pin = pin.ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    let person = manifest.share_set.named(name);
    let person = person.ok_or_else(|| StepError::NoShare { name: name.clone() })?;
    let wanted = Wanted {
        genesis: genesis.digest(),
        sequence,
        role: Role::ShareSet,
        sets: [&manifest.manifest_set, &manifest.share_set],
    };
    let mine = workspace.delegations(sequence, name)?.into_iter().rev();
    let mut mine = mine.filter(|(_, d)| d.unverified().surrogate == *surrogate);
    let (number, delegation) = mine.next().ok_or_else(|| StepError::NoDelegation {
        name: surrogate.clone(),
        sequence,
    })?;
    counts(
        check(&wanted.place(person), &delegation, &[])?,
        wall_clock(),
    )?;
    if !genesis.is_active(pin.index.0, manifest.epoch) {
        return Err(StepError::ShareInactive { index: pin.index.0 }.into());
    }
    let record = genesis.record();
    let born = (&record.definition, &record.output);
    let share = Held::find(&member.private, born, manifest.epoch)?;
    let acting = Acting {
        member: person.clone(),
        number,
        delegation,
    };
    let known = links.links.get(..chain.links().len()).unwrap_or_default();
    Ok(Review {
        people: everybody(&workspace, &genesis, known)?,
        workspace,
        member,
        acting,
        share,
        genesis,
        chain,
    })
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
    pub fn share(&self) -> (Index, quorate_protocol::genesis::Epoch) {
        (Index(self.share.share.index), self.chain.manifest().epoch)
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

    /// Opens the share, seals it to the surrogate, signs and publishes that.
    ///
    /// # Errors
    /// A wrong passphrase or PIN; a share that does not belong to the commitments;
    /// [`StepError::SignedWrong`] if something else is in its place.
    pub fn entrust(self, unlock: impl Into<Unlock>) -> Result<Shared, CeremonyError> {
        let private = self.member.private.path().to_owned();
        self.seal(unlock.into())
            .map_err(|error| refused(&private, Act::Surrogate, error))
    }

    fn seal(self, unlock: Unlock) -> Result<Shared, CeremonyError> {
        let keys = self.member.unlock(unlock)?;
        let journal = self.member.journal(&self.workspace, self.people.clone());
        journal.settle(&keys)?;
        let Acting {
            member,
            number,
            delegation,
        } = self.acting;
        let claim = delegation.unverified();
        let development = self.genesis.definition().attestation_root.is_development();
        let (sequence, epoch) = (claim.sequence, self.chain.manifest().epoch);
        let known = self
            .workspace
            .find_entrusted(sequence, &member.name, number)?;
        if let Some(known) = known {
            let same = known.unverified();
            let mine = known.verify(&member.signing_key).is_ok();
            if !mine || (same.delegation, same.epoch) != (delegation.digest(), epoch) {
                let (name, role) = (member.name, Some(Role::ShareSet));
                return Err(StepError::SignedWrong { name, role }.into());
            }
            return Ok(Shared {
                delegation,
                share: known,
                published: Published::AlreadyThere,
                development,
            });
        }
        let index = self.share.share.index;
        let digest = delegation.digest();
        let context = surrogate_share_context(&claim.genesis, &digest, index, &epoch);
        let share = self.share.open(&keys)?;
        let sealed = seal_share(&share, &claim.encryption_key, &context)?;
        drop(share);
        let entrusted = keys.sign(EntrustedShare {
            genesis: claim.genesis,
            delegation: digest,
            index,
            epoch,
            sealed,
            time: wall_clock(),
        })?;
        let file = entrusted_file(sequence, &member.name, number);
        let effect = Effect::published(&file, &to_bytes(&entrusted))?;
        let mut said = facts(&delegation);
        said.push(object(entrusted.digest()));
        said.push(Fact::Share(Index(index), epoch));
        let content = Content {
            act: Act::Surrogate,
            facts: said,
        };
        add(&self.member.private, &content, effect)?;
        let published =
            self.workspace
                .publish_entrusted(sequence, &member.name, number, &entrusted)?;
        journal.settle(&keys)?;
        Ok(Shared {
            delegation,
            share: entrusted,
            published,
            development,
        })
    }
}
