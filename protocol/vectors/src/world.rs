//! One sample namespace, from its definition to an instance that runs.

use chacha20::ChaCha20Rng;
use quorate_protocol::application::{
    ApplicationCertificate, ApplicationEvidence, ApplicationProof,
};
use quorate_protocol::atoms::{Pcr, Sha256, ShareIndex};
use quorate_protocol::card::{MemberCard, MemberCardFields};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
    Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::genesis_drill_share_context;
use quorate_protocol::evidence::{Evidence, Origin, Provisioning};
use quorate_protocol::exception::GenesisExceptionFields;
use quorate_protocol::forward::{ApprovalRule, ForwardPolicy};
use quorate_protocol::genesis::{
    CommitmentList, Epoch, Genesis, GenesisOutput, GenesisOutputFields, GenesisReceipt,
    GenesisRecord, MemberShare, Possession, SealedShare, genesis_share_context,
};
use quorate_protocol::instance::{
    Index, InstanceCertificate, KeyRing, KeyRingFields, Provenance, Purpose, RingEntry, derive,
};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Application, Approval, Link, Manifest, ManifestFields, Validity};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields, Role};
use quorate_protocol::provision::{
    Provision, ProvisionReceipt, ShareGrant, provision_share_context,
};
use quorate_sealing::Suite;
use quorate_sharing::{Secret, Share, split};

use crate::keys::{encryption, generator, pair, scalar, signing, verification};
use crate::programs::{echo, notary};
use crate::sealing::{drill_sharing, sealed_share};
pub(crate) use crate::values::{bytes, document, index, name, text, time};

/// 2026-11-21T12:00:00Z; every time of the samples is a little later.
pub(crate) const START: u64 = 1_795_262_400_000;

/// A namespace with a key, and what is needed to make objects of it.
pub(crate) struct World {
    pub(crate) definition: Definition,
    pub(crate) record: GenesisRecord,
    pub(crate) genesis: Digest<Genesis>,
    pub(crate) commitments: CommitmentList,
    pub(crate) secret: Secret,
    pub(crate) shares: Vec<Share>,
    pub(crate) drill_shares: Vec<Share>,
    rng: ChaCha20Rng,
}

