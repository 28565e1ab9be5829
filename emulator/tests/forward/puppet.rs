//! Importers that lie, and an exporter that does.
//!
//! The namespace's attestation root is one that the test holds, so the test can sign whatever a
//! dishonest enclave or host might wish for; the exporter is a real one. A puppet that is honest in
//! everything gets the key, which shows that each refusal is for the lie alone.

use getrandom::SysRng;
use quorate_emulator::document::{Fields, sign};
use quorate_emulator::identity::{InstanceId, ModuleId};
use quorate_emulator::measurements::{instance_pcr, role_pcr};
use quorate_emulator::pki::{Chain, DevelopmentRoot};
use quorate_protocol::atoms::{Name, Pcr, Sha256, UnixMillis};
use quorate_protocol::attested::{
    UserData, applications_extension, extended_once, live_extension, setup_extension,
};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::AttestationRoot;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::{
    Confirmed, ExportRequest, ForwardConfirmation, ForwardRecord, ForwardSource, ForwardedKey,
    forward_key_context,
};
use quorate_protocol::genesis::{Document, SealedShare};
use quorate_protocol::instance::{InstanceCertificate, Provenance, Purpose, derive};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::Reason;
use quorate_sealing::{DecryptionKey, Suite, open, seal};
use quorate_sharing::Secret;

use crate::common::{Instance, consents, nonce, reason, rng};
use crate::{
    Namespace, ROLE, ask_export, ask_hand_over, ask_import, challenge, document, export, hand_over,
    world,
};

/// Both keys of a stage, with their secrets.
struct Keys {
    signing: Secret,
    decryption: DecryptionKey,
}

impl Keys {
    fn new() -> Self {
        Self {
            signing: Secret::random(&mut rng()),
            decryption: DecryptionKey::random(&mut rng()),
        }
    }

    fn public(&self) -> KeyPair {
        KeyPair {
            encryption: self.decryption.public().into(),
            verification: VerificationKey::of(&self.signing.signing_key()),
        }
    }
}

/// What a puppet says in its document.
struct Paper {
    pcrs: Vec<(u16, Pcr)>,
    public_key: KeyPair,
    user_data: UserData,
    nonce: Vec<u8>,
}

/// A namespace under the test's own root, an exporter in it, and an importer made of keys.
struct Puppet {
    namespace: Namespace,
    exporter: Instance,
    chain: Chain,
    module: ModuleId,
    setup: Keys,
    live: Keys,
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_millis() as u64
}

impl Puppet {
    fn new() -> Self {
        let root = DevelopmentRoot::generate(&mut SysRng, now()).unwrap();
        let instance = InstanceId::generate(&mut SysRng).unwrap();
        let module = ModuleId::generate(instance, &mut SysRng, now()).unwrap();
        let chain = Chain::issue(&root, &module, &mut SysRng, now()).unwrap();
        let mut world = world();
        let mut fields = world.definition.clone().into_inner();
        fields.attestation_root = AttestationRoot {
            partition: Name::new(AttestationRoot::DEVELOPMENT).unwrap(),
            fingerprint: Sha256::of(root.root_der()),
        };
        world.definition = Checked::new(fields).unwrap();
        world.consents = consents(&world.definition, &world.people);
        let (record, shares) = world.genesis();
        let mut namespace = Namespace::of(world, record, shares, |_| {});
        let exporter = namespace.run(&[namespace.first.clone()]);
        Self {
            namespace,
            exporter,
            chain,
            module,
            setup: Keys::new(),
            live: Keys::new(),
        }
    }

    fn manifest(&self) -> &Manifest {
        &self.namespace.first.manifest
    }

    /// The document of an honest importer, for the exporter's challenge.
    fn paper(&self) -> Paper {
        let manifest = self.manifest();
        let (genesis, digest) = (manifest.genesis, Digest::of(manifest));
        let (setup, live) = (self.setup.public(), self.live.public());
        let measured = manifest.measurements.registers();
        let mut pcrs: Vec<(u16, Pcr)> = measured.map(|(at, pcr)| (u16::from(at), pcr)).collect();
        let applications = applications_extension(&genesis, &manifest.applications);
        pcrs.extend([
            (3, Pcr(role_pcr(ROLE))),
            (4, Pcr(instance_pcr(self.module.instance()))),
            (
                16,
                extended_once(&setup_extension(&genesis, &digest, &setup)),
            ),
            (17, extended_once(&live_extension(&genesis, &digest, &live))),
            (18, extended_once(&applications)),
        ]);
        Paper {
            pcrs,
            public_key: setup,
            user_data: UserData::Setup(digest),
            nonce: challenge(&self.exporter.enclave).nonce.into_vec(),
        }
    }

