//! That the instance was given the quorum key: grants, receipts, key ring, instance certificate.

use std::collections::BTreeSet;

use quorate_protocol::atoms::Name;
use quorate_protocol::cose::Signed;
use quorate_protocol::evidence::{Origin, Provisioning};
use quorate_protocol::instance::{Index, KeyRing, Provenance, Purpose};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::{Application, Manifest};
use quorate_protocol::members::Member;
use quorate_protocol::provision::{Provision, ShareGrant};

use super::checks::{
    FORWARDED, INSTANCE_CERTIFICATE, KEY_RING, PROVISIONED, SHARE_GRANTS, SHARE_RECEIPTS,
};
use super::document::Committed;
use super::error::{EvidenceError, Field, Part};
use super::report::MemberFacts;
use super::{Instance, Run};
use crate::surrogate::{self, Place};
use crate::text::{Listed, Utc, by_surrogate};

impl Run<'_> {
    pub(super) fn check_provisioned(&mut self) {
        let given = self.evidence.provisioning.as_ref();
        let given = given.map(drop).ok_or(EvidenceError::NotProvisioned);
        self.ledger.settle(&PROVISIONED, given, |()| {
            "The evidence says how the instance was given the quorum key.".to_owned()
        });
    }

    pub(super) fn check_provisioning(&mut self, instance: &Instance<'_>, committed: &Committed) {
        let Some(provisioning) = self.evidence.provisioning.as_ref() else {
            return;
        };
        let granters = match &provisioning.origin {
            Origin::Members(provisions) => {
                let claim = "Members gave their shares: no other instance forwarded the key.";
                self.ledger.waive(&FORWARDED, claim.to_owned());
                let granters = committed
                    .setup
                    .then(|| self.check_shares(instance, provisions));
                granters.flatten().map(Provenance::Members)
            }
            Origin::Forwarded(_) => {
                let claim = "Another instance forwarded the key: no shares were given to this one.";
                self.ledger.waive(&SHARE_GRANTS, claim.to_owned());
                self.ledger.waive(&SHARE_RECEIPTS, claim.to_owned());
                None
            }
        };
        let key = check_ring(instance, provisioning);
        let key = self.ledger.settle(&KEY_RING, key, |_| {
            format!(
                "The quorum key signed the {} keys of this namespace under manifest {}.",
                provisioning.ring.unverified().keys.len(),
                instance.chain.sequence()
            )
        });
        if key.is_some() {
            let ring = provisioning.ring.unverified();
            self.ledger.facts.ring.clone_from(&ring.keys);
        }
        let source = match (&provisioning.origin, &key) {
            (Origin::Forwarded(received), Some(key)) if committed.setup => {
                self.check_received(instance, provisioning, received, key)
            }
            _ => None,
        };
        if let Some(key) = &key {
            self.check_forwards(instance, key, committed);
        }
        let origin = granters.or(source);
        if let (Some(origin), Some(key), Some(live)) = (origin, key, &committed.live) {
            let outcome = check_certificate(instance, provisioning, &key, live, &origin);
            self.ledger.settle(&INSTANCE_CERTIFICATE, outcome, |()| {
                let time = provisioning.certificate.unverified().time;
                format!(
                    "The holder of the quorum key certified the live keys of this instance on {}.",
                    Utc(time)
                )
            });
        }
    }

    /// Grants, then receipts. Returns the indices of the members whose grants are right.
    fn check_shares(
        &mut self,
        instance: &Instance<'_>,
        provisions: &[Provision],
    ) -> Option<Vec<Index>> {
        let setup = &self.evidence.setup;
        let members = check_grants(instance, provisions, setup);
        let members = self.ledger.settle(&SHARE_GRANTS, members, |members| {
            format!(
                "{} gave their shares to this very instance, {} being the threshold.",
                Listed(&people(provisions, members)),
                instance.chain.manifest().share_set.threshold
            )
        })?;
        let given = provisions.iter().zip(&members);
        self.ledger.facts.shares_given_by = given
            .map(|(provision, member)| MemberFacts {
                name: member.name.clone(),
                index: member.index,
                time: provision.grant.unverified().time,
                surrogate: surrogate_of(provision),
            })
            .collect();
        let receipts = check_receipts(instance, provisions, setup, &members);
        self.ledger.settle(&SHARE_RECEIPTS, receipts, |()| {
            format!(
                "The instance confirmed the shares of {} as good, with its setup key.",
                Listed(&people(provisions, &members))
            )
        });
        Some(members.iter().map(|member| Index(member.index)).collect())
    }
}

