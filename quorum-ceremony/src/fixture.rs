//! A small world for tests: three people, a key born under a development root, manifests.
//!
//! Everything in it is real: shares, seals, signatures and attestation documents are made by the
//! same code as outside tests, the documents by the emulator's security module.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use quorate_emulator::document::{Fields, sign};
use quorate_emulator::identity::{InstanceId, ModuleId};
use quorate_emulator::measurements::instance_pcr;
use quorate_emulator::pki::{Chain, DevelopmentRoot};
use quorate_protocol::atoms::{Name, Pcr, Sha256, ShareIndex, UnixMillis};
use quorate_protocol::attested::{
    UserData, applications_extension, extended_once, genesis_extension, live_extension,
    setup_extension,
};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
    Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{DrillSharing, genesis_drill_share_context};
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::genesis::{
    CommitmentList, Document, Genesis, GenesisOutput, GenesisOutputFields, GenesisReceipt,
    GenesisRecord, MemberShare, Possession, SealedShare, genesis_share_context,
};
use quorate_protocol::instance::Index;
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::{
    Application, Approval, Link, Manifest, ManifestFields, RestartPolicy, Validity,
};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields, Role};
use quorate_protocol::message::{ProvisionRequest, Request, Response};
use quorate_protocol::provision::ProvisionReceipt;
use quorate_sealing::{DecryptionKey, Suite, seal};
use quorate_sharing::{Secret, Share, split};
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::genesis::VerifiedGenesis;
use zeroize::Zeroizing;

use crate::challenge::wall_clock;
use crate::keyfile::{KeyFile, MemberKeys, Passphrase};
use crate::keys::UnlockedKeys;
use crate::pins::{Pins, SharePin};
use crate::private::PrivateFolder;
use crate::random;
use crate::workspace::Workspace;

/// When everything here was signed.
pub(crate) const SIGNED: UnixMillis = UnixMillis(1_767_225_600_000);
pub(crate) const WORDS: &str = "correct horse battery staple";
pub(crate) const NAMES: [&str; 3] = ["alice", "bob", "carol"];

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn index(value: u8) -> ShareIndex {
    ShareIndex::new(value).unwrap()
}

pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

/// A member's keys as a step has them once they are unlocked.
pub(crate) fn unlocked(keys: &MemberKeys) -> UnlockedKeys {
    UnlockedKeys::File(Box::new(keys.duplicate()))
}

pub(crate) fn measurements(byte: u8) -> Measurements {
    Checked::new(MeasurementFields {
        pcr0: Pcr([byte; 48]),
        pcr1: Pcr([byte; 48]),
        pcr2: Pcr([2; 48]),
        role_arn: None,
        pcr8: None,
    })
    .unwrap()
}

/// A security module below a development root of its own.
pub(crate) struct Nitro {
    root: DevelopmentRoot,
    module: ModuleId,
    chain: Chain,
}

impl Nitro {
    pub(crate) fn new() -> Self {
        let mut rng = random::generator().unwrap();
        let now = wall_clock().0;
        let root = DevelopmentRoot::generate(&mut rng, now).unwrap();
        let instance = InstanceId::generate(&mut rng).unwrap();
        let module = ModuleId::generate(instance, &mut rng, now).unwrap();
        let chain = Chain::issue(&root, &module, &mut rng, now).unwrap();
        Self {
            root,
            module,
            chain,
        }
    }

    pub(crate) fn anchor(&self) -> TrustAnchor {
        TrustAnchor::from_der(Partition::Development, self.root.root_der()).unwrap()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::empty();
        anchors.insert(self.anchor()).unwrap();
        anchors
    }

