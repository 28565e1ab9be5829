//! Whole lives of machines: an NSM that fails in the middle of one, a second start, a signed image,
//! and evidence that nobody may accept.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use quorate_echo::{EchoRequest, EchoResponse};
use quorate_eif::Eif;
use quorate_emulator::device::Mode;
use quorate_emulator::fault::Faults;
use quorate_emulator::process::Ended;
use quorate_image_signing::certificate::Certificate;
use quorate_image_signing::key::FileKey;
use quorate_image_signing::{Signer, sign};
use quorate_init::nsm::wire::{Request as NsmRequest, Response as NsmResponse};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::Bytes;
use quorate_protocol::attested::{
    PCR_APPLICATIONS, PCR_LIVE, PCR_SETUP, UserData, applications_extension, live_extension,
    setup_extension,
};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::genesis::Document;
use quorate_protocol::message::{
    AttestRequest, BootRequest, EvidenceRequest, Phase, Reason, Request, Response, Stage,
};
use quorate_sharing::Share;
use quorate_verify::attestation::{
    DebugMode, Freshness, Partition, Pcr, TrustAnchor, TrustAnchors, verify,
};
use quorate_verify::evidence::{EvidenceError, Policy, Report, Time, verify as verify_evidence};

use crate::common::{self, Instance, World, echo, nonce, reason};
use crate::guest::Bench;
use crate::nsm::exchange;

/// Asks the application to sign, and gives what it signed.
fn say(instance: &Instance, message: &[u8]) -> Signed<ApplicationProof> {
    let path = instance.enclave.started.directory.join("port-5100.sock");
    let mut stream = crate::guest::patient(UnixStream::connect(path).unwrap());
    let request = EchoRequest::Echo(Bytes::new(message.to_vec()).unwrap());
    let request = frame(&to_bytes(&request)).unwrap();
    stream.write_all(&request).unwrap();
    let mut assembler = Assembler::new();
    loop {
        let mut buffer = vec![0; assembler.wanted::<EchoResponse>().unwrap()];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the application closed the connection");
        if let Some(payload) = assembler.push::<EchoResponse>(&buffer[..count]).unwrap() {
            let EchoResponse::Echoed(proof) = from_bytes(&payload).unwrap() else {
                panic!("no proof");
            };
            return *proof;
        }
    }
}

/// The evidence of an instance with one statement of its application.
fn evidence(instance: &Instance, proof: Signed<ApplicationProof>) -> Evidence {
    let request = Request::Evidence(EvidenceRequest { nonce: nonce() });
    let Response::Evidence(evidence) = instance.enclave.ask_public(&request) else {
        panic!("no evidence");
    };
    let mut evidence = *evidence;
    evidence.applications[0].proofs.push(proof);
    evidence
}

fn anchors(world: &World) -> TrustAnchors {
    let mut anchors = TrustAnchors::empty();
    let root = common::root_der(&world.hypervisor);
    let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
    anchors.insert(anchor).unwrap();
    anchors
}

fn report(instance: &Instance, evidence: &Evidence, anchors: &TrustAnchors) -> Report {
    let policy = Policy::pinned(instance.record.digest());
    verify_evidence(&to_bytes(evidence), &policy, anchors, Time::Archived)
}

fn copies(shares: &[Share]) -> Vec<Share> {
    let copy = |share: &Share| Share::from_bytes(share.index(), &share.to_bytes()).unwrap();
    shares.iter().map(copy).collect()
}

