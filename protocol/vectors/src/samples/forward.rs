//! Samples of a key forward: the instance of the small namespace's third manifest forwards to one
//! of a fourth, which changes only applications and is approved by two share holders all the same.

use quorate_protocol::atoms::Sha256;
use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin, Provisioning};
use quorate_protocol::forward::{
    ApprovalRule, Confirmed, ExportRequest, ForwardApproval, ForwardChallenge, ForwardConfirmation,
    ForwardMade, ForwardPolicy, ForwardReceived, ForwardRecord, ForwardRecordFields, ForwardSource,
    ForwardedKey, forward_key_context,
};
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::instance::{InstanceCertificate, Provenance, Purpose};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Phase, Reason, Refusal, Request, Response, Status};
use quorate_sealing::{Suite, seal};

use super::{Sample, plain, signed};
use crate::keys::{generator, pair, scalar, signing, verification};
use crate::programs::echo;
use crate::world::{World, bytes, document, index, text, time};

/// Everything that one forward is made of.
pub(crate) struct Forward {
    chain: Vec<Link>,
    approvals: Vec<Signed<ForwardApproval>>,
    pub(crate) record: Signed<ForwardRecord>,
    pub(crate) sealed: SealedShare,
    certificate: Signed<InstanceCertificate>,
    confirmed: Confirmed,
}

impl Forward {
    /// The forward of a world whose first manifests are `chain`.
    pub(crate) fn of(world: &World, chain: &[Link]) -> Self {
        let from = &chain.last().expect("a manifest").manifest;
        let to = world.manifest(|fields| {
            *fields = from.clone().into_inner();
            fields.sequence += 1;
            fields.previous = Some(Digest::of(from));
            fields.applications = vec![echo()];
            fields.forward = Some(ForwardPolicy {
                not_after: time(330 * 86_400),
                approvals: ApprovalRule::ExceptApplications,
            });
        });
        let (from_digest, to_digest) = (Digest::of(from), Digest::of(&to));
        let approval = |person: &str, at: u8| {
            let approval = ForwardApproval {
                role: Role::ShareSet,
                genesis: world.genesis,
                from: from_digest,
                to: to_digest,
                index: index(at),
                time: time(300 + u64::from(at)),
            };
            Signed::sign(approval, &signing(&format!("{person} signing")))
        };
        let fields = ForwardRecordFields {
            genesis: world.genesis,
            from: from_digest,
            to: to_digest,
            exporter: pair("live"),
            exporter_module: text("i-0123456789abcdef0-enc0123456789abcdef"),
            importer: pair("importer setup"),
            importer_module: text("i-0123456789abcdef0-encfedcba9876543210"),
            document: Sha256::of(document().as_slice()),
            count: 1,
            time: time(600),
        };
        let record = Checked::new(fields).expect("counted from one");
        let instance = world.derived("init", Purpose::Instance).signing_key();
        let record = Signed::sign(record, &instance);
        let context = forward_key_context(record.unverified());
        let suite = Suite::P256Sha256Aes256Gcm;
        let sealed = seal(
            suite,
            pair("importer setup").encryption.inner(),
            context.info.as_bytes(),
            &context.aad,
            &*world.secret.to_bytes(),
            &mut generator("forward"),
        );
        let sealed = SealedShare::new(suite, sealed.expect("a scalar is short"));
        let own = world.certificate(from);
        let certificate = InstanceCertificate {
            manifest: to_digest,
            live: pair("importer live"),
            module_id: record.unverified().importer_module.clone(),
            provenance: Provenance::Forwarded(Box::new(ForwardSource {
                record: record.digest(),
                live: pair("live"),
                module_id: own.unverified().module_id.clone(),
            })),
            time: time(601),
            ..own.unverified().clone()
        };
        let certificate = Signed::sign(certificate, &instance);
        let confirmation = ForwardConfirmation {
            genesis: world.genesis,
            record: record.digest(),
            certificate: certificate.digest(),
            time: time(602),
        };
        let confirmation = Signed::sign(confirmation, &signing("importer live es256"));
        let mut whole = chain.to_vec();
        whole.push(world.link(to));
        Self {
            chain: whole,
            approvals: vec![approval("alice", 1), approval("carol", 200)],
            record,
            sealed: sealed.expect("one scalar"),
            certificate: own,
            confirmed: Confirmed {
                certificate,
                confirmation,
            },
        }
    }

    fn key(&self, world: &World) -> ForwardedKey {
        let from = &self.chain[self.chain.len() - 2].manifest;
        ForwardedKey {
            record: self.record.clone(),
            approvals: self.approvals.clone(),
            ring: world.ring(from),
            certificate: self.certificate.clone(),
            sealed: self.sealed.clone(),
        }
    }

