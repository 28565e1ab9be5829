//! Key forward: what may be forwarded to whom, and what proves that it was.
//!
//! The same functions decide in the exporter before the key leaves, in the importer before it opens
//! what came, and for a stranger who has only the evidence:
//!
//! * the manifest of the exporter has a forward policy, and its end had not come ([`policy`]);
//! * the importer runs that very manifest or its direct successor, never an older one and never
//!   another of the same sequence ([`relate`]);
//! * to a successor, the threshold of the exporter's share set approved this very forward, unless
//!   the policy waives that where only applications change ([`approvers`]);
//! * record and certificate are signed with the instance key of a ring that the quorum key signed,
//!   and name this importer and that exporter ([`verify_received`]);
//! * the importer said with its certified live key that it has the key ([`verify_confirmed`]).
//!
//! It does not show that an exporter kept to its count: another enclave with the same key counts for
//! itself, and a host can leave a record out of what it shows. Whether the importer is an enclave at
//! all is in its attestation ([`crate::instance::verify_setup`]).

mod error;

use quorate_protocol::atoms::{ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::{
    ApprovalRule, Confirmed, ForwardApproval, ForwardPolicy, ForwardRecord, ForwardSource,
};
use quorate_protocol::genesis::Genesis;
use quorate_protocol::instance::{InstanceCertificate, KeyRing, Provenance, Purpose};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::{Application, Link, Manifest};

use crate::chain::{Approver, VerifiedChain};
use crate::genesis::VerifiedGenesis;

pub use self::error::{ForwardError, ForwardField, ForwardPart};

/// How an importer's manifest stands to the exporter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It is the same.
    Same,
    /// It follows directly.
    Successor,
}

/// The policy of the exporter's manifest, if it lets the key go at that time.
///
/// # Errors
/// [`ForwardError::NotAllowed`], [`ForwardError::Ended`].
pub fn policy(from: &Manifest, at: UnixMillis) -> Result<&ForwardPolicy, ForwardError> {
    let policy = from.forward.as_ref().ok_or(ForwardError::NotAllowed)?;
    let not_after = policy.not_after;
    if at > not_after {
        return Err(ForwardError::Ended { not_after, at });
    }
    Ok(policy)
}

/// How a manifest stands to the one that the exporter runs. Says nothing about its approvals: for a
/// successor the chain is walked too.
///
/// # Errors
/// [`ForwardError::OtherGenesis`], [`ForwardError::Older`], [`ForwardError::OtherManifest`],
/// [`ForwardError::NotSuccessor`].
pub fn relate(from: &Manifest, to: &Manifest) -> Result<Relation, ForwardError> {
    if to.genesis != from.genesis {
        return Err(ForwardError::OtherGenesis {
            expected: from.genesis,
            found: to.genesis,
        });
    }
    let (running, offered) = (from.sequence, to.sequence);
    if offered < running {
        return Err(ForwardError::Older { running, offered });
    }
    let digest = Digest::of(from);
    if offered == running {
        return match Digest::of(to) == digest {
            true => Ok(Relation::Same),
            false => Err(ForwardError::OtherManifest { sequence: running }),
        };
    }
    if running.checked_add(1) != Some(offered) || to.previous != Some(digest) {
        return Err(ForwardError::NotSuccessor { running, offered });
    }
    Ok(Relation::Successor)
}

/// Whether a successor changes nothing but applications, though not where they may connect, and
/// when it may boot.
#[must_use]
pub fn changes_only_applications(from: &Manifest, to: &Manifest) -> bool {
    from.genesis == to.genesis
        && from.quorum_key == to.quorum_key
        && from.epoch == to.epoch
        && from.commitments == to.commitments
        && from.measurements == to.measurements
        && from.manifest_set == to.manifest_set
        && from.share_set == to.share_set
        && from.suites == to.suites
        && from.forward == to.forward
        && from.egress_policy() == to.egress_policy()
}

/// Whether the threshold of the exporter's share set must approve a forward.
#[must_use]
pub fn needs_approvals(
    policy: &ForwardPolicy,
    relation: Relation,
    from: &Manifest,
    to: &Manifest,
) -> bool {
    match (relation, policy.approvals) {
        (Relation::Same, _) => false,
        (Relation::Successor, ApprovalRule::Always) => true,
        (Relation::Successor, ApprovalRule::ExceptApplications) => {
            !changes_only_applications(from, to)
        }
    }
}

