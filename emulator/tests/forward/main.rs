//! Key forward between two real emulated enclaves: the whole exchange, and every refusal of it.
//!
//! Each refusal is followed by the honest message, which must still be taken: a refused one changed
//! nothing.

#[path = "../common/mod.rs"]
mod common;
mod export;
mod hand_over;
mod import;
mod puppet;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::{Enclave, Instance, World, approvals, copies, echo, nonce};
use quorate_echo::{EchoRequest, EchoResponse};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Text, UnixMillis};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin};
use quorate_protocol::forward::{
    ApprovalRule, Confirmed, ExportRequest, ForwardApproval, ForwardChallenge, ForwardPolicy,
    ForwardedKey,
};
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::genesis::{Document, GenesisRecord};
use quorate_protocol::instance::Provenance;
use quorate_protocol::manifest::{Link, Manifest, ManifestFields};
use quorate_protocol::members::Role;
use quorate_protocol::message::{EvidenceRequest, Phase, Reason, Request, Response, Stage};
use quorate_sharing::Share;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{Policy, Report, Time, verify};

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/quorate";

/// Three people, two of whom are enough, on instances with a role.
pub(crate) fn world() -> World {
    let mut world = World::new(3, 2);
    world.role = Some(ROLE.to_owned());
    world
}

pub(crate) fn until(not_after: u64, approvals: ApprovalRule) -> ForwardPolicy {
    ForwardPolicy {
        not_after: UnixMillis(not_after),
        approvals,
    }
}

pub(crate) fn always() -> ForwardPolicy {
    until(u64::MAX >> 12, ApprovalRule::Always)
}

/// A manifest approved by the thresholds of both sets.
pub(crate) fn link(world: &World, fields: ManifestFields) -> Link {
    let manifest: Manifest = Checked::new(fields).unwrap();
    let signers = &world.people[..usize::from(world.threshold)];
    let mut given = approvals(&manifest, signers, Role::ManifestSet);
    given.extend(approvals(&manifest, signers, Role::ShareSet));
    Link {
        manifest,
        approvals: given,
        reshare: None,
        surrogates: Vec::new(),
    }
}

/// The manifest after another one, with another greeting.
pub(crate) fn after(manifest: &Manifest) -> ManifestFields {
    let mut fields = manifest.clone().into_inner();
    fields.sequence += 1;
    fields.previous = Some(Digest::of(manifest));
    let greeting = format!("GREETING=number {}", fields.sequence);
    fields.applications[0].environment = vec![Text::new(&greeting).unwrap()];
    fields
}

/// A namespace and its first manifest.
pub(crate) struct Namespace {
    pub(crate) world: World,
    pub(crate) record: GenesisRecord,
    pub(crate) shares: Vec<Share>,
    pub(crate) first: Link,
}

impl Namespace {
    pub(crate) fn new(change: impl FnOnce(&mut ManifestFields)) -> Self {
        let mut world = world();
        let (record, shares) = world.genesis();
        Self::of(world, record, shares, change)
    }

    pub(crate) fn of(
        world: World,
        record: GenesisRecord,
        shares: Vec<Share>,
        change: impl FnOnce(&mut ManifestFields),
    ) -> Self {
        let mut fields = world.manifest_fields(&record, &echo());
        fields.forward = Some(always());
        change(&mut fields);
        let first = link(&world, fields);
        Self {
            world,
            record,
            shares,
            first,
        }
    }

    /// An instance that waits.
    pub(crate) fn boot(&mut self, chain: &[Link]) -> Instance {
        let shares = copies(&self.shares);
        self.world.boot(self.record.clone(), shares, chain.to_vec())
    }

    /// An instance that runs.
    pub(crate) fn run(&mut self, chain: &[Link]) -> Instance {
        let instance = self.boot(chain);
        instance.provision(&self.world, &[0, 1]);
        instance
    }

    /// The direct successor of the first manifest.
    pub(crate) fn second(&self) -> Link {
        link(&self.world, after(&self.first.manifest))
    }

    pub(crate) fn approval(
        &self,
        from: &Manifest,
        to: &Manifest,
        position: usize,
    ) -> Signed<ForwardApproval> {
        let person = &self.world.people[position];
        let approval = ForwardApproval {
            role: Role::ShareSet,
            genesis: from.genesis,
            from: Digest::of(from),
            to: Digest::of(to),
            index: person.index,
            time: UnixMillis(1),
        };
        Signed::sign(approval, &person.signing)
    }