    /// A document of an enclave that measures as `byte`, with these further registers.
    pub(crate) fn document(
        &self,
        byte: u8,
        registers: &[(u16, Pcr)],
        public_key: Option<&[u8]>,
        user_data: &UserData,
        nonce: &[u8],
    ) -> Document {
        let mut pcrs: Vec<(u16, [u8; 48])> = measurements(byte)
            .registers()
            .map(|(index, pcr)| (u16::from(index), pcr.0))
            .collect();
        pcrs.push((4, instance_pcr(self.module.instance())));
        pcrs.extend(registers.iter().map(|(index, pcr)| (*index, pcr.0)));
        let document = sign(
            &Fields {
                module_id: &self.module.to_string(),
                timestamp_ms: wall_clock().0,
                pcrs: &pcrs,
                public_key,
                user_data: Some(&to_bytes(user_data)),
                nonce: Some(nonce),
            },
            &self.chain,
        );
        Document::new(document.unwrap()).unwrap()
    }
}

/// An instance's keys.
pub(crate) struct Instance {
    pub(crate) setup: KeyPair,
    pub(crate) live: KeyPair,
    pub(crate) setup_signing: Secret,
    pub(crate) setup_decryption: DecryptionKey,
}

impl Instance {
    pub(crate) fn new() -> Self {
        let mut rng = random::generator().unwrap();
        let mut pair = || {
            let (signing, decryption) = (Secret::random(&mut rng), DecryptionKey::random(&mut rng));
            let keys = KeyPair {
                encryption: decryption.public().into(),
                verification: VerificationKey::of(&signing.signing_key()),
            };
            (keys, signing, decryption)
        };
        let (setup, setup_signing, setup_decryption) = pair();
        let (live, ..) = pair();
        Self {
            setup,
            live,
            setup_signing,
            setup_decryption,
        }
    }

    /// Its setup attestation.
    pub(crate) fn attest(&self, nitro: &Nitro, manifest: &Manifest, nonce: &[u8]) -> Document {
        let (genesis, digest) = (manifest.genesis, Digest::of(manifest));
        let once = |data: [u8; 48]| extended_once(&data);
        nitro.document(
            1,
            &[
                (16, once(setup_extension(&genesis, &digest, &self.setup))),
                (17, once(live_extension(&genesis, &digest, &self.live))),
                (
                    18,
                    once(applications_extension(&genesis, &manifest.applications)),
                ),
            ],
            Some(&self.setup.to_attested()),
            &UserData::Setup(digest),
            nonce,
        )
    }

    /// Its answer to a grant, whatever that is: the first of two shares.
    pub(crate) fn receipt(&self, request: &ProvisionRequest) -> Signed<ProvisionReceipt> {
        let grant = request.grant.unverified();
        let receipt = ProvisionReceipt {
            genesis: grant.genesis,
            manifest: grant.manifest,
            grant: request.grant.digest(),
            index: grant.index,
            epoch: grant.epoch,
            accepted: 1,
            threshold: 2,
            time: SIGNED,
        };
        Signed::sign(receipt, &self.setup_signing.signing_key())
    }
}