fn surrogate_of(provision: &Provision) -> Option<Name> {
    let delegation = provision.delegation.as_ref()?;
    Some(delegation.unverified().surrogate.clone())
}

/// `alice`, or `alice by surrogate grace`.
fn people(provisions: &[Provision], members: &[&Member]) -> Vec<String> {
    let given = provisions.iter().zip(members);
    given
        .map(|(provision, member)| by_surrogate(&member.name, surrogate_of(provision).as_ref()))
        .collect()
}

/// Exactly as many grants as the threshold, ascending by index. The members they are of.
fn check_grants<'a>(
    instance: &Instance<'a>,
    provisions: &[Provision],
    setup: &KeyPair,
) -> Result<Vec<&'a Member>, EvidenceError> {
    let set = &instance.chain.manifest().share_set;
    let found = provisions.len();
    if found != usize::from(set.threshold) {
        return Err(EvidenceError::GrantCount {
            need: set.threshold,
            found,
        });
    }
    let mut members: Vec<&Member> = Vec::with_capacity(found);
    for provision in provisions {
        let index = provision.grant.unverified().index;
        let member = set
            .member(index)
            .ok_or(EvidenceError::GrantOfStranger { index })?;
        let epoch = instance.chain.manifest().epoch;
        if !instance.genesis.is_active(index, epoch) {
            return Err(EvidenceError::GrantOfInactive { index });
        }
        if members.last().is_some_and(|last| last.index >= index) {
            return Err(EvidenceError::OutOfOrder {
                part: Part::Grant,
                whose: Some(member.name.clone()),
            });
        }
        let before = provisions.get(..members.len()).unwrap_or_default();
        check_grant(instance, provision, setup, member, before)?;
        members.push(member);
    }
    Ok(members)
}

fn check_grant(
    instance: &Instance<'_>,
    provision: &Provision,
    setup: &KeyPair,
    member: &Member,
    before: &[Provision],
) -> Result<(), EvidenceError> {
    let whose = || Some(member.name.clone());
    let key = match &provision.delegation {
        None => member.signing_key,
        Some(delegation) => {
            let others = before
                .iter()
                .filter_map(|known| known.delegation.as_deref());
            let others: Vec<_> = others.map(Signed::unverified).collect();
            let manifest = instance.chain.manifest();
            let place = Place::of_holder(instance.genesis.digest(), manifest, member);
            let delegation = surrogate::check(&place, delegation, &others)?;
            // The instance took the share at that time of its security module.
            surrogate::counts(delegation, provision.receipt.unverified().time)?;
            delegation.signing_key
        }
    };
    let grant: &ShareGrant =
        provision
            .grant
            .verify(&key)
            .map_err(|_| EvidenceError::Signature {
                part: Part::Grant,
                whose: whose(),
            })?;
    let fields = [
        (Field::Genesis, grant.genesis == instance.genesis.digest()),
        (Field::Manifest, grant.manifest == instance.chain.digest()),
        (Field::SetupKeys, grant.setup == *setup),
        (Field::Epoch, grant.epoch == instance.chain.manifest().epoch),
    ];
    agree(Part::Grant, whose, &fields)
}

