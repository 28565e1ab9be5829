//! A namespace with five people, its genesis, manifests, one instance and its evidence.

use std::sync::OnceLock;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use p256::ecdsa::SigningKey;
use quorate_protocol::application::{
    ApplicationCertificate, ApplicationEvidence, ApplicationProof,
};
use quorate_protocol::atoms::{Bytes, Name, Pcr, Sha256, ShareIndex, Text, UnixMillis};
use quorate_protocol::attested::{
    UserData, applications_extension, extended_once, genesis_extension, live_extension,
    setup_extension,
};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
    Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::DrillSharing;
use quorate_protocol::evidence::{Evidence, Origin, Provisioning};
use quorate_protocol::forward::{ForwardApproval, ForwardPolicy};
use quorate_protocol::genesis::{
    CommitmentList, Document, Genesis, GenesisOutputFields, GenesisReceipt, GenesisRecord,
    MemberShare, Possession, SealedShare,
};
use quorate_protocol::instance::{
    Index, InstanceCertificate, KeyRing, KeyRingFields, Provenance, Purpose, RingEntry, derive,
};
use quorate_protocol::keys::{EncryptionKey, KeyPair, VerificationKey};
use quorate_protocol::manifest::{
    Application, Approval, Link, Manifest, ManifestFields, RestartPolicy, Validity,
};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields, Role};
use quorate_protocol::provision::{Provision, ProvisionReceipt, ShareGrant};
use quorate_sealing::Suite;
use quorate_sharing::{Secret, Share, split};
use quorate_verify::attestation::TrustAnchors;
use quorate_verify::chain::Approver;
use quorate_verify::forward::{ForwardError, Relation, approvers};
use quorate_verify::genesis::VerifiedGenesis;
use sha2::{Digest as _, Sha256 as Hash};

use crate::common::cbor::Cbor;
use crate::common::nitro::{self, MODULE_ID, NONCE, NOW, Recipe};

pub(crate) const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
/// The document's time, in milliseconds.
pub(crate) const SIGNED_AT: UnixMillis = UnixMillis(NOW * 1000);
const HOUR: u64 = 3_600_000;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn index(value: u8) -> ShareIndex {
    ShareIndex::new(value).unwrap()
}

/// A key that follows from what it is for.
pub(crate) fn key(purpose: &str) -> SigningKey {
    SigningKey::from_slice(&Hash::digest(purpose)).unwrap()
}

pub(crate) fn verification_key(purpose: &str) -> VerificationKey {
    VerificationKey::of(&key(purpose))
}

/// The key with which a person signs.
pub(crate) fn signing(person: &str) -> SigningKey {
    key(&format!("{person} signs"))
}

fn encryption_key(purpose: &str) -> EncryptionKey {
    EncryptionKey::from_sec1(&verification_key(purpose).to_uncompressed()).unwrap()
}

pub(crate) fn pair(stage: &str) -> KeyPair {
    KeyPair {
        encryption: encryption_key(&format!("{stage} opens")),
        verification: verification_key(&format!("{stage} signs")),
    }
}

pub(crate) fn member(person: &str, place: u8) -> Member {
    Member {
        name: name(person),
        index: index(place),
        signing_key: VerificationKey::of(&signing(person)),
        encryption_key: encryption_key(&format!("{person} opens")),
    }
}

/// A set of these people, with indices from 1.
pub(crate) fn set(threshold: u8, people: &[&str]) -> MemberSet {
    let members = (1..)
        .zip(people)
        .map(|(place, person)| member(person, place));
    Checked::new(MemberSetFields {
        threshold,
        members: members.collect(),
    })
    .unwrap()
}

pub(crate) fn measurements(first: u8) -> Measurements {
    Checked::new(MeasurementFields {
        pcr0: Pcr([first; 48]),
        pcr1: Pcr([first + 1; 48]),
        pcr2: Pcr([first + 2; 48]),
        role_arn: None,
        pcr8: None,
    })
    .unwrap()
}