/// Who is in a set, under which index; and the threshold.
pub(crate) type Set<'a> = (u8, &'a [(&'a str, u8)]);

impl World {
    /// Holds a genesis.
    pub(crate) fn new(namespace: &str, manifest_set: Set<'_>, share_set: Set<'_>) -> Self {
        let mut rng = generator(&format!("{namespace} generator"));
        // The least of the small namespace, more of others.
        let age = if namespace == "sample" { 60 } else { 1800 };
        let definition = checked(DefinitionFields {
            format: quorate_protocol::FORMAT,
            namespace: name(namespace),
            manifest_set: set(manifest_set),
            share_set: set(share_set),
            attestation_root: AttestationRoot {
                partition: name(AttestationRoot::DEVELOPMENT),
                fingerprint: Sha256::of(b"a development root"),
            },
            measurements: measurements("genesis image", false),
            age_limit: AgeLimit::new(age).expect("an age limit"),
        });
        let secret = Secret::from_bytes(&scalar(&format!("{namespace} quorum"))).expect("a scalar");
        let indices = definition.share_set.indices();
        let threshold = definition.share_set.threshold;
        let (commitments, shares) =
            split(&secret, threshold, &indices, &mut rng).expect("a sharing");
        let commitments = CommitmentList::from(commitments);
        let digest = Digest::of(&definition);
        let sealed = shares.iter().map(|share| {
            let context = genesis_share_context(&digest, share.index());
            let member = definition
                .share_set
                .member(share.index())
                .expect("a member");
            MemberShare {
                index: share.index(),
                sealed: sealed_share(&mut rng, &member.encryption_key, &context, share),
            }
        });
        let sealed = sealed.collect();
        let context = |index, epoch: &Epoch| genesis_drill_share_context(&digest, index, epoch);
        let (drill, drill_shares) = drill_sharing(namespace, &definition.share_set, context);
        let output = checked(GenesisOutputFields {
            definition: digest,
            commitments: commitments.clone(),
            shares: sealed,
            drill,
        });
        let record = record(&definition, output, &shares);
        Self {
            genesis: record.digest(),
            definition,
            record,
            commitments,
            secret,
            shares,
            drill_shares,
            rng,
        }
    }

    /// How a member introduces themselves.
    pub(crate) fn card(&self, person: &str) -> Signed<MemberCard> {
        let member = self.definition.named(&name(person)).expect("a person");
        let card = checked(MemberCardFields {
            format: quorate_protocol::FORMAT,
            name: member.name.clone(),
            signing_key: member.signing_key,
            encryption_key: member.encryption_key.clone(),
        });
        Signed::sign(card, &signing(&format!("{person} signing")))
    }

    /// A manifest for the present sets; `change` may alter it.
    pub(crate) fn manifest(&self, change: impl FnOnce(&mut ManifestFields)) -> Manifest {
        let mut fields = ManifestFields {
            format: quorate_protocol::FORMAT,
            genesis: self.genesis,
            sequence: 1,
            previous: None,
            last_set_change: None,
            quorum_key: self.commitments.quorum_key().expect("a point"),
            epoch: self.commitments.epoch(),
            commitments: self.commitments.clone(),
            measurements: measurements("image", false),
            applications: vec![echo()],
            manifest_set: self.definition.manifest_set.clone(),
            share_set: self.definition.share_set.clone(),
            validity: Validity {
                not_before: time(0),
                not_after: time(365 * 86_400),
            },
            suites: vec![Suite::P256Sha256Aes256Gcm.id()],
            forward: None,
        };
        change(&mut fields);
        checked(fields)
    }

    /// A manifest approved by the first members of its manifest set, and of the share set where an
    /// application may connect somewhere, as many as are needed.
    pub(crate) fn link(&self, manifest: Manifest) -> Link {
        let connects = !manifest.egress_policy().is_empty();
        self.approved(manifest, connects)
    }

    /// The same, approved by members of the share set in any case.
    pub(crate) fn link_with_holders(&self, manifest: Manifest) -> Link {
        self.approved(manifest, true)
    }

    fn approved(&self, manifest: Manifest, holders: bool) -> Link {
        let set = &manifest.manifest_set;
        let needed = usize::from(set.threshold);
        let approvals = set.members.iter().take(needed).map(|member| {
            let approval = self.approval(&manifest, Role::ManifestSet, member.index);
            Signed::sign(approval, &signing(&format!("{} signing", member.name)))
        });
        let holders = Some(&self.definition.share_set).filter(|_| holders);
        let holders = holders.into_iter().flat_map(|set| {
            let needed = usize::from(set.threshold);
            set.members.iter().take(needed)
        });
        let held = holders.map(|member| {
            let approval = self.approval(&manifest, Role::ShareSet, member.index);
            Signed::sign(approval, &signing(&format!("{} signing", member.name)))
        });
        let approvals = approvals.chain(held).collect();
        Link {
            manifest,
            approvals,
            reshare: None,
            surrogates: Vec::new(),
        }
    }

    pub(crate) fn approval(&self, manifest: &Manifest, role: Role, index: ShareIndex) -> Approval {
        Approval {
            role,
            genesis: self.genesis,
            manifest: Digest::of(manifest),
            index,
            time: time(60 + u64::from(index.get())),
        }
    }

    /// Three manifests: the second lets erin into the manifest set, the third names the second as
    /// the last change of a set.
    pub(crate) fn chain(&self) -> Vec<Link> {
        let first = self.manifest(|_| {});
        let second = self.manifest(|fields| {
            fields.sequence = 2;
            fields.previous = Some(Digest::of(&first));
            let mut members = fields.manifest_set.clone().into_inner();
            members.members.push(member("erin", 9));
            fields.manifest_set = checked(members);
        });
        let third = self.manifest(|fields| {
            fields.sequence = 3;
            fields.previous = Some(Digest::of(&second));
            fields.last_set_change = Some(Digest::of(&second));
            fields.manifest_set = second.manifest_set.clone();
            fields.measurements = measurements("next image", true);
            fields.applications = vec![echo(), notary()];
            fields.forward = Some(ForwardPolicy {
                not_after: time(300 * 86_400),
                approvals: ApprovalRule::Always,
            });
        });
        vec![self.link(first), self.link(second), self.link(third)]
    }

    /// A member's share, sealed to the setup key, and the grant for it.
    pub(crate) fn grant(
        &mut self,
        manifest: &Manifest,
        position: usize,
    ) -> (Signed<ShareGrant>, SealedShare) {
        let share = &self.shares[position];
        let index = share.index();
        let (manifest, epoch) = (Digest::of(manifest), self.epoch());
        let context = provision_share_context(&self.genesis, &manifest, index, &epoch);
        let setup = pair("setup");
        let sealed = sealed_share(&mut self.rng, &setup.encryption, &context, share);
        let member = self.definition.share_set.member(index).expect("a member");
        let grant = ShareGrant {
            role: Role::ShareSet,
            genesis: self.genesis,
            manifest,
            setup,
            document: Sha256::of(document().as_slice()),
            index,
            epoch,
            sealed: Digest::of(&sealed),
            time: time(120 + u64::from(index.get())),
        };
        let key = signing(&format!("{} signing", member.name));
        (Signed::sign(grant, &key), sealed)
    }

    pub(crate) fn receipt(
        &self,
        grant: &Signed<ShareGrant>,
        accepted: u8,
    ) -> Signed<ProvisionReceipt> {
        let claim = grant.unverified();
        let receipt = ProvisionReceipt {
            genesis: self.genesis,
            manifest: claim.manifest,
            grant: grant.digest(),
            index: claim.index,
            epoch: claim.epoch,
            accepted,
            threshold: self.definition.share_set.threshold,
            time: time(180 + u64::from(accepted)),
        };
        Signed::sign(receipt, &signing("setup es256"))
    }

    pub(crate) fn ring(&self, manifest: &Manifest) -> Signed<KeyRing> {
        let mut keys = Vec::new();
        let mut entry = |application: &str, purpose| {
            let key = self.derived(application, purpose).signing_key();
            keys.push(RingEntry {
                application: name(application),
                purpose,
                key: VerificationKey::of(&key),
            });
        };
        for application in &manifest.applications {
            entry(application.name.as_str(), Purpose::Signing);
            entry(application.name.as_str(), Purpose::Encryption);
        }
        entry(Application::RESERVED, Purpose::Instance);
        keys.sort_by_key(|entry| (entry.application.clone(), entry.purpose));
        let ring = checked(KeyRingFields {
            genesis: self.genesis,
            manifest: Digest::of(manifest),
            sequence: manifest.sequence,
            keys,
        });
        Signed::sign(ring, &self.secret.signing_key())
    }

    pub(crate) fn derived(&self, application: &str, purpose: Purpose) -> Secret {
        derive(&self.secret, &self.genesis, application, purpose).expect("a nonzero scalar")
    }

    pub(crate) fn certificate(&self, manifest: &Manifest) -> Signed<InstanceCertificate> {
        let certificate = InstanceCertificate {
            genesis: self.genesis,
            manifest: Digest::of(manifest),
            live: pair("live"),
            module_id: text("i-0123456789abcdef0-enc0123456789abcdef"),
            epoch: self.epoch(),
            provenance: Provenance::Members(self.givers()),
            time: time(200),
        };
        let key = self
            .derived(Application::RESERVED, Purpose::Instance)
            .signing_key();
        Signed::sign(certificate, &key)
    }

    /// The members who give their shares: the first of the set.
    pub(crate) fn givers(&self) -> Vec<Index> {
        let needed = usize::from(self.definition.share_set.threshold);
        let indices = self.definition.share_set.indices();
        indices.into_iter().take(needed).map(Index).collect()
    }

    pub(crate) fn application(&self, manifest: &Manifest) -> ApplicationEvidence {
        let certificate = ApplicationCertificate {
            genesis: self.genesis,
            manifest: Digest::of(manifest),
            application: name("echo"),
            sha256: echo().sha256,
            start: 1,
            live: verification("echo live"),
            time: time(201),
        };
        let proof = ApplicationProof {
            genesis: self.genesis,
            application: name("echo"),
            start: 1,
            kind: name("echo"),
            payload: bytes(b"hello"),
        };
        ApplicationEvidence {
            certificate: Signed::sign(certificate, &signing("live es256")),
            proofs: vec![Signed::sign(proof, &signing("echo live"))],
        }
    }

    /// Evidence of an instance that was given the key.
    pub(crate) fn evidence(&mut self, chain: Vec<Link>) -> Evidence {
        let manifest = chain.last().expect("a manifest").manifest.clone();
        let needed = self.definition.share_set.threshold;
        let provisions = (0..needed).map(|position| {
            let (grant, _) = self.grant(&manifest, usize::from(position));
            let receipt = self.receipt(&grant, position + 1);
            Provision {
                grant,
                receipt,
                delegation: None,
            }
        });
        let provisioning = Provisioning {
            origin: Origin::Members(provisions.collect()),
            ring: self.ring(&manifest),
            certificate: self.certificate(&manifest),
        };
        Evidence {
            format: quorate_protocol::FORMAT,
            record: self.record.clone(),
            chain,
            setup: pair("setup"),
            document: document(),
            provisioning: Some(provisioning),
            applications: vec![self.application(&manifest)],
            forwards: Vec::new(),
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.commitments.epoch()
    }
}

fn record(definition: &Definition, output: GenesisOutput, shares: &[Share]) -> GenesisRecord {
    let digest = Digest::of(definition);
    let consents = definition.people().into_iter().map(|person| {
        let consent = DefinitionConsent {
            definition: digest,
            member: person.name.clone(),
        };
        Signed::sign(consent, &signing(&format!("{} signing", person.name)))
    });
    let genesis = Digest::of(&Genesis {
        definition: digest,
        output: Digest::of(&output),
    });
    let epoch = output.commitments.epoch();
    let receipts = shares.iter().map(|share| {
        let index = share.index();
        let possession = Possession {
            genesis,
            epoch,
            index,
        };
        let receipt = GenesisReceipt {
            genesis,
            epoch,
            index,
            document: Sha256::of(document().as_slice()),
            time: time(10 + u64::from(index.get())),
            possession: Signed::sign(possession, &share.signing_key()),
        };
        let member = definition.share_set.member(index).expect("a member");
        Signed::sign(receipt, &signing(&format!("{} signing", member.name)))
    });
    GenesisRecord {
        definition: definition.clone(),
        consents: consents.collect(),
        receipts: receipts.collect(),
        exceptions: None,
        output,
        document: document(),
    }
}

/// The same record without the last receipt, and with everybody else's exception.
pub(crate) fn excepted(mut record: GenesisRecord) -> GenesisRecord {
    let (genesis, epoch) = (record.digest(), record.output.commitments.epoch());
    let missing = record.receipts.pop().expect("a receipt");
    let missing = vec![Index(missing.unverified().index)];
    let exceptions = record.receipts.iter().map(|receipt| {
        let index = receipt.unverified().index;
        let exception = checked(GenesisExceptionFields {
            genesis,
            epoch,
            index,
            missing: missing.clone(),
            time: time(400 + u64::from(index.get())),
        });
        let member = record.definition.share_set.member(index).expect("a member");
        Signed::sign(exception, &signing(&format!("{} signing", member.name)))
    });
    record.exceptions = Some(exceptions.collect());
    record
}

fn measurements(image: &str, whole: bool) -> Measurements {
    let pcr = |part: &str| Pcr::ZERO.extend(format!("{image} {part}").as_bytes());
    checked(MeasurementFields {
        pcr0: pcr("pcr0"),
        pcr1: pcr("pcr1"),
        pcr2: pcr("pcr2"),
        role_arn: whole.then(|| text("arn:aws:iam::123456789012:role/quorate")),
        pcr8: whole.then(|| pcr("pcr8")),
    })
}

pub(crate) fn member(person: &str, at: u8) -> Member {
    Member {
        name: name(person),
        index: index(at),
        signing_key: verification(&format!("{person} signing")),
        encryption_key: encryption(&format!("{person} encryption")),
    }
}

pub(crate) fn set((threshold, people): Set<'_>) -> MemberSet {
    checked(MemberSetFields {
        threshold,
        members: people
            .iter()
            .map(|(person, at)| member(person, *at))
            .collect(),
    })
}

fn checked<T: quorate_protocol::cbor::Rules>(value: T) -> Checked<T> {
    Checked::new(value).expect("a sample that keeps the rules")
}
