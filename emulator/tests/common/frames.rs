//! Frames of every wrong kind, for whichever port; and what a flood of them is made of.

#![allow(dead_code, reason = "tests and benchmarks each use their own part")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate_echo::EchoRequest;
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::frame::frame;
use quorate_protocol::message::Request;

/// Every wrong kind: of the frame, of the message inside, of what it holds.
pub(crate) fn wrong() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        b"SSH-2.0-x\r\n",
        &[0, 0, 0, 0, 2, 0x81, 0],                // version 0
        &[2, 0, 0, 0, 2, 0x81, 0],                // version 2
        &[0xff; 64],                              // version 255
        &[1, 0xff, 0xff, 0xff, 0xff, 0x81],       // 4 GiB announced
        &[1, 0, 0x20, 0, 1, 0x82, 3],             // one more than the largest of all
        &[1, 0, 0, 0, 0],                         // empty
        &[1, 0, 0, 0, 1, 0x81],                   // one byte
        &[1, 0, 0, 0, 2, 0x9f, 0xff],             // indefinite
        &[1, 0, 0, 0, 2, 0x80, 0],                // no kind
        &[1, 0, 0, 0, 4, 0x83, 0, 0, 0],          // three parts
        &[1, 0, 0, 0, 3, 0x82, 0x18, 0x20],       // a kind of two bytes
        &[1, 0, 0, 0, 2, 0x81, 0x20],             // a negative kind
        &[1, 0, 0, 0, 3, 0x81, 0x18, 0],          // a kind written too long
        &[1, 0, 0, 1, 0, 0x81, 0],                // a status of 256 bytes
        &[1, 0, 0, 0, 2, 0xc1, 0x81],             // a tag
        &[1, 0, 0, 0, 4, 0x61, b'a', 0x61, b'b'], // text
    ]
    .map(<[u8]>::to_vec)
    .into();
    for kind in 0..24_u8 {
        for payload in [
            vec![0x81, kind],
            vec![0x82, kind, 0xf6],
            vec![0x82, kind, 0xa0],
            vec![0x82, kind, 0xff],
            vec![
                0x82, kind, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            vec![
                0x82, kind, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            [vec![0x82, kind], vec![0x81; 100]].concat(),
        ] {
            let right = from_bytes::<Request>(&payload).is_ok();
            if !right && from_bytes::<EchoRequest>(&payload).is_err() {
                frames.push(frame(&payload).unwrap());
            }
        }
    }
    frames
}

/// Sends one and reads until the other side closes; what it answered.
pub(crate) fn send(port: &Path, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let Ok(mut stream) = UnixStream::connect(port) else {
        return answer;
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // A listener that closes before it has read everything is as good.
    if stream.write_all(bytes).is_ok() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut answer);
    }
    answer
}

/// So many connections that say nothing, or half of a header, in turn on each port.
pub(crate) fn idle(ports: &[PathBuf], count: usize) -> Vec<UnixStream> {
    let turn = ports.iter().cycle().take(count).enumerate();
    turn.map(|(n, port)| {
        let mut stream = UnixStream::connect(port).unwrap();
        if n % 2 == 0 {
            let _ = stream.write_all(&[1, 0, 0]);
        }
        stream
    })
    .collect()
}

/// Sends wrong frames to the ports in turn until `sent` reaches `count`.
pub(crate) fn flood(ports: &[PathBuf], sent: &AtomicUsize, count: usize) {
    let frames = wrong();
    loop {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return;
        }
        let (Some(port), Some(bytes)) = (ports.get(n % ports.len()), frames.get(n % frames.len()))
        else {
            return;
        };
        send(port, bytes);
    }
}

/// Resident memory of a process in KiB.
pub(crate) fn resident(pid: impl std::fmt::Display) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("the kernel tells it")
}
