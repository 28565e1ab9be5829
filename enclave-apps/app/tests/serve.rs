//! Serving with bounds: silent connections make room, busy ones do not, answers keep their order.
#![allow(missing_docs)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use quorate_app::serve::{MAX_CONNECTIONS, serve};
use quorate_protocol::frame::{Sizes, frame};

struct Any;

impl Sizes for Any {
    const LARGEST: usize = 1024;

    fn largest(_kind: u8) -> Option<usize> {
        Some(1024)
    }
}

struct Place {
    _folder: tempfile::TempDir,
    socket: PathBuf,
}

fn place(handler: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("port");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || serve::<Any, _>(&listener.into(), handler));
    Place {
        _folder: folder,
        socket,
    }
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// A request of one kind.
fn request(kind: u8) -> Vec<u8> {
    frame(&[0x81, kind]).unwrap()
}

fn answered(stream: &mut UnixStream, kind: u8) -> bool {
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).is_ok() && answer == *request(kind)
}

#[test]
fn silent_connections_keep_nobody_out_fails_closed() {
    let place = place(|payload| Some(payload.to_vec()));
    let mut busy = connect(&place.socket);
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut stream = connect(&place.socket);
        if n % 2 == 0 {
            // In the middle of a frame. It may be closed already.
            let _ = stream.write_all(&[1, 0]);
        }
        silent.push(stream);
        // Who says something now and then stays, as long as others are silent for longer.
        if n % 16 == 0 {
            busy.write_all(&request(3)).unwrap();
            assert!(answered(&mut busy, 3), "{n}");
            let mut new = connect(&place.socket);
            new.write_all(&request(4)).unwrap();
            assert!(answered(&mut new, 4), "{n}");
        }
    }
}

#[test]
fn requests_under_way_are_not_given_up_fails_closed() {
    let gate = Arc::new((Mutex::new((0, false)), Condvar::new()));
    let inside = Arc::clone(&gate);
    let place = place(move |payload| {
        let (state, changed) = &*inside;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        changed.notify_all();
        while !state.1 {
            state = changed.wait(state).unwrap();
        }
        Some(payload.to_vec())
    });
    let mut waiting: Vec<UnixStream> = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut stream = connect(&place.socket);
        stream.write_all(&request(1)).unwrap();
        waiting.push(stream);
    }
    let (state, changed) = &*gate;
    let mut held = state.lock().unwrap();
    while held.0 < MAX_CONNECTIONS {
        held = changed.wait(held).unwrap();
    }
    drop(held);
    // All are in use: one more is closed.
    let mut more = connect(&place.socket);
    let mut end = [0];
    assert!(matches!(more.read(&mut end), Ok(0) | Err(_)));
    state.lock().unwrap().1 = true;
    changed.notify_all();
    for stream in &mut waiting {
        assert!(answered(stream, 1));
    }
    let mut next = connect(&place.socket);
    next.write_all(&request(2)).unwrap();
    assert!(answered(&mut next, 2));
}

#[test]
fn what_follows_a_bad_request_fails_closed() {
    let place = place(|payload| (payload != [0x81, 9]).then(|| payload.to_vec()));
    for bad in [
        request(9),
        b"GET /".to_vec(),
        frame(&[0x83, 1]).unwrap(),
        vec![1, 0, 0, 0, 0],
    ] {
        let mut stream = connect(&place.socket);
        let together = [request(1), request(2), bad, request(3)].concat();
        stream.write_all(&together).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, [request(1), request(2)].concat());
    }
}