fn definition() -> DefinitionFields {
    let anchors = anchors();
    let root = anchors.iter().next().unwrap();
    DefinitionFields {
        format: quorate_protocol::FORMAT,
        namespace: name("acme"),
        manifest_set: set(2, &["alice", "bob", "carol"]),
        share_set: set(3, &PEOPLE),
        attestation_root: AttestationRoot {
            partition: name("development"),
            fingerprint: Sha256(*root.fingerprint()),
        },
        measurements: measurements(0x20),
        age_limit: AgeLimit::SHORTEST,
    }
}

/// The anchors under which the world's documents are genuine.
pub(crate) fn anchors() -> TrustAnchors {
    Recipe::new().anchors()
}

/// The certificates of every document, from the root to the leaf.
fn certificates() -> &'static [Vec<u8>] {
    static BUILT: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let build = || {
        Recipe::new()
            .certificates
            .iter()
            .map(|c| c.build())
            .collect()
    };
    BUILT.get_or_init(build)
}

/// What a document of the security module shall say.
#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) timestamp_ms: u64,
    pub(crate) module_id: String,
    /// Registers besides those every document has, or in their place.
    pub(crate) pcrs: Vec<(u64, Pcr)>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) user_data: Vec<u8>,
    /// Number of the key that signs; 5 is the leaf's.
    pub(crate) signer: u8,
}

impl Paper {
    pub(crate) fn set(&mut self, register: u64, value: Pcr) {
        self.remove(register);
        self.pcrs.push((register, value));
    }

    pub(crate) fn remove(&mut self, register: u64) {
        self.pcrs.retain(|(found, _)| *found != register);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        use p384::ecdsa::Signature;
        use p384::ecdsa::signature::Signer;
        let recipe = Recipe::new();
        let mut certificates = certificates().to_vec();
        let leaf = certificates.pop().unwrap();
        let own = |register: u64| self.pcrs.iter().any(|(found, _)| *found == register);
        let mut pcrs: Vec<(Cbor, Cbor)> = (0..16)
            .filter(|register| !own(*register))
            .map(|register| (Cbor::Unsigned(register), Cbor::Bytes(nitro::pcr(register))))
            .collect();
        let extra = self.pcrs.iter();
        pcrs.extend(extra.map(|(register, pcr)| (Cbor::Unsigned(*register), Cbor::bytes(&pcr.0))));
        let entry = |key, value| (Cbor::text(key), value);
        let bundle = certificates.into_iter().map(Cbor::Bytes).collect();
        let payload = Cbor::Map(vec![
            entry("module_id", Cbor::text(&self.module_id)),
            entry("digest", Cbor::text("SHA384")),
            entry("timestamp", Cbor::Unsigned(self.timestamp_ms)),
            entry("pcrs", Cbor::Map(pcrs)),
            entry("certificate", Cbor::Bytes(leaf)),
            entry("cabundle", Cbor::Array(bundle)),
            entry("public_key", Cbor::bytes(&self.public_key)),
            entry("user_data", Cbor::bytes(&self.user_data)),
            entry("nonce", Cbor::bytes(&NONCE)),
        ])
        .encode();
        let signed = Cbor::Array(vec![
            Cbor::text("Signature1"),
            Cbor::bytes(&recipe.protected),
            Cbor::Bytes(Vec::new()),
            Cbor::bytes(&payload),
        ]);
        let signature: Signature = nitro::signing_key(self.signer).sign(&signed.encode());
        Cbor::Array(vec![
            Cbor::bytes(&recipe.protected),
            Cbor::Map(Vec::new()),
            Cbor::Bytes(payload),
            Cbor::bytes(&signature.to_bytes()),
        ])
        .encode()
    }

    pub(crate) fn document(&self) -> Document {
        Bytes::new(self.bytes()).unwrap()
    }
}

fn paper(measurements: &Measurements) -> Paper {
    let registers = measurements.registers();
    Paper {
        timestamp_ms: SIGNED_AT.0,
        module_id: MODULE_ID.to_owned(),
        pcrs: registers.map(|(i, pcr)| (u64::from(i), pcr)).collect(),
        public_key: vec![1],
        user_data: Vec::new(),
        signer: 5,
    }
}

/// A namespace and the secrets of everybody in it.
pub(crate) struct World {
    pub(crate) record: GenesisRecord,
    pub(crate) secret: Secret,
    pub(crate) shares: Vec<Share>,
}

