//! At least one sample of every kind of object.

mod applications;
pub(crate) mod drill;
pub(crate) mod forward;
pub(crate) mod reshare;
mod surrogate;
mod transcripts;

use quorate_protocol::atoms::{Pcr, Sha256};
use quorate_protocol::attested::UserData;
use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::cbor::{Checked, Object, to_bytes};
use quorate_protocol::control::{Report, ReportKind};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::instance::{Index, Purpose};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{
    ApplicationLog, ApplicationStatus, AttestRequest, BootRequest, Booted, EvidenceRequest, Exit,
    Fault, GenesisRequest, GenesisResponse, Log, Phase, ProvisionRequest, Reason, Refusal,
    Reported, Request, Response, Stage, Status, Upload, Uploaded,
};
use quorate_protocol::rebuild::{Commit, RebuildFields};

use crate::keys::{pair, scalar, signing, verification};
use crate::kinds::Kind;
use crate::world::{Set, World, bytes, document, excepted, index, name, text, time};

/// One object with its canonical bytes.
pub(crate) struct Sample {
    pub(crate) kind: &'static Kind,
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Option<Signature>,
}

/// How an object was signed.
pub(crate) struct Signature {
    pub(crate) signer: &'static str,
    pub(crate) key: VerificationKey,
    pub(crate) to_be_signed: Vec<u8>,
    pub(crate) signature: [u8; 64],
    pub(crate) cose: Vec<u8>,
}

const MANIFEST_SET: Set<'_> = (2, &[("alice", 1), ("bob", 2), ("dave", 3)]);
const SHARE_SET: Set<'_> = (2, &[("alice", 1), ("bob", 2), ("carol", 200)]);
const SEVEN: Set<'_> = (
    5,
    &[
        ("alice", 1),
        ("bob", 2),
        ("carol", 3),
        ("dave", 4),
        ("erin", 5),
        ("frank", 6),
        ("grace", 7),
    ],
);

/// The small namespace: two of three.
pub(crate) fn small() -> World {
    World::new("sample", MANIFEST_SET, SHARE_SET)
}

/// All samples, those of one kind together.
pub(crate) fn all() -> Vec<Sample> {
    let (mut small, mut seven) = (small(), World::new("sample-seven", SEVEN, SEVEN));
    let chain = small.chain();
    let mut samples = birth(&small, &seven);
    samples.extend(manifests(&small, &seven, &chain));
    samples.extend(instance(&mut small, &chain));
    samples.extend(applications::samples(&small, &chain));
    samples.extend(forward::samples(&mut small, &chain));
    samples.extend(reshare::samples(&small, &chain));
    samples.extend(surrogate::samples(&small, &chain));
    samples.extend(drill::samples(&small, &chain));
    let evidence = small.evidence(chain.clone());
    let first = seven.manifest(|_| {});
    let large = seven.evidence(vec![seven.link(first)]);
    samples.extend(crate::wallets::samples(&small));
    samples.extend(evidences(&evidence, &large));
    samples.extend(requests(&mut small, &chain));
    samples.extend(forward::requests(&small, &chain));
    samples.extend(reshare::requests(&small, &chain));
    samples.extend(surrogate::requests(&mut small, &chain));
    samples.extend(drill::requests(&small, &chain));
    samples.extend(responses(&mut small, &chain, evidence));
    samples.extend(forward::responses(&small, &chain));
    samples.extend(reshare::responses(&small, &chain));
    samples.extend(drill::responses(&small, &chain));
    samples.extend(rebuilds());
    samples.extend(transcripts::samples(&small, &chain));
    samples
}

/// Of a source named by SHA-1, and of one named by SHA-256.
fn rebuilds() -> Vec<Sample> {
    let (signer, key) = (signing("alice signing"), verification("alice signing"));
    let sample = |title, commit: Vec<u8>| {
        let pcr = |part: &str| Pcr::ZERO.extend(part.as_bytes());
        let fields = RebuildFields {
            rebuilder: key,
            commit: Commit::new(commit).expect("20 or 32 bytes"),
            lock: Sha256::of(b"the inputs of a lock"),
            pcr0: pcr("rebuilt pcr0"),
            pcr1: pcr("rebuilt pcr1"),
            pcr2: pcr("rebuilt pcr2"),
        };
        let statement = Checked::new(fields).expect("no register is zero");
        let statement = Signed::sign(statement, &signer);
        signed(title, &statement, "alice signing", key)
    };
    vec![
        sample("commit of 20 bytes", vec![0xc0; 20]),
        sample("commit of 32 bytes", vec![0xc1; 32]),
    ]
}

