//! Connections over socket pairs: one end is what the platform dialled, the other the parent's.

use std::io::Read as _;
use std::os::unix::net::UnixStream;

use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::egress::Destination;
use quorate_protocol::frame::Assembler;
use quorate_protocol::manifest::RestartPolicy;

use super::*;
use crate::nsm::{Transport, TransportError};
use crate::refuse::Halt;
use crate::sandbox::Confinement;

/// A parent whose egress port does as it was told.
struct Parent {
    answers: Vec<Result<OwnedFd, Errno>>,
}

struct NoNsm;

impl Transport for NoNsm {
    fn exchange(&mut self, _: &[u8], _: &mut [u8]) -> Result<usize, TransportError> {
        Err(TransportError::TimedOut)
    }
}

impl Platform for Parent {
    type Nsm = NoNsm;

    fn nsm(&mut self) -> Result<NoNsm, TransportError> {
        Ok(NoNsm)
    }

    fn confine(&mut self, _: &[u8; 64]) -> Result<Confinement, Halt> {
        Ok(Confinement::as_user())
    }

    fn listen(&mut self, _: u32) -> Result<OwnedFd, Errno> {
        Err(Errno::ENOSYS)
    }

    fn available_memory(&mut self, _: u64) -> Option<u64> {
        None
    }

    fn dial(&mut self, port: u32) -> Result<OwnedFd, Errno> {
        assert_eq!(port, ports::EGRESS);
        self.answers.pop().expect("one more than expected")
    }
}

fn destination(text: &str) -> Destination {
    Destination::parse(text).unwrap()
}

fn entry() -> Application {
    Application {
        name: Name::new("fetch").unwrap(),
        sha256: Sha256([0; 32]),
        size: 1,
        arguments: Vec::new(),
        environment: Vec::new(),
        ports: Vec::new(),
        memory_limit: 1,
        restart: RestartPolicy {
            restarts: 0,
            first_back_off_ms: 1,
            largest_back_off_ms: 1,
            start_deadline_ms: 1,
        },
        calls: Vec::new(),
        shares: Vec::new(),
        egress: vec![destination("api.example.com:443")],
    }
}

fn dial(number: u64, text: &str) -> Dial {
    Dial {
        number,
        destination: destination(text),
    }
}

/// A connected pair: what the platform gives, and the parent's end.
fn pair() -> (OwnedFd, UnixStream) {
    let (mine, theirs) = UnixStream::pair().unwrap();
    mine.set_nonblocking(true).unwrap();
    (mine.into(), theirs)
}

/// A socket that cannot be written to, as one that is being connected.
fn connecting() -> (OwnedFd, UnixStream) {
    let (mine, theirs) = pair();
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    while send(mine.as_raw_fd(), &[0; 4096], flags).is_ok() {}
    (mine, theirs)
}

#[test]
fn a_connection_carries_the_request_and_waits_from_then_on() {
    let (mine, mut theirs) = pair();
    let mut parent = Parent {
        answers: vec![Ok(mine)],
    };
    let (mut dials, now) = (Dials::default(), Instant::now());
    let wanted = dial(7, "api.example.com:443");
    let begun = dials.begin(3, &entry(), &wanted, &mut parent, now);
    assert_eq!(begun, Ok(()));
    assert!(dials.deadline().is_some_and(|due| due == now + PATIENCE));
    let [outcome] = &dials.finished(now)[..] else {
        panic!("not finished")
    };
    assert_eq!((outcome.application, outcome.number), (3, 7));
    let socket = outcome.connection.as_ref().unwrap();
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
    let mut received = [0; 512];
    let count = theirs.read(&mut received).unwrap();
    let payload = Assembler::new().push::<EgressRequest>(&received[..count]);
    let request = from_bytes::<EgressRequest>(&payload.unwrap().unwrap());
    assert_eq!(request, Ok(EgressRequest::Connect(wanted.destination)));
    assert_eq!(dials.deadline(), None);
}

#[test]
fn a_destination_that_is_not_listed_fails_closed() {
    let mut parent = Parent {
        answers: Vec::new(),
    };
    let (mut dials, now) = (Dials::default(), Instant::now());
    for text in [
        "api.example.com:8443",
        "example.com:443",
        "api.example.org:443",
    ] {
        let refused = dials.begin(0, &entry(), &dial(1, text), &mut parent, now);
        assert_eq!(refused, Err(DialReason::NotAllowed), "{text}");
    }
    assert_eq!(dials.sockets().count(), 0);
}

#[test]
fn more_connections_at_once_than_allowed_fails_closed() {
    let (mut ends, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..=MAX_DIALS {
        let (mine, theirs) = connecting();
        answers.push(Ok(mine));
        ends.push(theirs);
    }
    let mut parent = Parent { answers };
    let (mut dials, now) = (Dials::default(), Instant::now());
    let wanted = dial(1, "api.example.com:443");
    for _ in 0..MAX_DIALS {
        let begun = dials.begin(0, &entry(), &wanted, &mut parent, now);
        assert_eq!(begun, Ok(()));
    }
    let refused = dials.begin(0, &entry(), &wanted, &mut parent, now);
    assert_eq!(refused, Err(DialReason::TooMany));
    assert!(dials.finished(now).is_empty(), "none is connected");
    // Another application has a bound of its own, and one that ended leaves nothing behind.
    let begun = dials.begin(1, &entry(), &wanted, &mut parent, now);
    assert_eq!(begun, Ok(()));
    dials.ended(0);
    assert_eq!(dials.sockets().count(), 1);
}

#[test]
fn a_parent_that_does_not_accept_in_time_fails_closed() {
    let (mine, _theirs) = connecting();
    let mut parent = Parent {
        answers: vec![Ok(mine)],
    };
    let (mut dials, now) = (Dials::default(), Instant::now());
    let wanted = dial(1, "api.example.com:443");
    dials.begin(0, &entry(), &wanted, &mut parent, now).unwrap();
    let early = now + PATIENCE - Duration::from_millis(1);
    assert!(dials.finished(early).is_empty());
    let [outcome] = &dials.finished(now + PATIENCE)[..] else {
        panic!("not finished")
    };
    assert_eq!(
        outcome.connection.as_ref().err(),
        Some(&DialReason::TimedOut)
    );
}

#[test]
fn a_parent_without_a_proxy_fails_closed() {
    let (mut dials, now) = (Dials::default(), Instant::now());
    let wanted = dial(1, "api.example.com:443");
    for (errno, reason) in [
        (Errno::ECONNREFUSED, DialReason::NoProxy),
        (Errno::ENOENT, DialReason::NoProxy),
        (Errno::ECONNRESET, DialReason::NoProxy),
        (Errno::EMFILE, DialReason::TooMany),
    ] {
        let mut parent = Parent {
            answers: vec![Err(errno)],
        };
        let refused = dials.begin(0, &entry(), &wanted, &mut parent, now);
        assert_eq!(refused, Err(reason));
    }
    // One that closes at once is no better.
    let (mine, theirs) = pair();
    drop(theirs);
    let mut parent = Parent {
        answers: vec![Ok(mine)],
    };
    dials.begin(0, &entry(), &wanted, &mut parent, now).unwrap();
    let [outcome] = &dials.finished(now)[..] else {
        panic!("not finished")
    };
    assert_eq!(
        outcome.connection.as_ref().err(),
        Some(&DialReason::NoProxy)
    );
}
