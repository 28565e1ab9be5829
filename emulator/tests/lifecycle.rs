//! An instance's life after its key has come: the application's process, restarts, evidence, halt.

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Instance, World, echo, nonce};
use quorate_echo::{EchoRequest, EchoResponse};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Name, Text};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::message::{EvidenceRequest, Phase, Request, Response};
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{Policy, Time, verify};

fn provisioned(world: &mut World) -> Instance {
    let instance = world.booted();
    let positions: Vec<_> = (0..usize::from(world.threshold)).collect();
    instance.provision(world, &positions);
    instance
}

fn say(instance: &Instance, message: &[u8]) -> Signed<ApplicationProof> {
    let path = instance.enclave.started.directory.join("port-5100.sock");
    let mut stream = UnixStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let request = EchoRequest::Echo(Bytes::new(message.to_vec()).unwrap());
    stream
        .write_all(&frame(&to_bytes(&request)).unwrap())
        .unwrap();
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

fn evidence(instance: &Instance) -> Evidence {
    let request = Request::Evidence(EvidenceRequest { nonce: nonce() });
    match instance.enclave.ask_public(&request) {
        Response::Evidence(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

/// Puts a proof beside the certificate of its start.
fn with(mut evidence: Evidence, proof: Signed<ApplicationProof>) -> Evidence {
    let start = proof.unverified().start;
    let place = evidence
        .applications
        .iter_mut()
        .find(|a| a.certificate.unverified().start == start)
        .expect("a certificate of that start");
    place.proofs.push(proof);
    evidence
}

fn accepted(world: &World, instance: &Instance, evidence: &Evidence) {
    let mut anchors = TrustAnchors::empty();
    let root = common::root_der(&world.hypervisor);
    anchors
        .insert(TrustAnchor::from_der(Partition::Development, &root).unwrap())
        .unwrap();
    let policy = Policy::pinned(instance.record.digest());
    let report = verify(&to_bytes(evidence), &policy, &anchors, Time::Archived);
    assert!(report.is_accepted(), "{report:#?}");
}

/// The one child process of the emulated init.
fn child(instance: &Instance) -> u32 {
    let init = instance.enclave.started.pid;
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    children.trim().parse().expect("exactly one child")
}

fn await_true(what: &str, mut condition: impl FnMut() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill(process: u32, signal: nix::sys::signal::Signal) {
    let process = nix::unistd::Pid::from_raw(i32::try_from(process).unwrap());
    nix::sys::signal::kill(process, signal).unwrap();
}

#[test]
fn what_an_application_says_is_in_evidence_a_stranger_accepts() {
    let mut world = World::new(3, 2);
    let instance = provisioned(&mut world);
    let proof = say(&instance, b"hello");
    assert_eq!(proof.unverified().payload.as_slice(), b"hello");
    assert_eq!(proof.unverified().kind, Name::new("echo").unwrap());
    accepted(&world, &instance, &with(evidence(&instance), proof));
}

#[test]
fn an_application_inherits_what_the_manifest_gives_it_and_nothing_else() {
    let mut world = World::new(3, 2);
    let (record, shares) = world.genesis();
    let mut fields = world.manifest_fields(&record, &echo());
    let entry = &mut fields.applications[0];
    entry.arguments = vec![Text::new("5100").unwrap()];
    entry.environment = vec![Text::new("A=1").unwrap(), Text::new("B=two words").unwrap()];
    let link = world.approved(fields);
    let instance = world.boot(record, shares, vec![link]);
    instance.provision(&world, &[0, 1]);

    let process = child(&instance);
    let read = |name: &str| std::fs::read(format!("/proc/{process}/{name}"));
    let status = String::from_utf8(read("status").unwrap()).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
    let limits = String::from_utf8(read("limits").unwrap()).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|l| l.starts_with(name)).unwrap();
        line[name.len()..]
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(limit("Max core file size"), "0");
    assert_eq!(limit("Max address space"), (256 * 1024 * 1024).to_string());
    assert_eq!(read("cmdline").unwrap(), b"echo\x005100\0");
    // Not to be read by anyone but root: the application has made itself undumpable.
    if let Ok(environment) = read("environ") {
        assert_eq!(environment, b"A=1\0B=two words\0");
        let mut open: Vec<i32> = std::fs::read_dir(format!("/proc/{process}/fd"))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        open.sort_unstable();
        // Null three times; record and keys were read and closed; control; the listener.
        assert_eq!(open, [0, 1, 2, 5, 6]);
        let null = |n: i32| std::fs::read_link(format!("/proc/{process}/fd/{n}")).unwrap();
        assert!((0..3).all(|n| null(n) == Path::new("/dev/null")));
    }
}

#[test]
fn killed_application_is_started_again_with_another_key() {
    let mut world = World::new(3, 2);
    let instance = provisioned(&mut world);
    let first = say(&instance, b"first");
    assert_eq!(first.unverified().start, 1);
    let before = child(&instance);
    kill(before, nix::sys::signal::Signal::SIGKILL);
    await_true("the application is started again", || {
        let status = instance.enclave.status();
        status.applications[0].starts == 2 && status.phase == Phase::Running
    });
    assert_ne!(child(&instance), before);
    let second = say(&instance, b"second");
    assert_eq!(second.unverified().start, 2);
    let evidence = evidence(&instance);
    let keys: Vec<_> = evidence
        .applications
        .iter()
        .map(|a| a.certificate.unverified().live)
        .collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
    accepted(&world, &instance, &with(with(evidence, first), second));
}

#[test]
fn application_beyond_its_restarts_ends_the_instance() {
    let mut world = World::new(3, 2);
    let (record, shares) = world.genesis();
    let mut fields = world.manifest_fields(&record, &echo());
    fields.applications[0].restart.restarts = 1;
    let link = world.approved(fields);
    let instance = world.boot(record, shares, vec![link]);
    instance.provision(&world, &[0, 1]);
    kill(child(&instance), nix::sys::signal::Signal::SIGKILL);
    await_true("the application is started once more", || {
        let status = instance.enclave.status();
        status.applications[0].starts == 2 && status.phase == Phase::Running
    });
    kill(child(&instance), nix::sys::signal::Signal::SIGKILL);
    let operator = instance.enclave.started.operator.clone();
    await_true("the instance ends", || {
        UnixStream::connect(&operator).is_err()
    });
    let console = std::fs::read_to_string(&instance.enclave.started.console).unwrap();
    assert!(
        console.contains("halting reason=\"an application ended"),
        "{console}"
    );
}

#[test]
fn asked_to_stop_it_halts_in_order() {
    let mut world = World::new(3, 2);
    let instance = provisioned(&mut world);
    let application = child(&instance);
    kill(
        instance.enclave.started.pid,
        nix::sys::signal::Signal::SIGTERM,
    );
    let operator = instance.enclave.started.operator.clone();
    await_true("the instance ends", || {
        UnixStream::connect(&operator).is_err()
    });
    await_true("its application is gone", || {
        !Path::new(&format!("/proc/{application}")).exists()
    });
    let console = std::fs::read_to_string(&instance.enclave.started.console).unwrap();
    assert!(
        console.contains("halting reason=\"asked to stop\""),
        "{console}"
    );
}

#[test]
fn the_console_says_nothing_a_caller_sent() {
    let mut world = World::new(3, 2);
    let instance = provisioned(&mut world);
    let mut stream = instance.enclave.connect();
    stream
        .write_all(b"\x01\x00\x00\x00\x10SECRET-OF-CALLER")
        .unwrap();
    let _ = common::read_response(&mut stream);
    say(&instance, b"SECRET-OF-CALLER");
    let console = std::fs::read_to_string(&instance.enclave.started.console).unwrap();
    assert!(!console.contains("SECRET"), "{console}");
    assert!(console.contains("refused reason=Malformed"), "{console}");
}