fn birth(small: &World, seven: &World) -> Vec<Sample> {
    let record = &small.record;
    let card = small.card("alice");
    let (consent, receipt) = (&record.consents[0], &record.receipts[2]);
    let possession = &receipt.unverified().possession;
    let holder = small.commitments.member_key(index(200)).expect("a key");
    let excepted = excepted(seven.record.clone());
    let exception = &excepted.exceptions.as_ref().expect("exceptions")[0];
    vec![
        signed(
            "alice",
            &card,
            "alice signing",
            verification("alice signing"),
        ),
        plain("two of three", &small.definition),
        plain("five of seven", &seven.definition),
        signed(
            "alice",
            consent,
            "alice signing",
            verification("alice signing"),
        ),
        plain("two of three", &small.commitments),
        plain("five of seven", &seven.commitments),
        plain("of alice at genesis", &record.output.shares[0].sealed),
        plain("two of three", &record.output),
        plain("five of seven", &seven.record.output),
        plain("two of three", &record.genesis()),
        plain("five of seven", &seven.record.genesis()),
        signed("carol", possession, "share 200 itself", holder),
        signed(
            "carol",
            receipt,
            "carol signing",
            verification("carol signing"),
        ),
        signed(
            "the first of seven, without the last",
            exception,
            "alice signing",
            verification("alice signing"),
        ),
        plain("two of three", record),
        plain("five of seven", &seven.record),
        plain("five of seven, finished without the last", &excepted),
    ]
}

fn manifests(small: &World, seven: &World, chain: &[Link]) -> Vec<Sample> {
    let [first, second, third] = chain else {
        panic!("the chain has three links");
    };
    let as_member = &second.approvals[0];
    let as_holder = small.approval(&second.manifest, Role::ShareSet, index(200));
    let as_holder = Signed::sign(as_holder, &signing("carol signing"));
    vec![
        plain("first", &first.manifest),
        plain("second, changes the manifest set", &second.manifest),
        plain("third, every field present", &third.manifest),
        plain("five of seven", &seven.manifest(|_| {})),
        signed(
            "manifest set",
            as_member,
            "alice signing",
            verification("alice signing"),
        ),
        signed(
            "share set",
            &as_holder,
            "carol signing",
            verification("carol signing"),
        ),
        plain("first", first),
        plain("third", third),
    ]
}

fn instance(small: &mut World, chain: &[Link]) -> Vec<Sample> {
    let manifest = &chain[0].manifest;
    let (grant, sealed) = small.grant(manifest, 0);
    let receipt = small.receipt(&grant, 1);
    let nonce = CarriedNonce {
        format: quorate_protocol::FORMAT,
        genesis: small.genesis,
        member: name("alice"),
        stage: Stage::Setup,
        nonce: bytes(&[0xa5; 32]),
    };
    let carried = CarriedGrant {
        format: quorate_protocol::FORMAT,
        nonce: Digest::of(&nonce),
        grant: grant.clone(),
        sealed: sealed.clone(),
        delegation: None,
    };
    let answer = CarriedAttestation {
        format: quorate_protocol::FORMAT,
        nonce: Digest::of(&nonce),
        document: document(),
    };
    let of_genesis = CarriedNonce {
        stage: Stage::Genesis,
        ..nonce.clone()
    };
    let quorum = small.commitments.quorum_key().expect("a point");
    let instance = small.derived("init", Purpose::Instance).signing_key();
    let instance = VerificationKey::of(&instance);
    vec![
        plain("of alice for the setup key", &sealed),
        signed(
            "alice",
            &grant,
            "alice signing",
            verification("alice signing"),
        ),
        signed(
            "first of two",
            &receipt,
            "setup es256",
            verification("setup es256"),
        ),
        plain("of an instance, by alice", &nonce),
        plain("of a genesis, by alice", &of_genesis),
        plain("for alice", &answer),
        plain("of alice", &carried),
        signed(
            "one application",
            &small.ring(manifest),
            "quorum key",
            quorum,
        ),
        signed(
            "two applications",
            &small.ring(&chain[2].manifest),
            "quorum key",
            quorum,
        ),
        signed(
            "two of three",
            &small.certificate(manifest),
            "instance key",
            instance,
        ),
        plain("genesis", &UserData::Genesis(small.genesis)),
        plain("setup", &UserData::Setup(Digest::of(manifest))),
        plain("live", &UserData::Live(Digest::of(manifest))),
    ]
}

fn evidences(evidence: &Evidence, large: &Evidence) -> Vec<Sample> {
    let unprovisioned = Evidence {
        provisioning: None,
        applications: Vec::new(),
        ..evidence.clone()
    };
    vec![
        plain("two of three, three manifests", evidence),
        plain("never provisioned", &unprovisioned),
        plain("five of seven", large),
    ]
}

fn requests(small: &mut World, chain: &[Link]) -> Vec<Sample> {
    let record = small.record.clone();
    let (grant, sealed) = small.grant(&chain[2].manifest, 2);
    let upload = |offset, data: &[u8]| {
        Request::Upload(Upload {
            sha256: Sha256::of(b"the echo application"),
            size: 20,
            offset,
            data: bytes(data),
        })
    };
    let genesis = GenesisRequest {
        definition: record.definition.clone(),
        consents: record.consents.clone(),
        entropy: vec![bytes(&scalar("entropy of alice")), bytes(&[7; 16])],
        nonce: bytes(&scalar("nonce")),
    };
    let attest = |stage, nonce: &[u8]| {
        let nonce = bytes(nonce);
        Request::Attest(AttestRequest { stage, nonce })
    };
    let chain = chain.to_vec();
    vec![
        plain("status", &Request::Status),
        plain("upload", &upload(4, b"echo")),
        plain("upload, ask for the state", &upload(0, b"")),
        plain("genesis", &Request::Genesis(genesis)),
        plain("boot", &Request::Boot(BootRequest { record, chain })),
        plain("attest genesis", &attest(Stage::Genesis, &[0x5a; 16])),
        plain("attest setup", &attest(Stage::Setup, &scalar("nonce"))),
        plain("attest live", &attest(Stage::Live, &[0xa5; 64])),
        plain(
            "provision",
            &Request::Provision(ProvisionRequest {
                grant,
                sealed,
                delegation: None,
            }),
        ),
        plain(
            "evidence",
            &Request::Evidence(EvidenceRequest {
                nonce: bytes(&scalar("nonce")),
            }),
        ),
        plain("log", &Request::Log),
    ]
}