/// Three people and their key, 2 of 3.
pub(crate) struct World {
    pub(crate) keys: Vec<MemberKeys>,
    pub(crate) nitro: Nitro,
    pub(crate) definition: Definition,
    pub(crate) shares: Vec<Share>,
    pub(crate) output: GenesisOutput,
    /// The one document of the genesis, once it was asked for: a folder keeps the first.
    document: std::sync::OnceLock<Document>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(&NAMES, AgeLimit::SHORTEST)
    }

    /// The same, under a definition of this limit.
    pub(crate) fn limited(limit: AgeLimit) -> Self {
        Self::of(&NAMES, limit)
    }

    /// Four people, two of whom open the key: one can be spared.
    pub(crate) fn four() -> Self {
        Self::of(&["alice", "bob", "carol", "dave"], AgeLimit::SHORTEST)
    }

    fn of(names: &[&str], limit: AgeLimit) -> Self {
        let keys: Vec<MemberKeys> = names
            .iter()
            .map(|text| MemberKeys::generate(name(text)).unwrap())
            .collect();
        let nitro = Nitro::new();
        let mut fields = definition(&keys, &nitro).into_inner();
        fields.age_limit = limit;
        let definition = Checked::new(fields).unwrap();
        let (shares, output) = birth(&definition);
        Self {
            keys,
            nitro,
            definition,
            shares,
            output,
            document: std::sync::OnceLock::new(),
        }
    }

    /// The same people under the same name, with another key.
    pub(crate) fn second_genesis(&self) -> GenesisOutput {
        birth(&self.definition).1
    }

    pub(crate) fn set(&self) -> MemberSet {
        set(&self.keys)
    }

    pub(crate) fn genesis(&self) -> Genesis {
        Genesis {
            definition: Digest::of(&self.definition),
            output: Digest::of(&self.output),
        }
    }

    pub(crate) fn genesis_document(&self, nonce: &[u8]) -> Document {
        let genesis = self.genesis();
        self.nitro.document(
            1,
            &[(16, extended_once(&genesis_extension(&genesis)))],
            None,
            &UserData::Genesis(Digest::of(&genesis)),
            nonce,
        )
    }

    pub(crate) fn consents(&self) -> Vec<Signed<DefinitionConsent>> {
        let definition = Digest::of(&self.definition);
        self.keys
            .iter()
            .map(|keys| {
                let consent = DefinitionConsent {
                    definition,
                    member: keys.name().clone(),
                };
                Signed::sign(consent, &keys.signing_key())
            })
            .collect()
    }

    pub(crate) fn receipts(&self) -> Vec<Signed<GenesisReceipt>> {
        let genesis = Digest::of(&self.genesis());
        let epoch = self.output.commitments.epoch();
        self.keys
            .iter()
            .zip(&self.shares)
            .map(|(keys, share)| {
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
                    document: Sha256::of(b"document"),
                    time: SIGNED,
                    possession: Signed::sign(possession, &share.signing_key()),
                };
                Signed::sign(receipt, &keys.signing_key())
            })
            .collect()
    }

    pub(crate) fn record(&self) -> GenesisRecord {
        GenesisRecord {
            definition: self.definition.clone(),
            consents: self.consents(),
            output: self.output.clone(),
            document: self
                .document
                .get_or_init(|| self.genesis_document(&[7; 32]))
                .clone(),
            receipts: self.receipts(),
            exceptions: None,
        }
    }

    pub(crate) fn verified(&self) -> VerifiedGenesis {
        VerifiedGenesis::from_record(self.record()).unwrap()
    }

    /// Pins of a member after their receipt.
    pub(crate) fn pins(&self, member: usize) -> Pins {
        let mut pins = Pins::new(self.keys[member].name().clone());
        pins.pin_definition(&self.definition).unwrap();
        let share = SharePin {
            index: Index(self.shares[member].index()),
            epoch: self.output.commitments.epoch(),
        };
        pins.pin_genesis(Digest::of(&self.genesis()), Some(share))
            .unwrap();
        pins
    }

    /// The manifest after `before`, with an application of these bytes.
    pub(crate) fn manifest(&self, before: Option<&Manifest>, binary: &[u8]) -> Manifest {
        let commitments = self.output.commitments.clone();
        let now = wall_clock().0;
        Checked::new(ManifestFields {
            format: quorate_protocol::FORMAT,
            genesis: Digest::of(&self.genesis()),
            sequence: before.map_or(1, |before| before.sequence + 1),
            previous: before.map(Digest::of),
            last_set_change: before.and_then(|before| before.last_set_change),
            quorum_key: commitments.quorum_key().unwrap(),
            epoch: commitments.epoch(),
            commitments,
            measurements: measurements(1),
            applications: vec![application("app", binary)],
            manifest_set: self.set(),
            share_set: self.set(),
            validity: Validity {
                not_before: UnixMillis(now - 60_000),
                not_after: UnixMillis(now + 3_600_000),
            },
            suites: vec![Suite::P256Sha256Aes256Gcm.id()],
            forward: before.and_then(|before| before.forward.clone()),
        })
        .unwrap()
    }

    pub(crate) fn approval(&self, manifest: &Manifest, member: usize) -> Signed<Approval> {
        let approval = Approval {
            role: Role::ManifestSet,
            genesis: manifest.genesis,
            manifest: Digest::of(manifest),
            index: self.shares[member].index(),
            time: SIGNED,
        };
        Signed::sign(approval, &self.keys[member].signing_key())
    }

    pub(crate) fn link(&self, manifest: &Manifest, members: &[usize]) -> Link {
        Link {
            manifest: manifest.clone(),
            approvals: members
                .iter()
                .map(|at| self.approval(manifest, *at))
                .collect(),
            reshare: None,
            surrogates: Vec::new(),
        }
    }
}