/// Verifies every approval of a forward, and counts them where they are needed. In order of index.
///
/// # Errors
/// The first approval that is wrong, be there enough others or not;
/// [`ForwardError::ApprovalsMissing`].
pub fn approvers(
    genesis: &VerifiedGenesis,
    policy: &ForwardPolicy,
    relation: Relation,
    from: &Manifest,
    to: &Manifest,
    approvals: &[Signed<ForwardApproval>],
) -> Result<Vec<Approver>, ForwardError> {
    let set = &from.share_set;
    let subject = (from.genesis, Digest::of(from), Digest::of(to));
    let mut given: Vec<Approver> = Vec::new();
    for approval in approvals {
        let claim = approval.unverified();
        let index = claim.index;
        if (claim.genesis, claim.from, claim.to) != subject {
            return Err(ForwardError::ApprovalOfAnother { index });
        }
        let member = set.member(index);
        let member = member.ok_or(ForwardError::ApprovalOfStranger { index })?;
        if !genesis.is_active(index, from.epoch) {
            return Err(ForwardError::ApprovalOfInactive { index });
        }
        if given.iter().any(|known| known.index == index) {
            return Err(ForwardError::ApprovalRepeated { index });
        }
        if approval.verify(&member.signing_key).is_err() {
            return Err(ForwardError::ApprovalSignature { index });
        }
        given.push(Approver {
            name: member.name.clone(),
            index,
            signing_key: member.signing_key,
            time: claim.time,
            surrogate: None,
        });
    }
    given.sort_unstable_by_key(|approver| approver.index);
    let (need, have) = (set.threshold, given.len());
    if needs_approvals(policy, relation, from, to) && have < usize::from(need) {
        let missing = set.members.iter().map(|member| member.index);
        let missing: Vec<ShareIndex> = missing
            .filter(|index| !given.iter().any(|known| known.index == *index))
            .collect();
        return Err(ForwardError::ApprovalsMissing {
            need,
            have,
            missing,
        });
    }
    Ok(given)
}

/// The key that signs records and certificates, out of an exporter's ring.
///
/// # Errors
/// [`ForwardError::Signature`] or [`ForwardError::Differs`] of [`ForwardPart::Ring`].
pub fn instance_key(
    genesis: &VerifiedGenesis,
    manifest: Digest<Manifest>,
    ring: &Signed<KeyRing>,
) -> Result<VerificationKey, ForwardError> {
    let part = ForwardPart::Ring;
    let ring = ring.verify(genesis.quorum_key());
    let ring = ring.map_err(|_| ForwardError::Signature { part })?;
    let key = ring.key(Application::RESERVED, Purpose::Instance);
    agree(
        part,
        &[
            (ForwardField::Genesis, ring.genesis == genesis.digest()),
            (ForwardField::Manifest, ring.manifest == manifest),
        ],
    )?;
    let field = ForwardField::InstanceKey;
    key.copied().ok_or(ForwardError::Differs { part, field })
}

/// The instance that receives, or received, a key.
#[derive(Clone, Copy, Debug)]
pub struct Importer<'a> {
    /// Its namespace.
    pub genesis: &'a VerifiedGenesis,
    /// Its chain, verified.
    pub chain: &'a VerifiedChain,
    /// The links that were verified.
    pub links: &'a [Link],
    /// Its setup keys.
    pub setup: &'a KeyPair,
    /// Its module id.
    pub module_id: &'a str,
}

/// A forward whose exporter, policy and approvals have been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedForward {
    /// What the importer certifies.
    pub source: ForwardSource,
    /// How the manifests stand to each other.
    pub relation: Relation,
    /// Sequence of the exporter's manifest.
    pub from: u64,
    /// Which forward of the exporter it is.
    pub count: u64,
    /// When, by the exporter's security module.
    pub time: UnixMillis,
    /// Who approved it, in order of index.
    pub approvers: Vec<Approver>,
    /// How the exporter had come by the key.
    pub provenance: Provenance,
}