    fn signed(&self, paper: &Paper) -> ExportRequest {
        let pcrs: Vec<_> = paper.pcrs.iter().map(|(at, pcr)| (*at, pcr.0)).collect();
        let fields = Fields {
            module_id: &self.module.to_string(),
            timestamp_ms: now(),
            pcrs: &pcrs,
            public_key: Some(&paper.public_key.to_attested()),
            user_data: Some(&to_bytes(&paper.user_data)),
            nonce: Some(&paper.nonce),
        };
        ExportRequest {
            document: Document::new(sign(&fields, &self.chain).unwrap()).unwrap(),
            link: None,
            approvals: Vec::new(),
        }
    }

    /// Refuses the lie, then forwards to the same puppet without it.
    fn refuses(&self, lie: impl FnOnce(&mut Paper)) -> Reason {
        let mut paper = self.paper();
        lie(&mut paper);
        let refused = reason(ask_export(&self.exporter.enclave, &self.signed(&paper)));
        export(&self.exporter.enclave, &self.signed(&self.paper()));
        refused
    }

    /// Gets the key as an honest importer does.
    fn receive(&self) -> (ForwardedKey, Secret) {
        let forwarded = export(&self.exporter.enclave, &self.signed(&self.paper()));
        let context = forward_key_context(forwarded.record.unverified());
        let opened = open(
            Suite::P256Sha256Aes256Gcm,
            &self.setup.decryption,
            context.info.as_bytes(),
            &context.aad,
            &forwarded.sealed.sealed(),
            32,
        )
        .unwrap();
        let secret = Secret::from_bytes(opened.as_slice().try_into().unwrap()).unwrap();
        (forwarded, secret)
    }

    fn instance_key(&self, secret: &Secret) -> p256::ecdsa::SigningKey {
        let genesis = self.manifest().genesis;
        derive(secret, &genesis, "init", Purpose::Instance)
            .unwrap()
            .signing_key()
    }

    /// What an importer with these live keys says when it has the key.
    fn confirmed(&self, forwarded: &ForwardedKey, secret: &Secret, live: &Keys) -> Confirmed {
        let record = forwarded.record.unverified();
        let certificate = InstanceCertificate {
            live: live.public(),
            module_id: record.importer_module.clone(),
            provenance: Provenance::Forwarded(Box::new(ForwardSource {
                record: forwarded.record.digest(),
                live: record.exporter.clone(),
                module_id: record.exporter_module.clone(),
            })),
            ..forwarded.certificate.unverified().clone()
        };
        let certificate = Signed::sign(certificate, &self.instance_key(secret));
        let word = ForwardConfirmation {
            genesis: record.genesis,
            record: forwarded.record.digest(),
            certificate: certificate.digest(),
            time: UnixMillis(1),
        };
        Confirmed {
            certificate,
            confirmation: Signed::sign(word, &live.signing.signing_key()),
        }
    }
}

fn set(paper: &mut Paper, register: u16, value: Pcr) {
    for (at, pcr) in &mut paper.pcrs {
        if *at == register {
            *pcr = value;
        }
    }
}

#[test]
fn a_puppet_that_does_not_lie_gets_the_quorum_key_and_ends_the_exporter() {
    let puppet = Puppet::new();
    let (forwarded, secret) = puppet.receive();
    let quorum_key = puppet.manifest().quorum_key;
    assert_eq!(secret.public_key(), quorum_key.to_compressed());
    let confirmed = puppet.confirmed(&forwarded, &secret, &puppet.live);
    hand_over(&puppet.exporter.enclave, &confirmed);
}

#[test]
fn an_importer_in_debug_mode_fails_closed() {
    let puppet = Puppet::new();
    let refused = puppet.refuses(|paper| {
        for register in 0..3 {
            set(paper, register, Pcr::ZERO);
        }
    });
    assert_eq!(refused, Reason::ForwardDebug);
}

#[test]
fn an_importer_of_another_image_fails_closed() {
    let puppet = Puppet::new();
    let refused = puppet.refuses(|paper| set(paper, 1, Pcr([9; 48])));
    assert_eq!(refused, Reason::ForwardMeasurements);
}

#[test]
fn setup_keys_that_are_not_committed_fails_closed() {
    let puppet = Puppet::new();
    let refused = puppet.refuses(|paper| paper.public_key = Keys::new().public());
    assert_eq!(refused, Reason::ForwardKeys);
}

#[test]
fn registers_of_another_manifest_fails_closed() {
    let puppet = Puppet::new();
    for register in [16, 18] {
        let paper = |paper: &mut Paper| set(paper, register, Pcr([9; 48]));
        assert_eq!(puppet.refuses(paper), Reason::ForwardKeys);
    }
}

#[test]
fn an_importer_that_fixed_no_live_keys_fails_closed() {
    let puppet = Puppet::new();
    let refused = puppet.refuses(|paper| set(paper, 17, Pcr::ZERO));
    assert_eq!(refused, Reason::ForwardKeys);
}

