//! Uploads to enclaves that take what they are sent, or break.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::message::{Request, Response, Upload};

use super::*;
use crate::fixture::name;

/// What to do with a piece.
enum Answer {
    State(u64, bool),
    /// Close the connection, with no answer.
    Break,
}

/// A binary on disk and a socket beside it.
struct Place {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Place {
    fn new(length: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        std::fs::write(folder.path().join("binary"), &bytes).unwrap();
        Self { folder, bytes }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("operator.sock")
    }

    fn binary(&self) -> BinaryFile {
        BinaryFile::open(&self.folder.path().join("binary")).unwrap()
    }

    /// An enclave that serves one connection after the other.
    fn enclave(&self, mut answer: impl FnMut(&Upload) -> Answer + Send + 'static) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut stream = connection.unwrap();
                let mut assembler = Assembler::new();
                let mut piece = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    let payload = assembler.push::<Request>(&piece[..count]).unwrap();
                    let Some(payload) = payload else { continue };
                    let Ok(Request::Upload(upload)) = from_bytes(&payload) else {
                        panic!("no upload")
                    };
                    let Answer::State(received, complete) = answer(&upload) else {
                        break;
                    };
                    let state = Response::Uploaded(Uploaded { received, complete });
                    let _ = stream.write_all(&frame(&to_bytes(&state)).unwrap());
                }
            }
        });
    }

    fn upload(&self, tell: &mut dyn FnMut(Progress<'_>)) -> Result<u64, CeremonyError> {
        let socket = self.socket();
        let mut client = Client::connect(&*socket).unwrap();
        upload(
            &Address::from(&*socket),
            &mut client,
            &name("app"),
            &mut self.binary(),
            tell,
        )
    }
}

/// An enclave that keeps what comes in order, beginning with `had` bytes, and breaks the connection
/// instead of answering at these pieces, counted from 1.
fn keeping(place: &Place, had: usize, breaks: &'static [usize]) -> Arc<Mutex<Vec<u8>>> {
    let received = Arc::new(Mutex::new(place.bytes[..had].to_vec()));
    let (kept, size) = (Arc::clone(&received), place.bytes.len());
    let mut pieces = 0;
    place.enclave(move |upload| {
        let mut kept = kept.lock().unwrap();
        assert_eq!(upload.size, size as u64);
        if !upload.data.as_slice().is_empty() {
            pieces += 1;
            assert_eq!(upload.offset, kept.len() as u64, "in order, none twice");
            // A break before or after the piece was taken is the same to the sender.
            if pieces % 2 == 0 || !breaks.contains(&pieces) {
                kept.extend_from_slice(upload.data.as_slice());
            }
            if breaks.contains(&pieces) {
                return Answer::Break;
            }
        }
        Answer::State(kept.len() as u64, kept.len() == size)
    });
    received
}

#[test]
fn uploads_go_on_where_they_ended() {
    for had in [0, 1, MAX_CHUNK, MAX_CHUNK + 7, MAX_CHUNK * 2 + 10] {
        let place = Place::new(MAX_CHUNK * 2 + 10);
        let received = keeping(&place, had, &[]);
        let mut told = Vec::new();
        let sent = place.upload(&mut |progress| told.push(progress.received));
        assert_eq!(sent, Ok((place.bytes.len() - had) as u64), "{had}");
        assert!(*received.lock().unwrap() == place.bytes);
        assert_eq!(told.first(), Some(&(had as u64)));
        assert_eq!(told.last(), Some(&(place.bytes.len() as u64)));
        assert!(told.is_sorted());
    }
}

#[test]
fn a_broken_connection_is_made_again_and_the_upload_goes_on() {
    let place = Place::new(MAX_CHUNK * 7 + 1);
    // More breaks than attempts in a row, with progress in between.
    let received = keeping(&place, 0, &[1, 2, 3, 5, 6, 8, 9]);
    let mut reconnected = 0;
    let sent = place.upload(&mut |progress| reconnected = progress.reconnected);
    assert!(sent.is_ok(), "{sent:?}");
    assert!(*received.lock().unwrap() == place.bytes);
    assert_eq!(reconnected, 7);
}

/// One that was started again has nothing, and gets all of it.
#[test]
fn an_enclave_that_lost_everything_gets_it_again() {
    let place = Place::new(MAX_CHUNK * 2);
    let mut asked = 0;
    place.enclave(move |upload| {
        let count = upload.data.as_slice().len() as u64;
        if count == 0 {
            asked += 1;
            return Answer::State(if asked == 1 { MAX_CHUNK as u64 } else { 0 }, false);
        }
        match (asked, upload.offset) {
            (1, _) => Answer::Break,
            (_, offset) => Answer::State(offset + count, offset + count == upload.size),
        }
    });
    assert_eq!(place.upload(&mut |_| {}), Ok(2 * MAX_CHUNK as u64));
}

#[test]
fn a_connection_that_breaks_each_time_fails_closed() {
    let place = Place::new(10);
    let tries = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&tries);
    place.enclave(move |_| {
        *counted.lock().unwrap() += 1;
        Answer::Break
    });
    let refused = place.upload(&mut |_| {});
    assert_eq!(refused, Err(ClientError::Closed.into()));
    assert_eq!(*tries.lock().unwrap(), 1 + ATTEMPTS);
}

#[test]
fn an_upload_that_does_not_move_on_fails_closed() {
    for claimed in [0, 3, u64::MAX] {
        let place = Place::new(3);
        place.enclave(move |_| Answer::State(claimed, false));
        let refused = place.upload(&mut |_| {});
        let stuck = ClientError::UploadStuck {
            received: claimed,
            size: 3,
        };
        assert_eq!(refused, Err(stuck.into()));
    }
}

#[test]
fn a_file_that_shrinks_fails_closed() {
    let place = Place::new(MAX_CHUNK * 2);
    let path = place.folder.path().join("binary");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    place.enclave(move |upload| {
        file.set_len(MAX_CHUNK as u64 + 5).unwrap();
        let end = upload.offset + upload.data.as_slice().len() as u64;
        Answer::State(end, false)
    });
    let refused = place.upload(&mut |_| {});
    assert_eq!(refused, Err(ClientError::BinaryChanged { path }.into()));
}