/// By kind, because in a machine the kernel asks for entropy when it likes. `nsm_calls.rs` counts
/// every call, with init as a process.
#[test]
fn an_nsm_that_fails_in_the_middle_of_a_life_halts_the_machine_by_name_fails_closed() {
    let Some(bench) = Bench::new() else { return };
    let mut world = World::of_machines(3, 2, bench.image.clone());
    let (record, _) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));
    let boot = || {
        Request::Boot(BootRequest {
            record: record.clone(),
            chain: vec![link.clone()],
        })
    };
    let refused = "with InternalError: it failed; the enclave has to be restarted\"";
    for (fault, said) in [
        (
            "nsm-error=DescribePCR:2",
            format!("NSM: the NSM refused DescribePCR(1) {refused}"),
        ),
        (
            "nsm-error=ExtendPCR:3",
            format!("NSM: the NSM refused ExtendPCR(18) {refused}"),
        ),
        (
            "nsm-garbage=LockPCRs",
            "NSM: the NSM's answer to LockPCRs(0..32) cannot be read: ".into(),
        ),
        // The first is init's clock's.
        (
            "nsm-error=Attestation:2",
            format!("NSM: the NSM refused Attestation {refused}"),
        ),
    ] {
        let mut faults = Faults::default();
        faults.add(fault).unwrap();
        let started = world.start_machine(bench.image.clone(), faults);
        let enclave = started.unwrap_or_else(|error| panic!("{fault}: {error}"));
        enclave.upload(&echo());
        let mut answer = enclave.try_ask(&boot());
        if fault.contains("Attestation") {
            assert!(matches!(answer, Some(Response::Booted(_))), "{answer:?}");
            let (stage, nonce) = (Stage::Setup, nonce());
            answer = enclave.try_ask(&Request::Attest(AttestRequest { stage, nonce }));
        }
        assert!(answer.is_none(), "{fault}: {answer:?}");
        let name = world.newest();
        let ended = || world.hypervisor.ended(&name).unwrap();
        let since = Instant::now();
        while ended().is_none() {
            assert!(since.elapsed() < crate::guest::PATIENCE, "{fault}");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(ended(), Some(Ended::Exited(0)), "{fault}");
        let console = world.console(&name);
        let said = format!("quorate-init: halting reason=\"{said}");
        assert!(console.contains(&said), "{fault}: no {said}: {console}");
        world.hypervisor.kill(&name).unwrap();
    }
}

/// A power failure, and what has to happen before anything is signed again.
#[test]
fn a_machine_that_was_killed_has_nothing_until_it_is_provisioned_again() {
    let Some(bench) = Bench::new() else { return };
    let mut world = World::of_machines(3, 2, bench.image);
    let (record, shares) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));
    let first = world.boot(record.clone(), copies(&shares), vec![link.clone()]);
    let old_share = first.honest(&world, 0);
    first.provision(&world, &[0, 1]);
    let before = evidence(&first, say(&first, b"before"));
    assert!(report(&first, &before, &anchors(&world)).is_accepted());
    let killed = world.hypervisor.kill(&world.newest()).unwrap();
    assert_eq!(killed.ended, Ended::Killed(9));

    let enclave = world.start();
    let status = enclave.status();
    assert_eq!(status.phase, Phase::Waiting);
    assert_eq!((status.genesis, status.manifest), (None, None));
    assert!(status.applications.is_empty(), "{status:?}");
    for request in [
        Request::Evidence(EvidenceRequest { nonce: nonce() }),
        Request::Attest(AttestRequest {
            stage: Stage::Live,
            nonce: nonce(),
        }),
    ] {
        assert_eq!(reason(enclave.ask(&request)), Reason::NothingToAttest);
    }
    let asked = Request::Provision(old_share.clone());
    assert_eq!(reason(enclave.ask(&asked)), Reason::WrongPhase);

    let second = World::boot_in(enclave, record, shares, vec![link], &echo());
    assert_ne!(second.enclave.started.module, first.enclave.started.module);
    assert_ne!(second.booted.live, first.booted.live);
    assert_ne!(second.booted.setup, first.booted.setup);
    // A share given to the first is none for the second; members give theirs anew.
    let asked = Request::Provision(old_share);
    assert_eq!(reason(second.enclave.ask(&asked)), Reason::GrantForAnother);
    assert_eq!(second.enclave.status().phase, Phase::Collecting);
    second.provision(&world, &[1, 2]);
    let after = evidence(&second, say(&second, b"after"));
    let shown = report(&second, &after, &anchors(&world));
    assert!(shown.is_accepted(), "{shown:#?}");

    // The same quorum key, and nothing else that is the same.
    let [before, after] = [before, after].map(|evidence| {
        let provisioning = evidence.provisioning.unwrap();
        let application = evidence.applications[0].certificate.unverified().live;
        (provisioning.ring, provisioning.certificate, application)
    });
    assert_eq!(before.0.unverified().keys, after.0.unverified().keys);
    assert_ne!(before.1.unverified().live, after.1.unverified().live);
    assert_ne!(before.2, after.2);
}