/// A receipt for every grant, and between them every count from one to the threshold.
fn check_receipts(
    instance: &Instance<'_>,
    provisions: &[Provision],
    setup: &KeyPair,
    members: &[&Member],
) -> Result<(), EvidenceError> {
    let threshold = instance.chain.manifest().share_set.threshold;
    let mut counts = BTreeSet::new();
    for (provision, member) in provisions.iter().zip(members) {
        let whose = || Some(member.name.clone());
        let receipt = provision.receipt.verify(&setup.verification).map_err(|_| {
            EvidenceError::Signature {
                part: Part::Receipt,
                whose: whose(),
            }
        })?;
        let progress = receipt.threshold == threshold
            && (1..=threshold).contains(&receipt.accepted)
            && counts.insert(receipt.accepted);
        let fields = [
            (Field::Genesis, receipt.genesis == instance.genesis.digest()),
            (Field::Manifest, receipt.manifest == instance.chain.digest()),
            (Field::Grant, receipt.grant == provision.grant.digest()),
            (Field::Index, receipt.index == member.index),
            (
                Field::Epoch,
                receipt.epoch == instance.chain.manifest().epoch,
            ),
            (Field::Progress, progress),
        ];
        agree(Part::Receipt, whose, &fields)?;
    }
    Ok(())
}

/// The ring's key for instance certificates, if the quorum key signed exactly this manifest's ring.
fn check_ring(
    instance: &Instance<'_>,
    provisioning: &Provisioning,
) -> Result<VerificationKey, EvidenceError> {
    let part = Part::KeyRing;
    let ring = provisioning
        .ring
        .verify(instance.genesis.quorum_key())
        .map_err(|_| EvidenceError::Signature { part, whose: None })?;
    let chain = instance.chain;
    let fields = [
        (Field::Genesis, ring.genesis == instance.genesis.digest()),
        (Field::Manifest, ring.manifest == chain.digest()),
        (Field::Sequence, ring.sequence == chain.sequence()),
    ];
    agree(part, || None, &fields)?;
    check_ring_entries(chain.manifest(), ring)
}

fn check_ring_entries(
    manifest: &Manifest,
    ring: &KeyRing,
) -> Result<VerificationKey, EvidenceError> {
    let belongs = |name: &Name, purpose: Purpose| match purpose {
        Purpose::Instance => name.as_str() == Application::RESERVED,
        Purpose::Signing | Purpose::Encryption => manifest.application(name).is_some(),
    };
    if let Some(extra) = ring
        .keys
        .iter()
        .find(|entry| !belongs(&entry.application, entry.purpose))
    {
        return Err(EvidenceError::RingExtra {
            application: extra.application.clone(),
            purpose: extra.purpose,
        });
    }
    for application in &manifest.applications {
        for purpose in [Purpose::Signing, Purpose::Encryption] {
            if ring.key(application.name.as_str(), purpose).is_none() {
                return Err(EvidenceError::RingMissing {
                    application: application.name.clone(),
                    purpose,
                });
            }
        }
    }
    ring.key(Application::RESERVED, Purpose::Instance)
        .copied()
        .ok_or(EvidenceError::RingInstanceMissing)
}

fn check_certificate(
    instance: &Instance<'_>,
    provisioning: &Provisioning,
    key: &VerificationKey,
    live: &KeyPair,
    origin: &Provenance,
) -> Result<(), EvidenceError> {
    let part = Part::InstanceCertificate;
    let certificate = provisioning
        .certificate
        .verify(key)
        .map_err(|_| EvidenceError::Signature { part, whose: None })?;
    let module_id = instance.attested.document().module_id();
    let fields = [
        (
            Field::Genesis,
            certificate.genesis == instance.genesis.digest(),
        ),
        (
            Field::Manifest,
            certificate.manifest == instance.chain.digest(),
        ),
        (Field::LiveKeys, certificate.live == *live),
        (Field::ModuleId, certificate.module_id.as_str() == module_id),
        (
            Field::Epoch,
            certificate.epoch == instance.chain.manifest().epoch,
        ),
        (Field::Provenance, certificate.provenance == *origin),
    ];
    agree(part, || None, &fields)
}

/// The first field that does not agree with what was verified before.
pub(super) fn agree(
    part: Part,
    whose: impl Fn() -> Option<Name>,
    fields: &[(Field, bool)],
) -> Result<(), EvidenceError> {
    match fields.iter().find(|(_, agrees)| !agrees) {
        None => Ok(()),
        Some((field, _)) => Err(EvidenceError::Mismatch {
            part,
            whose: whose(),
            field: *field,
        }),
    }
}