impl World {
    pub(crate) fn new() -> Self {
        static FIRST: OnceLock<World> = OnceLock::new();
        FIRST.get_or_init(|| Self::of(definition())).copy()
    }

    /// A namespace of the same people with other secrets.
    pub(crate) fn other() -> Self {
        static OTHER: OnceLock<World> = OnceLock::new();
        let make = || {
            let mut fields = definition();
            fields.namespace = name("other");
            Self::of(fields)
        };
        OTHER.get_or_init(make).copy()
    }

    /// Secrets cannot be cloned on purpose; a test may.
    fn copy(&self) -> Self {
        let share = |share: &Share| Share::from_bytes(share.index(), &share.to_bytes());
        Self {
            record: self.record.clone(),
            secret: Secret::from_bytes(&self.secret.to_bytes()).unwrap(),
            shares: self.shares.iter().map(|one| share(one).unwrap()).collect(),
        }
    }

    pub(crate) fn of(fields: DefinitionFields) -> Self {
        let definition = Checked::new(fields).unwrap();
        let seed = *Digest::of(&definition).as_bytes();
        let mut rng = ChaCha20Rng::from_seed(seed);
        let secret = Secret::random(&mut rng);
        let set = &definition.share_set;
        let (commitments, shares) =
            split(&secret, set.threshold, &set.indices(), &mut rng).unwrap();
        let consents = consents(&definition);
        let sealed = |index| MemberShare {
            index,
            sealed: sealed_share(index),
        };
        let output = Checked::new(GenesisOutputFields {
            definition: Digest::of(&definition),
            commitments: CommitmentList::from(commitments),
            shares: set.indices().into_iter().map(sealed).collect(),
            drill: drill_sharing(set).0,
        })
        .unwrap();
        let mut world = Self {
            record: GenesisRecord {
                definition,
                consents,
                output,
                document: Bytes::new(vec![0]).unwrap(),
                receipts: Vec::new(),
                exceptions: None,
            },
            secret,
            shares,
        };
        world.record.document = world.birth_paper().document();
        world.record.receipts = (1..=5).map(|place| world.receipt(place)).collect();
        world
    }

    /// Puts another output in place, with document and receipts that fit.
    pub(crate) fn set_output(&mut self, change: impl FnOnce(&mut GenesisOutputFields)) {
        let mut fields = self.record.output.clone().into_inner();
        change(&mut fields);
        self.record.output = Checked::new(fields).unwrap();
        self.record.document = self.birth_paper().document();
        self.record.receipts = (1..=5).map(|place| self.receipt(place)).collect();
    }

    pub(crate) fn genesis(&self) -> Digest<Genesis> {
        self.record.digest()
    }

    pub(crate) fn verified(&self) -> VerifiedGenesis {
        VerifiedGenesis::from_record(self.record.clone()).unwrap()
    }

    /// Who approved a forward between manifests of this namespace.
    pub(crate) fn count(
        &self,
        policy: &ForwardPolicy,
        relation: Relation,
        from: &Manifest,
        to: &Manifest,
        given: &[Signed<ForwardApproval>],
    ) -> Result<Vec<Approver>, ForwardError> {
        approvers(&self.verified(), policy, relation, from, to, given)
    }

    pub(crate) fn birth_paper(&self) -> Paper {
        let genesis = self.record.genesis();
        let mut paper = paper(&self.record.definition.measurements);
        paper.set(16, extended_once(&genesis_extension(&genesis)));
        paper.user_data = to_bytes(&UserData::Genesis(self.genesis()));
        paper.timestamp_ms -= 1000;
        paper
    }

    pub(crate) fn possession(&self, place: u8) -> Possession {
        Possession {
            genesis: self.genesis(),
            epoch: self.record.output.commitments.epoch(),
            index: index(place),
        }
    }

    pub(crate) fn share_key(&self, place: u8) -> SigningKey {
        let mut shares = self.shares.iter();
        let share = shares.find(|share| share.index() == index(place));
        share.unwrap().signing_key()
    }