pub(crate) fn application(text: &str, binary: &[u8]) -> Application {
    Application {
        name: name(text),
        sha256: Sha256::of(binary),
        size: binary.len() as u64,
        arguments: Vec::new(),
        environment: Vec::new(),
        ports: vec![5100],
        memory_limit: 1 << 26,
        restart: RestartPolicy {
            restarts: 0,
            first_back_off_ms: 10,
            largest_back_off_ms: 10_000,
            start_deadline_ms: 10_000,
        },
        calls: Vec::new(),
        shares: Vec::new(),
        egress: Vec::new(),
    }
}

pub(crate) fn set(keys: &[MemberKeys]) -> MemberSet {
    let members = keys
        .iter()
        .zip(1..)
        .map(|(keys, place)| Member {
            name: keys.name().clone(),
            index: index(place),
            signing_key: keys.public().signing,
            encryption_key: keys.public().encryption,
        })
        .collect();
    Checked::new(MemberSetFields {
        threshold: 2,
        members,
    })
    .unwrap()
}

pub(crate) fn definition(keys: &[MemberKeys], nitro: &Nitro) -> Definition {
    Checked::new(DefinitionFields {
        format: quorate_protocol::FORMAT,
        namespace: name("test"),
        manifest_set: set(keys),
        share_set: set(keys),
        attestation_root: AttestationRoot {
            partition: name("development"),
            fingerprint: Sha256(*nitro.anchor().fingerprint()),
        },
        measurements: measurements(1),
        age_limit: AgeLimit::SHORTEST,
    })
    .unwrap()
}

/// A key for this definition, shared and sealed.
pub(crate) fn birth(definition: &Definition) -> (Vec<Share>, GenesisOutput) {
    let mut rng = random::generator().unwrap();
    let secret = Secret::random(&mut rng);
    let set = &definition.share_set;
    let (commitments, shares) = split(&secret, set.threshold, &set.indices(), &mut rng).unwrap();
    let sealed = shares
        .iter()
        .zip(&set.members)
        .map(|(share, member)| seal_share(definition, member, share))
        .collect();
    let output = GenesisOutputFields {
        definition: Digest::of(definition),
        commitments: commitments.into(),
        shares: sealed,
        drill: drill_of(definition).0,
    };
    (shares, Checked::new(output).unwrap())
}

/// A drill scalar for this definition, shared and sealed, and its shares.
pub(crate) fn drill_of(definition: &Definition) -> (DrillSharing, Vec<Share>) {
    let mut rng = random::generator().unwrap();
    let secret = Secret::random(&mut rng);
    let set = &definition.share_set;
    let (commitments, shares) = split(&secret, set.threshold, &set.indices(), &mut rng).unwrap();
    let commitments = CommitmentList::from(commitments);
    let epoch = commitments.epoch();
    let sealed = shares.iter().zip(&set.members).map(|(share, member)| {
        let context = genesis_drill_share_context(&Digest::of(definition), member.index, &epoch);
        let sealed = crate::steps::seal_share(share, &member.encryption_key, &context).unwrap();
        MemberShare {
            index: member.index,
            sealed,
        }
    });
    let shares_of = sealed.collect();
    let sharing = DrillSharing {
        commitments,
        shares: shares_of,
    };
    (sharing, shares)
}

pub(crate) fn seal_share(definition: &Definition, member: &Member, share: &Share) -> MemberShare {
    let context = genesis_share_context(&Digest::of(definition), member.index);
    let suite = Suite::P256Sha256Aes256Gcm;
    let sealed = seal(
        suite,
        member.encryption_key.inner(),
        context.info.as_bytes(),
        &context.aad,
        &*share.to_bytes(),
        &mut random::generator().unwrap(),
    )
    .unwrap();
    MemberShare {
        index: member.index,
        sealed: SealedShare::new(suite, sealed).unwrap(),
    }
}

