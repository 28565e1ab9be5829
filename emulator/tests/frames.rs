//! Frames of every wrong kind on every port, before and after each phase; two boots at once; a flood
//! beside idle connections. Each time nothing changes, and the enclave goes on to do its work.

mod common;
#[path = "common/frames.rs"]
mod frames;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;

use common::{Enclave, Instance, World, ask_on, echo};
use quorate_echo::{EchoRequest, EchoResponse};
use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::message::{BootRequest, Phase, Reason, Request, Response};

fn ports(enclave: &Enclave) -> [PathBuf; 2] {
    [
        enclave.started.operator.clone(),
        enclave.started.public.clone(),
    ]
}

fn application(enclave: &Enclave) -> PathBuf {
    enclave.started.directory.join("port-5100.sock")
}

/// Every wrong frame is refused, or its connection closed, and nothing changes.
fn refuses(enclave: &Enclave, when: &str) {
    let before = enclave.status();
    for port in ports(enclave) {
        for bytes in frames::wrong() {
            let answer = frames::send(&port, &bytes);
            if answer.is_empty() {
                continue;
            }
            let payload = Assembler::new().push::<Response>(&answer).unwrap();
            let response = from_bytes(&payload.expect("a whole answer")).unwrap();
            assert!(
                matches!(response, Response::Refused(_)),
                "{when}: {bytes:02x?}: {response:?}"
            );
        }
        // In the middle of a frame, and gone.
        for length in 1..7 {
            let mut stream = UnixStream::connect(&port).unwrap();
            let begin = [1, 0, 0, 4, 0, 0x82, 5];
            stream.write_all(&begin[..length]).unwrap();
        }
    }
    assert_eq!(enclave.status(), before, "{when}");
}

/// An application closes what it does not understand, and answers nothing.
fn application_refuses(enclave: &Enclave) {
    let before = enclave.status();
    for bytes in frames::wrong() {
        let answer = frames::send(&application(enclave), &bytes);
        assert!(answer.is_empty(), "{bytes:02x?}: {answer:02x?}");
    }
    assert_eq!(enclave.status(), before);
    echoes(enclave);
}

/// The application answers still.
fn echoes(enclave: &Enclave) {
    let message = Bytes::new(b"still here".to_vec()).unwrap();
    let request = EchoRequest::Repeat(message.clone());
    let answer = ask(&application(enclave), &to_bytes(&request));
    assert_eq!(answer, EchoResponse::Repeated(message));
}

fn ask(port: &Path, payload: &[u8]) -> EchoResponse {
    let mut stream = UnixStream::connect(port).unwrap();
    stream.write_all(&frame(payload).unwrap()).unwrap();
    receive(&mut stream)
}

fn receive(stream: &mut UnixStream) -> EchoResponse {
    let mut assembler = Assembler::new();
    loop {
        let mut piece = vec![0; assembler.wanted::<EchoResponse>().unwrap()];
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "closed without an answer");
        if let Some(payload) = assembler.push::<EchoResponse>(&piece[..count]).unwrap() {
            return from_bytes(&payload).unwrap();
        }
    }
}

#[test]
fn wrong_frames_on_every_port_in_every_phase_fails_closed() {
    let mut world = World::new(3, 2);
    let enclave = world.start();
    refuses(&enclave, "waiting");
    let answer = enclave.ask(&Request::Genesis(world.genesis_request()));
    let Response::Genesis(response) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(enclave.status().phase, Phase::Born);
    refuses(&enclave, "born");
    let (record, shares) = world.receipts(response);
    let link = world.approved(world.manifest_fields(&record, &echo()));
    let fresh = world.start();
    refuses(&fresh, "waiting, before a boot");
    fresh.upload(&echo());
    refuses(&fresh, "with a binary");
    let request = BootRequest {
        record: record.clone(),
        chain: vec![link.clone()],
    };
    let booted = match fresh.ask(&Request::Boot(request)) {
        Response::Booted(booted) => *booted,
        other => panic!("{other:?}"),
    };
    let instance = Instance {
        enclave: fresh,
        record,
        chain: vec![link],
        shares,
        booted,
    };
    refuses(&instance.enclave, "collecting");
    let first = Request::Provision(instance.honest(&world, 0));
    let answer = instance.enclave.ask(&first);
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
    refuses(&instance.enclave, "with one share");
    instance.provision(&world, &[1]);
    let status = instance.enclave.status();
    assert_eq!(status.phase, Phase::Running);
    refuses(&instance.enclave, "running");
    application_refuses(&instance.enclave);
}