    /// Approvals of exactly the threshold.
    pub(crate) fn approvals(&self, from: &Manifest, to: &Manifest) -> Vec<Signed<ForwardApproval>> {
        vec![self.approval(from, to, 0), self.approval(from, to, 1)]
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let mut anchors = TrustAnchors::empty();
        let root = common::root_der(&self.world.hypervisor);
        let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
        anchors.insert(anchor).unwrap();
        anchors
    }

    /// What a stranger says who pins the namespace.
    pub(crate) fn report(&self, evidence: &Evidence) -> Report {
        let policy = Policy::pinned(self.record.digest());
        let bytes = to_bytes(evidence);
        verify(&bytes, &policy, &self.anchors(), Time::Archived)
    }
}

pub(crate) fn challenge(exporter: &Enclave) -> ForwardChallenge {
    match exporter.ask(&Request::Challenge) {
        Response::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

/// An importer's attestation for a challenge.
pub(crate) fn document(importer: &Enclave, challenge: &ForwardChallenge) -> Document {
    let document = importer.attest(Stage::Setup, &challenge.nonce);
    Document::new(document).unwrap()
}

/// What an honest operator sends for an importer of the same manifest.
pub(crate) fn same(exporter: &Enclave, importer: &Enclave) -> ExportRequest {
    ExportRequest {
        document: document(importer, &challenge(exporter)),
        link: None,
        approvals: Vec::new(),
    }
}

pub(crate) fn ask_export(exporter: &Enclave, request: &ExportRequest) -> Response {
    exporter.ask(&Request::Export(Box::new(request.clone())))
}

pub(crate) fn export(exporter: &Enclave, request: &ExportRequest) -> ForwardedKey {
    match ask_export(exporter, request) {
        Response::Exported(forwarded) => *forwarded,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ask_import(importer: &Enclave, forwarded: &ForwardedKey) -> Response {
    importer.ask(&Request::Import(Box::new(forwarded.clone())))
}

pub(crate) fn import(importer: &Enclave, forwarded: &ForwardedKey) -> Confirmed {
    match ask_import(importer, forwarded) {
        Response::Imported(confirmed) => *confirmed,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ask_hand_over(exporter: &Enclave, confirmed: &Confirmed) -> Response {
    exporter.ask(&Request::HandOver(Box::new(confirmed.clone())))
}

/// Hands over and waits until it is done.
pub(crate) fn hand_over(exporter: &Enclave, confirmed: &Confirmed) {
    let answer = ask_hand_over(exporter, confirmed);
    assert!(matches!(answer, Response::HandedOver), "{answer:?}");
    let since = Instant::now();
    while exporter.status().phase != Phase::HandedOver {
        assert!(since.elapsed() < Duration::from_secs(10), "it goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The exchange from challenge to hand-over, with an importer of the same manifest.
pub(crate) fn replace(exporter: &Instance, importer: &Instance) -> Confirmed {
    let forwarded = export(
        &exporter.enclave,
        &same(&exporter.enclave, &importer.enclave),
    );
    let confirmed = import(&importer.enclave, &forwarded);
    hand_over(&exporter.enclave, &confirmed);
    importer.await_running();
    confirmed
}

pub(crate) fn evidence(enclave: &Enclave) -> Evidence {
    let request = Request::Evidence(EvidenceRequest { nonce: nonce() });
    match enclave.ask_public(&request) {
        Response::Evidence(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

fn say(enclave: &Enclave, message: &[u8]) -> Option<Signed<ApplicationProof>> {
    let path = enclave.started.directory.join("port-5100.sock");
    let mut stream = UnixStream::connect(path).ok()?;
    let request = EchoRequest::Echo(Bytes::new(message.to_vec()).unwrap());
    stream.write_all(&frame(&to_bytes(&request)).ok()?).ok()?;
    let mut assembler = Assembler::new();
    loop {
        let mut buffer = vec![0; assembler.wanted::<EchoResponse>().unwrap()];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        if let Some(payload) = assembler.push::<EchoResponse>(&buffer[..count]).unwrap() {
            return match from_bytes(&payload).unwrap() {
                EchoResponse::Echoed(proof) => Some(*proof),
                EchoResponse::Repeated(_) => None,
            };
        }
    }
}

/// A copy of the namespace's only manifest takes the place of an instance.
#[test]
fn a_replacement_takes_the_key_and_the_old_instance_ends() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let exporter = namespace.run(&chain);
    // One share is there already; it is not needed any more.
    let importer = namespace.boot(&chain);
    let share = importer.honest(&namespace.world, 2);
    let answer = importer.enclave.ask(&Request::Provision(share));
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");

    let request = same(&exporter.enclave, &importer.enclave);
    let forwarded = export(&exporter.enclave, &request);
    // The record is shown before the key arrives anywhere, and the old instance serves on.
    let shown = evidence(&exporter.enclave);
    assert_eq!(shown.forwards.len(), 1);
    assert_eq!(shown.forwards[0].record, forwarded.record);
    let report = namespace.report(&shown);
    assert!(
        report.is_accepted() && !report.facts.handed_over,
        "{report:#?}"
    );
    assert!(say(&exporter.enclave, b"still here").is_some());

    let confirmed = import(&importer.enclave, &forwarded);
    importer.await_running();
    hand_over(&exporter.enclave, &confirmed);

    // The new instance holds the same keys, and says where they came from.
    let shown = evidence(&importer.enclave);
    let report = namespace.report(&shown);
    assert!(report.is_accepted(), "{report:#?}");
    let from = report.facts.forwarded_from.as_ref().unwrap();
    assert_eq!(from.exporter, exporter.enclave.started.module);
    assert_eq!((from.count, from.from), (1, 1));
    assert_eq!(from.record, forwarded.record.digest());
    assert!(report.facts.shares_given_by.is_empty());
    assert!(say(&importer.enclave, b"hello").is_some());
    let status = importer.enclave.status();
    assert_eq!((status.phase, status.accepted.len()), (Phase::Running, 0));

    // The old one shows what it was and that it ended, and its application is gone.
    let shown = evidence(&exporter.enclave);
    let report = namespace.report(&shown);
    assert!(
        report.is_accepted() && report.facts.handed_over,
        "{report:#?}"
    );
    assert_eq!(
        report.facts.forwards[0].importer,
        importer.enclave.started.module
    );
    assert!(report.facts.forwards[0].confirmed);
    assert!(say(&exporter.enclave, b"anybody?").is_none());
    let status = exporter.enclave.status();
    assert_eq!(status.phase, Phase::HandedOver);
    assert!(!status.applications[0].ready);
    let init = exporter.enclave.started.pid;
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    assert_eq!(children.trim(), "", "no process of an application is left");
    let log = exporter.enclave.ask(&Request::Log);
    assert!(matches!(log, Response::Log(_)), "{log:?}");
}

#[test]
fn a_successor_takes_the_key_with_approvals_of_the_share_set() {
    let mut namespace = Namespace::new(|_| {});
    let second = namespace.second();
    let exporter = namespace.run(&[namespace.first.clone()]);
    let importer = namespace.boot(&[namespace.first.clone(), second.clone()]);
    let given = namespace.approvals(&namespace.first.manifest, &second.manifest);
    let request = ExportRequest {
        link: Some(second),
        approvals: given,
        ..same(&exporter.enclave, &importer.enclave)
    };
    let forwarded = export(&exporter.enclave, &request);
    let confirmed = import(&importer.enclave, &forwarded);
    hand_over(&exporter.enclave, &confirmed);
    importer.await_running();
    let report = namespace.report(&evidence(&importer.enclave));
    assert!(report.is_accepted(), "{report:#?}");
    let from = report.facts.forwarded_from.unwrap();
    let names: Vec<&str> = from.approved_by.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["member-1", "member-2"]);
    assert_eq!(report.facts.sequence, Some(2));
}

/// Other people approve from now on, and nobody gives a share again.
#[test]
fn a_successor_with_another_manifest_set_takes_the_key() {
    let mut namespace = Namespace::new(|_| {});
    let mut fields = after(&namespace.first.manifest);
    let newcomer = common::Person::new("newcomer", 4);
    let mut members = fields.manifest_set.members.clone();
    members[2] = newcomer.member();
    let set = quorate_protocol::members::MemberSetFields {
        threshold: 2,
        members,
    };
    fields.manifest_set = Checked::new(set).unwrap();
    // The two who approve are members of the old set and of the new one.
    let second = link(&namespace.world, fields);
    let exporter = namespace.run(&[namespace.first.clone()]);
    let importer = namespace.boot(&[namespace.first.clone(), second.clone()]);
    let request = ExportRequest {
        approvals: namespace.approvals(&namespace.first.manifest, &second.manifest),
        link: Some(second),
        ..same(&exporter.enclave, &importer.enclave)
    };
    let forwarded = export(&exporter.enclave, &request);
    hand_over(&exporter.enclave, &import(&importer.enclave, &forwarded));
    importer.await_running();
    let report = namespace.report(&evidence(&importer.enclave));
    assert!(report.is_accepted(), "{report:#?}");
    assert!(report.facts.shares_given_by.is_empty());
}

#[test]
fn a_change_of_applications_needs_no_approvals_where_the_policy_says_so() {
    let waived = until(u64::MAX >> 12, ApprovalRule::ExceptApplications);
    let mut namespace = Namespace::new(|fields| fields.forward = Some(waived));
    let second = namespace.second();
    let exporter = namespace.run(&[namespace.first.clone()]);
    let importer = namespace.boot(&[namespace.first.clone(), second.clone()]);
    let request = ExportRequest {
        link: Some(second),
        ..same(&exporter.enclave, &importer.enclave)
    };
    let forwarded = export(&exporter.enclave, &request);
    hand_over(&exporter.enclave, &import(&importer.enclave, &forwarded));
    importer.await_running();
    let report = namespace.report(&evidence(&importer.enclave));
    assert!(report.is_accepted(), "{report:#?}");
}

#[test]
fn a_chain_of_two_forwards_is_accepted_at_its_end() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let instances = [
        namespace.run(&chain),
        namespace.boot(&chain),
        namespace.boot(&chain),
    ];
    let [one, two, three] = &instances;
    let before = evidence(&one.enclave).provisioning.unwrap().ring;
    replace(one, two);
    replace(two, three);
    let shown = evidence(&three.enclave);
    let report = namespace.report(&shown);
    assert!(report.is_accepted(), "{report:#?}");
    let from = report.facts.forwarded_from.unwrap();
    assert_eq!(from.exporter, two.enclave.started.module);
    let Provenance::Forwarded(source) = from.exporter_provenance else {
        panic!("it had the key from members");
    };
    assert_eq!(source.module_id.as_str(), one.enclave.started.module);
    // The keys are those of the first, to the last application's.
    let provisioning = shown.provisioning.unwrap();
    assert_eq!(
        provisioning.ring.unverified().keys,
        before.unverified().keys
    );
    assert!(matches!(provisioning.origin, Origin::Forwarded(_)));
    let middle = namespace.report(&evidence(&two.enclave));
    assert!(
        middle.is_accepted() && middle.facts.handed_over,
        "{middle:#?}"
    );
    assert!(middle.facts.forwarded_from.is_some());
}

/// The importer died, or its answer was lost: the key is forwarded once more, and counted.
#[test]
fn a_key_that_did_not_arrive_is_forwarded_again_under_the_next_number() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let exporter = namespace.run(&chain);
    let lost = namespace.boot(&chain);
    let first = export(&exporter.enclave, &same(&exporter.enclave, &lost.enclave));
    assert_eq!(first.record.unverified().count, 1);
    let importer = namespace.boot(&chain);
    let request = same(&exporter.enclave, &importer.enclave);
    let second = export(&exporter.enclave, &request);
    assert_eq!(second.record.unverified().count, 2);
    let confirmed = import(&importer.enclave, &second);
    // The confirmation can be had again from the evidence, should it have been lost too.
    let given = evidence(&importer.enclave).provisioning.unwrap();
    let Origin::Forwarded(received) = given.origin else {
        panic!("it was forwarded");
    };
    let again = Confirmed {
        certificate: given.certificate,
        confirmation: received.confirmation,
    };
    assert_eq!(again, confirmed);
    hand_over(&exporter.enclave, &again);
    let report = namespace.report(&evidence(&exporter.enclave));
    assert!(report.is_accepted(), "{report:#?}");
    let confirmed: Vec<bool> = report.facts.forwards.iter().map(|f| f.confirmed).collect();
    assert_eq!(confirmed, [false, true]);
}

/// The manifest's rules for booting hold for an importer too.
#[test]
fn the_public_port_takes_no_message_of_a_forward_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let exporter = namespace.run(&chain);
    let importer = namespace.boot(&chain);
    let public = |enclave: &Enclave, request: &Request| common::reason(enclave.ask_public(request));
    assert_eq!(
        public(&exporter.enclave, &Request::Challenge),
        Reason::WrongPort
    );
    let request = same(&exporter.enclave, &importer.enclave);
    let asked = Request::Export(Box::new(request.clone()));
    assert_eq!(public(&exporter.enclave, &asked), Reason::WrongPort);
    let forwarded = export(&exporter.enclave, &request);
    let asked = Request::Import(Box::new(forwarded.clone()));
    assert_eq!(public(&importer.enclave, &asked), Reason::WrongPort);
    let confirmed = import(&importer.enclave, &forwarded);
    let asked = Request::HandOver(Box::new(confirmed.clone()));
    assert_eq!(public(&exporter.enclave, &asked), Reason::WrongPort);
    hand_over(&exporter.enclave, &confirmed);
}
