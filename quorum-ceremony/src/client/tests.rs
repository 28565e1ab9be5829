use std::path::PathBuf;
use std::thread;

use quorate_protocol::atoms::Text;
use quorate_protocol::instance::Index;
use quorate_protocol::message::Phase;

use super::*;
use crate::fixture::index;

fn status() -> Response {
    Response::Status(Status {
        phase: Phase::Waiting,
        genesis: None,
        manifest: None,
        epoch: None,
        accepted: Vec::new(),
        threshold: 0,
        applications: Vec::new(),
    })
}

/// An enclave that answers each request with what `answer` makes of it.
fn enclave(mut answer: impl FnMut(Request) -> Response + Send + 'static) -> Client {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut assembler = Assembler::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = theirs.read(&mut piece) {
            let mut bytes = &piece[..count];
            while let Some(payload) = assembler.push::<Request>(bytes).unwrap() {
                let response = answer(from_bytes(&payload).unwrap());
                theirs
                    .write_all(&frame(&to_bytes(&response)).unwrap())
                    .unwrap();
                bytes = &[];
            }
        }
    });
    Client::over(ours)
}

/// A peer that writes bytes and leaves.
fn peer(bytes: &[u8]) -> Client {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(bytes).unwrap();
    // Reading what was asked for, so that closing is not a reset.
    thread::spawn(move || theirs.read(&mut [0; 64]));
    Client::over(ours)
}

#[test]
fn several_requests_on_one_connection() {
    let mut client = enclave(|_| status());
    for _ in 0..3 {
        assert_eq!(client.status().unwrap().phase, Phase::Waiting);
    }
}

#[test]
fn answer_to_another_request_fails_closed() {
    let mut client = enclave(|_| status());
    let nonce = Bytes::new(vec![1; 32]).unwrap();
    assert_eq!(
        client.attest(Stage::Setup, nonce.clone()),
        Err(ClientError::WrongKind)
    );
    assert_eq!(client.evidence(nonce).err(), Some(ClientError::WrongKind));
    assert_eq!(
        client.upload_piece(Sha256::of(b"x"), 1, 0, b"x"),
        Err(ClientError::WrongKind)
    );
}

#[test]
fn a_refusal_keeps_reason_member_and_fault() {
    let refusal = Refusal {
        reason: Reason::ShareWrong,
        fault: Fault::Member,
        member: Some(Index(index(2))),
        detail: Text::new("").unwrap(),
    };
    let sent = refusal.clone();
    let mut client = enclave(move |_| Response::Refused(sent.clone()));
    let error = client.status().unwrap_err();
    assert_eq!(error, ClientError::Refused(Box::new(refusal)));
    let explanation = error.explain();
    assert_eq!(
        (explanation.code, explanation.blame),
        ("refused-share-wrong", Blame::Member)
    );
    assert!(error.to_string().contains("member 2"));
}

#[test]
fn closed_connection_fails_closed() {
    assert_eq!(peer(&[]).status(), Err(ClientError::Closed));
    let whole = frame(&to_bytes(&status())).unwrap();
    for length in 1..whole.len() {
        assert_eq!(
            peer(&whole[..length]).status(),
            Err(ClientError::Closed),
            "{length} bytes"
        );
    }
}

#[test]
fn malformed_answers_fails_closed() {
    let not_a_frame = peer(b"HTTP/1.1 400 Bad Request\r\n").status();
    assert!(
        matches!(not_a_frame, Err(ClientError::Frame(_))),
        "{not_a_frame:?}"
    );
    let too_long = peer(&[1, 0xff, 0xff, 0xff, 0xff, 0x82, 6]).status();
    assert!(matches!(
        too_long,
        Err(ClientError::Frame(FrameError::TooLong { .. }))
    ));
    let rubbish = peer(&frame(&[0x82, 0, 0x60]).unwrap()).status();
    assert!(
        matches!(rubbish, Err(ClientError::Malformed(_))),
        "{rubbish:?}"
    );
}

/// The deadline is for the whole answer, not for each byte of it.
#[test]
fn silent_or_slow_peer_fails_closed() {
    let allowed = Duration::from_millis(150);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let silent = Client::over(ours).ask(&Request::Status, allowed);
    assert_eq!(silent, Err(ClientError::TimedOut { allowed }));
    drop(theirs);

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let slow = thread::spawn(move || {
        let bytes = frame(&to_bytes(&status())).unwrap();
        for byte in bytes.iter().take(bytes.len() - 1).cycle() {
            thread::sleep(Duration::from_millis(30));
            if theirs.write_all(&[*byte]).is_err() {
                break;
            }
        }
    });
    let answer = Client::over(ours).ask(&Request::Status, allowed);
    assert_eq!(answer, Err(ClientError::TimedOut { allowed }));
    slow.join().unwrap();
}

#[test]
fn nobody_listening_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Client::connect(&folder.path().join("none.sock"));
    assert!(matches!(refused, Err(ClientError::Connect { .. })));
}

/// The path of a Unix socket has a limit of its own.
#[test]
fn socket_path_too_long_fails_closed() {
    let path = PathBuf::from("/".repeat(200));
    assert!(matches!(
        Client::connect(&path),
        Err(ClientError::Connect { .. })
    ));
}

#[test]
fn a_listener_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("operator.sock");
    crate::fixture::enclave(&socket, |_| status());
    let mut client = Client::connect(&socket).unwrap();
    assert_eq!(client.status().unwrap().phase, Phase::Waiting);
}
