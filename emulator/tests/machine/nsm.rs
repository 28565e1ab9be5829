//! The NSM as a guest finds it, through the kernel's own driver; and NSMs that fail.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use quorate_emulator::process::Ended;
use quorate_emulator::server::system_clock_ms;
use quorate_init::nsm::wire::{ErrorCode, Request, Response};
use quorate_protocol::message::Phase;
use quorate_verify::attestation::{DebugMode, Freshness, Pcr, verify};

use crate::anchors;
use crate::guest::{Bench, Guest, await_true, console, status};

/// One request to the guest's `/dev/nsm`: the response, or what the driver said.
pub(crate) fn exchange(stream: &mut UnixStream, request: &Request<'_>) -> Result<Vec<u8>, String> {
    raw(stream, &request.encode().unwrap())
}

fn raw(stream: &mut UnixStream, request: &[u8]) -> Result<Vec<u8>, String> {
    let length = u32::try_from(request.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    if length == [0xff; 4] {
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        return Err(said);
    }
    let mut response = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut response).unwrap();
    Ok(response)
}

fn error(response: &[u8]) -> ErrorCode {
    match Response::decode(response).unwrap() {
        Response::Error(code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_request_is_answered_through_the_kernels_driver() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &[]);
    let stream = &mut guest.connect(7004);

    let described = exchange(stream, &Request::DescribeNsm).unwrap();
    match Response::decode(&described).unwrap() {
        Response::DescribeNsm {
            module_id,
            max_pcrs,
            locked_pcrs,
            ..
        } => {
            assert_eq!(module_id, guest.started.module);
            assert_eq!(max_pcrs, 32);
            assert_eq!(locked_pcrs, (0..16).collect());
        }
        other => panic!("{other:?}"),
    }
    let random = exchange(stream, &Request::GetRandom).unwrap();
    match Response::decode(&random).unwrap() {
        Response::GetRandom { random } => assert_eq!(random.len(), 256),
        other => panic!("{other:?}"),
    }
    let read_only = exchange(
        stream,
        &Request::ExtendPcr {
            index: 0,
            data: b"x",
        },
    )
    .unwrap();
    assert_eq!(error(&read_only), ErrorCode::ReadOnlyIndex);
    exchange(
        stream,
        &Request::ExtendPcr {
            index: 16,
            data: b"x",
        },
    )
    .unwrap();
    exchange(stream, &Request::LockPcr { index: 16 }).unwrap();
    let locked = exchange(
        stream,
        &Request::ExtendPcr {
            index: 16,
            data: b"y",
        },
    )
    .unwrap();
    assert_eq!(error(&locked), ErrorCode::ReadOnlyIndex);
    exchange(stream, &Request::LockPcrs { range: 32 }).unwrap();
    let none = exchange(stream, &Request::DescribePcr { index: 32 }).unwrap();
    assert_eq!(error(&none), ErrorCode::InvalidIndex);
    assert_eq!(
        error(&raw(stream, b"\xff").unwrap()),
        ErrorCode::InvalidOperation
    );

    // The largest document there is: three fields of 1024 bytes.
    let field = [7; 1024];
    let request = Request::Attestation {
        user_data: Some(&field),
        nonce: Some(&field),
        public_key: Some(&field),
    };
    let response = exchange(stream, &request).unwrap();
    let Response::Attestation { document } = Response::decode(&response).unwrap() else {
        panic!("no document");
    };
    let freshness = Freshness::Live {
        nonce: &field,
        max_age: Duration::from_secs(60),
        now_unix: system_clock_ms() / 1000,
    };
    let attested = verify(document, &anchors(&bench), &freshness, DebugMode::default()).unwrap();
    attested.expect_pcr(16, &Pcr::ZERO.extend(b"x")).unwrap();
    assert_eq!(attested.document().module_id(), guest.started.module);
    // A request longer than any is refused by the driver, and the device goes on.
    raw(stream, &[0; 0x1001]).unwrap_err();
    exchange(&mut guest.connect(7004), &Request::DescribeNsm).unwrap();
}

#[test]
fn a_clock_that_is_wrong_shows_in_documents() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &["nsm-clock=-86400000"]);
    let request = Request::Attestation {
        user_data: None,
        nonce: None,
        public_key: None,
    };
    let response = exchange(&mut guest.connect(7004), &request).unwrap();
    let Response::Attestation { document } = Response::decode(&response).unwrap() else {
        panic!("no document");
    };
    let archived = Freshness::Archived { at_unix: None };
    let debug = DebugMode::default();
    let attested = verify(document, &anchors(&bench), &archived, debug).unwrap();
    let day = 24 * 3600 * 1000;
    let behind = system_clock_ms() - attested.document().timestamp_ms();
    assert!((day..day + 120_000).contains(&behind), "{behind} ms");
    // A verifier that looks at its own clock sees it too.
    let live = Freshness::Live {
        nonce: b"",
        max_age: Duration::from_secs(600),
        now_unix: system_clock_ms() / 1000,
    };
    assert!(verify(document, &anchors(&bench), &live, debug).is_err());
}

