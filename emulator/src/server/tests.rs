use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use getrandom::SysRng;
use quorate_init::nsm::wire::{ErrorCode, Request, Response};
use quorate_init::nsm::{Call, Nsm, NsmError, PcrLock};

use super::*;
use crate::device::{Config, Mode};
use crate::identity::InstanceId;
use crate::measurements::{ZERO_PCR, extend, process_measurements};
use crate::pki::DevelopmentRoot;

fn device() -> NsmDevice {
    let now_ms = system_clock_ms();
    let root = Arc::new(DevelopmentRoot::generate(&mut SysRng, now_ms).unwrap());
    let config = Config {
        measurements: process_measurements(b"an init"),
        instance: InstanceId::parse("i-0123456789abcdef0").unwrap(),
        role_arn: None,
        mode: Mode::Normal,
    };
    NsmDevice::new(config, root, SysRng, now_ms).unwrap()
}

/// Serves a device in a thread while `guest` runs; returns how many requests were answered.
fn served(guest: impl FnOnce(SocketNsm)) -> Result<u64, ServerError> {
    let (end, socket) = socket_pair().unwrap();
    let server = thread::spawn(move || serve(&end, &mut device(), system_clock_ms));
    guest(socket);
    server.join().expect("the server does not panic")
}

#[test]
fn inits_client_runs_over_the_pair() {
    let answered = served(|socket| {
        let mut nsm = Nsm::new(socket);
        let description = nsm.describe().unwrap();
        assert_eq!(description.locked_pcrs, (0..16).collect());
        let value = extend(&ZERO_PCR, b"x");
        assert_eq!(nsm.extend(16, b"x"), Ok(value));
        nsm.lock(16).unwrap();
        let state = nsm.describe_pcr(16).unwrap();
        assert_eq!((state.lock, state.value), (PcrLock::Locked, value));
        nsm.lock_range(32).unwrap();
        assert_eq!(nsm.random().unwrap().len(), 256);
        let full = [1; 1024];
        let document = nsm.attest(Some(&full), Some(&full), Some(&full)).unwrap();
        assert_eq!(document[..7], [0x84, 0x44, 0xA1, 0x01, 0x38, 0x22, 0xA0]);
    });
    assert_eq!(answered, Ok(7));
}

#[test]
fn refusals_of_the_device_arrive() {
    let answered = served(|socket| {
        let mut nsm = Nsm::new(socket);
        let call = Call::Extend { index: 0 };
        let code = ErrorCode::ReadOnlyIndex;
        assert_eq!(nsm.extend(0, b"x"), Err(NsmError::Device { call, code }));
        let call = Call::DescribePcr { index: 32 };
        let code = ErrorCode::InvalidIndex;
        assert_eq!(nsm.describe_pcr(32), Err(NsmError::Device { call, code }));
    });
    assert_eq!(answered, Ok(2));
}

#[test]
fn malformed_and_oversize_packets_fail_closed() {
    let answered = served(|socket| {
        let mut response = [0; RESPONSE_MAX];
        let mut exchange = |request: &[u8]| {
            send(socket.0.as_raw_fd(), request, MsgFlags::MSG_NOSIGNAL).unwrap();
            let len = recv(socket.0.as_raw_fd(), &mut response, MsgFlags::empty()).unwrap();
            match Response::decode(&response[..len]).unwrap() {
                Response::Error(code) => code,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(exchange(&[0xFF; 10]), ErrorCode::InvalidOperation);
        assert_eq!(exchange(&[0; REQUEST_MAX]), ErrorCode::InvalidOperation);
        assert_eq!(exchange(&[0; REQUEST_MAX + 1]), ErrorCode::InputTooLarge);
        assert_eq!(exchange(&[0; 5 * REQUEST_MAX]), ErrorCode::InputTooLarge);
        // A packet that begins like a request is not cut down to one.
        let mut long = Request::GetRandom.encode().unwrap();
        long.resize(3 * REQUEST_MAX, 0);
        assert_eq!(exchange(&long), ErrorCode::InputTooLarge);
    });
    assert_eq!(answered, Ok(5));
}

#[test]
fn oversize_request_is_not_sent_and_fails_closed() {
    let answered = served(|mut socket| {
        let outcome = socket.exchange(&[0; REQUEST_MAX + 1], &mut [0; RESPONSE_MAX]);
        let error = TransportError::RequestTooLong {
            len: REQUEST_MAX + 1,
            max: REQUEST_MAX,
        };
        assert_eq!(outcome, Err(error));
    });
    assert_eq!(answered, Ok(0));
}

#[test]
fn answer_that_does_not_fit_fails_closed() {
    let answered = served(|mut socket| {
        let request = Request::GetRandom.encode().unwrap();
        let outcome = socket.exchange(&request, &mut [0; 16]);
        assert!(matches!(
            outcome,
            Err(TransportError::ResponseTooLong { max: 16, .. })
        ));
    });
    assert_eq!(answered, Ok(1));
}

#[test]
fn closed_device_end_fails_closed() {
    let (end, socket) = socket_pair().unwrap();
    drop(end);
    let outcome = Nsm::new(socket).describe();
    let error = TransportError::Closed;
    assert_eq!(
        outcome,
        Err(NsmError::Transport {
            call: Call::Describe,
            error
        })
    );
}

#[test]
fn another_kind_of_descriptor_fails_closed() {
    let (stream, _other) = UnixStream::pair().unwrap();
    assert_eq!(
        SocketNsm::from_fd(stream.into()).err(),
        Some(ServerError::NotSeqpacket)
    );
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(
        SocketNsm::from_fd(file.into()).err(),
        Some(ServerError::NotSeqpacket)
    );
}

#[test]
fn the_descriptor_can_be_handed_over() {
    let answered = served(|socket| {
        let again = SocketNsm::from_fd(socket.into_fd()).unwrap();
        assert!(Nsm::new(again).describe().is_ok());
    });
    assert_eq!(answered, Ok(1));
}