/// An enclave on a socket that answers each request with what `answer` makes of it.
pub(crate) fn enclave(socket: &Path, answer: impl Fn(Request) -> Response + Send + 'static) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut stream = connection.unwrap();
            let mut assembler = Assembler::new();
            let mut piece = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut piece) {
                if let Some(payload) = assembler.push::<Request>(&piece[..count]).unwrap() {
                    let response = answer(from_bytes(&payload).unwrap());
                    stream
                        .write_all(&frame(&to_bytes(&response)).unwrap())
                        .unwrap();
                }
            }
        }
    });
}

/// Folders of a ceremony on disk.
pub(crate) struct Folders {
    outer: tempfile::TempDir,
}

impl Folders {
    /// Alice has received her share, and an enclave of the first manifest, which these approved, takes any
    /// grant; what it was given.
    pub(crate) fn giving(
        &self,
        world: World,
        approved: &[usize],
    ) -> Arc<Mutex<Vec<ProvisionRequest>>> {
        let (instance, manifest) = (Instance::new(), world.manifest(None, b"app"));
        self.publish(&world, &[world.link(&manifest, approved)]);
        self.member(&world, 0, &world.pins(0));
        let private = PrivateFolder::open(&self.private(0)).unwrap();
        private.store_share(&world.output.shares[0]).unwrap();
        drop(private);
        let given = Arc::<Mutex<Vec<ProvisionRequest>>>::default();
        let log = Arc::clone(&given);
        enclave(&self.socket(), move |request| match request {
            Request::Attest(request) => {
                let nonce = request.nonce.as_slice();
                Response::Attested(instance.attest(&world.nitro, &manifest, nonce))
            }
            Request::Provision(request) => {
                let receipt = instance.receipt(&request);
                log.lock().unwrap().push(request);
                Response::Provisioned(receipt)
            }
            other => panic!("no other request: {other:?}"),
        });
        given
    }

    pub(crate) fn new() -> Self {
        let folders = Self {
            outer: tempfile::tempdir().unwrap(),
        };
        Workspace::create(&folders.shared()).unwrap();
        folders
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.outer.path().join("shared")
    }

    pub(crate) fn private(&self, member: usize) -> PathBuf {
        self.outer.path().join(NAMES[member])
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.outer.path().join("operator.sock")
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::open(&self.shared()).unwrap()
    }

    /// A member who has joined, with these pins.
    pub(crate) fn member(&self, world: &World, member: usize, pins: &Pins) {
        let private = PrivateFolder::create(&self.private(member)).unwrap();
        let file = KeyFile::lock(&world.keys[member], &passphrase(WORDS)).unwrap();
        private.store_key_file(&file).unwrap();
        private.store_pins(pins).unwrap();
    }

    /// The shared folder after genesis, receipts and these links.
    pub(crate) fn publish(&self, world: &World, links: &[Link]) {
        let workspace = self.workspace();
        workspace
            .publish_definition(&world.definition, &world.nitro.anchor())
            .unwrap();
        for consent in world.consents() {
            workspace.publish_consent(&consent).unwrap();
        }
        let record = world.record();
        workspace
            .publish_genesis(&record.output, &record.document)
            .unwrap();
        for (keys, receipt) in world.keys.iter().zip(&record.receipts) {
            workspace.publish_receipt(keys.name(), receipt).unwrap();
        }
        workspace.publish_record(&record).unwrap();
        for link in links {
            workspace.publish_manifest(&link.manifest).unwrap();
            for approval in &link.approvals {
                let index = approval.unverified().index;
                let name = &link.manifest.manifest_set.member(index).unwrap().name;
                workspace
                    .publish_approval(link.manifest.sequence, name, approval)
                    .unwrap();
            }
        }
    }
}