/// Verifies that a key was forwarded to this very importer by an instance of its namespace that was
/// allowed to. `key` is the ring's instance key.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_received(
    key: &VerificationKey,
    importer: &Importer<'_>,
    record: &Signed<ForwardRecord>,
    certificate: &Signed<InstanceCertificate>,
    approvals: &[Signed<ForwardApproval>],
) -> Result<VerifiedForward, ForwardError> {
    let part = ForwardPart::Record;
    let digest = record.digest();
    let record = record
        .verify(key)
        .map_err(|_| ForwardError::Signature { part })?;
    let (genesis, manifest) = (importer.genesis.digest(), importer.chain.digest());
    agree(
        part,
        &[
            (ForwardField::Genesis, record.genesis == genesis),
            (ForwardField::Manifest, record.to == manifest),
            (ForwardField::SetupKeys, record.importer == *importer.setup),
            (
                ForwardField::ModuleId,
                record.importer_module.as_str() == importer.module_id,
            ),
        ],
    )?;
    let from = exporting_manifest(importer, record.from)?;
    let to = importer.chain.manifest();
    let relation = relate(from, to)?;
    check_exporter(key, genesis, record, certificate)?;
    let policy = policy(from, record.time)?;
    let approvers = approvers(importer.genesis, policy, relation, from, to, approvals)?;
    Ok(VerifiedForward {
        source: source(digest, record),
        relation,
        from: from.sequence,
        count: record.count,
        time: record.time,
        approvers,
        provenance: certificate.unverified().provenance.clone(),
    })
}

/// What the importer of a record certifies about where its key came from.
#[must_use]
pub fn source(digest: Digest<ForwardRecord>, record: &ForwardRecord) -> ForwardSource {
    ForwardSource {
        record: digest,
        live: record.exporter.clone(),
        module_id: record.exporter_module.clone(),
    }
}

/// The importer's own manifest or the one before it, whichever the record names.
fn exporting_manifest<'a>(
    importer: &Importer<'a>,
    named: Digest<Manifest>,
) -> Result<&'a Manifest, ForwardError> {
    let own = importer.chain.manifest();
    if named == importer.chain.digest() {
        return Ok(own);
    }
    let before = importer.links.iter().rev().nth(1);
    match before {
        // The chain was walked, so what stands before the last link is its predecessor.
        Some(link) if own.previous == Some(named) => Ok(&link.manifest),
        _ => Err(ForwardError::Differs {
            part: ForwardPart::Record,
            field: ForwardField::Predecessor,
        }),
    }
}

fn check_exporter(
    key: &VerificationKey,
    genesis: Digest<Genesis>,
    record: &ForwardRecord,
    certificate: &Signed<InstanceCertificate>,
) -> Result<(), ForwardError> {
    let part = ForwardPart::ExporterCertificate;
    let certificate = certificate
        .verify(key)
        .map_err(|_| ForwardError::Signature { part })?;
    agree(
        part,
        &[
            (ForwardField::Genesis, certificate.genesis == genesis),
            (ForwardField::Manifest, certificate.manifest == record.from),
            (ForwardField::LiveKeys, certificate.live == record.exporter),
            (
                ForwardField::ModuleId,
                certificate.module_id == record.exporter_module,
            ),
        ],
    )
}

/// Verifies that the importer of a record says it has the key. `key` is the ring's instance key.
///
/// # Errors
/// The first rule that is broken.
pub fn verify_confirmed(
    key: &VerificationKey,
    record: &Signed<ForwardRecord>,
    confirmed: &Confirmed,
) -> Result<(), ForwardError> {
    let part = ForwardPart::ImporterCertificate;
    let certificate = confirmed.certificate.verify(key);
    let certificate = certificate.map_err(|_| ForwardError::Signature { part })?;
    let (digest, named) = (record.digest(), record.unverified());
    let expected = Provenance::Forwarded(Box::new(source(digest, named)));
    agree(
        part,
        &[
            (ForwardField::Genesis, certificate.genesis == named.genesis),
            (ForwardField::Manifest, certificate.manifest == named.to),
            (
                ForwardField::ModuleId,
                certificate.module_id == named.importer_module,
            ),
            (ForwardField::Provenance, certificate.provenance == expected),
        ],
    )?;
    let part = ForwardPart::Confirmation;
    let confirmation = confirmed
        .confirmation
        .verify(&certificate.live.verification);
    let confirmation = confirmation.map_err(|_| ForwardError::Signature { part })?;
    agree(
        part,
        &[
            (ForwardField::Genesis, confirmation.genesis == named.genesis),
            (ForwardField::Record, confirmation.record == digest),
            (
                ForwardField::Certificate,
                confirmation.certificate == confirmed.certificate.digest(),
            ),
        ],
    )
}

/// The first field that does not agree with what was verified before.
fn agree(part: ForwardPart, fields: &[(ForwardField, bool)]) -> Result<(), ForwardError> {
    match fields.iter().find(|(_, agrees)| !agrees) {
        None => Ok(()),
        Some((field, _)) => Err(ForwardError::Differs {
            part,
            field: *field,
        }),
    }
}
