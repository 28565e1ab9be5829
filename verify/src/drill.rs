//! Drills: that the drill scalar has nothing to do with the key, and what proves a drill.
//!
//! The same functions decide in the drill enclave before it opens anything, in a member's tool, and for
//! everybody who has only genesis record, chain and [`Drill`]:
//!
//! * the sharing of a drill scalar has the threshold and the members of the real one, and shares no
//!   commitment with it ([`check_sharing`]);
//! * a grant is by a member of the share set whose share counts, for this namespace, manifest, epoch,
//!   drill sharing and enclave, and its possession is signed with the member's real share
//!   ([`check_grant`]);
//! * a drill was held by an enclave of the approved image that was started for a drill under this
//!   manifest; it names exactly the grants beside it, each of them good; at least the threshold gave
//!   drill shares; its times are in order and the next date is within a year and a day
//!   ([`verify_drill`]).
//!
//! It does not show who could still have given a share and did not want to, nor that a member holds
//! their share today: the record says when they did. The times are the enclave's; the next date is
//! what whoever ended the drill said. That no share of a drill is computed from the key, the image says
//! that made both: commitments alone cannot.

mod error;

use quorate_protocol::atoms::{ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{Drill, DrillGrant, DrillPossession, DrillSharing};
use quorate_protocol::genesis::{CommitmentList, Epoch};
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::{MemberSet, Role};
use quorate_protocol::reshare::CompletedReshare;

use crate::attestation::{Freshness, TrustAnchors};
use crate::chain::{Approver, VerifiedChain};
use crate::genesis::VerifiedGenesis;
use crate::instance::{self, DocumentFacts, verify_drill_document};

pub use self::error::{DrillError, DrillField, SharingFault};

/// The next drill is due within this time, in milliseconds: a year and a day.
pub const MAX_DUE_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// Somebody who took part in a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Who, and when by their own clock.
    pub holder: Approver,
    /// Whether a drill share came with the proof.
    pub gave_share: bool,
    /// When the enclave took it, by its security module.
    pub time: UnixMillis,
}

/// A drill that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDrill {
    /// The manifest it was held under.
    pub manifest: Digest<Manifest>,
    /// The real shares that were proved.
    pub epoch: Epoch,
    /// Who took part, in order of index.
    pub participants: Vec<Participant>,
    /// When it began, by the enclave's security module.
    pub begun: UnixMillis,
    /// When it ended, by the enclave's security module.
    pub time: UnixMillis,
    /// When the next one is due.
    pub due: UnixMillis,
    /// About the attestation.
    pub facts: DocumentFacts,
}

/// Whether the sharing of a drill scalar goes with the real one, and is another one.
///
/// # Errors
/// [`SharingFault`].
pub fn check_sharing(
    real: &CommitmentList,
    set: &MemberSet,
    drill: &DrillSharing,
) -> Result<(), SharingFault> {
    let ours = drill.commitments.inner();
    if ours.threshold() != set.threshold {
        return Err(SharingFault::Threshold);
    }
    let shares = drill.shares.iter().map(|share| share.index);
    if !shares.eq(set.members.iter().map(|member| member.index)) {
        return Err(SharingFault::Members);
    }
    let theirs = real.inner().to_compressed();
    if ours
        .to_compressed()
        .iter()
        .any(|point| theirs.contains(point))
    {
        return Err(SharingFault::Commitments);
    }
    Ok(())
}

/// The drill sharing beside the real shares that a chain names. `links` are those the chain was
/// verified from.
///
/// # Errors
/// [`DrillError::SharingMissing`] where `links` are others.
pub fn sharing_of<'a>(
    genesis: &'a VerifiedGenesis,
    chain: &VerifiedChain,
    links: &'a [Link],
) -> Result<&'a DrillSharing, DrillError> {
    let epoch = chain.manifest().epoch;
    if epoch == genesis.epoch() {
        return Ok(&genesis.record().output.drill);
    }
    let made = made_by(chain, links).ok_or(DrillError::SharingMissing)?;
    Ok(&made.reshare.record.unverified().drill)
}

/// The resharing that made the shares which the newest manifest of a chain names; none where the genesis
/// made them. `links` are those that the chain was verified from.
pub fn made_by<'a>(chain: &VerifiedChain, links: &'a [Link]) -> Option<&'a CompletedReshare> {
    let epoch = chain.manifest().epoch;
    let verified = chain.links().iter().rev();
    let record = verified
        .filter_map(|link| link.successor.reshare.as_deref())
        .find(|completed| completed.reshare.epoch == epoch)
        .map(|completed| completed.reshare.record)?;
    let mut made = links.iter().filter_map(|link| link.reshare.as_deref());
    made.find(|completed| completed.reshare.record.digest() == record)
}