    pub(crate) fn receipt_of(&self, possession: Signed<Possession>) -> GenesisReceipt {
        let claim = possession.unverified();
        GenesisReceipt {
            genesis: claim.genesis,
            epoch: claim.epoch,
            index: claim.index,
            document: Sha256::of(self.record.document.as_slice()),
            time: SIGNED_AT,
            possession,
        }
    }

    pub(crate) fn receipt(&self, place: u8) -> Signed<GenesisReceipt> {
        let possession = Signed::sign(self.possession(place), &self.share_key(place));
        let person = PEOPLE[usize::from(place) - 1];
        Signed::sign(self.receipt_of(possession), &signing(person))
    }

    /// The first manifest, to be changed or checked.
    pub(crate) fn first(&self) -> ManifestFields {
        let definition = &self.record.definition;
        let commitments = self.record.output.commitments.clone();
        ManifestFields {
            format: quorate_protocol::FORMAT,
            genesis: self.genesis(),
            sequence: 1,
            previous: None,
            last_set_change: None,
            quorum_key: commitments.quorum_key().unwrap(),
            epoch: commitments.epoch(),
            commitments,
            measurements: measurements(0x30),
            applications: vec![application("echo"), application("other")],
            manifest_set: definition.manifest_set.clone(),
            share_set: definition.share_set.clone(),
            validity: Validity {
                not_before: UnixMillis(SIGNED_AT.0 - HOUR),
                not_after: UnixMillis(SIGNED_AT.0 + HOUR),
            },
            suites: vec![1],
            forward: None,
        }
    }

    /// The manifest after `before`, of which nothing but the place is new.
    pub(crate) fn after(before: &Manifest) -> ManifestFields {
        let mut fields = before.clone().into_inner();
        fields.sequence += 1;
        fields.previous = Some(Digest::of(before));
        fields
    }

    /// A chain of `length` manifests, each with exactly the approvals it needs.
    pub(crate) fn chain(&self, length: u64) -> Vec<Link> {
        let mut links = vec![approved(check(self.first()), &MANIFEST_SET)];
        while (links.len() as u64) < length {
            let next = Self::after(&links.last().unwrap().manifest);
            links.push(approved(check(next), &MANIFEST_SET));
        }
        links
    }
}

/// The consents of everybody.
pub(crate) fn consents(definition: &Definition) -> Vec<Signed<DefinitionConsent>> {
    let people = definition.people();
    let names = people.iter().map(|member| member.name.as_str());
    names
        .map(|person| consent(definition, person, person))
        .collect()
}

/// A consent in the name of `person`, signed by `signer`.
pub(crate) fn consent(
    definition: &Definition,
    person: &str,
    signer: &str,
) -> Signed<DefinitionConsent> {
    let consent = DefinitionConsent {
        definition: Digest::of(definition),
        member: name(person),
    };
    Signed::sign(consent, &signing(signer))
}

/// Something of a sealed share's form. Nobody but its member can look inside.
pub(crate) fn sealed_share(index: ShareIndex) -> SealedShare {
    SealedShare {
        suite: Suite::from_id(1).unwrap(),
        enc: Bytes::new(verification_key("ephemeral").to_uncompressed().to_vec()).unwrap(),
        ciphertext: Bytes::new(vec![index.get(); 48]).unwrap(),
    }
}

pub(crate) fn application(text: &str) -> Application {
    Application {
        name: name(text),
        sha256: Sha256::of(text.as_bytes()),
        size: 4,
        arguments: vec![Text::new("--serve").unwrap()],
        environment: Vec::new(),
        ports: Vec::new(),
        memory_limit: 1 << 20,
        restart: RestartPolicy {
            restarts: 2,
            first_back_off_ms: 10,
            largest_back_off_ms: 10_000,
            start_deadline_ms: 10_000,
        },
        calls: Vec::new(),
        shares: Vec::new(),
        egress: Vec::new(),
    }
}