    fn made(&self, confirmed: bool) -> ForwardMade {
        ForwardMade {
            record: self.record.clone(),
            confirmed: confirmed.then(|| Box::new(self.confirmed.clone())),
        }
    }

    /// Evidence of the importer.
    fn evidence(&self, world: &World) -> Evidence {
        let manifest = &self.chain.last().expect("a manifest").manifest;
        let received = ForwardReceived {
            record: self.record.clone(),
            approvals: self.approvals.clone(),
            certificate: self.certificate.clone(),
            confirmation: self.confirmed.confirmation.clone(),
        };
        Evidence {
            format: quorate_protocol::FORMAT,
            record: world.record.clone(),
            chain: self.chain.clone(),
            setup: pair("importer setup"),
            document: document(),
            provisioning: Some(Provisioning {
                origin: Origin::Forwarded(Box::new(received)),
                ring: world.ring(manifest),
                certificate: self.confirmed.certificate.clone(),
            }),
            applications: Vec::new(),
            forwards: Vec::new(),
        }
    }
}

/// Approval, record, confirmation, certificate, user data, evidence of both sides.
pub(super) fn samples(world: &mut World, chain: &[Link]) -> Vec<Sample> {
    let forward = Forward::of(world, chain);
    let instance = VerificationKey::of(&world.derived("init", Purpose::Instance).signing_key());
    let manifest = Digest::of(&chain.last().expect("a manifest").manifest);
    let record = forward.record.digest();
    let exporter = |world: &mut World, confirmed| Evidence {
        forwards: vec![forward.made(confirmed)],
        ..world.evidence(chain.to_vec())
    };
    vec![
        signed(
            "alice",
            &forward.approvals[0],
            "alice signing",
            verification("alice signing"),
        ),
        signed(
            "first of an exporter",
            &forward.record,
            "instance key",
            instance,
        ),
        signed(
            "of an importer",
            &forward.confirmed.confirmation,
            "importer live es256",
            verification("importer live es256"),
        ),
        signed(
            "forwarded",
            &forward.confirmed.certificate,
            "instance key",
            instance,
        ),
        plain("of a quorum secret for an importer", &forward.sealed),
        plain("has forwarded", &UserData::Forwarded(manifest, record)),
        plain(
            "handed over",
            &UserData::HandedOver(manifest, record, record),
        ),
        plain(
            "fourth, forwards without approvals where only applications change",
            &forward.chain.last().expect("a manifest").manifest,
        ),
        plain("of an importer", &forward.evidence(world)),
        plain("of an exporter", &exporter(world, false)),
        plain("after the hand-over", &exporter(world, true)),
    ]
}

/// Requests of the two sides.
pub(super) fn requests(world: &World, chain: &[Link]) -> Vec<Sample> {
    let forward = Forward::of(world, chain);
    let export = |link: Option<Link>, approvals: &[Signed<ForwardApproval>]| {
        Request::Export(Box::new(ExportRequest {
            document: document(),
            link,
            approvals: approvals.to_vec(),
        }))
    };
    vec![
        plain("challenge", &Request::Challenge),
        plain("export, same manifest", &export(None, &[])),
        plain(
            "export, direct successor",
            &export(forward.chain.last().cloned(), &forward.approvals),
        ),
        plain("import", &Request::Import(Box::new(forward.key(world)))),
        plain(
            "hand over",
            &Request::HandOver(Box::new(forward.confirmed.clone())),
        ),
    ]
}

/// Responses of the two sides.
pub(super) fn responses(world: &World, chain: &[Link]) -> Vec<Sample> {
    let forward = Forward::of(world, chain);
    let status = Status {
        phase: Phase::HandedOver,
        genesis: Some(world.genesis),
        manifest: Some(Digest::of(&chain[2].manifest)),
        epoch: Some(world.epoch()),
        accepted: Vec::new(),
        threshold: 2,
        applications: Vec::new(),
    };
    let challenge = ForwardChallenge {
        nonce: bytes(&scalar("forward nonce")),
        expires: time(700),
    };
    let refused = Refusal {
        reason: Reason::ForwardNotSuccessor,
        fault: quorate_protocol::message::Fault::Ceremony,
        member: None,
        detail: text("sequence 7 after 3"),
    };
    vec![
        plain("status, handed over", &Response::Status(status)),
        plain("challenge", &Response::Challenge(challenge)),
        plain(
            "exported",
            &Response::Exported(Box::new(forward.key(world))),
        ),
        plain("imported", &Response::Imported(Box::new(forward.confirmed))),
        plain("handed over", &Response::HandedOver),
        plain("refused, a forward", &Response::Refused(refused)),
    ]
}