#[test]
fn two_boots_at_once_fails_closed() {
    let mut world = World::new(3, 2);
    let (record, shares) = world.genesis();
    let fields = |not_before| {
        let mut fields = world.manifest_fields(&record, &echo());
        fields.validity.not_before = UnixMillis(not_before);
        fields
    };
    // Both are good.
    let links = [fields(0), fields(1)].map(|fields| world.approved(fields));
    let enclave = world.start();
    enclave.upload(&echo());
    let barrier = Barrier::new(links.len());
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let boot = |link: &quorate_protocol::manifest::Link| {
            let request = Request::Boot(BootRequest {
                record: record.clone(),
                chain: vec![link.clone()],
            });
            let mut stream = enclave.connect();
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                ask_on(&mut stream, &request)
            })
        };
        let threads: Vec<_> = links.iter().map(boot).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut booted = None;
    for (answer, link) in answers.into_iter().zip(&links) {
        match answer {
            Response::Booted(keys) => {
                assert!(booted.replace((*keys, link.clone())).is_none());
            }
            Response::Refused(refusal) => assert_eq!(refusal.reason, Reason::WrongPhase),
            other => panic!("{other:?}"),
        }
    }
    let (booted, link) = booted.expect("one of them");
    let instance = Instance {
        enclave,
        record,
        chain: vec![link],
        shares,
        booted,
    };
    instance.provision(&world, &[0, 1]);
    assert_eq!(instance.enclave.status().phase, Phase::Running);
    echoes(&instance.enclave);
}

/// Memory is compared with what unbounded holding would take: sixty-four connections times two ports
/// times two mebibytes, and many times that for what the flood sent.
const GROWTH_KIB: u64 = 48 * 1024;

#[test]
fn ten_thousand_hostile_frames_beside_idle_connections_fails_closed() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    instance.provision(&world, &[0, 1]);
    let enclave = &instance.enclave;
    let status = enclave.status();
    let [operator, public] = ports(enclave);
    let all = [operator, public, application(enclave)];
    let before = frames::resident(enclave.started.pid);
    let idle = frames::idle(&all, 500);
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| frames::flood(&all, &sent, 10_000));
        }
        for _ in 0..100 {
            assert_eq!(enclave.status(), status);
            echoes(enclave);
        }
    });
    assert_eq!(enclave.status(), status);
    echoes(enclave);
    let grown = frames::resident(enclave.started.pid).saturating_sub(before);
    assert!(grown < GROWTH_KIB, "init grew by {grown} KiB");
    drop(idle);
}

#[test]
fn requests_that_are_never_complete_hold_bounded_memory_fails_closed() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    let enclave = &instance.enclave;
    let before = frames::resident(enclave.started.pid);
    // Boot requests, all but their last bytes: two mebibytes each.
    let mut bytes = vec![1, 0, 0x20, 0, 0, 0x82, 3];
    bytes.resize(2 * 1024 * 1024, 0);
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut stream = enclave.connect();
        stream
            .set_write_timeout(Some(std::time::Duration::from_secs(20)))
            .unwrap();
        // Whoever holds most of it for longest is given up; its sender may notice.
        let _ = stream.write_all(&bytes);
        held.push(stream);
    }
    let status = enclave.status();
    assert_eq!(status.phase, Phase::Collecting);
    let grown = frames::resident(enclave.started.pid).saturating_sub(before);
    assert!(grown < GROWTH_KIB, "init grew by {grown} KiB");
    instance.provision(&world, &[0, 1]);
    assert_eq!(enclave.status().phase, Phase::Running);
}

/// Answers come in the order of the requests, whatever the pieces in which these arrive.
#[test]
fn requests_sent_together_are_answered_in_order() {
    let mut world = World::new(3, 2);
    let instance = world.booted();
    instance.provision(&world, &[0, 1]);
    let message = |n: usize| Bytes::new(vec![n as u8; n * 37 % 3000]).unwrap();
    let requests: Vec<u8> = (0..200)
        .flat_map(|n| frame(&to_bytes(&EchoRequest::Repeat(message(n)))).unwrap())
        .collect();
    for piece in [1, 7, 4096, requests.len()] {
        let mut stream = UnixStream::connect(application(&instance.enclave)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for piece in requests.chunks(piece) {
                    writer.write_all(piece).unwrap();
                }
            });
            for n in 0..200 {
                let answer = receive(&mut stream);
                assert_eq!(answer, EchoResponse::Repeated(message(n)));
            }
        });
    }
}