/// The image with a signature as `quorate image sign` makes one.
fn signed_image(bench: &Bench) -> (std::path::PathBuf, [u8; 48]) {
    let key = include_bytes!("../../../reproducible-build/signing/testdata/p384.key.pem");
    let pem = include_bytes!("../../../reproducible-build/signing/testdata/p384.crt.pem");
    let certificate = Certificate::from_pem(pem).unwrap();
    let signer = Signer::File(FileKey::from_pem(key).unwrap());
    let bytes = std::fs::read(&bench.image).unwrap();
    let image = Eif::parse(&bytes).unwrap();
    let now = quorate_emulator::server::system_clock_ms() / 1000;
    let section = sign(image.measure().pcr0, &certificate, &signer, now).unwrap();
    let section = section.to_bytes();
    let signed = image.with_signature(&section).unwrap();
    let path = bench.folder.path().join("signed.eif");
    std::fs::write(&path, signed.to_bytes()).unwrap();
    (path, *certificate.pcr8().as_bytes())
}

/// A manifest that names PCR8 boots in an image that this signer signed, and in no other, though
/// kernel and software are the same.
#[test]
fn an_unsigned_image_where_the_manifest_names_a_signer_fails_closed() {
    let Some(bench) = Bench::new() else { return };
    let (image, pcr8) = signed_image(&bench);
    let mut world = World::of_machines(3, 2, image);
    assert_eq!(
        world.definition.measurements.pcr8.map(|pcr| pcr.0),
        Some(pcr8)
    );
    let (record, shares) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));
    assert_eq!(link.manifest.measurements.pcr8.map(|pcr| pcr.0), Some(pcr8));
    let signed = world.boot(record.clone(), copies(&shares), vec![link.clone()]);
    let asked = nonce();
    let document = signed.enclave.attest(Stage::Setup, &asked);
    let freshness = Freshness::Live {
        nonce: asked.as_slice(),
        max_age: Duration::from_secs(600),
        now_unix: quorate_emulator::server::system_clock_ms() / 1000,
    };
    let debug = DebugMode::default();
    let attested = verify(&document, &anchors(&world), &freshness, debug).unwrap();
    attested.expect_pcr(8, &Pcr::from(pcr8)).unwrap();
    world.hypervisor.kill(&world.newest()).unwrap();

    let started = world.start_machine(bench.image, Faults::default());
    let unsigned = started.unwrap();
    unsigned.upload(&echo());
    let chain = vec![link];
    let refused = unsigned.refused(&Request::Boot(BootRequest { record, chain }));
    assert_eq!(refused.reason, Reason::MeasurementMismatch);
    assert!(
        refused.detail.as_str().starts_with("PCR8 is zero"),
        "{refused:?}"
    );
    assert_eq!(unsigned.status().phase, Phase::Waiting);
    let genesis = Request::Genesis(world.genesis_request());
    assert_eq!(reason(unsigned.ask(&genesis)), Reason::MeasurementMismatch);
}