#[test]
fn a_register_that_is_not_locked_fails_closed() {
    let puppet = Puppet::new();
    for (register, expected) in [(16, Reason::ForwardKeys), (3, Reason::ForwardOtherAccount)] {
        let refused = puppet.refuses(|paper| paper.pcrs.retain(|(at, _)| *at != register));
        assert_eq!(refused, expected);
    }
}

/// A live document of the same keys is no setup document.
#[test]
fn a_document_of_another_stage_fails_closed() {
    let puppet = Puppet::new();
    let digest = Digest::of(puppet.manifest());
    let refused = puppet.refuses(|paper| paper.user_data = UserData::Live(digest));
    assert_eq!(refused, Reason::ForwardKeys);
}

#[test]
fn a_nonce_that_was_not_drawn_here_fails_closed() {
    let puppet = Puppet::new();
    let refused = puppet.refuses(|paper| paper.nonce = nonce().into_vec());
    assert_eq!(refused, Reason::ForwardNonce);
}

#[test]
fn a_parent_with_another_role_fails_closed() {
    let puppet = Puppet::new();
    let other = Pcr(role_pcr("arn:aws:iam::999999999999:role/quorate"));
    let refused = puppet.refuses(|paper| set(paper, 3, other));
    assert_eq!(refused, Reason::ForwardOtherAccount);
}

/// A real enclave of the right image, manifest and role, but not under the namespace's root.
#[test]
fn an_importer_under_another_root_fails_closed() {
    let mut puppet = Puppet::new();
    let chain = [puppet.namespace.first.clone()];
    let importer = puppet.namespace.boot(&chain);
    let drawn = challenge(&puppet.exporter.enclave);
    let request = ExportRequest {
        document: document(&importer.enclave, &drawn),
        link: None,
        approvals: Vec::new(),
    };
    let refused = reason(ask_export(&puppet.exporter.enclave, &request));
    assert_eq!(refused, Reason::ForwardDocument);
    puppet.receive();
}

#[test]
fn a_document_that_was_altered_fails_closed() {
    let puppet = Puppet::new();
    let honest = puppet.signed(&puppet.paper());
    let bytes = honest.document.as_slice();
    for at in [10, bytes.len() / 2, bytes.len() - 1] {
        let mut altered = bytes.to_vec();
        altered[at] ^= 1;
        let request = ExportRequest {
            document: Document::new(altered).unwrap(),
            ..honest.clone()
        };
        let refused = reason(ask_export(&puppet.exporter.enclave, &request));
        assert_eq!(refused, Reason::ForwardDocument, "byte {at}");
    }
    export(&puppet.exporter.enclave, &honest);
}

/// The importer's key is good, its certificate too, but its live keys are not those it attested: the
/// host put another enclave in its place.
#[test]
fn live_keys_that_were_not_attested_fails_closed() {
    let puppet = Puppet::new();
    let (forwarded, secret) = puppet.receive();
    let other = puppet.confirmed(&forwarded, &secret, &Keys::new());
    let refused = reason(ask_hand_over(&puppet.exporter.enclave, &other));
    assert_eq!(refused, Reason::ConfirmationForAnother);
    puppet.exporter.await_running();
    let confirmed = puppet.confirmed(&forwarded, &secret, &puppet.live);
    hand_over(&puppet.exporter.enclave, &confirmed);
}

/// An exporter that has the instance key, and forwards something else than the quorum key.
#[test]
fn a_key_that_is_not_the_quorum_key_fails_closed() {
    let mut puppet = Puppet::new();
    let (_, secret) = puppet.receive();
    let chain = [puppet.namespace.first.clone()];
    let importer = puppet.namespace.boot(&chain);
    let (mut forwarded, _) = puppet.receive();
    let mut fields = forwarded.record.unverified().clone().into_inner();
    fields.importer = importer.booted.setup.clone();
    fields.importer_module =
        quorate_protocol::atoms::Text::new(&importer.enclave.started.module).unwrap();
    let record: ForwardRecord = Checked::new(fields).unwrap();
    let sealed = |scalar: &[u8]| {
        let context = forward_key_context(&record);
        let suite = Suite::P256Sha256Aes256Gcm;
        let sealed = seal(
            suite,
            importer.booted.setup.encryption.inner(),
            context.info.as_bytes(),
            &context.aad,
            scalar,
            &mut rng(),
        );
        SealedShare::new(suite, sealed.unwrap()).unwrap()
    };
    forwarded.record = Signed::sign(record.clone(), &puppet.instance_key(&secret));
    let wrong = Secret::random(&mut rng());
    for (scalar, expected) in [
        (*wrong.to_bytes(), Reason::KeyWrong),
        ([0; 32], Reason::KeyUnreadable),
        ([0xff; 32], Reason::KeyUnreadable),
    ] {
        forwarded.sealed = sealed(&scalar);
        let refused = reason(ask_import(&importer.enclave, &forwarded));
        assert_eq!(refused, expected);
    }
    forwarded.sealed = sealed(&*secret.to_bytes());
    crate::import(&importer.enclave, &forwarded);
    importer.await_running();
}