/// Whether a grant is a member's, for this very drill, with proof that they hold their real share.
/// `drill` names the drill shares.
///
/// # Errors
/// [`DrillError::GrantForAnother`], [`DrillError::GrantOfStranger`], [`DrillError::GrantOfInactive`],
/// [`DrillError::GrantSignature`], [`DrillError::Possession`].
pub fn check_grant(
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    setup: &KeyPair,
    drill: Epoch,
    grant: &Signed<DrillGrant>,
) -> Result<Approver, DrillError> {
    let claim = grant.unverified();
    let manifest = chain.manifest();
    let DrillPossession {
        genesis: named,
        manifest: under,
        epoch,
        index,
        setup: enclave,
        ..
    } = claim.possession.unverified();
    let index = *index;
    let fields = [
        (DrillField::Role, claim.role == Role::ShareSet),
        (DrillField::Genesis, *named == genesis.digest()),
        (DrillField::Manifest, *under == chain.digest()),
        (DrillField::Enclave, enclave == setup),
        (DrillField::Epoch, *epoch == manifest.epoch),
        (DrillField::Drill, claim.drill == drill),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, agrees)| !agrees) {
        return Err(DrillError::GrantForAnother { index, field });
    }
    let member = manifest.share_set.member(index);
    let member = member.ok_or(DrillError::GrantOfStranger { index })?;
    if !genesis.is_active(index, manifest.epoch) {
        return Err(DrillError::GrantOfInactive { index });
    }
    if grant.verify(&member.signing_key).is_err() {
        return Err(DrillError::GrantSignature { index });
    }
    let key = manifest.commitments.member_key(index);
    if !key.is_ok_and(|key| claim.possession.verify(&key).is_ok()) {
        return Err(DrillError::Possession { index });
    }
    Ok(Approver {
        name: member.name.clone(),
        index,
        signing_key: member.signing_key,
        time: claim.time,
        surrogate: None,
    })
}

/// Verifies what a drill enclave answered at the end. `chain` ends with the manifest that it was
/// started with, and was verified from `links`.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_drill(
    genesis: &VerifiedGenesis,
    chain: &VerifiedChain,
    links: &[Link],
    anchors: &TrustAnchors,
    freshness: &Freshness<'_>,
    drill: &Drill,
) -> Result<VerifiedDrill, DrillError> {
    let document = drill.document.as_slice();
    let attested = verify_drill_document(document, genesis, chain, anchors, freshness)?;
    let record = drill.record.verify(&attested.setup.verification);
    let record = record.map_err(|_| DrillError::RecordSignature)?;
    let sharing = sharing_of(genesis, chain, links)?.commitments.epoch();
    let manifest = chain.manifest();
    let grants = drill.grants.iter().map(|grant| {
        let index = grant.unverified().possession.unverified().index;
        (index, grant.digest())
    });
    let given = record.given.iter().map(|given| (given.index, given.grant));
    let (begun, ended, due) = (record.begun, record.time, record.due);
    let within = |time: UnixMillis| begun <= time && time <= ended;
    let latest = ended.0.saturating_add(MAX_DUE_MS);
    let fields = [
        (DrillField::Genesis, record.genesis == genesis.digest()),
        (DrillField::Manifest, record.manifest == chain.digest()),
        (DrillField::Epoch, record.epoch == manifest.epoch),
        (DrillField::Drill, record.drill == sharing),
        (DrillField::Grants, given.eq(grants)),
        (
            DrillField::Time,
            begun <= ended && record.given.iter().all(|given| within(given.time)),
        ),
        (DrillField::Due, ended < due && due.0 <= latest),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, agrees)| !agrees) {
        return Err(DrillError::Differs { field });
    }
    instance::check_validity(manifest, begun)?;
    instance::check_surrogates(chain, begun)?;
    let mut participants = Vec::with_capacity(drill.grants.len());
    for (grant, given) in drill.grants.iter().zip(&record.given) {
        participants.push(Participant {
            holder: check_grant(genesis, chain, &attested.setup, sharing, grant)?,
            gave_share: grant.unverified().sealed.is_some(),
            time: given.time,
        });
    }
    let (need, have) = (
        manifest.share_set.threshold,
        participants.iter().filter(|p| p.gave_share).count(),
    );
    if have < usize::from(need) {
        return Err(DrillError::SharesMissing { need, have });
    }
    Ok(VerifiedDrill {
        manifest: chain.digest(),
        epoch: manifest.epoch,
        participants,
        begun,
        time: ended,
        due,
        facts: attested.facts,
    })
}

impl VerifiedDrill {
    /// Members of a set who did not take part, in order of index.
    #[must_use]
    pub fn absent(&self, set: &MemberSet) -> Vec<ShareIndex> {
        let took_part = |index| {
            let mut known = self.participants.iter();
            known.any(|participant| participant.holder.index == index)
        };
        let indices = set.indices().into_iter();
        indices.filter(|index| !took_part(*index)).collect()
    }
}