/// Evidence of a good machine, under the wrong root; and the same evidence with the document of a
/// machine in debug mode that commits to the very same keys: its first process is not init, and says
/// what the host wants.
#[test]
fn evidence_under_awss_root_or_of_a_debug_machine_fails_closed() {
    let Some(bench) = Bench::new() else { return };
    let mut world = World::of_machines(3, 2, bench.image.clone());
    let (record, shares) = world.genesis();
    let link = world.approved(world.manifest_fields(&record, &echo()));
    let instance = world.boot(record, shares, vec![link]);
    instance.provision(&world, &[0, 1]);
    let honest = evidence(&instance, say(&instance, b"hello"));
    let trusted = anchors(&world);
    let accepted = report(&instance, &honest, &trusted);
    assert!(
        accepted.is_accepted() && accepted.development,
        "{accepted:#?}"
    );
    let under_aws = report(&instance, &honest, &TrustAnchors::with_aws());
    assert!(!under_aws.is_accepted(), "{under_aws:#?}");
    assert!(
        under_aws
            .failed()
            .any(|check| check.id == "attestation-root")
    );
    // A challenge that was not this verifier's is no answer to it.
    let asked = nonce();
    let document = instance.enclave.attest(Stage::Live, &asked);
    let stale = nonce();
    for (asked, fresh) in [(&asked, true), (&stale, false)] {
        let freshness = Freshness::Live {
            nonce: asked.as_slice(),
            max_age: Duration::from_secs(600),
            now_unix: quorate_emulator::server::system_clock_ms() / 1000,
        };
        let verified = verify(&document, &trusted, &freshness, DebugMode::default());
        assert_eq!(verified.is_ok(), fresh, "{verified:?}");
    }

    // Under the same root, so that nothing but the mode is wrong with its document.
    let setup = quorate_emulator::machine::run::Setup {
        mode: Mode::Debug,
        ..bench.test_setup()
    };
    let name = crate::guest::name("debug");
    let started = world.hypervisor.start_machine(&name, &setup).unwrap();
    let listens = || crate::guest::console(&started).contains("test-guest: listening");
    assert!(crate::guest::await_true(listens));
    let mut stream = UnixStream::connect(started.directory.join("port-7004.sock")).unwrap();
    let manifest = instance.manifest();
    let (genesis, digest) = (manifest.genesis, Digest::of(manifest));
    let (setup, live) = (&instance.booted.setup, &instance.booted.live);
    for (index, data) in [
        (PCR_SETUP, setup_extension(&genesis, &digest, setup)),
        (PCR_LIVE, live_extension(&genesis, &digest, live)),
        (
            PCR_APPLICATIONS,
            applications_extension(&genesis, &manifest.applications),
        ),
    ] {
        let request = NsmRequest::ExtendPcr {
            index: index.into(),
            data: &data,
        };
        let response = exchange(&mut stream, &request).unwrap();
        let response = NsmResponse::decode(&response).unwrap();
        assert!(matches!(response, NsmResponse::ExtendPcr { .. }));
    }
    let response = exchange(&mut stream, &NsmRequest::LockPcrs { range: 32 }).unwrap();
    let locked = NsmResponse::decode(&response).unwrap();
    assert!(matches!(locked, NsmResponse::LockPcrs), "{locked:?}");
    let (user_data, asked) = (to_bytes(&UserData::Live(digest)), nonce());
    let request = NsmRequest::Attestation {
        user_data: Some(&user_data),
        nonce: Some(asked.as_slice()),
        public_key: Some(&live.to_attested()),
    };
    let response = exchange(&mut stream, &request).unwrap();
    let NsmResponse::Attestation { document } = NsmResponse::decode(&response).unwrap() else {
        panic!("no document");
    };
    let mut forged = honest;
    forged.document = Document::new(document.to_vec()).unwrap();
    let shown = report(&instance, &forged, &trusted);
    assert!(!shown.is_accepted());
    let errors: Vec<_> = shown
        .failed()
        .filter_map(|check| check.error.as_ref())
        .collect();
    let debug = |error: &&EvidenceError| matches!(error, EvidenceError::Debug);
    assert!(errors.iter().any(debug), "{errors:?}");
}

/// Descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// An emulator that runs for weeks starts and ends many machines.
#[test]
fn a_machine_leaves_no_descriptor_and_no_thread_behind() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let setup = bench.test_setup();
    let no_qemu = quorate_emulator::machine::run::Setup {
        // QEMU starts, takes the connections of its devices, and ends: no kernel is there.
        image: bench.folder.path().join("no-kernel.eif"),
        ..setup.clone()
    };
    let bytes = std::fs::read(&setup.image).unwrap();
    let good = Eif::parse(&bytes).unwrap();
    let ramdisks: Vec<&[u8]> = good.ramdisks().collect();
    let bad = Eif::assemble(&quorate_eif::Parts {
        architecture: good.architecture(),
        kernel: &[0; 4096],
        command_line: "quiet",
        ramdisks: &ramdisks,
        metadata: good.metadata(),
    });
    std::fs::write(&no_qemu.image, bad.unwrap().to_bytes()).unwrap();
    let mut run = |text: &str, setup, may_fail: bool| {
        let name = crate::guest::name(text);
        match bench.hypervisor.start_machine(&name, setup) {
            Ok(started) => {
                // Connections it has when it ends go with it.
                let stream = UnixStream::connect(started.directory.join("port-7000.sock"));
                bench.hypervisor.kill(&name).map(drop).unwrap();
                drop(stream);
            }
            Err(error) => assert!(may_fail, "{error}"),
        }
    };
    // The first machine opens what stays: the lock, the search.
    run("first", &setup, false);
    let settled = |what: &dyn Fn() -> usize, most: usize| {
        // The threads that read QEMU's console end by themselves, soon.
        crate::guest::await_true(|| what() <= most)
    };
    let (open, running) = (descriptors(), threads());
    for round in 0..3 {
        run(&format!("good-{round}"), &setup, false);
        run(&format!("bad-{round}"), &no_qemu, true);
    }
    assert!(
        settled(&descriptors, open),
        "{} after {open}",
        descriptors()
    );
    assert!(settled(&threads, running), "{} after {running}", threads());
}