/// Two of the manifest set.
pub(crate) const MANIFEST_SET: [Vote; 2] = [
    (Role::ManifestSet, "alice", 1),
    (Role::ManifestSet, "bob", 2),
];
/// Role, person and index.
pub(crate) type Vote = (Role, &'static str, u8);

pub(crate) fn check(fields: ManifestFields) -> Manifest {
    Checked::new(fields).unwrap()
}

pub(crate) fn approval(manifest: &Manifest, (role, _, place): Vote) -> Approval {
    Approval {
        role,
        genesis: manifest.genesis,
        manifest: Digest::of(manifest),
        index: index(place),
        time: SIGNED_AT,
    }
}

pub(crate) fn vote(manifest: &Manifest, vote: Vote) -> Signed<Approval> {
    Signed::sign(approval(manifest, vote), &signing(vote.1))
}

pub(crate) fn approved(manifest: Manifest, votes: &[Vote]) -> Link {
    let approvals = votes.iter().map(|one| vote(&manifest, *one)).collect();
    Link {
        manifest,
        approvals,
        reshare: None,
        surrogates: Vec::new(),
    }
}

/// An instance of the last manifest of a chain, and everything it signed.
pub(crate) struct Instance<'a> {
    pub(crate) world: &'a World,
    pub(crate) chain: Vec<Link>,
}