fn responses(small: &mut World, chain: &[Link], evidence: Evidence) -> Vec<Sample> {
    let manifest = &chain[0].manifest;
    let waiting = Status {
        phase: Phase::Waiting,
        genesis: None,
        manifest: None,
        epoch: None,
        accepted: Vec::new(),
        threshold: 0,
        applications: Vec::new(),
    };
    let status = |phase, accepted: &[u8], ready| {
        Response::Status(Status {
            phase,
            genesis: Some(small.genesis),
            manifest: Some(Digest::of(manifest)),
            epoch: Some(small.epoch()),
            accepted: accepted.iter().map(|at| Index(index(*at))).collect(),
            threshold: 2,
            applications: vec![ApplicationStatus {
                name: name("echo"),
                starts: u64::from(ready),
                ready,
                exit: ready.then_some(Exit::Signalled(9)),
                restarts_left: 3,
            }],
        })
    };
    let (collecting, running) = (
        status(Phase::Collecting, &[200], false),
        status(Phase::Running, &[1, 200], true),
    );
    let refused = |reason, fault, member: Option<u8>, detail| {
        Response::Refused(Refusal {
            reason,
            fault,
            member: member.map(|at| Index(index(at))),
            detail: text(detail),
        })
    };
    let genesis = GenesisResponse {
        output: small.record.output.clone(),
        document: document(),
    };
    let booted = Booted {
        setup: pair("setup"),
        live: pair("live"),
    };
    let (grant, _) = small.grant(manifest, 0);
    let uploaded = Uploaded {
        received: 20,
        complete: true,
    };
    vec![
        plain("status, waiting", &Response::Status(waiting)),
        plain("status, collecting", &collecting),
        plain("status, running", &running),
        plain("uploaded", &Response::Uploaded(uploaded)),
        plain("genesis", &Response::Genesis(genesis)),
        plain("booted", &Response::Booted(Box::new(booted))),
        plain("attested", &Response::Attested(document())),
        plain(
            "provisioned",
            &Response::Provisioned(small.receipt(&grant, 2)),
        ),
        plain("evidence", &Response::Evidence(Box::new(evidence))),
        plain(
            "refused",
            &refused(Reason::Malformed, Fault::Caller, None, ""),
        ),
        plain(
            "refused, a member at fault",
            &refused(
                Reason::ShareWrong,
                Fault::Member,
                Some(200),
                "the share of carol",
            ),
        ),
        plain(
            "refused, at the end",
            &refused(Reason::Internal, Fault::Enclave, None, "NSM"),
        ),
        plain("log", &Response::Log(log())),
    ]
}

fn log() -> Log {
    let reported = |start, seconds, kind, value| Reported {
        start,
        time: time(seconds),
        report: Report {
            kind,
            code: 2,
            value,
        },
    };
    let of = |application, dropped, reports| ApplicationLog {
        name: name(application),
        dropped,
        reports,
    };
    Log {
        applications: vec![
            of("echo", 0, Vec::new()),
            of(
                "notary",
                1000,
                vec![
                    reported(1, 50, ReportKind::Note, 0),
                    reported(2, 60, ReportKind::Failure, 65_536),
                ],
            ),
        ],
    }
}

pub(crate) fn plain<T: Object>(name: &'static str, value: &T) -> Sample {
    Sample {
        kind: Kind::of(T::LABEL),
        name,
        bytes: to_bytes(value),
        signature: None,
    }
}

pub(crate) fn signed<T: Object>(
    name: &'static str,
    value: &Signed<T>,
    signer: &'static str,
    key: VerificationKey,
) -> Sample {
    let payload = value.verify(&key).expect("the signer's key");
    Sample {
        signature: Some(Signature {
            signer,
            key,
            to_be_signed: Signed::to_be_signed(payload),
            signature: value.signature(),
            cose: to_bytes(value),
        }),
        ..plain(name, payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    #[test]
    fn every_kind_has_a_sample() {
        let samples = all();
        for kind in KINDS {
            let found = samples
                .iter()
                .filter(|sample| sample.kind.label == kind.label);
            let mut all = found.clone();
            let signed = all.all(|sample| sample.signature.is_some() == kind.signed.is_some());
            assert!(found.count() > 0 && signed, "{}", kind.label);
        }
    }
}