#[test]
fn a_slow_nsm_is_slow_and_one_that_never_answers_does_not() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("slow", &["nsm-delay=700"]);
    let since = Instant::now();
    exchange(&mut guest.connect(7004), &Request::DescribeNsm).unwrap();
    assert!(since.elapsed() >= Duration::from_millis(700));
    drop(guest);
    bench.hypervisor.kill(&crate::guest::name("slow")).unwrap();

    let guest = bench.start_test("silent", &["nsm-silence=DescribePCR"]);
    exchange(&mut guest.connect(7004), &Request::DescribeNsm).unwrap();
    let mut stream = guest.connect(7004);
    let request = Request::DescribePcr { index: 0 }.encode().unwrap();
    stream
        .write_all(&(request.len() as u32).to_be_bytes())
        .unwrap();
    stream.write_all(&request).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let waited = stream.read(&mut [0]).unwrap_err();
    assert_eq!(waited.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn each_kind_of_request_can_fail() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let faults = ["nsm-error=LockPCR", "nsm-garbage=ExtendPCR"];
    let guest = bench.start_test("one", &faults);
    let stream = &mut guest.connect(7004);
    let refused = exchange(stream, &Request::LockPcr { index: 17 }).unwrap();
    assert_eq!(error(&refused), ErrorCode::InternalError);
    let garbage = exchange(
        stream,
        &Request::ExtendPcr {
            index: 17,
            data: b"x",
        },
    )
    .unwrap();
    assert!(Response::decode(&garbage).is_err());
    // Nothing happened to the register.
    let register = exchange(stream, &Request::DescribePcr { index: 17 }).unwrap();
    match Response::decode(&register).unwrap() {
        Response::DescribePcr { lock, data } => {
            assert_eq!((lock, data), (false, [0; 48].as_slice()))
        }
        other => panic!("{other:?}"),
    }
}

/// Starts the real image with one fault and says what becomes of it: it listens, or it halts.
fn outcome(bench: &mut Bench, text: &str, fault: &str) -> Option<String> {
    let mut setup = bench.setup();
    setup.until = quorate_emulator::machine::run::Until::Running;
    setup.faults.add(fault).unwrap();
    let started = bench.start_as(text, &setup);
    let name = crate::guest::name(text);
    let mut ended = None;
    let mut answers = false;
    let decided = await_true(|| {
        ended = bench.hypervisor.ended(&name).unwrap();
        answers = ended.is_none() && answers_status(&started.operator);
        ended.is_some() || answers
    });
    let said = console(&started);
    assert!(decided, "{fault}: {said}");
    if answers {
        assert_eq!(status(&started.operator).phase, Phase::Waiting);
        bench.hypervisor.kill(&name).unwrap();
        return None;
    }
    assert_eq!(ended, Some(Ended::Exited(0)), "{fault}: {said}");
    Some(said)
}

fn answers_status(socket: &std::path::Path) -> bool {
    crate::ask(socket, &quorate_protocol::message::Request::Status).is_some()
}

#[test]
fn an_nsm_that_fails_at_each_call_in_turn_halts_init_with_its_reason_fails_closed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for kind in ["DescribeNSM", "Attestation"] {
        for fault in ["nsm-error", "nsm-garbage"] {
            let text = format!("{}-{}", fault, kind.to_lowercase());
            let said = outcome(&mut bench, &text, &format!("{fault}={kind}"));
            let said = said.unwrap_or_else(|| panic!("{text}: init went on"));
            assert!(
                said.contains("quorate-init: halting reason="),
                "{text}: {said}"
            );
        }
    }
    // By number the kernel's own requests for entropy are hit too; those it survives.
    let mut halted = 0;
    for number in 1..=4 {
        let text = format!("call-{number}");
        if let Some(said) = outcome(&mut bench, &text, &format!("nsm-error={number}")) {
            assert!(
                said.contains("quorate-init: halting reason="),
                "{text}: {said}"
            );
            halted += 1;
        }
    }
    assert!(halted >= 2, "only {halted} of the first calls matter");
}

#[test]
fn the_guest_restarts_and_that_ends_the_machine() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest: Guest = bench.start_test("one", &[]);
    drop(guest.connect(7005));
    assert_eq!(bench.await_end("one"), Ended::Exited(0));
    assert!(console(&guest.started).contains("restarting"));
}