impl<'a> Instance<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            chain: world.chain(2),
        }
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.chain.last().unwrap().manifest
    }

    pub(crate) fn digest(&self) -> Digest<Manifest> {
        Digest::of(self.manifest())
    }

    fn paper(&self, public_key: &KeyPair, user_data: &UserData) -> Paper {
        let (genesis, manifest) = (self.world.genesis(), self.digest());
        let mut paper = paper(&self.manifest().measurements);
        let setup = setup_extension(&genesis, &manifest, &pair("setup"));
        let live = live_extension(&genesis, &manifest, &pair("live"));
        let applications = applications_extension(&genesis, &self.manifest().applications);
        for (register, data) in [(16, setup), (17, live), (18, applications)] {
            paper.set(register, extended_once(&data));
        }
        paper.public_key = public_key.to_attested().to_vec();
        paper.user_data = to_bytes(user_data);
        paper
    }

    pub(crate) fn setup_paper(&self) -> Paper {
        self.paper(&pair("setup"), &UserData::Setup(self.digest()))
    }

    pub(crate) fn live_paper(&self) -> Paper {
        self.paper(&pair("live"), &UserData::Live(self.digest()))
    }

    pub(crate) fn grant(&self, place: u8) -> ShareGrant {
        ShareGrant {
            role: Role::ShareSet,
            genesis: self.world.genesis(),
            manifest: self.digest(),
            setup: pair("setup"),
            document: Sha256::of(b"the document that was verified"),
            index: index(place),
            epoch: self.manifest().epoch,
            sealed: Digest::of(&sealed_share(index(place))),
            time: SIGNED_AT,
        }
    }

    pub(crate) fn receipt(&self, grant: &Signed<ShareGrant>, accepted: u8) -> ProvisionReceipt {
        ProvisionReceipt {
            genesis: self.world.genesis(),
            manifest: self.digest(),
            grant: grant.digest(),
            index: grant.unverified().index,
            epoch: self.manifest().epoch,
            accepted,
            threshold: self.manifest().share_set.threshold,
            time: SIGNED_AT,
        }
    }

    /// The grant of a member and the receipt, which says that it was the `accepted`th good share.
    pub(crate) fn provision(&self, place: u8, accepted: u8) -> Provision {
        let person = PEOPLE[usize::from(place) - 1];
        let grant = Signed::sign(self.grant(place), &signing(person));
        self.answered(grant, accepted)
    }

    pub(crate) fn answered(&self, grant: Signed<ShareGrant>, accepted: u8) -> Provision {
        let receipt = self.receipt(&grant, accepted);
        Provision {
            grant,
            receipt: Signed::sign(receipt, &key("setup signs")),
            delegation: None,
        }
    }

    pub(crate) fn ring_key(&self, application: &str, purpose: Purpose) -> SigningKey {
        let genesis = self.world.genesis();
        let secret = derive(&self.world.secret, &genesis, application, purpose);
        secret.unwrap().signing_key()
    }

    pub(crate) fn ring(&self) -> KeyRingFields {
        let entry = |application: &str, purpose| RingEntry {
            application: name(application),
            purpose,
            key: VerificationKey::of(&self.ring_key(application, purpose)),
        };
        let applications = self.manifest().applications.iter();
        let mut names: Vec<_> = applications.map(|a| a.name.as_str()).collect();
        names.push("init");
        names.sort_unstable();
        KeyRingFields {
            genesis: self.world.genesis(),
            manifest: self.digest(),
            sequence: self.manifest().sequence,
            keys: names
                .into_iter()
                .flat_map(|name| match name {
                    "init" => vec![entry("init", Purpose::Instance)],
                    name => vec![
                        entry(name, Purpose::Signing),
                        entry(name, Purpose::Encryption),
                    ],
                })
                .collect(),
        }
    }

    pub(crate) fn signed_ring(&self, fields: KeyRingFields) -> Signed<KeyRing> {
        let key = self.world.secret.signing_key();
        Signed::sign(Checked::new(fields).unwrap(), &key)
    }

    pub(crate) fn certificate(&self) -> InstanceCertificate {
        InstanceCertificate {
            genesis: self.world.genesis(),
            manifest: self.digest(),
            live: pair("live"),
            module_id: Text::new(MODULE_ID).unwrap(),
            epoch: self.manifest().epoch,
            provenance: Provenance::Members([1, 2, 4].map(|place| Index(index(place))).to_vec()),
            time: SIGNED_AT,
        }
    }

    pub(crate) fn signed_certificate(
        &self,
        certificate: InstanceCertificate,
    ) -> Signed<InstanceCertificate> {
        Signed::sign(certificate, &self.ring_key("init", Purpose::Instance))
    }

    pub(crate) fn start(&self, application: &str, start: u64) -> ApplicationCertificate {
        let entry = self.manifest().application(&name(application));
        ApplicationCertificate {
            genesis: self.world.genesis(),
            manifest: self.digest(),
            application: name(application),
            sha256: entry.map_or(Sha256([0; 32]), |entry| entry.sha256),
            start,
            live: verification_key("application"),
            time: SIGNED_AT,
        }
    }

    pub(crate) fn proof(&self, application: &str, start: u64) -> ApplicationProof {
        ApplicationProof {
            genesis: self.world.genesis(),
            application: name(application),
            start,
            kind: name("greeting"),
            payload: Bytes::new(b"hello".to_vec()).unwrap(),
        }
    }

    /// A start with one proof, both signed as they should be.
    pub(crate) fn started(
        &self,
        certificate: ApplicationCertificate,
        proof: ApplicationProof,
    ) -> ApplicationEvidence {
        ApplicationEvidence {
            certificate: Signed::sign(certificate, &key("live signs")),
            proofs: vec![Signed::sign(proof, &key("application"))],
        }
    }

    pub(crate) fn evidence(&self) -> Evidence {
        Evidence {
            format: quorate_protocol::FORMAT,
            record: self.world.record.clone(),
            chain: self.chain.clone(),
            setup: pair("setup"),
            document: self.live_paper().document(),
            provisioning: Some(Provisioning {
                // Bob's share came first.
                origin: Origin::Members(vec![
                    self.provision(1, 2),
                    self.provision(2, 1),
                    self.provision(4, 3),
                ]),
                ring: self.signed_ring(self.ring()),
                certificate: self.signed_certificate(self.certificate()),
            }),
            applications: vec![
                self.started(self.start("echo", 1), self.proof("echo", 1)),
                self.started(self.start("echo", 2), self.proof("echo", 2)),
                self.started(self.start("other", 1), self.proof("other", 1)),
            ],
            forwards: Vec::new(),
        }
    }
}

/// A drill scalar, shared in a set; the same for the same set.
pub(crate) fn drill_sharing(set: &MemberSet) -> (DrillSharing, Vec<Share>) {
    let mut rng = ChaCha20Rng::from_seed([0xd1; 32]);
    let secret = Secret::random(&mut rng);
    let (commitments, shares) = split(&secret, set.threshold, &set.indices(), &mut rng).unwrap();
    let sealed = |index| MemberShare {
        index,
        sealed: sealed_share(index),
    };
    let sharing = DrillSharing {
        commitments: CommitmentList::from(commitments),
        shares: set.indices().into_iter().map(sealed).collect(),
    };
    (sharing, shares)
}
